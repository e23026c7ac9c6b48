//! A recorded run as a test of its workflow: it is run again in the head, where everything that comes from outside is what
//! it was then, and the two ways are compared.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::differences::{Difference, differences};
use super::room::Room;
use super::stage::perform;
use crate::diag::{Diagnostic, Result, Span};
use crate::engine::drive::simulation::{Happened, Past, Scene};
use crate::event::{Answer, Created};
use crate::exec::agent::Recordings;
use crate::flow::recording::{Answers, Recorded, gather};
use crate::flow::{Flow, Script};
use crate::plan::Task;
use crate::state::{Files, RunState};

/// What a workflow is replayed from, and how.
#[derive(Clone, Debug)]
pub struct AgainOptions {
    /// A run of the store, or a file.
    pub recorded: String,
    /// Does the time really pass that steps took?
    pub timing: bool,
    /// Longest time of the replay, where the time does not pass.
    pub timeout: Duration,
}

/// What came of a replay.
#[derive(Debug)]
pub struct Again {
    /// Where it was recorded, for people.
    pub recorded: String,
    /// How many steps were compared.
    pub steps: usize,
    /// And how many decisions.
    pub decisions: usize,
    /// And retries.
    pub retries: usize,
    /// And how many attempts of agents were heard again.
    pub agents: usize,
    /// What differs, as diagnostics with their places in the script.
    pub differences: Vec<(Difference, Diagnostic)>,
    /// What is worth knowing and is no difference of the way.
    pub hints: Vec<String>,
    /// How long the replay took.
    pub took: Duration,
}

/// A recorded run as what stands for the world.
struct Replay {
    recorded: Arc<Recorded>,
}

impl Past for Replay {
    fn attempt(&self, path: &str, attempt: u32) -> Happened {
        let Some(all) = self.recorded.attempts_of(path) else {
            return if self.began(path) { Happened::WentOn } else { Happened::Unknown };
        };
        // Not the last one for a further one: that there is a further one is a difference.
        match all.iter().find(|one| one.number == attempt) {
            Some(one) if self.recorded.was_heard(one) => {
                let report = one.outcome.as_deref().and_then(|outcome| outcome.agent.as_deref());
                Happened::Said(one.took_ms, report.and_then(|report| report.changes.clone()))
            }
            Some(one) => one.outcome.clone().map_or(Happened::Unknown, |outcome| Happened::Ended(outcome, one.took_ms)),
            None if self.began(path) => Happened::WentOn,
            None => Happened::Unknown,
        }
    }

    fn is_known(&self, path: &str) -> bool {
        self.recorded.course.as_ref().is_some_and(|course| course.steps.iter().any(|step| step.step == path))
    }

    fn answer(&self, path: &str, attempt: u32) -> Option<(u64, Answer)> {
        self.recorded.answer(path, attempt).map(|(after, answer)| (after, answer.clone()))
    }

    fn recordings(&self) -> Arc<dyn Recordings> {
        Arc::new(Answers { recorded: self.recorded.clone(), timing: false, without_files: true })
    }

    fn files(&self) -> Arc<dyn Files> {
        self.recorded.files.clone()
    }
}

impl Replay {
    /// Did more attempts begin than came to an end of their own?
    fn began(&self, path: &str) -> bool {
        let step = self.recorded.course.as_ref().and_then(|course| course.steps.iter().find(|step| step.step == path));
        let ended = self.recorded.attempts_of(path).map_or(0, <[_]>::len);
        step.is_some_and(|step| step.attempts as usize > ended)
    }
}

