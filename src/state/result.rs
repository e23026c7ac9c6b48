//! Results of steps as others read them, and values filled in from results.

use std::sync::Arc;

use serde_json::json;
use smol_str::SmolStr;

use super::board::Board;
use super::{Spending, Status};
use crate::diag::did_you_mean;
use crate::event::{AgentReport, Changes, Failure, FailureKind, Log, Outcome, Output, Usage};
use crate::plan::{Json, Key, Reference, StepId, Value, expression};

/// Reading a value failed: what happened and what to do.
pub type Problem = Failure;

/// Reads the files that steps wrote. The one effect of this page, so it is a door.
pub trait Files: Send + Sync {
    /// The content of a file of the run.
    fn read(&self, log: &Log) -> std::io::Result<Vec<u8>>;

    /// Its last bytes, at most so many. A log may be larger than the memory, so real files override this.
    fn tail(&self, log: &Log, bytes: usize) -> std::io::Result<Vec<u8>> {
        let mut content = self.read(log)?;
        Ok(content.split_off(content.len().saturating_sub(bytes)))
    }
}

/// The results that a task, a condition or a closure may read, and the way to their files.
#[derive(Clone)]
pub struct Inputs {
    /// Results by step; few, so a list.
    pub results: Vec<(StepId, Arc<StepResult>)>,
    /// Where long outputs are.
    pub files: Arc<dyn Files>,
}

impl Inputs {
    /// The result of a step.
    pub fn get(&self, step: StepId) -> Option<&Arc<StepResult>> {
        // Where all are known, each stands at its own place.
        let own = self.results.get(step.index()).filter(|(id, _)| *id == step);
        own.or_else(|| self.results.iter().find(|(id, _)| *id == step)).map(|(_, result)| result)
    }

    /// Adds results, or replaces what was known of these steps.
    pub fn learn(&mut self, results: impl IntoIterator<Item = (StepId, Arc<StepResult>)>) {
        let new: std::collections::BTreeMap<_, _> = results.into_iter().collect();
        self.results.retain(|(id, _)| !new.contains_key(id));
        self.results.extend(new);
        self.results.sort_by_key(|(id, _)| *id);
    }
}

/// What a step gave.
#[derive(Clone, Debug)]
pub struct StepResult {
    /// Its name.
    pub name: SmolStr,
    /// Which of the children of a fan-out it is, as in its path.
    pub key: Option<SmolStr>,
    /// Its status, final unless somebody looks while it runs.
    pub status: Status,
    /// Attempts made.
    pub attempts: u32,
    /// From the start of the first attempt to the end of the last.
    pub duration_ms: u64,
    /// How the last attempt ended.
    pub outcome: Option<Arc<Outcome>>,
    /// The fallback that answered in its place.
    pub degraded: Option<SmolStr>,
    /// For a skipped step: the reason, in words.
    pub why_skipped: Option<&'static str>,
    /// Where its output comes from.
    pub body: Body,
    /// What its agents used, and may use; of a budget what was spent of it, when this was read.
    pub spending: Option<Box<Spending>>,
}

/// Where the output of a step comes from.
#[derive(Clone, Debug)]
pub enum Body {
    /// From its own outcome.
    Task,
    /// There is none.
    Nothing,
    /// From one child.
    Same(Arc<StepResult>),
    /// From all children, in order.
    List(Vec<Arc<StepResult>>),
    /// From all children, by name.
    Map(Vec<(SmolStr, Arc<StepResult>)>),
    /// From a board, as it is now.
    Board(Arc<Board>),
    /// From a value that a sub-workflow returned, over these steps.
    Value(Value, Vec<(StepId, Arc<StepResult>)>),
}

