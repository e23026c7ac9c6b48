//! Undoing and rolling back: in reverse order, each once, also over crashes; and on from there.

use crate::bench::{Bench, until};

const SAGA: &str = r#"
settings(#{ max_parallel: 1 });
let step = |name| sh(name, `echo ${name} >> ran`).undo(sh("no-" + name, `echo no-${name} >> ran`));
let a = step.call("a");
let b = step.call("b").checkpoint("halfway");
let each = each("vm", ["x", "y"], |vm| sh("up", `echo up-${vm} >> ran; echo ${vm}`).undo(sh("down", `echo down-${vm} >> ran`)));
let c = sh("c", "echo c >> ran; [ -e ok ]");
a -> b -> each -> c;
"#;

#[test]
fn a_failed_run_is_undone_back_to_its_checkpoint() {
    let bench = Bench::with(SAGA);
    bench.flow(&["script", "test.rhai", "--quiet"]).code(1);
    assert_eq!(bench.lines("ran"), ["a", "b", "up-x", "up-y", "c", "down-y", "down-x"]);
    // Again would be once too often.
    bench.flow(&["rollback", "last", "--to", "halfway", "--quiet"]).ok();
    assert_eq!(bench.lines("ran").len(), 7);
    assert_eq!(bench.status(), "paused");
    bench.write("ok", "");
    bench.flow(&["resume", "last", "--quiet"]).ok();
    assert_eq!(bench.lines("ran")[7..], ["up-x", "up-y", "c"]);
    bench.flow(&["verify", "last"]).ok();
    // A run that went well can be rolled back, too, and further.
    bench.flow(&["rollback", "last", "--to", "start", "--quiet"]).ok();
    assert_eq!(bench.lines("ran")[10..], ["down-y", "down-x", "no-b", "no-a"]);
    bench.flow(&["resume", "last", "--quiet"]).ok();
    assert_eq!(bench.lines("ran").len(), 19);
    assert_eq!(bench.runs().len(), 1);
}

#[test]
fn what_undoes_the_step_that_failed_has_nothing_to_do() {
    let bench = Bench::with(
        r#"
        let flight = sh("flight", "echo flight >> ran").undo(sh("no-flight", "echo no-flight >> ran"));
        let pay = sh("pay", "[ -e money ] && echo paid >> ran").undo(sh("refund", "echo refund >> ran"));
        flight -> pay;
        "#,
    );
    bench.flow(&["script", "test.rhai", "--quiet"]).code(1);
    assert_eq!(bench.lines("ran"), ["flight", "no-flight"]);
    bench.write("money", "");
    bench.flow(&["rollback", "last", "--to", "start", "--quiet"]).ok();
    bench.flow(&["resume", "last", "--quiet"]).ok();
    assert_eq!(bench.lines("ran")[2..], ["flight", "paid"]);
    bench.flow(&["rollback", "last", "--to", "start", "--quiet"]).ok();
    assert_eq!(bench.lines("ran")[4..], ["refund", "no-flight"]);
}

#[test]
fn what_is_not_there_is_not_gone_back_to() {
    let bench = Bench::with(SAGA);
    bench.write("ok", "");
    bench.flow(&["script", "test.rhai", "--quiet"]).ok();
    let events = bench.open().records("last", 0).unwrap().len();
    bench.flow(&["rollback", "last", "--to", "halfwy"]).diagnostic(2, "flow::run::no_checkpoint");
    bench.flow(&["rollback", "last", "--to", "halfwy", "--dry-run"]).diagnostic(2, "flow::run::no_checkpoint");
    bench.flow(&["rollback", "nobody", "--to", "halfway"]).diagnostic(2, "flow::run::unknown");
    bench.flow(&["rollback", "last", "--to", "halfway", "--dry-run"]).ok();
    assert_eq!(bench.open().records("last", 0).unwrap().len(), events);
    assert_eq!(bench.lines("ran").len(), 5);
}

#[test]
fn nothing_is_undone_by_a_log_that_was_changed() {
    let bench = Bench::with(SAGA);
    bench.write("ok", "");
    bench.flow(&["script", "test.rhai", "--quiet"]).ok();
    let database = rusqlite::Connection::open(bench.path(".flow/flow.db")).unwrap();
    let changed = database.execute("UPDATE events SET at = at + 1 WHERE key & 0xffffffff = 2", []);
    assert_eq!(changed.unwrap(), 1);
    drop(database);
    bench.flow(&["rollback", "last", "--to", "start"]).diagnostic(1, "flow::store::tampered");
    assert_eq!(bench.lines("ran").len(), 5);
}

/// Each undo says that it has begun, waits until it may end, and says that it has ended.
const SLOW: &str = r#"
let step = |name| sh(name, `echo ${name} >> ran`)
    .undo(sh("no-" + name, `echo begin-${name} >> ran; until [ -e may-${name} ]; do sleep 0.01; done; echo end-${name} >> ran`));
step.call("a") -> step.call("b") -> step.call("c") -> sh("d", "exit 1");
"#;

#[test]
fn killed_in_the_midst_of_undoing_nothing_is_undone_twice() {
    let bench = Bench::with(SLOW);
    let going = bench.start(&["script", "test.rhai", "--quiet"]);
    bench.write("may-c", "");
    until("the second undo", || bench.lines("ran").contains(&"begin-b".to_owned()).then_some(()));
    going.kill();
    until("an interrupted run", || (bench.status() == "interrupted").then_some(()));
    // The step that was cut off is made again; what had ended is not.
    bench.write("may-b", "");
    bench.write("may-a", "");
    bench.flow(&["resume", "last", "--quiet"]).code(1);
    let ran = bench.lines("ran");
    let count = |line: &str| ran.iter().filter(|other| *other == line).count();
    assert_eq!((count("begin-c"), count("end-c")), (1, 1), "{ran:?}");
    assert_eq!((count("begin-b"), count("begin-a"), count("end-a")), (2, 1, 1), "{ran:?}");
    assert!(count("end-b") >= 1, "{ran:?}");
    assert_eq!(bench.status(), "failed");
}

#[test]
fn killed_in_the_midst_of_rolling_back_it_goes_on_with_that() {
    let bench = Bench::with(&SLOW.replace("exit 1", "true"));
    bench.flow(&["script", "test.rhai", "--quiet"]).ok();
    bench.write("may-c", "");
    let going = bench.start(&["rollback", "last", "--to", "a", "--quiet"]);
    until("the second undo", || bench.lines("ran").contains(&"begin-b".to_owned()).then_some(()));
    going.kill();
    until("an interrupted run", || (bench.status() == "interrupted").then_some(()));
    bench.write("may-b", "");
    bench.flow(&["rollback", "last", "--to", "a", "--quiet"]).ok();
    let ran = bench.lines("ran");
    assert_eq!(ran.iter().filter(|line| *line == "begin-c").count(), 1, "{ran:?}");
    assert!(!ran.contains(&"begin-a".to_owned()), "{ran:?}");
    assert_eq!(bench.status(), "paused");
    bench.flow(&["resume", "last", "--quiet"]).ok();
    assert_eq!(bench.lines("ran").iter().filter(|line| *line == "c").count(), 2);
}
