//! What is going on now, folded from events, and how it looks in the last lines of a terminal.

use std::collections::{BTreeSet, HashMap};

use super::rest;
use crate::event::{Event, Record, WaitFor};
use crate::plan::{Plan, StepId, Task};
use crate::state::{RunState, Status};
use crate::view::counts::Counts;
use crate::view::look::{columns, one_line};
use crate::view::{Look, Tone, flowed, time, waits};

/// Most lines of steps.
const LINES: usize = 8;

/// See the file's page.
#[derive(Default)]
pub(super) struct Board {
    counts: Counts,
    /// Steps that are running, retrying or waiting, the oldest first.
    active: BTreeSet<(u64, StepId)>,
    /// How long steps took in earlier runs, by path.
    pub durations: HashMap<String, u64>,
    /// How many steps run at the same time where the run says nothing.
    pub parallel: usize,
    /// By step, in milliseconds; nothing known: `rest::UNKNOWN`.
    expected: Vec<u64>,
}

impl Board {
    pub fn total(&self) -> usize {
        self.counts.total
    }

    pub fn take_up(&mut self, state: &RunState) {
        self.counts = Counts::of(state);
        let open = |id: &StepId| matches!(state.step(*id).status, Status::Retrying | Status::Waiting);
        self.active.extend(state.plan.ids().filter(open).map(|id| (state.step(id).started_at, id)));
        self.learn(&state.plan);
    }

    /// Steps are as if they had never begun, or are others.
    fn look_anew(&mut self, state: &RunState) {
        self.active.clear();
        self.take_up(state);
        let runs = |id: &StepId| state.step(*id).status == Status::Running && !state.plan.step(*id).task.is_group();
        self.active.extend(state.plan.ids().filter(runs).map(|id| (state.step(id).started_at, id)));
    }

    /// What is expected of steps that are new.
    fn learn(&mut self, plan: &Plan) {
        for id in (self.expected.len()..plan.steps.len()).map(|n| StepId(n as u32)) {
            let declared = plan.step(id).policy().estimate_ms;
            let known = || (!self.durations.is_empty()).then(|| self.durations.get(&plan.path(id)).copied()).flatten();
            self.expected.push(known().or(declared).unwrap_or(rest::UNKNOWN));
        }
    }

    pub fn record(&mut self, state: &RunState, record: &Record) {
        let step = match &*record.event {
            Event::Started { step, .. }
            | Event::Retrying { step, .. }
            | Event::Waiting { step, .. }
            | Event::Answered { step, .. }
            | Event::Finished { step, .. }
            | Event::Skipped { step, .. }
            | Event::Interrupted { step, .. }
            | Event::Cancelled { step } => Some(*step),
            _ => None,
        };
        match &*record.event {
            Event::Replanned(_) => {
                self.expected.clear();
                self.look_anew(state);
            }
            Event::Reset { .. } => self.look_anew(state),
            _ => {}
        }
        if let Event::Planned { growth, .. } = &*record.event {
            self.counts.total +=
                growth.steps.iter().filter(|step| !step.task.is_group() && step.undoes.is_none()).count();
            self.learn(&state.plan);
        }
        let Some(id) = step.filter(|id| !state.plan.step(*id).task.is_group()) else { return };
        let now = state.step(id);
        match now.status {
            Status::Running | Status::Retrying | Status::Waiting => drop(self.active.insert((now.started_at, id))),
            _ => drop(self.active.remove(&(now.started_at, id))),
        }
        self.counts.add(now.status);
    }

    /// The lines: what runs, and a summary. None is wider than `look.width`.
    pub fn lines(&self, state: &RunState, now: u64, began: u64, look: Look, rows: usize) -> Vec<String> {
        let room = LINES.min(rows.saturating_sub(2));
        let mut lines: Vec<String> = Vec::new();
        // What runs is worth more room than what only waits.
        let is_running = |id: &StepId| state.step(*id).status == Status::Running;
        let ids = || self.active.iter().map(|(_, id)| *id);
        let first: Vec<StepId> =
            ids().filter(is_running).chain(ids().filter(|id| !is_running(id))).take(room).collect();
        let more = |shown: usize| self.active.len() > shown;
        let mut shown = 0;
        for (group, steps) in together(state, &first) {
            // A title is only worth its line if there is room for what it is the title of, and for the rest's number.
            let needed = if group.is_some() { 2 } else { 1 };
            if lines.len() + needed > room {
                break;
            }
            if let Some(group) = group {
                lines.push(title(state, group, now, look));
            }
            for id in steps {
                let last = lines.len() + 1 == room;
                if lines.len() == room || last && more(shown + 1) {
                    break;
                }
                shown += 1;
                lines.push(step(state, id, now, look, group.is_some()));
            }
        }
        if more(shown) && room > 0 {
            lines.truncate(room - 1);
            let more = format!("  {} {} more", look.ellipsis(), self.active.len() - shown);
            lines.push(look.paint(Tone::Faint, &look.cut(&more, look.width)));
        }
        lines.push(self.summary(state, now, began, look));
        lines
    }

