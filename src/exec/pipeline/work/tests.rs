//! Work that leaves the process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use serde_json::json;

use super::{Given, Input, Stop, Which, Worker, open};
use crate::event::{Failure, Reached};
use crate::exec::pipeline::Opening;
use crate::exec::pipeline::attempt::{Attempt, sh};
use crate::lang::item::Item;
use crate::plan::{Json, Policy, Stage, StageWork, Value};

const WHICH: Which = Which { offset: 0 };

fn stage(work: StageWork) -> Stage {
    Stage::new("s", work, Default::default())
}

fn given(given: Given) -> Json {
    let plain = |item: Item| item.to_json().expect("plain");
    match given {
        Given::Nothing => json!("nothing"),
        Given::One(item) => json!({ "one": plain(item) }),
        Given::Many(items) => json!({ "many": items.into_iter().map(plain).collect::<Vec<_>>() }),
    }
}

fn one(worker: &mut dyn Worker, item: Json) -> Result<Json, Failure> {
    worker.work(Input::One(Item::of(item)), WHICH).map(given)
}

fn batch(worker: &mut dyn Worker, items: &[Json]) -> Result<Json, Failure> {
    worker.work(Input::Batch(items.iter().cloned().map(Item::of).collect()), WHICH).map(given)
}

fn with<T>(attempt: &Attempt, work: StageWork, stop: &Arc<Stop>, look: impl FnOnce(&mut dyn Worker) -> T) -> T {
    let stage = stage(work);
    attempt.at(&Reached::default(), |opening: &Opening| {
        let mut worker = open(&stage, opening, stop, 0).expect("it is opened");
        look(&mut *worker)
    })
}

fn command(script: &str) -> StageWork {
    StageWork::Command(sh(script))
}

fn worker(script: &str) -> StageWork {
    StageWork::Worker(sh(script))
}

#[test]
fn a_process_has_the_item_and_its_output_goes_on() {
    let attempt = Attempt::new();
    let stop = Arc::default();
    with(&attempt, command("tr a-z A-Z; printf %s \"$ITEM\""), &stop, |worker| {
        assert_eq!(
            one(worker, json!("x; rm -rf \"$HOME\"")),
            Ok(json!({"one": "X; RM -RF \"$HOME\"\nx; rm -rf \"$HOME\""}))
        );
        assert_eq!(
            batch(worker, &[json!("a"), json!({"b": 1})]),
            Ok(json!({"one": "A\n{\"B\":1}\n[\"a\",{\"b\":1}]"}))
        );
    });
    with(&attempt, command("cat"), &stop, |worker| {
        assert_eq!(one(worker, json!({"a": [1]})), Ok(json!({"one": {"a": [1]}})));
        assert_eq!(batch(worker, &[json!([1, 2])]), Ok(json!({"many": [1, 2]})));
    });
    with(&attempt, command("true"), &stop, |worker| assert_eq!(one(worker, json!(1)), Ok(json!({"one": ""}))));
    // What does not fit into an environment is there on standard input; and more than fits into a pipe, both ways.
    with(&attempt, command("printf %s \"${ITEM-none}\"; cat"), &stop, |worker| {
        let long = "ä".repeat(200_000);
        assert_eq!(one(worker, json!(long)), Ok(json!({"one": format!("none{long}")})));
        assert_eq!(one(worker, json!("nul \0 in it")), Ok(json!({"one": "nonenul \0 in it"})));
    });
}

#[test]
fn a_process_that_fails_fails_its_item_alone() {
    let attempt = Attempt::new();
    with(&attempt, command("echo bad $ITEM >&2; exit $ITEM"), &Arc::default(), |worker| {
        let failure = one(worker, json!(3)).expect_err("it fails");
        assert!(failure.message.ends_with("ended with exit code 3"), "{failure:?}");
        assert!(failure.help.is_some_and(|help| help.contains("`bad 3`")));
        assert_eq!(one(worker, json!(0)), Ok(json!({"one": ""})));
    });
    let errors = std::fs::read_to_string(attempt.path().join("runs/run/logs/3-p.1.err"));
    assert_eq!(errors.expect("it is there"), "bad 3\nbad 0\n");
}

#[test]
fn a_process_that_takes_too_long_is_ended_with_its_children() {
    let attempt = Attempt::new();
    let stop = Arc::new(Stop::default());
    with(&attempt, command("sleep 1000 & echo $! > child; wait"), &stop, |worker| {
        let late = stop.clone();
        let child = attempt.path().join("child");
        let file = child.clone();
        let ender = thread::spawn(move || {
            while !std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with('\n')) {
                thread::yield_now();
            }
            late.set();
        });
        assert!(one(worker, json!(1)).expect_err("it is ended").message.contains("was ended before it was done"));
        ender.join().expect("it ends");
        let pid = std::fs::read_to_string(&child).expect("it is there");
        let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
        assert!(status.is_empty() || status.contains("zombie"), "{status}");
        stop.clear();
    });
}

