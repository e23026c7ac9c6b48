//! Sources against files, programs and folders.

use std::io::{self, Read};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::records::{At, Records};
use super::{Mark, Next, Source, Stop, open};
use crate::event::Reached;
use crate::exec::pipeline::attempt::{Attempt, Seen, all, reached, seen, sh};
use crate::plan::{self, Format, Json};

const CSV: Format = Format::Csv { header: true, delimiter: ',' };

fn file(name: &str, format: Format) -> plan::Source {
    plan::Source::File { path: plan::Value::Plain(name.into()), format }
}

/// Everything that a source gives from there on.
fn from(attempt: &Attempt, source: &plan::Source, at: &Reached) -> Result<Vec<Seen>, String> {
    attempt.at(at, |opening| {
        let mut source = open(source, opening, &Arc::new(Stop::default())).map_err(|failure| failure.message)?;
        match all(&mut *source, 3) {
            (items, None) => Ok(items),
            (_, Some(failure)) => Err(failure.message),
        }
    })
}

fn values(items: &[Seen]) -> Vec<Json> {
    items.iter().map(|(.., item)| item.clone().unwrap_or_else(|why| json!({ "bad": why }))).collect()
}

/// What it gives from the beginning, after it was looked whether it gives the same rest from each of its items on.
fn resumable(attempt: &Attempt, source: &plan::Source) -> Vec<Seen> {
    let whole = from(attempt, source, &Reached::default()).expect("it can be read");
    for (n, (offset, mark, _)) in whole.iter().enumerate() {
        assert_eq!(*offset, n as u64);
        let rest = from(attempt, source, &reached(*offset, *mark)).expect("it can be read");
        assert_eq!(rest, whole[n..], "from {n} on");
    }
    whole
}

/// Gives bytes in pieces of these lengths, over and over.
struct Cut<'a>(&'a [u8], &'a [usize], usize);

impl Read for Cut<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1[self.2 % self.1.len()].min(buffer.len());
        self.2 += 1;
        (&mut self.0).take(most as u64).read(buffer)
    }
}

fn cut(bytes: &[u8], cuts: &[usize], format: &Format) -> Vec<Seen> {
    let mut records = Records::new(Cut(bytes, cuts, 0), format, At::default());
    let mut items = Vec::new();
    while let Some((mark, item)) = records.next().expect("it is read").expect("it is of this format") {
        items.push(seen(super::Sourced { offset: items.len() as u64, mark, item }));
    }
    items
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    vec(1usize..20, 1..8)
}

/// Pieces of texts with all that makes trouble.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\xff".to_vec()),
        Just("\u{feff}ä€𝄞".as_bytes().to_vec()),
        Just(b"{\"a\": [1, 2.5, null]}".to_vec()),
        Just(b"  ".to_vec()),
        "[a-z \"]{0,12}".prop_map(String::into_bytes),
    ];
    vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

