//! The log cut after every event, and each beginning of it taken up again.
//!
//! - A script is run once, undisturbed.
//! - For every n, a new home gets the first n events of that run, as a process that was killed then would have left
//!   them, and the run is resumed there.
//! - The end must be the same: status and output of every step. What was finished must not have run again, and no
//!   closure whose answer was in the log may have been asked again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use flow::diag::{Result, Sources};
use flow::event::{Answer, Created, Event, Output, Record, RunStatus, Stop};
use flow::flow::{Addressee, Attended, Durability, Flow, Letter, Options, ResumeOptions, RunOptions, Script, Store};
use flow::lang::{Host, SharedHost};
use flow::plan::{StepId, Task};
use flow::state::RunState;

use crate::bench::{Bench, Random};

/// How often each closure was called, by the name that it says.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<BTreeMap<String, usize>>>);

impl Calls {
    fn host(&self) -> SharedHost {
        let calls = self.clone();
        let mut host = Host::default();
        host.register("called", move |name: &str| *calls.0.lock().unwrap().entry(name.to_owned()).or_default() += 1);
        host.share()
    }

    fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A run and all that is to be known of it.
pub struct Log {
    run: String,
    pub records: Vec<Record>,
    sources: Sources,
    results: BTreeMap<String, (String, String)>,
    calls: BTreeMap<String, usize>,
    /// What was said to it, by whom it concerns.
    letters: Vec<Addressee>,
    bench: Bench,
}

fn open(bench: &Bench, calls: &Calls) -> Flow {
    Flow::open(Options { home: Some(bench.path("home")), host: Some(calls.host()), ..Options::default() }).unwrap()
}

fn results(flow: &Flow, state: &RunState) -> BTreeMap<String, (String, String)> {
    let files = flow.files(&state.created.run).unwrap();
    let result = |id: StepId| {
        let result = state.result(id);
        let output = result.property("output", &*files).unwrap_or_else(|error| error.message.into()).to_string();
        let output = if output.len() > 200 { format!("{} bytes", output.len()) } else { output };
        (state.plan.path(id), (result.status.name().to_owned(), output))
    };
    state.plan.ids().map(result).collect()
}

fn options(bench: &Bench) -> RunOptions {
    RunOptions { cwd: Some(bench.path("")), max_parallel: Some(3), ..RunOptions::default() }
}

/// Keeps letters for a run, all of which say `yes`.
fn post(bench: &Bench, run: &str, letters: &[Addressee]) {
    if letters.is_empty() {
        return;
    }
    let store = Store::open(&bench.path("home"), Durability::Normal).unwrap();
    for (n, to) in (1..).zip(letters) {
        let answer = match to {
            Addressee::Signal(_) => Answer { value: "yes".into(), by: format!("person {n}"), ..Answer::default() },
            Addressee::Step { .. } => {
                let form = [("hosts".to_owned(), 3.into())].into_iter().collect();
                Answer { value: "yes".into(), by: "ann".into(), form, ..Answer::default() }
            }
        };
        store.post(run, Letter { to: to.clone(), answer }).unwrap().unwrap();
    }
}

/// Runs a script to its end; or says why it is refused.
pub fn undisturbed(script: &str, files: &[(&str, &str)]) -> Result<Log> {
    answered_by(script, files, Vec::new())
}

/// The same, with letters that come while it runs.
pub fn answered_by(script: &str, files: &[(&str, &str)], letters: Vec<Addressee>) -> Result<Log> {
    let (bench, calls) = (Bench::with(script), Calls::default());
    files.iter().for_each(|(name, text)| bench.write(name, text));
    let flow = open(&bench, &calls);
    let options = RunOptions { attended: Attended::Always, ..options(&bench) };
    let running = flow.run(&Script::read(&bench.path("test.rhai")).unwrap(), options)?;
    let run = running.id().to_owned();
    post(&bench, &run, &letters);
    let state = running.wait().unwrap();
    assert!(state.status.is_final(), "{:?}", state.status);
    Ok(Log {
        records: flow.records(&run, 0).unwrap(),
        sources: flow.sources(&state).unwrap(),
        results: results(&flow, &state),
        calls: calls.take(),
        letters,
        run,
        bench,
    })
}

impl Log {
    /// Makes a home that has the first events of the run and nothing else, apart from the files that these speak of.
    ///
    /// The run gets an id of its own there: processes that bear the id of a run that is taken up are ended.
    fn cut(&self, events: usize) -> (Bench, String) {
        static CUTS: AtomicUsize = AtomicUsize::new(0);
        let run = format!("cut-{}", CUTS.fetch_add(1, Ordering::Relaxed));
        let bench = Bench::new();
        let store = Store::open(&bench.path("home"), Durability::Normal).unwrap();
        let state = RunState::of(&self.records[..events]);
        for file in 0..=state.plan.header.files.len().max(state.created.sources.len()) {
            if let Some((_, text)) = self.sources.get(file as u16) {
                store.keep_source(text).unwrap();
            }
        }
        let cwd = bench.path("").display().to_string();
        let log = store.create(Created { cwd, run: run.clone(), ..state.created }).unwrap();
        log.append(self.records[1..events].to_vec(), |result| result.unwrap());
        let from = self.bench.path("home/runs").join(&self.run);
        for record in &self.records[..events] {
            copy_files(&record.event, &from, log.folder());
        }
        drop(log);
        post(&bench, &run, &self.letters);
        (bench, run)
    }

