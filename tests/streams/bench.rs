//! Streams with the real executors, and a small machine: it tries members again, lets those go on that may, and ends the
//! others when one has failed for good.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, unbounded};
use flow::diag::Span;
use flow::event::{Decision, Failure, FailureKind, Flowed, Log, Outcome, Output, Saw};
use flow::exec::{Closures, Done, Executor, Executors, Job, Site, StreamMember, StreamPlace, Work};
use flow::plan::{
    Ack, Closure, Condition, Filter, Growth, ItemError, Json, OnError, Parse, Plan, Policy, Reads, Retry, Settings,
    Shell, StepId, Stream, Task,
};
use flow::state::{Files, Inputs};
use serde_json::json;

/// A script whose closures are named after what they do.
struct Script;

impl Closures for Script {
    fn decide(&self, _: &Condition, _: &Inputs) -> (Decision, Vec<Saw>) {
        (Decision::Is(true), Vec::new())
    }
    fn until(&self, _: &Closure, _: Json, _: &Inputs) -> (Decision, Vec<Saw>) {
        (Decision::Is(true), Vec::new())
    }
    fn call(&self, closure: &Closure, input: Option<Json>, _: &Inputs, _: &Arc<AtomicBool>) -> Result<Json, Failure> {
        let input = input.unwrap_or_default();
        let text = || input.as_str().unwrap_or_default().to_owned();
        match &*closure.function {
            "same" => Ok(input),
            "upper" => Ok(text().to_uppercase().into()),
            "twice" => Ok(json!([text(), text()])),
            "none" => Ok(Json::Null),
            "name" => Ok(input["name"].clone()),
            // Fails once for each file that is not there yet.
            other => {
                let file = Path::new(other).join(text().replace('/', "_"));
                if text().contains("bad") && !file.exists() {
                    fs::write(file, "").expect("a folder");
                    return Err(Failure::new(FailureKind::Script, "as the test wants it"));
                }
                Ok(input)
            }
        }
    }
    fn validate(&self, _: &Closure, _: StepId, _: &Inputs) -> Result<Json, Failure> {
        Ok(Json::Bool(true))
    }
    fn expand(&self, _: Arc<Plan>, _: StepId, _: u32, _: Json, _: &Inputs) -> Result<Growth, Failure> {
        Ok(Growth::default())
    }
}

struct Folder(PathBuf);

impl Files for Folder {
    fn read(&self, log: &Log) -> std::io::Result<Vec<u8>> {
        fs::read(self.0.join(&log.file))
    }
}

/// A member to be.
pub struct Does {
    pub name: &'static str,
    pub task: Task,
    pub policy: Policy,
}

/// A member that runs a script.
pub fn sh(name: &'static str, script: impl Into<String>) -> Does {
    let shell = Shell { script: script.into(), shell: None, vars: Vec::new(), direct: None };
    Does { name, task: Task::Shell(shell), policy: Policy::default() }
}

/// A member that is a closure.
pub fn filter(name: &'static str, function: &str, reads: Reads) -> Does {
    let closure =
        Closure { function: function.into(), captured: Vec::new(), span: Span::default(), text: String::new() };
    let filter = Filter { closure, reads, on_error: ItemError::Stop };
    Does { name, task: Task::Filter(Box::new(filter)), policy: Policy::default() }
}

impl Does {
    /// May be tried so often.
    pub fn tried(mut self, times: u32, ack: Ack) -> Self {
        self.policy.retry = Some(Retry { max_attempts: times, ..Retry::default() });
        self.policy.ack = ack;
        self
    }

    /// The stream goes on without it.
    pub fn or_not(mut self) -> Self {
        self.policy.on_error = Some(OnError::Continue);
        self
    }

    pub fn skipping(mut self) -> Self {
        if let Task::Filter(filter) = &mut self.task {
            filter.on_error = ItemError::Skip;
        }
        self
    }

    pub fn parse(mut self, parse: Parse) -> Self {
        self.policy.parse = parse;
        self
    }
}

/// A folder, executors, and what they report.
pub struct Bench {
    folder: tempfile::TempDir,
    pub executors: Executors,
    done: Receiver<Done>,
}

/// What came of a stream.
pub struct Ended {
    /// How each attempt of each member ended.
    pub outcomes: BTreeMap<String, Vec<Outcome>>,
    pub flowed: Vec<Flowed>,
    folder: PathBuf,
}

impl Ended {
    /// How the last attempt of a member ended.
    pub fn of(&self, name: &str) -> &Outcome {
        self.outcomes[name].last().expect("it ended")
    }

    /// It succeeded, or this panics.
    pub fn good(&self, name: &str) -> &Outcome {
        let outcome = self.of(name);
        assert_eq!(outcome.error, None, "{name}");
        outcome
    }

    pub fn error(&self, name: &str) -> &Failure {
        self.of(name).error.as_ref().unwrap_or_else(|| panic!("{name} has failed"))
    }

