//! Where tests are: files `*_test.rhai`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::diag::{Diagnostic, Result};

/// What the names of files with tests end in.
const ENDING: &str = "_test.rhai";

/// Folders that hold nothing of the project.
const NOT_OURS: [&str; 3] = ["target", "node_modules", "build"];

/// The files of tests that are meant by paths (none: the working directory), each once, in their order; those of a folder
/// by name. With each the test that is meant, where it was named: `FILE::test_name`.
///
/// # Errors
/// `flow::file::missing` if a path does not exist.
pub fn test_files(paths: &[PathBuf]) -> Result<Vec<(PathBuf, Option<String>)>> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let mut found: Vec<(PathBuf, Option<String>)> = Vec::new();
    for path in paths {
        if path.is_dir() {
            let mut files = Vec::new();
            below(path, &mut files);
            files.sort();
            // As a person would name it.
            found.extend(
                files.into_iter().map(|file| (file.strip_prefix(".").map_or(file.clone(), Path::to_owned), None)),
            );
        } else if path.exists() {
            found.push((path.clone(), None));
        } else {
            let text = path.display().to_string();
            match text.rsplit_once("::") {
                Some((file, test)) if Path::new(file).is_file() => found.push((file.into(), Some(test.to_owned()))),
                _ => {
                    return Err(Diagnostic::new("flow::file::missing", format!("there is no file `{text}`"))
                        .help("name files, folders, or one test of a file: `deploy_test.rhai::test_it_works`"));
                }
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|one| seen.insert(one.clone()));
    Ok(found)
}

/// Files below a folder. What cannot be read is as if it were not there, and links are not followed.
fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
            below(&entry.path(), files);
        } else if !kind.is_dir() && name.ends_with(ENDING) {
            files.push(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_once_and_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for name in
            ["b_test.rhai", "a_test.rhai", "a.rhai", "sub/c_test.rhai", "target/d_test.rhai", ".git/e_test.rhai"]
        {
            fs::create_dir_all(path(name).parent().expect("a folder")).expect("a folder");
            fs::write(path(name), "").expect("a file");
        }
        fs::create_dir(path("dir_test.rhai")).expect("a folder");
        let found = |paths: &[PathBuf]| test_files(paths).expect("all there");
        let all = found(&[folder.path().to_owned(), path("a_test.rhai")]);
        let names: Vec<PathBuf> = all.into_iter().map(|(file, _)| file).collect();
        assert_eq!(names, [path("a_test.rhai"), path("b_test.rhai"), path("sub/c_test.rhai")]);
        let named = path("a.rhai::test_x");
        assert_eq!(found(&[named]), [(path("a.rhai"), Some("test_x".to_owned()))]);
        assert_eq!(test_files(&[path("nowhere")]).expect_err("not there").code(), "flow::file::missing");
    }
}
