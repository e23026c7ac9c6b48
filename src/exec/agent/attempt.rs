//! An attempt of a question, from its job to its outcome:
//!
//! 1. the prompt is put together and kept, and everything else that the agent says is filled in (a [`Brief`]),
//! 2. its driver says what is to be run or sent (an [`Errand`]),
//! 3. that is done, or a recording is read, while it is supervised,
//! 4. what was seen is judged, and its answer looked at.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use super::around::inherited;
use super::company::Company;
use super::driver::driver_of;
use super::hearing::Hearing;
use super::prompt::{self, Streamed};
use super::schema;
use super::supervise::{Supervised, Supervision};
use super::verdict::End;
use super::watch::Watch;
use super::{Brief, Driver, Errand, Launch, Recording, program, replay, request};
use crate::event::{AgentReport, Failure, FailureKind, Log, Outcome, Verdict};
use crate::exec::capture::{Captured, Logs, log_stem, store_failure};
use crate::exec::command::{self, Around, Program};
use crate::exec::git::top_of;
use crate::exec::http::Requests;
use crate::exec::process::Room;
use crate::exec::running::Running;
use crate::exec::secrets::Secrets;
use crate::exec::{Job, Report, stdin};
use crate::plan::{Agent, Ask, Backend, Budget, Value};

/// What the attempts of a run share.
pub(in crate::exec) struct Shared<'a> {
    pub running: &'a Arc<Running>,
    pub room: &'a Room,
    pub requests: &'a Requests,
    /// Answers in place of agents.
    pub recordings: Option<&'a dyn super::Recordings>,
    pub report: &'a Report,
}

/// Makes the attempt and waits for its end. Blocks. `company`: it stands in a stream.
pub(in crate::exec) fn run(
    ask: &Ask,
    job: &Job,
    shared: &Shared<'_>,
    company: Option<Box<dyn Company + '_>>,
) -> Result<Outcome, Failure> {
    let attempt = Attempt { ask, agent: &ask.agent, job, shared, logs: Logs::of(job)?, folder: folder(job) };
    let mut report = Box::new(AgentReport {
        agent: ask.agent.name.clone(),
        backend: ask.agent.backend.clone(),
        ..AgentReport::default()
    });
    let result = attempt.make(&mut report, company);
    // What an earlier attempt left whose flow was killed may be there, too.
    for number in [job.attempt, job.attempt.saturating_sub(1)] {
        // Mostly there is none.
        let _ = fs::remove_dir_all(attempt.folder.with_file_name(log_stem(job.step, &job.path, number)));
    }
    let mut outcome = result.unwrap_or_else(|failure| {
        report.verdict = Verdict::Failed;
        Outcome { error: Some(failure), ..Outcome::default() }
    });
    outcome.agent = Some(report);
    Ok(outcome)
}

/// The folder of an attempt's own.
fn folder(job: &Job) -> PathBuf {
    job.site.folder.join("agents").join(log_stem(job.step, &job.path, job.attempt))
}

/// An attempt that is made.
pub(super) struct Attempt<'a> {
    pub ask: &'a Ask,
    pub agent: &'a Agent,
    pub job: &'a Job,
    shared: &'a Shared<'a>,
    pub logs: Logs,
    folder: PathBuf,
}

/// What was done, and what is known of its end.
pub(super) struct Done {
    /// Without error and output.
    pub outcome: Outcome,
    pub end: End,
    pub supervised: Supervised,
}

