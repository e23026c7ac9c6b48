//! Swarms as texts: `"coordinator: chief → specialists: [a, b] → aggregator: chief"`.

use rhai::{Array, Dynamic, Map};

use super::member;
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::lang::combine::arrow_error;
use crate::lang::fault::{Fault, raise};
use crate::plan::arrow::{self, Node, Stage};

/// Roles, with the option of the swarm that each is.
const ROLES: [(&str, &str); 9] = [
    ("coordinator", "coordinator"),
    ("specialists", "agents"),
    ("agents", "agents"),
    ("members", "agents"),
    ("workers", "agents"),
    ("specialist", "agents"),
    ("aggregator", "aggregator"),
    ("hub", "aggregator"),
    ("arbiter", "on_conflict"),
];

/// Is it a text of roles, and not a name?
pub fn is_one(text: &str) -> bool {
    text.contains('→') || text.contains("->") || text.contains(':')
}

/// The options that a text says.
pub fn read(text: &str, span: Span) -> Result<Map, Fault> {
    let stages = arrow::parse_chain(text).map_err(|error| arrow_error(text, error, span))?;
    let mut said = Map::new();
    for stage in &stages {
        let Some(label) = &stage.label else {
            return Err(refused(
                format!("`{stage}` has no role in the swarm"),
                &first_name(stage),
                "say what each is: `coordinator: chief → specialists: [a, b] → aggregator: chief`",
                span,
            ));
        };
        let Some((_, key)) = ROLES.iter().find(|(role, _)| *role == label.text) else {
            let help = did_you_mean(&label.text, ROLES.iter().map(|(role, _)| *role));
            return Err(refused(
                format!("`{}` is no role of a swarm", label.text),
                &label.text,
                &help
                    .unwrap_or_else(|| "the roles are `coordinator`, `specialists`, `aggregator` and `arbiter`".into()),
                span,
            ));
        };
        let names = names(stage, span)?;
        let mut agents = Array::new();
        for name in &names {
            agents.push(Dynamic::from(member::named(name, &format!("`{}` of swarm", label.text), span)?));
        }
        let value = match (*key, agents.len()) {
            ("agents", _) => agents.into(),
            (_, 1) => agents.remove(0),
            _ => {
                return Err(refused(
                    format!("a swarm has one `{}`, but this names {}", label.text, agents.len()),
                    &label.text,
                    "name one agent there; those who share the work are `specialists: [a, b]`",
                    span,
                ));
            }
        };
        if said.insert((*key).into(), value).is_some() {
            return Err(refused(
                format!("`{}` stands twice in the text", label.text),
                &label.text,
                "give each role once",
                span,
            ));
        }
    }
    Ok(said)
}

fn names(stage: &Stage, span: Span) -> Result<Vec<String>, Fault> {
    let single = |stage: &Stage| match &stage.node {
        Node::Name(name) => Some(name.text.to_string()),
        _ => None,
    };
    let found = match &stage.node {
        Node::SideBySide(chains) => {
            chains.iter().map(|chain| if let [one] = &chain[..] { single(one) } else { None }).collect()
        }
        _ => single(stage).map(|name| vec![name]),
    };
    found.ok_or_else(|| {
        refused(
            format!("`{stage}` is more than names of agents"),
            &first_name(stage),
            "a name, or a list of names: `specialists: [a, b]`",
            span,
        )
    })
}

/// A word of a stage, to find it in the script.
fn first_name(stage: &Stage) -> String {
    let text = stage.to_string();
    let word = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).find(|word| !word.is_empty());
    word.unwrap_or_default().to_owned()
}

fn refused(message: String, word: &str, help: &str, span: Span) -> Fault {
    raise(Diagnostic::new("flow::lang::swarm", message).label_word(span, word, "in this text").help(help.to_owned()))
}
