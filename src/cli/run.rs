//! `flow run FILE`

use super::options::{Begin, Options};
use super::{Done, End, input, script};
use crate::diag::Diagnostic;

/// Run a workflow, whatever its form
///
/// Looks at the content of the file. Scripts are run as `flow script` does it.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow run deploy.rhai                               a script
  flow run deploy.rhai --arg env=staging --quiet     with a parameter, without progress")]
pub struct Args {
    /// The workflow, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    begin: Begin,
    #[command(flatten)]
    pub options: Options,
}

/// What a file is, by its content.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Script,
    Json,
    Yaml,
}

fn form(text: &str) -> Form {
    if text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return Form::Json;
    }
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#'));
    // A script has no line that is a bare key and a colon; a YAML document begins with one, or with `---`.
    let is_key = |line: &str| {
        let key = line.split_once(':').filter(|(_, rest)| rest.is_empty() || rest.starts_with(' ')).map(|(key, _)| key);
        key.is_some_and(|key| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-\"'".contains(c)))
    };
    match lines.next() {
        Some("---") => Form::Yaml,
        Some(line) if is_key(line) => Form::Yaml,
        _ => Form::Script,
    }
}

impl Args {
    pub fn run(self) -> Done {
        let script = input::script(&self.file)?;
        let name = match form(&script.text) {
            Form::Script => return script::run(&script, self.begin, &self.options, None),
            Form::Json => "JSON",
            Form::Yaml => "YAML",
        };
        Err(End::Wrong(
            Diagnostic::new(
                "flow::cli::usage",
                format!("`{}` is a specification in {name}, and only scripts can be run so far", self.file),
            )
            .help("write the workflow as a Rhai script: `flow docs` lists what there is, `flow script FILE` runs it"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_tells_the_form() {
        assert_eq!(form("#!/usr/bin/env -S flow script\nsh(\"a\", \"true\");\n"), Form::Script);
        assert_eq!(form("// a: comment\nlet a = 1;\n"), Form::Script);
        assert_eq!(form("{ let a = 1; }"), Form::Script);
        assert_eq!(form("[sh(\"a\", \"true\")]"), Form::Script);
        assert_eq!(form("{\"version\": 1, \"tasks\": []}"), Form::Json);
        assert_eq!(form("# a workflow\nversion: 1\ntasks:\n  - name: a\n"), Form::Yaml);
        assert_eq!(form("---\nname: x\n"), Form::Yaml);
        assert_eq!(form(""), Form::Script);
    }
}
