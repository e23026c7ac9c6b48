//! The plan of a script: a lens above it, and the command behind that.

use std::collections::HashMap;
use std::sync::Arc;

use lsp_types::{CodeLens, Command, Position, Range};

use super::check::evaluate;
use super::texts::Text;
use crate::diag::Result;
use crate::plan::analysis::Analysis;
use crate::plan::render;

/// The command that gives the plan of a script.
pub const COMMAND: &str = "flow.showPlan";

/// The lens above a script. `steps`: how many there are, as far as it is known.
pub fn lens(text: &Text, steps: Option<usize>) -> CodeLens {
    let title = match steps {
        Some(1) => "Show the plan (1 step)".to_owned(),
        Some(steps) => format!("Show the plan ({steps} steps)"),
        None => "Show the plan".to_owned(),
    };
    // Below a first line `#!…`.
    let line = u32::from(text.text.starts_with("#!") && text.text.contains('\n'));
    let place = Position::new(line, 0);
    let arguments = Some(vec![serde_json::Value::from(text.uri.as_str())]);
    let command = Command { title, command: COMMAND.to_owned(), arguments };
    CodeLens { range: Range::new(place, place), command: Some(command), data: None }
}

/// The plan: as `flow plan` shows it, and as a Mermaid diagram.
///
/// # Errors
/// What is wrong with the script.
pub fn show(text: &Text, provided: Vec<(String, Arc<str>)>) -> Result<serde_json::Value> {
    let plan = evaluate(text, provided).0?.plan;
    let analysis = Analysis::of(&plan, &HashMap::new());
    let page = render::Options { width: 100, ..render::Options::default() };
    Ok(serde_json::json!({
        "title": plan.header.name,
        "text": render::text(&plan, &analysis, &page),
        "mermaid": render::mermaid(&plan),
    }))
}
