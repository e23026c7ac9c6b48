//! What an agent gets from whom, and when it begins, in a few words each.

use super::{clean, count, list, name, shorten, size, value};
use crate::plan::{AgentInput, Ask, Bounds, Context, Permission, Plan, Step, StepId, Task};

/// Most names that are listed.
const LISTED: usize = 6;

/// Longest model or role that is shown.
const SHOWN: usize = 30;

/// Who is asked: `codex gpt-5 · developer`. Its name stands before that where the step is not called after it, its role where that is
/// not its name.
pub(super) fn who(plan: &Plan, step: &Step) -> String {
    let Task::Agent(ask) = &*step.task else { return String::new() };
    let agent = &*ask.agent;
    let mut driver = agent.backend.to_string();
    if let Some(model) = &agent.model {
        driver.push_str(&format!(" {}", shorten(&value(plan, model), SHOWN)));
    }
    let mut words = Vec::new();
    if !is_called_after(&step.name, &agent.name) {
        words.push(agent.name.to_string());
    }
    words.push(driver);
    words.extend(agent.role.as_deref().filter(|role| *role != agent.name).map(|role| shorten(role, SHOWN)));
    words.retain(|word| !word.is_empty());
    words.join(" · ")
}

/// Is a step called after an agent: `coder`, `coder-2`?
fn is_called_after(step: &str, agent: &str) -> bool {
    let Some(rest) = step.strip_prefix(agent) else { return false };
    rest.is_empty() || rest.strip_prefix('-').is_some_and(|n| !n.is_empty() && n.bytes().all(|c| c.is_ascii_digit()))
}

/// What holds for a question, where it is said: `tools Read, Edit`, `may edit`, `at most 20 turns`.
fn terms(ask: &Ask) -> Vec<String> {
    let agent = &*ask.agent;
    let mut words = Vec::new();
    if let Some(tools) = &agent.tools {
        words.push(match tools.is_empty() {
            true => "no tools".to_owned(),
            false => format!("tools {}", list(tools, LISTED)),
        });
    }
    if !agent.deny_tools.is_empty() {
        words.push(format!("without {}", list(&agent.deny_tools, LISTED)));
    }
    if let Some((named, _)) = Permission::ALL.iter().find(|(_, one)| *one == agent.permission)
        && agent.permission != Permission::Default
    {
        words.push(format!("permission {named}"));
    }
    if let Some(schema) = &ask.schema {
        let fields = schema.get("properties").and_then(|fields| fields.as_object());
        let fields: Vec<&String> = fields.into_iter().flat_map(|fields| fields.keys()).collect();
        words.push(match fields.is_empty() {
            true => "answers JSON by a schema".to_owned(),
            false => format!("answers JSON: {}", list(&fields, LISTED)),
        });
    }
    if let Some(turns) = agent.max_turns {
        words.push(format!("at most {turns} {}", if turns == 1 { "turn" } else { "turns" }));
    }
    if let Some(budget) = &agent.budget {
        words.push(format!("budget {}", Bounds::of(budget).spelled()));
    }
    if let Some(bytes) = agent.max_memory {
        words.push(format!("memory up to {}", size(bytes)));
    }
    words.iter().map(|word| clean(word)).collect()
}

/// What is said of an agent beyond its task: `tools Read, Edit`, `told all that led to it: goal, plan`.
pub fn agent(plan: &Plan, id: StepId) -> Vec<String> {
    let Task::Agent(ask) = &*plan.step(id).task else { return Vec::new() };
    let mut words = terms(ask);
    words.extend(reads(plan, id));
    let earlier = || {
        let names: Vec<String> = ask.earlier.iter().map(|(name, _)| clean(name)).collect();
        match names.len() {
            0 => "nothing but its input".to_owned(),
            n if n > LISTED => format!("{} and {} more", names[..LISTED].join(", "), count(n - LISTED)),
            _ => list(&names, LISTED),
        }
    };
    match ask.context {
        Context::Last => {}
        Context::All => words.push(format!("told all that led to it: {}", earlier())),
        Context::Window(tokens) => {
            let tokens = count(usize::try_from(tokens).unwrap_or(usize::MAX));
            words.push(format!("told of what led to it the latest {tokens} tokens: {}", earlier()));
        }
    }
    if let Some(from) = ask.takes_over {
        words.push(format!("takes over from {}", name(plan, from)));
    }
    if !ask.boards.is_empty() {
        let boards: Vec<String> = ask.boards.iter().map(|board| name(plan, *board)).collect();
        words.push(format!("sees {}", list(&boards, LISTED)));
    }
    words
}

/// Of an agent that reads others in a stream: when it begins, and why only then.
fn reads(plan: &Plan, id: StepId) -> Option<String> {
    let Task::Agent(ask) = &*plan.step(id).task else { return None };
    let Task::Stream(stream) = &*plan.step(plan.stream_of(id)?).task else { return None };
    let writers: Vec<String> = stream.writers(id).iter().map(|writer| name(plan, *writer)).collect();
    if writers.is_empty() {
        return None;
    }
    let names = list(&writers, LISTED);
    let alone = writers.len() == 1;
    let of = |one, several| if alone { one } else { several };
    Some(match ask.agent.reads_live() {
        Ok(AgentInput::Ndjson) => {
            format!("told what {names} {}", of("does while it does it", "do while they do it"))
        }
        Ok(_) => format!("reads what {names} {}", of("writes while it writes it", "write while they write it")),
        Err(why) => format!("begins when {names} {} ended: {why}", of("has", "have")),
    })
}
