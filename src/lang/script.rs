//! A script as text, before it is compiled.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::modules::{self, LARGEST};
use super::surroundings::Surroundings;
use crate::diag::{Diagnostic, Result, did_you_mean};

/// A script that is to be compiled.
#[derive(Clone, Debug)]
pub struct Script {
    /// As the user named it; it stands in messages.
    pub name: String,
    /// Where it is; modules and sub-workflows are looked for below its folder. Nothing for standard input.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: Arc<str>,
    /// Texts of modules and sub-workflows as they were recorded, by name. If given, no file is read.
    pub pinned: Option<HashMap<String, Arc<str>>>,
    /// What it finds around it.
    pub surroundings: Arc<Surroundings>,
}

impl Script {
    /// A script from a file. Errors: missing (with the nearest name in the folder), unreadable, not UTF-8, too large.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let length = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
        if length > LARGEST as u64 {
            return Err(modules::too_large(&name, length));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let text = modules::text_of(&name, bytes)?;
        Ok(Script {
            name,
            path: Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
            text: text.into(),
            pinned: None,
            surroundings: Arc::default(),
        })
    }

    /// A script from a text.
    pub fn from_text(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Script { name: name.into(), path: None, text: text.into(), pinned: None, surroundings: Arc::default() }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let shown = path.display();
    if path.is_dir() {
        return Diagnostic::new("flow::file::unreadable", format!("`{shown}` is a folder, not a script"))
            .help("name the script in it, for instance `flow script deploy.rhai`");
    }
    if error.kind() != std::io::ErrorKind::NotFound {
        return Diagnostic::new("flow::file::unreadable", format!("`{shown}` cannot be read: {error}"))
            .help("check its permissions");
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    let wanted = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let help = did_you_mean(&wanted, names.iter().map(String::as_str)).unwrap_or_else(|| {
        format!("there is no such file in `{}`", std::path::absolute(folder).unwrap_or_default().display())
    });
    Diagnostic::new("flow::file::missing", format!("there is no file `{shown}`")).help(help)
}