impl Attempt<'_> {
    fn secrets(&self) -> &Arc<Secrets> {
        &self.shared.room.secrets
    }

    /// A value as text, with the secrets in it. Where there is none, nothing.
    fn revealed(&self, value: Option<&Value>) -> Result<Option<String>, Failure> {
        value.map(|value| command::text(&*self.secrets().reveal(value)?, &self.job.inputs)).transpose()
    }

    fn text(&self, value: Option<&Value>) -> Result<Option<String>, Failure> {
        value.map(|value| command::text(value, &self.job.inputs)).transpose()
    }

    fn texts(&self, values: &[Value]) -> Result<Vec<String>, Failure> {
        values.iter().map(|value| command::text(value, &self.job.inputs)).collect()
    }

    fn make(&self, report: &mut AgentReport, mut company: Option<Box<dyn Company + '_>>) -> Result<Outcome, Failure> {
        let Attempt { ask, agent, job, .. } = self;
        let masked = self.secrets().of_run(&job.site.hidden);
        let streamed = company.as_mut().map_or(Ok(Streamed::Nothing), |company| company.streamed())?;
        let prompt = prompt::compose_with(ask, job, streamed)?;
        report.prompt = Some(self.keep_prompt(&prompt.document(), masked)?);
        let recording = match self.shared.recordings {
            Some(recordings) => {
                report.recorded = recordings.name().to_owned();
                Some(recordings.find(&job.path, job.attempt)?)
            }
            None => None,
        };
        let schema = schema::with_notes(ask);
        let brief = Brief {
            agent,
            model: self.text(agent.model.as_ref())?,
            system: prompt.system,
            prompt: prompt.text,
            schema: schema.as_deref(),
            session: self.text(ask.session.as_ref())?.filter(|session| !session.is_empty()),
            command: self.texts(&agent.command)?,
            args: self.texts(&agent.args)?,
            base_url: self.revealed(agent.base_url.as_ref())?,
            api_key: if recording.is_none() { self.revealed(agent.api_key.as_ref())? } else { None },
            allowance: allowance(agent.budget, job.allowance),
            folder: &self.folder,
            live: company.as_ref().is_some_and(|company| company.is_live()),
        };
        let done = match recording {
            Some(recording) => self.replay(&recording, masked, company)?,
            None => self.really(&brief, masked, company)?,
        };
        self.judged(done, report)
    }

    /// The prompt is kept for people, and for replays.
    fn keep_prompt(&self, text: &str, masked: Option<&Secrets>) -> Result<Log, Failure> {
        let path = self.logs.path("prompt.md");
        let text = masked.map_or_else(|| text.into(), |secrets| secrets.mask().text(text).into_owned());
        let keep = || {
            fs::write(&path, text.as_bytes())?;
            Captured::of(self.logs.name("prompt.md"), path.clone(), text.len() as u64)
        };
        keep().map(|captured| captured.log).map_err(|error| store_failure("write", &path, &error))
    }

    fn supervision<'s>(
        &'s self,
        dialect: Box<dyn super::Dialect>,
        masked: Option<&'s Secrets>,
        company: Option<Box<dyn Company + 's>>,
    ) -> Supervision<'s> {
        let job = self.job;
        let limit = job.policy.as_ref().and_then(|policy| policy.output_limit).or(job.site.settings.output_limit);
        let hearing = Hearing::new(&self.logs, dialect, masked, limit, company);
        let watch = Watch::of(self.agent, allowance(self.agent.budget, job.allowance));
        Supervision::new(hearing, watch, self.shared.report, (job.step, job.attempt))
    }

    /// Asks the agent itself.
    fn really(
        &self,
        brief: &Brief<'_>,
        masked: Option<&Secrets>,
        mut company: Option<Box<dyn Company + '_>>,
    ) -> Result<Done, Failure> {
        let driver: Arc<dyn Driver> = driver_of(self.agent).into();
        match driver.errand(brief)? {
            Errand::Program(launch) => {
                let program = self.program(&launch)?;
                let folder = self.folder.display().to_string();
                if launch.env.iter().any(|(_, value)| value.starts_with(&folder)) {
                    make_private(&self.folder).map_err(|error| store_failure("create", &self.folder, &error))?;
                }
                for (path, content) in &launch.files {
                    write_private(path, content).map_err(|error| store_failure("write", path, &error))?;
                }
                let stdin = match company.as_mut().filter(|_| brief.live) {
                    Some(company) => company.input(driver.clone(), driver.task_live(brief))?,
                    None => stdin::bytes(&launch.stdin, &self.logs, self.job.site.hides())?
                        .map_or_else(Stdio::null, Stdio::from),
                };
                let supervision = self.supervision(driver.dialect(), masked, company);
                let around = (self.shared.running, self.shared.room);
                let (outcome, supervised) = program::run(program, stdin, self.job, around, supervision);
                // What was heard of it may have a better reason than its end.
                let outcome = match outcome {
                    Ok(outcome) => outcome,
                    Err(failure) if failure.kind == FailureKind::Cancelled => {
                        Outcome { error: Some(failure), ..Outcome::default() }
                    }
                    Err(failure) => return Err(failure),
                };
                let end = match &outcome.error {
                    // It was not to begin.
                    Some(failure)
                        if failure.kind == FailureKind::Cancelled
                            && outcome.signal.is_none()
                            && outcome.code.is_none() =>
                    {
                        End::Failed(failure.clone())
                    }
                    _ => End::Program { code: outcome.code, signal: outcome.signal },
                };
                Ok(Done { outcome, end, supervised })
            }
            Errand::Request(call) => {
                let supervision = self.supervision(driver.dialect(), masked, company);
                let around = (self.shared.running, self.shared.requests);
                let (outcome, end, supervised) = request::run(&call, &self.agent.name, self.job, around, supervision);
                Ok(Done { outcome, end, supervised })
            }
        }
    }

    fn program(&self, launch: &Launch) -> Result<Program, Failure> {
        if launch.words.first().is_none_or(String::is_empty) {
            let message = format!("agent `{}` names no program", self.agent.name);
            return Err(Failure::new(FailureKind::Spawn, message).help("`command: [\"program\", \"argument\"]`"));
        }
        let mut own = Vec::new();
        for (name, value) in &self.agent.env {
            own.push((name.clone(), self.revealed(Some(value))?.unwrap_or_default()));
        }
        let around = Around {
            inherits: (!self.agent.inherit_env).then(|| inherited(&launch.pass_env)),
            more: launch.env.clone(),
            own,
        };
        let mut program = Program::with(launch.words.clone(), launch.words[0].clone(), self.cwd()?, around)?;
        program.install = install(self.agent, &launch.words[0]);
        Ok(program)
    }

    /// Answers from a recording.
    fn replay(
        &self,
        recording: &Recording,
        masked: Option<&Secrets>,
        company: Option<Box<dyn Company + '_>>,
    ) -> Result<Done, Failure> {
        let dialect = match recording.backend.as_str() {
            // Whoever drives it now may speak otherwise.
            backend if !backend.is_empty() && backend != self.agent.backend && Backend::named(backend).is_some() => {
                driver_of(&Agent { backend: backend.into(), ..Agent::default() }).dialect()
            }
            _ => driver_of(self.agent).dialect(),
        };
        let keeps_time = self.shared.recordings.is_some_and(|recordings| recordings.keeps_time());
        let supervision = self.supervision(dialect, masked, company);
        let folder = match self.job.policy.as_ref().is_some_and(|policy| policy.isolate.is_some()) {
            true => top_of(&self.cwd()?)?,
            false => self.cwd()?,
        };
        let (outcome, end, supervised) =
            replay::run(recording, keeps_time, &folder, self.job, &self.logs, self.shared.running, supervision);
        Ok(Done { outcome: outcome?, end, supervised })
    }

    /// Where it works.
    fn cwd(&self) -> Result<PathBuf, Failure> {
        let said = self.job.policy.as_ref().is_some_and(|policy| policy.cwd.is_some());
        match self.text(self.agent.cwd.as_ref().filter(|_| !said))? {
            Some(cwd) => Ok(self.job.site.cwd.join(cwd)),
            None => self.job.cwd(),
        }
    }
}

