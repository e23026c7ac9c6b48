//! What is around a text: the files beside it and below, and the modules that it names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::convert::plain;
use super::standard;
use super::texts::{Text, Texts};
use crate::lang::assist::{Document, Known};

/// Most files of a folder that are offered.
const MOST: usize = 500;

/// See the module's page.
pub struct Surroundings<'a> {
    texts: &'a Texts,
    folder: Option<PathBuf>,
}

impl<'a> Surroundings<'a> {
    /// Those of a text.
    pub fn of(text: &Text, texts: &'a Texts) -> Self {
        Surroundings { texts, folder: text.path.as_deref().and_then(Path::parent).map(Path::to_owned) }
    }

    /// Answers with what is known here.
    pub fn known<T>(&self, ask: impl FnOnce(&Known) -> T) -> T {
        ask(&Known { files: &|begun| self.files(begun), module: &|path| self.module(path), ..Known::NOTHING })
    }

    /// What there is in the folder that the beginning of a path names.
    fn files(&self, begun: &str) -> Vec<String> {
        let Some(folder) = &self.folder else { return Vec::new() };
        let prefix = begun.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        if prefix.starts_with('/') {
            return Vec::new();
        }
        let Ok(entries) = std::fs::read_dir(folder.join(&prefix)) else { return Vec::new() };
        let mut found: Vec<String> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok().filter(|name| !name.starts_with('.'))?;
                let is_folder = entry.path().is_dir();
                let offered = is_folder || name.ends_with(".rhai");
                offered.then(|| format!("{prefix}{name}{}", if is_folder { "/" } else { "" }))
            })
            .take(MOST)
            .collect();
        found.sort();
        found
    }

    fn module(&self, path: &str) -> Option<Arc<str>> {
        self.texts.read(&self.file_of(path)?)
    }

    /// The file of a module or a workflow that the text names.
    pub fn file_of(&self, path: &str) -> Option<PathBuf> {
        if path.starts_with("std/") {
            return standard::file_of(path);
        }
        let name = path.strip_suffix(".rhai").unwrap_or(path);
        Some(plain(&self.folder.as_ref()?.join(format!("{name}.rhai"))))
    }

    /// The texts of the editor that a script reaches by imports and workflows: the name by which the script knows each.
    pub fn reached(&self, text: &Text) -> Vec<(String, Arc<str>)> {
        let Some(root) = &self.folder else { return Vec::new() };
        if self.texts.all().count() < 2 {
            return Vec::new();
        }
        let mut found: Vec<(String, Arc<str>)> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        let mut to_do: Vec<(PathBuf, Vec<crate::lang::assist::Link>)> = vec![(root.clone(), text.document().links())];
        while let Some((folder, links)) = to_do.pop() {
            for link in links.into_iter().filter(|link| !link.path.starts_with("std/")) {
                let name = link.path.strip_suffix(".rhai").unwrap_or(&link.path);
                let from = if link.workflow { root } else { &folder };
                let file = plain(&from.join(format!("{name}.rhai")));
                let Some(name) = file.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
                let name = if link.workflow { name } else { name.trim_end_matches(".rhai") }.to_owned();
                if seen.contains(&name) || seen.len() > 200 {
                    continue;
                }
                seen.push(name.clone());
                let Some(text) = self.texts.read(&file) else { continue };
                if let Some(folder) = file.parent() {
                    to_do.push((folder.to_owned(), Document::new(text.clone()).links()));
                }
                if self.texts.all().any(|open| open.path.as_deref() == Some(file.as_path())) {
                    found.push((name, text));
                }
            }
        }
        found
    }
}
