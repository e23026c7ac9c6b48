//! Bad input: every wrong thing is a diagnostic that says what to do, never a panic, never a lost step.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::bench::{Bench, copy};

const THREE: &str = r#"
let a = sh("a", "echo a >> ran; echo a");
let b = call("b", || a.output + "b");
sh("c", `echo ${b.output} >> ran`);
"#;

#[test]
fn scripts_that_are_none() {
    let bench = Bench::new();
    bench.write("latin.rhai", b"let a = \"caf\xe9\";");
    bench.write("zero.rhai", b"sh(\"a\", \"true\");\0\0");
    bench.write("big.rhai", vec![b'\n'; 10 << 20]);
    bench.write("deep.rhai", format!("let a = {}1{};", "(".repeat(100_000), ")".repeat(100_000)));
    bench.write("nested.rhai", format!("{}{}", "if true {".repeat(5_000), "}".repeat(5_000)));
    bench.write("longer.rhai", "let a = \"x\"; loop { a += a; }");
    bench.write("recursive.rhai", "fn f(n) { f(n + 1) } f(0);");
    bench.write("itself.rhai", "import \"itself\" as i; sh(\"a\", \"true\");");
    bench.write("outside.rhai", "import \"../../etc/passwd\" as i; sh(\"a\", \"true\");");
    for (file, code) in [
        ("missing.rhai", "flow::file::missing"),
        (".", "flow::file::unreadable"),
        ("latin.rhai", "flow::file::encoding"),
        ("big.rhai", "flow::file::too_large"),
        ("zero.rhai", "flow::"),
        ("deep.rhai", "flow::lang::"),
        ("nested.rhai", "flow::lang::"),
        ("longer.rhai", "flow::lang::"),
        ("recursive.rhai", "flow::lang::"),
        ("itself.rhai", "flow::lang::"),
        ("outside.rhai", "flow::lang::"),
    ] {
        for command in ["script", "check", "plan"] {
            let ended = bench.flow(&[command, file]);
            assert!(ended.err.contains(code), "{command} {file}: {:.2000}", ended.err);
            ended.diagnostic(2, code);
        }
    }
    assert!(!bench.path(".flow").exists(), "nothing was to be executed");
}