    /// Goes on from a cut, and looks whether it ends as it should. Gives the log then.
    ///
    /// `same`: must it end as the undisturbed run did? Otherwise (with stops and time limits, which cut a run short at a
    /// moment) it must only end, and run nothing twice.
    pub fn check(&self, events: usize, calls: &Calls, same: bool) -> Log {
        let (bench, run) = self.cut(events);
        let flow = open(&bench, calls);
        let before = RunState::of(&self.records[..events]);
        if before.status.is_final() {
            let error = flow.resume(&run, ResumeOptions::default()).err().unwrap();
            assert_eq!(error.code(), "flow::run::over");
        } else {
            let running = flow.resume(&run, ResumeOptions::default());
            running.unwrap_or_else(|error| panic!("cut after {events}: {:#}", error.to_json())).wait().unwrap();
        }
        let records = flow.records(&run, 0).unwrap();
        let state = RunState::of(&records);
        assert_eq!(records[1..events], self.records[1..events], "what was written stays as it is");
        let found = results(&flow, &state);
        assert!(state.status.is_final(), "cut after {events}: {:?}", state.status);
        let open = state.plan.ids().find(|id| !state.step(*id).status.is_final());
        assert!(open.is_none(), "cut after {events}: `{}` is open", state.plan.path(open.unwrap()));
        if same {
            self.is_same(events, &state, &found);
        }
        flow.verify(&run).unwrap();
        nothing_twice(&run, &bench, &before, &state, &records[events..], same);
        let asked = calls.take();
        let mut due = self.calls.clone();
        for (name, times) in answered(&self.records[..events], &before) {
            if let Some(due) = due.get_mut(&name) {
                *due -= times;
            }
        }
        due.retain(|_, times| *times > 0);
        assert!(asked == due || !same, "closures were called: {asked:#?}, due were {due:#?}");
        let sources = flow.sources(&state).unwrap();
        let (calls, letters) = (self.calls.clone(), self.letters.clone());
        Log { run, records, sources, results: found, calls, letters, bench }
    }