/// Lines as one would read them by hand.
fn by_hand(bytes: &[u8]) -> Vec<Option<String>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let last = lines.pop().unwrap_or_default();
    let mut lines: Vec<&[u8]> = lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line)).collect();
    lines.extend(Some(last).filter(|last| !last.is_empty()));
    lines.into_iter().map(|line| String::from_utf8(line.to_vec()).ok()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_are_lines_however_they_come(bytes in text(), cuts in cuts()) {
        let attempt = Attempt::new();
        attempt.write("in", &bytes);
        let items = resumable(&attempt, &file("in", Format::Lines));
        prop_assert_eq!(&cut(&bytes, &cuts, &Format::Lines), &items);
        // A text of nothing but the mark has no line by hand, and an empty one here.
        if bytes != b"\xef\xbb\xbf" {
            let read: Vec<Option<String>> =
                items.iter().map(|(.., item)| item.as_ref().ok().and_then(Json::as_str).map(str::to_owned)).collect();
            prop_assert_eq!(read, by_hand(&bytes));
        }
        for (n, (_, mark, _)) in items.iter().enumerate() {
            prop_assert_eq!(mark.place, n as u64 + 1);
        }
    }

    #[test]
    fn values_are_values_however_they_come(bytes in text(), cuts in cuts()) {
        let attempt = Attempt::new();
        attempt.write("in", &bytes);
        let items = resumable(&attempt, &file("in", Format::Ndjson));
        prop_assert_eq!(&cut(&bytes, &cuts, &Format::Ndjson), &items);
    }

    #[test]
    fn rows_are_rows_however_they_come(
        rows in vec(vec("[a-z,\"\r\n ä]{0,6}", 1..4), 1..12),
        bom in any::<bool>(),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        whole in any::<bool>(),
        cuts in cuts(),
    ) {
        let quoted = |field: &String| format!("\"{}\"", field.replace('"', "\"\""));
        let lines: Vec<String> = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",")).collect();
        let mut text = String::from(if bom { "\u{feff}" } else { "" }) + "x,y" + end + &*lines.join(end);
        if whole {
            text.push_str(end);
        }
        let attempt = Attempt::new();
        attempt.write("in", &text);
        let items = resumable(&attempt, &file("in", CSV));
        prop_assert_eq!(&cut(text.as_bytes(), &cuts, &CSV), &items);
        prop_assert_eq!(items.len(), rows.len());
        for (n, (row, (_, mark, item))) in rows.iter().zip(items).enumerate() {
            prop_assert_eq!(mark.place, n as u64 + 1);
            match row.as_slice() {
                [x, y] => prop_assert_eq!(item, Ok(json!({"x": x, "y": y}))),
                _ => {
                    let why = item.expect_err("it has other fields");
                    prop_assert!(why.starts_with(&format!("row {} (line ", n + 1)), "{}", why);
                }
            }
        }
    }
}

#[test]
fn what_is_no_item_says_where_and_why() {
    let attempt = Attempt::new();
    attempt.write("in", b"{\"a\": 1}\n\n{oops}\nb\xffd\n[1] [2]\n");
    let items = resumable(&attempt, &file("in", Format::Ndjson));
    assert_eq!(
        values(&items),
        [
            json!({"a": 1}),
            json!({"bad": "line 3 is not JSON: key must be a string at column 2"}),
            json!({"bad": "line 4 is not text in UTF-8: its byte 2 is not"}),
            json!({"bad": "line 5 is not JSON: trailing characters at column 5"}),
        ]
    );
    attempt.write("in", b"a;b\n1;2\n3\n\"4\n5\";6\n7;8;9\nx;\xff\n");
    let format = Format::Csv { header: true, delimiter: ';' };
    let items = resumable(&attempt, &file("in", format));
    assert_eq!(
        values(&items),
        [
            json!({"a": "1", "b": "2"}),
            json!({"bad": "row 2 (line 3) has 1 field, where 2 were expected"}),
            json!({"a": "4\n5", "b": "6"}),
            json!({"bad": "row 4 (line 6) has 3 fields, where 2 were expected"}),
            json!({"bad": "row 5 (line 7) is not text in UTF-8, in column `b`"}),
        ]
    );
    let format = Format::Csv { header: false, delimiter: ';' };
    let items = resumable(&attempt, &file("in", format));
    assert_eq!(values(&items)[..2], [json!(["a", "b"]), json!(["1", "2"])]);
}

#[test]
fn a_quote_that_is_not_closed_is_named() {
    let attempt = Attempt::new();
    attempt.write("in", "a,b\n1,2\n3,\"4\n5,6\n");
    let items = resumable(&attempt, &file("in", CSV));
    let bad = "row 2 (line 3) has a quote that is not closed, up to the end of all";
    assert_eq!(values(&items), [json!({"a": "1", "b": "2"}), json!({ "bad": bad })]);
    attempt.write("in", "a,\"b\n1,2\n");
    assert!(from(&attempt, &file("in", CSV), &Reached::default()).is_err());
}