#[test]
fn wrong_parameters() {
    let bench = Bench::with(
        r#"
        param("version");
        let n = param("n", #{ default: 3, one_of: [3, 4] });
        let on = param("on", #{ default: true });
        sh("a", "touch ran");
        "#,
    );
    for (args, code) in [
        (&[][..], "flow::param::missing"),
        (&["--arg", "version=1", "--arg", "vers=2"], "flow::param::unknown"),
        (&["--arg", "version=1", "--arg", "n=x"], "flow::param::value"),
        (&["--arg", "version=1", "--arg", "n=5"], "flow::param::value"),
        (&["--arg", "version=1", "--arg", "on=maybe"], "flow::param::value"),
        (&["--arg", "version"], "flow::cli::usage"),
        (&["--version-of", "1"], "flow::cli::usage"),
    ] {
        bench.flow(&[&["script", "test.rhai"], args].concat()).diagnostic(2, code);
    }
    assert!(!bench.path("ran").exists() && !bench.path(".flow").exists());
    bench.flow(&["script", "test.rhai", "--arg", "version=1", "--arg", "n=4", "--arg", "on=false"]).ok();
}

/// A finished run whose database has nothing in its write-ahead log.
fn finished() -> Bench {
    let bench = Bench::with(THREE);
    bench.flow(&["script", "test.rhai", "--quiet"]).ok();
    meddle(&bench, "PRAGMA wal_checkpoint(TRUNCATE)");
    bench
}

/// Changes the database as somebody else could.
fn meddle(bench: &Bench, sql: &str) {
    rusqlite::Connection::open(bench.path(".flow/flow.db")).unwrap().execute_batch(sql).unwrap();
}

/// All that can be asked of a folder of runs.
const QUESTIONS: [&[&str]; 8] = [
    &["runs"],
    &["show", "last"],
    &["logs", "last"],
    &["why", "last"],
    &["verify", "last"],
    &["resume", "last"],
    &["cancel", "last"],
    &["script", "test.rhai"],
];

#[test]
fn a_newer_database_is_left_alone() {
    let bench = finished();
    meddle(&bench, "PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)");
    let before = std::fs::read(bench.path(".flow/flow.db")).unwrap();
    for question in QUESTIONS {
        bench.flow(question).diagnostic(1, "flow::store::newer");
    }
    assert!(before == std::fs::read(bench.path(".flow/flow.db")).unwrap());
    assert_eq!(bench.lines("ran"), ["a", "ab"], "nothing ran");
}

#[test]
fn damaged_pages_are_named() {
    let bench = finished();
    let path = bench.path(".flow/flow.db");
    let whole = std::fs::read(&path).unwrap();
    let mut named = 0;
    for page in 0..whole.len() / 4096 {
        let mut bytes = whole.clone();
        bytes[page * 4096..][..4096].iter_mut().for_each(|byte| *byte ^= 0x5a);
        std::fs::write(&path, bytes).unwrap();
        for end in ["wal", "shm"] {
            let _ = std::fs::remove_file(bench.path(&format!(".flow/flow.db-{end}")));
        }
        for question in [&["verify", "last"][..], &["show", "last"], &["runs"], &["why", "last", "b"]] {
            let ended = bench.flow(question);
            if ended.code != Some(0) {
                named += 1;
                assert!(matches!(ended.code, Some(1 | 2)), "page {page}: {ended:?}");
                assert!(ended.err.contains("flow::") && ended.err.contains("help:"), "page {page}: {}", ended.err);
            }
        }
    }
    assert!(named > 4, "{named}");
}

#[test]
fn a_log_whose_end_was_cut_off_is_named() {
    for (sql, event) in [
        ("DELETE FROM events WHERE key & 0xffff > 6", "event 6"),
        ("DELETE FROM events WHERE key & 0xffff = 3", "event 3"),
        ("DELETE FROM events", "ends with nothing"),
        ("UPDATE events SET event = replace(event, '\"ab\"', '\"xx\"')", "event "),
        ("UPDATE events SET at = at + 1 WHERE key & 0xffff = 4", "event 4"),
        ("UPDATE events SET event = 'x' WHERE key & 0xffff = 2", "event 2"),
        ("UPDATE runs SET status = 'failed'", "status"),
        ("DELETE FROM sources", "test.rhai"),
    ] {
        let bench = finished();
        meddle(&bench, sql);
        let ended = bench.flow(&["verify", "last"]);
        assert!(ended.err.contains(event), "{sql}: {}", ended.err);
        ended.diagnostic(1, "flow::store::tampered");
        let data = bench.flow(&["verify", "last", "--json"]).code(1).json();
        assert_eq!(data["error"]["code"], "flow::store::tampered", "{data}");
        for question in QUESTIONS.iter().filter(|question| question[0] != "script") {
            let ended = bench.flow(question);
            assert!(matches!(ended.code, Some(0..=2)), "{ended:?}");
            assert!(ended.code == Some(0) || ended.err.contains("help:"), "{question:?} after {sql}: {}", ended.err);
        }
        // Other runs are not worse off.
        bench.flow(&["script", "test.rhai", "--quiet"]).ok();
        bench.flow(&["verify", "last"]).ok();
    }
}

#[test]
fn a_tampered_run_is_not_taken_up() {
    let bench = Bench::with(r#"sh("a", "echo a >> ran; [ -e go ] || sleep 600") -> sh("b", "echo b >> ran");"#);
    let going = bench.start(&["script", "test.rhai"]);
    bench.wait_for("ran", 1);
    going.kill();
    bench.write("go", "");
    meddle(&bench, "UPDATE events SET event = replace(event, 'echo b', 'rm -rf') WHERE key & 0xffff > 0");
    for args in [&["resume", "last"][..], &["script", "test.rhai", "--resume", "last"]] {
        bench.flow(args).diagnostic(1, "flow::store::tampered");
    }
    assert_eq!(bench.lines("ran"), ["a"]);
}

#[test]
fn places_where_nothing_can_be_written() {
    let bench = Bench::with(THREE);
    bench.write("file", "x");
    std::fs::create_dir_all(bench.path("taken/flow.db")).unwrap();
    std::fs::create_dir(bench.path("read-only")).unwrap();
    std::fs::set_permissions(bench.path("read-only"), PermissionsExt::from_mode(0o555)).unwrap();
    // Who is root may write everywhere.
    let refused = std::fs::write(bench.path("read-only/x"), "").is_err();
    let homes = ["file", "file/below", "/proc/nothing", "/dev/null", "taken", "read-only/home"];
    for home in homes.iter().filter(|home| refused || **home != "read-only/home") {
        let run = |args: &[&str]| {
            let output = bench.command(args).env("FLOW_HOME", home).output().unwrap();
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let (code, err) = run(&["script", "test.rhai"]);
        assert!(err.contains("flow::store::") && err.contains("help:"), "{home}: {err}");
        assert_eq!(code, Some(1), "{home}: {err}");
        for question in QUESTIONS {
            let (code, err) = run(question);
            assert!(!err.contains("panicked"), "{home} {question:?}: {err}");
            assert!(code == Some(0) || err.contains("help:"), "{home} {question:?}: {err}");
        }
    }
    assert!(!bench.path("ran").exists(), "nothing ran");
}

#[test]
fn a_finished_run_can_be_looked_at_where_nothing_can_be_written() {
    let bench = finished();
    let copied = Bench::new();
    copy(&bench.path(".flow"), &copied.path(".flow"));
    for end in ["wal", "shm"] {
        let _ = std::fs::remove_file(copied.path(&format!(".flow/flow.db-{end}")));
    }
    for name in ["flow.db", ""] {
        std::fs::set_permissions(copied.path(&format!(".flow/{name}")), PermissionsExt::from_mode(0o555)).unwrap();
    }
    for question in [&["runs"][..], &["show", "last"], &["logs", "last"], &["why", "last"], &["verify", "last"]] {
        copied.flow(question).ok();
    }
    std::fs::set_permissions(copied.path(".flow"), PermissionsExt::from_mode(0o755)).unwrap();
}

/// Files that may not grow any further stand in for a full disk: writing fails at some moment.
#[test]
fn when_nothing_more_can_be_written_the_run_stops_and_loses_nothing() {
    let script = r#"
        for i in 1..=60 {
            sh(`s${i}`, "echo $FLOW_STEP_KEY >> ran; seq 2000");
        }
    "#;
    for blocks in ["500", "800", "1200"] {
        let bench = Bench::with(script);
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limited, env!("CARGO_BIN_EXE_flow"), "script", "test.rhai"]);
        let output = command.current_dir(bench.path("")).env_remove("FLOW_HOME").output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{err}");
        assert!(err.contains("flow::store::write") && err.contains("help:") && !err.contains("panicked"), "{err}");
        assert_eq!(bench.status(), "interrupted");
        let state = bench.open().state("last").unwrap();
        let done = state.plan.ids().filter(|id| state.step(*id).status.is_final()).count();
        assert!(done > 0 && done < 60, "{done} steps with {blocks} blocks");
        bench.flow(&["resume", "last", "--quiet"]).ok();
        let mut ran = bench.lines("ran");
        ran.sort();
        for id in state.plan.ids().filter(|id| state.step(*id).status.is_final()) {
            let key = format!("{}/{}", state.created.run, state.plan.path(id));
            assert_eq!(ran.iter().filter(|line| **line == key).count(), 1, "{key} ran again");
        }
        ran.dedup();
        assert_eq!(ran.len(), 60);
        bench.flow(&["verify", "last"]).ok();
    }
}
