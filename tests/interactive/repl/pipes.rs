//! Sessions over pipes, with all that comes out.

use std::io::Write;
use std::process::Stdio;

use crate::transcript::Session;

/// Holds a session with these entries and compares what comes out.
fn transcript(name: &str, sessions: &[(&str, &str)]) -> Session {
    let mut session = Session::new();
    for (title, entries) in sessions {
        session.file(&format!("{title}.rhai"), entries);
        session.type_in(&format!("flow repl < {title}.rhai"));
    }
    session.check(&format!("repl/{name}"));
    session
}

#[test]
fn values_are_shown_and_steps_run() {
    let first = r#"
// A comment is no entry.
1 + 1
"a text"
[1, 2.5, true]
let m = #{ a: 1,
  b: [1, 2, 3] };
m.b
m.b.len()
fn twice(x) {
  x * 2
}
twice(4)
print("said")
let hello = sh("hello", "echo hello");
hello
hello.output
`text with ${hello.output}`
run(hello)
hello
hello.output
hello.output.len()
`text with ${hello.output}`
"#;
    let second = r#"
let cover = sh("cover", "echo '{\"percent\": 87, \"files\": [\"a\", \"b\"]}'");
let told = sh("told", `echo ${cover.percent} percent`)
cover -> told
:steps
:graph
:type cover.percent
:run
:type cover.percent
cover.percent > 80
cover
told.output
each("n", [1], |n| sh("say", `echo ${n}`))
:run
:steps
:run
"#;
    transcript("values", &[("first", first), ("second", second)]);
}

#[test]
fn a_stream_is_drawn_as_it_was_written() {
    let entries = r#"
sh("a", "echo 1") |> sh("b", "cat");
:graph
let z = sh("z", "true");
stream("w", [sh("c", "cat"), [sh("d", "cat"), sh("e", "cat")]]).after(z);
:graph
"#;
    transcript("streams", &[("first", entries)]);
}

#[test]
fn an_entry_that_is_wrong_changes_nothing() {
    let wrong = r#"
let a = sh("a", "echo 1")
foo(1)
let a 3
x ? 1 : 2
b
a.output == "1"
let c = sh("c", "echo 2"); d
:steps
sh("a" "b")
chain([a
"#;
    let failing = r#"
let bad = sh("bad", "echo oh no >&2; exit 3");
let after = sh("after", "echo after").after(bad);
run(bad)
bad.code
bad.stderr
if bad.failed { print("it failed") }
run(after)
:why after
:logs bad
:show bad
:run
"#;
    transcript("wrong", &[("wrong", wrong), ("failing", failing)]);
}

#[test]
fn entries_are_taken_back_replaced_and_saved() {
    let undone = r#"
:undo
let a = sh("a", "echo 1")
let b = sh("b", "echo 2").after(a)
:run
:undo
:steps
a.output
b
:reset
:steps
a
"#;
    let replaced = r#"
let a = sh("a", "echo 1");
let b = sh("b", `echo ${a.output} and more`);
:run
b.output
let a = sh("a", "echo 2");
:steps
:run
b.output
let x = a.output.len();
let a = sh("a", "echo 3");
"#;
    let saved = r#"
let a = sh("a", "echo 1") // the first
1 + 1
let m = #{ x: 1 }
:run
sh("b", `echo ${a.output}`)
  .retry(2)
:run
fn f() { 2 }
:save saved.rhai
:save saved.rhai
:reset
let z = 1;
:save saved.rhai
:save! other.rhai
:load missing.rhai
:load saved.rhai
:steps
"#;
    let session = transcript("entries", &[("undone", undone), ("replaced", replaced), ("saved-by", saved)]);
    let saved = std::fs::read_to_string(session.folder().join("saved.rhai")).expect("it was saved");
    assert_eq!(
        saved,
        "let a = sh(\"a\", \"echo 1\"); // the first\nlet m = #{ x: 1 };\nsh(\"b\", `echo ${a.output}`)\n  .retry(2);\nfn f() { 2 }\n"
    );
    let run = session.run("flow script saved.rhai --quiet --json");
    assert!(run.status.success(), "{run:?}");
}

#[test]
fn a_result_that_was_looked_at_stays_needed() {
    let session = Session::new();
    session.file("s.rhai", "let a = sh(\"a\", \"echo 12\");\n:run\nlet n = a.output.len();\n:save saved.rhai\n");
    assert!(session.run("flow repl < s.rhai").status.success());
    let saved = std::fs::read_to_string(session.folder().join("saved.rhai")).expect("it was saved");
    assert_eq!(saved, "let a = sh(\"a\", \"echo 12\");\nrun();\nlet n = a.output.len();\n");
    assert!(session.run("flow script saved.rhai").status.success());
}

#[test]
fn commands_explain_themselves() {
    let help = ":help\n:help :load\n:help lock\n:help nothing\n:hlep\n:re\n:load\n:undo 3\n:type\n:why\n:run\n:runs\n:resume x\n";
    transcript("help", &[("help", help)]);
}

#[test]
fn parameters_and_a_script_to_begin_with() {
    let session = Session::new();
    session.file("d.rhai", "let env = param(\"env\", #{ default: \"staging\" });\nlet d = sh(\"d\", `echo ${env}`);\n");
    let said = session.run("printf 'env\\nrun(d)\\n' | flow repl d.rhai --arg env=production");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "\"production\"\n\"production\"\n");
    let said = session.run("printf 'param(\"version\")' | flow repl");
    assert_eq!(said.status.code(), Some(2));
}

#[test]
fn what_a_pipe_may_hold() {
    let session = Session::new();
    // Not UTF-8, a line that is never closed, carriage returns, no end of the last line.
    session.file("bytes", b"let x = 1\r\n\"\xff\"\nx + 1\r\nx +\n2\n`never\nclosed");
    let said = session.run("flow repl < bytes");
    assert_eq!(said.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&said.stdout), "2\n3\n");
    let told = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(told.contains("flow::file::encoding") && told.contains("flow::lang::syntax"), "{told}");
    // Nobody reads the results.
    let said = session.run("yes '1 + 1' | head -20000 | flow repl | head -1; echo ${PIPESTATUS:-}");
    assert!(String::from_utf8_lossy(&said.stdout).starts_with("2\n"), "{said:?}");
}

