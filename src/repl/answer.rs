//! What came of an entry, for people and as data.

use serde_json::{Map, json};

use super::execute::Executed;
use crate::diag::Result;
use crate::event::{Log, RunStatus, Stop};
use crate::flow::{Flow, Results, Sight};
use crate::plan::wording;
use crate::plan::{Json, Plan, StepId, Value};
use crate::state::{Status, StepResult};
use crate::term::{self, messages_look, now};
use crate::view::time::Clock;
use crate::view::{self, Look, Summary, Tone};

/// Steps that are named when they have come.
const NAMED: usize = 8;

/// See the module's page.
#[derive(Default)]
pub struct Answer {
    /// What the entry has printed.
    pub printed: String,
    /// The value of its last expression, if it has one.
    pub value: Option<(Value, String)>,
    /// The value as plain data.
    pub plain: Option<Json>,
    /// Steps that have come with it.
    pub steps: Vec<StepId>,
    /// What a command has to tell.
    pub text: Option<String>,
    /// The same as data.
    pub data: Option<Json>,
    /// Said beside.
    pub notes: Vec<String>,
    /// The run, if something was executed.
    pub run: Option<Json>,
    /// Did something fail in it?
    pub failed: bool,
    /// It was interrupted, or waits for somebody.
    pub is_waiting: bool,
    /// It only waits for somebody.
    pub is_paused: bool,
    /// The session is over.
    pub quits: bool,
}

impl Answer {
    /// What a command has to tell.
    pub fn of_text(text: impl Into<String>) -> Self {
        Answer { text: Some(text.into()), ..Answer::default() }
    }

    /// Something beside.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The value of the last expression. `ran`: the entry has executed something.
    pub fn value(&mut self, sight: &Sight, results: Option<&Results>, ran: bool) {
        if matches!(sight.value, Value::Plain(Json::Null)) {
            return;
        }
        let mut is_secret = false;
        sight.value.each_step(&mut |step| is_secret |= sight.plan.is_secret(step));
        if is_secret && (ran || !matches!(sight.value, Value::Step(_))) {
            self.value = Some((Value::Plain(view::MASK.into()), sight.kind.clone()));
            self.plain = Some(view::MASK.into());
            return;
        }
        let plain = match &sight.value {
            Value::Plain(json) => Some(json.clone()),
            // Closures and secrets are no data, a step and an agent are their names.
            Value::Closure(_) | Value::Secret(_) => None,
            Value::Agent(agent) => Some(agent.name.as_str().into()),
            Value::Step(id) if ran => {
                let result = results.and_then(|results| results.get(*id));
                let went_well = result.is_some_and(|result| result.status == Status::Success);
                results.filter(|_| went_well).and_then(|results| results.property(*id, "output"))
            }
            Value::Step(id) => Some(sight.plan.path(*id).into()),
            value => results.and_then(|results| results.resolve(value)),
        };
        let is_list = matches!(sight.value, Value::List(_) | Value::Map(_));
        self.value = Some(match (&sight.value, &plain) {
            (_, Some(plain)) if ran && is_list => (Value::Plain(plain.clone()), sight.kind.clone()),
            // It has run, though the script does not look at it yet.
            (Value::Ref(_) | Value::Text(_), Some(plain)) => (Value::Plain(plain.clone()), sight.kind.clone()),
            _ => (sight.value.clone(), sight.kind.clone()),
        });
        self.plain = plain;
    }

    /// What came of a run. `handled`: failures that the script has dealt with. `all`: everything was to be run. `quiet`: what went
    /// wrong was not shown yet.
    pub fn run(
        &mut self,
        flow: &Flow,
        Executed { run, state, earlier, .. }: &Executed,
        handled: &[StepId],
        all: bool,
        quiet: bool,
    ) -> Result<()> {
        let files = flow.files(run)?;
        let folder = flow.run_folder(run)?;
        let paths = |log: &Log| term::log_path(&folder, log);
        let clock = Clock::local(now());
        let kept = flow.is_kept();
        let look = messages_look();
        let summary = Summary { state, status: state.status, files: &*files, paths: &paths, kept, clock: &clock, look };
        let is_news = |id: &StepId| state.step(*id).ended > *earlier && !handled.contains(id);
        let is_failure = |id: &StepId| state.step(*id).status == Status::Failed && state.dealt_with(*id).is_none();
        let failed: Vec<StepId> = state.plan.ids().filter(|id| is_failure(id) && is_news(id)).collect();
        self.failed = !failed.is_empty() || state.status == RunStatus::Cancelled;
        let failures = summary.failures(failed, !quiet);
        if !failures.is_empty() {
            self.notes.push(failures.trim_end().to_owned());
        }
        match state.status {
            RunStatus::Paused if state.stopping == Some(Stop::Interrupted) => {}
            RunStatus::Paused => {
                for waits in state.waits() {
                    let how = view::command(run, &waits).map_or(String::new(), |how| format!(": {how}"));
                    self.notes.push(format!("{} waits{how}", waits.path));
                }
            }
            // A step that was run alone is told by its value, or by its failure.
            RunStatus::Success | RunStatus::Failed if !all => {}
            _ => self.notes.push(summary.counts()),
        }
        self.run = Some(view::json::run(state, state.status, &*files));
        Ok(())
    }

