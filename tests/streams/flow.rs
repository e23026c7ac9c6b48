//! What flows between one member and the next.

use std::fs;

use flow::plan::Reads;
use serde_json::json;

use super::bench::{Bench, filter, sh};

#[test]
fn lines_go_through_three_processes_in_order() {
    let bench = Bench::new();
    let ended = bench.run(vec![vec![sh("a", "seq 1 200000")], vec![sh("b", "sed 's/$/!/'")], vec![sh("c", "cat")]]);
    ended.all_good();
    let expected: String = (1..=200_000).map(|n| format!("{n}!\n")).collect();
    assert_eq!(ended.text("c"), expected);
    let streamed = ended.of("b").streamed.as_ref().expect("it stands in a stream");
    assert_eq!(streamed.bytes_out, expected.len() as u64);
    assert_eq!(streamed.bytes_in, expected.len() as u64 - 200_000);
    assert!(streamed.partly_kept && !streamed.cut_short);
    // The first part of what it wrote is its log.
    assert_eq!(ended.bytes("b"), expected.as_bytes()[..1 << 20]);
    assert_eq!(ended.flowed.last().expect("told at its end").meters[1].bytes, expected.len() as u64);
}

#[test]
fn bytes_go_untouched() {
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..5_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(bench.path().join("in"), &bytes).expect("a file");
    let ended =
        bench.run(vec![vec![sh("a", "cat in")], vec![sh("b", "cat")], vec![sh("c", "cat > out; printf 'no newline'")]]);
    ended.all_good();
    assert!(fs::read(bench.path().join("out")).expect("a file") == bytes);
    assert_eq!(ended.text("c"), "no newline");
}

#[test]
fn the_first_byte_is_there_at_once() {
    let bench = Bench::new();
    // The first one waits until the last one has got something: with a buffer that waits to be full, for ever.
    let ended = bench.run(vec![
        vec![sh("a", "printf 'x\\n'; while [ ! -e got ]; do :; done; printf y")],
        vec![sh("b", "dd bs=1 status=none")],
        vec![filter("f", "upper", Reads::Lines)],
        vec![sh("c", "head -c 2; touch got; cat")],
    ]);
    ended.all_good();
    assert_eq!(ended.text("c"), "X\nY\n");
}

#[test]
fn a_slow_reader_slows_the_writer() {
    let bench = Bench::new();
    // The reader goes on only when the writer has come to a stop, which would never be if it were not slowed.
    let ended = bench.run_while(
        vec![
            vec![sh("a", "i=0; while [ $i -lt 2000 ]; do head -c 65536 /dev/zero; i=$((i+1)); echo $i > at; done")],
            vec![sh("b", "while [ ! -e go ]; do :; done; wc -c")],
        ],
        |_| {},
        |bench| {
            let at = || fs::read_to_string(bench.path().join("at")).unwrap_or_default();
            // A process that waits for room is asleep: the kernel says so.
            let mut same = 0;
            let mut last = String::new();
            while same < 200 {
                let now = at();
                same = if now == last && !now.is_empty() { same + 1 } else { 0 };
                last = now;
                std::thread::yield_now();
                std::thread::park_timeout(std::time::Duration::from_millis(1));
            }
            let written: u64 = last.trim().parse().expect("a number");
            // Two pipes and what is on its way between them.
            assert!(written * 65536 < 4 << 20, "{written} pieces were written");
            fs::write(bench.path().join("go"), "").expect("a file");
        },
    );
    ended.all_good();
    assert_eq!(ended.output("b"), json!((2000u64 * 65536).to_string()));
}
