//! Figures of streams and pipelines: in a line while they run, and as a table of their stages.

use serde_json::json;

use super::look::one_line;
use super::table::table;
use super::time::Clock;
use super::{Look, Tone, agents};
use crate::event::{Alerted, Counts, Meter, Streamed};
use crate::plan::wording::{self, count, plural};
use crate::plan::{Alert, Json, Metric, StepId, Task, unit};
use crate::state::{FlowState, RunState, Status};

/// How many in a second: `41,200/s`, `0.4/s`.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() || r <= 0.0 => "0/s".to_owned(),
        r if r < 10.0 => format!("{r:.1}/s"),
        r => format!("{}/s", count(r.round() as usize)),
    }
}

/// How many bytes in a second: `12.3MiB/s`.
pub(super) fn byte_rate(per_second: f64) -> String {
    format!("{}/s", bytes(per_second.max(0.0) as u64))
}

/// Bytes, to one place: `12.3MiB`.
pub(super) fn bytes(bytes: u64) -> String {
    let mut size = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if size < 1024.0 {
            break;
        }
        (size, unit) = (size / 1024.0, larger);
    }
    if unit == "B" { format!("{bytes}B") } else { format!("{size:.1}{unit}") }
}

/// How long an item takes: `850µs`, `1.2ms`, `3.4s`.
pub(super) fn latency(us: u64) -> String {
    match us {
        0..1_000 => format!("{us}µs"),
        1_000..10_000 => format!("{:.1}ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{}ms", us / 1_000),
        _ => super::time::since(us / 1_000),
    }
}

/// The figures of a step, if it is a stream or a pipeline of which something was told.
pub(super) fn of(state: &RunState, id: StepId) -> Option<&FlowState> {
    state.step(id).flowed.as_deref()
}

/// The meter of a member of a stream.
pub(super) fn of_member(state: &RunState, id: StepId) -> Option<&Meter> {
    let group = state.plan.stream_of(id)?;
    of(state, group)?.meters.iter().find(|meter| meter.name == state.plan.step(id).name)
}

/// Is it a member of a stream?
pub(super) fn stream_of(state: &RunState, id: StepId) -> Option<StepId> {
    state.plan.stream_of(id)
}

/// What became of items, in words: `1,000,000 items, 12 dead letters`.
pub(super) fn counts(counts: &Counts) -> String {
    let mut said = vec![plural(counts.items as usize, "item")];
    said.extend(losses(counts));
    said.join(", ")
}

fn losses(counts: &Counts) -> Vec<String> {
    let mut said = Vec::new();
    if counts.dead > 0 {
        said.push(plural(counts.dead as usize, "dead letter"));
    }
    for (n, word) in [(counts.skipped, "skipped"), (counts.dropped, "dropped")] {
        if n > 0 {
            said.push(format!("{} {word}", count(n as usize)));
        }
    }
    said
}

/// The counts of a pipeline, if it has told any.
pub(super) fn counts_of(state: &RunState, id: StepId) -> Option<Counts> {
    let reached = of(state, id)?.reached.as_deref()?;
    (reached.counts != Counts::default()).then_some(reached.counts)
}

/// What is going on in a step that runs, in pieces, the most telling first.
pub(super) fn live(state: &RunState, id: StepId) -> Vec<String> {
    let agent = agents::live(state, id);
    if !agent.is_empty() {
        return agent;
    }
    if let Some(meter) = of_member(state, id) {
        let mut pieces = vec![bytes(meter.bytes), byte_rate(meter.per_second)];
        if meter.went > 0 {
            pieces.push(plural(meter.went as usize, "line"));
        }
        if meter.dropped > 0 {
            pieces.push(format!("{} dropped", count(meter.dropped as usize)));
        }
        return pieces;
    }
    if !matches!(&*state.plan.step(id).task, Task::Pipeline(_)) {
        return Vec::new();
    }
    let Some(flowed) = of(state, id) else { return Vec::new() };
    let counts = flowed.reached.as_deref().map(|reached| reached.counts).unwrap_or_default();
    // Counts are told more often than the figures that stand below in the table: as long as both count the same, no more than those.
    let items = match flowed.meters.first() {
        Some(source) if state.step(id).attempt == 1 => counts.items.min(source.came.max(source.went)),
        _ => counts.items,
    };
    let mut pieces = vec![plural(items as usize, "item")];
    // Of the source: what comes out may be less, or more, than what came.
    if let Some(first) = flowed.meters.first() {
        pieces.push(rate(first.per_second));
    }
    let stages = flowed.meters.iter().filter(|meter| meter.name != "source");
    if let Some(slowest) = stages.clone().map(|meter| meter.p95_us).max().filter(|us| *us > 0) {
        pieces.push(format!("p95 {}", latency(slowest)));
    }
    if let Some(fullest) = stages.max_by_key(|meter| meter.waiting).filter(|meter| meter.waiting > 0) {
        pieces.push(format!("{} wait for {}", count(fullest.waiting as usize), one_line(&fullest.name)));
    }
    pieces.extend(losses(&counts));
    let failed: u64 = flowed.meters.iter().map(|meter| meter.failed).sum();
    if failed > counts.dead + counts.skipped {
        pieces.push(format!("{} failed", count(failed as usize)));
    }
    pieces
}

