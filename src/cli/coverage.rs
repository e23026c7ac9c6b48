//! Files of coverage: what `flow test --coverage` writes and `flow plan --coverage` reads.

use std::fs;
use std::path::Path;

use crate::diag::{Diagnostic, Result};
use crate::flow::{Coverage, Flow, lcov};

/// How coverage is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As `flow plan --coverage` reads it.
    Json,
    /// As lcov does.
    Lcov,
}

/// The form that the name of a file asks for.
pub fn form(file: &str) -> Result<Form> {
    match Path::new(file).extension().and_then(|ending| ending.to_str()) {
        Some("info" | "lcov") => Ok(Form::Lcov),
        Some("json") => Ok(Form::Json),
        _ => {
            Err(Diagnostic::new("flow::cli::usage", format!("`{file}` does not say in which form coverage is wanted"))
                .help("name a file `….json`, or `….info` for lcov: `--coverage=coverage.json`"))
        }
    }
}

/// Writes coverage to a file, in the form that its name asks for.
pub fn write(coverage: &Coverage, file: &str) -> Result<()> {
    let text = match form(file)? {
        Form::Lcov => lcov(coverage),
        Form::Json => format!("{:#}\n", object(coverage)),
    };
    fs::write(file, text).map_err(|error| {
        Diagnostic::new("flow::cli::output", format!("`{file}` cannot be written: {error}"))
            .help("name a file in a folder that exists and is writable")
    })
}

/// Coverage as data.
pub fn object(coverage: &Coverage) -> serde_json::Value {
    let (covered, total) = coverage.count(None);
    serde_json::json!({
        "covered": covered,
        "total": total,
        "percent": coverage.percent(None),
        "files": coverage.files,
    })
}

/// Coverage that was written as JSON, or that of a recorded run.
pub fn read(flow: &Flow, file: &str) -> Result<Coverage> {
    if !Path::new(file).exists()
        && let Ok(run) = flow.find(file)
    {
        return flow.covered(&run);
    }
    let text = fs::read_to_string(file).map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let code = if missing { "flow::file::missing" } else { "flow::file::unreadable" };
        Diagnostic::new(code, format!("`{file}` cannot be read: {error}"))
            .help(format!("write it first: `flow test --coverage={file}`; or name a run"))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        Diagnostic::new("flow::file::unreadable", format!("`{file}` holds no coverage: {error}"))
            .help(format!("write it anew: `flow test --coverage={file}`"))
    })
}
