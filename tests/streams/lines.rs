//! Where lines are told apart: several writers, several readers, closures.

use std::collections::BTreeSet;
use std::fs;

use flow::event::FailureKind;
use flow::plan::{Merge, Parse, Reads, Slow};
use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::bench::{Bench, filter, sh};

#[test]
fn whole_lines_of_several_writers_arrive() {
    let bench = Bench::new();
    let script = |letter: &str| format!("i=0; while [ $i -lt 3000 ]; do echo {letter}$i-$i-$i-$i; i=$((i+1)); done");
    let ended = bench.run_as(
        vec![
            vec![sh("a", script("a")), sh("b", script("b")), sh("c", format!("{}; printf c-end", script("c")))],
            vec![sh("z", "cat")],
        ],
        |stream| stream.merge = Merge::Raw,
    );
    ended.all_good();
    let text = ended.text("z");
    assert!(text.ends_with('\n'));
    for letter in ["a", "b", "c"] {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with(letter)).collect();
        let mut expected: Vec<String> = (0..3000).map(|n| format!("{letter}{n}-{n}-{n}-{n}")).collect();
        expected.extend((letter == "c").then(|| "c-end".to_owned()));
        assert_eq!(lines, expected);
    }
    assert_eq!(text.lines().count(), 9001);
    assert_eq!(ended.of("a").streamed.as_ref().expect("a stream").lines, 3000);
}

#[test]
fn lines_are_tagged_with_their_source() {
    let bench = Bench::new();
    let ended = bench.run(vec![vec![sh("a", "echo '{\"n\": 1}'"), sh("b", "echo plain")], vec![sh("c", "sort")]]);
    ended.all_good();
    assert_eq!(ended.text("c"), "plain\n{\"source\":\"a\",\"value\":{\"n\": 1}}\n");
    let ended = Bench::new().run_as(
        vec![vec![sh("a", "echo '{\"n\": 1}'"), sh("b", "echo plain")], vec![sh("c", "sort").parse(Parse::Ndjson)]],
        |stream| stream.merge = Merge::Tagged,
    );
    ended.all_good();
    assert_eq!(ended.output("c"), json!([{"source": "a", "value": {"n": 1}}, {"source": "b", "text": "plain"}]));
}

#[test]
fn all_readers_get_all() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", "head -c 3000000 /dev/urandom | tee copy")],
        vec![sh("b", "sha256sum"), sh("c", "sha256sum"), sh("d", "dd bs=100 status=none | sha256sum")],
    ]);
    ended.all_good();
    let copy = fs::read(bench.path().join("copy")).expect("a file");
    let hash = Sha256::digest(&copy).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for name in ["b", "c", "d"] {
        assert_eq!(ended.output(name), json!(format!("{hash}  -")));
    }
}

#[test]
fn one_of_several_readers_may_end_early() {
    let bench = Bench::new();
    let ended = bench.run(vec![vec![sh("a", "seq 300000")], vec![sh("b", "head -1"), sh("c", "wc -l")]]);
    ended.all_good();
    assert_eq!(ended.output("c"), json!("300000"));
    assert!(!ended.of("a").streamed.as_ref().expect("a stream").cut_short);
}

#[test]
fn the_oldest_lines_for_a_slow_reader_are_dropped_and_counted() {
    let bench = Bench::new();
    let ended = bench.run_as(
        vec![
            vec![sh("a", "seq 300000")],
            vec![sh("fast", "cat > all; touch done; wc -l < all"), sh("slow", "while [ ! -e done ]; do :; done; cat")],
        ],
        |stream| stream.slow = Slow::DropOldest(1000),
    );
    ended.all_good();
    let fast = ended.of("fast").streamed.as_ref().expect("a stream").dropped;
    assert_eq!(ended.output("fast"), json!((300_000 - fast).to_string()));
    let dropped = ended.of("slow").streamed.as_ref().expect("a stream").dropped;
    let lines: Vec<u64> = ended.text("slow").lines().map(|line| line.parse().expect("a whole line")).collect();
    assert!(dropped > 100_000, "{dropped}");
    assert_eq!(lines.len() as u64 + dropped, 300_000);
    assert!(lines.is_sorted());
    // The newest are those that are kept.
    assert_eq!(lines[lines.len() - 1000..], (299_001..=300_000).collect::<Vec<u64>>());
}

#[test]
fn a_line_that_is_too_long_names_its_writer() {
    let bench = Bench::new();
    let ended = bench.run_as(
        vec![
            vec![sh("a", "echo ok; head -c 3000 /dev/zero | tr '\\0' x; sleep 1000"), sh("b", "exec yes")],
            vec![sh("c", "cat > got; echo end >> got")],
        ],
        |stream| stream.max_line = 1000,
    );
    let error = ended.error("a");
    assert_eq!(error.kind, FailureKind::TooMuch);
    assert!(error.message.contains("`a`") && error.message.contains("line 2"), "{}", error.message);
    assert!(!fs::read_to_string(bench.path().join("got")).expect("a file").contains("end"));
}

#[test]
fn lines_of_ten_megabytes_go_through() {
    let bench = Bench::new();
    let long = "head -c 10000000 /dev/zero | tr '\\0' x";
    let ended = bench.run(vec![
        vec![sh("a", format!("{long}; echo; echo short; {long}")), sh("b", "echo b")],
        vec![filter("f", "upper", Reads::Lines)],
        vec![sh("c", "tr -d '\\n' | wc -c")],
    ]);
    ended.all_good();
    assert_eq!(ended.output("c"), json!("20000006"));
}

