//! Whole pipelines in this process: what comes out, in which order, and over interruptions.

use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::shared::Shared;
use super::watch::flow;
use super::{Around, Halt, Opening, Outside, sink, source};
use crate::diag::Span;
use crate::event::{Alerted, DeadLetter, Decision, Failure, FailureKind, Log, Meter, Reached, Saw};
use crate::exec::http::Requests;
use crate::exec::process::Room;
use crate::exec::running::Running;
use crate::exec::workers::Keep;
use crate::exec::{Closures, Done, Job, Report, Site};
use crate::lang::item::{Item, Mapper};
use crate::plan::{
    Alert, Backoff, Closure, Condition, Growth, ItemError, Json, Metric, Overflow, Pipeline, Plan, Policy, Retry,
    Settings, Severity, Source, Stage, StageWork, StepId, Task, Value,
};
use crate::state::{Files, Inputs};

/// A script whose closures are named after what they do with whole numbers.
#[derive(Default)]
struct Script {
    /// What the first stage got.
    seen: Mutex<Vec<i64>>,
    /// After so many of them, the pipeline is ended at once.
    end_after: Option<u64>,
    count: AtomicU64,
    halt: Arc<Halt>,
}

struct Call<'a> {
    script: &'a Script,
    word: String,
    by: i64,
    failed: HashSet<i64>,
    stop: Arc<AtomicBool>,
}

fn number(item: &Item) -> i64 {
    item.to_json().ok().and_then(|value| value.as_i64()).expect("a whole number")
}

fn wrong(message: &str) -> Failure {
    Failure::new(FailureKind::Script, message)
}

impl Mapper for Call<'_> {
    fn call(&mut self, item: Item) -> Result<Item, Failure> {
        match self.word.as_str() {
            "see" => {
                self.script.seen.lock().expect("nobody panics").push(number(&item));
                let count = self.script.count.fetch_add(1, Ordering::SeqCst) + 1;
                if self.script.end_after == Some(count) {
                    self.script.halt.set(true);
                }
                Ok(item)
            }
            "same" | "elements" => Ok(item),
            "add" => match item.into_list() {
                Ok(items) => Ok(Item::list(items.iter().map(|item| Item::whole(number(item) + self.by)).collect())),
                Err(item) => Ok(Item::whole(number(&item) + self.by)),
            },
            "keep" => Ok(Item::of((number(&item) % self.by != 0).into())),
            "flat" => Ok(Item::list((0..self.by).map(|n| Item::whole(number(&item) * 10 + n)).collect())),
            "fail" if number(&item) % self.by == 1 => Err(wrong("it is as it is")),
            "flaky" if number(&item) % self.by == 1 && self.failed.insert(number(&item)) => Err(wrong("not yet")),
            "slow" => {
                // Until it is ended.
                if number(&item) % self.by == 1 {
                    while !self.stop.load(Ordering::Relaxed) {
                        std::thread::yield_now();
                    }
                    return Err(wrong("interrupted"));
                }
                Ok(item)
            }
            "panic" => panic!("as the test wants it"),
            _ => Ok(item),
        }
    }
}

impl Closures for Script {
    fn mapper<'a>(
        &'a self,
        closure: &'a Closure,
        _: &'a Inputs,
        stop: &Arc<AtomicBool>,
    ) -> Result<Box<dyn Mapper + 'a>, Failure> {
        let (word, by) = closure.function.split_once(':').unwrap_or((closure.function.as_str(), "1"));
        let by = by.parse().expect("a number");
        Ok(Box::new(Call { script: self, word: word.into(), by, failed: HashSet::new(), stop: stop.clone() }))
    }
    fn decide(&self, _: &Condition, _: &Inputs) -> (Decision, Vec<Saw>) {
        (Decision::Is(true), Vec::new())
    }
    fn until(&self, _: &Closure, _: Json, _: &Inputs) -> (Decision, Vec<Saw>) {
        (Decision::Is(true), Vec::new())
    }
    fn call(&self, _: &Closure, input: Option<Json>, _: &Inputs, _: &Arc<AtomicBool>) -> Result<Json, Failure> {
        Ok(input.unwrap_or_default())
    }
    fn validate(&self, _: &Closure, _: StepId, _: &Inputs) -> Result<Json, Failure> {
        Ok(Json::Bool(true))
    }
    fn expand(&self, _: Arc<Plan>, _: StepId, _: u32, _: Json, _: &Inputs) -> Result<Growth, Failure> {
        Ok(Growth::default())
    }
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &Log) -> std::io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

