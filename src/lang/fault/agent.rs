//! What is asked of an agent itself, and not of its answers.

use super::super::functions::catalogue;
use super::super::keys::AGENT;
use crate::diag::{Diagnostic, Span, nearest};
use crate::lang::ItemKind;
use crate::state::Spending;
use crate::state::result::{OF_AGENTS, PROPERTIES};

/// A method that agents do not have. Without a dot before it, it is a function that is given an agent: which of both it was cannot be
/// seen here.
pub(super) fn method(name: &str) -> Diagnostic {
    let names = methods();
    let is = |kind| catalogue().items.iter().any(|item| item.name == name && item.kind == kind);
    let is_function = is(ItemKind::Function);
    let message = match is_function {
        true => format!("an agent has no method `{name}`, and the function `{name}` does not take one here"),
        false => format!("an agent has no method `{name}`"),
    };
    let policy = is(ItemKind::Method);
    let all = || match policy {
        true => format!("a question to it has it: `agent.ask(\"…\").{name}(…)`; an agent has {}", quoted(&names)),
        false => format!("it has {}; a question to it is a step: `agent.ask(\"…\")`", quoted(&names)),
    };
    let near = nearest(name, names.iter().copied()).filter(|_| !is_function && !policy);
    let help = near.map_or_else(all, |near| format!("did you mean `{near}`?"));
    Diagnostic::new("flow::lang::unknown_method", message).help(help)
}

/// A property of an agent, which has none.
pub(super) fn property(name: &str, is_set: bool, span: Span) -> Diagnostic {
    if is_set {
        return Diagnostic::new("flow::lang::read_only", format!("`{name}` of an agent cannot be set"))
            .label(span, "set here")
            .help(
                "it is said where the agent is declared, or for one question: `agent.ask(\"…\", #{ model: \"opus\" })`",
            );
    }
    let of_answers: Vec<&str> =
        PROPERTIES.iter().chain(&OF_AGENTS).chain(&Spending::PROPERTIES).map(|(name, _)| *name).collect();
    let help = if of_answers.contains(&name) {
        format!("its answers have it: `let answer = agent.ask(\"…\");`, then `answer.{name}`")
    } else if AGENT.keys.iter().any(|key| key.name == name) {
        format!("what is said of an agent is not read from it again: keep it in a variable, `let {name} = …`")
    } else if let Some(near) = nearest(name, methods()) {
        format!("did you mean `{near}(…)`?")
    } else if let Some(near) = nearest(name, of_answers) {
        format!("did you mean `{near}`? Its answers have that: `agent.ask(\"…\").{near}`")
    } else {
        format!("it has {}, and its answers have properties: `agent.ask(\"…\").output`", quoted(&methods()))
    };
    Diagnostic::new("flow::lang::unknown_key", format!("an agent has no property `{name}`"))
        .label(span, "read here")
        .help(help)
}

/// The methods of agents.
fn methods() -> Vec<&'static str> {
    let own = |form: &String| form.starts_with("agent.");
    let items = catalogue().items.iter().filter(|item| item.signatures.iter().any(own));
    items.map(|item| item.name.as_str()).collect()
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
