//! What `flow plan` shows of swarms. `FLOW_BLESS=1 cargo test --test swarms` writes the picture anew.

use std::path::Path;
use std::process::Command;

#[test]
fn swarms_are_ordinary_steps_of_the_plan() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/swarms");
    let output = Command::new(env!("CARGO_BIN_EXE_flow"))
        .args(["plan", "plan.rhai"])
        .current_dir(&folder)
        .env_remove("FLOW_HOME")
        .output()
        .expect("it starts");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Behind the steps follow estimates, which are none of theirs.
    let steps = shown.split("\nnot known before the run").next().unwrap_or_default();
    let golden = folder.join("plan.txt");
    if std::env::var_os("FLOW_BLESS").is_some() {
        std::fs::write(&golden, steps).expect("it can be written");
    }
    let expected = std::fs::read_to_string(&golden).expect("a picture");
    assert_eq!(steps, expected, "FLOW_BLESS=1 rewrites it");
}