#[test]
fn an_output_without_end_is_cut() {
    let policy = Policy { output_limit: Some(100_000), ..Policy::default() };
    let attempt = Attempt::new().with(policy);
    with(&attempt, command("yes"), &Arc::default(), |worker| {
        let failure = one(worker, json!(1)).expect_err("it writes too much");
        assert!(failure.message.starts_with("`yes` wrote more than"), "{failure:?}");
    });
}

#[test]
fn the_environment_of_the_step_holds() {
    let env = vec![("GREETING".to_owned(), Value::Plain("hello".into()))];
    let attempt = Attempt::new().with(Policy { env, cwd: Some(Value::Plain("sub".into())), ..Policy::default() });
    std::fs::create_dir(attempt.path().join("sub")).expect("a folder");
    with(&attempt, command("echo $GREETING $FLOW_STEP $FLOW_ATTEMPT ${PWD##*/}"), &Arc::default(), |worker| {
        assert_eq!(one(worker, json!(1)), Ok(json!({"one": "hello p 1 sub"})));
    });
}

#[test]
fn a_worker_answers_line_by_line() {
    let attempt = Attempt::new();
    let script = "while read -r line; do printf '{\"got\": %s, \"by\": %s}\\n' \"$line\" $$; done; echo bye >&2";
    let stage = stage(worker(script));
    attempt.at(&Reached::default(), |opening: &Opening| {
        let mut worker = open(&stage, opening, &Arc::default(), 0).expect("it starts");
        let first = one(&mut *worker, json!({"a": 1})).expect("an answer");
        let second = one(&mut *worker, json!("x\ny")).expect("an answer");
        assert_eq!((&first["one"]["got"], &second["one"]["got"]), (&json!({"a": 1}), &json!("x\ny")));
        assert_eq!(first["one"]["by"], second["one"]["by"], "the same process");
        worker.finish().expect("it ends well");
    });
}

#[test]
fn a_worker_that_dies_fails_the_item_it_held_and_the_next_gets_a_new_one() {
    let attempt = Attempt::new();
    let script = "read -r line; echo $line; read -r line; echo oh >&2; exit 3";
    with(&attempt, worker(script), &Arc::default(), |worker| {
        assert_eq!(one(worker, json!(1)), Ok(json!({"one": 1})));
        let failure = one(worker, json!(2)).expect_err("it dies");
        assert!(failure.message.ends_with("ended with exit code 3"), "{failure:?}");
        assert!(failure.help.is_some_and(|help| help.contains("`oh`")));
        assert_eq!(one(worker, json!(3)), Ok(json!({"one": 3})));
    });
    with(&attempt, worker("read -r line; kill -9 $$"), &Arc::default(), |worker| {
        assert!(one(worker, json!(1)).expect_err("it dies").message.contains("SIGKILL"));
    });
    with(&attempt, worker("read -r line; exit 0"), &Arc::default(), |worker| {
        assert!(one(worker, json!(1)).expect_err("it ends").message.ends_with("ended before it answered"));
    });
}

#[test]
fn an_answer_that_is_none_is_named_and_nobody_gets_that_of_another() {
    let attempt = Attempt::new();
    for (answer, message) in [
        ("echo \"debug: $line\"; echo $line", "answers with more lines than it gets: `1`"),
        ("echo 'no json'", "answered with what is not JSON: `no json`"),
        ("printf '\\377\\376\\n'", "answered with what is not JSON: `\u{fffd}\u{fffd}`"),
        ("echo", "answered with what is not JSON: ``"),
    ] {
        let script = format!("while read -r line; do {answer}; done");
        with(&attempt, worker(&script), &Arc::default(), |worker| {
            let failure = one(worker, json!(1)).expect_err("it broke the rule");
            let first = failure.message.contains(message) || failure.message.contains("is not JSON: `debug: 1`");
            assert!(first, "{}", failure.message);
            assert!(one(worker, json!(2)).is_err(), "the next one does the same");
        });
    }
}

#[test]
fn a_worker_says_that_an_item_failed_and_lives_on() {
    let attempt = Attempt::new();
    let script = r#"while read -r line; do case $line in
        1) echo '{"error": "too small"}';; 2) echo '{"error": "x", "code": 2}';; 3) echo '{"error": 3}';; *) echo $$;; esac; done"#;
    with(&attempt, worker(script), &Arc::default(), |worker| {
        let before = one(worker, json!(4)).expect("an answer");
        assert_eq!(one(worker, json!(1)).expect_err("it failed").message, "too small");
        assert_eq!(one(worker, json!(2)), Ok(json!({"one": {"error": "x", "code": 2}})));
        assert_eq!(one(worker, json!(3)), Ok(json!({"one": {"error": 3}})));
        assert_eq!(one(worker, json!(4)), Ok(before), "the same process");
    });
}

