//! Receipts: the proof of each finished step. Pure: a fold over the events of its run, and over nothing else.

use std::collections::HashMap;

use serde::Serialize;

use super::RunState;
use crate::event::{Answer, CacheNote, Event, Log, Outcome, Output, Record};
use crate::plan::{Class, Json, StepId, sha256};

/// The proof of one finished step. Hashes are SHA-256, in hexadecimal; times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Receipt {
    /// Hash of the event by which the step finished: the receipt's name.
    pub hash: String,
    /// Hash of the event before.
    pub before: String,
    /// Number of the event in the run.
    pub event: u64,
    /// The run.
    pub run: String,
    /// Its workflow.
    pub workflow: String,
    /// The step's path.
    pub step: String,
    /// The attempt that ended it.
    pub attempt: u32,
    /// `success` or `failed`.
    pub status: &'static str,
    /// Of a failure: its class.
    pub class: Option<Class>,
    /// Of a failure: what happened.
    pub error: Option<String>,
    /// Exit code of a process, status of an HTTP answer.
    pub code: Option<i32>,
    /// When it finished.
    pub at: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// Hash of its output: of the text, of the canonical JSON ([`canonical`]), or of the file that holds it. Nothing for
    /// groups, for steps without an output, and for those whose output is secret.
    pub output: Option<String>,
    /// The files that the attempt wrote.
    pub evidence: Vec<Evidence>,
    /// Who gave the answer that it waited for.
    pub answered: Option<Approval>,
    /// Where a result comes from that was not made by this run.
    pub cached: Option<CacheNote>,
    /// The texts that the run was made from: the script first.
    pub sources: Vec<Source>,
    /// The run's parameters.
    pub parameters: Parameters,
    /// The version of flow that did the work.
    pub flow: String,
    /// The machine.
    pub host: String,
}

/// A file that an attempt wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Below the run's folder.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// Hash of its content, where the log has it (it does for long files).
    pub sha256: Option<String>,
}

/// Who gave an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// The person; empty where nobody did it.
    pub by: String,
    /// When.
    pub at: u64,
    /// What they said.
    pub value: Json,
    /// And what else.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// A text of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Source {
    /// As the user named it.
    pub name: String,
    /// Hash of the text.
    pub sha256: String,
}

/// The parameters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Parameters {
    /// Hash of the canonical JSON of `values`.
    pub sha256: String,
    /// Names and values.
    pub values: serde_json::Map<String, Json>,
}

/// The fold that receipts come from.
#[derive(Default)]
pub struct Ledger {
    state: RunState,
    flow: String,
    host: String,
    answers: HashMap<StepId, Answer>,
    /// Made when first asked for, and again when the plan's header may have changed.
    bound: Option<(Vec<Source>, Parameters)>,
}

impl Ledger {
    /// Writes down one event. If a step that has a name finished by it: its path.
    pub fn apply(&mut self, record: &Record) -> Option<String> {
        self.state.apply(record.at, &record.event);
        match &*record.event {
            Event::Opened { flow, host, .. } => {
                self.flow.clone_from(flow);
                self.host.clone_from(host);
            }
            Event::Created(_) | Event::Planned { .. } | Event::Replanned(_) => self.bound = None,
            Event::Answered { step, answer } => {
                self.answers.insert(*step, (**answer).clone());
            }
            Event::Finished { step, .. } => {
                let plan = self.state.plan.step(*step);
                return (!plan.anonymous || plan.key.is_some()).then(|| self.state.plan.path(*step));
            }
            _ => {}
        }
        None
    }

    /// The receipt of the step that finished by this event, which was applied last. `step`: what [`Ledger::apply`] gave;
    /// `hash`, `before`: of the event and of the one before it.
    pub fn receipt(&mut self, record: &Record, step: String, hash: String, before: String) -> Option<Receipt> {
        let Event::Finished { step: id, attempt, outcome } = &*record.event else { return None };
        let (sources, parameters) = self.bound();
        let (state, error) = (&self.state, outcome.error.as_ref());
        Some(Receipt {
            hash,
            before,
            event: record.seq,
            run: state.created.run.clone(),
            workflow: state.created.workflow.clone(),
            step,
            attempt: *attempt,
            status: if error.is_none() { "success" } else { "failed" },
            class: error.map(|error| error.class),
            error: error.map(|error| error.message.clone()),
            code: outcome.code,
            at: record.at,
            duration_ms: outcome.duration_ms,
            output: if state.plan.is_secret(*id) { None } else { output_hash(&outcome.output) },
            evidence: files(outcome).map(Evidence::of).collect(),
            answered: self.answers.get(id).map(Approval::of),
            cached: outcome.cache.as_deref().filter(|note| note.hit).cloned(),
            sources,
            parameters,
            flow: self.flow.clone(),
            host: self.host.clone(),
        })
    }

