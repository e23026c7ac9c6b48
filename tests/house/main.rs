//! The house around the code: the floors of the rooms, and documents that are made from the code and checked here.

mod broken;
mod embed;
mod errors;
mod examples;
mod failures;
mod floors;
mod form;
mod grammar;
mod reference;
mod refused;

use std::path::{Path, PathBuf};

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a text with a file of the repository; with `FLOW_BLESS` in the environment, writes it there.
fn is_current(path: &str, actual: &str) -> Result<(), String> {
    let file = repository(path);
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    if std::env::var_os("FLOW_BLESS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("folders can be made");
        std::fs::write(&file, actual).expect("golden files can be written");
        return Ok(());
    }
    let line = expected.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count();
    let (was, is) = (expected.lines().nth(line), actual.lines().nth(line));
    Err(format!(
        "{path} differs from line {} on; FLOW_BLESS=1 rewrites it\n  expected: {}\n  actual:   {}",
        line + 1,
        was.unwrap_or("(the end)"),
        is.unwrap_or("(the end)")
    ))
}

/// All Rust sources below a folder of the repository: path and text.
fn rust_files(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(repository(folder)).expect("the folder is there") {
        let path = format!("{folder}/{}", file.expect("a file").file_name().to_string_lossy());
        if repository(&path).is_dir() {
            found.extend(rust_files(&path));
        } else if path.ends_with(".rs") {
            found.push((path.clone(), std::fs::read_to_string(repository(&path)).expect("sources can be read")));
        }
    }
    found.sort();
    found
}
