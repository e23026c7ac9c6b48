//! Where a function is used, also in other files: in those that are open, and in those below the folders of the editor.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::convert::uri_of;
use super::standard;
use super::surroundings::Surroundings;
use super::texts::{Text, Texts};

/// Most scripts that are looked through.
const MOST: usize = 2_000;

/// Most entries of folders that are looked at on the way to them.
const MOST_ENTRIES: usize = 50_000;

/// Uses of something, by text.
pub struct Uses {
    /// The text that declares it, and the byte at which its name stands there.
    pub declared: (Arc<Text>, usize),
    /// The texts that use it, and where in them.
    pub places: Vec<(Arc<Text>, Vec<std::ops::Range<usize>>)>,
    /// Does it belong to the standard library?
    pub standard: bool,
    /// Were there more scripts than are looked through?
    pub cut: bool,
}

/// Where what stands at a byte of a text is used. `None` if it is nothing that is used anywhere, or if the module that
/// declares it cannot be read.
pub fn uses(text: &Arc<Text>, offset: usize, texts: &Texts, folders: &[PathBuf]) -> Option<Uses> {
    let Some(shared) = text.document().shared(offset) else {
        let found = text.document().references(offset);
        let places = vec![(text.clone(), found)];
        let uses = Uses { declared: (text.clone(), offset), places, standard: false, cut: false };
        return (!uses.places[0].1.is_empty()).then_some(uses);
    };
    let home = match &shared.module {
        None => text.clone(),
        Some(module) => of_file(&Surroundings::of(text, texts).file_of(module)?, texts)?,
    };
    let (declared, is_private) = home.document().function_place(&shared.name)?;
    if is_private && shared.module.is_some() {
        return None;
    }
    let mut places = vec![(home.clone(), home.document().references(declared))];
    let standard = home.path.as_deref().is_some_and(standard::is_one);
    let mut cut = false;
    if let Some(path) = &home.path {
        let beside = if standard { None } else { path.parent().map(Path::to_owned) };
        let folders = if folders.is_empty() { beside.into_iter().collect() } else { folders.to_vec() };
        let mut scripts: Vec<Arc<Text>> = texts.all().cloned().collect();
        cut = !below(&folders, &mut |file| {
            let is_open = texts.all().any(|open| open.path.as_deref() == Some(file));
            scripts.extend(of_file(file, texts).filter(|_| !is_open));
        });
        for script in scripts.into_iter().filter(|script| script.path.as_ref() != Some(path)) {
            if !(script.text.contains(&shared.name) && script.text.contains("import")) {
                continue;
            }
            let around = Surroundings::of(&script, texts);
            let found = script.document().uses_of(&shared.name, |module| around.file_of(module).as_ref() == Some(path));
            if !found.is_empty() {
                places.push((script, found));
            }
        }
    }
    places.sort_by(|(one, _), (other, _)| one.uri.as_str().cmp(other.uri.as_str()));
    Some(Uses { declared: (home, declared), places, standard, cut })
}

/// A text as it is in the editor, or else on disk.
fn of_file(path: &Path, texts: &Texts) -> Option<Arc<Text>> {
    match texts.all().find(|text| text.path.as_deref() == Some(path)) {
        Some(text) => Some(text.clone()),
        None => Some(Arc::new(Text::new(uri_of(path)?, 0, texts.read(path)?))),
    }
}

/// Goes through the scripts below some folders, hidden ones aside and those that are made anew by builds. Gives whether
/// it saw them all.
fn below(folders: &[PathBuf], see: &mut impl FnMut(&Path)) -> bool {
    let mut to_do = folders.to_vec();
    let (mut scripts, mut entries) = (0, 0);
    while let Some(folder) = to_do.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            entries += 1;
            if scripts >= MOST || entries > MOST_ENTRIES {
                return false;
            }
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let Ok(kind) = entry.file_type() else { continue };
            if name.starts_with('.') || matches!(&*name, "target" | "node_modules") && kind.is_dir() {
                continue;
            }
            // Links to folders are not followed: they may lead round in circles.
            if kind.is_dir() {
                to_do.push(entry.path());
            } else if name.ends_with(".rhai") {
                scripts += 1;
                see(&entry.path());
            }
        }
    }
    true
}
