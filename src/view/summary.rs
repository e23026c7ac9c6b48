//! The end of a run: what came of it, what failed and why, and how to go on.

use std::fmt::Write;

use super::counts::Counts;
use super::look::{columns, one_line};
use super::time::Clock;
use super::{Look, Tone, agents, flowed, is_secret, place, reason, time, waits};
use crate::event::{Log, RunStatus};
use crate::plan::StepId;
use crate::state::{Files, RunState, Status};

/// Lines of a failed step's output that are shown.
const TAIL_LINES: usize = 20;
/// Bytes of it that are read for them.
const TAIL_BYTES: usize = 16 * 1024;
/// Failed steps that are shown in full, and steps that wait.
const SHOWN: usize = 10;

/// Where a person finds the log files of a run.
pub type LogPaths<'a> = &'a dyn Fn(&Log) -> String;

/// What the summary is made from.
pub struct Summary<'a> {
    /// The run.
    pub state: &'a RunState,
    /// Its status, with what is known beyond its log (`interrupted`).
    pub status: RunStatus,
    /// Reads the ends of its logs.
    pub files: &'a dyn Files,
    /// Says where they are.
    pub paths: LogPaths<'a>,
    /// Is its log kept? Otherwise nothing can be asked of it later.
    pub kept: bool,
    /// Local time.
    pub clock: &'a Clock,
    /// Where the text goes.
    pub look: Look,
}

