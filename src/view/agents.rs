//! What agents have used and do, in words.

use serde_json::json;

use super::look::one_line;
use crate::event::{AgentReport, Usage, Verdict};
use crate::plan::wording::{count, plural};
use crate::plan::{Json, StepId, Task, unit};
use crate::state::RunState;

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
    if now.memory_kib > 0 {
        pieces.push(unit::show_bytes(now.memory_kib * 1024));
    }
    pieces
}

/// What an attempt that is over has used and was refused, in pieces.
pub(super) fn over(report: &AgentReport) -> Vec<String> {
    let mut pieces = usage(&report.usage);
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
        pieces.push(format!("from {}", one_line(&report.recorded)));
    }
    pieces
}

/// What all agents of a run have used, in pieces; nothing if none was asked.
pub(super) fn in_all(state: &RunState) -> Vec<String> {
    let mut total = Usage::default();
    state.plan.ids().filter_map(|id| state.step(id).consumed.as_ref()).for_each(|consumed| total += &consumed.total());
    usage(&total)
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
        said.push(format!("It used {}{parts}", used.join(", ")));
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

/// The fields of a step for other programs: of one that asks an agent all, of a group with agents in it what they used.
pub(super) fn json(state: &RunState, id: StepId, object: &mut serde_json::Map<String, Json>) {
    let report = state.step(id).outcome.as_ref().and_then(|outcome| outcome.agent.as_deref());
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