    fn bound(&mut self) -> (Vec<Source>, Parameters) {
        let state = &self.state;
        let bound = self.bound.get_or_insert_with(|| {
            let source = |(name, sha256)| Source { name, sha256 };
            let params = &state.plan.header.params;
            let values: serde_json::Map<_, _> =
                params.iter().map(|param| (param.name.to_string(), param.value.clone())).collect();
            let sha256 = sha256(canonical(&Json::Object(values.clone())).as_bytes());
            (state.sources().into_iter().map(source).collect(), Parameters { sha256, values })
        });
        bound.clone()
    }
}

impl Evidence {
    fn of(log: &Log) -> Self {
        let sha256 = Some(log.sha256.clone()).filter(|hash| !hash.is_empty());
        Evidence { file: log.file.clone(), bytes: log.bytes, sha256 }
    }
}

impl Approval {
    fn of(answer: &Answer) -> Self {
        let Answer { value, by, at, comment, .. } = answer.clone();
        Approval { by, at, value, comment }
    }
}

impl RunState {
    /// Name and hash of every text that the run was made from, by `Span::file`: the script first.
    pub fn sources(&self) -> Vec<(String, String)> {
        let (first, since) = (&self.created.sources, &self.plan.header.files);
        if since.len() < first.len() {
            return first.clone();
        }
        since.iter().map(|file| (file.name.clone(), file.sha256.clone())).collect()
    }
}

/// The files of an outcome, each once.
pub fn files(outcome: &Outcome) -> impl Iterator<Item = &Log> {
    let output = match &outcome.output {
        Output::File { log, .. } if outcome.stdout.as_ref().is_none_or(|stdout| stdout.file != log.file) => Some(log),
        _ => None,
    };
    outcome.stdout.iter().chain(&outcome.stderr).chain(output)
}

/// JSON of which there is but one form: no blanks, the keys of each object in the order of their bytes, numbers and texts
/// as serde_json writes them (without escapes that need not be).
pub fn canonical(value: &Json) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    value.to_string()
}

fn output_hash(output: &Output) -> Option<String> {
    match output {
        Output::None => None,
        Output::Value(Json::String(text)) => Some(sha256(text.as_bytes())),
        Output::Value(value) => Some(sha256(canonical(value).as_bytes())),
        Output::File { log, .. } => Some(log.sha256.clone()).filter(|hash| !hash.is_empty()),
    }
}

