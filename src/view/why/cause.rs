//! Causes: why a step did not run, or did not run well, and why that was so in turn.

use super::{SHOWN, Story};
use crate::event::{Because, Decision, RunStatus, Skip};
use crate::plan::{Condition, Rule, StepId};
use crate::state::result::shorten;
use crate::state::{Decided, Status};
use crate::view::look::one_line;
use crate::view::summary::shell_word;
use crate::view::{Tone, place, reason};

/// How far causes are followed.
const DEPTH: usize = 8;

/// When a step with this rule may start.
pub(super) fn rule_text(rule: Rule) -> &'static str {
    match rule {
        Rule::AllSuccess => "when all steps before it are over, none failed and at least one succeeded",
        Rule::NoneFailed => "when all steps before it are over and none failed (rule `none_failed`)",
        Rule::AllDone => "when all steps before it are over, however they ended (rule `all_done`)",
        Rule::OneSuccess => "with the first success of a step before it (rule `one_success`)",
        Rule::OneFailed => "with the first failure of a step before it (rule `one_failed`)",
        Rule::AllFailed => "when all steps before it have failed (rule `all_failed`)",
    }
}

impl Story<'_> {
    /// Why a final step that is no success is what it is.
    pub(super) fn cause(&mut self, id: StepId, depth: usize) {
        let (why, state) = (self.why, self.why.state);
        let name = if depth == 0 { "It".to_owned() } else { format!("`{}`", why.path(id)) };
        if self.told.contains(&id) || depth > DEPTH {
            return self.line(&format!("{name}: see above."));
        }
        self.told.push(id);
        match state.step(id).status {
            Status::Skipped => self.skipped(id, &name, depth),
            Status::Failed => {
                let at = place(&state.plan, state.plan.step(id).span);
                let at = at.map_or(String::new(), |at| format!(" ({at})"));
                let said = reason::failed(state.step(id).outcome.as_deref());
                self.line(&format!("{name} failed{at}: {said}."));
                if reason::is_child_failure(state, id) {
                    self.failed_children(id, depth);
                }
            }
            Status::Cancelled => {
                let said = match (state.stopping, state.status) {
                    _ if self.ended_with(id).is_some() => format!(", {}", self.ended_with(id).unwrap_or_default()),
                    (Some(stop), _) => format!(", because {}", reason::stop(&state.plan, stop)),
                    (None, RunStatus::Cancelled) => ", because the run was cancelled".to_owned(),
                    (None, _) => String::new(),
                };
                self.line(&format!("{name} was cancelled{said}."));
                if let Some(crate::event::Stop::Failure(failed)) = state.stopping.filter(|_| depth < DEPTH) {
                    self.within(|story| story.cause(failed, depth + 1));
                }
            }
            status => self.line(&format!("{name} is {}.", status.name())),
        }
    }

    fn skipped(&mut self, id: StepId, name: &str, depth: usize) {
        let (why, state) = (self.why, self.why.state);
        if let Some(said) = reason::ended_after(state, id) {
            self.line(&format!("{name} was {said}."));
            if !state.plan.step(id).task.is_group() {
                let word = shell_word(&why.path(id));
                self.line(&format!("what it had written: flow logs {} {word}", state.created.run));
            }
            return;
        }
        let because = match state.step(id).skip.as_deref() {
            Some(Skip::NotTaken(because) | Skip::UpstreamFailed(because)) => because.clone(),
            None => return self.line(&format!("{name} was not taken.")),
        };
        match because {
            Because::Condition => {
                self.line(&format!("{name} was skipped because its condition was false:"));
                if let Some(when) = &state.plan.step(id).when {
                    let decided = reason::decision(state, id, 0);
                    self.condition(when, decided);
                    self.values(decided, depth);
                }
            }
            Because::Branch(flow) => self.branch(id, flow, name, depth),
            Because::Group(group) => {
                self.line(&format!("{name} was skipped with its group `{}`.", why.path(group)));
                self.within(|story| story.cause(group, depth + 1));
            }
            Because::Child(child) => {
                self.line(&format!("{name} was skipped because everything in it was."));
                self.within(|story| story.cause(child, depth + 1));
            }
            Because::Predecessor(before) => {
                let rule = rule_text(state.plan.step(id).policy().rule);
                let said = reason::skipped(state, id);
                self.line(&format!("{name} was skipped because {said}. It may start {rule}."));
                if state.step(before).status != Status::Success {
                    self.within(|story| story.cause(before, depth + 1));
                }
            }
            Because::Moment | Because::NotNeeded(_) | Because::Unanswered | Because::NotBegun(_) | Because::Retired => {
                let said = reason::skipped(state, id);
                self.line(&format!("{name} was skipped: {said}."));
            }
        }
    }

    /// A branch that was not chosen: its own condition, or that of the branch taken before it.
    fn branch(&mut self, id: StepId, flow: StepId, name: &str, depth: usize) {
        let (why, state) = (self.why, self.why.state);
        let path = why.path(flow);
        let branches = reason::branches(&state.plan, flow);
        let own = branches.iter().enumerate().find(|(_, branch)| branch.step == id);
        let taken = reason::taken(state, flow);
        let instead = taken.map_or("no branch".to_owned(), |branch| format!("the branch `{}`", why.path(branch.step)));
        self.line(&format!("{name} was skipped because `{path}` took {instead}."));
        if let Some((n, when)) = own.and_then(|(n, branch)| Some((n, branch.when.as_ref()?))) {
            let decided = reason::decision(state, flow, n as u32);
            let known_false = matches!(when, Condition::Known(false));
            if decided.is_some_and(|d| d.result != Decision::Is(true)) || known_false {
                self.line("The condition that leads here was false:");
                self.condition(when, decided);
                return self.values(decided, depth);
            }
        }
        let before = branches.iter().enumerate().find(|(_, branch)| taken.is_some_and(|t| t.step == branch.step));
        if let Some((n, when)) = before.and_then(|(n, branch)| Some((n, branch.when.as_ref()?))) {
            self.line("The condition of that branch comes first, and it was true:");
            self.condition(when, reason::decision(state, flow, n as u32));
        }
    }

    /// A condition as it stands in the script, with what it came to and the values it saw.
    pub(super) fn condition(&mut self, condition: &Condition, decided: Option<&Decided>) {
        let why = self.why;
        let at = place(&why.state.plan, condition.span());
        let at = at.map_or(String::new(), |at| why.look.paint(Tone::Faint, &format!("  {at}")));
        self.indent += 2;
        let text = shorten(&one_line(&condition.text()), 200);
        self.line(&format!("{}{at}", why.look.paint(Tone::Strong, &text)));
        match decided {
            None if matches!(condition, Condition::Known(_)) => self.line("(known before the run)"),
            None => self.line("(not evaluated)"),
            Some(decided) => {
                for saw in decided.saw.iter().take(SHOWN) {
                    self.line(&reason::saw(&why.state.plan, saw));
                }
                if let Decision::Failed(failure) = &decided.result {
                    self.line(&format!("could not be evaluated: {}", one_line(&failure.message)));
                    self.help(failure.span, failure.help.as_deref());
                }
            }
        }
        self.indent -= 2;
    }

    /// The steps behind the values, where something is to be said of them.
    fn values(&mut self, decided: Option<&Decided>, depth: usize) {
        let (why, state) = (self.why, self.why.state);
        let mut steps: Vec<StepId> = Vec::new();
        for saw in decided.iter().flat_map(|decided| &decided.saw) {
            if !steps.contains(&saw.step) {
                steps.push(saw.step);
            }
        }
        for step in steps.into_iter().take(SHOWN) {
            match state.step(step).status {
                Status::Failed | Status::Skipped | Status::Cancelled => {
                    self.within(|story| story.cause(step, depth + 1));
                }
                _ => {
                    let (path, run) = (why.path(step), &state.created.run);
                    let word = shell_word(&path);
                    self.within(|story| story.line(&format!("what `{path}` gave: flow logs {run} {word}")));
                }
            }
        }
    }
}
