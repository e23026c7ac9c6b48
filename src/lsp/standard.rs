//! The standard library as files: it is inside the program, and an editor can only open files.

use std::path::{Path, PathBuf};

use crate::lang::assist::standard;

/// A file with the text of a module such as `std/checks`. It can be read only.
pub fn file_of(module: &str) -> Option<PathBuf> {
    let text = standard(module)?;
    let name = module.strip_suffix(".rhai").unwrap_or(module);
    let file = folder().join(format!("{name}.rhai"));
    if std::fs::read_to_string(&file).is_ok_and(|known| known == text) {
        return Some(file);
    }
    write(&file, text).ok().map(|()| file)
}

/// Is it one of these files?
pub fn is_one(path: &Path) -> bool {
    path.starts_with(folder())
}

/// A folder for what can be made again.
fn folder() -> PathBuf {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    caches.unwrap_or_else(std::env::temp_dir).join("flow").join(concat!("library-", env!("CARGO_PKG_VERSION")))
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // Written beside it and renamed: another server may do the same at this moment.
    let new = file.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&new, text)?;
    let mut permissions = std::fs::metadata(&new)?.permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&new, permissions)?;
    std::fs::rename(&new, file)
}
