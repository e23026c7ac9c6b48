//! What agents have used and do, in words.

use serde_json::json;

use super::look::one_line;
use crate::event::{AgentReport, Usage, Verdict};
use crate::plan::wording::{count, plural};
use crate::plan::{Bounds, Json, StepId, Task, unit};
use crate::state::{Amount, RunState};

/// `$0.0312`: money to four digits that count, and not less than cents.
pub fn dollars(usd: f64) -> String {
    match usd.abs() {
        0.0 => "$0".to_owned(),
        small if small < 0.01 => format!("${usd:.5}"),
        small if small < 1.0 => format!("${usd:.4}"),
        _ => format!("${usd:.2}"),
    }
}

/// `12.4k`
fn short(n: u64) -> String {
    match n {
        0..10_000 => count(n as usize),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// What was used, in pieces: money, tokens, turns. What is not known is left out.
pub fn usage(usage: &Usage) -> Vec<String> {
    let mut pieces: Vec<String> = usage.cost_usd.map(dollars).into_iter().collect();
    if usage.tokens.total() > 0 {
        pieces.push(format!("{} tokens", short(usage.tokens.total())));
    }
    if usage.turns > 0 {
        pieces.push(plural(usage.turns as usize, "turn"));
    }
    pieces
}

/// What an agent's step that runs does, in pieces, the most telling first.
pub(super) fn live(state: &RunState, id: StepId) -> Vec<String> {
    let Some(now) = state.step(id).consumed.as_ref().and_then(|consumed| consumed.now.as_ref()) else {
        return Vec::new();
    };
    let mut pieces: Vec<String> = Some(one_line(&now.doing)).filter(|doing| !doing.is_empty()).into_iter().collect();
    pieces.extend(usage(&now.usage));
    if state.created.agents.is_some() && now.usage != Usage::default() {
        pieces.push(AS_RECORDED.to_owned());
    }
    if now.memory_kib > 0 {
        pieces.push(unit::show_bytes(now.memory_kib * 1024));
    }
    pieces
}

/// What is said of the figures of a run that was answered from a recording.
const RECORDED: &str = "as recorded, nothing was spent";

/// The same, where there is little room.
const AS_RECORDED: &str = "as recorded";

/// What an agent's step that is over has used in all its attempts, and what its last one was refused, in pieces. Nothing if it
/// asked none.
pub(super) fn over(state: &RunState, id: StepId) -> Vec<String> {
    let step = state.step(id);
    let Some(report) = step.outcome.as_ref().and_then(|outcome| outcome.agent.as_deref()) else { return Vec::new() };
    // An answer of an earlier run consumed nothing in this one.
    let mut pieces = usage(&step.consumed.as_ref().map_or(report.usage, |consumed| consumed.total()));
    if report.verdict != Verdict::Finished && report.verdict != Verdict::Failed {
        pieces.insert(0, report.verdict.name().replace('_', " "));
    }
    if !report.denials.is_empty() {
        pieces.push(format!("{} refused", plural(report.denials.len(), "tool")));
    }
    if let Some(changes) = &report.changes {
        pieces.push(format!("{} changed", plural(changes.files.len(), "file")));
    }
    if !report.recorded.is_empty() {
        pieces.push(AS_RECORDED.to_owned());
    }
    pieces
}

/// What all agents of a run have used, in pieces; nothing if none was asked.
pub(super) fn in_all(state: &RunState) -> Vec<String> {
    let mut pieces = usage(&state.consumed_within(None));
    if state.created.agents.is_some() && !pieces.is_empty() {
        pieces.push(RECORDED.to_owned());
    }
    pieces
}

/// What was spent of a step's budget, or of the budget that it is: `1.24 USD of 5.00 USD (24 %)`.
pub(super) fn budget(state: &RunState, id: StepId) -> Option<String> {
    let step = state.plan.step(id);
    let tells =
        matches!(*step.task, Task::Budget(_)) || step.policy.as_ref().is_some_and(|policy| policy.budget.is_some());
    let spending = state.spending(id).filter(|_| tells)?;
    let spent = Amount::of(&spending.used);
    let figures = spending
        .bounds?
        .each()
        .map(|(unit, most)| {
            let share = spent.get(unit).saturating_mul(100) / most.max(1);
            format!("{} of {} ({share} %)", unit.spelled(spent.get(unit)), unit.spelled(most))
        })
        .collect::<Vec<_>>();
    Some(figures.join(", "))
}

/// What an agent did, as sentences without a full stop.
pub(super) fn sentences(report: &AgentReport) -> Vec<String> {
    let mut said = Vec::new();
    let model = if report.model.is_empty() { String::new() } else { format!(", model {}", one_line(&report.model)) };
    let version = match report.version.as_str() {
        "" => String::new(),
        version => format!(" {}", one_line(version)),
    };
    let recorded = match report.recorded.as_str() {
        "" => String::new(),
        name => format!(", answered from {}", one_line(name)),
    };
    said.push(format!("It asked agent `{}` ({}{version}{model}){recorded}", report.agent, report.backend));
    said.push(format!("It is judged as {}", report.verdict.name().replace('_', " ")));
    let used = usage(&report.usage);
    if !used.is_empty() {
        let tokens = report.usage.tokens;
        let parts = [(tokens.input, "in"), (tokens.output, "out"), (tokens.cache_read, "from the cache")];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n as usize))).collect();
        let parts = if parts.is_empty() { String::new() } else { format!(" (tokens: {})", parts.join(", ")) };
        let recorded = if report.recorded.is_empty() { String::new() } else { format!(", {RECORDED}") };
        said.push(format!("It used {}{parts}{recorded}", used.join(", ")));
    }
    if !report.tools_used.is_empty() {
        let tools = report.tools_used.iter().map(|(name, times)| match times {
            1 => one_line(name),
            times => format!("{} ({times} times)", one_line(name)),
        });
        said.push(format!("It called {}", tools.collect::<Vec<_>>().join(", ")));
    }
    if !report.denials.is_empty() {
        let denials = report.denials.iter().map(|denial| match denial.what.as_str() {
            "" => one_line(&denial.tool),
            what => format!("{} ({})", one_line(&denial.tool), one_line(what)),
        });
        said.push(format!("It was refused {}", denials.collect::<Vec<_>>().join(", ")));
    }
    if let Some(changes) = &report.changes {
        said.push(match changes.files.len() {
            0 => "It changed no file".to_owned(),
            _ => format!("It changed {}", changes.files.join(", ")),
        });
    }
    if !report.session.is_empty() {
        said.push(format!("Its conversation is {}", one_line(&report.session)));
    }
    said
}

