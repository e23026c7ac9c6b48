//! A session whose process is killed loses nothing.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use crate::transcript::Session;

#[test]
fn what_had_run_is_taken_up_by_the_next_session() {
    let session = Session::new();
    let mut repl = session
        .command("flow")
        .arg("repl")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut entries = repl.stdin.take().expect("a pipe");
    let text = "let a = sh(\"a\", \"echo first; echo x >> ran\");\nrun(a)\nlet n = a.output.len();\n\
                let b = sh(\"b\", `test -e go || sleep 100; echo second of ${n}`);\nrun(b)\n";
    entries.write_all(text.as_bytes()).expect("it reads");
    // Killed in the midst of the second step.
    let told = BufReader::new(repl.stderr.take().expect("a pipe"));
    assert!(told.lines().map_while(Result::ok).any(|line| line.contains("b: started")));
    repl.kill().expect("it is there");
    repl.wait().expect("it is gone");
    session.file("go", "");
    // Steps b, its entry and the result of a are there; `:run` goes on with what was interrupted.
    let said = session.run("printf 'a.output\\nn\\n:run\\nb.output\\n:steps\\n' | flow repl --resume last");
    let (out, told) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(out.starts_with("\"first\"\n5\n"), "{out}{told}");
    assert!(out.contains("\"second of 5\"") && told.contains("`:run` goes on with: run(b);"), "{out}{told}");
    let ran = std::fs::read_to_string(session.folder().join("ran")).expect("it has run");
    assert_eq!(ran, "x\n", "the first step ran once");
    let runs = session.run("flow runs --json");
    assert_eq!(String::from_utf8_lossy(&runs.stdout).matches("\"status\":\"success\"").count(), 1, "{runs:?}");
}
