//! Nothing survives: whatever a step's processes do to get away, after a cancel, a timeout, two times Ctrl-C or a `kill -9`
//! of flow itself none of them is left. They bear an argument that nobody else has, and are looked for in `/proc`.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::bench::{Bench, Going, until};

/// Ways to get away, each a piece of shell; `$M` is the argument by which its processes are known. Each touches a file when
/// it is where it wants to be.
const WAYS: [(&str, &str); 9] = [
    ("child", "sh -c 'touch $0.up; sleep 600; :' $M & wait"),
    ("nohup", "nohup sh -c 'touch $0.up; sleep 600; :' $M >/dev/null 2>&1 & wait"),
    ("setsid", "setsid sh -c 'touch $0.up; sleep 600; :' $M & wait"),
    (
        "deaf",
        "setsid sh -c 'trap \"\" TERM INT HUP; touch $0.up; while :; do sleep 600; done' $M & trap '' TERM; wait; wait",
    ),
    // The parent of the second one is gone.
    (
        "double-fork",
        "(setsid sh -c 'sh -c \"touch \\$0.up; sleep 600; :\" $0 & exit' $M &); until [ -e $M.up ]; do sleep 0.01; done; sleep 600",
    ),
    ("empty-environment", "env -i setsid /bin/sh -c '/usr/bin/touch $0.up; /bin/sleep 600; :' $M & wait"),
    (
        "tree",
        "for n in 1 2 3; do sh -c 'for m in 1 2 3; do setsid sleep 600 $0 2>/dev/null || sh -c \"sleep 600; :\" $0 & done; touch $0.up; wait' $M & done; wait",
    ),
    ("stopped", "setsid sh -c 'touch $0.up; kill -STOP $$; sleep 600; :' $M & wait"),
    ("fork-chain", "printf 'sh \"$0\" \"$1\" & exit\\n' > $M.sh; touch $M.up; sh $M.sh $M & sleep 600"),
];

/// A chain of processes, each in a session of its own, which only live for a moment.
const CHAIN: (&str, &str) =
    ("session-chain", "printf 'setsid sh \"$0\" \"$1\" & exit\\n' > $M.sh; touch $M.up; sh $M.sh $M & sleep 600");

/// A way that no mark, no group and no living parent tells of: only who has adopted it knows.
const UNKNOWN: (&str, &str) = (
    "double-fork-without-environment",
    "(env -i setsid /bin/sh -c '/bin/sh -c \"/usr/bin/touch \\$0.up; /bin/sleep 600; :\" $0 & exit' $M &); until [ -e $M.up ]; do sleep 0.01; done; sleep 600",
);

/// Steps with all of these, in a folder whose name is in the argument.
fn script(bench: &Bench, ways: &[(&str, &str)], more: &str) -> String {
    let steps = ways.iter().map(|(name, way)| {
        let mark = mark(bench, name);
        format!("sh(\"{name}\", {:?}){more};\n", format!("M={mark}; {way}"))
    });
    format!("settings(#{{ max_parallel: 50 }});\n{}", steps.collect::<String>())
}

fn mark(bench: &Bench, name: &str) -> String {
    bench.path(&format!("mark-{name}")).display().to_string()
}