#[test]
fn a_folder_of_files_that_is_not_there_is_named() {
    let attempt = Attempt::new();
    let files = |pattern: &str| plan::Source::Glob(plan::Value::Plain(pattern.into()));
    let failure = from(&attempt, &files("nodir/*.x"), &Reached::default()).expect_err("no folder");
    assert_eq!(failure, "there is no folder `nodir` for the files `nodir/*.x`");
    assert_eq!(from(&attempt, &files("*.x"), &Reached::default()), Ok(Vec::new()));
}

#[test]
fn names_of_columns_are_there_and_differ() {
    let attempt = Attempt::new();
    for (text, message) in [
        ("a,b,a\n1,2,3\n", "`in`: the first row does not name the columns: two columns are called `a`"),
        ("a,,b\n1,2,3\n", "`in`: the first row does not name the columns: column 2 has no name"),
    ] {
        attempt.write("in", text);
        assert_eq!(from(&attempt, &file("in", CSV), &Reached::default()), Err(message.to_owned()));
    }
    for text in ["", "a,b\n"] {
        attempt.write("in", text);
        assert_eq!(from(&attempt, &file("in", CSV), &Reached::default()), Ok(Vec::new()));
    }
}

#[test]
fn a_line_of_ten_megabytes_is_one() {
    let attempt = Attempt::new();
    let long = "x".repeat(10 << 20);
    attempt.write("in", format!("a\n{long}\nb"));
    let items = resumable(&attempt, &file("in", Format::Lines));
    assert_eq!(values(&items), [json!("a"), json!(long), json!("b")]);
}

#[test]
fn a_file_that_is_not_what_it_was_is_named() {
    let attempt = Attempt::new();
    attempt.write("access.log", "one\ntwo\nthree\n");
    let source = file("access.log", Format::Lines);
    let at = reached(2, Mark { from: 8, place: 3 });
    assert_eq!(values(&from(&attempt, &source, &at).expect("it is there")), [json!("three")]);
    attempt.write("access.log", "one\n");
    let failure = from(&attempt, &source, &at).expect_err("it shrank");
    assert_eq!(failure, "the file `access.log` shrank: it has 4 bytes, and 8 of it have been read");
    attempt.write("access.log", "one\ntwo\nthree\n");
    let print = attempt.at(&Reached::default(), |opening| {
        let source = open(&source, opening, &Arc::default()).expect("it is there");
        source.print().and_then(|print| print.before(8).expect("it can be read"))
    });
    let signed = Reached { place: json!([8, 3, print]), ..at.clone() };
    attempt.write("access.log", "one\ntwo\nthree, and more\n");
    assert_eq!(values(&from(&attempt, &source, &signed).expect("it grew")), [json!("three, and more")]);
    attempt.write("access.log", "100\n200\n300\n");
    let failure = from(&attempt, &source, &signed).expect_err("it is another one");
    assert_eq!(failure, "`access.log` has changed since: other bytes stand there now where 8 were read");
    std::fs::remove_file(attempt.path().join("access.log")).expect("it was there");
    let failure = from(&attempt, &source, &at).expect_err("it is gone");
    assert_eq!(failure, "the file `access.log` is gone, and 2 of its items are done with");
    attempt.write("acess.log", "");
    attempt.at(&Reached::default(), |opening| {
        let failure = open(&source, opening, &Arc::default()).err().expect("it is not there");
        assert_eq!(failure.message, "there is no file `access.log`");
        assert!(failure.help.is_some_and(|help| help.starts_with("did you mean `acess.log`?")));
    });
    let folder = from(&attempt, &file(".", Format::Lines), &Reached::default()).expect_err("a folder");
    assert_eq!(folder, "`.` is a folder, not a file");
}

