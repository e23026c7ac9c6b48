//! What came of a run under test, as a test looks at it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::path;
use crate::diag::{Diagnostic, Result, Sources, did_you_mean};
use crate::event::{Event, Record};
use crate::plan::{Json, StepId};
use crate::state::result::PROPERTIES;
use crate::state::{Files, RunState};

/// What came of a run under test.
pub struct Rehearsed {
    /// Its state at the end.
    pub state: RunState,
    /// Its log.
    pub records: Vec<Record>,
    /// What its steps wrote, or are said to have written.
    pub files: Arc<dyn Files>,
    /// The texts of its script.
    pub sources: Sources,
    /// Which of the doubles stand for steps of it.
    pub met: Vec<bool>,
    /// What its script failed with, after it had waited for a result.
    pub problem: Option<Diagnostic>,
    /// The folder that it really ran in.
    pub folder: Option<PathBuf>,
    /// Tells why a step stands where it stands, in the words of `flow why`.
    pub why: fn(&Rehearsed, StepId) -> String,
}

/// A run under test, in the hands of a test.
#[derive(Clone)]
pub struct Played(pub Arc<Rehearsed>);

/// A step of a run under test.
#[derive(Clone)]
pub struct PlayedStep(pub Arc<Rehearsed>, pub StepId);

/// Properties of a run under test, with what they mean.
pub const OF_RUNS: [(&str, &str); 8] = [
    (
        "status",
        "how it ended: `success`, `failed`, `cancelled`, or `paused` if it waits for somebody who never answers",
    ),
    ("passed", "did it succeed?"),
    ("failed", "did it fail?"),
    ("order", "the paths of its steps in the order in which they began; groups are none"),
    ("paths", "the paths of all steps of its plan, also of those that did not run"),
    ("error", "the message of the first failure that made it fail; `()` if there is none"),
    ("printed", "what the script printed while it was evaluated"),
    ("duration_ms", "how long it took, in milliseconds; by the clock of the simulation, if it was one"),
];

/// Properties of a step of a run under test, beside those that every step has.
pub const OF_STEPS: [(&str, &str); 4] = [
    ("path", "its whole path"),
    ("why", "why it ran, failed, was skipped or waits, in the words of `flow why`"),
    ("started_ms", "when its first attempt began, in milliseconds since the run began; `()` if none did"),
    ("finished_ms", "when it ended, in milliseconds since the run began; `()` if it did not"),
];

/// The moments of a step, as numbers of events.
#[derive(Clone, Copy, Default)]
struct Moments {
    began: Option<u64>,
    ended: Option<u64>,
}

impl Rehearsed {
    fn moments(&self) -> HashMap<StepId, Moments> {
        let mut moments: HashMap<StepId, Moments> = HashMap::new();
        for record in &self.records {
            match &*record.event {
                Event::Started { step, .. } | Event::Waiting { step, .. } => {
                    moments.entry(*step).or_default().began.get_or_insert(record.seq);
                }
                Event::Finished { step, .. } | Event::Cancelled { step } => {
                    moments.entry(*step).or_default().ended = Some(record.seq);
                }
                _ => {}
            }
        }
        moments
    }

    /// The paths of the steps that began, in that order; groups are none.
    pub fn order(&self) -> Vec<String> {
        let moments = self.moments();
        let mut begun: Vec<(u64, StepId)> = moments.iter().filter_map(|(id, m)| Some((m.began?, *id))).collect();
        begun.sort_unstable();
        let plan = &self.state.plan;
        let tasks = begun.into_iter().filter(|(_, id)| !plan.step(*id).task.is_group());
        tasks.map(|(_, id)| plan.path(id)).collect()
    }

    fn error(&self) -> Option<String> {
        let failed = self.state.plan.ids().find(|id| self.state.fails_run(*id))?;
        let outcome = self.state.step(failed).outcome.as_ref()?;
        outcome.error.as_ref().map(|error| error.message.clone())
    }

