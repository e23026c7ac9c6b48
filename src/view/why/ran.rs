//! What has begun: what let a step start, its attempts, and what its end meant for others.

use super::{NAMES, Story, cause};
use crate::event::{Because, Decision, Event, Log, Outcome, Skip};
use crate::plan::unit;
use crate::plan::wording::{list, plural};
use crate::plan::{Condition, EdgeKind, Repeat, Rule, StepId, Task};
use crate::state::{Lineage, Status};
use crate::view::look::one_line;
use crate::view::summary::shell_word;
use crate::view::{agents, is_secret, reason, time};

/// Less processor time than this, in milliseconds, is not worth a line.
const WORTH_TELLING_MS: u64 = 50;

/// What an attempt has used, if that is known and worth a line.
fn used(outcome: &Outcome) -> Option<String> {
    let time =
        (outcome.cpu_ms >= WORTH_TELLING_MS).then(|| format!("{} of processor time", time::duration(outcome.cpu_ms)));
    let memory =
        (outcome.memory_kib > 0).then(|| format!("up to {} of memory", unit::show_bytes(outcome.memory_kib * 1024)));
    match (time, memory) {
        (Some(time), Some(memory)) => Some(format!("{time} and {memory}")),
        (one, other) => one.or(other),
    }
}

impl Story<'_> {
    /// What let it start.
    pub(super) fn ran(&mut self, id: StepId) {
        let (why, plan) = (self.why, &self.why.state.plan);
        let step = plan.step(id);
        let before = step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition).map(|edge| edge.from);
        let paths = self.with_status(before);
        if let Some(undone) = plan.step(id).undoes {
            self.line(&format!(
                "It undoes `{}`: it runs when the run has failed, or is rolled back, after that succeeded.",
                why.path(undone)
            ));
            return;
        }
        if self.alerted(id) || self.member(id) {
            return;
        }
        if let Some(moment) = plan.hook(id) {
            self.line(&format!("It is a hook for `{}`, outside the order of the graph.", reason::moment_name(moment)));
            return;
        }
        match (paths.is_empty(), step.policy().rule) {
            (true, _) if !reason::branches(plan, id).is_empty() => {}
            (true, _) => match step.parent.filter(|parent| !plan.step(*parent).anonymous) {
                Some(parent) => self.line(&format!("It waits for nothing but the start of `{}`.", why.path(parent))),
                None => self.line("It waits for no other step."),
            },
            (false, Rule::AllSuccess) => self.line(&format!("It ran after {}.", list(&paths, NAMES))),
            (false, rule) => {
                self.line(&format!("It ran after {}; it may start {}.", list(&paths, NAMES), cause::rule_text(rule)));
            }
        }
        self.chosen(id);
    }

    /// Paths, each once, with the status of those that did not succeed.
    pub(super) fn with_status(&self, ids: impl IntoIterator<Item = StepId>) -> Vec<String> {
        let mut paths = Vec::new();
        for id in ids {
            let said = match self.why.state.step(id).status {
                Status::Success => format!("`{}`", self.why.path(id)),
                status => format!("`{}` ({})", self.why.path(id), status.name()),
            };
            if !paths.contains(&said) {
                paths.push(said);
            }
        }
        paths
    }

    /// The conditions that were true for it.
    fn chosen(&mut self, id: StepId) {
        let state = self.why.state;
        let step = state.plan.step(id);
        if let (Some(when), Some(decided)) = (&step.when, reason::decision(state, id, 0)) {
            self.line(match decided.result {
                Decision::Is(_) => "Its condition was true:",
                Decision::Failed(_) => "Its condition could not be evaluated:",
            });
            self.condition(when, Some(decided));
        }
        self.decided(id);
        let Some(flow) = step.parent else { return };
        if let Task::Fallback(alternatives) = &*state.plan.step(flow).task {
            let before = alternatives.iter().take_while(|other| **other != id);
            let before = self.with_status(before.copied());
            if !before.is_empty() {
                self.line(&format!("It is a fallback, for when those before it fail: {}.", list(&before, NAMES)));
            }
            return;
        }
        let branches = reason::branches(&state.plan, flow);
        let Some(n) = branches.iter().position(|branch| branch.step == id) else { return };
        let path = self.why.path(flow);
        match &branches[n].when {
            Some(when) => {
                self.line(&format!("`{path}` chose it, because its condition was true:"));
                self.condition(when, reason::decision(state, flow, n as u32));
            }
            None => {
                self.line(&format!("`{path}` chose it, because no other branch was taken:"));
                for (n, branch) in branches[..n].iter().enumerate() {
                    if let Some(when) = &branch.when {
                        self.condition(when, reason::decision(state, flow, n as u32));
                    }
                }
            }
        }
    }

    /// For a loop: how often it went round, and what ended it.
    fn rounds(&mut self, id: StepId, repeat: &Repeat) {
        let rounds = repeat.children.len();
        self.line(&format!("It has gone round {rounds} of at most {} times.", repeat.max));
        let last = rounds.checked_sub(1).and_then(|last| reason::decision(self.why.state, id, last as u32));
        if let (Some(until), Some(decided)) = (&repeat.until, last) {
            let came_to = match &decided.result {
                Decision::Is(value) => value.to_string(),
                Decision::Failed(_) => "an error".to_owned(),
            };
            self.line(&format!("Its `until` came to {came_to} after the last time:"));
            self.condition(&Condition::Closure(until.clone()), Some(decided));
        }
    }

    /// For a flow: what its conditions came to, and which branch it took.
    fn decided(&mut self, flow: StepId) {
        let state = self.why.state;
        match &*state.plan.step(flow).task {
            Task::Repeat(repeat) => return self.rounds(flow, repeat),
            Task::Fallback(alternatives) => {
                let tried = self.with_status(alternatives.iter().copied());
                return self.line(&format!("These are tried in order, until one succeeds: {}.", list(&tried, NAMES)));
            }
            _ => {}
        }
        let branches = reason::branches(&state.plan, flow);
        let read = branches.iter().flat_map(|branch| branch.when.iter().flat_map(|when| when.steps()));
        let read = self.with_status(read);
        if !read.is_empty() {
            self.line(&format!("Its conditions read {}.", list(&read, NAMES)));
        }
        for (n, branch) in branches.iter().enumerate() {
            let path = self.why.path(branch.step);
            match (&branch.when, reason::decision(state, flow, n as u32)) {
                (Some(when), decided) => {
                    let came_to = match (decided.map(|decided| &decided.result), when) {
                        (Some(Decision::Is(value)), _) | (None, Condition::Known(value)) => value.to_string(),
                        (Some(Decision::Failed(_)), _) => "an error".to_owned(),
                        (None, _) => "not evaluated".to_owned(),
                    };
                    self.line(&format!("The condition of `{path}`: {came_to}."));
                    if decided.is_some() {
                        self.condition(when, decided);
                    }
                }
                (None, _) => self.line(&format!("Otherwise: `{path}`.")),
            }
        }
        match reason::taken(state, flow) {
            Some(branch) => self.line(&format!("It took `{}`.", self.why.path(branch.step))),
            None if !branches.is_empty() && state.step(flow).status.is_final() => self.line("It took no branch."),
            None => {}
        }
    }

    /// Each attempt in a sentence.
    pub(super) fn attempts(&mut self, id: StepId) {
        let why = self.why;
        let mut begun = 0;
        let lineage = Lineage::of(why.records, id);
        for record in why.records {
            let is_it = |step: &StepId| lineage.is(record.seq, *step);
            match &*record.event {
                Event::Started { step, attempt } if is_it(step) => {
                    begun = record.at;
                    let state = why.state.step(id);
                    if state.status == Status::Running && state.attempt == *attempt {
                        let ago = time::elapsed(why.clock.now().saturating_sub(record.at));
                        let at = why.clock.time(record.at);
                        let name = self.attempt_name(id, *attempt);
                        self.line(&match self.cut_off() {
                            false => format!("{name} began at {at}, {ago} ago."),
                            true => format!("{name} began at {at}, and was cut off when the run's process ended."),
                        });
                        let live = agents::live(why.state, id);
                        if !live.is_empty() {
                            self.line(&format!("What it does, and has used so far: {}.", live.join(", ")));
                        }
                    }
                }
                Event::Retrying { step, attempt, outcome, delay_ms } if is_it(step) => {
                    self.attempt(id, *attempt, begun, record.at, outcome);
                    self.line(&format!("The next attempt followed {} later.", time::duration(*delay_ms)));
                }
                Event::Finished { step, attempt, outcome } if is_it(step) => {
                    self.attempt(id, *attempt, begun, record.at, outcome);
                    if let (2.., Some(used)) = (*attempt, agents::together(why.state, id)) {
                        self.line(&format!("All its attempts together used {used}."));
                    }
                }
                Event::Waiting { step, what, .. } if is_it(step) => self.asked(id, record, what),
                Event::Answered { step, answer } if is_it(step) => self.answered(id, answer),
                Event::Interrupted { step, attempt } if is_it(step) => {
                    let at = why.clock.time(record.at);
                    self.line(&format!(
                        "Attempt {attempt} was interrupted (noticed at {at}): its process was gone. It is made again."
                    ));
                }
                _ => {}
            }
        }
    }

    /// "Attempt 2", or "It" where there is only one.
    fn attempt_name(&self, id: StepId, attempt: u32) -> String {
        let (state, plan) = (self.why.state.step(id), self.why.state.plan.step(id));
        let several = state.attempt > 1 || plan.policy().retry.as_ref().is_some_and(|retry| retry.max_attempts > 1);
        if several { format!("Attempt {attempt}") } else { "It".to_owned() }
    }

    fn attempt(&mut self, id: StepId, attempt: u32, begun: u64, ended: u64, outcome: &Outcome) {
        let name = self.attempt_name(id, attempt);
        let began = if begun > 0 { format!(" began at {},", self.why.clock.time(begun)) } else { String::new() };
        let took = match outcome.duration_ms {
            0 if begun == 0 => "no time".to_owned(),
            0 => time::duration(ended.saturating_sub(begun)),
            ms => time::duration(ms),
        };
        match outcome.cache.as_deref() {
            Some(note) if note.hit => {
                let (run, ago) = (&note.run, self.why.clock.ago(note.at));
                self.line(&format!(
                    "It did not run: nothing that it depends on has changed since run {run} ({ago}), whose result it has."
                ));
                if outcome.error.is_none() {
                    return;
                }
            }
            Some(note) if !note.why.is_empty() => {
                self.line(&format!("No earlier result could be used: {}.", one_line(&note.why)));
            }
            _ => {}
        }
        match &outcome.error {
            None => self.line(&format!("{name}{began} took {took} and succeeded.")),
            Some(error) => {
                let said = one_line(&error.message);
                self.line(&format!("{name}{began} took {took} and failed: {said}."));
                let own = self.why.state.plan.step(id).span;
                let elsewhere = error.span.filter(|span| (span.file, span.line) != (own.file, own.line));
                self.help(elsewhere, reason::help(&self.why.state.plan, id, outcome));
            }
        }
        for said in outcome.agent.as_deref().map(agents::sentences).unwrap_or_default() {
            self.line(&format!("{said}."));
        }
        if let Some(used) = used(outcome) {
            self.line(&format!("It used {used}."));
        }
    }

    /// What it changed beyond what it had declared, and where it worked.
    fn changed(&mut self, id: StepId) {
        let Some(changes) = self.why.state.step(id).outcome.as_ref().and_then(|outcome| outcome.changes.clone()) else {
            return;
        };
        if !changes.branch.is_empty() {
            let files = plural(changes.files.len(), "file");
            self.line(&format!(
                "It worked in a work tree of its own: {files} changed, on the branch `{}`.",
                changes.branch
            ));
        }
        for skipped in &changes.skipped {
            self.line(&format!("It left out {skipped}."));
        }
        if !changes.undeclared.is_empty() {
            let files: Vec<_> = changes.undeclared.iter().map(|file| format!("`{file}`")).collect();
            let writes = list(&self.why.state.plan.step(id).policy().writes, NAMES);
            self.line(&format!("It changed {}, which it had not declared: it writes {writes}.", list(&files, NAMES)));
        }
        if !changes.unsure.is_empty() {
            let files: Vec<_> = changes.unsure.iter().map(|file| format!("`{file}`")).collect();
            self.line(&format!("It or a step beside it changed {}, which neither had declared.", list(&files, NAMES)));
        }
        if !changes.left_out.is_empty() {
            let files: Vec<_> = changes.left_out.iter().map(|file| format!("`{file}`")).collect();
            let files = list(&files, NAMES);
            self.line(&format!("What it made of {files} was not kept for replays: too long, or no plain file."));
        }
    }

    /// What its end meant for the run and for others.
    pub(super) fn afterwards(&mut self, id: StepId) {
        self.changed(id);
        let why = self.why;
        if why.state.step(id).status == Status::Failed {
            if let Some(said) = reason::not_again(why.state, id) {
                self.line(&format!("It was {said}."));
            }
            if reason::is_child_failure(why.state, id) {
                self.failed_children(id, 0);
            }
            match reason::handled(why.state, id) {
                Some(how) => self.line(&format!("The run does not fail by it: {how}.")),
                None if why.state.dealt_with(id).is_some() => {
                    self.line("The run does not fail by it: it stands beside the graph.");
                }
                None => self.line("Nothing deals with this failure, so the run fails."),
            }
            let hit = self.skipped_because_of(id);
            if !hit.is_empty() {
                let paths: Vec<_> = hit.iter().map(|id| format!("`{}`", why.path(*id))).collect();
                self.line(&format!("Because of it {} did not run.", list(&paths, NAMES)));
            }
        }
        let outcome = why.state.step(id).outcome.as_deref();
        let logs: Vec<&Log> = outcome.into_iter().flat_map(|o| [&o.stdout, &o.stderr]).flatten().collect();
        if logs.iter().any(|log| log.bytes > 0) {
            self.gap();
            for log in logs.into_iter().filter(|log| log.bytes > 0) {
                self.line(&format!("log: {}", (why.paths)(log)));
            }
            if !is_secret(&why.state.plan, id) {
                let path = shell_word(&why.path(id));
                self.line(&format!("see: flow logs {} {path}", why.state.created.run));
            }
        }
    }

    pub(super) fn failed_children(&mut self, id: StepId, depth: usize) {
        let state = self.why.state;
        let failed = |child: &StepId| state.step(*child).status == Status::Failed;
        let children: Vec<_> = state.plan.members(id).into_iter().filter(failed).collect();
        for child in children.iter().take(5) {
            self.within(|story| story.cause(*child, depth + 1));
        }
    }

    /// Steps that did not run because this one failed, at once or further down.
    fn skipped_because_of(&self, id: StepId) -> Vec<StepId> {
        let state = self.why.state;
        let mut is_hit = vec![false; state.plan.steps.len()];
        let mut seed = Some(id);
        // The failure of a step is that of its groups as well.
        while let Some(id) = seed {
            is_hit[id.index()] = true;
            seed = state.plan.step(id).parent.filter(|group| reason::is_child_failure(state, *group));
        }
        let (mut hit, mut before) = (Vec::new(), None);
        // Ids do not stand in the order of dependence, so it is asked until nothing new comes.
        while before != Some(hit.len()) && hit.len() < 1_000 {
            before = Some(hit.len());
            for other in state.plan.ids().filter(|other| state.step(*other).status == Status::Skipped) {
                let of = match state.step(other).skip.as_deref() {
                    Some(Skip::UpstreamFailed(Because::Predecessor(of) | Because::Group(of))) => of,
                    _ => continue,
                };
                if is_hit[of.index()] && !std::mem::replace(&mut is_hit[other.index()], true) {
                    hit.push(other);
                }
            }
        }
        hit.retain(|other| !state.plan.step(*other).task.is_group());
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_told_if_it_is_much() {
        let of = |cpu_ms, memory_kib| used(&Outcome { cpu_ms, memory_kib, ..Outcome::default() });
        assert_eq!(of(3, 0), None);
        assert_eq!(of(1_500, 0).as_deref(), Some("1.5s of processor time"));
        assert_eq!(of(0, 40 * 1024).as_deref(), Some("up to 40MiB of memory"));
        assert_eq!(of(70, 2048).as_deref(), Some("70ms of processor time and up to 2MiB of memory"));
    }
}