#[test]
fn a_list_of_paths_is_made_once() {
    let attempt = Attempt::new();
    for name in ["b.txt", "a.txt", ".c.txt", "d.log"] {
        attempt.write(name, "");
    }
    let source = plan::Source::Glob(plan::Value::Plain("*.txt".into()));
    let items = from(&attempt, &source, &Reached::default()).expect("a list");
    assert_eq!(values(&items), [json!("a.txt"), json!("b.txt")]);
    attempt.write("aa.txt", "");
    std::fs::remove_file(attempt.path().join("b.txt")).expect("it was there");
    let rest = from(&attempt, &source, &reached(1, items[1].1)).expect("a list");
    assert_eq!(rest, items[1..]);
    let again = from(&attempt, &source, &Reached::default()).expect("a list");
    assert_eq!(values(&again), [json!("a.txt"), json!("aa.txt")]);
    let wrong = plan::Source::Glob(plan::Value::Plain("a[".into()));
    assert!(from(&attempt, &wrong, &Reached::default()).expect_err("no pattern").contains("`a[` is not a pattern"));
}

#[test]
fn what_a_program_writes_is_read_and_its_end_counts() {
    let attempt = Attempt::new();
    let source = |script: &str| plan::Source::Command { command: sh(script), format: Format::Lines };
    let items = from(&attempt, &source("echo one; echo two; printf three"), &Reached::default()).expect("lines");
    assert_eq!(values(&items), [json!("one"), json!("two"), json!("three")]);
    let rest = from(&attempt, &source("echo one; echo two; printf three"), &reached(2, items[2].1)).expect("lines");
    assert_eq!(rest, items[2..]);
    attempt.at(&Reached::default(), |opening| {
        let failing = source("echo one; echo oh no >&2; exit 3");
        let mut source = open(&failing, opening, &Arc::default()).expect("it starts");
        let (items, failure) = all(&mut *source, 10);
        assert_eq!(values(&items), [json!("one")]);
        let failure = failure.expect("it ended badly");
        assert_eq!(failure.message, "`echo one; echo oh no >&2; exit 3` ended with exit code 3");
        assert!(failure.help.is_some_and(|help| help.contains("`oh no`")));
    });
}

#[test]
fn a_program_that_is_no_longer_wanted_is_ended_with_all_its_children() {
    let attempt = Attempt::new();
    attempt.at(&Reached::default(), |opening| {
        let endless = plan::Source::Command { command: sh("sleep 1000 & echo $!; wait"), format: Format::Lines };
        let stop = Arc::new(Stop::default());
        let mut source = open(&endless, opening, &stop).expect("it starts");
        let mut items = Vec::new();
        assert_eq!(source.next(10, &mut items).expect("a line"), Next::More);
        let child = items.remove(0).item.expect("a number").to_json().expect("plain");
        let status = format!("/proc/{}/status", child.as_str().expect("a number"));
        assert!(std::path::Path::new(&status).exists());
        stop.set();
        assert_eq!(source.next(10, &mut items).expect("its end"), Next::End);
        drop(source);
        let left = std::fs::read_to_string(&status).unwrap_or_default();
        assert!(left.is_empty() || left.contains("zombie"), "{left}");
    });
}

#[test]
fn dead_letters_of_another_run_are_items_again() {
    let attempt = Attempt::new();
    let logs = attempt.path().join("runs/other/logs");
    std::fs::create_dir_all(&logs).expect("a folder");
    let letter = |n: u64| {
        let letter = crate::event::DeadLetter {
            offset: n,
            place: String::new(),
            stage: "parse".into(),
            item: json!({ "n": n }),
            error: "no".into(),
            attempts: 1,
            at: 0,
        };
        serde_json::to_string(&letter).expect("plain data") + "\n"
    };
    std::fs::write(logs.join("1-p.1.dead.ndjson"), letter(4) + &*letter(7)).expect("it is written");
    let source = |file: &str| plan::Source::DeadLetters { run: "other".into(), step: "p".into(), file: file.into() };
    let items = resumable(&attempt, &source("logs/1-p.1.dead.ndjson"));
    assert_eq!(values(&items), [json!({"n": 4}), json!({"n": 7})]);
    let none = from(&attempt, &source("logs/2-p.1.dead.ndjson"), &Reached::default()).expect_err("no file");
    assert_eq!(none, "the pipeline `p` of run `other` has no dead letters");
    assert!(from(&attempt, &source("../../x"), &Reached::default()).is_err());
}

