//! Scripts that are refused, or warned about: each with the full text that its author gets to see.
//!
//! `tests/golden/refused/*.rhai`, with the text beside it. A first line `// --arg name=value` gives parameters.

use flow::diag::Diagnostic;
use flow::flow::{Flow, Options};
use flow::lang::Script;
use flow::view::{self, Look};

use crate::{is_current, repository};

const FOLDER: &str = "tests/golden/refused";

/// Everything that `flow check` finds.
pub fn findings(script: &Script, args: &[(String, String)]) -> Vec<Diagnostic> {
    let flow = Flow::open(Options::default()).expect("a folder is found");
    match flow.check(script, args) {
        Err(problem) => vec![problem],
        Ok(checked) => checked.warnings,
    }
}

/// The same as text, as where it does not go to a terminal.
pub fn text(findings: &[Diagnostic]) -> String {
    findings.iter().map(|finding| view::diagnostic(finding, Look::PLAIN)).collect()
}

/// The parameters that a script's first line gives it: `// --arg name=value`.
pub fn args(script: &str) -> Vec<(String, String)> {
    let first = script.lines().next().unwrap_or_default();
    let Some(given) = first.strip_prefix("// --arg ") else { return Vec::new() };
    given.split(" --arg ").filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
}

/// One of the scripts, by its name without `.rhai`.
pub fn script(name: &str) -> Script {
    let mut script = Script::read(&repository(&format!("{FOLDER}/{name}.rhai"))).expect("a script can be read");
    script.name = format!("{name}.rhai");
    script
}

fn names() -> Vec<String> {
    let files = std::fs::read_dir(repository(FOLDER)).expect("the folder is there");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter_map(|name| name.strip_suffix(".rhai").map(str::to_owned)).collect();
    names.sort();
    names
}

/// What each is answered: name and text.
pub fn recorded() -> Vec<(String, String)> {
    let answer = |name: String| {
        let script = script(&name);
        let text = text(&findings(&script, &args(&script.text)));
        (name, text)
    };
    names().into_iter().map(answer).collect()
}

#[test]
fn every_wrong_script_is_answered_as_recorded() {
    // A script without a parameter has no place that could be shown for it.
    const NOWHERE: [&str; 1] = ["param-unknown-none"];
    let names = names();
    assert!(names.len() >= 60, "only {} wrong scripts", names.len());
    let mut wrong = Vec::new();
    for name in &names {
        let script = script(name);
        let findings = findings(&script, &args(&script.text));
        if findings.is_empty() {
            wrong.push(format!("{name}: nothing is wrong with it"));
            continue;
        }
        for finding in &findings {
            if finding.help_text().is_none() {
                wrong.push(format!("{name}: no help: {finding}"));
            }
            if finding.span().is_none() && !NOWHERE.contains(&name.as_str()) {
                wrong.push(format!("{name}: no place: {finding}"));
            }
        }
        wrong.extend(is_current(&format!("{FOLDER}/{name}.txt"), &text(&findings)).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
