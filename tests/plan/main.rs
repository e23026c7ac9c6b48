//! Plans: what is wrong with them, how long they take, what they look like.
//!
//! Expected texts stand in `tests/golden/plan/`; `FLOW_BLESS=1 cargo test --test plan` writes them anew.

use std::path::PathBuf;

use flow::diag::Span;
use flow::plan::*;

mod analysis;
mod check;
mod plans;
mod render;
#[path = "../../src/plan/sample.rs"]
mod sample;
mod schema;

/// Compares a text with the file of this name, or writes the file where `FLOW_BLESS` is set.
#[track_caller]
fn golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plan").join(name);
    if std::env::var_os("FLOW_BLESS").is_some() {
        std::fs::write(&path, actual).expect("the golden file can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs; FLOW_BLESS=1 rewrites it\n--- expected\n{expected}\n--- actual\n{actual}",
        path.display()
    );
}