/// What went through a member of a stream, at its end.
pub(super) fn streamed(streamed: &Streamed) -> String {
    let mut said = Vec::new();
    if streamed.bytes_in > 0 {
        said.push(format!("{} read", bytes(streamed.bytes_in)));
    }
    said.push(format!("{} written", bytes(streamed.bytes_out)));
    if streamed.lines > 0 {
        said.push(plural(streamed.lines as usize, "line"));
    }
    for (n, word) in [(streamed.dropped, "dropped"), (streamed.skipped, "skipped")] {
        if n > 0 {
            said.push(format!("{} {word}", plural(n as usize, "line")));
        }
    }
    if streamed.cut_short {
        said.push("ended early: nobody read on".to_owned());
    }
    said.join(", ")
}

/// An alert that was raised: `critical alert: error_rate of parse is 0.25 (above 0.1 for 30s)`.
pub(super) fn raised(state: &RunState, alerted: &Alerted) -> String {
    let alerts = &state.plan.step(alerted.step).policy().alerts;
    let Some(alert) = alerts.get(alerted.alert as usize) else { return "an alert".to_owned() };
    let stage = if alerted.stage.is_empty() { String::new() } else { format!(" of {}", one_line(&alerted.stage)) };
    format!(
        "{} alert: {}{stage} is {} ({})",
        alert.severity.name(),
        alert.metric.name(),
        figure(alert.metric, alerted.value),
        bounds(alert)
    )
}

fn figure(metric: Metric, value: f64) -> String {
    match metric {
        Metric::P50 | Metric::P95 | Metric::P99 => format!("{}ms", wording::number(value)),
        _ => wording::number(value),
    }
}

/// `above 0.1 for 30s`
fn bounds(alert: &Alert) -> String {
    let said = wording::alert(alert);
    said.split_once(" is ").map_or(said.clone(), |(_, bounds)| bounds.to_owned())
}

