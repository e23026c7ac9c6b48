//! `flow why`: why a step ran, was skipped, waits, failed or was cancelled, in sentences a person can act on.
//!
//! Each cause is followed to its own cause, down to the condition, the failure or the running step that began it.

mod cause;
mod waits;

use std::fmt::Write;

use super::counts::Counts;
use super::look::{one_line, tone};
use super::place::script_line;
use super::summary::shell_word;
use super::time::{self, Clock};
use super::{LogPaths, Look, Tone, is_secret, place, reason};
use crate::diag::{Sources, Span};
use crate::event::{Decision, Event, Log, Outcome, Record, RunStatus};
use crate::plan::wording::list;
use crate::plan::{Condition, EdgeKind, Rule, StepId};
use crate::state::result::shorten;
use crate::state::{RunState, Status};

/// Longest line of the script that is shown.
const LINE: usize = 100;
/// Entries of a list that are shown.
const SHOWN: usize = 20;
/// Names in a sentence.
const NAMES: usize = 8;

/// What the explanation is made from.
pub struct Why<'a> {
    /// The run.
    pub state: &'a RunState,
    /// Its status, with what is known beyond its log (`interrupted`).
    pub status: RunStatus,
    /// Its events.
    pub records: &'a [Record],
    /// The texts of its script.
    pub sources: &'a Sources,
    /// Says where its logs are.
    pub paths: LogPaths<'a>,
    /// Local time.
    pub clock: &'a Clock,
    /// Where the text goes.
    pub look: Look,
}

/// Text that grows line by line, indented.
struct Story<'a> {
    why: &'a Why<'a>,
    text: String,
    indent: usize,
    /// Steps whose cause has been told.
    told: Vec<StepId>,
}

impl Why<'_> {
    /// Why one step stands where it stands.
    pub fn step(&self, id: StepId) -> String {
        let mut story = self.story();
        let status = self.state.step(id).status;
        let word = self.look.paint(tone(status), status.name());
        story.line(&format!("{} {word}", self.look.paint(Tone::Strong, &self.path(id))));
        story.script(self.state.plan.step(id).span);
        if let Some(text) = &self.state.plan.step(id).policy().desc {
            story.within(|story| story.line(text));
        }
        story.gap();
        match status {
            Status::Success | Status::Failed => {
                story.ran(id);
                story.attempts(id);
                story.afterwards(id);
            }
            Status::Running | Status::Retrying | Status::Waiting => {
                story.ran(id);
                story.attempts(id);
                story.going_on(id);
            }
            Status::Skipped | Status::Cancelled => {
                story.cause(id, 0);
                story.attempts(id);
            }
            Status::Pending | Status::Ready => {
                story.attempts(id);
                story.pending(id);
            }
        }
        story.text
    }

    /// What is going on in the run, what waits and for what, and what went wrong.
    pub fn run(&self) -> String {
        let mut story = self.story();
        let counts = Counts::of(self.state);
        let (name, status) = (&self.state.created.workflow, self.look.run_status(self.status));
        let over = format!("{} of {} steps are over", counts.ended(), counts.total);
        story.line(&format!("{} {status}: {over}", self.look.paint(Tone::Strong, name)));
        story.whether_it_goes_on();
        story.open_steps();
        story.failures();
        story.skips();
        story.text
    }

    fn story(&self) -> Story<'_> {
        Story { why: self, text: String::new(), indent: 0, told: Vec::new() }
    }

    fn path(&self, id: StepId) -> String {
        self.state.plan.path(id)
    }
}

impl Story<'_> {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.text, "{}{line}", "  ".repeat(self.indent));
    }

    fn gap(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn within(&mut self, tell: impl FnOnce(&mut Self)) {
        self.indent += 1;
        tell(self);
        self.indent -= 1;
    }

    /// The place in the script, and what is written there.
    fn script(&mut self, span: Span) {
        let Some(at) = place(&self.why.state.plan, span) else { return };
        let line = script_line(self.why.sources, span).map(|line| shorten(&one_line(line), LINE));
        let at = self.why.look.paint(Tone::Faint, &at);
        self.within(|story| story.line(format!("{at}  {}", line.unwrap_or_default()).trim_end()));
    }

    /// What let it start.
    fn ran(&mut self, id: StepId) {
        let (why, plan) = (self.why, &self.why.state.plan);
        let step = plan.step(id);
        let before = step.after.iter().filter(|edge| edge.kind != EdgeKind::Condition).map(|edge| edge.from);
        let paths = self.with_status(before);
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
    fn with_status(&self, ids: impl IntoIterator<Item = StepId>) -> Vec<String> {
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
            self.line("Its condition was true:");
            self.condition(when, Some(decided));
        }
        self.decided(id);
        let Some(flow) = step.parent else { return };
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

    /// For a flow: what its conditions came to, and which branch it took.
    fn decided(&mut self, flow: StepId) {
        let state = self.why.state;
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
    fn attempts(&mut self, id: StepId) {
        let why = self.why;
        let mut begun = 0;
        for record in why.records {
            match &*record.event {
                Event::Started { step, attempt } if *step == id => {
                    begun = record.at;
                    let state = why.state.step(id);
                    if state.status == Status::Running && state.attempt == *attempt {
                        let ago = time::elapsed(why.clock.now().saturating_sub(record.at));
                        let at = why.clock.time(record.at);
                        self.line(&format!("{} began at {at}, {ago} ago.", self.attempt_name(id, *attempt)));
                    }
                }
                Event::Retrying { step, attempt, outcome, delay_ms } if *step == id => {
                    self.attempt(id, *attempt, begun, record.at, outcome);
                    self.line(&format!("The next attempt followed {} later.", time::duration(*delay_ms)));
                }
                Event::Finished { step, attempt, outcome } if *step == id => {
                    self.attempt(id, *attempt, begun, record.at, outcome);
                }
                Event::Interrupted { step, attempt } if *step == id => {
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
        match &outcome.error {
            None => self.line(&format!("{name}{began} took {took} and succeeded.")),
            Some(error) => {
                let said = one_line(&error.message);
                self.line(&format!("{name}{began} took {took} and failed: {said}."));
                self.help(error.span, reason::help(&self.why.state.plan, id, outcome));
            }
        }
    }

    /// Where it went wrong, if not simply where the step was declared, and what to do.
    fn help(&mut self, span: Option<Span>, help: Option<&str>) {
        if let Some(span) = span {
            self.script(span);
        }
        if let Some(help) = help {
            self.within(|story| story.line(&format!("help: {}", one_line(help))));
        }
    }

    /// What its end meant for the run and for others.
    fn afterwards(&mut self, id: StepId) {
        let why = self.why;
        if why.state.step(id).status == Status::Failed {
            if reason::is_child_failure(why.state, id) {
                self.failed_children(id, 0);
            }
            match reason::handled(why.state, id) {
                Some(how) => self.line(&format!("The run does not fail by it: {how}.")),
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

    fn failed_children(&mut self, id: StepId, depth: usize) {
        let state = self.why.state;
        let failed = |child: &StepId| state.step(*child).status == Status::Failed;
        let children: Vec<_> = state.plan.members(id).into_iter().filter(failed).collect();
        for child in children.iter().take(5) {
            self.within(|story| story.cause(*child, depth + 1));
        }
    }

    /// Steps that did not run because this one failed, at once or further down.
    fn skipped_because_of(&self, id: StepId) -> Vec<StepId> {
        use crate::event::{Because, Skip};
        let state = self.why.state;
        let mut is_hit = vec![false; state.plan.steps.len()];
        is_hit[id.index()] = true;
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