/// What came of a pipeline.
struct Ran {
    failure: Option<Failure>,
    reached: Reached,
    /// What was told, in order.
    told: Vec<Reached>,
    meters: Vec<Meter>,
    alerted: Vec<Alerted>,
    seen: Vec<i64>,
    output: Vec<Json>,
    dead: Vec<DeadLetter>,
}

impl Ran {
    fn numbers(&self) -> Vec<i64> {
        self.output.iter().map(|value| value.as_i64().expect("a whole number")).collect()
    }
}

/// A folder in which a pipeline runs, and goes on.
struct Bench {
    folder: tempfile::TempDir,
    policy: Policy,
}

impl Bench {
    fn new() -> Self {
        Bench { folder: tempfile::tempdir().expect("a folder"), policy: Policy::default() }
    }

    fn run(&self, pipeline: &Pipeline) -> Ran {
        self.go_on(pipeline, &Reached::default(), None, |_| {})
    }

    /// `end_after`: after so many items in a stage that sees, everything ends at once.
    fn go_on(
        &self,
        pipeline: &Pipeline,
        reached: &Reached,
        end_after: Option<u64>,
        told: impl Fn(&Arc<Halt>) + Send + Sync + 'static,
    ) -> Ran {
        let halt = Arc::new(Halt::default());
        let script = Script { end_after, halt: halt.clone(), ..Script::default() };
        let (send, receive) = crossbeam_channel::unbounded();
        let bell = halt.clone();
        let report: Report = Arc::new(move |done| {
            told(&bell);
            send.send(done).unwrap_or_default();
        });
        let job = Job {
            step: StepId(3),
            attempt: 1,
            path: "p".into(),
            task: Arc::new(Task::Pipeline(Box::new(pipeline.clone()))),
            policy: Some(Arc::new(self.policy.clone())),
            input: Vec::new(),
            inputs: Inputs { results: Vec::new(), files: Arc::new(NoFiles) },
            site: Arc::new(Site::new("run", self.folder.path(), &self.folder.path().join("run"), Settings::default())),
            missed: None,
            stream: None,
            reached: None,
            allowance: None,
            undone: Vec::new(),
        };
        job.site.prepare().expect("a folder");
        let keep = Keep::default();
        let running = Running::new(Duration::from_secs(1), false);
        let room = Room::with(keep.secrets.clone(), false);
        let requests = Requests::with(keep.secrets.clone());
        let around = Around {
            closures: &script,
            running: &running,
            room: &room,
            keep: &keep,
            requests: &requests,
            report: &report,
        };
        let outside = Outside::of(&job, &running, &room).expect("a folder");
        let opening = Opening { job: &job, around: &around, reached, outside: &outside };
        let stop = Arc::default();
        super::writer::cut(&opening.path(&opening.dead_letters()), reached.dead_bytes).expect("a file");
        let source = source::open(&pipeline.source, &opening, &stop).expect("a source");
        let sink = sink::open(&pipeline.sink, &opening, &Arc::default()).expect("a sink");
        let mut shared = Shared::new(pipeline, &opening, halt, source.places());
        shared.source_stop = stop;
        shared.tick = Duration::from_millis(1);
        let (failure, reached) = flow(&shared, source, sink);
        drop(shared);
        let (mut told, mut meters, mut alerted) = (Vec::new(), Vec::new(), Vec::new());
        for done in receive.try_iter() {
            match done {
                Done::Flowed(flowed) => {
                    told.extend(flowed.reached.map(|reached| *reached));
                    if !flowed.meters.is_empty() {
                        meters = flowed.meters;
                    }
                }
                Done::Alerted(alert) => alerted.push(*alert),
                other => panic!("{other:?}"),
            }
        }
        let lines = |name: &str, bytes: u64| -> Vec<Json> {
            let text = std::fs::read(opening.path(name)).unwrap_or_default();
            assert!(text.len() as u64 >= bytes, "{name}");
            let text = String::from_utf8(text[..bytes as usize].to_vec()).expect("text");
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
        };
        let output = lines(&opening.collected(), reached.written);
        let dead = lines(&opening.dead_letters(), reached.dead_bytes);
        let dead = dead.into_iter().map(|letter| serde_json::from_value(letter).expect("a dead letter")).collect();
        let seen = script.seen.into_inner().expect("nobody panics");
        Ran { failure, reached, told, meters, alerted, seen, output, dead }
    }
}

