//! `flow pipeline`: dead letters, and runs that take them up again; and what is shown of streams and races.

use crate::transcript::Session;

/// Fails for `bert` and `dora` until there is a file of their name. What it uses of other steps is as it was then.
const POST: &str = r#"let office = task("office", #{ name: "the office" });
let who = sh("who", "echo boss; echo asked >> asked.txt");
let stamp = sh("stamp", "date +%s%N");
pipeline("post")
    .from(["ann", "bert", "carl", "dora"])
    .stage("greet", |name| `${name}: from ${who.output} of ${office.output.name}`)
    .sh("send", `case "$ITEM" in bert*) [ -e bert ] ;; dora*) [ -e dora ] ;; esac; printf '%s\n' "$ITEM"`, #{ on_error: "dead_letter", retry: #{ max_attempts: 2, delay: "1ms" } })
    .to(lines("sent.txt"));
sh("after", `true ${stamp.output}`);
"#;

/// The id of the n-th newest run.
fn run(n: u32) -> String {
    format!("$(flow runs | sed -n {}p | cut -d' ' -f1)", n + 1)
}

#[test]
fn dead_letters_are_listed_and_replayed() {
    let mut session = Session::new();
    session.file("post.rhai", POST);
    session.type_in("flow script post.rhai --quiet; cat sent.txt").type_in("flow pipeline dead");
    session.type_in("touch dora; flow pipeline replay last --quiet; cat sent.txt");
    session.type_in("flow show last").type_in("flow pipeline dead last post");
    session.type_in(&format!("flow pipeline dead {}", run(2)));
    session.type_in(&format!("touch bert; flow pipeline replay {} post --quiet; cat sent.txt", run(2)));
    session.type_in(&format!("flow pipeline replay {}", run(3)));
    session.type_in(&format!("flow pipeline replay {} --all --quiet; cat sent.txt", run(3)));
    session.type_in("wc -l < asked.txt; flow runs; flow script post.rhai --resume last --quiet; flow runs | wc -l");
    session.check("pipeline");
}

#[test]
fn the_last_run_is_the_one_that_a_person_started() {
    let mut session = Session::new();
    session.file("greet.rhai", "let who = param(\"who\"); sh(\"say\", `[ ${who} != bert ] && echo hello ${who}`);\n");
    session.file(
        "all.rhai",
        "pipeline(\"all\").from([#{ who: \"ann\" }, #{ who: \"bert\" }])\n    \
         .workflow(\"greet\", \"greet.rhai\", #{ on_error: \"dead_letter\" });\n",
    );
    session.type_in("flow script all.rhai --quiet").type_in("flow pipeline dead").type_in("flow runs | cat");
    session.type_in(&format!("flow show {}", run(1)));
    session.type_in(&format!("[ $(flow show last | sed -n 's/^ *run *//p') = {} ] && echo it is", run(3)));
    session.check("pipeline-workflow");
}

/// An output of which only a part was kept is none; of many streams the figures are told when they are asked for.
#[test]
fn what_streams_keep_is_whole_or_not_given() {
    let mut session = Session::new();
    session.file(
        "tee.rhai",
        "let a = sh(\"a\", \"seq 1 99999\");\nstream(\"s\", [a, sh(\"b\", \"wc -l\")], #{ tee: \"1 KiB\" });\n\
         sh(\"c\", `echo ${a.output}`);\n",
    );
    session.file("many.rhai", "each(\"e\", 1..=30, |n| sh(\"a\", `echo ${n}`) |> sh(\"b\", \"cat\"));\n");
    session.type_in("flow script tee.rhai --quiet");
    session.type_in("flow script tee.rhai --quiet --json | sed 's/^.*\"steps\"://; s/,\"code.*//'");
    session.type_in("flow script many.rhai --quiet; flow show").type_in("flow show --all | grep -c member");
    session.check("streams");
}

#[test]
fn what_was_ended_as_not_needed_had_begun() {
    let mut session = Session::new();
    session.file(
        "race.rhai",
        "settings(#{ max_parallel: 8 });\n\
         race(\"r\", [\n    \
             sh(\"a\", \"until [ -e b ] && [ -e s ]; do sleep 0.01; done\"),\n    \
             sh(\"b\", \"touch b; echo begun; sleep 20\"),\n    \
             sh(\"s1\", \"touch s; sleep 20\") |> sh(\"s2\", \"sleep 20\"),\n]);\n",
    );
    session
        .type_in("flow script race.rhai --quiet; flow show")
        .type_in("flow why last r/b")
        .type_in("flow why last r/s1");
    session.check("race");
}

#[test]
fn what_cannot_be_replayed_is_said() {
    let mut session = Session::new();
    let failing = r#"|n| if n == 2 { throw "no" } else { n }, #{ on_error: "dead_letter" }"#;
    session.file("none.rhai", "sh(\"a\", \"true\");\n").file(
        "two.rhai",
        format!(
            "let x = pipeline(\"x\").from(1..=3).stage(\"s\", {failing});\n\
             let y = pipeline(\"y\").from(1..=3).stage(\"s\", {failing});\n\
             let z = pipeline(\"z\").from(1..=3);\nchain(\"all\", [x, y, z]);\n"
        ),
    );
    session.type_in("flow pipeline replay last").type_in("flow script none.rhai --quiet");
    session.type_in("flow pipeline dead last").type_in("flow pipeline replay last a");
    session.type_in("flow script two.rhai --quiet").type_in("flow pipeline dead last");
    session.type_in("flow pipeline replay last").type_in("flow pipeline replay last z");
    session.type_in("flow pipeline replay last xy").type_in("flow pipeline dead last all --json | wc -l");
    session.type_in("flow logs last y");
    session.check("pipeline-wrong");
}

/// Killed in the middle, a replay is taken up as any other run is, and nothing of it is lost.
#[test]
fn a_replay_that_was_killed_goes_on() {
    let session = Session::new();
    session.file(
        "many.rhai",
        r#"pipeline("many").from(0..40)
    .sh("send", "[ -e up ] || exit 1; if [ $ITEM = 25 ] && [ ! -e killed ]; then touch killed; kill -9 $PPID; sleep 1; fi; echo $ITEM", #{ on_error: "dead_letter" })
    .to(lines("sent.txt"));
"#,
    );
    session.run("flow script many.rhai --quiet; touch up; flow pipeline replay last --quiet");
    let refused = session.run(&format!("flow pipeline replay {}", run(2)));
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("flow::pipeline::going_on"));
    let resumed = session.run("flow resume last --quiet");
    assert_eq!(resumed.status.code(), Some(0), "{}", String::from_utf8_lossy(&resumed.stderr));
    let sent = std::fs::read_to_string(session.folder().join("sent.txt")).expect("it was written");
    let mut sent: Vec<u32> = sent.lines().map(|line| line.parse().expect("a number")).collect();
    sent.sort_unstable();
    assert_eq!(sent, (0..40).collect::<Vec<_>>());
    let left = session.run(&format!("flow pipeline replay {}", run(2)));
    assert!(String::from_utf8_lossy(&left.stderr).contains("flow::pipeline::no_letters"));
}

#[test]
fn a_secret_item_is_not_shown() {
    let session = Session::new();
    session.file(
        "secret.rhai",
        r#"pipeline("p").from(lines("in.txt")).stage("s", |x| { throw "no" }, #{ on_error: "dead_letter" }).secret();
"#,
    );
    session.file("in.txt", "hunter2\n");
    session.run("flow script secret.rhai --quiet");
    let shown = session.run("flow pipeline dead last; flow pipeline dead last --json; flow show last; flow why last p");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("***") && !shown.contains("hunter2"), "{shown}");
}
