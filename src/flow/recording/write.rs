//! Writing a recording as a file.

use std::collections::HashMap;
use std::io::{self, Write};

use serde::Serialize;

use super::form::{AgentAttempt, Came, Changed, Ended, ErrorText, First, Kept, Line, VERSION, split};
use super::{Attempt, Recorded};
use crate::event::{Failure, Log, Outcome, Output};
use crate::exec::agent::Recording;
use crate::view::MASK;

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Attempts that asked agents.
    pub answers: usize,
    /// Attempts of other steps.
    pub outcomes: usize,
    /// Steps that say how they ended.
    pub steps: usize,
    /// Steps whose results are secret: what they gave is left out.
    pub left_out: Vec<String>,
    /// Files that agents changed and whose contents were not kept: the step, and the file.
    pub lost: Vec<(String, String)>,
}

impl Recorded {
    /// Writes it. `all`: with what became of the other steps, and the way that the run took. `note`: what readers are to
    /// know, in place of what was noted before.
    ///
    /// # Errors
    /// If it cannot be written, or a file that it needs cannot be read.
    pub fn write(&self, all: bool, note: Option<&str>, to: &mut dyn Write) -> io::Result<Written> {
        let mut written = Written::default();
        let course = self.course.as_ref().filter(|_| all);
        let head = &self.head;
        let mut first = First {
            recording: VERSION,
            workflow: head.workflow.clone(),
            note: note.unwrap_or(&head.note).to_owned(),
            ..First::default()
        };
        if let Some(course) = course {
            (first.run, first.args, first.at) = (head.run.clone(), head.args.clone(), head.at);
            (first.seed, first.max_parallel) = (head.seed, head.max_parallel);
            first.status = course.status.name().to_owned();
        }
        line(to, &first)?;
        for (path, attempts) in self.in_order() {
            let secret = self.secret.contains(path);
            if secret && (all || attempts.iter().any(|attempt| attempt.asked.is_some())) {
                written.left_out.push(path.clone());
            }
            for attempt in attempts {
                if secret {
                    if let (true, Some(outcome)) = (all, &attempt.outcome) {
                        self.outcome(path, attempt, &bare(outcome), to)?;
                        written.outcomes += 1;
                    }
                    continue;
                }
                match (self.recording(attempt)?, &attempt.outcome) {
                    (Some(recording), _) => {
                        self.agent(path, attempt, &recording, to)?;
                        let changes = attempt.outcome.as_deref().and_then(|outcome| outcome.changes.as_deref());
                        let lost = changes.map_or(&[][..], |changes| &changes.left_out).iter();
                        written.lost.extend(lost.map(|file| (path.clone(), file.clone())));
                        written.answers += 1;
                    }
                    (None, Some(outcome)) if all || attempt.asked.is_some() => {
                        self.outcome(path, attempt, outcome, to)?;
                        written.outcomes += 1;
                    }
                    _ => {}
                }
            }
        }
        if let Some(course) = course {
            let mut answers: Vec<_> = self.answers.iter().collect();
            answers.sort_by_key(|(path, _)| *path);
            for (step, all) in answers {
                for (attempt, after_ms, answer) in all {
                    let (step, answer) = (step.clone(), answer.clone());
                    line(to, &Came { step, attempt: *attempt, after_ms: *after_ms, answer })?;
                }
            }
            course.turns.iter().try_for_each(|turn| line(to, turn))?;
            course.steps.iter().try_for_each(|step| line(to, step))?;
            written.steps = course.steps.len();
        }
        Ok(written)
    }

    /// The attempts as their steps stand in the plan, if that is known.
    fn in_order(&self) -> Vec<(&String, &Vec<Attempt>)> {
        let course = self.course.as_ref().map_or(&[][..], |course| &course.steps);
        let places: HashMap<&str, usize> = course.iter().enumerate().map(|(n, one)| (one.step.as_str(), n)).collect();
        let mut all: Vec<_> = self.attempts.iter().collect();
        all.sort_by_key(|(path, _)| places.get(path.as_str()).copied().unwrap_or(usize::MAX));
        all
    }

    fn agent(&self, path: &str, attempt: &Attempt, recording: &Recording, to: &mut dyn Write) -> io::Result<()> {
        let asked = attempt.asked.clone().unwrap_or_default();
        let prompt_sha256 = self.prompt_sha256(attempt)?;
        line(
            to,
            &AgentAttempt {
                step: path.to_owned(),
                attempt: attempt.number,
                backend: recording.backend.clone(),
                agent: asked.agent,
                prompt_sha256,
                code: recording.code,
                signal: recording.signal,
                duration_ms: recording.duration_ms,
            },
        )?;
        for (at, bytes) in &recording.lines {
            let whole = bytes.strip_suffix(b"\n");
            let (text, base64) = split(whole.unwrap_or(bytes));
            line(to, &Line { at: *at, line: text, bytes: base64, open: whole.is_none() })?;
        }
        if !recording.stderr.is_empty() {
            line(to, &ErrorText { stderr: String::from_utf8_lossy(&recording.stderr).into_owned() })?;
        }
        for (file, content) in &recording.changes {
            let (text, bytes) = content.as_deref().map_or((None, None), split);
            line(to, &Changed { file: file.clone(), text, bytes })?;
        }
        Ok(())
    }

    fn outcome(&self, path: &str, attempt: &Attempt, outcome: &Outcome, to: &mut dyn Write) -> io::Result<()> {
        // What only says something of the machine would differ at each recording.
        let outcome = Outcome { cache: None, cpu_ms: 0, memory_kib: 0, duration_ms: 0, ..outcome.clone() };
        let mut logs: Vec<&Log> = outcome.stdout.iter().chain(&outcome.stderr).collect();
        if let Output::File { log, .. } = &outcome.output {
            logs.push(log);
        }
        let step = path.to_owned();
        let ended = Ended { step, attempt: attempt.number, took_ms: attempt.took_ms, outcome: outcome.clone() };
        line(to, &ended)?;
        let mut known: Vec<&str> = Vec::new();
        for log in logs {
            if !known.contains(&log.file.as_str()) {
                known.push(&log.file);
                let (text, bytes) = split(&self.files.read(log)?);
                line(to, &Kept { log: log.file.clone(), text, bytes })?;
            }
        }
        Ok(())
    }
}

/// That it ended, and how, without anything that it gave.
fn bare(outcome: &Outcome) -> Outcome {
    let error = outcome.error.clone().map(|failure| Failure::new(failure.kind, MASK));
    let output = if outcome.output.is_none() { Output::None } else { Output::Value(MASK.into()) };
    Outcome { error, output, code: outcome.code, signal: outcome.signal, ..Outcome::default() }
}

fn line(to: &mut dyn Write, what: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, what)?;
    to.write_all(b"\n")
}