fn closure(function: &str) -> Closure {
    Closure { function: function.into(), captured: Vec::new(), text: String::new(), span: Span::default() }
}

fn map(name: &str, function: &str) -> Stage {
    Stage::new(name, StageWork::Map(closure(function)), Span::default())
}

fn filter(name: &str, function: &str) -> Stage {
    Stage::new(name, StageWork::Filter(closure(function)), Span::default())
}

fn flat_map(name: &str, function: &str) -> Stage {
    Stage::new(name, StageWork::FlatMap(closure(function)), Span::default())
}

fn batch(name: &str, size: u32) -> Stage {
    Stage { batch_size: Some(size), ..Stage::new(name, StageWork::Batch, Span::default()) }
}

fn numbers(items: i64, stages: Vec<Stage>) -> Pipeline {
    Pipeline { stages, ..Pipeline::of(Source::Range { from: 0, to: items, step: 1 }) }
}

#[test]
fn items_go_through_closures_in_order() {
    let ran = Bench::new().run(&numbers(
        5_000,
        vec![map("a", "add:1"), filter("b", "keep:2"), flat_map("c", "flat:2"), map("d", "add:0")],
    ));
    assert!(ran.failure.is_none(), "{:?}", ran.failure);
    let expected: Vec<i64> = (1..=5_000).filter(|n| n % 2 != 0).flat_map(|n| [n * 10, n * 10 + 1]).collect();
    assert_eq!(ran.numbers(), expected);
    let counts = ran.reached.counts;
    assert_eq!((counts.items, counts.delivered, counts.dead), (5_000, 5_000, 0));
    assert_eq!((ran.reached.upto, ran.reached.beyond.len()), (5_000, 0));
    let names: Vec<_> = ran.meters.iter().map(|meter| (meter.name.as_str(), meter.came, meter.went)).collect();
    assert_eq!(
        names,
        [
            ("source", 5_000, 5_000),
            ("a", 5_000, 5_000),
            ("b", 5_000, 2_500),
            ("c", 2_500, 5_000),
            ("d", 5_000, 5_000),
            ("sink", 5_000, 5_000)
        ]
    );
}

#[test]
fn batches_come_in_their_size_and_the_rest_at_the_end() {
    let ran = Bench::new().run(&numbers(10, vec![batch("b", 4)]));
    assert_eq!(
        ran.output,
        [serde_json::json!([0, 1, 2, 3]), serde_json::json!([4, 5, 6, 7]), serde_json::json!([8, 9])]
    );
    let ran = Bench::new().run(&numbers(10, vec![Stage { batch_size: Some(4), ..map("b", "add:1") }]));
    assert_eq!(ran.numbers(), (1..=10).collect::<Vec<_>>());
}

#[test]
fn each_gives_an_array() {
    let both = StageWork::Each(vec![map("x", "add:1"), map("y", "add:2")]);
    let ran = Bench::new().run(&numbers(2, vec![Stage::new("both", both, Span::default())]));
    assert_eq!(ran.output, [serde_json::json!([1, 2]), serde_json::json!([2, 3])]);
}

#[test]
fn nothing_and_take() {
    assert_eq!(Bench::new().run(&numbers(0, vec![map("a", "add:1")])).output.len(), 0);
    let ran = Bench::new().run(&Pipeline { take: Some(300), ..numbers(5_000, vec![map("a", "add:0")]) });
    assert_eq!(ran.numbers(), (0..300).collect::<Vec<_>>());
    assert!(ran.failure.is_none());
}