/// What all attempts of a step have used, if that is more than what the last one did.
pub(super) fn together(state: &RunState, id: StepId) -> Option<String> {
    let step = state.step(id);
    let report = step.outcome.as_ref()?.agent.as_deref()?;
    let total = step.consumed.as_ref()?.total();
    let mut pieces = usage(&total);
    if !report.recorded.is_empty() {
        pieces.push(RECORDED.to_owned());
    }
    (total != report.usage).then(|| pieces.join(", "))
}

/// The fields of a step for other programs: of one that asks an agent all, of a group with agents in it what they used.
pub(super) fn json(state: &RunState, id: StepId, object: &mut serde_json::Map<String, Json>) {
    let report = state.step(id).outcome.as_ref().and_then(|outcome| outcome.agent.as_deref());
    if let Some(spending) = state.spending(id).filter(|spending| spending.bounds.is_some()) {
        let spent = Amount::of(&spending.used).to_json();
        let bounds = |bounds: Option<Bounds>| bounds.unwrap_or_default().to_json();
        let (limits, remaining) = (bounds(spending.bounds), bounds(spending.remaining()));
        object.insert("budget".into(), json!({ "limits": limits, "spent": spent, "remaining": remaining }));
    }
    let is_agent = matches!(&*state.plan.step(id).task, Task::Agent(_));
    let usage = if is_agent || state.plan.step(id).task.is_group() { state.consumed(id) } else { Usage::default() };
    if !is_agent && usage == Usage::default() {
        return;
    }
    object.insert("cost_usd".into(), json!(usage.cost_usd));
    object.insert("tokens".into(), usage.tokens.total().into());
    object.insert("turns".into(), usage.turns.into());
    if let Some(report) = report {
        object.insert("verdict".into(), report.verdict.name().into());
        object.insert("session".into(), json!(Some(&report.session).filter(|session| !session.is_empty())));
        object.insert("denials".into(), json!(report.denials));
        if !report.recorded.is_empty() {
            object.insert("recorded".into(), report.recorded.clone().into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Tokens;

    #[test]
    fn money_and_tokens_are_short() {
        assert_eq!([0.0, 0.00051, 0.03125, 1.5].map(dollars), ["$0", "$0.00051", "$0.0312", "$1.50"]);
        assert_eq!([999, 12_400, 2_100_000].map(short), ["999", "12.4k", "2.1M"]);
        let used =
            Usage { cost_usd: Some(0.02), tokens: Tokens { input: 1200, ..Tokens::default() }, turns: 1, time_ms: 0 };
        assert_eq!(usage(&used), ["$0.0200", "1,200 tokens", "1 turn"]);
    }
}