    /// A property of the run.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn property(&self, name: &str) -> Result<Json> {
        let state = &self.state;
        let status = state.status.name();
        Ok(match name {
            "status" => status.into(),
            "passed" => (status == "success").into(),
            "failed" => (status == "failed").into(),
            "order" => self.order().into(),
            "paths" => state.plan.ids().filter(|id| state.is_listed(*id)).map(|id| state.plan.path(id)).collect(),
            "error" => self.error().map_or(Json::Null, Json::from),
            "printed" => state.printed.as_str().into(),
            "duration_ms" => state.latest_at.saturating_sub(state.started_at).into(),
            _ => {
                let problem =
                    Diagnostic::new("flow::lang::unknown_key", format!("a run under test has no property `{name}`"));
                let near = did_you_mean(name, OF_RUNS.iter().map(|(name, _)| *name));
                return Err(problem.help(near.unwrap_or_else(|| {
                    format!(
                        "it has {}; a step of it is `run.step(\"path\")`",
                        listed(OF_RUNS.iter().map(|(name, _)| *name))
                    )
                })));
            }
        })
    }

    /// A property of a step.
    ///
    /// # Errors
    /// There is none of this name, or its value cannot be had.
    pub fn step_property(&self, id: StepId, name: &str) -> Result<Json> {
        let (state, step) = (&self.state, self.state.step(id));
        let moment = |at: u64| if at == 0 { Json::Null } else { at.saturating_sub(state.started_at).into() };
        Ok(match name {
            "path" => state.plan.path(id).into(),
            "why" => (self.why)(self, id).into(),
            "started_ms" => moment(step.started_at),
            "finished_ms" => moment(step.finished_at),
            _ => {
                let result = state.result(id);
                // Closures have not asked for it, so nothing stands in the way of an answer.
                return result.property(name, &*self.files).map_err(|failure| {
                    let names = PROPERTIES.iter().chain(&OF_STEPS).map(|(name, _)| *name);
                    let near = did_you_mean(name, names);
                    let help = near.or(failure.help).unwrap_or_else(|| "`flow docs step` lists its properties".into());
                    Diagnostic::new("flow::test::value", failure.message).help(help)
                });
            }
        })
    }

    /// Did one step end before another began? Both must have been at that point.
    ///
    /// # Errors
    /// There is no such step.
    pub fn before(&self, first: &str, second: &str) -> Result<bool> {
        let (first, second) = (path::find(self, first)?, path::find(self, second)?);
        let moments = self.moments();
        let of = |id| moments.get(&id).copied().unwrap_or_default();
        Ok(matches!((of(first).ended, of(second).began), (Some(ended), Some(began)) if ended < began))
    }

    /// Were two steps going on at the same time?
    ///
    /// # Errors
    /// There is no such step.
    pub fn together(&self, one: &str, other: &str) -> Result<bool> {
        let (one, other) = (path::find(self, one)?, path::find(self, other)?);
        let moments = self.moments();
        let of = |id| moments.get(&id).copied().unwrap_or_default();
        let begins_within = |a: Moments, b: Moments| match (a.began, b.began) {
            (Some(a_began), Some(b_began)) => b_began > a_began && a.ended.is_none_or(|ended| b_began < ended),
            _ => false,
        };
        Ok(begins_within(of(one), of(other)) || begins_within(of(other), of(one)))
    }

    /// Did a step begin? One of a fan-out or of a loop that was never made did not.
    ///
    /// # Errors
    /// There is no such step.
    pub fn began(&self, step: &str) -> Result<bool> {
        if path::was_not_made(self, step) {
            return Ok(false);
        }
        let step = path::find(self, step)?;
        Ok(self.moments().get(&step).is_some_and(|moments| moments.began.is_some()))
    }

    /// The text of a file that it left in its folder.
    ///
    /// # Errors
    /// `flow::test::file`: there is none, it is no text, or it did not really run.
    pub fn file(&self, path: &str) -> Result<String> {
        let wrong = |message: String| Diagnostic::new("flow::test::file", message);
        let Some(folder) = &self.folder else {
            return Err(wrong(format!("there is no file `{path}`: the run was only simulated"))
                .help("`execute` really runs a workflow; of a simulated step only its output can be looked at"));
        };
        let text = std::fs::read(folder.join(path)).map_err(|error| (error.kind(), error.to_string()));
        let text = text.and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| (std::io::ErrorKind::InvalidData, "it is no text".to_owned()))
        });
        text.map_err(|(kind, error)| {
            if kind != std::io::ErrorKind::NotFound {
                return wrong(format!("the file `{path}` cannot be read: {error}")).help("it must be a text in UTF-8");
            }
            let near = folder.join(path).parent().and_then(|folder| std::fs::read_dir(folder).ok());
            let names: Vec<String> =
                near.into_iter().flatten().flatten().map(|entry| entry.file_name().to_string_lossy().into()).collect();
            let name = path.rsplit('/').next().unwrap_or(path);
            let help = did_you_mean(name, names.iter().map(String::as_str));
            wrong(format!("the run left no file `{path}`"))
                .help(help.unwrap_or_else(|| "a path begins in the folder that the run began in".to_owned()))
        })
    }

    /// The step of a path.
    ///
    /// # Errors
    /// There is no such step, or several.
    pub fn find(&self, path: &str) -> Result<StepId> {
        path::find(self, path)
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_documented() {
        let items = crate::lang::items();
        let text = |name: &str| items.iter().find(|item| item.name == name).map_or("", |item| item.text.as_str());
        for (names, of) in [(&OF_RUNS[..], "simulate"), (&OF_STEPS[..], "step")] {
            for (name, _) in names {
                assert!(text(of).contains(&format!("`{name}`")), "`{name}` is not in the reference of `{of}`");
            }
        }
    }
}