/// The living processes with an argument that begins so.
fn living(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.parse::<u32>().is_err() {
            continue;
        }
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line.split(|byte| *byte == 0).any(|word| word.starts_with(mark.as_bytes())) {
            found.push(format!("{name}: {}", String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

/// A run whose steps have got away as far as they can.
fn begin(bench: &Bench, ways: &[(&str, &str)], more: &str) -> Going {
    bench.write("test.rhai", script(bench, ways, more));
    let going = bench.start(&["script", "test.rhai"]);
    for (name, _) in ways {
        until(name, || std::fs::exists(format!("{}.up", mark(bench, name))).unwrap().then_some(()));
        // The search itself finds what it is to find.
        until(name, || (!living(&mark(bench, name)).is_empty()).then_some(()));
    }
    going
}

#[track_caller]
fn none_is_left(bench: &Bench) {
    let left = living(&mark(bench, ""));
    assert!(left.is_empty(), "left:\n{}", left.join("\n"));
}

fn all_ways() -> Vec<(&'static str, &'static str)> {
    WAYS.into_iter().chain([CHAIN, UNKNOWN]).collect()
}

#[test]
fn a_cancel_ends_everything() {
    let bench = Bench::new();
    let going = begin(&bench, &all_ways(), "");
    bench.flow(&["cancel", "last"]).ok();
    going.end().code(1);
    none_is_left(&bench);
    assert_eq!(bench.status(), "cancelled");
}

#[test]
fn a_timeout_ends_everything() {
    for (ways, timeout) in [(all_ways(), "5s"), (vec![UNKNOWN], "1s"), (vec![CHAIN], "1s")] {
        let bench = Bench::new();
        let going = begin(&bench, &ways, &format!(".timeout(\"{timeout}\")"));
        going.end().code(1);
        none_is_left(&bench);
    }
}

#[test]
fn ctrl_c_ends_everything_and_a_second_one_at_once() {
    let bench = Bench::new();
    let going = begin(&bench, &all_ways(), "");
    let begun = Instant::now();
    going.signal(Signal::INT);
    until("the stop", || bench.open().state("last").unwrap().stopping);
    going.signal(Signal::INT);
    going.end().code(130);
    none_is_left(&bench);
    // The grace time is five seconds.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());

    let bench = Bench::new();
    let going = begin(&bench, &all_ways(), "");
    going.signal(Signal::INT);
    going.end().code(130);
    none_is_left(&bench);
}

#[test]
fn after_a_kill_of_flow_itself_nothing_is_left() {
    let bench = Bench::new();
    let going = begin(&bench, &WAYS, "");
    going.kill();
    until("the end of all", || living(&mark(&bench, "")).is_empty().then_some(()));
}

#[test]
fn what_flow_has_adopted_is_known_to_the_watchdog() {
    let bench = Bench::new();
    let going = begin(&bench, &[UNKNOWN], "");
    let orphan = living(&mark(&bench, ""))[0].split(':').next().unwrap().to_owned();
    let run = bench.runs()[0]["run"].as_str().unwrap().to_owned();
    let watchdog = living(&format!("FLOW_RUN={run}"))[0].split(':').next().unwrap().to_owned();
    let told = || std::fs::read_to_string(format!("/proc/{watchdog}/fd/1")).unwrap_or_default();
    until("the watchdog is told", || told().lines().any(|line| line.trim() == orphan).then_some(()));
    going.kill();
    until("the end of all", || living(&mark(&bench, "")).is_empty().then_some(()));
}

#[test]
fn what_a_step_leaves_on_purpose_stays_until_the_run_is_ended_by_force() {
    let way = "setsid sh -c 'touch $0.up; sleep 600; :' $M >/dev/null 2>&1 & until [ -e $M.up ]; do sleep 0.01; done";
    let unknown = UNKNOWN.1.trim_end_matches("; sleep 600");
    let left = [("serve", way), ("daemon", unknown)];
    let more = r#"sh("late", "sleep 600").after(serve).after(daemon).timeout("200ms").on_error("continue") -> sh("last", "touch last; until [ -e go ]; do sleep 0.01; done");"#;
    let begin = || {
        let bench = Bench::new();
        let steps = script(&bench, &left, "")
            .replace("sh(\"serve\"", "let serve = sh(\"serve\"")
            .replace("sh(\"daemon\"", "let daemon = sh(\"daemon\"");
        bench.write("test.rhai", format!("{steps}{more}"));
        let going = bench.start(&["script", "test.rhai"]);
        bench.wait_for("last", 0);
        until("the last step", || bench.path("last").exists().then_some(()));
        // The timeout of another step has ended neither.
        assert_eq!(living(&mark(&bench, "")).len(), 2, "{:?}", living(&mark(&bench, "")));
        (bench, going)
    };
    let (bench, going) = begin();
    bench.write("go", "");
    going.end().ok();
    assert_eq!(living(&mark(&bench, "")).len(), 2);
    for process in living(&mark(&bench, "")) {
        let pid = rustix::process::Pid::from_raw(process.split(':').next().unwrap().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, Signal::KILL).unwrap();
    }

    let (bench, going) = begin();
    bench.flow(&["cancel", "last"]).ok();
    going.end().code(1);
    none_is_left(&bench);

    let (bench, going) = begin();
    going.kill();
    until("the end of all", || living(&mark(&bench, "")).is_empty().then_some(()));
}

#[test]
fn orphans_that_end_are_reaped() {
    let bench = Bench::with(
        r#"sh("many", "for n in $(seq 200); do (setsid sleep 0.05 &); done; touch up; until [ -e go ]; do sleep 0.01; done");"#,
    );
    let going = bench.start(&["script", "test.rhai"]);
    until("its processes", || bench.path("up").exists().then_some(()));
    // Those that live are its children as well: then there are neither.
    let zombies = || {
        let mut count = 0;
        for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
            let (_, parent) = (fields.next(), fields.next());
            count += u32::from(parent == Some(&going.id().to_string()) && stat.contains("(sleep)"));
        }
        count
    };
    until("the end of the sleepers", || (zombies() == 0).then_some(()));
    bench.write("go", "");
    going.end().ok();
}

#[test]
fn a_process_that_writes_too_much_is_ended() {
    let bench = Bench::with(
        r#"
        settings(#{ output_limit: "1MB" });
        sh("out", "yes; touch survived").on_error("continue");
        sh("err", "yes >&2; touch survived").on_error("continue");
        sh("deaf", "trap '' TERM; yes; yes; touch survived").output_limit("10kB").on_error("continue");
        sh("quick", "head -c 2000000 /dev/zero").on_error("continue");
        sh("within", "head -c 1000000 /dev/zero | tr '\\0' x");
        sh("more", "head -c 2000000 /dev/zero | tr '\\0' x").output_limit("3MB");
        "#,
    );
    for secrets in [false, true] {
        if secrets {
            let script = std::fs::read_to_string(bench.path("test.rhai")).unwrap();
            bench
                .write("test.rhai", format!("{script}\nsh(\"uses\", \"echo $PATH\").env(#{{ X: secret(\"PATH\") }});"));
        }
        bench.flow(&["script", "test.rhai"]).ok();
        let flow = bench.open();
        let state = flow.state("last").unwrap();
        let outcome = |step: &str| state.step(state.plan.find(step)[0]).outcome.clone().unwrap();
        for (step, stream, limit, bytes) in [
            ("out", "output", "1 MB", 1_000_000),
            ("err", "error", "1 MB", 1_000_000),
            ("deaf", "output", "10 kB", 10_000),
            ("quick", "output", "1 MB", 1_000_000),
        ] {
            let outcome = outcome(step);
            let error = outcome.error.as_ref().unwrap();
            assert_eq!(error.kind, flow::event::FailureKind::TooMuch, "{error:?}");
            let wanted = format!("wrote more than its output limit of {limit} to standard {stream}");
            assert!(error.message.ends_with(&wanted), "{}", error.message);
            assert!(error.help.as_ref().unwrap().contains("output_limit"));
            let log = if stream == "error" { &outcome.stderr } else { &outcome.stdout }.clone().unwrap();
            assert_eq!(log.bytes, bytes, "{step}");
            assert_eq!(std::fs::metadata(flow.run_folder("last").unwrap().join(log.file)).unwrap().len(), bytes);
        }
        assert_eq!(outcome("within").error, None);
        assert_eq!(outcome("more").stdout.clone().unwrap().bytes, 2_000_000);
        assert!(!bench.path("survived").exists());
    }
}