    /// The text for a person: what belongs to standard output.
    pub fn shown(&self, plan: &Plan, results: Option<&Results>, look: Look) -> String {
        let mut text = self.printed.clone();
        match &self.value {
            Some((Value::Step(id), _)) if self.run.is_none() && self.steps.is_empty() => {
                let result = results.and_then(|results| results.get(*id));
                text.push_str(&step_line(plan, result.as_deref(), *id, look));
                text.push('\n');
            }
            Some((Value::Step(_), _)) if self.run.is_some() => {
                if let Some(plain) = self.plain.as_ref().filter(|plain| !plain.is_null()) {
                    text.push_str(&view::value(plan, &Value::Plain(plain.clone()), look));
                    text.push('\n');
                }
            }
            // Steps that have come are named below.
            Some((Value::Step(_) | Value::List(_), _)) if !self.steps.is_empty() => {}
            // So `a -> b` says nothing that was not just written.
            Some((Value::List(_), kind)) if kind == "several steps" => {}
            Some((value, _)) => {
                text.push_str(&view::value(plan, value, look));
                text.push('\n');
            }
            None => {}
        }
        if let Some(said) = &self.text {
            text.push_str(said);
            if !said.is_empty() && !said.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }

    /// Steps that have come, for a person.
    pub fn news(&self, plan: &Plan, look: Look) -> String {
        if self.run.is_some() {
            return String::new();
        }
        let mut text = String::new();
        for id in self.steps.iter().take(NAMED) {
            let command = wording::command(plan, plan.step(*id));
            let room = if look.width > 0 { look.width } else { 100 };
            let kind = plan.step(*id).word();
            let line = look.cut(&format!("+ {}  {kind}  {}", plan.path(*id), command.replace('\n', " ")), room);
            text.push_str(&look.paint(Tone::Faint, line.trim_end()));
            text.push('\n');
        }
        if self.steps.len() > NAMED {
            let more = format!("{} and {} more steps", look.ellipsis(), self.steps.len() - NAMED);
            text.push_str(&look.paint(Tone::Faint, &more));
            text.push('\n');
        }
        text
    }

    /// As an object of JSON.
    pub fn json(&self, entry: &str, plan: &Plan) -> Json {
        let mut object = Map::new();
        object.insert("entry".into(), entry.into());
        if let Some((_, kind)) = &self.value {
            object.insert("value".into(), self.plain.clone().unwrap_or_default());
            object.insert("type".into(), kind.as_str().into());
        }
        if !self.printed.is_empty() {
            object.insert("printed".into(), self.printed.as_str().into());
        }
        if !self.steps.is_empty() {
            object.insert("steps".into(), self.steps.iter().map(|id| Json::from(plan.path(*id))).collect());
        }
        if let Some(data) = &self.data {
            object.insert("data".into(), data.clone());
        } else if let Some(text) = &self.text {
            object.insert("text".into(), text.as_str().into());
        }
        if !self.notes.is_empty() && self.run.is_none() {
            object.insert("notes".into(), json!(self.notes));
        }
        if let Some(run) = &self.run {
            object.insert("run".into(), run.clone());
        }
        Json::Object(object)
    }
}

/// A step in a line: its sign, its name, what it is and runs.
pub fn step_line(plan: &Plan, result: Option<&StepResult>, id: StepId, look: Look) -> String {
    let step = plan.step(id);
    let status = result.map_or(Status::Pending, |result| result.status);
    let took = result.filter(|result| result.duration_ms > 0 && status != Status::Skipped);
    let took = took.map_or(String::new(), |result| format!("  {}", wording::duration(result.duration_ms)));
    let command = wording::command(plan, step).replace('\n', " ");
    let name = plan.path(id);
    let (kind, width) = (step.word(), if look.width > 0 { look.width } else { 100 });
    let room = width.saturating_sub(name.chars().count() + kind.len() + took.len() + 8).max(8);
    let rest = format!("  {kind}  {}", look.cut(&command, room));
    format!(
        "{} {}{}{took}",
        look.sign(status),
        look.paint(Tone::Strong, &name),
        look.paint(Tone::Faint, rest.trim_end())
    )
}
