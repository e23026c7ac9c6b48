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

/// The key of the first test in RFC 8032 (7.1), as openssl writes it, and its public part.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
const OTHER: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n-----END PUBLIC KEY-----\n";

#[test]
fn a_run_is_exported_and_verified() {
    let mut session = shipped();
    session
        .type_in("flow export last -o run.jsonl")
        .type_in("flow verify run.jsonl")
        .type_in("cut -c1-13 run.jsonl | tail -n +8 | head -3; tail -1 run.jsonl")
        .type_in("flow export last --with-files | flow verify -")
        .type_in("sed '/\"seq\":7,/d' run.jsonl | flow verify -")
        .type_in("sed '/\"seq\":7,/d' run.jsonl | flow verify - --json")
        .type_in("sed 's/pushing v1.4/pushing v1.5/' run.jsonl | flow verify -")
        .type_in("sed '4{h;d};5{G}' run.jsonl | flow verify -")
        .type_in("sed '$d' run.jsonl | flow verify -")
        .type_in("(cat run.jsonl; echo) | flow verify -")
        .type_in("flow verify ship.rhai")
        .type_in("flow verify missing.jsonl")
        .type_in("flow verify .")
        .type_in("flow verify nope")
        .type_in("mv run.jsonl run; mkdir empty; cd empty; flow verify ../run | head -1; cp ../run here; flow verify here | head -1; ls -A")
        .type_in("flow export")
        .type_in("flow export nope")
        .type_in("flow export last -o no/such/folder")
        .type_in("ls");
    session.check("export");
}

#[test]
fn runs_and_exports_are_signed() {
    let mut session = Session::new();
    session.file("flow.toml", "[receipts]\nkey = \"key.pem\"\n").file("key.pem", KEY).file("pub.pem", PUBLIC);
    session.file("other.pem", OTHER).file("hi.rhai", "sh(\"hi\", \"echo hi\");\n");
    let masked = "sed 's/signed 20[0-9-]* [0-9:]*/signed DAY/'";
    session
        .type_in("flow script hi.rhai --quiet")
        .type_in(&format!("flow verify last --key pub.pem | {masked}"))
        .type_in("flow verify last --key other.pem")
        .type_in("flow receipts --hash $(flow receipts | tail -1 | cut -c1-12) | grep signed | sed 's/at .*/at DAY/'")
        .type_in("flow export last -o run.jsonl")
        .type_in("flow verify run.jsonl")
        .type_in("flow verify run.jsonl --key pub.pem")
        .type_in("flow verify run.jsonl --key other.pem")
        .type_in("flow verify run.jsonl --key other.pem --json | cut -c1-40")
        .type_in("flow verify run.jsonl --key key.pem")
        .type_in("flow verify run.jsonl --key none.pem")
        .type_in("sed '1s/\"signature\":\"./\"signature\":\"/' run.jsonl | flow verify -")
        .type_in("mv key.pem away.pem; flow script hi.rhai --quiet; flow export last; flow verify last --key pub.pem")
        .type_in("echo hello > key.pem; flow script hi.rhai --quiet; flow export last")
        .type_in("cp pub.pem key.pem; flow export last");
    session.check("signed");
}
