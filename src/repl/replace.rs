//! An entry that declares anew what an earlier one has declared takes its place.

use std::collections::HashSet;

use super::answer::Answer;
use super::entry::{self, Entry};
use super::session::{Session, first_line};
use crate::diag::{Diagnostic, Result};
use crate::flow::Sight;
use crate::plan::{Plan, StepId};

impl Session {
    /// Puts an entry into the place of the one that it clashes with, if that makes everything right. `problem`: what is wrong
    /// with it behind all others.
    ///
    /// # Errors
    /// The problem; or that the old entry has declared more than the new one does.
    pub fn in_its_place(&mut self, text: &str, problem: Diagnostic) -> Result<Answer> {
        let Some(at) = self.clashing(text, &problem) else { return Err(problem) };
        let mut entries = self.entries.clone();
        let old = std::mem::replace(&mut entries[at], Entry::new(text));
        let anew = entry::functions(text);
        let mut gone: Vec<String> = Vec::new();
        for function in entry::functions(&old.text).into_iter().filter(|function| !anew.contains(function)) {
            gone.push(format!("{}()", function.0));
        }
        // What was executed after it is taken up again when it is asked for.
        let trusted = entries[..at].last().map_or(0, |entry| entry.answered);
        let before = self.results.clone();
        if let Some(sight) = self.with_results_that_hold(&entries) {
            gone.extend(lost(self.plan(), &sight.plan));
            if !gone.is_empty() {
                self.results = before;
                return Err(with_others(problem, &gone));
            }
            let mut answer = Answer::default();
            answer.note(format!("in the place of: {}", first_line(&old.text)));
            answer.steps = changed_steps(self.plan(), &sight.plan);
            let after = std::mem::replace(&mut self.results, before);
            self.remember(text);
            self.results = after;
            self.adopt(entries, sight);
            return Ok(answer);
        }
        let mut at_run = false;
        entries = entries
            .into_iter()
            .enumerate()
            .filter(|(n, entry)| {
                at_run |= *n >= at && (entry.by_run || entry::is_run(&entry.text));
                *n <= at || !(entry.by_run || entry::is_run(&entry.text))
            })
            .map(|(n, entry)| if n >= at { Entry { answered: trusted, ..entry } } else { entry })
            .collect();
        let Ok(sight) = self.see(&entries, trusted) else { return Err(problem) };
        if sight.waits_for.is_some() {
            return Err(problem);
        }
        gone.extend(lost(self.plan(), &sight.plan));
        if !gone.is_empty() {
            return Err(with_others(problem, &gone));
        }
        let mut answer = Answer::default();
        answer.note(format!("in the place of: {}", first_line(&old.text)));
        if at_run {
            answer.note("`:run` runs it, and what depends on it; other results are kept".to_owned());
        }
        answer.steps = changed_steps(self.plan(), &sight.plan);
        self.remember(text);
        self.results = self.results.as_ref().map(|results| results.without_changed(self.plan(), &sight.plan));
        (self.entries, self.sight, self.waiting) = (entries, Some(sight), None);
        Ok(answer)
    }

    /// The only entry that has declared before what this one declares.
    fn clashing(&self, text: &str, problem: &Diagnostic) -> Option<usize> {
        let of_line = |line: u32| {
            let mut end = 0;
            self.entries.iter().position(|entry| {
                end += entry.text.split('\n').count() as u32;
                line <= end
            })
        };
        let earlier: Vec<usize> = match problem.code() {
            "flow::plan::duplicate" => problem.labels().iter().filter_map(|(span, _)| of_line(span.line)).collect(),
            "flow::lang::duplicate_function" => {
                let anew = entry::functions(text);
                let declares = |entry: &Entry| entry::functions(&entry.text).iter().any(|one| anew.contains(one));
                (0..self.entries.len()).filter(|n| declares(&self.entries[*n])).collect()
            }
            _ => Vec::new(),
        };
        if let &[at] = earlier.as_slice() { Some(at) } else { None }
    }

    /// Evaluates entries of which one was replaced, with the results of the steps that are the same, if these are enough.
    fn with_results_that_hold(&mut self, entries: &[Entry]) -> Option<Sight> {
        let now = self.see(entries, usize::MAX).ok().filter(|sight| sight.waits_for.is_none())?;
        let hold = self.results.as_ref().map(|results| results.without_changed(self.plan(), &now.plan));
        let before = std::mem::replace(&mut self.results, hold);
        let sight = self.see(entries, usize::MAX).ok().filter(|sight| sight.waits_for.is_none());
        if sight.is_none() {
            self.results = before;
        }
        sight
    }
}

/// Steps that would be there no longer. What is in a group with a name belongs to that.
fn lost(before: &Plan, after: &Plan) -> Vec<String> {
    let stay: HashSet<String> = after.ids().map(|id| after.path(id)).collect();
    let groups = |id: StepId| std::iter::successors(before.step(id).parent, |id| before.step(*id).parent);
    let stands_alone = |id: &StepId| {
        let step = before.step(*id);
        !step.anonymous && step.undoes.is_none() && groups(*id).all(|group| before.step(group).anonymous)
    };
    before.ids().filter(stands_alone).map(|id| before.path(id)).filter(|path| !stay.contains(path)).collect()
}

/// The new entry cannot stand for the old one.
fn with_others(problem: Diagnostic, gone: &[String]) -> Diagnostic {
    /// Names in a message.
    const NAMED: usize = 5;
    let mut names: Vec<String> = gone.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    if gone.len() > NAMED {
        names.push(format!("{} more", gone.len() - NAMED));
    }
    let names = match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    };
    problem.help(format!(
        "it cannot take the place of the old one, whose entry has declared {names} as well: declare them again in the same entry, \
         take the old entry away with `:undo`, or use another name"
    ))
}

/// Steps that have come, or are others than before.
fn changed_steps(before: &Plan, after: &Plan) -> Vec<StepId> {
    let same = |id: &StepId| {
        before.steps.get(id.index()).is_some_and(|step| {
            let now = after.step(*id);
            step.name == now.name && step.task == now.task && step.policy == now.policy
        })
    };
    after.ids().filter(|id| !same(id)).collect()
}