/// The properties that every result has, with what they mean.
pub const PROPERTIES: [(&str, &str); 20] = [
    ("output", "what it gave: JSON if its output is an object or array, else text without the final newline"),
    ("results", "the same as `output`"),
    ("text", "its output as text"),
    ("number", "its output as a number"),
    ("lines", "its output as an array of lines"),
    ("json", "its output read as JSON"),
    ("stderr", "what it wrote to standard error"),
    ("code", "its exit code"),
    ("status", "`success`, `failed`, `skipped` or `cancelled`"),
    ("passed", "did it succeed?"),
    ("ok", "the same as `passed`"),
    ("failed", "did it fail?"),
    ("skipped", "was it skipped?"),
    ("error", "the message of its failure"),
    (
        "class",
        "the class of its failure: `transient`, `resource`, `configuration`, `agent`, `validation` or `cancelled`",
    ),
    ("degraded", "did one of its fallbacks answer in its place?"),
    ("answered_by", "the name of the step that answered: its own, or that of a fallback"),
    ("cached", "is it the result of an earlier run?"),
    ("duration_ms", "how long it took, in milliseconds"),
    ("attempts", "attempts made"),
];

/// The further properties that the result of an agent has, with what they mean.
pub const OF_AGENTS: [(&str, &str); 8] = [
    ("cost_usd", "what it cost, in US dollars: `()` where its backend does not say"),
    ("tokens", "the tokens that it used, those read and those written"),
    ("turns", "the turns that it took"),
    ("session", "the conversation: `ask(…, #{ session: x.session })` goes on with it"),
    ("tools_used", "a map of the tools that it called, with how often"),
    ("denials", "the tools that it was refused: an array of maps of `tool` and `what`"),
    ("verdict", "how it is judged: `finished`, `failed`, `cut_off`, `silent`, `hung`, `over_budget` or `denied`"),
    ("changed", "the files that it changed, where it says what it `writes` or has a work tree of its own"),
];

/// A property of what an agent did.
fn of_agent(report: &AgentReport, name: &str) -> Option<Json> {
    let usage = &report.usage;
    Some(match name {
        "cost_usd" => usage.cost_usd.map_or(Json::Null, Json::from),
        "tokens" => usage.tokens.total().into(),
        "turns" => usage.turns.into(),
        "session" if report.session.is_empty() => Json::Null,
        "session" => report.session.clone().into(),
        "tools_used" => {
            Json::Object(report.tools_used.iter().map(|(name, times)| (name.to_string(), (*times).into())).collect())
        }
        "denials" => report.denials.iter().map(|denial| json!({ "tool": denial.tool, "what": denial.what })).collect(),
        "verdict" => report.verdict.name().into(),
        "changed" => match &report.changes {
            Some(changes) => changes.files.iter().cloned().map(Json::from).collect(),
            None => Json::Null,
        },
        _ => return None,
    })
}

/// Does reading this property of a failed step deal with the failure, as `if` does in a shell?
pub fn handles_failure(property: &str) -> bool {
    matches!(property, "status" | "passed" | "ok" | "failed" | "skipped" | "code" | "error" | "class" | "verdict")
}

impl StepResult {
    /// A property of the result. Values of a skipped step are `()`.
    pub fn property(&self, name: &str, files: &dyn Files) -> Result<Json, Problem> {
        Ok(match name {
            "status" => self.status.name().into(),
            "passed" | "ok" => (self.status == Status::Success).into(),
            "failed" => (self.status == Status::Failed).into(),
            "skipped" => (self.status == Status::Skipped).into(),
            "duration_ms" => self.duration_ms.into(),
            "attempts" => self.attempts.into(),
            "code" => self.outcome.as_ref().and_then(|o| o.code).map_or(Json::Null, Json::from),
            "error" => match self.outcome.as_ref().and_then(|o| o.error.as_ref()) {
                Some(error) => error.message.clone().into(),
                None => Json::Null,
            },
            "class" => match self.outcome.as_ref().and_then(|o| o.error.as_ref()) {
                Some(error) => error.class.name().into(),
                None => Json::Null,
            },
            "degraded" => self.degraded.is_some().into(),
            "answered_by" => match (self.status, &self.degraded) {
                (Status::Success, Some(fallback)) => fallback.as_str().into(),
                (Status::Success, None) => self.name.as_str().into(),
                _ => Json::Null,
            },
            "cached" => self.outcome.as_ref().is_some_and(|o| o.cache.as_ref().is_some_and(|cache| cache.hit)).into(),
            "stderr" => match self.outcome.as_ref().and_then(|o| o.stderr.as_ref()) {
                Some(log) => trim_newline(self.read_text(log, files)?).into(),
                None => self.outcome.as_ref().map_or(Json::Null, |_| "".into()),
            },
            _ if self.is_spending(name) => self.spent(name).unwrap_or_default(),
            _ if self.status == Status::Skipped => Json::Null,
            "changed" | "branch" if self.changes().is_some() => {
                self.changes().map_or(Json::Null, |changes| match name {
                    "changed" => changes.files.iter().cloned().map(Json::from).collect(),
                    _ if changes.branch.is_empty() => Json::Null,
                    _ => changes.branch.clone().into(),
                })
            }
            "output" | "results" => self.output(files)?,
            "text" => match self.text(files)? {
                Some(text) => text.into(),
                None => Json::Null,
            },
            "number" => self.number(files)?,
            "lines" => match self.output(files)? {
                Json::Array(lines) => Json::Array(lines),
                Json::Null => Json::Array(Vec::new()),
                _ => self.text(files)?.unwrap_or_default().lines().map(Json::from).collect(),
            },
            "json" => match self.output(files)? {
                Json::String(_) => {
                    let text = self.text(files)?.unwrap_or_default();
                    serde_json::from_str(&text)
                        .map_err(|error| self.problem(format!("the output of `{}` is not JSON: {error}", self.name)))?
                }
                value => value,
            },
            field => match self.report().and_then(|report| of_agent(report, field)) {
                Some(value) => value,
                None => self.field(field, files)?,
            },
        })
    }

