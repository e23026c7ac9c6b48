//! Members that are tried again.

use std::fs;

use flow::plan::{Ack, Reads};
use proptest::prelude::*;
use serde_json::json;

use super::bench::{Bench, filter, sh};

/// A program that fails at these lines of all that it has answered in all attempts, the first time: it answers each line
/// with the same line, and counts in a file.
fn crashes(at: &[u64], torn: bool) -> String {
    let cases: String = at
        .iter()
        .map(|n| {
            format!(
                "if [ $n -eq {n} ] && [ ! -e crash-{n} ]; then touch crash-{n}; {} exit 5; fi; ",
                if torn { "printf torn;" } else { "" }
            )
        })
        .collect();
    format!("while read -r line; do n=${{line#x}}; {cases}echo $line; done")
}

fn numbers(count: u64) -> String {
    format!("i=1; while [ $i -le {count} ]; do echo x$i; i=$((i+1)); done")
}

#[test]
fn a_reader_gets_its_whole_input_again() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", "seq 200000")],
        vec![
            sh("b", "if [ ! -e once ]; then touch once; head -1000 > /dev/null; exit 1; fi; wc -l").tried(3, Ack::End),
        ],
    ]);
    assert_eq!(ended.outcomes["b"].len(), 2);
    ended.good("a");
    ended.good("b");
    assert_eq!(ended.output("b"), json!("200000"));
}

#[test]
fn what_comes_twice_comes_in_whole_lines() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", numbers(100))],
        vec![sh("b", crashes(&[50], true)).tried(2, Ack::End)],
        vec![sh("c", "cat")],
    ]);
    ended.good("c");
    let expected: String = (1..50).chain(1..=100).map(|n| format!("x{n}\n")).collect();
    assert_eq!(ended.text("c"), expected);
}

#[test]
fn by_lines_each_is_answered_once() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", numbers(1000))],
        vec![sh("b", crashes(&[1, 2, 500, 1000], true)).tried(9, Ack::Line)],
        vec![sh("c", "cat")],
    ]);
    ended.good("c");
    assert_eq!(ended.outcomes["b"].len(), 5);
    let expected: String = (1..=1000).map(|n| format!("x{n}\n")).collect();
    assert_eq!(ended.text("c"), expected);
}

#[test]
fn by_lines_the_last_one_keeps_what_it_has_answered() {
    let bench = Bench::new();
    let ended =
        bench.run(vec![vec![sh("a", numbers(300))], vec![sh("b", crashes(&[7, 100], true)).tried(9, Ack::Line)]]);
    ended.good("b");
    let expected: String = (1..=300).map(|n| format!("x{n}\n")).collect();
    assert_eq!(ended.text("b"), expected);
}

#[test]
fn closures_are_tried_again() {
    let lines = |numbers: std::ops::RangeInclusive<u64>| -> String {
        numbers.map(|n| if n == 7 { "bad7\n".to_owned() } else { format!("{n}\n") }).collect()
    };
    for (ack, again) in [(Ack::Line, String::new()), (Ack::End, lines(1..=6))] {
        let bench = Bench::new();
        let folder = bench.path().join("fails");
        fs::create_dir(&folder).expect("a folder");
        let ended = bench.run(vec![
            vec![sh("a", "seq 6; echo bad7; seq 8 1000")],
            vec![filter("f", folder.to_str().expect("a path"), Reads::Lines).tried(3, ack)],
            vec![sh("c", "cat")],
        ]);
        ended.good("c");
        assert_eq!(ended.outcomes["f"].len(), 2);
        assert_eq!(ended.text("c"), format!("{again}{}", lines(1..=1000)));
    }
}

#[test]
fn without_room_for_its_input_it_cannot_be_tried_again() {
    let bench = Bench::new();
    // The place where its input is to be kept is taken by a folder.
    fs::create_dir_all(bench.path().join("run/logs/2-b.1.spool/x")).expect("a folder");
    let ended =
        bench.run(vec![vec![sh("a", "exec yes")], vec![sh("b", "head -10 > /dev/null; exit 5").tried(2, Ack::End)]]);
    let first = ended.outcomes["b"][0].error.as_ref().expect("it failed");
    assert!(first.help.as_ref().is_some_and(|help| help.contains("cannot be tried again")), "{first:?}");
    assert!(ended.error("b").message.contains("cannot be tried again"), "{:?}", ended.error("b"));
    assert!(ended.of("a").error.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(
        crash in prop::collection::btree_set(1u64..400, 0..5),
        more in prop::collection::btree_set(1u64..400, 0..4),
        torn: bool,
        by_line: bool,
    ) {
        let bench = Bench::new();
        let ack = if by_line { Ack::Line } else { Ack::End };
        let crash: Vec<u64> = crash.into_iter().collect();
        let more: Vec<u64> = more.into_iter().collect();
        let second = crashes(&more, torn).replace("crash-", "second-");
        let ended = bench.run(vec![
            vec![sh("a", numbers(400))],
            vec![sh("b", crashes(&crash, torn)).tried(9, ack)],
            vec![sh("c", second).tried(9, ack)],
            vec![sh("d", "cat")],
        ]);
        prop_assert!(ended.of("d").error.is_none());
        let text = ended.text("d");
        if by_line {
            prop_assert_eq!(text, (1..=400).map(|n| format!("x{n}\n")).collect::<String>());
        } else {
            let mut lines: Vec<u64> = text.lines().map(|line| line[1..].parse().expect("a whole line")).collect();
            // The last attempt of the last one has given all.
            lines.sort_unstable();
            lines.dedup();
            prop_assert_eq!(lines, (1..=400).collect::<Vec<u64>>());
        }
    }
}

#[test]
fn one_of_several_writers_is_tried_again() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![
            sh("a", "echo a1; printf a2; [ -e once ] || { touch once; exit 1; }; echo; echo a3").tried(2, Ack::End),
            sh("b", "while [ ! -e once ]; do :; done; echo b1"),
        ],
        vec![sh("c", "sort")],
    ]);
    ended.good("c");
    assert_eq!(ended.text("c"), "a1\na1\na2\na3\nb1\n");
}

#[test]
fn the_readers_beside_it_are_not_given_anything_twice() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", "seq 100000")],
        vec![
            sh("b", "if [ ! -e once ]; then touch once; head -10 > /dev/null; exit 1; fi; wc -l").tried(2, Ack::End),
            sh("c", "wc -l"),
        ],
    ]);
    ended.good("a");
    assert_eq!(ended.good("b").output, ended.good("c").output);
    assert_eq!(ended.output("c"), json!("100000"));
}
