//! `grammar/flow.d.rhai`: everything that flow adds to Rhai, as a definition file for tools that know Rhai.
//!
//! The form is that of Rhai's own definitions (`rhai::Engine::definitions`): `fn name(parameter: Type) -> Type;` with the
//! comments before it, `op` for operators, `get` for properties, `module static;` at the head. Rhai itself would write
//! them from the functions as they are registered; this is written from the reference, so that types of the host stand
//! there by the names that scripts know, and properties of steps are not left out.

use std::fmt::Write;

use super::{Doc, Form, Kind, Topic, items, library};

/// The definition file.
pub fn definitions() -> String {
    let mut text = String::from("module static;\n");
    let _ = write!(text, "\n// The folder of the script.\nconst script_dir: String;\n");
    for item in items() {
        for form in &item.forms {
            text.push('\n');
            if item.topic == Topic::Testing {
                text.push_str("// In files `*_test.rhai`.\n");
            }
            for line in comment(&form.doc).lines() {
                let _ = writeln!(text, "{}", format!("/// {line}").trim_end());
            }
            let _ = match item.kind {
                Kind::Operator => writeln!(text, "op {}(?, ?) -> Step;", item.name),
                Kind::Property => writeln!(text, "fn get {}(step: Step) -> ?;", item.name),
                kind => writeln!(text, "fn {}({}) -> {};", item.name, parameters(kind, form), gives(form)),
            };
        }
    }
    for module in library() {
        let _ = write!(text, "\n// import \"{}\" as {};\nmodule {} {{\n", module.name, module.alias(), module.alias());
        for function in &module.functions {
            for (signature, doc) in function.signatures.iter().zip(&function.docs) {
                text.push('\n');
                for line in comment(doc).lines() {
                    let _ = writeln!(text, "{}", format!("/// {line}").trim_end());
                }
                let parameters = signature.split_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
                let typed: Vec<String> =
                    parameters.split(", ").filter(|name| !name.is_empty()).map(|name| format!("{name}: ?")).collect();
                let _ = writeln!(text, "fn {}({}) -> ?;", function.name, typed.join(", "));
            }
        }
        text.push_str("}\n");
    }
    text
}

fn comment(doc: &Doc) -> String {
    let mut text = doc.meaning.clone();
    for (tag, code) in &doc.examples {
        let tag = tag.split(',').next().unwrap_or_default();
        let _ = write!(text, "\n\n# Example\n\n```{tag}\n{code}```");
    }
    text
}

fn parameters(kind: Kind, form: &Form) -> String {
    // Signatures of methods begin with what they belong to: `step.`, `secret.`, `run.`
    let own = form.signature.split_once('.').filter(|_| kind == Kind::Method).map(|(own, _)| {
        let name = if form.parameters.iter().any(|parameter| parameter.name == own) { "flow" } else { own };
        format!("{name}: {}{}", own[..1].to_uppercase(), &own[1..])
    });
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
        "agent" => "Agent",
        "text" => "String",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The functions in a definition file: name, and how many parameters.
    fn declared(text: &str) -> BTreeSet<(String, usize)> {
        let functions = text.lines().filter_map(|line| line.strip_prefix("fn "));
        functions
            .filter_map(|function| {
                let (name, rest) = function.split_once('(')?;
                let (parameters, _) = rest.rsplit_once(") -> ")?;
                Some((name.to_owned(), parameters.split(": ").count() - 1))
            })
            .collect()
    }

    #[test]
    fn what_rhai_itself_would_write_is_there() {
        let mut engine = rhai::Engine::new_raw();
        crate::lang::functions::register(&mut engine);
        let by_rhai = engine.definitions().include_standard_packages(false).single_file();
        let ours = declared(&definitions());
        let theirs = declared(&by_rhai.replace("fn call_step(", "fn call("));
        let of_language: Vec<_> = theirs.iter().filter(|(name, _)| !name.starts_with("__")).collect();
        assert!(of_language.len() > 60, "{of_language:?}");
        let missing: Vec<_> = of_language.into_iter().filter(|function| !ours.contains(function)).collect();
        assert!(missing.is_empty(), "{missing:?}\n{by_rhai}");
    }
}
