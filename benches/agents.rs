//! Agents: what flow costs beside their programs, and how much sooner the next one has something to read.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::{Table, flow, in_turn, script, timed};

/// Without optimisation only whether it works is of interest.
const SMALL: bool = cfg!(debug_assertions);

/// All rows.
pub fn rows(table: &mut Table, folder: &Path) {
    messages(table, folder);
    between(table, folder);
    first_byte(table, folder);
}

fn count() -> u64 {
    if SMALL { 10_000 } else { 100_000 }
}

/// A program that says so many messages, as fast as it can.
fn talker() -> String {
    format!(
        r#"BEGIN {{ for (i = 0; i < {}; i++) print "{{\"type\":\"agent.text\",\"text\":\"message number " i "\"}}"; print "{{\"type\":\"agent.finished\",\"text\":\"done\"}}" }}"#,
        count()
    )
}

/// The time that a message takes beyond that of the other, which does not handle any.
fn each(ours: Duration, other: Duration) -> f64 {
    ours.saturating_sub(other).as_secs_f64() * 1e6 / count() as f64
}

/// An agent that says very much, against its program alone and a run in which it says nothing.
fn messages(table: &mut Table, folder: &Path) {
    let awk = talker();
    let text = format!("agent(\"a\", #{{ command: [\"awk\", {awk:?}], speaks: \"ndjson\" }}).ask(\"Go\");");
    let bare = || {
        timed(|| {
            let mut program = Command::new("awk");
            program.arg(&awk).stdin(Stdio::null()).stdout(Stdio::null());
            assert!(program.status().unwrap().success());
        })
    };
    let (ours, limit) = in_turn(5, || flow(&script(folder, &text), &["script", "w.rhai", "--quiet"]).0, bare);
    let micros = each(ours, limit);
    table.row(
        format!("an agent's message, of {}: noted, counted, kept", count()),
        format!("{micros:.1} µs ({ours:.2?}, its program alone {limit:.2?})"),
        "50 µs",
        micros < 50.0,
    );
}

/// What is said by one agent and told to the next while it is said.
fn between(table: &mut Table, folder: &Path) {
    let (awk, last) = (talker(), r#"END { print "{\"type\":\"agent.finished\",\"text\":\"" NR "\"}" }"#);
    let text = format!(
        "agent(\"a\", #{{ command: [\"awk\", {awk:?}], speaks: \"ndjson\" }}).ask(\"first\", \"Go\") |> \
         agent(\"b\", #{{ command: [\"awk\", {last:?}], input: \"ndjson\" }}).ask(\"second\", \"Count\");"
    );
    let pipe = || {
        timed(|| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "awk \"$1\" | awk \"$2\"", "sh", &awk, last]).stdin(Stdio::null()).stdout(Stdio::null());
            assert!(shell.status().unwrap().success());
        })
    };
    let (ours, limit) = in_turn(5, || flow(&script(folder, &text), &["script", "w.rhai", "--quiet"]).0, pipe);
    let micros = each(ours, limit);
    table.row(
        format!("a message from one agent live to the next, of {}", count()),
        format!("{micros:.1} µs ({ours:.2?}, a shell's pipe {limit:.2?})"),
        "50 µs",
        micros < 50.0,
    );
}

/// Four agents that each think for 200 ms, in four messages: when does the last one have something to read?
///
/// One that is told what the others say answers each message after 50 ms; one that gets all at once says the same at the
/// same pace.
fn first_byte(table: &mut Table, folder: &Path) {
    let say = r#"printf '{"type":"agent.text","text":"%s"}\n'"#;
    let end = r#"printf '{"type":"agent.finished","text":"done"}\n'"#;
    let think = format!(
        "n=0; while read -r line && [ $n -lt 4 ]; do case $line in *agent.text*) sleep 0.05; n=$((n+1)); {say} $n;; *task*) break;; esac; done; \
         while [ $n -lt 4 ]; do sleep 0.05; n=$((n+1)); {say} $n; done; cat > /dev/null; {end}"
    );
    let last = format!("read -r line; date +%s%N > first; cat > /dev/null; {end}");
    let first = |arrow: &str| {
        let ask = |name: &str, program: &str| {
            format!("agent({name:?}, #{{ command: [\"sh\", \"-c\", {program:?}], input: \"ndjson\" }}).ask(\"Go\")")
        };
        let asks = [ask("a", &think), ask("b", &think), ask("c", &think), ask("d", &last)];
        let place = script(folder, &format!("{};", asks.join(&format!(" {arrow} "))));
        let begin = SystemTime::now();
        flow(&place, &["script", "w.rhai", "--quiet"]);
        let nanos: u64 = std::fs::read_to_string(place.join("first")).unwrap().trim().parse().unwrap();
        (SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)).duration_since(begin).unwrap()
    };
    let (live, handed) = in_turn(5, || first("|>"), || first("->"));
    let lower = 1.0 - live.as_secs_f64() / handed.as_secs_f64();
    table.row(
        "first byte at the last of four agents, live",
        format!("{:.2} s, handed over {:.2} s: {:.0} % lower", live.as_secs_f64(), handed.as_secs_f64(), lower * 100.0),
        "at least 40 % lower",
        lower >= 0.4,
    );
}