#[test]
fn letters_in_two_pieces_are_one() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh(
            "a",
            "printf 'caf\\303'; while [ ! -e go ]; do :; done; printf '\\251 \\360\\237'; printf '\\230\\200'",
        )],
        vec![sh("b", "head -c 4; touch go; cat")],
        vec![filter("f", "upper", Reads::Lines)],
    ]);
    ended.all_good();
    assert_eq!(ended.text("f"), "CAFÉ 😀\n");
    assert_eq!(ended.output("f"), json!("CAFÉ 😀"));
}

#[test]
fn closures_give_none_one_or_several_lines() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", "printf 'x\\r\\n\\ny'")],
        vec![filter("twice", "twice", Reads::Lines)],
        vec![sh("b", "cat")],
    ]);
    ended.all_good();
    assert_eq!(ended.text("b"), "x\nx\n\n\ny\ny\n");
    let ended = Bench::new().run(vec![vec![sh("a", "seq 1000")], vec![filter("none", "none", Reads::Lines)]]);
    ended.all_good();
    assert_eq!(ended.text("none"), "");
}

#[test]
fn json_lines_are_values() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", "echo '{\"name\": \"x\"}'; echo; echo '{\"name\": {\"b\": [1]}}'; echo '{}'")],
        vec![filter("name", "name", Reads::Ndjson)],
    ]);
    ended.all_good();
    assert_eq!(ended.text("name"), "x\n{\"b\":[1]}\n");
}

#[test]
fn a_bad_line_is_named() {
    let bench = Bench::new();
    let ended =
        bench.run(vec![vec![sh("a", "echo 1; echo '{oops'; exec yes")], vec![filter("f", "same", Reads::Ndjson)]]);
    let error = ended.error("f");
    assert!(error.message.contains("line 2") && error.message.contains("{oops"), "{}", error.message);
    let ended = Bench::new().run(vec![
        vec![sh("a", "echo ok; printf '\\377\\376\\n'; exec yes")],
        vec![filter("f", "same", Reads::Lines)],
        vec![sh("b", "cat > got; echo end >> got")],
    ]);
    assert!(ended.error("f").message.contains("line 2: it is not UTF-8"), "{}", ended.error("f").message);
    assert!(ended.of("b").error.is_some());
}

#[test]
fn bad_lines_can_be_left_out() {
    let bench = Bench::new();
    let ended = bench
        .run(vec![vec![sh("a", "echo 1; echo '{oops'; echo 2")], vec![filter("f", "same", Reads::Ndjson).skipping()]]);
    ended.all_good();
    assert_eq!(ended.text("f"), "1\n2\n");
    assert_eq!(ended.of("f").streamed.as_ref().expect("a stream").skipped, 1);
}

#[test]
fn nothing_is_named_twice() {
    let bench = Bench::new();
    let ended = bench.run(vec![
        vec![sh("a", "seq 20000")],
        vec![filter("f", "upper", Reads::Lines), filter("g", "twice", Reads::Lines)],
        vec![sh("b", "sort -n | uniq -c | awk '{print $1}' | sort -u")],
    ]);
    ended.all_good();
    let counts: BTreeSet<String> = ended.text("b").lines().map(str::to_owned).collect();
    assert_eq!(counts, BTreeSet::from(["3".to_owned()]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..ProptestConfig::default() })]

    #[test]
    fn whoever_writes_and_reads_all_lines_arrive_in_order(
        writers in prop::collection::vec(prop::collection::vec(0usize..40_000, 0..30), 1..4),
        readers in 1usize..4,
        with_filter: bool,
    ) {
        const NAMES: [&str; 8] = ["a", "b", "c", "r", "s", "t", "f", "g"];
        let bench = Bench::new();
        // A line says who wrote it, which it is, and how long it is.
        for (n, lines) in writers.iter().enumerate() {
            let text: String = lines.iter().enumerate().map(|(k, length)| format!("{} {k} {}\n", NAMES[n], "é".repeat(*length))).collect();
            fs::write(bench.path().join(NAMES[n]), text.trim_end_matches('\n')).expect("a file");
        }
        let mut levels = vec![(0..writers.len()).map(|n| sh(NAMES[n], format!("dd bs=777 status=none < {}", NAMES[n]))).collect::<Vec<_>>()];
        if with_filter {
            levels.push(vec![filter("f", "same", Reads::Lines)]);
        }
        levels.push((0..readers).map(|n| sh(NAMES[3 + n], "dd bs=5555 status=none")).collect());
        let ended = bench.run_as(levels, |stream| stream.merge = Merge::Raw);
        for name in ended.outcomes.keys() {
            prop_assert!(ended.of(name).error.is_none(), "{}: {:?}", name, ended.of(name).error);
        }
        for reader in &NAMES[3..3 + readers] {
            let text = ended.text(reader);
            for (n, _) in writers.iter().enumerate() {
                let written = fs::read_to_string(bench.path().join(NAMES[n])).expect("a text");
                let got: Vec<&str> = text.lines().filter(|line| line.starts_with(NAMES[n])).collect();
                prop_assert_eq!(got, written.lines().collect::<Vec<_>>());
            }
        }
    }
}
