//! Golden files: texts that are compared with a file, or written to it.

use std::path::Path;

/// Compares a text with `tests/golden/<name>`; with `FLOW_BLESS` in the environment, writes it there.
pub fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("FLOW_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a golden file is in a folder")).expect("folders can be made");
        std::fs::write(&path, actual).expect("golden files can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; FLOW_BLESS=1 writes it", path.display()));
    if expected != actual {
        let line = expected.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count() + 1;
        panic!(
            "{} differs from line {line} on (FLOW_BLESS=1 rewrites it)\n--- expected\n{expected}\n--- actual\n{actual}",
            path.display()
        );
    }
}