#[test]
fn a_failure_stops_it_and_what_was_before_is_delivered() {
    let bench = Bench::new();
    let stages = |fail: &str| vec![map("see", "see"), map("parse", fail), map("c", "add:0")];
    let mut pipeline = numbers(0, stages("fail:100000"));
    pipeline.source =
        Source::Items(Value::Plain((0..500).map(|n| Json::from(if n == 321 { 100_001 } else { n * 2 })).collect()));
    let ran = bench.run(&pipeline);
    let failure = ran.failure.as_ref().expect("it fails");
    assert_eq!(failure.message, "item 321 failed in stage `parse`: it is as it is");
    assert!(failure.help.is_some());
    assert_eq!(ran.numbers(), (0..321).map(|n| n * 2).collect::<Vec<_>>());
    assert_eq!(ran.reached.upto, 321);
    // Once that is mended it goes on behind what was acknowledged.
    pipeline.stages = stages("add:0");
    let ran = bench.go_on(&pipeline, &ran.reached, None, |_| {});
    assert!(ran.failure.is_none());
    assert_eq!(ran.seen.first(), Some(&100_001));
    assert_eq!(ran.output.len(), 500);
}

#[test]
fn dead_letters_and_skipped_items() {
    let parse = |on_error| Stage { on_error: Some(on_error), ..map("parse", "fail:3") };
    let ran = Bench::new().run(&numbers(10, vec![map("a", "add:0"), parse(ItemError::DeadLetter)]));
    assert_eq!(ran.numbers(), [0, 2, 3, 5, 6, 8, 9]);
    let dead: Vec<_> = ran.dead.iter().map(|letter| (letter.offset, letter.item.clone())).collect();
    assert_eq!(dead, [(1, 1.into()), (4, 4.into()), (7, 7.into())]);
    assert_eq!(
        (ran.dead[0].stage.as_str(), ran.dead[0].error.as_str(), ran.dead[0].attempts),
        ("parse", "it is as it is", 1)
    );
    assert_eq!((ran.reached.counts.dead, ran.reached.counts.delivered, ran.reached.counts.items), (3, 7, 10));
    let ran = Bench::new().run(&Pipeline { on_error: ItemError::Skip, ..numbers(10, vec![map("parse", "fail:3")]) });
    assert_eq!((ran.reached.counts.skipped, ran.reached.counts.delivered), (3, 7));
}

#[test]
fn an_item_is_tried_again_and_others_go_on() {
    let retry = Retry { max_attempts: 3, delay_ms: 1, backoff: Backoff::Fixed, max_delay_ms: 1, jitter: 0.5 };
    let stage = |function: &str| Stage { retry: Some(retry.clone()), parallelism: 2, ..map("try", function) };
    let ran = Bench::new().run(&numbers(50, vec![stage("flaky:10")]));
    assert_eq!(ran.numbers(), (0..50).collect::<Vec<_>>());
    assert_eq!((ran.meters[1].retried, ran.meters[1].failed), (5, 0));
    let ran = Bench::new().run(&numbers(50, vec![stage("fail:100")]));
    assert_eq!(ran.failure.expect("it fails").message, "item 1 failed in stage `try` after 3 attempts: it is as it is");
}

#[test]
fn an_item_that_takes_too_long_is_interrupted_and_the_next_is_not() {
    let stage = Stage { timeout_ms: Some(20), on_error: Some(ItemError::DeadLetter), ..map("slow", "slow:5") };
    let ran = Bench::new().run(&numbers(10, vec![stage]));
    assert_eq!(ran.numbers(), [0, 2, 3, 4, 5, 7, 8, 9]);
    assert_eq!(
        ran.dead.iter().map(|letter| letter.error.as_str()).collect::<Vec<_>>(),
        ["it took longer than 20ms"; 2]
    );
}

#[test]
fn what_a_full_buffer_drops_is_counted_and_acknowledged() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let slow = Stage { parallelism: 2, ..map("b", "see") };
        let ran = Bench::new().run(&Pipeline { overflow, buffer_size: 3, ..numbers(3_000, vec![slow]) });
        let counts = ran.reached.counts;
        assert_eq!(counts.items, 3_000);
        assert_eq!(counts.delivered + counts.dropped, 3_000);
        assert_eq!(counts.dropped, ran.meters.iter().map(|meter| meter.dropped).sum::<u64>());
        assert!(ran.numbers().is_sorted());
    }
    let slow = Stage { timeout_ms: Some(5_000), ..map("b", "slow:100") };
    let pipeline = Pipeline { overflow: Overflow::Fail, buffer_size: 3, ..numbers(3_000, vec![slow]) };
    let ran = Bench::new().run(&pipeline);
    assert_eq!(ran.failure.expect("it fails").message, "the buffer before stage `b` is full");
}