    /// What its agent did, if it asked one.
    fn report(&self) -> Option<&AgentReport> {
        self.outcome.as_ref().and_then(|outcome| outcome.agent.as_deref())
    }

    /// The files that it changed, if that was looked at.
    fn changes(&self) -> Option<&Changes> {
        self.outcome.as_ref()?.changes.as_deref()
    }

    fn problem(&self, message: String) -> Problem {
        Failure::new(FailureKind::Input, message)
    }

    fn read_text(&self, log: &Log, files: &dyn Files) -> Result<String, Problem> {
        let bytes = files.read(log).map_err(|error| {
            self.problem(format!("cannot read `{}`, written by `{}`: {error}", log.file, self.name))
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The output: `()` if there is none.
    pub fn output(&self, files: &dyn Files) -> Result<Json, Problem> {
        match &self.body {
            Body::Nothing => Ok(Json::Null),
            Body::Board(board) => Ok(Json::Object(board.notes.clone())),
            Body::Same(result) => result.property("output", files),
            Body::List(results) => results.iter().map(|result| result.property("output", files)).collect(),
            Body::Map(results) => results
                .iter()
                .map(|(name, result)| Ok((name.to_string(), result.property("output", files)?)))
                .collect::<Result<serde_json::Map<_, _>, _>>()
                .map(Json::Object),
            Body::Value(value, results) => {
                // The files are the same for all steps of a run.
                resolve_with(value, &|step| results.iter().find(|(id, _)| *id == step).map(|(_, r)| r.clone()), files)
            }
            Body::Task if !self.is_whole() => Err(self.not_whole()),
            Body::Task => match self.outcome.as_ref().map(|o| &o.output) {
                None | Some(Output::None) => Ok(Json::Null),
                Some(Output::Value(value)) => Ok(value.clone()),
                Some(Output::File { log, json: false }) => Ok(trim_newline(self.read_text(log, files)?).into()),
                Some(Output::File { log, json: true }) => serde_json::from_str(&self.read_text(log, files)?)
                    .map_err(|error| self.problem(format!("`{}` is no longer JSON: {error}", log.file))),
            },
        }
    }

    /// Is all of its output there? Of a member of a stream that others read, only the first part may have been kept.
    fn is_whole(&self) -> bool {
        let streamed = self.outcome.as_ref().and_then(|outcome| outcome.streamed.as_deref());
        streamed.is_none_or(|streamed| !streamed.partly_kept && streamed.not_kept.is_empty())
    }

    fn not_whole(&self) -> Problem {
        self.problem(format!(
            "only the first part of the output of `{}` was kept, for it went into a stream",
            self.name
        ))
        .help(
            "`stream(\"name\", [a, b], #{ tee: \"100 MiB\" })` says how much is kept of what goes from one to the next",
        )
    }

    fn text(&self, files: &dyn Files) -> Result<Option<String>, Problem> {
        if matches!(self.body, Body::Task) && !self.is_whole() {
            return Err(self.not_whole());
        }
        if let Some(report) = self.report() {
            return self.output_text(&report.text, files);
        }
        if let (Body::Task, Some(log)) = (&self.body, self.outcome.as_ref().and_then(|o| o.stdout.as_ref())) {
            return self.read_text(log, files).map(|text| Some(trim_newline(text)));
        }
        Ok(match self.output(files)? {
            Json::Null => None,
            value => Some(plain_text(&value)),
        })
    }

    fn output_text(&self, output: &Output, files: &dyn Files) -> Result<Option<String>, Problem> {
        Ok(match output {
            Output::None => None,
            Output::Value(value) => Some(plain_text(value)),
            Output::File { log, .. } => Some(trim_newline(self.read_text(log, files)?)),
        })
    }

    fn number(&self, files: &dyn Files) -> Result<Json, Problem> {
        match self.output(files)? {
            Json::Number(number) => Ok(Json::Number(number)),
            Json::Null => Ok(Json::Null),
            value => {
                let text = plain_text(&value);
                parse_number(&text).ok_or_else(|| {
                    self.problem(format!("the output of `{}` is not a number: {}", self.name, shorten(&text, 60))).help(
                        "`.number` reads text such as `87.5`; pick the part you need with `.lines` or `.json` first",
                    )
                })
            }
        }
    }

    /// Does this name what its agents used, before anything that its output may say?
    fn is_spending(&self, name: &str) -> bool {
        if name == "cost_usd" && self.report().is_some_and(|report| report.usage.cost_usd.is_none()) {
            return false;
        }
        let spending = self.spending.as_deref();
        spending.is_some_and(|spending| {
            let counts = spending.is_budget || spending.bounds.is_some() || spending.used != Usage::default();
            counts && spending.property(name).is_some()
        }) || (self.report().is_some() && self.spent(name).is_some())
    }

    /// What its agents used: nothing, where there are none.
    fn spent(&self, name: &str) -> Option<Json> {
        match self.spending.as_deref() {
            Some(spending) => spending.property(name),
            None => Spending::default().property(name),
        }
    }

    fn field(&self, field: &str, files: &dyn Files) -> Result<Json, Problem> {
        if let Body::Board(board) = &self.body {
            // What nobody has noted yet is nothing.
            return Ok(board.notes.get(field).cloned().unwrap_or_default());
        }
        if let Some(value) = self.outcome.as_ref().and_then(|o| o.fields.get(field)) {
            return Ok(value.clone());
        }
        let output = self.output(files)?;
        if let Some(value) = output.get(field).cloned().or_else(|| self.spent(field)) {
            return Ok(value);
        }
        let mut known: Vec<String> = PROPERTIES.iter().map(|(name, _)| (*name).to_owned()).collect();
        if self.report().is_some() {
            known.extend(OF_AGENTS.iter().map(|(name, _)| (*name).to_owned()));
        }
        known.extend(self.outcome.iter().flat_map(|o| o.fields.keys().cloned()));
        known.extend(output.as_object().into_iter().flat_map(|map| map.keys().cloned()));
        known.extend(Spending::PROPERTIES.iter().map(|(name, _)| (*name).to_owned()));
        let mut problem = self.problem(format!("`{}` has no property `{field}`", self.name));
        problem.help = did_you_mean(field, known.iter().map(String::as_str)).or_else(|| {
            Some(match self.status {
                Status::Failed => {
                    format!("`{}` failed, so its output may be missing; ask `{}.passed` first", self.name, self.name)
                }
                _ => format!(
                    "its keys come from a JSON output or from lines `{field}=…` that it writes to the file $FLOW_OUTPUT"
                ),
            })
        });
        Err(problem)
    }
}

/// Goes further into a value. A missing key is an error with the nearest one.
pub fn walk(value: Json, path: &[Key], shown: &str) -> Result<Json, Problem> {
    let mut at = value;
    let mut shown = shown.to_owned();
    for key in path {
        let next = match (key, &mut at) {
            (Key::Field(field), Json::Object(map)) => map.remove(field.as_str()),
            (Key::Index(index), Json::Array(items)) => {
                let len = items.len() as i64;
                let place = if *index < 0 { index + len } else { *index };
                usize::try_from(place).ok().filter(|place| *place < items.len()).map(|place| items.swap_remove(place))
            }
            _ => None,
        };
        at = next.ok_or_else(|| {
            let kind = kind_of(&at);
            match (key, &at) {
                (Key::Field(field), Json::Object(map)) => {
                    let mut problem = Failure::new(FailureKind::Input, format!("`{shown}` has no key `{field}`"));
                    problem.help = did_you_mean(field, map.keys().map(String::as_str))
                        .or_else(|| Some(format!("it has {} other keys", map.len())));
                    problem
                }
                (Key::Field(field), _) => {
                    Failure::new(FailureKind::Input, format!("`{shown}` is {kind}, so it has no key `{field}`"))
                        .help("a process gives an object by printing JSON: one object and nothing else")
                }
                (Key::Index(index), Json::Array(items)) => Failure::new(
                    FailureKind::Input,
                    format!("`{shown}` has {} items, so there is none at index {index}", items.len()),
                )
                .help("indexes count from 0; negative ones from the end"),
                (Key::Index(index), _) => {
                    Failure::new(FailureKind::Input, format!("`{shown}` is {kind}, so it has no item at index {index}"))
                        .help("`.lines` gives the lines of a text as an array")
                }
            }
        })?;
        match key {
            Key::Field(field) => {
                shown.push('.');
                shown.push_str(field);
            }
            Key::Index(index) => shown.push_str(&format!("[{index}]")),
        }
    }
    Ok(at)
}

/// What kind of value it is, in words.
pub fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "an array",
        Json::Object(_) => "a map",
    }
}

/// Fills in results. Closures and bare steps cannot stand in plain data.
pub fn resolve(value: &Value, inputs: &Inputs) -> Result<Json, Problem> {
    resolve_with(value, &|step| inputs.get(step).cloned(), &*inputs.files)
}

fn resolve_with(
    value: &Value,
    get: &dyn Fn(StepId) -> Option<Arc<StepResult>>,
    files: &dyn Files,
) -> Result<Json, Problem> {
    Ok(match value {
        Value::Plain(value) => value.clone(),
        Value::Ref(reference) => read(reference, get, files)?,
        Value::Text(parts) => {
            let mut text = String::new();
            for part in parts {
                text.push_str(&plain_text(&resolve_with(part, get, files)?));
            }
            text.into()
        }
        Value::List(items) => items.iter().map(|item| resolve_with(item, get, files)).collect::<Result<_, _>>()?,
        Value::Map(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), resolve_with(value, get, files)?)))
                .collect::<Result<_, Problem>>()?,
        ),
        Value::Expr(expression) => evaluate(expression, get, files, &mut |_, _, _| {})?,
        Value::Step(step) => read(&Reference { step: *step, property: "output".into(), path: Vec::new() }, get, files)?,
        Value::Closure(closure) => {
            return Err(Failure {
                span: Some(closure.span),
                ..Failure::new(FailureKind::Input, "a closure stands where a value is needed")
            });
        }
        Value::Agent(agent) => {
            let message = format!("the agent `{}` stands where a value is needed", agent.name);
            return Err(Failure::new(FailureKind::Input, message)
                .help("ask it, and use what it answers: `agent.ask(\"…\").output`"));
        }
        Value::Secret(secret) => {
            return Err(Failure::new(
                FailureKind::Input,
                format!("the secret `{}` stands where it would become text", secret.name),
            )
            .help("a secret goes into the environment, a header or the standard input of a step"));
        }
    })
}