impl Summary<'_> {
    /// The text.
    pub fn text(&self) -> String {
        let mut text = self.headline();
        self.flowed(&mut text);
        let (mut unhandled, mut handled) = (Vec::new(), Vec::new());
        for id in self.state.plan.ids().filter(|id| self.state.step(*id).status == Status::Failed) {
            match reason::handled(self.state, id) {
                _ if reason::is_child_failure(self.state, id) => {}
                None => unhandled.push(id),
                Some(how) => handled.push((id, how)),
            }
        }
        for id in unhandled.iter().take(SHOWN) {
            text.push('\n');
            self.failure(&mut text, *id);
        }
        if unhandled.len() > SHOWN {
            let _ = writeln!(text, "\nand {} more failed steps", unhandled.len() - SHOWN);
        }
        for (id, how) in handled.iter().take(SHOWN) {
            let why = reason::failed(self.state.step(*id).outcome.as_deref());
            let path = self.state.plan.path(*id);
            let line = format!("{path} failed ({why}), but that is dealt with: {how}");
            let _ = writeln!(text, "{} {line}", self.look.paint(Tone::Warn, "!"));
        }
        if handled.len() > SHOWN {
            let more = handled.len() - SHOWN;
            let _ = writeln!(text, "{} and {more} more that are dealt with", self.look.paint(Tone::Warn, "!"));
        }
        if !self.status.is_final() {
            let waits = self.state.waits();
            for waits in waits.iter().take(SHOWN) {
                let _ = writeln!(text, "  {} waits {}", one_line(&waits.path), waits::waits_for(waits, self.clock));
            }
            if waits.len() > SHOWN {
                let _ = writeln!(text, "  and {} more", waits.len() - SHOWN);
            }
        }
        let cause = unhandled.iter().find(|id| self.state.fails_run(**id)).or(unhandled.first());
        self.way_on(&mut text, cause.copied());
        text
    }

    /// What went wrong in these steps, each with the end of its output. `told`: which they are, and why, is known.
    pub fn failures(&self, steps: impl IntoIterator<Item = StepId>, told: bool) -> String {
        let mut text = String::new();
        for id in steps.into_iter().take(SHOWN) {
            let mut failure = String::new();
            self.failure(&mut failure, id);
            let lines = failure.split_inclusive('\n').skip(if told { 2 } else { 0 });
            lines.for_each(|line| text.push_str(line));
        }
        text
    }

    /// What came of its steps, in a line.
    pub fn counts(&self) -> String {
        let status = match self.status {
            RunStatus::Success => Status::Success,
            RunStatus::Failed => Status::Failed,
            RunStatus::Cancelled => Status::Cancelled,
            _ => Status::Waiting,
        };
        let run = self.look.paint(Tone::Faint, &format!("  (run {})", self.state.created.run));
        format!("{} {}{run}", self.look.sign(status), Counts::of(self.state).text())
    }

    fn headline(&self) -> String {
        let (state, look) = (self.state, self.look);
        let (status, said) = match self.status {
            RunStatus::Success => (Status::Success, "succeeded"),
            RunStatus::Failed => (Status::Failed, "failed"),
            RunStatus::Cancelled => (Status::Cancelled, "was cancelled"),
            RunStatus::Paused if state.stopping.is_some() => (Status::Waiting, "was stopped"),
            RunStatus::Paused if state.rolling_back.is_some() => (Status::Failed, "could not be rolled back"),
            RunStatus::Paused if state.rolled_back.is_some() => (Status::Success, "was rolled back"),
            RunStatus::Paused => (Status::Waiting, "is paused"),
            RunStatus::Interrupted => (Status::Waiting, "was interrupted"),
            RunStatus::Pending => (Status::Pending, "has not begun"),
            RunStatus::Running => (Status::Running, "is running"),
        };
        let took = time::duration(state.latest_at.saturating_sub(state.started_at));
        let name = look.paint(Tone::Strong, &state.created.workflow);
        let run = match (self.status, &state.created.run) {
            (RunStatus::Success, run) if !run.is_empty() => look.paint(Tone::Faint, &format!("  (run {run})")),
            _ => String::new(),
        };
        let used = agents::in_all(state);
        let used = if used.is_empty() { String::new() } else { format!("; agents: {}", used.join(", ")) };
        format!("{} {name} {said} after {took}: {}{used}{run}\n", look.sign(status), Counts::of(state).text())
    }

    /// What became of the items of pipelines, and the alerts that were raised.
    fn flowed(&self, text: &mut String) {
        let (state, look) = (self.state, self.look);
        let known = |id: &StepId| flowed::of(state, *id).is_some() && state.is_listed(*id);
        let ids: Vec<StepId> = state.plan.ids().filter(known).collect();
        for id in ids.iter().take(SHOWN) {
            let path = one_line(&state.plan.path(*id));
            if let Some(counts) = flowed::counts_of(state, *id) {
                let run = &state.created.run;
                let dead = match counts.dead > 0 && self.kept && !run.is_empty() {
                    true => look.paint(Tone::Faint, &format!("  flow pipeline dead {run} {}", shell_word(&path))),
                    false => String::new(),
                };
                let _ = writeln!(text, "  {path}: {}{dead}", flowed::counts(&counts));
            }
            for (alerted, at) in flowed::of(state, *id).into_iter().flat_map(|flowed| &flowed.alerts) {
                let at = self.clock.time(*at);
                let said = flowed::raised(state, alerted);
                let _ = writeln!(text, "{} {path}: {said}, at {at}", look.paint(Tone::Warn, "!"));
            }
        }
    }

    fn failure(&self, text: &mut String, id: StepId) {
        let (state, look) = (self.state, self.look);
        let step = state.step(id);
        let plan = state.plan.step(id);
        let outcome = step.outcome.as_deref();
        let error = outcome.and_then(|outcome| outcome.error.as_ref());
        let span = error.and_then(|error| error.span).unwrap_or(plan.span);
        let at = place(&state.plan, span).map_or(String::new(), |at| look.paint(Tone::Faint, &format!("  {at}")));
        let _ = writeln!(text, "{} {}{at}", look.sign(Status::Failed), look.paint(Tone::Bad, &state.plan.path(id)));
        let attempts = match &plan.policy().retry {
            Some(retry) if retry.max_attempts > 1 => {
                // In the latest round, where a group around it was tried again.
                format!(" (attempt {} of {})", step.failures + 1, retry.max_attempts)
            }
            _ => String::new(),
        };
        let _ = writeln!(text, "  {}{attempts}", reason::failed(outcome));
        if let Some(why) = reason::not_again(state, id) {
            let _ = writeln!(text, "  {why}");
        }
        if let Some(help) = outcome.and_then(|outcome| reason::help(&state.plan, id, outcome)) {
            let _ = writeln!(text, "  help: {}", one_line(help));
        }
        let logs = outcome.into_iter().flat_map(|o| [o.stdout.as_ref(), o.stderr.as_ref()]).flatten();
        let logs: Vec<&Log> = logs.filter(|log| log.bytes > 0).collect();
        if is_secret(&state.plan, id) && !logs.is_empty() {
            let _ = writeln!(text, "  its output is secret and not shown");
        }
        let is_agent = outcome.is_some_and(|outcome| outcome.agent.is_some());
        if is_agent && self.kept && !state.created.run.is_empty() && !is_secret(&state.plan, id) {
            let path = shell_word(&state.plan.path(id));
            let _ = writeln!(text, "  what it did: flow logs {} {path}", state.created.run);
        }
        for (n, log) in logs.iter().enumerate() {
            // What an agent's program prints is for programs.
            let for_programs = is_agent && log.file.ends_with(".out");
            if !is_secret(&state.plan, id) && !for_programs {
                // Errors come last and in full; what was printed before them may be what they are about.
                self.tail(text, log, if n + 1 < logs.len() { TAIL_LINES / 2 } else { TAIL_LINES });
            }
            let _ = writeln!(text, "  log: {}", (self.paths)(log));
        }
    }

    fn tail(&self, text: &mut String, log: &Log, most: usize) {
        let bytes = match self.files.tail(log, TAIL_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => {
                let _ = writeln!(text, "  its output cannot be read: {error}");
                return;
            }
        };
        let cut = (bytes.len() as u64) < log.bytes;
        let content = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = content.lines().collect();
        let from = lines.len().saturating_sub(most);
        let bar = self.look.paint(Tone::Faint, if self.look.unicode { "│" } else { "|" });
        if from > 0 || cut {
            let above = if cut { "the end of the output".to_owned() } else { format!("{from} lines above") };
            let _ = writeln!(text, "  {bar} {} {above}", self.look.ellipsis());
        }
        let room = if self.look.width > 8 { self.look.width - 4 } else { 400 };
        for line in &lines[from..] {
            // The last part of a line drawn over and over (progress bars) is what a terminal would show.
            let shown = line.trim_end().rsplit('\r').next().unwrap_or_default();
            let line = self.look.cut(&one_line(shown), room);
            let _ = writeln!(text, "  {bar}{}{line}", if columns(&line) > 0 { " " } else { "" });
        }
    }

    fn way_on(&self, text: &mut String, failed: Option<StepId>) {
        let run = &self.state.created.run;
        if run.is_empty() || self.status == RunStatus::Success {
            return;
        }
        if !self.kept {
            if self.status == RunStatus::Paused {
                let _ = writeln!(text, "\nits log was not kept (`--durability none`), so it cannot be resumed");
            }
            return;
        }
        text.push('\n');
        if let Some(id) = failed {
            let _ = writeln!(text, "why:    flow why {run} {}", shell_word(&self.state.plan.path(id)));
        }
        match self.status {
            RunStatus::Paused if self.state.stopping.is_none() => self.answers(text),
            RunStatus::Paused | RunStatus::Interrupted => {
                let _ = writeln!(text, "go on:  flow resume {run}");
            }
            _ => {
                let _ = writeln!(text, "more:   flow show {run}");
            }
        }
    }
}

impl Summary<'_> {
    /// How to go on with a run that waits for something from outside.
    fn answers(&self, text: &mut String) {
        let (run, waits) = (&self.state.created.run, self.state.waits());
        for waits in waits.iter().take(SHOWN) {
            if let Some(command) = waits::titled_command(run, waits) {
                let _ = writeln!(text, "{command}");
            }
        }
        if waits.is_empty() || waits.iter().any(|waits| !waits.what.by_letter()) {
            let _ = writeln!(text, "go on:  flow resume {run}");
        }
    }
}

/// A word as it must be written in a shell.
pub(super) fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
