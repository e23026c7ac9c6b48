//! Sinks against files and programs.

use std::sync::Arc;

use serde_json::json;

use super::{Failure, Item, Sink, Stop, Trouble, open};
use crate::event::Reached;
use crate::exec::pipeline::attempt::{Attempt, sh};
use crate::plan::{self, Format, Json};

fn file(format: Format, append: bool) -> plan::Sink {
    plan::Sink::File { path: plan::Value::Plain("out".into()), format, append }
}

const ROWS: Format = Format::Csv { header: true, delimiter: ',' };

fn put(sink: &mut dyn Sink, items: &[Json]) -> u64 {
    for item in items {
        sink.put(&Item::of(item.clone())).expect("it is taken");
    }
    sink.flush(false).expect("it is written")
}

fn refused(attempt: &Attempt, sink: &plan::Sink, at: &Reached) -> Failure {
    attempt.at(at, |opening| open(sink, opening, &Arc::default()).err().expect("it is refused"))
}

#[test]
fn each_item_stands_once_wherever_it_was_cut_off() {
    for (format, all) in [
        (Format::Lines, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n"),
        (Format::Ndjson, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n"),
        (ROWS, "n\n0\n1\n2\n"),
    ] {
        for (append, before) in [(false, ""), (true, "n\n"), (true, "")] {
            let attempt = Attempt::new();
            attempt.write("out", before);
            let sink = file(format.clone(), append);
            let items = [0, 1, 2].map(|n| json!({ "n": n }));
            let written = attempt.at(&Reached::default(), |opening| {
                let mut sink = open(&sink, opening, &Arc::default()).expect("it is opened");
                assert!(sink.cuts());
                let written = put(&mut *sink, &items[..1]);
                // What follows is not acknowledged, and what is in the buffer is not even written.
                put(&mut *sink, &items[1..2]);
                sink.put(&Item::of(items[2].clone())).expect("it is taken");
                written
            });
            let at = Reached { upto: 1, written, ..Reached::default() };
            attempt.at(&at, |opening| {
                let mut sink = open(&sink, opening, &Arc::default()).expect("it is opened");
                put(&mut *sink, &items[1..]);
                sink.finish().expect("it ends well");
            });
            let expected = match (&format, before) {
                (Format::Csv { .. }, "n\n") => all.to_owned(),
                _ => before.to_owned() + all,
            };
            assert_eq!(attempt.read("out"), expected, "{format:?} {append}");
        }
    }
}

#[test]
fn what_was_there_stays_when_a_process_dies_before_anything_is_acknowledged() {
    let attempt = Attempt::new();
    attempt.write("out", "old without a newline");
    let sink = file(Format::Lines, true);
    for finish in [false, false, true] {
        attempt.at(&Reached::default(), |opening| {
            let mut sink = open(&sink, opening, &Arc::default()).expect("it is opened");
            put(&mut *sink, &[json!("new")]);
            if finish {
                sink.finish().expect("it ends well");
            }
        });
    }
    assert_eq!(attempt.read("out"), "old without a newline\nnew\n");
    // The next run adds to that.
    attempt.at(&Reached::default(), |opening| {
        let mut sink = open(&sink, opening, &Arc::default()).expect("it is opened");
        put(&mut *sink, &[json!("more")]);
    });
    assert_eq!(attempt.read("out"), "old without a newline\nnew\nmore\n");
}

#[test]
fn what_others_add_stays() {
    let attempt = Attempt::new();
    let write = |append: bool, at: &Reached| {
        attempt.at(at, |opening| {
            let plan = file(Format::Lines, append);
            let mut sink = open(&plan, opening, &Arc::default()).map_err(|failure| failure.message)?;
            Ok::<_, String>(put(&mut *sink, &[json!("mine")]))
        })
    };
    for append in [true, false] {
        attempt.write("out", "");
        let written = write(append, &Reached::default()).expect("it is written");
        attempt.write("out", attempt.read("out") + "theirs\n");
        let at = Reached { upto: 1, written, ..Reached::default() };
        match append {
            true => {
                assert_eq!(write(append, &at), Ok(17));
                assert_eq!(attempt.read("out"), "mine\ntheirs\nmine\n");
                // The last one was not acknowledged.
                write(append, &at).expect("it is written");
                assert_eq!(attempt.read("out"), "mine\ntheirs\nmine\n");
            }
            false => {
                let failure = write(append, &at).expect_err("it is not only ours");
                assert!(failure.starts_with("others have written into `out` since: it is 7 bytes longer"), "{failure}");
                assert_eq!(attempt.read("out"), "mine\ntheirs\n");
            }
        }
    }
}

#[test]
fn a_file_has_one_writer() {
    let attempt = Attempt::new();
    let plan = file(Format::Lines, true);
    attempt.at(&Reached::default(), |opening| {
        let mut first = open(&plan, opening, &Arc::default()).expect("it is opened");
        put(&mut *first, &[json!("a")]);
        let second = open(&plan, opening, &Arc::default()).err().expect("it is refused");
        assert_eq!(second.message, "`out` is being written by another pipeline");
        drop(first);
        open(&plan, opening, &Arc::default()).expect("it is free");
    });
}

#[test]
fn what_cannot_be_written_is_told_before_anything_is_done() {
    let attempt = Attempt::new();
    let sink =
        |path: &str| plan::Sink::File { path: plan::Value::Plain(path.into()), format: Format::Lines, append: false };
    let failure = refused(&attempt, &sink("no/such/out"), &Reached::default());
    assert!(failure.message.starts_with("`no/such/out` cannot be written: there is no folder `"), "{failure:?}");
    assert!(failure.help.is_some_and(|help| help.starts_with("`mkdir -p ")));
    assert_eq!(refused(&attempt, &sink("."), &Reached::default()).message, "`.` is a folder, not a file");
    assert!(refused(&attempt, &sink("-"), &Reached::default()).message.contains("not the name of a file"));
    let at = Reached { upto: 1, written: 10, ..Reached::default() };
    assert!(refused(&attempt, &sink("out"), &at).message.starts_with("the file `out` is gone"));
    attempt.write("out", "short");
    assert!(refused(&attempt, &sink("out"), &at).message.starts_with("the file `out` is shorter than it was"));
}

#[test]
fn an_item_that_fits_no_row_fails_alone() {
    let attempt = Attempt::new();
    attempt.at(&Reached::default(), |opening| {
        let plan = file(ROWS, false);
        let mut sink = open(&plan, opening, &Arc::default()).expect("it is opened");
        put(&mut *sink, &[json!({"a": 1, "b": "x,y"})]);
        match sink.put(&Item::of(json!({"a": 1, "c": 2}))) {
            Err(Trouble::Item(failure)) => {
                assert!(failure.message.ends_with("`b` is missing, `c` is no column"), "{failure:?}");
            }
            other => panic!("{other:?}"),
        }
        put(&mut *sink, &[json!({"b": null, "a": 2})]);
    });
    assert_eq!(attempt.read("out"), "a,b\n1,\"x,y\"\n2,\n");
}

#[test]
fn a_device_is_written_as_it_is() {
    let attempt = Attempt::new();
    attempt.at(&Reached { upto: 3, written: 0, ..Reached::default() }, |opening| {
        let plan =
            plan::Sink::File { path: plan::Value::Plain("/dev/null".into()), format: Format::Lines, append: false };
        let mut sink = open(&plan, opening, &Arc::default()).expect("it is opened");
        assert!(!sink.cuts());
        put(&mut *sink, &[json!("x")]);
        sink.flush(true).expect("nothing is to be synchronised");
    });
}

fn command(script: &str, format: Format) -> plan::Sink {
    plan::Sink::Command { command: sh(script), format }
}

#[test]
fn a_program_gets_every_item_and_its_end_counts() {
    let attempt = Attempt::new();
    attempt.at(&Reached::default(), |opening| {
        let plan = command("cat > got; echo done", Format::Ndjson);
        let mut sink = open(&plan, opening, &Arc::default()).expect("it starts");
        // More than fits into a pipe.
        let long = json!("x".repeat(300_000));
        put(&mut *sink, &[json!(1), long, json!({"a": null})]);
        sink.finish().expect("it ends well");
        assert!(attempt.read("got").ends_with("x\"\n{\"a\":null}\n"));
        let plan = command("cat > /dev/null; echo oh no >&2; exit 4", Format::Lines);
        let mut sink = open(&plan, opening, &Arc::default()).expect("it starts");
        put(&mut *sink, &[json!("a")]);
        let failure = sink.finish().expect_err("it ends badly");
        assert!(failure.message.ends_with("ended with exit code 4"), "{failure:?}");
        assert!(failure.help.is_some_and(|help| help.contains("`oh no`")));
    });
}

#[test]
fn a_program_that_takes_no_more_is_told_of() {
    let attempt = Attempt::new();
    attempt.at(&Reached::default(), |opening| {
        for (script, message) in [
            ("exit 0", "`exit 0` took no more before all items had come"),
            ("exit 7", "`exit 7` ended with exit code 7"),
        ] {
            let plan = command(script, Format::Lines);
            let mut sink = open(&plan, opening, &Arc::default()).expect("it starts");
            let trouble = (0..1000).find_map(|_| {
                sink.put(&Item::text(&"x".repeat(100_000))).err().map(|trouble| match trouble {
                    Trouble::Sink(failure) | Trouble::Item(failure) => failure,
                })
            });
            assert_eq!(trouble.expect("it takes no more").message, message);
        }
    });
}

#[test]
fn a_program_that_hangs_is_ended_when_nobody_waits_any_more() {
    let attempt = Attempt::new();
    attempt.at(&Reached::default(), |opening| {
        let plan = command("exec sleep 1000", Format::Lines);
        let stop = Arc::new(Stop::default());
        let mut sink = open(&plan, opening, &stop).expect("it starts");
        sink.put(&Item::text("x")).expect("it is taken");
        stop.set();
        assert!(sink.finish().is_err());
    });
}
