//! Streams and pipelines: how much passes through them in what time, against a shell's pipe, and in how much memory.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::{Table, flow, fresh, in_turn, median, script, timed};

/// Without optimisation only whether it works is of interest.
const SMALL: bool = cfg!(debug_assertions);

/// All rows. To be called early: the memory of a child counts from that of its parent.
pub fn rows(table: &mut Table, folder: &Path) {
    let folder = fresh(folder);
    let big = big(&folder);
    memory(table, &folder, &big);
    bytes(table, &folder, &big);
    std::fs::remove_file(&big).unwrap();
    first_byte(table, &folder);
    ndjson(table, &folder);
    pipeline(table, &folder);
}

/// A file of lines of 100 bytes, 1 GB in all.
fn big(folder: &Path) -> PathBuf {
    let path = folder.join("big");
    let block = format!("{}\n", "0123456789".repeat(10).get(1..).unwrap()).repeat(10_000);
    let mut file = std::fs::File::create(&path).unwrap();
    for _ in 0..if SMALL { 10 } else { 1_000 } {
        file.write_all(block.as_bytes()).unwrap();
    }
    path
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

/// What flow itself needs while much more than that passes through it.
fn memory(table: &mut Table, folder: &Path, big: &Path) {
    let text = format!(
        "exec(\"read\", [\"cat\", {big:?}]) |> exec(\"pass\", [\"cat\"]) |> exec(\"count\", [\"wc\", \"-c\"]);"
    );
    let (time, peak) = flow(&script(folder, &text), &["script", "w.rhai", "--quiet"]);
    let megabytes = peak / 1024 / 1024;
    table.row(
        format!("stream of three programs, {} MB through it", size(big) / 1_000_000),
        format!("{megabytes} MB peak, {time:.1?}"),
        "64 MB",
        megabytes < 64,
    );
}

/// Bytes through `a |> b`, against the same two programs and a pipe.
fn bytes(table: &mut Table, folder: &Path, big: &Path) {
    let text = format!("exec(\"read\", [\"cat\", {big:?}]) |> exec(\"count\", [\"wc\", \"-c\"]);");
    let pipe = || {
        timed(|| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "cat \"$1\" | wc -c", "sh"]).arg(big).stdin(Stdio::null()).stdout(Stdio::null());
            assert!(shell.status().unwrap().success());
        })
    };
    let (ours, limit) = in_turn(5, || flow(&script(folder, &text), &["script", "w.rhai", "--quiet"]).0, pipe);
    let speed = |time: Duration| size(big) as f64 / 1e9 / time.as_secs_f64();
    let ratio = speed(ours) / speed(limit);
    table.row(
        "bytes from `cat big` live into `wc -c`, beside a shell's pipe",
        format!("{ratio:.2} × ({:.2} GB/s, pipe {:.2} GB/s)", speed(ours), speed(limit)),
        "at least 0.8 ×",
        ratio >= 0.8,
    );
}

/// Four stages that each take 200 ms for all of their lines: when does the last one have something to read?
fn first_byte(table: &mut Table, folder: &Path) {
    let make = "for n in 1 2 3 4; do sleep 0.05; echo $n; done";
    let pass = "while read -r n; do sleep 0.05; echo $n; done";
    let last = "read -r n; date +%s%N > first; cat > /dev/null";
    let first = |arrow: &str| {
        let text = format!(
            "sh(\"a\", {make:?}) {arrow} sh(\"b\", {pass:?}) {arrow} sh(\"c\", {pass:?}) {arrow} sh(\"d\", {last:?});"
        );
        let place = script(folder, &text);
        let begin = SystemTime::now();
        flow(&place, &["script", "w.rhai", "--quiet"]);
        let nanos: u64 = std::fs::read_to_string(place.join("first")).unwrap().trim().parse().unwrap();
        (SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)).duration_since(begin).unwrap()
    };
    let (live, file) = in_turn(5, || first("|>"), || first("->"));
    let lower = 1.0 - live.as_secs_f64() / file.as_secs_f64();
    table.row(
        "first byte at the last of four stages, live edges",
        format!("{:.2} s, by files {:.2} s: {:.0} % lower", live.as_secs_f64(), file.as_secs_f64(), lower * 100.0),
        "at least 60 % lower",
        lower >= 0.6,
    );
}

/// Many a second: `count` of them in this time.
fn rate(table: &mut Table, work: &str, count: u64, time: Duration, wanted: u64) {
    let rate = count as f64 / time.as_secs_f64();
    table.row(
        work,
        format!("{} a second ({} in {time:.2?})", thousands(rate as u64), thousands(count)),
        format!("at least {} a second", thousands(wanted)),
        rate >= wanted as f64,
    );
}

fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Lines of JSON, each read, given to a closure, and written again.
fn ndjson(table: &mut Table, folder: &Path) {
    let lines: u64 = if SMALL { 20_000 } else { 1_000_000 };
    let path = folder.join("big.ndjson");
    let mut file = BufWriter::new(std::fs::File::create(&path).unwrap());
    for n in 0..lines {
        writeln!(file, "{{\"id\":{n},\"path\":\"/orders/{}\",\"status\":{},\"ms\":{}}}", n % 977, 200, n % 300)
            .unwrap();
    }
    drop(file);
    let text =
        format!("exec(\"read\", [\"cat\", {path:?}]) |> ndjson(|value| value) |> exec(\"count\", [\"wc\", \"-l\"]);");
    let once = || flow(&script(folder, &text), &["script", "w.rhai", "--quiet"]).0;
    rate(table, "NDJSON lines through a closure in a stream", lines, median((0..3).map(|_| once()).collect()), 300_000);
    std::fs::remove_file(&path).unwrap();
}

/// Items through three closures that do nothing.
fn pipeline(table: &mut Table, folder: &Path) {
    let stages = ".stage(\"a\", |x| x).stage(\"b\", |x| x).stage(\"c\", |x| x)";
    for (durability, count, sink, wanted) in
        [("none", 2_000_000, ".discard()", 500_000), ("normal", 500_000, ".to(lines(\"out.txt\"))", 100_000)]
    {
        let count: u64 = if SMALL { count / 100 } else { count };
        let text = format!("pipeline(\"p\").from(0..{count}){stages}{sink};");
        let mut times = Vec::new();
        for _ in 0..3 {
            let place = script(folder, &text);
            times.push(flow(&place, &["script", "w.rhai", "--quiet", "--durability", durability]).0);
            if durability != "none" {
                let written = std::fs::read_to_string(place.join("out.txt")).unwrap();
                assert_eq!(written.lines().count() as u64, count, "each item is written once");
            }
        }
        let how = if durability == "none" { "in memory" } else { "durable, into a file" };
        rate(table, &format!("pipeline items through three closures, {how}"), count, median(times), wanted);
    }
}
