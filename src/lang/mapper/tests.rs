use std::sync::atomic::Ordering;
use std::time::Instant;

use super::*;
use crate::event::Log;
use crate::lang::Script;
use crate::plan::Task;
use crate::state::result::Files;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, log: &Log) -> std::io::Result<Vec<u8>> {
        Err(std::io::Error::other(log.file.clone()))
    }
}

fn nothing() -> Inputs {
    Inputs { results: Vec::new(), files: Arc::new(NoFiles) }
}

/// The closure of the `call` that a script ends with.
fn closure(script: &str) -> (Program, Closure) {
    let program = Program::compile(&Script::from_text("m.rhai", script)).expect("it is right");
    let built = program.build(&[], None).expect("it is right");
    let task = built.growth.steps.last().expect("a step").task.clone();
    match &*task {
        Task::Call(closure) => (program, closure.clone()),
        other => panic!("{} is no call", other.kind()),
    }
}

fn all(script: &str, items: &[&str]) -> Vec<Result<String, Failure>> {
    let (program, closure) = closure(script);
    let inputs = nothing();
    let mut mapper = program.mapper(&closure, &inputs, &Arc::default()).expect("it is there");
    let line = |item: Item| {
        let mut line = Vec::new();
        item.write_json(&mut line).map(|()| String::from_utf8(line).expect("JSON is text"))
    };
    items.iter().map(|item| mapper.call(Item::read_json(item.as_bytes()).expect("JSON")).and_then(line)).collect()
}

fn well(script: &str, items: &[&str]) -> Vec<String> {
    all(script, items).into_iter().map(|result| result.expect("it goes well")).collect()
}

#[test]
fn items_go_through_a_closure() {
    assert_eq!(well("call(\"a\", |x| x + 1);", &["1", "2"]), ["2", "3"]);
    assert_eq!(well("call(\"a\", || 7);", &["1"]), ["7"]);
    assert_eq!(well("let t = #{ a: [1, 2] }; call(\"a\", |x| t.a[x]);", &["0", "1", "0"]), ["1", "2", "1"]);
    let functions = "fn twice(x) { 2 * x } fn more(x) { twice(x) + 1 } call(\"a\", |x| more(x));";
    assert_eq!(well(functions, &["1", "5"]), ["3", "11"]);
    let nested = "call(\"a\", |list| list.map(|x| x * 2).filter(|x| x > 2));";
    assert_eq!(well(nested, &["[1,2,3]", "[]"]), ["[4,6]", "[]"]);
}

#[test]
fn one_that_fails_spoils_none_of_the_others() {
    let found =
        all("call(\"a\",\n    |x| if x == 2 { throw \"two\" } else { let y = x; y * 10 });", &["1", "2", "3", "{}"]);
    assert_eq!(found[0].as_deref(), Ok("10"));
    let problem = found[1].as_ref().expect_err("it throws");
    assert!(problem.message.contains("two"), "{problem:?}");
    assert_eq!(problem.span.map(|span| span.line), Some(2));
    assert_eq!(found[2].as_deref(), Ok("30"));
    assert!(found[3].as_ref().expect_err("no number").help.is_some());
}

#[test]
fn what_goes_on_for_ever_is_ended() {
    let (program, closure) = closure("call(\"a\", |x| { let n = 0; while x { n += 1; } n });");
    let (inputs, stop) = (nothing(), Arc::new(AtomicBool::new(true)));
    let mut mapper = program.mapper(&closure, &inputs, &stop).expect("it is there");
    assert!(mapper.call(Item::of(true.into())).is_err());
    // Nothing is left for what else the thread does.
    assert!(session::interrupt().is_none());
    stop.store(false, Ordering::Relaxed);
    assert!(mapper.call(Item::of(false.into())).is_ok());
}

#[test]
#[allow(clippy::print_stdout)] // it is a measurement
#[ignore = "a measurement: cargo test --release --lib -- --ignored --nocapture a_call_costs"]
fn a_call_costs() {
    for script in
        ["call(\"a\", |x| x + 1);", "fn f(x) { x.status >= 500 } call(\"a\", |x| if x == 0 { f(x) } else { x });"]
    {
        let (program, closure) = closure(script);
        let inputs = nothing();
        let mut mapper = program.mapper(&closure, &inputs, &Arc::default()).expect("it is there");
        let began = Instant::now();
        const TIMES: u32 = 1_000_000;
        for n in 1..=i64::from(TIMES) {
            mapper.call(Item::whole(n)).expect("it goes well");
        }
        println!("{script}: {:?} a call", began.elapsed() / TIMES);
    }
    let text = br#"{"time":"2026-01-01T00:00:00Z","status":200,"path":"/index.html","ms":12.5,"ok":true}"#;
    let (mut line, began) = (Vec::new(), Instant::now());
    for _ in 0..1_000_000 {
        line.clear();
        Item::read_json(text).and_then(|item| item.write_json(&mut line).map_err(|e| e.message)).expect("JSON");
    }
    println!("read and written: {:?} a line", began.elapsed() / 1_000_000);
}

#[test]
fn what_is_printed_is_taken_and_then_as_much_may_be_printed_again() {
    let (program, closure) = closure("call(\"a\", |x| print(x));");
    let inputs = nothing();
    let mut mapper = program.mapper(&closure, &inputs, &Arc::default()).expect("it is there");
    assert_eq!(mapper.take_printed(), "");
    let long = "x".repeat(100_000);
    for _ in 0..3 {
        assert!(mapper.call(Item::text(&long)).is_ok() && mapper.call(Item::text("y")).is_ok());
        let printed = mapper.take_printed();
        assert!(printed.starts_with(&long) && printed.contains("was not kept"), "{}", printed.len());
    }
    assert!(mapper.call(Item::text("z")).is_ok());
    assert_eq!(mapper.take_printed(), "z\n");
}
