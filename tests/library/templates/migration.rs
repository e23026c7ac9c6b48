//! Migrations of real data, an SQLite database and a folder.

use super::{KILL_FLOW, contents, fails, has, killed_after, run, runs, succeeds, with};
use crate::transcript::Session;

fn shop() -> Session {
    let session = with("migration");
    succeeds(
        &session,
        "sqlite3 shop.db 'create table item(name text, price real); insert into item values (\"tea\", 2.5), (\"cup\", 7);'",
    );
    session
        .file(
            "migrations/001-cents.sql",
            "alter table item add column cents integer;\nupdate item set cents = price * 100;\n",
        )
        .file(
            "migrations/002-stock.sql",
            "create table stock(item text, count integer);\ninsert into stock select name, 3 from item;\n",
        );
    session
}

const ARGS: &str = "--arg data=shop.db --arg stages=001-cents.sql,002-stock.sql";

#[test]
fn a_database_is_migrated_once_and_can_be_had_back() {
    let session = with("migration");
    if !has(&session, "sqlite3") {
        return;
    }
    let session = shop();
    let before = std::fs::read(session.folder().join("shop.db")).expect("the database");
    runs(&session, ARGS);
    assert_eq!(
        succeeds(&session, "sqlite3 shop.db 'select sum(cents), (select count(*) from stock) from item'"),
        "950|2\n"
    );

    // Again: nothing is left to do.
    let after = std::fs::read(session.folder().join("shop.db")).expect("the database");
    let steps = runs(&session, ARGS);
    assert_eq!(steps["migration/001-cents.sql"]["output"], "applied earlier", "{steps:#}");
    assert_eq!(std::fs::read(session.folder().join("shop.db")).expect("the database"), after);

    // A stage that was applied must not change.
    session.file("migrations/001-cents.sql", "select 1;");
    let (_, told) = fails(&session, ARGS);
    assert!(told.contains("001-cents.sql has been changed since it was applied"), "{told}");

    // The run that did it is taken back, to the last byte.
    let id = succeeds(&session, "flow runs --json | sed 's/.*\"run\":\"\\([^\"]*\\)\".*/\\1/' | tail -n 1");
    succeeds(&session, &format!("flow rollback {} --to start --quiet", id.trim()));
    assert_eq!(std::fs::read(session.folder().join("shop.db")).expect("the database"), before);
}

#[test]
fn what_fails_in_the_middle_is_rolled_back_exactly() {
    let session = with("migration");
    if !has(&session, "sqlite3") {
        return;
    }
    let session = shop();
    let before = std::fs::read(session.folder().join("shop.db")).expect("the database");
    session.file("migrations/002-stock.sql", "create table stock(item text);\ninsert into stocks values (1);\n");
    let (steps, told) = fails(&session, ARGS);
    assert!(told.contains("no such table: stocks"), "{told}");
    assert_eq!(steps["migration/001-cents.sql/undo"]["status"], "success", "{steps:#}");
    assert_eq!(std::fs::read(session.folder().join("shop.db")).expect("the database"), before);

    // With a checkpoint the first stage stays.
    fails(&session, &format!("{ARGS} --arg checkpoints=001-cents.sql"));
    assert_eq!(succeeds(&session, "sqlite3 shop.db 'select sum(cents) from item'"), "950\n");

    // A stage whose result is not right is not applied.
    session.file("migrations/002-stock.sql", "delete from item;\n");
    let check = r#"[ "$(sqlite3 "$DATA" "select count(*) from item")" -gt 0 ]"#;
    fails(&session, &format!("{ARGS} --arg check='{check}'"));
    assert_eq!(succeeds(&session, "sqlite3 shop.db 'select count(*) from item'"), "2\n");
}

/// A folder with odd names in it, and two stages, the second of which does what it is given.
fn folder(second: &str) -> Session {
    let session = with("migration");
    session
        .file("data/plain", "a\n")
        .file("data/with blank\nand line", "b\n")
        .file("data/-dash/$(touch pwned)", "c\n")
        .file("migrations/001-split-names.sh", "echo more >> \"$DATA/plain\"; rm -r \"$DATA/-dash\"")
        .file("migrations/002-index.sh", second);
    succeeds(&session, "ln -s nowhere data/link && chmod 750 data/plain && cp -Rp data original");
    session
}

#[test]
fn a_folder_is_as_it_was_when_a_later_stage_fails() {
    let session = folder("rm -r \"$DATA\"/*; exit 3");
    let before = contents(&session.folder().join("data"));
    fails(&session, "");
    assert_eq!(contents(&session.folder().join("data")), before);

    // Optional: the others stay.
    let steps = runs(&session, "--arg optional=002-index.sh");
    assert_eq!(steps["migration/002-index.sh"]["status"], "failed");
    assert_eq!(succeeds(&session, "cat data/plain"), "a\nmore\n");
}

#[test]
fn the_system_stands_still_meanwhile_and_runs_again_afterwards() {
    let session = folder("true");
    let system = "--arg stop='echo stop >> told' --arg start='echo start >> told'";
    let before = contents(&session.folder().join("data"));
    fails(&session, &format!("{system} --arg verify='cat data/plain >> told; exit 1'"));
    // It ran on the new data, was stopped for the way back, and runs again on the old.
    assert_eq!(succeeds(&session, "cat told; rm told"), "stop\nstart\na\nmore\nstop\nstart\n");
    assert_eq!(contents(&session.folder().join("data")), before);
    runs(&session, system);
    assert_eq!(succeeds(&session, "cat told"), "stop\nstart\n");
}

#[test]
fn killed_in_a_stage_it_goes_on() {
    let session = folder(&format!("{KILL_FLOW}\ntouch \"$DATA/done\""));
    if !has(&session, "ps") {
        return;
    }
    assert!(!session.run("flow script t.rhai --quiet").status.success());
    assert_eq!(succeeds(&session, "cat data/plain"), "a\nmore\n", "the first stage is live");
    assert!(!session.folder().join("data/done").exists());
    succeeds(&session, "flow resume last --quiet");
    assert_eq!(succeeds(&session, "cat data/plain; ls data/done"), "a\nmore\ndata/done\n");
}

/// Whenever it is killed: taken up, it is either done or as it was.
#[test]
fn killed_at_any_moment_it_is_done_or_as_it_was() {
    for moment in 0..12 {
        let session = folder("echo x >> \"$DATA/plain\"");
        assert!(killed_after(&session, 15 * moment, &[]), "{moment}");
        assert_eq!(succeeds(&session, "cat data/plain"), "a\nmore\nx\n", "{moment}");

        let session = folder("echo x >> \"$DATA/plain\"; exit 3");
        let before = contents(&session.folder().join("data"));
        assert!(!killed_after(&session, 15 * moment, &[]), "{moment}");
        assert_eq!(contents(&session.folder().join("data")), before, "{moment}");
    }
}

#[test]
fn a_stage_that_was_forgotten_is_named() {
    let session = folder("true");
    session.file("migrations/003-late.sh", "true");
    let (code, _, told) = run(&session, "");
    assert_eq!(code, Some(1));
    assert!(told.contains("migrations/003-late.sh is none of the stages"), "{told}");
}