impl Flow {
    /// Runs a workflow in the head as a recorded run went, and compares the ways: steps, decisions, retries. Nothing is
    /// started and nothing is written.
    ///
    /// # Errors
    /// What is wrong with the recording or with the script: then nothing was compared.
    pub fn test_again(&self, script: &Script, options: &AgainOptions) -> Result<Again> {
        let begun = Instant::now();
        let recorded = Arc::new(self.recorded_run(&options.recorded)?);
        let name = recorded.name.clone();
        let Some(course) = &recorded.course else {
            return Err(Diagnostic::new(
                "flow::test::recording",
                format!("{name} holds nothing but answers of agents"),
            )
            .help("what is to be a test is recorded as a whole: `flow agents record RUN --all -o FILE`"));
        };
        if !course.status.is_final() {
            return Err(Diagnostic::new(
                "flow::run::unfinished",
                format!("{name} is not at its end: {}", course.status.name()),
            )
            .help("only the way of a run that is over can be compared; `flow resume` takes it up"));
        }
        let program = self.compile(script)?;
        let room = Room::new()?;
        let (deadline, timing) = (begun + options.timeout, options.timing);
        let file = script.path.as_ref().map_or_else(|| script.name.clone(), |path| path.display().to_string());
        let head = &recorded.head;
        let scene = Scene {
            past: Some(Arc::new(Replay { recorded: recorded.clone() })),
            timing,
            begins_at: head.at,
            folder: room.path().to_owned(),
            created: Created {
                file,
                args: head.args.clone(),
                cwd: room.path().display().to_string(),
                seed: head.seed,
                max_parallel: head.max_parallel,
                version: 1,
                ..Created::default()
            },
            late: Box::new(move || !timing && Instant::now() > deadline),
            ..Scene::new(Arc::new(program.clone()))
        };
        let evaluate = |runner| program.build_and_tell(&head.args, Some(runner));
        let (ended, problem) = perform(scene, &program, evaluate)?;
        if let Some(problem) = problem {
            return Err(problem);
        }
        let now = gather("now", &ended.records, ended.files.clone());
        let now_course = now.course.clone().unwrap_or_default();
        let sources = program.texts();
        let found = differences(course, &now_course);
        let told = |one: Difference| {
            let problem = diagnostic(&one, &name, place(&ended.state, &one.step)).with_sources(&sources);
            (one, problem)
        };
        let mut hints = Vec::new();
        let gone: Vec<&str> =
            found.iter().filter(|one| one.what == "is no more").map(|one| one.step.as_str()).collect();
        if !gone.is_empty() {
            hints.push(format!(
                "the script has changed: these recorded steps have no counterpart in it: {}",
                list(&gone)
            ));
        }
        let unknown: Vec<String> = ended.unknown.iter().map(|id| ended.state.plan.path(*id)).collect();
        if !unknown.is_empty() {
            let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
            hints.push(format!("nothing was recorded of {}: taken as ended well, without output", list(&unknown)));
        }
        let mut prompts = other_prompts(&recorded, &now);
        // What comes live is not read again.
        let plan = &ended.state.plan;
        let is_member = |path: &String| {
            let step = plan.ids().find(|id| plan.path(*id) == *path).and_then(|id| plan.step(id).parent);
            step.is_some_and(|parent| matches!(*plan.step(parent).task, Task::Stream(_)))
        };
        prompts.retain(|path| !is_member(path));
        if !prompts.is_empty() {
            let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
            hints.push(format!("asked otherwise than when the answer was recorded: {}", list(&prompts)));
        }
        if !found.is_empty() {
            hints.push("if it is meant to go another way now, let it run and record it anew".to_owned());
        }
        let heard = |one: &&str| {
            recorded.attempts_of(one).map_or(0, |all| all.iter().filter(|one| recorded.was_heard(one)).count())
        };
        Ok(Again {
            steps: course.steps.len(),
            decisions: course.turns.len(),
            retries: course.steps.iter().map(|step| step.retried.len()).sum(),
            agents: recorded.asked().map(|path| heard(&path)).sum(),
            differences: found.into_iter().map(told).collect(),
            hints,
            took: begun.elapsed(),
            recorded: name,
        })
    }
}

/// The steps whose prompts were others.
fn other_prompts(recorded: &Recorded, now: &Recorded) -> Vec<String> {
    let hash = |of: &Recorded, path: &str, attempt: u32| {
        let attempt = of.attempts_of(path)?.iter().find(|one| one.number == attempt)?;
        of.prompt_sha256(attempt).ok().filter(|hash| !hash.is_empty())
    };
    let differs = |path: &&str| {
        let all = recorded.attempts_of(path).unwrap_or_default();
        all.iter().any(|one| match (hash(recorded, path, one.number), hash(now, path, one.number)) {
            (Some(then), Some(now)) => then != now,
            _ => false,
        })
    };
    recorded.asked().filter(differs).map(str::to_owned).collect()
}

fn list(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    let more = names.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Where a step stands in the script.
fn place(state: &RunState, path: &str) -> Span {
    let plan = &state.plan;
    let exact = plan.ids().find(|id| plan.path(*id) == path);
    exact.map_or_else(Span::default, |id| plan.step(id).span)
}

fn diagnostic(difference: &Difference, name: &str, span: Span) -> Diagnostic {
    let Difference { step, what, recorded, now } = difference;
    let subject = if step.is_empty() { String::new() } else { format!("`{step}` ") };
    if !span.is_known() {
        return Diagnostic::new("flow::test::path", format!("{subject}{what}: {now}; in {name}: {recorded}"));
    }
    Diagnostic::new("flow::test::path", format!("{subject}{what}"))
        .label(span, format!("now: {now}"))
        .label(span, format!("in {name}: {recorded}"))
}