#[test]
fn it_is_ended_softly_or_at_once() {
    for hard in [false, true] {
        let pipeline = numbers(i64::MAX, vec![map("a", "add:0"), Stage { parallelism: 3, ..map("b", "add:0") }]);
        let ran = Bench::new().go_on(&pipeline, &Reached::default(), None, move |halt| halt.set(hard));
        assert_eq!(ran.failure.map(|failure| failure.kind), Some(FailureKind::Cancelled));
        let upto = ran.reached.upto as i64;
        assert!(ran.reached.beyond.is_empty());
        assert_eq!(ran.output.len() as i64, upto);
    }
    // What hangs is ended at once too, and a soft end does not wait for it.
    let pipeline = numbers(10, vec![map("a", "slow:5")]);
    let begun = Instant::now();
    let ran = Bench::new().go_on(&pipeline, &Reached::default(), None, move |halt| halt.set(false));
    assert_eq!(ran.failure.map(|failure| failure.kind), Some(FailureKind::Cancelled));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_panic_fails_it() {
    let ran = Bench::new().run(&numbers(10, vec![map("a", "panic")]));
    assert!(ran.failure.expect("it fails").message.contains("panicked"));
}

#[test]
fn alerts_are_raised_once() {
    let alert = Alert {
        metric: Metric::DeadLetters,
        stage: None,
        above: Some(2.0),
        below: None,
        for_ms: 0,
        severity: Severity::Warning,
        action: None,
        span: Span::default(),
    };
    let bench = Bench { policy: Policy { alerts: vec![alert], ..Policy::default() }, ..Bench::new() };
    let ran = bench.run(&Pipeline { on_error: ItemError::DeadLetter, ..numbers(9, vec![map("parse", "fail:3")]) });
    assert_eq!(ran.alerted.len(), 1);
    assert_eq!((ran.alerted[0].alert, ran.alerted[0].stage.as_str(), ran.alerted[0].value), (0, "parse", 3.0));
}

/// A stage of a random pipeline.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Add,
    Keep(i64),
    Flat(i64),
    Fail(i64, bool),
    Flaky(i64),
    BatchMap(u32),
    Regroup(u32),
}

#[derive(Clone, Debug)]
struct Random {
    kind: Kind,
    parallelism: u32,
    ordered: bool,
    buffer: u32,
    timed: bool,
}

impl Random {
    fn stages(&self, n: usize) -> Vec<Stage> {
        let name = format!("s{n}");
        let stage = match self.kind {
            Kind::Add => map(&name, "add:1"),
            Kind::Keep(by) => filter(&name, &format!("keep:{by}")),
            Kind::Flat(by) => flat_map(&name, &format!("flat:{by}")),
            Kind::Fail(by, dead) => {
                let on_error = if dead { ItemError::DeadLetter } else { ItemError::Skip };
                Stage { on_error: Some(on_error), ..map(&name, &format!("fail:{by}")) }
            }
            Kind::Flaky(by) => {
                let retry = Retry { max_attempts: 2, delay_ms: 0, ..Retry::default() };
                Stage { retry: Some(retry), ..map(&name, &format!("flaky:{by}")) }
            }
            Kind::BatchMap(size) => Stage { batch_size: Some(size), ..map(&name, "add:1") },
            Kind::Regroup(size) => batch(&name, size),
        };
        let timeout = stage.batch_size.filter(|_| self.timed).map(|_| 1);
        let stage = Stage {
            parallelism: self.parallelism,
            ordered: self.ordered,
            buffer_size: (self.buffer > 0).then_some(self.buffer),
            batch_timeout_ms: timeout,
            ..stage
        };
        match self.kind {
            Kind::Regroup(_) => vec![stage, flat_map(&format!("{name}e"), "elements")],
            _ => vec![stage],
        }
    }

