//! `grammar/flow.d.rhai`: everything that flow adds to Rhai, as a definition file for tools that know Rhai.
//!
//! The form is that of Rhai's own definitions (`rhai::Engine::definitions`): `fn name(parameter: Type) -> Type;` with the
//! comments before it, `op` for operators, `get` for properties, `module static;` at the head. Rhai itself would write
//! them from the functions as they are registered; this is written from the reference, so that types of the host stand
//! there by the names that scripts know, and properties of steps are not left out.

use std::fmt::Write;

use super::{Form, Kind, items};

/// The definition file.
pub fn definitions() -> String {
    let mut text = String::from("module static;\n");
    let _ = write!(text, "\n/// The folder of the script.\nconst script_dir: String;\n");
    for item in items() {
        for form in &item.forms {
            text.push('\n');
            for line in comment(item.kind, form).lines() {
                let _ = writeln!(text, "{}", format!("/// {line}").trim_end());
            }
            let _ = match item.kind {
                Kind::Operator => writeln!(text, "op {}(?, ?) -> Step;", item.name),
                Kind::Property => writeln!(text, "fn get {}(step: Step) -> ?;", item.name),
                kind => writeln!(text, "fn {}({}) -> {};", item.name, parameters(kind, form), gives(form)),
            };
        }
    }
    text
}

fn comment(kind: Kind, form: &Form) -> String {
    let mut text = form.doc.meaning.clone();
    for (tag, code) in form.doc.examples.iter().filter(|_| kind != Kind::Property) {
        let tag = tag.split(',').next().unwrap_or_default();
        let _ = write!(text, "\n\n# Example\n\n```{tag}\n{code}```");
    }
    text
}

fn parameters(kind: Kind, form: &Form) -> String {
    let own = match form.signature.starts_with("secret.") {
        true => "secret: Secret",
        false => "step: Step",
    };
    let own = (kind == Kind::Method).then(|| own.to_owned());
    let others =
        form.parameters.iter().map(|parameter| format!("{}: {}", parameter.name, typed(form, &parameter.name)));
    own.into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

/// The type of a parameter, as the signature has it.
fn typed(form: &Form, name: &str) -> &'static str {
    let kind =
        form.signature.split(['(', ',', ')']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix(": "));
    match kind {
        Some("text") => "String",
        Some("array") => "Array",
        Some("map") => "Map",
        Some("closure") => "FnPtr",
        Some("step") => "Step",
        Some("number" | "whole number" | "int") => "int",
        _ => "?",
    }
}

fn gives(form: &Form) -> &'static str {
    match form.gives.as_str() {
        "step" => "Step",
        "secret" => "Secret",
        "text" => "String",
        _ => "?",
    }
}