    /// Runs the script again and interrupts it again and again, each time after so many milliseconds.
    pub fn interrupt(&self, script: &str, mut after: impl FnMut() -> u64) {
        let (bench, calls) = (Bench::with(script), Calls::default());
        let flow = open(&bench, &calls);
        let mut running = flow.run(&Script::read(&bench.path("test.rhai")).unwrap(), options(&bench)).unwrap();
        let run = running.id().to_owned();
        let state = loop {
            std::thread::sleep(std::time::Duration::from_millis(after()));
            running.stop(Stop::Interrupted);
            let state = running.wait().unwrap();
            if state.status.is_final() {
                break state;
            }
            assert_eq!(state.status, RunStatus::Paused);
            running = flow.resume(&run, ResumeOptions::default()).unwrap();
        };
        let records = flow.records(&run, 0).unwrap();
        self.is_same(records.len(), &state, &results(&flow, &state));
        nothing_twice(&run, &bench, &RunState::default(), &state, &records, false);
        flow.verify(&run).unwrap();
    }

    /// Statuses and outputs are those of the undisturbed run.
    fn is_same(&self, events: usize, state: &RunState, found: &BTreeMap<String, (String, String)>) {
        let differ: Vec<_> = self.results.iter().filter(|(path, due)| found.get(*path) != Some(due)).collect();
        let problem = |path: &String| {
            let step = state.plan.find(path).first().map(|id| state.step(*id))?;
            Some((step.status, step.outcome.as_ref()?.error.clone()))
        };
        let told: Vec<_> = differ.iter().map(|(path, _)| (path, found.get(*path), problem(path))).collect();
        assert!(differ.is_empty(), "ends otherwise, cut after {events}: {differ:#?}\n{told:#?}");
        assert_eq!(found.len(), self.results.len());
        let ended = RunState::of(&self.records);
        assert_eq!(state.status, ended.status);
        assert_eq!(state.printed, ended.printed, "cut after {events}");
        assert_eq!(state.plan.steps.len(), ended.plan.steps.len(), "a fan-out has grown twice");
    }
}

/// Processes of the resumed run: those that its log says were started, each attempt once, and none that was finished.
fn nothing_twice(run: &str, bench: &Bench, before: &RunState, after: &RunState, new: &[Record], same: bool) {
    let mut due = Vec::new();
    for record in new {
        if let Event::Started { step, attempt } = *record.event
            && matches!(*after.plan.step(step).task, Task::Shell(_) | Task::Exec(_))
        {
            let path = after.plan.path(step);
            let earlier = before.steps.get(step.index());
            assert!(earlier.is_none_or(|step| !step.status.is_final()), "`{path}` was finished and runs again");
            assert!(earlier.is_none_or(|step| attempt > step.attempt), "`{path}` makes attempt {attempt} twice");
            due.push(format!("{run}/{path} {attempt}"));
        }
    }
    let mut ran = bench.lines("ran");
    ran.sort();
    due.sort();
    if !same {
        // Some were ended before they could say anything.
        due.retain(|attempt| ran.contains(attempt));
    }
    assert_eq!(ran, due, "processes that ran");
}

fn copy_files(event: &Event, from: &Path, to: &Path) {
    let (Event::Finished { outcome, .. } | Event::Retrying { outcome, .. }) = event else { return };
    let output = match &outcome.output {
        Output::File { log, .. } => Some(log),
        _ => None,
    };
    for log in [outcome.stdout.as_ref(), outcome.stderr.as_ref(), output].into_iter().flatten() {
        std::fs::create_dir_all(to.join(&log.file).parent().unwrap()).unwrap();
        std::fs::copy(from.join(&log.file), to.join(&log.file)).unwrap();
    }
}

/// How often closures need not be called any more, by the path of their step: conditions and fan-outs whose answers
/// are in the log, calls that are finished.
fn answered(records: &[Record], state: &RunState) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for record in records {
        let step = match &*record.event {
            Event::Decided { step, .. } | Event::Planned { of: Some(step), .. } | Event::Finished { step, .. } => *step,
            _ => continue,
        };
        let name = state.plan.path(step);
        let times = times.entry(match &*record.event {
            Event::Decided { .. } => format!("{name}?"),
            Event::Planned { .. } => name,
            _ if matches!(*state.plan.step(step).task, Task::Call(_)) => name,
            _ => continue,
        });
        *times.or_default() += match &*state.plan.step(step).task {
            Task::Each(each) if matches!(*record.event, Event::Planned { .. }) => each.children.len(),
            _ => 1,
        };
    }
    times
}