    /// What it makes of items.
    fn model(&self, items: Vec<(u64, i64)>, dead: &mut BTreeSet<u64>) -> Vec<(u64, i64)> {
        let step = |(offset, value): (u64, i64)| match self.kind {
            Kind::Add | Kind::BatchMap(_) => vec![(offset, value + 1)],
            Kind::Keep(by) => {
                if value % by != 0 {
                    vec![(offset, value)]
                } else {
                    Vec::new()
                }
            }
            Kind::Flat(by) => (0..by).map(|n| (offset, value * 10 + n)).collect(),
            Kind::Fail(by, is_dead) if value % by == 1 => {
                if is_dead {
                    dead.insert(offset);
                }
                Vec::new()
            }
            Kind::Fail(..) | Kind::Flaky(_) | Kind::Regroup(_) => vec![(offset, value)],
        };
        items.into_iter().flat_map(step).collect()
    }
}

fn some_stage() -> impl Strategy<Value = Random> {
    let kind = prop_oneof![
        3 => Just(Kind::Add),
        1 => (2i64..5).prop_map(Kind::Keep),
        2 => (0i64..4).prop_map(Kind::Flat),
        1 => (2i64..7, any::<bool>()).prop_map(|(by, dead)| Kind::Fail(by, dead)),
        1 => (2i64..9).prop_map(Kind::Flaky),
        1 => (1u32..40).prop_map(Kind::BatchMap),
        1 => (1u32..40).prop_map(Kind::Regroup),
    ];
    (kind, 1u32..4, any::<bool>(), 0u32..30, any::<bool>())
        .prop_map(|(kind, parallelism, ordered, buffer, timed)| Random { kind, parallelism, ordered, buffer, timed })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever the stages are, and wherever it is ended and goes on: nothing is lost, nothing stands twice in what is
    /// collected, it is in order, and what was acknowledged is not processed again.
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(
        items in 0u64..700,
        stages in prop::collection::vec(some_stage(), 0..5),
        ends in prop::collection::vec((1u64..800, any::<prop::sample::Index>()), 0..4),
    ) {
        let bench = Bench::new();
        let mut plan = vec![map("see", "see")];
        plan.extend(stages.iter().enumerate().flat_map(|(n, stage)| stage.stages(n)));
        let pipeline = numbers(items as i64, plan);
        let mut dead = BTreeSet::new();
        let mut expected: Vec<(u64, i64)> = (0..items).map(|n| (n, n as i64)).collect();
        for stage in &stages {
            expected = stage.model(expected, &mut dead);
        }
        let mut expected: Vec<i64> = expected.into_iter().map(|(_, value)| value).collect();

        let mut reached = Reached::default();
        let check = |reached: &Reached, ran: &Ran| {
            let done = |offset: u64| {
                offset < reached.upto || reached.beyond.iter().any(|(first, end)| (*first..*end).contains(&offset))
            };
            let again: Vec<_> = ran.seen.iter().filter(|n| done(**n as u64)).collect();
            prop_assert!(again.is_empty(), "processed again: {again:?}");
            Ok(())
        };
        for (after, which) in ends {
            let ran = bench.go_on(&pipeline, &reached, Some(after), |_| {});
            check(&reached, &ran)?;
            // Of what was told, a part may have been lost.
            let mut told = vec![reached.clone()];
            told.extend(ran.told);
            reached = told.swap_remove(which.index(told.len()));
        }
        let ran = bench.go_on(&pipeline, &reached, None, |_| {});
        check(&reached, &ran)?;
        prop_assert!(ran.failure.is_none(), "{:?}", ran.failure);
        prop_assert_eq!((ran.reached.upto, ran.reached.beyond.len()), (items, 0));
        let mut got = ran.numbers();
        if stages.iter().any(|stage| stage.parallelism > 1 && !stage.ordered) {
            expected.sort_unstable();
            got.sort_unstable();
        }
        prop_assert_eq!(got, expected);
        let buried: Vec<u64> = ran.dead.iter().map(|letter| letter.offset).collect();
        let unique: BTreeSet<u64> = buried.iter().copied().collect();
        // Of what came of a batch it is not known of which item of it, if they are not as many as before.
        let is_known = !stages.iter().any(|stage| matches!(stage.kind, Kind::Flat(_)));
        prop_assert!(if is_known { unique == dead } else { unique.is_superset(&dead) }, "{unique:?}, not {dead:?}");
        prop_assert_eq!(ran.reached.counts.items, items);
        prop_assert_eq!(ran.reached.counts.delivered as usize, ran.output.len());
        prop_assert_eq!(ran.reached.counts.dead as usize, buried.len());
    }
}