/// What to do where the program of an agent's backend is not installed. Of a program that is not the backend's own, nothing is known.
fn install(agent: &Agent, program: &str) -> Option<String> {
    let how = match &agent.via {
        Some(spec) if spec.command.first().is_some_and(|word| word == program) => &*spec.install,
        Some(_) => return None,
        None => Backend::named(&agent.backend).filter(|backend| backend.program == Some(program))?.install,
    };
    let how = match how {
        "" => "install it, or mend its `command` in flow.toml".to_owned(),
        how => format!("`{how}` installs it"),
    };
    Some(format!(
        "{how}; `flow doctor` says what is here; `--agents recorded:RUN` plays what agents said in an earlier run"
    ))
}

/// What both leave.
fn allowance(own: Option<Budget>, left: Option<Budget>) -> Option<Budget> {
    let (Some(own), Some(left)) = (own, left) else { return own.or(left) };
    fn less<T: PartialOrd>(a: Option<T>, b: Option<T>) -> Option<T> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if b < a { b } else { a }),
            (a, b) => a.or(b),
        }
    }
    Some(Budget {
        usd: less(own.usd, left.usd),
        tokens: less(own.tokens, left.tokens),
        turns: less(own.turns, left.turns),
        minutes: less(own.minutes, left.minutes),
    })
}

/// Makes a folder that only the user may read, and those above it.
fn make_private(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file that only the user may read, and the folders above it.
fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    path.parent().map_or(Ok(()), make_private)?;
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::BackendSpec;

    #[test]
    fn how_to_get_the_program_of_a_backend_is_told() {
        let of =
            |backend: &str, program: &str| install(&Agent { backend: backend.into(), ..Agent::default() }, program);
        assert!(
            of("codex", "codex").is_some_and(|help| help.starts_with("`npm install -g @openai/codex` installs it; "))
        );
        assert_eq!(of("codex", "./my-codex"), None);
        assert_eq!(of("command", "mine"), None);
        let via = |install: &str| {
            let spec = BackendSpec { command: vec!["aider".into()], install: install.into(), ..BackendSpec::default() };
            super::install(&Agent { via: Some(Arc::new(spec)), ..Agent::default() }, "aider").unwrap_or_default()
        };
        assert!(via("pip install aider-chat").starts_with("`pip install aider-chat` installs it; "));
        assert!(via("").starts_with("install it, or mend its `command` in flow.toml; "));
    }

    #[test]
    fn of_two_budgets_the_smaller_one_counts() {
        let usd = |usd| Some(Budget { usd: Some(usd), ..Budget::default() });
        assert_eq!(allowance(usd(2.0), usd(1.0)), usd(1.0));
        assert_eq!(allowance(usd(2.0), None), usd(2.0));
        let turns = Some(Budget { turns: Some(3), ..Budget::default() });
        assert_eq!(allowance(usd(2.0), turns), Some(Budget { usd: Some(2.0), turns: Some(3), ..Budget::default() }));
    }
}
