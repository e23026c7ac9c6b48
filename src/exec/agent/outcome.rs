//! From what was seen of an attempt to its outcome: it is judged, and its answer looked at.

use std::fs;

use super::answer;
use super::attempt::{Attempt, Done};
use super::hearing::Heard;
use super::schema;
use super::supervise::Supervised;
use super::verdict::{Case, Why, judge};
use crate::event::{AgentReport, Failure, FailureKind, INLINE_LIMIT, Outcome, Output, Verdict};
use crate::exec::board;
use crate::exec::capture::{Captured, store_failure, value_output};
use crate::plan::Json;

/// How much of standard error a message may quote, in bytes.
const QUOTED: u64 = 2048;

impl Attempt<'_> {
    /// What came of it.
    pub fn judged(&self, done: Done, report: &mut AgentReport) -> Result<Outcome, Failure> {
        let Done { mut outcome, end, supervised: Supervised { seen, files, why, peak_kib, unread } } = done;
        let stderr = outcome.stderr.as_ref().map(|log| Captured { log: log.clone(), path: self.logs.path("err") });
        let tail = stderr.as_ref().map(|stderr| stderr.tail(QUOTED)).unwrap_or_default();
        // What it wrote to standard error may be too much, or its values for others wrong.
        let why = why
            .filter(|why| *why != Why::Cancelled || !is_own(&outcome))
            .or_else(|| outcome.error.take().filter(matters).map(Why::Refused));
        let (mut verdict, mut error) = judge(&Case {
            agent: &self.agent.name,
            backend: &self.agent.backend,
            seen: &seen,
            end: &end,
            why: why.as_ref(),
            strict: self.ask.strict,
            stderr: self.logs.quote(&tail),
            log: stderr.as_ref().map(|stderr| stderr.path.display().to_string()),
        });
        if unread {
            (verdict, error) = (Verdict::Finished, None);
        }
        let text = without_newline(seen.answer());
        let mut noted = None;
        if error.is_none() && !unread && self.ask.schema.is_none() {
            match board::answered(self.ask, text, None, self.job) {
                Ok((rest, notes)) => (noted, outcome.notes) = (rest, notes),
                Err(failure) => (verdict, error) = (Verdict::Failed, Some(failure)),
            }
        }
        let text = noted.as_deref().unwrap_or(text);
        report.text = self.text_output(text)?;
        outcome.output = Output::None;
        if error.is_none() {
            outcome.output = report.text.clone();
            if let (Some(wanted), false) = (&self.ask.schema, unread) {
                let structured = seen.closing.as_ref().and_then(|closing| closing.structured.as_ref());
                let takes_notes = schema::takes_notes(self.ask);
                match answer::value(text, structured, wanted, &self.agent.name, takes_notes, |text| {
                    self.logs.quote(text)
                }) {
                    Ok((value, notes)) => {
                        // Where the schema has such a key itself, it is noted and stays.
                        let own = || value.get(schema::NOTES).filter(|notes| notes.is_object()).cloned();
                        match board::answered(self.ask, text, Some(&notes.or_else(own).unwrap_or_default()), self.job) {
                            Ok((_, notes)) => {
                                outcome.notes = notes;
                                outcome.output = value_output(value, self.job)?;
                            }
                            Err(failure) => (verdict, error) = (Verdict::Failed, Some(failure)),
                        }
                    }
                    Err(failure) => (verdict, error) = (Verdict::Failed, Some(failure)),
                }
            }
        }
        outcome.memory_kib = outcome.memory_kib.max(peak_kib);
        match files {
            Ok(Heard { raw, events }) => (outcome.stdout, report.events) = (raw, events),
            Err(failure) => {
                error.get_or_insert(failure);
            }
        }
        outcome.error = error;
        report.verdict = verdict;
        report.usage = seen.usage;
        report.tools_used = seen.tools_used;
        report.denials = seen.denials;
        for (place, text) in
            [(&mut report.model, seen.model), (&mut report.version, seen.version), (&mut report.session, seen.session)]
        {
            *place = text;
        }
        Ok(outcome)
    }

    /// A text, in a file if it is long.
    fn text_output(&self, text: &str) -> Result<Output, Failure> {
        if text.len() <= INLINE_LIMIT {
            return Ok(Output::Value(Json::from(text)));
        }
        let path = self.logs.path("txt");
        let keep = || {
            fs::write(&path, text)?;
            Captured::of(self.logs.name("txt"), path.clone(), text.len() as u64)
        };
        let captured = keep().map_err(|error| store_failure("write", &path, &error))?;
        Ok(Output::File { log: captured.log, json: false })
    }
}

/// Was it ended for what it did, not because somebody wanted it?
fn is_own(outcome: &Outcome) -> bool {
    outcome.error.as_ref().is_some_and(matters)
}

/// Is this failure of a process not just its end, of which the verdict says more?
fn matters(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::TooMuch | FailureKind::Store | FailureKind::Output)
}

fn without_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}
