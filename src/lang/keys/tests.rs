use std::collections::HashSet;

use super::{ALL, Absent, Keys, POLICIES, STEP};
use crate::diag::Diagnostic;
use crate::lang::stages::WORKS;
use crate::lang::{Program, Script};

/// The plan of the form, with these keys in the map.
fn plan(keys: &Keys, given: &[(&str, &str)]) -> Result<String, Diagnostic> {
    let entries: Vec<String> = given.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    let text = keys.form.replace('…', &format!("#{{ {} }}", entries.join(", ")));
    let number = given.iter().any(|(key, _)| ["min", "max"].contains(key));
    let value = if number { "1" } else { "staging" };
    let args = if keys.name == "param" { vec![("p".to_owned(), value.to_owned())] } else { Vec::new() };
    let text = if keys.name == "chain.steps" {
        format!("let other = sh(\"other\", \"true\");\ncommand(\"/greet\", || sh(\"greet\", \"true\"));\n{text}")
    } else {
        text
    };
    let mut script = Script::from_text("keys.rhai", text.clone());
    script.path = Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/refused/modules/script.rhai").into());
    let built = Program::compile(&script)?.build(&args, None)?;
    let mut growth = serde_json::to_value(&built.growth).expect("a growth is data");
    without_places(&mut growth);
    Ok(growth.to_string())
}

/// Places in the script differ with its text.
fn without_places(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(map) => {
            map.retain(|key, _| key != "span" && key != "files");
            map.values_mut().for_each(without_places);
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(without_places),
        _ => {}
    }
}

fn needed(keys: &Keys) -> Vec<(&'static str, &'static str)> {
    let needed = keys.keys.iter().filter(|key| matches!(key.absent, Absent::Needed(_)));
    let needed = needed.map(|key| (key.name, key.absent.example()));
    // One of several has to be there.
    let one: &[(&str, &str)] = match keys.name {
        "alert" => &[("above", "100")],
        "program" => &[("sh", "\"ls\"")],
        "pipeline.stages" => &[("do", "|item| item")],
        "swarm" => &[("goal", "\"g\""), ("aggregator", "chief")],
        _ => &[],
    };
    needed.chain(one.iter().copied()).collect()
}

/// What a key means nothing without, or cannot stand beside: what is given, and what is taken away.
fn beside(keys: &Keys, key: &str) -> (&'static [(&'static str, &'static str)], Option<&'static str>) {
    match (keys.name, key) {
        ("limit", "min" | "scale" | "idle_timeout") => (&[("max", "8")], None),
        ("stream", "buffer") => (&[("slow", "\"drop_oldest\"")], None),
        ("stage" | "pipeline.stages", "batch_timeout") => (&[("batch_size", "10")], None),
        ("agent" | "ask", "input" | "speaks") => (&[("command", "[\"cat\"]")], None),
        ("agent" | "ask", "max_tokens") => (&[("backend", "\"anthropic\""), ("model", "\"m\"")], None),
        ("program", "exec") => (&[], Some("sh")),
        ("swarm", "on_conflict" | "vote") => (&[("conflict", "\"majority\"")], None),
        ("swarm", "max_tasks") => (&[("coordinator", "chief")], None),
        ("pipeline.stages", "args") => (&[("workflow", "\"ci/test.rhai\"")], Some("do")),
        ("pipeline.stages", key) if WORKS.contains(&key) || key == "batch" => (&[], Some("do")),
        _ => (&[], None),
    }
}

#[test]
fn every_key_can_be_given_and_defaults_are_what_holds_without() {
    for keys in ALL {
        let least = needed(keys);
        let without = plan(keys, &least);
        for key in keys.keys {
            // Of `lines` with a closure: it is among the keys of a filter, and looked at there.
            if (keys.name, key.name) == ("file", "on_error") {
                continue;
            }
            // What stands for the same is given instead of it.
            let instead = match key.name {
                "if" => "when",
                _ => key.name,
            };
            let mut given: Vec<_> = least.iter().copied().filter(|(name, _)| *name != instead).collect();
            let (more, less) = beside(keys, key.name);
            given.retain(|(name, _)| Some(*name) != less);
            given.extend(more.iter().copied().filter(|(name, _)| *name != key.name));
            given.push((key.name, key.absent.example()));
            // A script beside this one is there for nobody.
            if [given[0].0, key.name].contains(&"workflow") {
                continue;
            }
            let with = plan(keys, &given).unwrap_or_else(|problem| panic!("{}.{}: {problem}", keys.name, key.name));
            if let Absent::Value(value) = key.absent {
                let same = without.as_ref().is_ok_and(|without| *without == with) || key.name == "expect";
                assert!(same, "{}.{} is not {value} where nothing is said\n{without:?}\n{with}", keys.name, key.name);
            }
        }
    }
}

#[test]
fn keys_are_listed_once_and_described() {
    for keys in ALL.into_iter().chain([&STEP]) {
        let mut seen = HashSet::new();
        for key in keys.keys {
            assert!(seen.insert(key.name), "{}.{} is listed twice", keys.name, key.name);
            assert!(!key.meaning.is_empty(), "{}.{} has no meaning", keys.name, key.name);
            assert!(!key.meaning.ends_with('.'), "{}.{}: a part of a sentence", keys.name, key.name);
        }
    }
    let mut seen = HashSet::new();
    assert!(POLICIES.iter().all(|key| seen.insert(key.name)));
}

#[test]
fn every_kind_of_step_and_every_policy_can_be_a_key() {
    let mut wrong = Vec::new();
    for key in &STEP.keys[3..] {
        if key.name == "workflow" {
            continue;
        }
        let given = [("name", "\"build\""), (key.name, key.absent.example())];
        wrong.extend(plan(&STEP, &given).err().map(|problem| format!("{}: {problem}", key.name)));
    }
    for key in &POLICIES {
        let task = if key.name == "limit" { "true" } else { "echo 1" };
        let given = [("name", "\"build\""), ("sh", &*format!("\"{task}\"")), (key.name, key.absent.example())];
        // What is declared elsewhere is missing here, and nothing here has a budget.
        let elsewhere = ["flow::plan::limit", "flow::plan::budget"];
        let problem = plan(&STEP, &given).err().filter(|problem| !elsewhere.contains(&problem.code()));
        wrong.extend(problem.map(|problem| format!("{}: {problem}", key.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
