//! Where runs are kept.

use std::io;
use std::path::{Path, PathBuf};

use crate::diag::{Diagnostic, Result};

/// `FLOW_HOME`, else what [`home_for`] says of the working directory.
pub(super) fn find() -> Result<PathBuf> {
    let here = std::env::current_dir().map_err(|error| no_folder(Path::new("."), &error))?;
    match std::env::var_os("FLOW_HOME").filter(|home| !home.is_empty()) {
        Some(home) => Ok(here.join(home)),
        None => Ok(home_for(&here)),
    }
}

/// The folder of the runs for somebody who works in `folder`: `.flow` beside the nearest `flow.toml` upwards, else in
/// the folder itself.
pub fn home_for(folder: &Path) -> PathBuf {
    project_of(folder).unwrap_or(folder).join(".flow")
}

/// The nearest folder upwards with a `flow.toml`.
fn project_of(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|folder| folder.join(CONFIG).is_file())
}

/// The `flow.toml` for a folder: the nearest one upwards.
pub(super) fn config_of(folder: &Path) -> Option<PathBuf> {
    project_of(folder).map(|project| project.join(CONFIG))
}

/// The settings of a project.
const CONFIG: &str = "flow.toml";

/// The `flow.toml` for this folder of runs: that beside it, else the nearest upwards from the working directory.
pub(super) fn config_for(home: &Path) -> Option<PathBuf> {
    let beside = home.with_file_name(CONFIG);
    if beside.is_file() {
        return Some(beside);
    }
    let here = std::env::current_dir().ok()?;
    project_of(&here).map(|project| project.join(CONFIG))
}

pub(super) fn no_folder(folder: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::new("flow::file::missing", format!("the folder `{}` cannot be used: {error}", folder.display()))
        .help("the working directory may have been removed; `cd` to another one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_flow_toml_upwards_decides() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("a/b");
        std::fs::create_dir_all(&inner).expect("folders");
        assert_eq!(home_for(&inner), inner.join(".flow"));
        std::fs::write(folder.path().join("flow.toml"), "").expect("a file");
        assert_eq!(home_for(&inner), folder.path().join(".flow"));
    }
}