    /// `━━━━───── 5/12  1 failed  2 skipped  12s  about 30s left`, as much of it as there is room for.
    fn summary(&self, state: &RunState, now: u64, began: u64, look: Look) -> String {
        let counts = &self.counts;
        let done = match counts.total {
            0 => "starting".to_owned(),
            total => format!("{}/{total}", counts.ended()),
        };
        let mut parts = vec![(Tone::Strong, done)];
        if counts.failed > 0 {
            parts.push((Tone::Bad, format!("{} failed", counts.failed)));
        }
        parts.push((Tone::Faint, time::elapsed(now.saturating_sub(began))));
        let said = state.created.max_parallel.or(state.plan.header.settings.max_parallel);
        let parallel = said.map_or(self.parallel, |n| n as usize);
        if let Some(rest) = rest::rest(state, &self.expected, parallel, now) {
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

/// Steps with the group that they are shown below: a stream, or a group of which several go on.
fn together(state: &RunState, ids: &[StepId]) -> Vec<(Option<StepId>, Vec<StepId>)> {
    let of = |id: StepId| {
        let named = |group: &StepId| !state.plan.step(*group).anonymous || flowed::stream_of(state, id) == Some(*group);
        state.plan.step(id).parent.filter(named)
    };
    let mut groups: Vec<(Option<StepId>, Vec<StepId>)> = Vec::new();
    for id in ids {
        let group = of(*id).filter(|group| {
            let several = ids.iter().filter(|other| of(**other) == Some(*group)).nth(1).is_some();
            several || flowed::stream_of(state, *id).is_some()
        });
        match groups.iter_mut().find(|(known, _)| group.is_some() && *known == group) {
            Some((_, steps)) => steps.push(*id),
            None => groups.push((group, vec![*id])),
        }
    }
    groups
}

/// `▸ lint  each, 3/12  12s`: a group above the steps of it that go on.
fn title(state: &RunState, id: StepId, now: u64, look: Look) -> String {
    let (step, plan) = (state.step(id), state.plan.step(id));
    let members = state.plan.members(id);
    let over = members.iter().filter(|child| state.step(**child).status.is_final()).count();
    let done = match &*plan.task {
        Task::Stream(_) => String::new(),
        _ => format!(", {over}/{}", members.len()),
    };
    let rest = format!("{}{done}  {}", plan.word(), time::elapsed(now.saturating_sub(step.started_at)));
    let room = look.width.saturating_sub(columns(&rest) + 4);
    let name = look.cut(&one_line(&state.plan.path(id)), room.max(4));
    let line = look.cut(&format!("{} {name}  {rest}", look.bare_sign(step.status)), look.width);
    super::news::painted(&line, look)
}

/// `▸ path  12s`, the path cut so that the time can be seen. `within`: below its group, by its name alone.
fn step(state: &RunState, id: StepId, now: u64, look: Look, within: bool) -> String {
    let step = state.step(id);
    let left = || match step.until.saturating_sub(now) {
        0 => None,
        ms => Some(time::elapsed(ms + 999)),
    };
    let time = match step.status {
        Status::Retrying => match left() {
            Some(left) => format!("attempt {} in {left}", step.attempt + 1),
            None => format!("attempt {} is next", step.attempt + 1),
        },
        Status::Waiting => match (step.waits_for.as_deref(), left()) {
            (None | Some(WaitFor::Time), None) => "over".to_owned(),
            (None | Some(WaitFor::Time), Some(left)) => format!("{left} left"),
            (Some(what), None) => format!("waits {}", waits::in_short(what)),
            (Some(what), Some(left)) => format!("waits {}, {left} left", waits::in_short(what)),
        },
        _ if step.attempt > 1 => {
            format!("{}, attempt {}", time::elapsed(now.saturating_sub(step.started_at)), step.attempt)
        }
        _ => time::elapsed(now.saturating_sub(step.started_at)),
    };
    let indent = if within { "  " } else { "" };
    let plan = state.plan.step(id);
    let path = match &plan.key {
        _ if !within => state.plan.path(id),
        Some(key) => format!("[{key}]"),
        None => plan.name.to_string(),
    };
    let path = one_line(&path);
    let room = look.width.saturating_sub(columns(&time) + 4 + indent.len());
    let name = look.cut(&path, room.max(4));
    let mut line = format!("{} {name}  {time}", look.bare_sign(step.status));
    // Figures as far as there is room for them.
    for piece in if step.status == Status::Running { flowed::live(state, id) } else { Vec::new() } {
        if columns(&line) + columns(&piece) + 2 + indent.len() <= look.width {
            line = format!("{line}  {piece}");
        }
    }
    let line = look.cut(&line, look.width.saturating_sub(indent.len()).max(1));
    format!("{}{}", look.cut(indent, look.width.saturating_sub(1)), super::news::painted(&line, look))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diag::Span;
    use crate::event::{Failure, FailureKind, Flowed, Meter, Outcome};
    use crate::plan::{Growth, Json, Step, Stream, Task, Value};

    /// A board after these events, with twelve steps.
    fn board(events: Vec<Event>) -> (RunState, Board) {
        let step = |n: u32| {
            Step::new(format!("step-with-a-long-name-{n}"), Task::Const(Value::Plain(Json::Null)), Span::at(n, 1))
        };
        let growth = Growth { steps: (1..=12).map(step).collect(), complete: true, ..Growth::default() };
        let mut all = vec![Event::Planned { of: None, growth: Box::new(growth) }];
        all.extend(events);
        let (mut state, mut board) = (RunState::default(), Board::default());
        for (n, event) in all.into_iter().enumerate() {
            let record = Record { seq: n as u64, at: 1_000, event: Arc::new(event) };
            state.apply(record.at, &record.event);
            board.record(&state, &record);
        }
        (state, board)
    }

    fn started(n: u32) -> Event {
        Event::Started { step: StepId(n), attempt: 1 }
    }

    #[test]
    fn what_runs_comes_first_and_the_rest_is_a_number() {
        let mut events: Vec<_> = (0..11).map(started).collect();
        let error = Failure::new(FailureKind::Exit, "no");
        let failed = Arc::new(Outcome { error: Some(error), ..Outcome::default() });
        events.push(Event::Retrying { step: StepId(0), attempt: 1, outcome: failed.clone(), delay_ms: 5_000 });
        events.push(Event::Finished { step: StepId(1), attempt: 1, outcome: failed });
        let (state, board) = board(events);
        let look = Look { width: 60, ..Look::PLAIN };
        let lines = board.lines(&state, 4_000, 1_000, look, 24);
        assert_eq!(lines.len(), LINES + 1);
        assert_eq!(lines[0], "▸ step-with-a-long-name-3  3s");
        assert_eq!(lines[7], "  … 3 more");
        assert_eq!(lines[8], format!("━━{}  1/12  1 failed  3s", "─".repeat(22)));
        assert_eq!(board.lines(&state, 4_000, 1_000, look, 5).len(), 4, "in a low window");
    }

    /// A fan-out of three, and a stream of two with its figures.
    #[test]
    fn groups_stand_above_their_steps() {
        let leaf = |name: &str| Step::new(name, Task::Const(Value::Plain(Json::Null)), Span::default());
        let mut steps: Vec<Step> = ["one", "two", "three", "a", "b"].map(leaf).into();
        let ids = |range: std::ops::Range<u32>| range.map(StepId).collect::<Vec<_>>();
        steps.push(Step::new("all", Task::Parallel(ids(0..3)), Span::default()));
        let stream = Stream::of(vec![vec![StepId(3)], vec![StepId(4)]]);
        steps.push(Step::new("copy", Task::Stream(Box::new(stream)), Span::default()));
        for (n, step) in steps.iter_mut().enumerate().take(5) {
            step.parent = Some(StepId(if n < 3 { 5 } else { 6 }));
        }
        let growth = Growth { steps, complete: true, ..Growth::default() };
        let meter = |name: &str| Meter { name: name.into(), bytes: 3 << 20, per_second: 2e6, ..Meter::default() };
        let meters = vec![meter("a"), meter("b")];
        let flowed = Flowed { step: StepId(6), attempt: 1, reached: None, meters };
        let mut events = vec![Event::Planned { of: None, growth: Box::new(growth) }, started(5), started(6)];
        events.extend([0, 1, 3, 4].map(started));
        events.push(Event::Flowed(Box::new(flowed)));
        let (mut state, mut board) = (RunState::default(), Board::default());
        for (n, event) in events.into_iter().enumerate() {
            let record = Record { seq: n as u64, at: 1_000, event: Arc::new(event) };
            state.apply(record.at, &record.event);
            board.record(&state, &record);
        }
        let look = Look { width: 60, ..Look::PLAIN };
        let lines = board.lines(&state, 4_000, 1_000, look, 24);
        let expected = [
            "▸ all  parallel, 0/3  3s",
            "  ▸ one  3s",
            "  ▸ two  3s",
            "▸ copy  stream  3s",
            "  ▸ a  3s  3.0MiB  1.9MiB/s",
            "  ▸ b  3s  3.0MiB  1.9MiB/s",
        ];
        assert_eq!(lines[..6], expected);
        assert_eq!(lines.len(), 7);
        let low = board.lines(&state, 4_000, 1_000, look, 6);
        assert_eq!(low[..4], ["▸ all  parallel, 0/3  3s", "  ▸ one  3s", "  ▸ two  3s", "  … 2 more"]);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let (state, board) = board((0..9).map(started).collect());
        for width in [1, 5, 10, 20, 40, 79, 200] {
            let look = Look { width, ..Look::PLAIN };
            for line in board.lines(&state, 100_000, 1_000, look, 24) {
                assert!(columns(&line) <= width, "{width}: {line}");
            }
        }
    }
}
