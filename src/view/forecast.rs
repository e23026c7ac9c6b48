//! What a plan would come to under several settings, side by side.

use super::table::table;
use super::{Look, Tone};
use crate::plan::forecast::Forecast;
use crate::plan::unit::show_duration;
use crate::plan::wording::{duration, plural};

/// A table, one line a forecast; the first is the plan as it is. `recorded`: what a run has really taken, in milliseconds.
/// `enough`: with so many steps at the same time nothing waits. `known`: tasks whose durations are known, of how many.
pub fn forecast(
    all: &[Forecast],
    recorded: Option<u64>,
    enough: Option<u32>,
    known: (usize, usize),
    look: Look,
) -> String {
    let heading = ["SETTINGS", "AT ONCE", "TIME", "AGAINST NOW", "BUSY"].map(str::to_owned).to_vec();
    let now = all.first().map_or(0, |first| first.schedule.makespan_ms);
    let rows = all.iter().map(|forecast| {
        let makespan = forecast.schedule.makespan_ms;
        vec![
            if forecast.settings.is_empty() { "as it is".to_owned() } else { forecast.settings.clone() },
            forecast.schedule.max_parallel.to_string(),
            duration(makespan),
            percent(now, makespan).unwrap_or_default(),
            format!("{:.0} %", forecast.busy_percent),
        ]
    });
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    let best = all.iter().map(|forecast| forecast.schedule.makespan_ms).min().unwrap_or(0);
    let mut text = table(&rows, look, |row, column| {
        let makespan = all[row].schedule.makespan_ms;
        (column == 2 && makespan == best && makespan < now).then_some(Tone::Good)
    });
    text.push('\n');
    if let Some(recorded) = recorded {
        let off = percent(recorded, now).unwrap_or_else(|| "0 %".to_owned());
        text.push_str(&format!("the run itself took {}; its forecast is {off} off\n", duration(recorded)));
    }
    for forecast in all {
        for (limit, waits) in &forecast.schedule.waits {
            let settings = if forecast.settings.is_empty() { "as it is" } else { &forecast.settings };
            let verb = if waits.steps == 1 { "waits" } else { "wait" };
            let (steps, time) = (plural(waits.steps, "step"), show_duration(waits.ms));
            text.push_str(&format!("{settings}: {steps} {verb} for {limit}, together {time}\n"));
        }
    }
    let critical = all.first().map_or(0, |first| first.critical_ms);
    text.push_str(&format!("the critical path takes {}", duration(critical)));
    text.push_str(&match enough {
        Some(enough) => format!("; more than {enough} at once make nothing faster\n"),
        None => "\n".to_owned(),
    });
    let (known, of) = known;
    if known < of {
        let (rest, tasks) = (of - known, plural(of, "task"));
        text.push_str(&format!("how long {rest} of {tasks} will take is not known: 1s is assumed\n"));
    }
    text
}

/// How much longer or shorter, where that is worth telling.
fn percent(now: u64, then: u64) -> Option<String> {
    let percent = (then as f64 / now.max(1) as f64 - 1.0) * 100.0;
    (percent.abs() >= 0.5).then(|| format!("{percent:+.0} %"))
}
