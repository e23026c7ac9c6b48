//! A recording in place of agents.

use std::io;
use std::sync::Arc;

use super::{Attempt, Recorded};
use crate::diag::nearest;
use crate::event::{AgentLine, AgentReport, Failure, FailureKind, Log, Outcome};
use crate::exec::agent::{Recording, Recordings};
use crate::plan::sha256;

impl Recorded {
    /// What the program of an attempt printed. Nothing: it asked no agent, or none was started.
    ///
    /// # Errors
    /// If a file of the run cannot be read.
    pub fn recording(&self, attempt: &Attempt) -> io::Result<Option<Recording>> {
        if let Some(said) = &attempt.said {
            return Ok(Some((**said).clone()));
        }
        let Some(outcome) = attempt.outcome.as_deref() else { return Ok(None) };
        let Some(report) = outcome.agent.as_deref() else { return Ok(None) };
        if !was_heard(outcome) {
            return Ok(None);
        }
        let read = |log: &Option<Log>| log.as_ref().map_or(Ok(Vec::new()), |log| self.files.read(log));
        let (printed, events) = (read(&outcome.stdout)?, read(&report.events)?);
        Ok(Some(Recording {
            backend: report.backend.to_string(),
            lines: timed(&printed, &events),
            stderr: read(&outcome.stderr)?,
            code: outcome.code,
            signal: outcome.signal,
            duration_ms: outcome.duration_ms,
            changes: changes(outcome, &*self.files)?,
        }))
    }

    /// SHA-256 of the prompt of an attempt as it was sent, in hexadecimal. Empty: it is not known.
    ///
    /// # Errors
    /// If a file of the run cannot be read.
    pub fn prompt_sha256(&self, attempt: &Attempt) -> io::Result<String> {
        let known = attempt.asked.as_ref().map(|asked| asked.prompt_sha256.as_str()).unwrap_or_default();
        let report = attempt.outcome.as_deref().and_then(|outcome| outcome.agent.as_deref());
        match report.and_then(|report| report.prompt.as_ref()) {
            Some(log) if known.is_empty() => Ok(sha256(&self.files.read(log)?)),
            _ => Ok(known.to_owned()),
        }
    }
}

/// Was there something to hear of an agent?
pub(super) fn was_heard(outcome: &Outcome) -> bool {
    let began = |report: &AgentReport| {
        outcome.stdout.is_some() || report.events.is_some() || outcome.code.is_some() || outcome.signal.is_some()
    };
    outcome.agent.as_deref().is_some_and(began)
}

/// The lines that were printed, each with when it came: what its events say, else the time of the one before.
fn timed(printed: &[u8], events: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let events = events.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<AgentLine>(line).ok());
    let mut times = events.filter(|event| event.bytes > 0).map(|event| (event.from, event.at)).peekable();
    let (mut from, mut at) = (0u64, 0u64);
    let mut lines = Vec::new();
    for line in printed.split_inclusive(|byte| *byte == b'\n') {
        let end = from + line.len() as u64;
        while let Some((_, time)) = times.next_if(|(place, _)| *place < end) {
            at = at.max(time);
        }
        lines.push((at, line.to_vec()));
        from = end;
    }
    lines
}

/// The files that an attempt changed.
fn changes(outcome: &Outcome, files: &dyn crate::state::Files) -> io::Result<Vec<(String, Option<Vec<u8>>)>> {
    let contents = outcome.agent.as_deref().and_then(|report| report.changes.as_deref()?.contents.as_ref());
    let Some(log) = contents else { return Ok(Vec::new()) };
    let text = files.read(log)?;
    let mut changes = Vec::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let one: super::form::Changed = serde_json::from_slice(line)?;
        let content = match (&one.text, &one.bytes) {
            (None, None) => None,
            _ => Some(super::form::joined(one.text, one.bytes).map_err(io::Error::other)?),
        };
        changes.push((one.file, content));
    }
    Ok(changes)
}

/// A recording that answers, with the original timing or at once.
pub(in crate::flow) struct Answers {
    pub recorded: Arc<Recorded>,
    pub timing: bool,
    /// Without the files that agents changed: nothing is to be written.
    pub without_files: bool,
}