fn read(
    reference: &Reference,
    get: &dyn Fn(StepId) -> Option<Arc<StepResult>>,
    files: &dyn Files,
) -> Result<Json, Problem> {
    let result = get(reference.step).ok_or_else(|| {
        Failure::new(FailureKind::Input, format!("the result of step {} is not at hand", reference.step.0))
    })?;
    let value = result.property(&reference.property, files)?;
    if result.status == Status::Skipped && value.is_null() {
        return Ok(Json::Null);
    }
    walk(value, &reference.path, &format!("{}.{}", result.name, reference.property))
}

/// Evaluates an expression string. `saw` is told of every property read: step, what was read, its value.
pub fn evaluate(
    expression: &crate::plan::Expression,
    get: &dyn Fn(StepId) -> Option<Arc<StepResult>>,
    files: &dyn Files,
    saw: &mut dyn FnMut(StepId, &str, &Json),
) -> Result<Json, Problem> {
    with_results(expression, get, files, saw, expression::eval)
}

/// As [`evaluate`], for an expression that is to be true or false: a condition.
pub fn holds(
    expression: &crate::plan::Expression,
    get: &dyn Fn(StepId) -> Option<Arc<StepResult>>,
    files: &dyn Files,
    saw: &mut dyn FnMut(StepId, &str, &Json),
) -> Result<bool, Problem> {
    with_results(expression, get, files, saw, expression::holds)
}

