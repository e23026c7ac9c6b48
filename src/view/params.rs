//! The parameters of a script, for its help.

use std::fmt::Write;

use super::look::{columns, one_line};
use super::{Look, Tone};
use crate::plan::{Json, Param};
use crate::state::result::plain_text;

/// What `flow script FILE --help` says of the parameters of `file`.
pub fn parameters(file: &str, params: &[Param], look: Look) -> String {
    if params.is_empty() {
        return format!("{file} has no parameters.\n");
    }
    let mut text =
        format!("{}\n", look.paint(Tone::Strong, &format!("Parameters of {file}, given as --arg NAME=VALUE:")));
    let names = params.iter().map(|param| columns(&param.name)).max().unwrap_or(0);
    let kinds = params.iter().map(|param| columns(&param.kind)).max().unwrap_or(0);
    for param in params {
        let pad = |word: &str, width: usize| format!("{word}{}", " ".repeat(width - columns(word)));
        let name = look.paint(Tone::Strong, &pad(&param.name, names));
        let mut notes = Vec::new();
        if !param.one_of.is_empty() {
            let choices: Vec<_> = param.one_of.iter().map(value).collect();
            notes.push(format!("one of: {}", choices.join(", ")));
        }
        notes.extend(param.min.iter().map(|min| format!("at least {min}")));
        notes.extend(param.max.iter().map(|max| format!("at most {max}")));
        match &param.default {
            Some(default) => notes.push(format!("default: {}", value(default))),
            None => notes.push("required".to_owned()),
        }
        let help = one_line(&param.help);
        let gap = if help.is_empty() { "" } else { "  " };
        let notes = look.paint(Tone::Faint, &format!("[{}]", notes.join("; ")));
        let _ = writeln!(text, "  {name}  {}  {help}{gap}{notes}", pad(&param.kind, kinds));
    }
    text
}

fn value(value: &Json) -> String {
    match value {
        Json::String(text) if text.is_empty() => "\"\"".to_owned(),
        Json::Null => "()".to_owned(),
        value => one_line(&plain_text(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;

    #[test]
    fn types_choices_and_defaults_are_told() {
        let param = |name: &str, kind: &str, default: Option<Json>, one_of: &[&str], help: &str| Param {
            name: name.into(),
            kind: kind.into(),
            default,
            one_of: one_of.iter().map(|choice| (*choice).into()).collect(),
            min: None,
            max: None,
            help: help.into(),
            value: Json::Null,
            span: Span::default(),
        };
        let params = [
            param("env", "string", Some("staging".into()), &["staging", "production"], "target environment"),
            param("retries", "int", None, &[], ""),
        ];
        assert_eq!(
            parameters("deploy.rhai", &params, Look::PLAIN),
            "Parameters of deploy.rhai, given as --arg NAME=VALUE:\n\
             \x20 env      string  target environment  [one of: staging, production; default: staging]\n\
             \x20 retries  int     [required]\n"
        );
        assert_eq!(parameters("x.rhai", &[], Look::PLAIN), "x.rhai has no parameters.\n");
    }
}