/// Does the path of a step fit what a person wrote: its path, the end of one, or a group around it?
pub fn is_meant(path: &str, wanted: &str) -> bool {
    let starts = |at: usize| at == 0 || path.as_bytes()[at - 1] == b'/';
    let ends = |at: usize| matches!(path.as_bytes().get(at), None | Some(b'/' | b'['));
    path.match_indices(wanted).any(|(at, _)| starts(at) && ends(at + wanted.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diag::Span;
    use crate::event::{Created, Failure, FailureKind};
    use crate::plan::{Growth, Header, Param, Policy, Step, Task};

    fn param(name: &str, value: Json) -> Param {
        Param {
            name: name.into(),
            kind: "int".into(),
            default: None,
            one_of: Vec::new(),
            min: None,
            max: None,
            help: String::new(),
            value,
            span: Span::default(),
        }
    }

    fn receipts(events: Vec<Event>) -> Vec<Receipt> {
        let mut ledger = Ledger::default();
        let mut found = Vec::new();
        for (seq, event) in (0..).zip(events) {
            let record = Record { seq, at: 1000 + seq, event: Arc::new(event) };
            if let Some(step) = ledger.apply(&record) {
                let (hash, before) = (format!("h{seq}"), format!("h{}", seq - 1));
                found.extend(ledger.receipt(&record, step, hash, before));
            }
        }
        found
    }

    fn begin(steps: Vec<Step>) -> Vec<Event> {
        let params = vec![param("n", 1.into()), param("a", "x".into())];
        let header = Header { name: "w".into(), params, ..Header::default() };
        let sources = vec![("w.rhai".into(), "s1".into())];
        vec![
            Event::Created(Box::new(Created { run: "r".into(), workflow: "w".into(), sources, ..Created::default() })),
            Event::Opened { pid: 1, host: "here".into(), flow: "0.1".into() },
            Event::Planned {
                of: None,
                growth: Box::new(Growth { header: Some(Box::new(header)), steps, ..Growth::default() }),
            },
        ]
    }

    fn finished(step: u32, outcome: Outcome) -> Event {
        Event::Finished { step: StepId(step), attempt: 2, outcome: Arc::new(outcome) }
    }

    #[test]
    fn a_receipt_binds_all_that_led_to_it() {
        let step = |name: &str, task| Step::new(name, task, Span::at(1, 1));
        let mut secret = step("token", Task::Wait(1));
        secret.policy = Some(Arc::new(Policy { secret: true, ..Policy::default() }));
        let mut group = step("_1", Task::Chain(Vec::new()));
        group.anonymous = true;
        let mut events = begin(vec![step("build", Task::Wait(1)), secret, group]);
        let log = |file: &str, sha256: &str| Log { file: file.into(), bytes: 3, sha256: sha256.into() };
        let failure = Failure { class: Class::Transient, ..Failure::new(FailureKind::Exit, "no") };
        events.extend([
            finished(
                0,
                Outcome {
                    output: Output::Value("abc".into()),
                    stdout: Some(log("out", "")),
                    stderr: Some(log("err", "e")),
                    code: Some(0),
                    ..Outcome::default()
                },
            ),
            finished(1, Outcome { output: Output::Value("hunter2".into()), ..Outcome::default() }),
            finished(2, Outcome::default()),
            finished(0, Outcome { error: Some(failure), ..Outcome::default() }),
        ]);
        let found = receipts(events);
        assert_eq!(found.len(), 3);
        let build = &found[0];
        assert_eq!((&*build.step, build.attempt, build.status, build.event), ("build", 2, "success", 3));
        assert_eq!((&*build.hash, &*build.before), ("h3", "h2"));
        assert_eq!(build.output.as_deref(), Some(&*sha256(b"abc")));
        assert_eq!(build.evidence.iter().map(|file| &*file.file).collect::<Vec<_>>(), ["out", "err"]);
        assert_eq!(build.evidence[1].sha256.as_deref(), Some("e"));
        assert_eq!(build.sources[0].sha256, "s1");
        // The keys in order, whatever the order of declaration.
        assert_eq!(build.parameters.sha256, sha256(br#"{"a":"x","n":1}"#));
        assert_eq!((&*build.host, &*build.flow), ("here", "0.1"));
        assert_eq!((&*found[1].step, &found[1].output), ("token", &None));
        assert_eq!((found[2].status, found[2].class), ("failed", Some(Class::Transient)));
    }

    #[test]
    fn an_approval_says_by_whom() {
        let mut events = begin(vec![Step::new("ok", Task::Wait(1), Span::at(1, 1))]);
        let answer = Answer { value: "yes".into(), by: "ann".into(), at: 7, ..Answer::default() };
        events.push(Event::Answered { step: StepId(0), answer: Box::new(answer) });
        events.push(finished(0, Outcome::default()));
        let answered = receipts(events).remove(0).answered.unwrap();
        assert_eq!((&*answered.by, answered.at, answered.value), ("ann", 7, "yes".into()));
    }

    #[test]
    fn a_step_is_named_by_its_path_its_end_or_a_group() {
        for wanted in ["a/lint[x.rs]", "lint[x.rs]", "lint", "a", "a/lint"] {
            assert!(is_meant("a/lint[x.rs]", wanted), "{wanted}");
        }
        for wanted in ["lin", "int", "x.rs", "rs]", "b"] {
            assert!(!is_meant("a/lint[x.rs]", wanted), "{wanted}");
        }
    }

    #[test]
    fn canonical_json_has_one_form() {
        let value: Json = serde_json::from_str("{ \"b\": [ {\"z\":1, \"a\":\"\\u00e9\"} ], \"a\": 1.50 }").unwrap();
        assert_eq!(canonical(&value), "{\"a\":1.5,\"b\":[{\"a\":\"é\",\"z\":1}]}");
    }
}