/// An expression whose names are properties of one result, as in `validate("output.percent > 80")`: is it true?
pub fn holds_for(
    expression: &crate::plan::Expression,
    result: &StepResult,
    files: &dyn Files,
) -> Result<bool, Problem> {
    let fail = |error: expression::Error| Failure {
        help: error.help,
        span: Some(expression.span),
        ..Failure::new(FailureKind::Script, format!("in `{}`: {}", expression.text, error.message))
    };
    let parsed = expression::parse(&expression.text).map_err(fail)?;
    let mut lookup = |name: &str, path: &[Key]| -> Result<Json, expression::Error> {
        let error = |problem: Failure| expression::Error { message: problem.message, help: problem.help, at: None };
        walk(result.property(name, files).map_err(error)?, path, name).map_err(error)
    };
    expression::holds(&parsed, &mut lookup).map_err(fail)
}

fn with_results<T>(
    expression: &crate::plan::Expression,
    get: &dyn Fn(StepId) -> Option<Arc<StepResult>>,
    files: &dyn Files,
    saw: &mut dyn FnMut(StepId, &str, &Json),
    how: fn(&expression::Expr, &mut expression::Lookup) -> Result<T, expression::Error>,
) -> Result<T, Problem> {
    let fail = |message: String, help: Option<String>| Failure {
        help,
        span: Some(expression.span),
        ..Failure::new(FailureKind::Script, format!("in `{}`: {message}", expression.text))
    };
    let parsed = expression::parse(&expression.text).map_err(|error| fail(error.message, error.help))?;
    let mut lookup = |name: &str, path: &[Key]| -> Result<Json, expression::Error> {
        let unknown = || expression::Error::new(format!("`{name}` is not a step"));
        let step = expression.steps.iter().find(|(known, _)| known == name).map(|(_, id)| *id).ok_or_else(unknown)?;
        let result = get(step).ok_or_else(unknown)?;
        // A bare name: the step's output, and as a condition whether it passed (see the grammar's page).
        let (property, rest) = match path.split_first() {
            None => ("output", path),
            Some((Key::Field(field), rest)) => (field.as_str(), rest),
            Some((Key::Index(_), _)) => ("output", path),
        };
        let error = |problem: Failure| expression::Error { message: problem.message, help: problem.help, at: None };
        let value = result.property(property, files).map_err(error)?;
        let value = if result.status == Status::Skipped && value.is_null() {
            Json::Null
        } else {
            walk(value, rest, &format!("{name}.{property}")).map_err(error)?
        };
        let mut what = property.to_owned();
        for key in rest {
            match key {
                Key::Field(field) => {
                    what.push('.');
                    what.push_str(field);
                }
                Key::Index(index) => what.push_str(&format!("[{index}]")),
            }
        }
        saw(step, &what, &value);
        Ok(value)
    };
    how(&parsed, &mut lookup).map_err(|error| fail(error.message, error.help))
}

/// A value as it stands in text: strings as they are, nothing as nothing, arrays and maps as JSON.
pub fn plain_text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        value => value.to_string(),
    }
}

/// Text read as a number: whole if it is one.
pub fn parse_number(text: &str) -> Option<Json> {
    let text = text.trim();
    text.parse::<i64>()
        .map(Json::from)
        .ok()
        .or_else(|| text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Json::from))
}

/// At most `max` characters, with an ellipsis where something was left out.
pub fn shorten(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

fn trim_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
