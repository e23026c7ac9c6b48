//! Scripts that are refused, or warned about: each with the full text that its author gets to see.
//!
//! `tests/golden/refused/*.rhai`, with the text beside it. A first line `// --arg name=value` gives parameters.

use std::collections::BTreeMap;

use flow::diag::Diagnostic;
use flow::lang::{Program, Script};
use flow::plan::{Plan, check};
use flow::view::{self, Look};

use crate::{is_current, repository};

const FOLDER: &str = "tests/golden/refused";

/// Everything that `flow check` finds.
pub fn findings(script: &Script, args: &[(String, String)]) -> Vec<Diagnostic> {
    let built = Program::compile(script).and_then(|program| Ok((program.build(args, None)?, program)));
    match built {
        Err(problem) => vec![problem],
        Ok((built, program)) => {
            let mut plan = Plan::default();
            plan.grow(built.growth);
            let texts = program.texts();
            check::warnings(&plan).into_iter().map(|warning| warning.with_sources(&texts)).collect()
        }
    }
}

/// The same as text, as where it does not go to a terminal.
pub fn text(findings: &[Diagnostic]) -> String {
    findings.iter().map(|finding| view::diagnostic(finding, Look::PLAIN)).collect()
}

fn args(script: &str) -> Vec<(String, String)> {
    let first = script.lines().next().unwrap_or_default();
    let Some(given) = first.strip_prefix("// --arg ") else { return Vec::new() };
    given.split(" --arg ").filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
}

fn scripts() -> BTreeMap<String, Script> {
    let folder = repository(FOLDER);
    let files = std::fs::read_dir(&folder).expect("the folder is there");
    let mut scripts = BTreeMap::new();
    for file in files {
        let path = file.expect("a file").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some(stem) = name.strip_suffix(".rhai") {
            let mut script = Script::read(&path).expect("a script can be read");
            script.name = name.clone();
            scripts.insert(stem.to_owned(), script);
        }
    }
    scripts
}

#[test]
fn every_wrong_script_is_answered_as_recorded() {
    let scripts = scripts();
    assert!(scripts.len() >= 60, "only {} wrong scripts", scripts.len());
    let mut wrong = Vec::new();
    for (name, script) in &scripts {
        let findings = findings(script, &args(&script.text));
        if findings.is_empty() {
            wrong.push(format!("{name}: nothing is wrong with it"));
            continue;
        }
        for finding in &findings {
            if finding.help_text().is_none() {
                wrong.push(format!("{name}: no help: {finding}"));
            }
            if finding.span().is_none() {
                wrong.push(format!("{name}: no place: {finding}"));
            }
        }
        wrong.extend(is_current(&format!("{FOLDER}/{name}.txt"), &text(&findings)).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