/// Cuts a run everywhere; and some of the resumed runs once more.
fn cut_everywhere(script: &str, files: &[(&str, &str)], calls: usize) -> usize {
    everywhere(undisturbed(script, files).unwrap(), calls)
}

fn everywhere(log: Log, calls: usize) -> usize {
    assert_eq!(log.calls.values().sum::<usize>(), calls, "{:?}", log.calls);
    let next = AtomicUsize::new(1);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (calls, mut random) = (Calls::default(), Random::new());
                loop {
                    let events = next.fetch_add(1, Ordering::Relaxed);
                    if events > log.records.len() {
                        break;
                    }
                    let resumed = log.check(events, &calls, true);
                    if events.is_multiple_of(4) && resumed.records.len() > events {
                        let again = events + random.below((resumed.records.len() - events) as u64) as usize;
                        resumed.check(again, &calls, true);
                    }
                }
            });
        }
    });
    log.records.len()
}

/// What every process does first: says that it runs.
pub const RAN: &str = r#"echo $FLOW_STEP_KEY $FLOW_ATTEMPT >> ran;"#;

fn script(text: &str) -> String {
    text.replace("RAN", RAN)
}

#[test]
fn a_run_that_asks_is_cut_after_every_event() {
    // An attempt that was going to ask when it was cut off is made again, with the next number.
    let step = |path: &'static str| (1..=5).map(move |attempt| Addressee::Step { path: path.into(), attempt });
    let signals = [Addressee::Signal("deployed".into()), Addressee::Signal("deployed".into())];
    let log = answered_by(
        &script(
            r#"
            let build = sh("build", "RAN echo v1");
            let gate = approve("gate", #{ prompt: `Ship ${build.output}?`, form: #{ hosts: 3 } });
            build -> gate -> sh("ship", `RAN echo ${gate.by} ${gate.hosts}`);
            let one = signal("one", "deployed");
            let two = signal("two", "deployed").after(one);
            sh("check", `RAN echo ${one.by}, ${two.by}`);
            repeat("again", #{ max: 2 }, |i, last| approve("asked", #{ choices: ["yes", "maybe"] }));
            
            let never = approve("never", #{ timeout: "1ms", on_timeout: "skip" });
            sh("not", "RAN true").after(never);
            wait_for("file", "/dev/null") -> sh("there", "RAN true");
            wait_until("past", "2000-01-01 00:00") -> sh("then", "RAN true");
            "#,
        ),
        &[],
        signals.into_iter().chain(step("gate")).chain(step("again[1]")).chain(step("again[2]")).collect(),
    );
    let log = log.unwrap();
    let taken = |records: &[Record]| {
        let letter = |record: &Record| match &*record.event {
            Event::Answered { answer, .. } if answer.letter > 0 => Some(answer.letter),
            _ => None,
        };
        let letters: Vec<u64> = records.iter().filter_map(letter).collect();
        let signals: Vec<u64> = letters.iter().copied().filter(|letter| *letter <= 2).collect();
        assert_eq!(signals, [1, 2]);
        let once: std::collections::BTreeSet<u64> = letters.iter().copied().collect();
        assert_eq!(once.len(), letters.len(), "{letters:?}");
        letters.len()
    };
    assert_eq!(taken(&log.records), 5);
    assert_eq!(log.results["ship"].1, "\"ann 3\"");
    assert_eq!(log.results["check"].1, "\"person 1, person 2\"");
    let calls = Calls::default();
    for events in 1..=log.records.len() {
        assert_eq!(taken(&log.check(events, &calls, true).records), 5, "cut after {events}");
    }
}

#[test]
fn a_varied_run_is_cut_after_every_event() {
    let events = cut_everywhere(
        &script(
            r#"
            print("begun");
            let report = sh("report", `RAN echo version=1.10 >> $FLOW_OUTPUT; echo '{"percent": 87.5}'`);
            let flaky = sh("flaky", "RAN [ $FLOW_ATTEMPT -ge 3 ] && echo ok").retry(#{ max_attempts: 9, delay: "1ms" });
            chain("line", [sh("one", "RAN echo 1"), sh("two", "RAN cat; echo 2"), call("three", |input| { called("line/three"); input + "3" })]);
            let list = sh("list", "RAN echo a; echo b; echo c").parse("lines");
            let all = each("all", list.lines, |item| {
                called("all");
                chain([sh("first", `RAN echo ${item}`), sh("second", "RAN cat")])
            });
            let poll = repeat("poll", #{ max: 5, "until": |last| { called("poll?"); last == "n3" } }, |i, last| {
                called("poll");
                sh("ask", `RAN echo n${i}`)
            });
            let rest = wait("rest", "3ms").after(report);
            let bad = sh("bad", "RAN echo oops >&2; exit 3").on_error("continue").after(rest);
            flow("gate")
                .when(|| { called("gate?"); report.output.percent > 80 && flaky.passed }, each("inner", list.lines, |x| {
                    called("gate/inner");
                    sh("step", `RAN echo ${x}${report.version}`)
                }))
                .otherwise(repeat("never", #{ max: 2 }, |i, last| { called("gate/never"); sh("n", "RAN false") }));
            flow("other")
                .when(|| { called("other?"); bad.passed }, each("no", list.lines, |x| { called("other/no"); sh("no", "RAN false") }))
                .when(|| { called("other?"); bad.code == 3 }, repeat("yes", #{ max: 2 }, |i, last| {
                    called("other/yes");
                    sh("yes", `RAN echo yes${i}`)
                }));
            let sub = workflow("sub", "sub.rhai", #{ word: list.lines[1] });
            let long = sh("long", "RAN seq 20000");
            let sum = run(call("sum", || { called("sum"); let n = all.output; n.len() }));
            print(`there are ${sum.output}`);
            if sum.output == 3 {
                let later = run(sh("later", `RAN echo ${all.output[1]} ${poll.output}`));
                each("known", 1..3, |n| sh("k", `RAN echo ${later.output} ${n}`));
            }
            print("done");
            call("length", || { called("length"); let text = long.output; text.len() });
            on("start", sh("begin", "RAN echo begin"));
            on("complete", sh("end", "RAN echo end"));
            on("failure", sh("page", "RAN echo page"));
            "#,
        ),
        &[(
            "sub.rhai",
            &script(
                r#"let word = param("word"); let a = sh("a", `RAN echo ${word}`);
                let b = call("b", || { called("sub/b"); a.output + "!" }); b"#,
            ),
        )],
        21,
    );
    assert!(events > 100, "only {events} events");
}

#[test]
fn a_run_that_fails_and_stops_is_cut_after_every_event() {
    let events = cut_everywhere(
        &script(
            r#"
            let a = sh("a", "RAN echo a");
            let group = chain("group", [sh("b", "RAN cat"), sh("c", "RAN exit 4").retry(#{ max_attempts: 2, delay: "1ms" }), sh("d", "RAN echo d")]).after(a);
            let e = sh("e", "RAN echo e").rule("one_failed").after(group);
            let f = sh("f", "RAN exit 5").on_error("stop").after(e);
            each("g", a.lines, |x| { called("g"); sh("g", "RAN true") }).after(f);
            sh("h", "RAN true").rule("all_done").after(f);
            on("success", sh("cheer", "RAN true"));
            on("failure", sh("page", `RAN echo ${f.code}`));
            on("complete", chain("end", [sh("x", "RAN exit 1"), sh("y", "RAN true")]));
            "#,
        ),
        &[],
        0,
    );
    assert!(events > 25, "only {events} events");
}
