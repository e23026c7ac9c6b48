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
mod scripts;

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

/// Is it XML? Elements closed in order, attributes quoted, nothing else that begins like markup.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml;
    while let Some(at) = rest.find(['<', '&']) {
        assert!(!rest[..at].chars().any(|c| c.is_control() && c != '\n'), "a control character in {:?}", &rest[..at]);
        rest = &rest[at..];
        if let Some(entity) = rest.strip_prefix('&') {
            assert!(
                ["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|known| entity.starts_with(known)),
                "{entity:.20}"
            );
            rest = entity;
            continue;
        }
        let end = rest.find('>').expect("a closed tag");
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None => {
                assert!(tag.matches('"').count().is_multiple_of(2) && !tag.contains(['<', '\'']), "{tag}");
                let name = tag.trim_end_matches('/').split(' ').next().unwrap_or_default();
                if !tag.ends_with('/') {
                    open.push(name);
                }
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
