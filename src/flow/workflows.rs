//! Other workflows, for the stages of pipelines: each is a run of its own, in this process, for anybody to look at.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Flow, RunOptions, Running, Script};
use crate::diag::{Diagnostic, did_you_mean};
use crate::engine::drive::Attended;
use crate::event::{Created, Failure, FailureKind, PartOf, RunStatus, Stop};
use crate::exec::Workflows;
use crate::plan::{Hierarchy, Json, StepId, Value};
use crate::state::RunState;

/// Most runs within each other.
const NESTED: u32 = 8;

/// How often one looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// The workflows that the steps of a run can start.
pub(super) struct Others {
    flow: Flow,
    /// Of the script.
    folder: PathBuf,
    /// Where the run takes place.
    cwd: PathBuf,
    /// What answers in place of agents.
    agents: Option<String>,
}

impl Others {
    /// For this run. `flow`: with which the others are run.
    pub fn of(flow: &Flow, created: &Created) -> Self {
        let (script, cwd) = (created.file.as_str(), &created.cwd);
        let cwd = PathBuf::from(cwd);
        let folder = match script {
            "-" => cwd.clone(),
            script => Path::new(script).parent().map_or_else(|| cwd.clone(), Path::to_owned),
        };
        let flow = Flow { inner: flow.inner.clone(), nested: flow.nested + 1 };
        Others { flow, folder, cwd, agents: created.agents.clone() }
    }

    /// Reads the script that is meant: a path from the folder of the script, as everywhere.
    fn script(&self, file: &str) -> Result<Script, Failure> {
        let name = format!("{}.rhai", file.trim_start_matches("./").trim_end_matches(".rhai"));
        let refuse = |message: String, help: String| Err(Failure::new(FailureKind::Input, message).help(help));
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            return refuse(
                format!("the workflow `{file}` is outside of the script's folder"),
                "put workflows that belong together below one folder".into(),
            );
        }
        let path = self.folder.join(&name);
        if !path.is_file() {
            let names: Vec<String> =
                path.parent().and_then(|folder| folder.read_dir().ok()).map_or(Vec::new(), |all| {
                    let names = all.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
                    names.filter(|name| name.ends_with(".rhai")).collect()
                });
            let last = name.rsplit('/').next().unwrap_or(&name);
            let help = did_you_mean(last, names.iter().map(String::as_str));
            return refuse(
                format!("there is no workflow `{file}` below the script's folder"),
                help.unwrap_or_else(|| format!("it was looked for at `{}`", path.display())),
            );
        }
        Script::read(&path).map_err(|problem| failure(file, &problem))
    }
}

impl Workflows for Others {
    fn run(
        &self,
        file: &str,
        args: &[(String, String)],
        part_of: &PartOf,
        stop: &Arc<AtomicBool>,
    ) -> Result<Json, Failure> {
        if self.flow.nested > NESTED {
            return Err(Failure::new(FailureKind::Input, format!("workflows run each other more than {NESTED} deep"))
                .help("does a workflow start itself in a pipeline?"));
        }
        let script = self.script(file)?;
        let options = RunOptions {
            args: args.to_vec(),
            cwd: Some(self.cwd.clone()),
            attended: Attended::Always,
            // Where agents are answered for, none is started here either.
            agents: self.agents.clone(),
            part_of: Some(part_of.clone()),
            ..RunOptions::default()
        };
        let (running, mut events) =
            self.flow.run_watched(&script, options).map_err(|problem| failure(file, &problem))?;
        let run = running.id().to_owned();
        tracing::debug!(run, file, of = part_of.run, step = part_of.step, "another workflow");
        let mut told = false;
        while events.next_within(LOOK).is_ok() {
            if stop.load(Ordering::Relaxed) && !told {
                told = true;
                running.stop(Stop::Cancelled);
            }
        }
        let state = end(running).map_err(|problem| failure(file, &problem))?;
        match state.status {
            RunStatus::Success => {
                self.value(&script, args, &run, &state, stop).map_err(|problem| failure(file, &problem))
            }
            _ if told => Err(Failure::new(FailureKind::Cancelled, format!("run `{run}` of `{file}` was ended"))
                .help("it was cancelled, or took too long")),
            _ => Err(failed(file, &run, &state)),
        }
    }
}

impl Others {
    /// What the script returned, or a map of the outputs of its steps.
    fn value(
        &self,
        script: &Script,
        args: &[(String, String)],
        run: &str,
        state: &RunState,
        stop: &Arc<AtomicBool>,
    ) -> Result<Json, Diagnostic> {
        let results = self.flow.results(run)?;
        let sight = self.flow.see(script, args, Some(&results), usize::MAX, stop.clone())?;
        if sight.value != Value::Plain(Json::Null) {
            return Ok(results.resolve(&sight.value).unwrap_or_default());
        }
        let top = Hierarchy::of(&state.plan);
        let steps = top.top().iter().filter(|id| state.is_listed(**id));
        let files = self.flow.files(run)?;
        let output = |id: &StepId| {
            let value = state.result(*id).property("output", &*files).unwrap_or_default();
            (state.plan.step(*id).name.to_string(), value)
        };
        Ok(Json::Object(steps.map(output).collect()))
    }
}

fn end(running: Running) -> Result<RunState, Diagnostic> {
    let (state, problem) = running.problem_at_end();
    let state = state?;
    match problem {
        Some(problem) if state.status != RunStatus::Success => Err(problem),
        _ => Ok(state),
    }
}

fn failure(file: &str, problem: &Diagnostic) -> Failure {
    let failure = Failure::new(FailureKind::Script, format!("the workflow `{file}`: {}", problem.message()));
    match problem.help_text() {
        Some(help) => failure.help(help),
        None => failure,
    }
}

/// Why a run did not end well: as the first of its steps that failed it says.
fn failed(file: &str, run: &str, state: &RunState) -> Failure {
    let plan = &state.plan;
    let cause = |id: StepId| {
        let error = state.step(id).outcome.as_ref()?.error.as_ref()?;
        // A group fails because of what is in it.
        let is_cause = state.fails_run(id) && !matches!(error.kind, FailureKind::Child | FailureKind::Cancelled);
        is_cause.then(|| {
            let message = format!("run `{run}` of `{file}` failed: `{}`: {}", plan.path(id), error.message);
            Failure { class: error.class, ..Failure::new(error.kind, message) }
        })
    };
    let failure = plan.ids().find_map(cause).unwrap_or_else(|| {
        Failure::new(FailureKind::Fail, format!("run `{run}` of `{file}` did not come to a good end"))
    });
    failure.help(format!("`flow show {run}` shows what it did"))
}
