//! Receipts, exports and what verifies them, as they are typed in.

use crate::transcript::Session;

const SHIP: &str = r#"let env = param("env", #{ default: "staging", one_of: ["staging", "production"] });
let build = sh("build", "echo v1.4");
let ship = chain("ship", [
    sh("push", `echo pushing ${build.output} to ${env}`),
    sh("smoke", "echo not well >&2; exit 3"),
]);
"#;

/// The receipt of a step, in full.
const ONE: &str = "flow receipts --hash $(flow receipts --step push | tail -1 | cut -c1-12)";

fn shipped() -> Session {
    let session = Session::new();
    session.file("ship.rhai", SHIP);
    session.run("flow script ship.rhai --quiet --max-parallel 1 --arg env=production");
    session
}

#[test]
fn receipts_are_listed_and_shown() {
    let mut session = shipped();
    session
        .type_in("flow receipts")
        .type_in("flow receipts --run last --step ship --limit 1")
        .type_in(&format!("{ONE} | sed 's/ on .*/ on HOST/; s/ 20[0-9-]* / DAY /'"))
        .type_in(&format!(
            "f=$(ls .flow/runs/*/logs/*push*.out); echo oops >> $f; {ONE} | grep evidence; rm $f; {ONE} | grep evidence"
        ))
        .type_in("flow receipts --step puhs")
        .type_in("flow receipts --hash 12")
        .type_in("flow receipts --hash xyz12")
        .type_in("flow receipts --hash 0000000000000000")
        .type_in("flow receipts --since yesterday")
        .type_in("flow receipts --since 2100-01-01")
        .type_in("flow receipts --run nope");
    session.check("receipts");
}

#[test]
fn receipts_are_data() {
    let session = shipped();
    let output = session.run("flow receipts --step push --json");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an array");
    let push = &found[0];
    assert_eq!((&push["step"], &push["status"]), (&"ship/push".into(), &"success".into()));
    assert_eq!(push["parameters"]["values"]["env"], "production");
    assert_eq!(push["evidence"][0]["state"], "written");
    assert_eq!(push["evidence"][0]["sha256"].as_str().map(str::len), Some(64));
}
