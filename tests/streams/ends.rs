//! How streams end, well and badly.

use std::fs;

use flow::event::FailureKind;
use flow::exec::Executor;
use flow::plan::StepId;
use serde_json::json;

use super::bench::{Bench, sh};

#[test]
fn a_reader_that_ends_early_ends_those_who_write_for_it() {
    let bench = Bench::new();
    let ended = bench.run(vec![vec![sh("a", "exec yes")], vec![sh("b", "cat")], vec![sh("c", "head -2")]]);
    ended.all_good();
    assert_eq!(ended.output("c"), json!("y\ny"));
    assert!(["a", "b"].iter().all(|name| ended.of(name).streamed.as_ref().is_some_and(|streamed| streamed.cut_short)));
    assert!(!ended.of("c").streamed.as_ref().expect("a stream").cut_short);
}

#[test]
fn a_writer_that_does_not_notice_is_ended() {
    let bench = Bench::new();
    let ended = bench.run_as(vec![vec![sh("a", "echo x; sleep 1000")], vec![sh("b", "head -1")]], |stream| {
        stream.linger_ms = 100;
    });
    ended.all_good();
    assert!(ended.of("a").streamed.as_ref().expect("a stream").cut_short);
}

#[test]
fn whatever_a_writer_says_that_nobody_reads_any_more() {
    let bench = Bench::new();
    let script = "trap '' PIPE; while echo x; do :; done; exit 3";
    let ended = bench.run(vec![vec![sh("a", script)], vec![sh("b", "head -1")]]);
    assert_eq!(ended.good("a").code, Some(3));
    assert!(ended.of("a").streamed.as_ref().expect("a stream").cut_short);
}

#[test]
fn a_writer_that_fails_is_never_taken_for_whole() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", "seq 10; exit 3")],
        vec![sh("b", "cat > part; mv part whole")],
        vec![sh("c", "cat; echo end >> ended")],
    ]);
    assert_eq!(ended.error("a").kind, FailureKind::Exit);
    assert_eq!(ended.error("b").kind, FailureKind::Cancelled);
    assert_eq!(ended.error("c").kind, FailureKind::Cancelled);
    assert!(!bench.path().join("whole").exists() && !bench.path().join("ended").exists());
}

#[test]
fn a_writer_may_fail_where_it_is_said() {
    let bench = Bench::new();
    let ended = bench.run(vec![vec![sh("a", "seq 3; exit 3").or_not()], vec![sh("b", "cat; echo end")]]);
    assert_eq!(ended.error("a").kind, FailureKind::Exit);
    ended.good("b");
    assert_eq!(ended.text("b"), "1\n2\n3\nend\n");
}

#[test]
fn a_reader_may_fail_where_it_is_said() {
    let bench = Bench::new();
    let ended = bench.run(vec![vec![sh("a", "exec yes")], vec![sh("b", "head -1; exit 4").or_not()]]);
    assert_eq!(ended.error("b").kind, FailureKind::Exit);
    assert!(ended.good("a").streamed.as_ref().expect("a stream").cut_short);
}

#[test]
fn a_member_in_the_middle_is_killed() {
    let bench = Bench::new();
    let ended = bench.run_while(
        vec![
            vec![sh("a", "exec yes")],
            vec![sh("b", "echo $$ > b.pid; exec cat")],
            vec![sh("c", "cat > part; mv part whole")],
        ],
        |_| {},
        |bench| {
            let pid = bench.wait_for("b.pid");
            let killed = std::process::Command::new("kill").args(["-9", &pid]).status().expect("kill is there");
            assert!(killed.success());
        },
    );
    assert_eq!(ended.error("b").kind, FailureKind::Signal);
    assert!(ended.of("a").error.is_some() && ended.of("c").error.is_some());
    assert!(!bench.path().join("whole").exists());
}

#[test]
fn a_cancelled_stream_leaves_nothing_running() {
    let bench = Bench::new();
    let ended = bench.run_while(
        vec![
            vec![sh("a", "echo $$ > a.pid; yes | cat")],
            vec![sh("b", "sleep 1000 & echo $! > b.pid; cat > /dev/null; wait")],
        ],
        |_| {},
        |bench| {
            bench.wait_for("a.pid");
            bench.wait_for("b.pid");
            bench.executors.kill(StepId(1), 1, false);
            bench.executors.kill(StepId(2), 1, false);
        },
    );
    assert_eq!(ended.error("a").kind, FailureKind::Cancelled);
    assert_eq!(ended.error("b").kind, FailureKind::Cancelled);
    for pid in ["a.pid", "b.pid"].map(|file| bench.wait_for(file)) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    }
}

#[test]
fn a_program_that_is_not_there_fails_the_stream() {
    let bench = Bench::new();
    let ended = bench.run(vec![vec![sh("a", "exec yes")], vec![sh("b", "flow-no-such-program")]]);
    assert_eq!(ended.error("b").kind, FailureKind::Exit);
    assert!(ended.of("a").error.is_some());
}

#[test]
fn what_it_leaves_in_the_background_may_finish_writing() {
    let bench = Bench::new();
    // As with `>(…)` of bash, which nobody waits for.
    let ended = bench.run(vec![
        vec![sh("a", "mkfifo go; (read x < go; echo late) & echo soon; touch ended")],
        vec![sh("b", "while [ ! -e ended ]; do :; done; echo > go; cat")],
    ]);
    ended.all_good();
    assert_eq!(ended.text("b"), "soon\nlate\n");
}

#[test]
fn a_full_disk_ends_the_log_and_not_the_stream() {
    let bench = Bench::new();
    let logs = bench.path().join("run/logs");
    fs::create_dir_all(&logs).expect("a folder");
    std::os::unix::fs::symlink("/dev/full", logs.join("1-stream_a.1.out")).expect("a link");
    let ended = bench.run(vec![vec![sh("a", "seq 1000")], vec![sh("b", "wc -l")]]);
    ended.all_good();
    assert_eq!(ended.output("b"), json!("1000"));
    let streamed = ended.of("a").streamed.as_ref().expect("a stream");
    assert!(streamed.partly_kept && streamed.not_kept.contains("space"), "{streamed:?}");
}
