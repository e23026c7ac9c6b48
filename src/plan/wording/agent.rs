//! What an agent gets from whom, and when it begins, in a few words each.

use super::{clean, count, list, name};
use crate::plan::{AgentInput, Context, Plan, StepId, Task};

/// Most names that are listed.
const LISTED: usize = 6;

/// What is said of an agent beyond its task: `told all that led to it: goal, plan`.
pub fn agent(plan: &Plan, id: StepId) -> Vec<String> {
    let Task::Agent(ask) = &*plan.step(id).task else { return Vec::new() };
    let mut words: Vec<String> = reads(plan, id).into_iter().collect();
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