#[test]
fn five_thousand_lines_are_one_session() {
    let session = Session::new();
    let lines: String = (0..5_000).map(|n| format!("// line {n}\n")).collect();
    session.file("long.rhai", format!("let list = [\n{}];\nlist.len()\n", "  1,\n".repeat(5_000)));
    session.file("comments.rhai", format!("{lines}1 + 1\n"));
    assert_eq!(String::from_utf8_lossy(&session.run("flow repl < long.rhai").stdout), "5000\n");
    assert_eq!(String::from_utf8_lossy(&session.run("flow repl < comments.rhai").stdout), "2\n");
}

#[test]
fn a_script_that_loops_is_ended_by_ctrl_c() {
    let session = Session::new();
    let mut repl = session
        .command("flow")
        .arg("repl")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut entries = repl.stdin.take().expect("a pipe");
    entries.write_all(b"print(1)\nloop {}\n2 + 2\n").expect("it reads");
    let out = repl.stdout.take().expect("a pipe");
    let mut out = std::io::BufReader::new(out);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).expect("it says something");
    assert_eq!(line, "1\n");
    // It is at the loop now, or about to be: signals come until it has noticed.
    let id = rustix::process::Pid::from_child(&repl);
    let begun = std::time::Instant::now();
    let heard = std::thread::spawn(move || {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut out, &mut rest).expect("it says something");
        rest
    });
    drop(entries);
    std::thread::sleep(std::time::Duration::from_millis(300));
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it is there");
    let rest = heard.join().expect("it ends");
    assert_eq!((rest.as_str(), repl.wait().expect("it ends").code()), ("4\n", Some(2)));
    assert!(begun.elapsed() < std::time::Duration::from_secs(50));
}

#[test]
fn what_a_secret_step_gave_is_not_shown() {
    let session = Session::new();
    let entries = "let t = sh(\"t\", \"printf 'pass-%s' word\").secret();\nrun(t)\nt.output\n`x ${t.output} y`\nt.output.len()\n:show t\n";
    session.file("s.rhai", entries);
    for options in ["", "--json"] {
        let said = session.run(&format!("flow repl {options} < s.rhai"));
        let out = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.status.success() && !out.contains("pass-word") && out.contains("x *** y"), "{out}");
    }
}

#[test]
fn modules_are_looked_for_beside_the_script_that_a_session_begins_with() {
    let session = Session::new();
    session.file("deploy/parts/p.rhai", "fn build() { sh(\"build\", \"echo built\") }");
    session.file("deploy/d.rhai", "import \"parts/p\" as p;\nlet b = p::build();\n");
    let said = session.run("printf 'run(b)\\n' | flow repl deploy/d.rhai");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "\"built\"\n", "{said:?}");
    let said = session.run("printf 'b.output\\n' | flow repl --resume last");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "\"built\"\n", "{said:?}");
}

#[test]
fn what_failed_is_tried_again_and_nothing_else() {
    let session = Session::new();
    session.file(
        "s.rhai",
        "print(\"once\")\nlet bad = sh(\"bad\", \"echo x >> bad; exit 1\");\nlet good = sh(\"good\", \"echo x >> good; echo good\");\n\
         run(bad)\nrun(good)\nlet n = good.output.len();\n:run\nrun(bad)\nrun(sh(\"late\", \"echo x >> late\"))\n:run\nn\n",
    );
    let said = session.run("flow repl --quiet < s.rhai");
    let out = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!((out.as_str(), said.status.code()), ("once\n\"good\"\n\"\"\n4\n", Some(1)), "{said:?}");
    let runs = |name: &str| std::fs::read_to_string(session.folder().join(name)).expect("it ran").lines().count();
    assert_eq!((runs("bad"), runs("good"), runs("late")), (4, 1, 1));
}
