//! What the result of a step depends on, with the values of this run filled in. Of a secret only its name counts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::key::{Parts, Pieces};
use crate::event::{Failure, Log, Outcome, Output};
use crate::exec::command::shell_words;
use crate::exec::{Closures, Job, stdin};
use crate::plan::{Agent, Ask, Closure, Http, HttpBody, Json, Shell, Task, Validate, Value};
use crate::state::result::plain_text;
use crate::state::{Body, StepResult, resolve};

/// What a step depends on, apart from the files it reads; and those of its files that are named by its task.
pub(super) fn of(job: &Job, closures: &dyn Closures) -> Result<(Parts, Vec<PathBuf>), Failure> {
    let hashing = Hashing { job, closures };
    let mut parts = Parts::default();
    let mut files = Vec::new();
    parts.add_piece("kind", job.task.kind());
    match &*job.task {
        Task::Shell(shell) => hashing.shell(shell, &mut parts)?,
        Task::Exec(words) => parts.add("command", hashing.values(words)?),
        Task::Call(closure) => {
            parts.add_piece("closure", closures.source(closure));
            for (n, value) in closure.captured.iter().enumerate() {
                parts.add(hashing.name(value, &format!("captured value {}", n + 1)), hashing.value(value)?);
            }
            if !job.input.is_empty() {
                parts.add("input", hashing.chain_input()?);
            }
        }
        Task::Http(http) => hashing.http(http, &mut parts, &mut files)?,
        Task::Agent(ask) => hashing.ask(ask, &mut parts)?,
        _ => {}
    }
    let policy = job.policy.as_deref();
    if matches!(&*job.task, Task::Shell(_) | Task::Exec(_)) {
        // Of two values of one name the later one counts.
        let own = policy.iter().flat_map(|policy| &policy.env);
        let env: BTreeMap<&str, &Value> =
            job.site.settings.env.iter().chain(own).map(|(name, value)| (name.as_str(), value)).collect();
        for (name, value) in env {
            parts.add(format!("`{name}` in its environment"), hashing.value(value)?);
        }
        parts.add("standard input", hashing.stdin()?);
    }
    parts.add_piece("working directory", super::cwd(job)?.as_os_str().as_encoded_bytes());
    if job.site.hides() {
        // What was made where less was masked is not taken where it would be.
        let mut names = Pieces::default();
        job.site.hidden.names().iter().for_each(|name| names.add(&**name));
        parts.add("list of secrets", names.hash());
    }
    let Some(policy) = policy else { return Ok((parts, files)) };
    parts.add_piece("`parse`", serde_json::to_vec(&policy.parse).unwrap_or_default());
    if let Some(validate) = policy.validate.as_deref() {
        parts.add("`validate`", hashing.validate(validate)?);
    }
    if let Some(key) = policy.cache.as_ref().and_then(|cache| cache.key.as_ref()) {
        parts.add("`key`", hashing.value(key)?);
    }
    Ok((parts, files))
}

struct Hashing<'a> {
    job: &'a Job,
    closures: &'a dyn Closures,
}