/// The streams and pipelines of a run with what is known of each stage: one table each, for those that are `shown`.
pub(super) fn tables(state: &RunState, shown: &[StepId], clock: &Clock, look: Look) -> String {
    let (mut text, mut more) = (String::new(), 0);
    for id in state.plan.ids().filter(|id| state.is_listed(*id)) {
        let Some(flowed) = of(state, id) else { continue };
        if flowed.meters.is_empty() && flowed.alerts.is_empty() {
            continue;
        }
        if !shown.contains(&id) {
            more += 1;
            continue;
        }
        let stream = matches!(&*state.plan.step(id).task, Task::Stream(_));
        text.push('\n');
        let title = look.paint(Tone::Strong, &one_line(&state.plan.path(id)));
        let said = match stream {
            true => "stream".to_owned(),
            false => format!("pipeline: {}", counts(&flowed.reached.as_deref().map(|r| r.counts).unwrap_or_default())),
        };
        text.push_str(&format!("{title} {}\n", look.paint(Tone::Faint, &format!("{said}{}", when(state, id, clock)))));
        if !flowed.meters.is_empty() {
            let rows = if stream { member_rows(&flowed.meters) } else { stage_rows(&flowed.meters) };
            let table = table(&rows, look, |_, _| None);
            table.lines().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
        for (alerted, at) in &flowed.alerts {
            let line = format!("! {} {}", clock.time(*at), raised(state, alerted));
            text.push_str(&format!("  {}\n", look.paint(Tone::Warn, &line)));
        }
    }
    if more > 0 {
        let said = format!("figures of {}: flow show {} --all", plural(more, "further step"), state.created.run);
        text.push_str(&format!("\n{}\n", look.paint(Tone::Faint, &said)));
    }
    text
}

/// Of what moment the figures are, if the step is not at its end.
fn when(state: &RunState, id: StepId, clock: &Clock) -> String {
    match (state.step(id).status, of(state, id)) {
        (status, Some(flowed)) if status != Status::Success && flowed.at > 0 => {
            format!(", as of {}", clock.time(flowed.at))
        }
        _ => String::new(),
    }
}

fn stage_rows(meters: &[Meter]) -> Vec<Vec<String>> {
    let mut rows = vec![
        ["stage", "in", "out", "rate", "p50", "p95", "p99", "failed", "retried", "dropped", "waiting"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let figure = |n: u64| if n == 0 { "-".to_owned() } else { count(n as usize) };
    for meter in meters {
        let timed = meter.p99_us > 0;
        let time = |us: u64| if timed { latency(us) } else { "-".to_owned() };
        rows.push(vec![
            one_line(&meter.name),
            count(meter.came as usize),
            count(meter.went as usize),
            rate(meter.per_second),
            time(meter.p50_us),
            time(meter.p95_us),
            time(meter.p99_us),
            figure(meter.failed),
            figure(meter.retried),
            figure(meter.dropped),
            figure(meter.waiting),
        ]);
    }
    without_empty_columns(rows, 7)
}

fn member_rows(meters: &[Meter]) -> Vec<Vec<String>> {
    let mut rows =
        vec![["member", "bytes", "rate", "lines in", "lines out", "failed", "dropped"].map(str::to_owned).to_vec()];
    let figure = |n: u64| if n == 0 { "-".to_owned() } else { count(n as usize) };
    for meter in meters {
        rows.push(vec![
            one_line(&meter.name),
            bytes(meter.bytes),
            byte_rate(meter.per_second),
            figure(meter.came),
            figure(meter.went),
            figure(meter.failed),
            figure(meter.dropped),
        ]);
    }
    without_empty_columns(rows, 3)
}

/// Leaves out the columns from `first` on in which nothing stands.
fn without_empty_columns(mut rows: Vec<Vec<String>>, first: usize) -> Vec<Vec<String>> {
    let width = rows.first().map_or(0, Vec::len);
    for column in (first..width).rev() {
        if rows[1..].iter().all(|row| row[column] == "-") {
            rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
    }
    rows
}

/// What is known of a stream or a pipeline, as data; nothing of any other step.
pub(super) fn json(state: &RunState, id: StepId) -> Option<Json> {
    let flowed = of(state, id)?;
    let mut object = json!({ "at": flowed.at, "stages": &flowed.meters });
    if let Some(reached) = &flowed.reached {
        object["counts"] = json!(reached.counts);
    }
    if !flowed.alerts.is_empty() {
        let alert = |(alerted, at): &(Alerted, u64)| {
            let alert = state.plan.step(alerted.step).policy().alerts.get(alerted.alert as usize);
            json!({
                "at": at,
                "metric": alert.map(|alert| alert.metric.name()),
                "severity": alert.map(|alert| alert.severity.name()),
                "stage": alerted.stage,
                "value": alerted.value,
                "said": raised(state, alerted),
            })
        };
        object["alerts"] = flowed.alerts.iter().map(alert).collect();
    }
    Some(object)
}

/// Of a log that holds only the first part of what was written: so many bytes of how many.
pub fn partly_kept(streamed: &Streamed, kept: u64) -> Option<String> {
    if !streamed.not_kept.is_empty() {
        return Some(format!("its log is not whole: {}", one_line(&streamed.not_kept)));
    }
    streamed.partly_kept.then(|| {
        format!(
            "its log holds the first {} of {} that it wrote (`tee` says how much is kept)",
            unit::show_bytes(kept),
            bytes(streamed.bytes_out)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        let all: Vec<_> = [0, 999, 1_024, 12_897_485, 5 << 30].map(bytes).to_vec();
        assert_eq!(all, ["0B", "999B", "1.0KiB", "12.3MiB", "5.0GiB"]);
        let all: Vec<_> = [0.0, 0.44, 9.9, 41_200.4, f64::NAN].map(rate).to_vec();
        assert_eq!(all, ["0/s", "0.4/s", "9.9/s", "41,200/s", "0/s"]);
        let all: Vec<_> = [850, 1_240, 25_000, 3_400_000].map(latency).to_vec();
        assert_eq!(all, ["850µs", "1.2ms", "25ms", "3.4s"]);
    }

    #[test]
    fn what_was_lost_is_told() {
        let some = Counts { items: 1_000_000, delivered: 999_000, dead: 12, skipped: 0, dropped: 1 };
        assert_eq!(counts(&some), "1,000,000 items, 12 dead letters, 1 dropped");
        assert_eq!(counts(&Counts { items: 1, delivered: 1, ..Counts::default() }), "1 item");
    }

    #[test]
    fn columns_in_which_nothing_stands_are_left_out() {
        let meter = Meter { name: "parse".into(), came: 10, went: 9, failed: 1, p99_us: 20, ..Meter::default() };
        let rows = stage_rows(&[Meter { name: "source".into(), ..Meter::default() }, meter]);
        assert_eq!(rows[0], ["stage", "in", "out", "rate", "p50", "p95", "p99", "failed"]);
        assert_eq!(rows[2][7], "1");
    }
}
