//! Removing old runs, as it is typed in.

use crate::transcript::Session;

#[test]
fn old_runs_are_removed() {
    let mut session = Session::new();
    session
        .file("hi.rhai", "sh(\"hi\", \"echo hi\");\n")
        .file("later.rhai", "wait_until(\"later\", \"2999-01-01\");\n");
    let size = "sed -E 's/[0-9.]+([KM]i)?B/SIZE/g'";
    session
        .type_in("flow gc --keep 7d; ls -A")
        .type_in("flow script hi.rhai --quiet; flow script hi.rhai --quiet; flow script later.rhai --quiet 2>/dev/null")
        .type_in("flow gc")
        .type_in("flow gc --keep 7d")
        .type_in(&format!("flow gc --keep-runs 1 --dry-run | {size}"))
        .type_in(&format!("flow gc --keep-runs 1 | {size}"))
        .type_in("flow gc --keep-runs 1")
        .type_in("flow runs")
        .type_in("flow gc --keep-runs 0 --json | sed 's/: *[0-9][0-9]*/:N/g; s/:N,\"results\"/&/'")
        .type_in("ls .flow/runs | wc -l | tr -d ' '")
        .type_in("flow gc --keep 7")
        .type_in("flow gc --keep soon")
        .type_in("flow gc --keep-runs many")
        .type_in("printf '[retention]\\nkeep = 7\\n' > flow.toml; flow gc")
        .type_in("printf '[retention]\\nauto = true\\n' > flow.toml; flow gc")
        .type_in("printf '[retention]\\nkeep = \"7d\"\\n' > flow.toml; flow gc");
    session.check("gc");
}
