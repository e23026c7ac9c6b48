//! What is counted as covered: of which files, and of a recorded run.

use std::path::{Path, PathBuf};

use crate::diag::Result;
use crate::flow::{Flow, Script};
use crate::state::RunState;
use crate::state::coverage::Coverage;

impl Flow {
    /// Which ways the decisions of a recorded run went.
    ///
    /// # Errors
    /// `flow::run::unknown`; or if its log cannot be read.
    pub fn covered(&self, run: &str) -> Result<Coverage> {
        let records = self.records(run, 0)?;
        let state = RunState::of(&records);
        let path = Some(PathBuf::from(&state.created.file)).filter(|path| path.is_absolute());
        let script = Script { path, ..Script::from_text("-", "") };
        let names = state.plan.header.files.iter().map(|file| file.name.as_str());
        let mut coverage = Coverage::default();
        coverage.add(&workflow_files(&script, names), &records);
        Ok(coverage)
    }
}

/// The files of a workflow, as spans count them and as a person would name them from here; `names` as they stand in its
/// plan. Nothing for those of the standard library: they are not the user's to cover.
pub fn workflow_files<'a>(script: &Script, names: impl IntoIterator<Item = &'a str>) -> Vec<Option<String>> {
    let here = std::env::current_dir().unwrap_or_default();
    let short = |path: &Path| path.strip_prefix(&here).unwrap_or(path).display().to_string();
    let folder = script.path.as_deref().and_then(Path::parent);
    let file = |(n, name): (usize, &str)| match (&script.path, folder) {
        _ if name.starts_with("std/") => None,
        (Some(path), _) if n == 0 => Some(short(path)),
        (_, Some(folder)) => Some(short(&folder.join(format!("{}.rhai", name.trim_end_matches(".rhai"))))),
        _ => Some(name.to_owned()),
    };
    names.into_iter().enumerate().map(file).collect()
}