impl Hashing<'_> {
    fn shell(&self, shell: &Shell, parts: &mut Parts) -> Result<(), Failure> {
        let mut command = Pieces::default();
        shell_words(shell, self.job).iter().for_each(|word| command.add(word));
        parts.add("command", command.hash());
        for (n, (_, value)) in shell.vars.iter().enumerate() {
            parts.add(self.name(value, &format!("value {} in the command", n + 1)), self.value(value)?);
        }
        Ok(())
    }

    fn http(&self, http: &Http, parts: &mut Parts, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
        let mut request = Pieces::default();
        request.add(&*http.method);
        for (name, value) in http.headers.iter().chain(&http.query) {
            request.add(name);
            self.add(value, &mut request)?;
        }
        request.add(serde_json::to_vec(&(&http.expect, http.redirects, http.max_body)).unwrap_or_default());
        parts.add("`url`", self.value(&http.url)?);
        parts.add("request", request.hash());
        match &http.body {
            None => {}
            Some(HttpBody::Json(value) | HttpBody::Text(value)) => parts.add("body", self.value(value)?),
            Some(HttpBody::Form(fields)) => {
                let mut body = Pieces::default();
                for (name, value) in fields {
                    body.add(name);
                    self.add(value, &mut body)?;
                }
                parts.add("body", body.hash());
            }
            Some(HttpBody::File(file)) => files.push(plain_text(&resolve(file, &self.job.inputs)?).into()),
        }
        Ok(())
    }

    /// What a process reads: as [`stdin::open`] gives it.
    fn stdin(&self) -> Result<String, Failure> {
        let given = self.job.policy.as_ref().and_then(|policy| policy.stdin.as_ref());
        let step = match given {
            Some(value) => stdin::whole_output(value),
            None => (self.job.input.len() == 1).then(|| self.job.input[0]),
        };
        let result = step.and_then(|step| self.job.inputs.get(step));
        if let Some(log) = result.and_then(|result| stdin::written(result)) {
            return self.log(log);
        }
        match given {
            Some(value) => self.value(value),
            None => self.chain_input(),
        }
    }

    fn chain_input(&self) -> Result<String, Failure> {
        let mut pieces = Pieces::default();
        for step in &self.job.input {
            if let Some(result) = self.job.inputs.get(*step) {
                self.add_output(result, &mut pieces)?;
            }
        }
        Ok(pieces.hash())
    }

    fn validate(&self, validate: &Validate) -> Result<String, Failure> {
        let mut pieces = Pieces::default();
        match validate {
            Validate::Closure(closure) => self.add_closure(closure, &mut pieces)?,
            Validate::Expr(expression) => pieces.add(&expression.text),
            Validate::Schema(schema) => add_json(schema, &mut pieces),
        }
        Ok(pieces.hash())
    }

    /// What a value is called: after the result that it is, where it is one.
    fn name(&self, value: &Value, otherwise: &str) -> String {
        let name = |step| self.job.inputs.get(step).map(|result| result.name.clone());
        match value {
            Value::Ref(reference) => match name(reference.step) {
                Some(step) => format!("{otherwise}, `{step}.{}`,", reference.property),
                None => otherwise.to_owned(),
            },
            Value::Step(step) => match name(*step) {
                Some(step) => format!("{otherwise}, `{step}`,"),
                None => otherwise.to_owned(),
            },
            _ => otherwise.to_owned(),
        }
    }

    fn values(&self, values: &[Value]) -> Result<String, Failure> {
        let mut pieces = Pieces::default();
        values.iter().try_for_each(|value| self.add(value, &mut pieces))?;
        Ok(pieces.hash())
    }

    fn value(&self, value: &Value) -> Result<String, Failure> {
        self.values(std::slice::from_ref(value))
    }

    fn add(&self, value: &Value, pieces: &mut Pieces) -> Result<(), Failure> {
        match value {
            Value::Secret(secret) => {
                for piece in ["secret", &secret.name, &secret.before, &secret.after] {
                    pieces.add(piece);
                }
            }
            Value::Closure(closure) => self.add_closure(closure, pieces)?,
            Value::Agent(agent) => self.add_agent(agent, pieces)?,
            Value::Step(step) => match self.job.inputs.get(*step) {
                Some(result) => self.add_result(result, pieces)?,
                None => pieces.add("step"),
            },
            Value::List(parts) => {
                pieces.add(format!("list {}", parts.len()));
                parts.iter().try_for_each(|part| self.add(part, pieces))?;
            }
            Value::Map(entries) => {
                pieces.add(format!("map {}", entries.len()));
                for (key, value) in entries {
                    pieces.add(key);
                    self.add(value, pieces)?;
                }
            }
            Value::Text(parts) if has_secret(value) => {
                pieces.add(format!("text {}", parts.len()));
                parts.iter().try_for_each(|part| self.add(part, pieces))?;
            }
            // A long output is known by its hash: it need not be read.
            Value::Ref(reference)
                if reference.path.is_empty()
                    && matches!(&*reference.property, "output" | "results")
                    && self.job.inputs.get(reference.step).is_some_and(|result| long_output(result).is_some()) =>
            {
                if let Some(result) = self.job.inputs.get(reference.step) {
                    self.add_output(result, pieces)?;
                }
            }
            value => add_json(&resolve(value, &self.job.inputs)?, pieces),
        }
        Ok(())
    }

    /// A question: the whole agent, what it is asked, and what it is told of others. Who gets the answer is no part of it.
    fn ask(&self, ask: &Ask, parts: &mut Parts) -> Result<(), Failure> {
        let mut agent = Pieces::default();
        self.add_agent(&ask.agent, &mut agent)?;
        parts.add("agent", agent.hash());
        parts.add("prompt", self.value(&ask.prompt)?);
        let how = (&ask.schema, &ask.context, ask.strict);
        parts.add_piece("`schema` and `context`", serde_json::to_vec(&how).unwrap_or_default());
        if let Some(session) = &ask.session {
            parts.add("`session`", self.value(session)?);
        }
        let mut earlier = Pieces::default();
        for (name, value) in &ask.earlier {
            earlier.add(name.as_str());
            self.add(value, &mut earlier)?;
        }
        for step in ask.further_steps() {
            self.add(&Value::Step(step), &mut earlier)?;
        }
        parts.add("context", earlier.hash());
        if !self.job.input.is_empty() {
            parts.add("input", self.chain_input()?);
        }
        Ok(())
    }

    /// All that is said of an agent, and what the values in it are. Where its program is found and what is in its file's further
    /// keys is part of it, too.
    fn add_agent(&self, agent: &Agent, pieces: &mut Pieces) -> Result<(), Failure> {
        pieces.add("agent");
        let mut bare = agent.clone();
        bare.each_value_mut(&mut |value| *value = Value::Plain(Json::Null));
        pieces.add(serde_json::to_vec(&bare).unwrap_or_default());
        let mut values = Vec::new();
        agent.each_value(&mut |value| values.push(value));
        values.into_iter().try_for_each(|value| self.add(value, pieces))
    }

    fn add_closure(&self, closure: &Closure, pieces: &mut Pieces) -> Result<(), Failure> {
        pieces.add("closure");
        pieces.add(self.closures.source(closure));
        closure.captured.iter().try_for_each(|value| self.add(value, pieces))
    }

    /// Everything of a step that a closure can read, but for times.
    fn add_result(&self, result: &StepResult, pieces: &mut Pieces) -> Result<(), Failure> {
        pieces.add("step");
        pieces.add(result.status.name());
        pieces.add(result.degraded.as_deref().unwrap_or_default());
        if let Some(outcome) = &result.outcome {
            pieces.add(serde_json::to_vec(&(outcome.code, &outcome.fields)).unwrap_or_default());
            pieces.add(outcome.error.as_ref().map_or("", |error| &error.message));
            for log in [&outcome.stdout, &outcome.stderr].into_iter().flatten() {
                pieces.add(self.log(log)?);
            }
        }
        self.add_output(result, pieces)
    }

    fn add_output(&self, result: &StepResult, pieces: &mut Pieces) -> Result<(), Failure> {
        match (&result.body, long_output(result)) {
            (_, Some((log, json))) => {
                pieces.add(if json { "json" } else { "text" });
                pieces.add(self.log(log)?);
            }
            (Body::Same(one), None) => self.add_output(one, pieces)?,
            (Body::List(all), None) => {
                pieces.add(format!("list {}", all.len()));
                all.iter().try_for_each(|one| self.add_output(one, pieces))?;
            }
            (Body::Map(all), None) => {
                pieces.add(format!("map {}", all.len()));
                for (name, one) in all {
                    pieces.add(name);
                    self.add_output(one, pieces)?;
                }
            }
            (Body::Task | Body::Nothing | Body::Board(_) | Body::Value(..), None) => {
                add_json(&result.property("output", &*self.job.inputs.files)?, pieces);
            }
        }
        Ok(())
    }

    /// The SHA-256 of a file of the run.
    fn log(&self, log: &Log) -> Result<String, Failure> {
        if !log.sha256.is_empty() {
            return Ok(log.sha256.clone());
        }
        let content = self.job.inputs.files.read(log).map_err(|error| {
            Failure::new(crate::event::FailureKind::Store, format!("`{}` cannot be read: {error}", log.file))
        })?;
        Ok(crate::plan::sha256(&content))
    }
}

/// The file that holds the output of a task.
fn long_output(result: &StepResult) -> Option<(&Log, bool)> {
    match (&result.body, result.outcome.as_deref()) {
        (Body::Task, Some(Outcome { output: Output::File { log, json }, .. })) => Some((log, *json)),
        _ => None,
    }
}

fn has_secret(value: &Value) -> bool {
    let mut found = false;
    value.each_secret(&mut |_| found = true);
    found
}

fn add_json(value: &Json, pieces: &mut Pieces) {
    pieces.add(serde_json::to_vec(value).unwrap_or_default());
}