impl Recordings for Answers {
    fn find(&self, path: &str, attempt: u32) -> Result<Recording, Failure> {
        let recorded = &self.recorded;
        let Some(known) = recorded.attempt(path, attempt) else { return Err(self.unknown(path)) };
        match (recorded.recording(known), known.outcome.as_ref().and_then(|outcome| outcome.error.clone())) {
            (Ok(Some(recording)), _) if self.without_files => Ok(Recording { changes: Vec::new(), ..recording }),
            (Ok(Some(recording)), _) => Ok(recording),
            // It came to nothing before anybody was asked.
            (Ok(None), Some(failure)) if known.asked.is_some() => Err(failure),
            (Ok(None), _) => {
                Err(Failure::new(FailureKind::Input, format!("in {} the step `{path}` asked no agent", recorded.name))
                    .help("it has become one since; record a new run, or let agents answer with `--agents live`"))
            }
            (Err(error), _) => {
                Err(Failure::new(FailureKind::Store, format!("what is recorded of `{path}` cannot be read: {error}"))
                    .help("are the files of that run still there? `flow verify RUN` says what is not"))
            }
        }
    }

    fn name(&self) -> &str {
        &self.recorded.name
    }

    fn keeps_time(&self) -> bool {
        self.timing
    }
}

impl Answers {
    /// The recording lacks this step.
    fn unknown(&self, path: &str) -> Failure {
        let name = &self.recorded.name;
        let asked: Vec<&str> = self.recorded.asked().collect();
        let failure = Failure::new(FailureKind::Input, format!("{name} holds no answer for `{path}`"));
        if let Some(same) = asked.iter().find(|known| without_keys(known) == without_keys(path)) {
            return failure.help(format!(
                "it has `{same}`: its items were others. Give the run the items that it was recorded with, or record it anew"
            ));
        }
        let help = match (nearest(path, asked.iter().copied()), asked.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`? It has that one"),
            (None, []) => "no agent was asked in it".to_owned(),
            (None, all) => {
                let list: Vec<String> = all.iter().take(8).map(|path| format!("`{path}`")).collect();
                let more = if all.len() > list.len() { ", …" } else { "" };
                format!("it has answers for {}{more}", list.join(", "))
            }
        };
        failure
            .help(format!("{help}; record a new run with `flow agents record`, or let agents answer: `--agents live`"))
    }
}

/// A path without the keys of items: `review[a]/ask` gives `review[]/ask`.
fn without_keys(path: &str) -> String {
    let (mut text, mut depth) = (String::new(), 0usize);
    for c in path.chars() {
        match c {
            '[' => {
                depth += 1;
                if depth == 1 {
                    text.push('[');
                }
            }
            ']' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    text.push(']');
                }
            }
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_times_of_their_events() {
        let printed = b"one\n\ntwo\nthree";
        let events = b"{\"at\":5,\"from\":0,\"bytes\":4,\"type\":\"agent.text\",\"text\":\"x\"}\n\
            {\"at\":9,\"from\":5,\"bytes\":4,\"type\":\"agent.text\",\"text\":\"y\"}\n\
            {\"at\":11,\"type\":\"agent.other\",\"what\":\"z\"}\n";
        let times: Vec<u64> = timed(printed, events).into_iter().map(|(at, _)| at).collect();
        assert_eq!(times, [5, 5, 9, 9]);
        assert_eq!(timed(b"", b""), []);
    }

    #[test]
    fn keys_of_items_are_left_out() {
        assert_eq!(without_keys("a[x/y]/b[1]"), "a[]/b[]");
        assert_eq!(without_keys("plain/path"), "plain/path");
    }

    #[test]
    fn what_is_missing_is_told_with_what_is_there() {
        let text = "{\"recording\":1,\"workflow\":\"w\"}\n\
            {\"step\":\"review[a.rs]\",\"attempt\":1,\"backend\":\"claude\"}\n\
            {\"step\":\"plan\",\"attempt\":1,\"backend\":\"claude\"}\n";
        let recorded = Arc::new(super::super::read::read("f", text.as_bytes()).expect("in order"));
        let answers = Answers { recorded, timing: false, without_files: false };
        let says = |path: &str| {
            let failure = answers.find(path, 1).expect_err("there is none");
            format!("{} / {}", failure.message, failure.help.unwrap_or_default())
        };
        assert!(says("review[b.rs]").contains("it has `review[a.rs]`: its items were others"));
        assert!(says("plam").contains("f holds no answer for `plam` / did you mean `plan`?"));
        assert!(says("something-else").contains("it has answers for `plan`, `review[a.rs]`"));
        assert!(answers.find("plan", 3).is_ok());
    }
}
