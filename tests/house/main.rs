//! The house around the code: the floors of the rooms, and documents that are made from the code and checked here.

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
