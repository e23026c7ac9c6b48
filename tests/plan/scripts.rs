//! Scripts in `tests/golden/plan/scripts/`, each with the page of its plan beside it, or what is wrong with it.

use std::collections::HashMap;
use std::path::PathBuf;

use flow::diag::Diagnostic;
use flow::lang::{Program, Script};
use flow::plan::Plan;
use flow::plan::analysis::Analysis;
use flow::plan::check::warnings;
use flow::plan::render::{Options, dot, mermaid, svg, text};
use flow::plan::schema::schema;

use super::{golden, well_formed};

pub fn plan(name: &str, source: &str) -> Result<Plan, Diagnostic> {
    let program = Program::compile(&Script::from_text(name, source))?;
    let mut plan = Plan::default();
    plan.grow(program.build(&[], None)?.growth);
    Ok(plan)
}

/// The diagnostic as a terminal without colours shows it.
fn shown(diagnostic: &Diagnostic) -> String {
    let mut text = String::new();
    miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none())
        .with_width(100)
        .render_report(&mut text, diagnostic)
        .expect("text");
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn scripts() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plan/scripts");
    let mut scripts: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "rhai"))
        .collect();
    scripts.sort();
    assert!(scripts.len() >= 9);
    let validator = jsonschema::validator_for(&schema()).expect("a valid schema");
    for path in scripts {
        let file = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let source = std::fs::read_to_string(&path).expect("a script");
        let stem = file.trim_end_matches(".rhai");
        let page = match plan(file, &source) {
            Err(problem) => shown(&problem),
            Ok(plan) => {
                let json = serde_json::to_value(&plan).expect("a plan is data");
                assert!(validator.is_valid(&json), "{file} does not fit the schema");
                well_formed(&svg(&plan).expect("small enough"));
                assert!(mermaid(&plan).starts_with("flowchart") && dot(&plan).starts_with("digraph"));
                if stem == "recovery" {
                    golden("scripts/recovery.mmd", &mermaid(&plan));
                    golden("scripts/recovery.dot", &dot(&plan));
                    golden("scripts/recovery.svg", &svg(&plan).expect("small enough"));
                }
                let page = text(&plan, &Analysis::of(&plan, &HashMap::new()), &Options::default());
                warnings(&plan).iter().fold(page, |page, warning| format!("{page}\nwarning: {warning}\n"))
            }
        };
        golden(&format!("scripts/{stem}.txt"), &page);
    }
}