#[test]
fn the_end_of_a_worker_tells_what_is_wrong_with_it() {
    let attempt = Attempt::new();
    for (script, end) in [
        (
            "read -r line; echo 1; cat > /dev/null; echo 2",
            "answers with more lines than it gets: `2`, as its end shows",
        ),
        (
            "read -r line; echo 1; cat > /dev/null; exit 3",
            "ended with exit code 3, at its end, when every item was answered",
        ),
    ] {
        let stage = stage(worker(script));
        attempt.at(&Reached::default(), |opening: &Opening| {
            let mut worker = open(&stage, opening, &Arc::default(), 0).expect("it starts");
            assert_eq!(one(&mut *worker, json!(1)), Ok(json!({"one": 1})));
            let failure = worker.finish().expect_err("it ends badly");
            assert!(failure.message.contains(end), "{}", failure.message);
        });
    }
}

#[test]
fn a_worker_that_hangs_is_ended_and_can_be_asked_again() {
    let attempt = Attempt::new();
    let stop = Arc::new(Stop::default());
    let script = "while read -r line; do case $line in 1) touch here; sleep 1000;; *) echo $line;; esac; done";
    with(&attempt, worker(script), &stop, |worker| {
        let (late, file) = (stop.clone(), attempt.path().join("here"));
        let ender = thread::spawn(move || {
            while !file.exists() {
                thread::yield_now();
            }
            late.set();
        });
        assert!(one(worker, json!(1)).is_err());
        ender.join().expect("it ends");
        stop.clear();
        assert_eq!(one(worker, json!(2)), Ok(json!({"one": 2})));
    });
}

#[test]
fn a_program_that_is_not_there_is_told_before_the_first_item() {
    let attempt = Attempt::new();
    let exec = crate::plan::Command::Exec(vec![Value::Plain("no-such-program-here".into())]);
    let stage = stage(StageWork::Worker(exec));
    attempt.at(&Reached::default(), |opening: &Opening| {
        let failure = open(&stage, opening, &Arc::default(), 0).err().expect("it is not there");
        assert!(failure.message.contains("`no-such-program-here` was not found"), "{failure:?}");
    });
}

/// Answers every request with what it was asked.
fn server(answers: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("it has one").port();
    thread::spawn(move || {
        for stream in listener.incoming().take(answers) {
            let mut stream = stream.expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("twice"));
            let (mut first, mut length, mut key) = (String::new(), 0, String::new());
            reader.read_line(&mut first).expect("a request");
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("a header");
                let lower = line.to_lowercase();
                if let Some(bytes) = lower.strip_prefix("content-length: ") {
                    length = bytes.trim().parse().expect("a number");
                }
                if lower.starts_with("idempotency-key: ") {
                    key = line["idempotency-key: ".len()..].trim().to_owned();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let body = json!({ "body": String::from_utf8_lossy(&body), "key": key }).to_string();
            let head = match first.contains("/busy") {
                true => "503 Service Unavailable\r\nRetry-After: 7",
                false => "200 OK\r\nContent-Type: application/json",
            };
            let length = body.len();
            write!(stream, "HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
                .expect("it is taken");
        }
    });
    port
}

#[test]
fn a_request_for_each_item() {
    let attempt = Attempt::new().calling("|item| #{ url: item.url, json: item, idempotency_key: true }");
    let closure = attempt.closure();
    let url = format!("http://127.0.0.1:{}", server(2));
    with(&attempt, StageWork::Http(closure), &Arc::default(), |worker| {
        let item = json!({ "url": format!("{url}/x") });
        let Ok(answer) = worker.work(Input::One(Item::of(item.clone())), Which { offset: 7 }).map(given) else {
            panic!("it is answered")
        };
        assert_eq!(answer["one"]["body"], json!(item.to_string()));
        assert_eq!(answer["one"]["key"], "run/p/s/7");
        let failure = one(worker, json!({ "url": format!("{url}/busy") })).expect_err("it is busy");
        assert!(failure.message.contains("503"), "{failure:?}");
        assert_eq!(failure.retry_after_ms, Some(7_000));
        let failure = one(worker, json!({ "url": "nonsense" })).expect_err("it is none");
        assert!(failure.message.contains("`nonsense`"), "{failure:?}");
    });
    let left: Vec<_> = std::fs::read_dir(attempt.path().join("runs/run/logs")).expect("a folder").collect();
    assert!(left.is_empty(), "no files are left of answers: {left:?}");
}