    /// What a member wrote, as far as it was kept.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let log = match &self.of(name).stdout {
            Some(log) => log,
            None => return Vec::new(),
        };
        let bytes = fs::read(self.folder.join(&log.file)).expect("a log");
        assert_eq!(bytes.len() as u64, log.bytes, "{name}");
        bytes
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).expect("a text")
    }

    pub fn output(&self, name: &str) -> Json {
        match &self.of(name).output {
            Output::Value(value) => value.clone(),
            Output::None => Json::Null,
            Output::File { .. } => panic!("it is long"),
        }
    }

    pub fn all_good(&self) {
        for name in self.outcomes.keys() {
            self.good(name);
        }
    }
}

impl Bench {
    pub fn new() -> Self {
        let (send, done) = unbounded();
        let report = Arc::new(move |done| send.send(done).unwrap_or_default());
        let executors = Executors::new(Arc::new(Script), Duration::from_secs(5), report);
        Bench { folder: tempfile::tempdir().expect("a folder"), executors, done }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until a file has a whole line, without a fixed time.
    pub fn wait_for(&self, name: &str) -> String {
        let begun = Instant::now();
        loop {
            match fs::read_to_string(self.path().join(name)) {
                Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
                _ if begun.elapsed() > Duration::from_secs(60) => panic!("{name} was never written"),
                _ => std::thread::yield_now(),
            }
        }
    }

    pub fn run(&self, levels: Vec<Vec<Does>>) -> Ended {
        self.run_as(levels, |_| {})
    }

    pub fn run_as(&self, levels: Vec<Vec<Does>>, tweak: impl FnOnce(&mut Stream)) -> Ended {
        self.run_while(levels, tweak, |_| {})
    }

    /// `meanwhile` is called when all have been started.
    pub fn run_while(
        &self,
        levels: Vec<Vec<Does>>,
        tweak: impl FnOnce(&mut Stream),
        meanwhile: impl FnOnce(&Self),
    ) -> Ended {
        let mut next = 1;
        let mut members = Vec::new();
        let mut numbers = Vec::new();
        for level in levels {
            let mut level_numbers = Vec::new();
            for does in level {
                let step = StepId(next);
                next += 1;
                level_numbers.push(step);
                members.push(StreamMember {
                    step,
                    name: does.name.into(),
                    task: Arc::new(does.task),
                    policy: Some(Arc::new(does.policy)),
                });
            }
            numbers.push(level_numbers);
        }
        let mut stream = Stream::of(numbers);
        tweak(&mut stream);
        let place = StreamPlace { group: StepId(0), attempt: 1, stream, members, alerts: Vec::new() };
        let run = Run { bench: self, place: Arc::new(place), site: self.site() };
        run.start_all();
        meanwhile(self);
        run.until_all_end()
    }

    fn site(&self) -> Arc<Site> {
        // No two runs have the same id, since processes are found by it.
        let id = self.path().file_name().expect("a name").to_string_lossy().into_owned();
        Arc::new(Site::new(id, self.path(), &self.path().join("run"), Settings::default()))
    }
}

struct Run<'a> {
    bench: &'a Bench,
    place: Arc<StreamPlace>,
    site: Arc<Site>,
}

impl Run<'_> {
    fn job(&self, member: &StreamMember, attempt: u32) -> Work {
        Work::Attempt(Job {
            step: member.step,
            attempt,
            path: format!("stream/{}", member.name),
            task: member.task.clone(),
            policy: member.policy.clone(),
            input: Vec::new(),
            inputs: Inputs { results: Vec::new(), files: Arc::new(Folder(self.bench.path().join("run"))) },
            site: self.site.clone(),
            missed: None,
            stream: Some(self.place.clone()),
            reached: None,
            allowance: None,
            undone: Vec::new(),
        })
    }

    fn start_all(&self) {
        self.bench.executors.start(self.place.members.iter().map(|member| self.job(member, 1)).collect());
    }

    fn until_all_end(self) -> Ended {
        let executors = &self.bench.executors;
        let mut outcomes: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
        let mut open: BTreeMap<StepId, u32> = self.place.members.iter().map(|member| (member.step, 1)).collect();
        let (mut flowed, mut failed) = (Vec::new(), false);
        while !open.is_empty() {
            let done = self.bench.done.recv_timeout(Duration::from_secs(60)).expect("it ends");
            let Done::Finished { step, attempt, outcome } = done else {
                if let Done::Flowed(told) = done {
                    flowed.push(*told);
                }
                continue;
            };
            let member = self.place.members.iter().find(|member| member.step == step).expect("it is a member");
            let policy = member.policy.as_ref().expect("it has one");
            let error = outcome.error.is_some();
            outcomes.entry(member.name.to_string()).or_default().push(Arc::unwrap_or_clone(outcome));
            let more = policy.retry.as_ref().is_some_and(|retry| attempt < retry.max_attempts);
            if error && more && !failed {
                open.insert(step, attempt + 1);
                executors.start(vec![self.job(member, attempt + 1)]);
                continue;
            }
            open.remove(&step);
            if error && policy.on_error.is_some() {
                executors.let_end(step);
            } else if error && !failed {
                failed = true;
                open.iter().for_each(|(step, attempt)| executors.kill(*step, *attempt, false));
            }
        }
        executors.close_stream(StepId(0), 1);
        Ended { outcomes, flowed, folder: self.bench.path().join("run") }
    }
}
