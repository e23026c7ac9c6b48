//! The tables of `docs/failures.md` are made from the code; what stands around them is written by hand.

use std::fmt::Write;

use flow::event::{EXIT_CODES, FailureKind, Row, SIGNALS, STATUSES, of_kind};
use flow::plan::{Class, Strategy, unit};

use crate::{is_current, repository};

const PAGE: &str = "docs/failures.md";

fn classes() -> String {
    let mut table = "| class | what it means | what is done |\n| --- | --- | --- |\n".to_owned();
    for (name, class) in Class::ALL {
        let _ = writeln!(table, "| `{name}` | {} | {} |", class.meaning(), strategy(&class.strategy()));
    }
    table
}

fn strategy(strategy: &Strategy) -> String {
    match strategy {
        Strategy::Retry(None) => "`\"retry\"`: as the step's `.retry` says".into(),
        Strategy::Retry(Some(retry)) => format!("`#{{ retry: {} }}`: also without a `.retry`", retry.max_attempts),
        Strategy::Wait(ms) => {
            let least = unit::show_duration(ms.unwrap_or(Strategy::WAIT_MS));
            format!("`\"wait\"`: as the step's `.retry` says, but not before {least} have passed")
        }
        Strategy::Fail => "`\"fail\"`: no further attempt, whatever `.retry` says".into(),
    }
}

fn kinds() -> String {
    let mut table = "| kind | when | class |\n| --- | --- | --- |\n".to_owned();
    for kind in FailureKind::ALL {
        let (class, when) = of_kind(kind);
        let _ = writeln!(table, "| `{}` | {when} | `{}` |", kind.name(), class.name());
    }
    table
}

fn rows(what: &str, rows: &[Row], other: &str) -> String {
    let mut table = format!("| {what} | what it means | class |\n| --- | --- | --- |\n");
    for row in rows {
        let number = if row.from == row.to { row.from.to_string() } else { format!("{} to {}", row.from, row.to) };
        let _ = writeln!(table, "| {number} | {} | `{}` |", row.why, row.class.name());
    }
    table.push_str(other);
    table
}

fn table(name: &str) -> String {
    let other = "| others | it failed by itself | `agent` |\n";
    match name {
        "classes" => classes(),
        "kinds" => kinds(),
        "exit codes" => rows("exit code", EXIT_CODES, other),
        "signals" => rows("signal", SIGNALS, other),
        "statuses" => rows("status", STATUSES, ""),
        other => panic!("{PAGE}: no table is called `{other}`"),
    }
}

/// The page with its tables made anew. Each stands between `<!-- table: name -->` and `<!-- end -->`.
fn page() -> String {
    let page = std::fs::read_to_string(repository(PAGE)).expect("the page is there");
    let mut made = String::new();
    let mut rest = page.as_str();
    while let Some((before, after)) = rest.split_once("<!-- table: ") {
        let (name, after) = after.split_once(" -->\n").expect("the comment ends");
        let (_, after) = after.split_once("<!-- end -->").expect("the table ends");
        let _ = write!(made, "{before}<!-- table: {name} -->\n{}<!-- end -->", table(name));
        rest = after;
    }
    made + rest
}

#[test]
fn the_tables_of_failures_are_current() {
    let page = page();
    assert_eq!(page.matches("<!-- table: ").count(), 5, "all tables are in {PAGE}");
    is_current(PAGE, &page).unwrap_or_else(|difference| panic!("{difference}"));
}