mod folders {
    use super::*;

    fn watch(existing: bool) -> plan::Source {
        plan::Source::Watch {
            folder: plan::Value::Plain("inbox".into()),
            pattern: Some("*.csv".into()),
            existing,
            settle_ms: 0,
        }
    }

    fn told(source: &mut dyn Source) -> (Mark, String, String) {
        let mut items = Vec::new();
        assert_eq!(source.next(1, &mut items).expect("the folder is there"), Next::More);
        let (_, mark, item) = seen(items.remove(0));
        let item = item.expect("an item");
        let text = |key: &str| item[key].as_str().expect("a text").to_owned();
        assert_eq!(text("path"), format!("inbox/{}", text("name")));
        (mark, text("name"), text("event"))
    }

    fn new() -> Attempt {
        let attempt = Attempt::new();
        std::fs::create_dir(attempt.path().join("inbox")).expect("a folder");
        attempt
    }

    #[test]
    fn each_change_is_told_once_also_over_a_restart() {
        let attempt = new();
        attempt.write("inbox/old.csv", "old");
        let last = attempt.at(&Reached::default(), |opening| {
            let stop = Arc::new(Stop::default());
            let plan = watch(false);
            let mut source = open(&plan, opening, &stop).expect("it can be watched");
            attempt.write("inbox/a.txt", "not meant");
            attempt.write("inbox/a.csv", "1");
            assert_eq!(told(&mut *source).1, "a.csv");
            attempt.write("inbox/old.csv", "changed now");
            let (_, name, event) = told(&mut *source);
            assert_eq!((&*name, &*event), ("old.csv", "changed"));
            std::fs::rename(attempt.path().join("inbox/a.txt"), attempt.path().join("inbox/b.csv"))
                .expect("it is there");
            let (mark, name, event) = told(&mut *source);
            assert_eq!((&*name, &*event), ("b.csv", "new"));
            stop.set();
            assert_eq!(source.next(1, &mut Vec::new()).expect("its end"), Next::End);
            mark
        });
        attempt.write("inbox/c.csv", "while nobody looked");
        // The third is not acknowledged: it is told again, and then what came meanwhile.
        attempt.at(&reached(2, last), |opening| {
            let plan = watch(false);
            let mut source = open(&plan, opening, &Arc::default()).expect("it can be watched");
            assert_eq!(told(&mut *source).1, "b.csv");
            assert_eq!(told(&mut *source).1, "c.csv");
        });
    }

    #[test]
    fn what_is_there_is_told_if_it_is_wanted_and_a_folder_that_vanishes_is_a_failure() {
        let attempt = new();
        attempt.write("inbox/b.csv", "1");
        attempt.write("inbox/a.csv", "1");
        attempt.at(&Reached::default(), |opening| {
            let plan = watch(true);
            let mut source = open(&plan, opening, &Arc::default()).expect("it can be watched");
            let (_, name, event) = told(&mut *source);
            assert_eq!((&*name, &*event), ("a.csv", "existing"));
            assert_eq!(told(&mut *source).1, "b.csv");
            std::fs::remove_dir_all(attempt.path().join("inbox")).expect("it was there");
            let failure = source.next(1, &mut Vec::new()).expect_err("it is gone");
            assert_eq!(failure.message, "the folder `inbox`, which is to be watched, is not there");
        });
        assert!(from(&attempt, &watch(true), &Reached::default()).is_err());
    }
}
