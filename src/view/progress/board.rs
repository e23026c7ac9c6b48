//! What is going on now, folded from events, and how it looks in the last lines of a terminal.

use std::collections::{BTreeSet, HashMap};

use super::rest;
use crate::event::{Event, Record};
use crate::plan::StepId;
use crate::state::{RunState, Status};
use crate::view::counts::Counts;
use crate::view::look::{columns, one_line};
use crate::view::{Look, Tone, time};

/// Most lines of steps.
const LINES: usize = 8;

/// See the file's page.
#[derive(Default)]
pub(super) struct Board {
    state: RunState,
    counts: Counts,
    /// Steps that are running, retrying or waiting, the oldest first.
    active: BTreeSet<(u64, StepId)>,
    durations: HashMap<String, u64>,
    parallel: usize,
    /// By step, in milliseconds; nothing known: `rest::UNKNOWN`.
    expected: Vec<u64>,
}

impl Board {
    pub fn state(&self) -> &RunState {
        &self.state
    }

    pub fn total(&self) -> usize {
        self.counts.total
    }

    pub fn expect(&mut self, durations: HashMap<String, u64>, parallel: usize) {
        self.durations = durations;
        self.parallel = parallel;
        self.expected.clear();
        self.learn();
    }

    pub fn take_up(&mut self, state: RunState) {
        self.counts = Counts::of(&state);
        self.state = state;
        self.learn();
    }

    /// What is expected of steps that are new.
    fn learn(&mut self) {
        let plan = &self.state.plan;
        for id in (self.expected.len()..plan.steps.len()).map(|n| StepId(n as u32)) {
            let declared = plan.step(id).policy().estimate_ms;
            let known = || (!self.durations.is_empty()).then(|| self.durations.get(&plan.path(id)).copied()).flatten();
            self.expected.push(known().or(declared).unwrap_or(rest::UNKNOWN));
        }
    }

    pub fn apply(&mut self, record: &Record) {
        let before = self.state.plan.steps.len();
        let step = match &*record.event {
            Event::Started { step, .. }
            | Event::Retrying { step, .. }
            | Event::Waiting { step, .. }
            | Event::Finished { step, .. }
            | Event::Skipped { step, .. }
            | Event::Interrupted { step, .. }
            | Event::Cancelled { step } => Some(*step),
            _ => None,
        };
        self.state.apply(record.at, &record.event);
        if let Event::Planned { growth, .. } = &*record.event {
            if growth.changed.is_empty() {
                let new = &self.state.plan.steps[before..];
                self.counts.total += new.iter().filter(|step| !step.task.is_group()).count();
            } else {
                self.counts = Counts::of(&self.state);
            }
            self.learn();
        }
        let Some(id) = step.filter(|id| !self.state.plan.step(*id).task.is_group()) else { return };
        let now = self.state.step(id);
        match now.status {
            Status::Running | Status::Retrying | Status::Waiting => drop(self.active.insert((now.started_at, id))),
            _ => drop(self.active.remove(&(now.started_at, id))),
        }
        self.counts.add(now.status);
    }

    /// The lines: what runs, and a summary. None is wider than `look.width`.
    pub fn lines(&self, now: u64, began: u64, look: Look, rows: usize) -> Vec<String> {
        let room = LINES.min(rows.saturating_sub(2));
        let mut lines: Vec<String> = Vec::new();
        let mut shown = 0;
        // What runs is worth more room than what only waits.
        for running in [true, false] {
            let is_running = |id: &StepId| (self.state.step(*id).status == Status::Running) == running;
            for (_, id) in self.active.iter().filter(|(_, id)| is_running(id)) {
                let last_but_more = shown + 1 == room && self.active.len() > room;
                if shown == room || last_but_more {
                    break;
                }
                shown += 1;
                lines.push(self.step(*id, now, look));
            }
        }
        if self.active.len() > shown && room > 0 {
            let more = format!("  {} {} more", look.ellipsis(), self.active.len() - shown);
            lines.push(look.paint(Tone::Faint, &look.cut(&more, look.width)));
        }
        lines.push(self.summary(now, began, look));
        lines
    }

    fn step(&self, id: StepId, now: u64, look: Look) -> String {
        let step = self.state.step(id);
        let left = || time::elapsed(step.until.saturating_sub(now) + 999);
        let time = match step.status {
            Status::Retrying => format!("attempt {} in {}", step.attempt + 1, left()),
            Status::Waiting => format!("{} left", left()),
            _ if step.attempt > 1 => {
                format!("{}, attempt {}", time::elapsed(now.saturating_sub(step.started_at)), step.attempt)
            }
            _ => time::elapsed(now.saturating_sub(step.started_at)),
        };
        let room = look.width.saturating_sub(columns(&time) + 4);
        let name = look.cut(&one_line(&self.state.plan.path(id)), room.max(4));
        let line = look.cut(&format!("{} {name}  {time}", look.bare_sign(step.status)), look.width);
        super::news::painted(&line, look)
    }

    /// `━━━━───── 5/12  1 failed  2 skipped  12s  about 30s left`, as much of it as there is room for.
    fn summary(&self, now: u64, began: u64, look: Look) -> String {
        let counts = &self.counts;
        let mut parts = vec![(Tone::Strong, format!("{}/{}", counts.ended(), counts.total))];
        if counts.failed > 0 {
            parts.push((Tone::Bad, format!("{} failed", counts.failed)));
        }
        parts.push((Tone::Faint, time::elapsed(now.saturating_sub(began))));
        if let Some(rest) = rest::rest(&self.state, &self.expected, self.parallel, now) {
            parts.push((Tone::Faint, format!("about {} left", time::elapsed(rest.max(1_000)))));
        }
        if counts.skipped > 0 {
            parts.push((Tone::Faint, format!("{} skipped", counts.skipped)));
        }
        let mut line = String::new();
        let mut used = 0;
        for (tone, part) in parts {
            let needed = columns(&part) + if used > 0 { 2 } else { 0 };
            if used + needed > look.width && used > 0 {
                continue;
            }
            line.push_str(if used > 0 { "  " } else { "" });
            line.push_str(&look.paint(tone, &look.cut(&part, look.width)));
            used += needed;
        }
        let room = look.width.saturating_sub(used + 2).min(24);
        if room < 10 {
            return line;
        }
        let full = (room * counts.ended()).checked_div(counts.total).unwrap_or(0);
        let (done, open) = if look.unicode { ("━", "─") } else { ("=", "-") };
        let tone = if counts.failed > 0 { Tone::Bad } else { Tone::Good };
        format!(
            "{}{}  {line}",
            look.paint(tone, &done.repeat(full)),
            look.paint(Tone::Faint, &open.repeat(room - full))
        )
    }
}
