//! `flow why`: why a step ran, was skipped, waits, failed or was cancelled, in sentences a person can act on.
//!
//! Each cause is followed to its own cause, down to the condition, the failure or the running step that began it.

mod asked;
mod cause;
mod live;
mod ran;
mod run;
mod waits;

use std::fmt::Write;

use super::counts::Counts;
use super::look::{one_line, tone};
use super::place::script_line;
use super::time::Clock;
use super::{LogPaths, Look, Tone, place};
use crate::diag::{Sources, Span};
use crate::event::{Record, RunStatus};
use crate::plan::StepId;
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
        let word = match status {
            Status::Running if self.status == RunStatus::Interrupted => RunStatus::Interrupted.name(),
            status => status.name(),
        };
        let word = self.look.paint(tone(status), word);
        story.line(&format!("{} {word}", self.look.paint(Tone::Strong, &self.path(id))));
        story.script(self.state.plan.step(id).span);
        if let Some(text) = &self.state.plan.step(id).policy().desc {
            story.within(|story| story.line(text));
        }
        story.gap();
        match status {
            Status::Success | Status::Failed => {
                story.ran(id);
                story.parts(id);
                story.attempts(id);
                story.went_through(id);
                story.afterwards(id);
            }
            Status::Running | Status::Retrying | Status::Waiting => {
                story.ran(id);
                story.attempts(id);
                story.went_through(id);
                story.going_on(id);
            }
            Status::Skipped | Status::Cancelled => {
                story.cause(id, 0);
                story.attempts(id);
                story.went_through(id);
            }
            Status::Pending | Status::Ready => {
                story.attempts(id);
                let on_alert = self.state.plan.step(id).on_alert;
                if story.alerted(id) && !on_alert.is_some_and(|on| self.state.was_raised(on)) {
                    return story.text;
                }
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

    /// Where it went wrong, if not simply where the step was declared, and what to do.
    fn help(&mut self, span: Option<Span>, help: Option<&str>) {
        if let Some(span) = span {
            self.script(span);
        }
        if let Some(help) = help {
            self.within(|story| story.line(&format!("help: {}", one_line(help))));
        }
    }
}
