//! Approvals and signals: transcripts of their life, and of wrong input.

use crate::transcript::Session;

const RELEASE: &str = r#"let build = sh("build", "echo v1.4");
let gate = approve("gate", #{ prompt: `Ship ${build.output} to production?`, form: #{
    version: #{ type: "string", help: "as in the changelog" },
    hosts: #{ type: "int", default: 3 },
    notify: false,
} });
build -> gate -> sh("ship", `echo ${gate.version} on ${gate.hosts} hosts, says ${gate.by}`);
"#;

const SEVERAL: &str = r#"settings(#{ max_parallel: 1 });
let colour = approve("colour", #{ prompt: "Which colour?", choices: ["blue", "green", "grey"] });
colour -> sh("paint", `echo ${colour.output}`);
let paid = signal("wait-for-payment", #{ signal: "paid" });
paid -> sh("send", `echo ${paid.output}`);
let first = sh("first", "true");
approve("late", #{ prompt: "And now?" }).after(paid);
chain("group", [approve("inner"), sh("last", "true")]);
"#;

fn session() -> Session {
    let session = Session::new();
    session.file("release.rhai", RELEASE).file("several.rhai", SEVERAL);
    session
}

#[test]
fn the_life_of_an_approval() {
    let mut session = session();
    session
        .type_in("flow script release.rhai")
        .type_in("flow runs")
        .type_in("flow show last")
        .type_in("flow why last")
        .type_in("flow why last gate")
        .type_in("flow why last ship")
        .type_in("flow approve last gate --set version=1.4 --by ann --comment 'after lunch'")
        .type_in("flow show last")
        .type_in("flow why last gate")
        .type_in("flow logs last")
        .type_in("FLOW_USER=bob flow approve last gate")
        .type_in("flow script release.rhai --quiet")
        .type_in("FLOW_USER=bob flow approve last gate no --comment 'not on a Friday' --quiet")
        .type_in("flow why last gate");
    session.check("approve");
}

#[test]
fn several_answers() {
    let mut session = session();
    session
        .type_in("flow script several.rhai --quiet")
        .type_in("flow runs")
        .type_in("flow signal last paid '[1, 2]' --by bank --no-resume")
        .type_in("flow signal last paid --by bank --no-resume --json | sed 's/\"at\":[0-9]*/\"at\":0/'")
        .type_in("flow approve last colour green --by ann --no-resume --quiet")
        .type_in("flow resume last")
        .type_in("flow approve last inner --by ann --json --quiet | sed 's/_ms\":[0-9]*/_ms\":0/g'")
        .type_in("flow approve last --by ann --quiet")
        .type_in("flow show last");
    session.check("answers");
}

#[test]
fn wrong_answers() {
    let mut session = session();
    session
        .type_in("flow approve last")
        .type_in("flow script release.rhai --quiet")
        .type_in("flow approve last gaet")
        .type_in("flow approve last no")
        .type_in("flow approve last build")
        .type_in("flow approve last gate maybe")
        .type_in("flow approve last gate yse")
        .type_in("flow approve last gate")
        .type_in("flow approve last gate --set version=1 --set hots=3")
        .type_in("flow approve last gate --set version=1 --set hosts=many")
        .type_in("flow approve last gate --set version=1 --set notify=perhaps")
        .type_in("flow approve last gate --set version")
        .type_in("flow approve last gate --set version=1 --set version=2")
        .type_in("flow signal last paid")
        .type_in("flow approve 20250101-000000-abcd gate")
        .type_in("FLOW_HOME=elsewhere flow approve last gate")
        .type_in("flow show last")
        .type_in("flow script several.rhai --quiet")
        .type_in("flow approve last")
        .type_in("flow approve last colour")
        .type_in("flow approve last colour gren")
        .type_in("flow approve last late")
        .type_in("flow approve last last")
        .type_in("flow approve last group")
        .type_in("flow approve last wait-for-payment")
        .type_in("flow signal last piad")
        .type_in("flow signal last wait-for-payment")
        .type_in("flow approve last colour blue --by ann --quiet")
        .type_in("flow approve last colour blue 2>&1 | sed 's/at [0-9:]*/at CLOCK/'")
        .type_in("flow signal last paid --by bank --quiet")
        .type_in("flow signal last paid 2>&1 | sed 's/at [0-9:]*/at CLOCK/'")
        .type_in("flow cancel last")
        .type_in("flow approve last inner")
        .type_in("flow signal last paid");
    session.check("wrong-answers");
}
