//! Reading a file of recordings. Whatever is wrong is told with its line.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::form::{AgentAttempt, Came, Changed, Ended, ErrorText, First, Kept, Kind, Line, VERSION, joined};
use super::{Asked, Attempt, Course, Head, Passed, Recorded, Texts, Turn};
use crate::diag::{Diagnostic, Result};
use crate::event::{Answer, RunStatus};
use crate::exec::agent::Recording;
use crate::plan::Json;

/// What has been read so far.
#[derive(Default)]
struct Reading {
    head: Option<First>,
    attempts: BTreeMap<String, Vec<Attempt>>,
    /// The path and the recording of the attempt whose lines come.
    open: Option<(String, Attempt, Recording)>,
    answers: HashMap<String, Vec<(u32, u64, Answer)>>,
    steps: Vec<Passed>,
    turns: Vec<Turn>,
    texts: HashMap<String, Vec<u8>>,
}

/// Reads a file.
///
/// # Errors
/// `flow::file::missing`, `flow::file::unreadable`, `flow::recording::form`.
pub(super) fn read_file(path: &Path) -> Result<Recorded> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => read(&name, &bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Diagnostic::new("flow::file::missing", format!("there is no file `{name}`"))
                .help("`flow agents record RUN -o FILE` writes one from a run; `flow runs` lists the runs"))
        }
        Err(error) => Err(Diagnostic::new("flow::file::unreadable", format!("`{name}` cannot be read: {error}"))
            .help("a recording is a file of JSON lines that `flow agents record RUN -o FILE` wrote")),
    }
}

/// Reads the text of a file. `name`: of the file, for messages.
///
/// # Errors
/// `flow::recording::form`: what is wrong in which line.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Recorded> {
    let mut reading = Reading::default();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (n, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        reading.line(line).map_err(|(what, help)| wrong(&format!("{name}:{}", n + 1), &what, help))?;
    }
    reading.close();
    let Some(head) = reading.head else {
        return Err(wrong(name, "it is empty", FIRST.to_owned()));
    };
    let status = RunStatus::ALL.into_iter().find(|status| status.name() == head.status);
    if status.is_none() && !head.status.is_empty() {
        let names: Vec<&str> = RunStatus::ALL.iter().map(|status| status.name()).collect();
        let near = crate::diag::did_you_mean(&head.status, names.iter().copied());
        let what = format!("`{}` is no status of a run", head.status);
        return Err(wrong(&format!("{name}:1"), &what, near.unwrap_or_default()));
    }
    let course = status.map(|status| Course { status, steps: reading.steps, turns: reading.turns });
    let head = Head {
        workflow: head.workflow,
        note: head.note,
        run: head.run,
        file: String::new(),
        args: head.args,
        at: head.at,
        seed: head.seed,
        max_parallel: head.max_parallel,
    };
    let files = Arc::new(Texts(reading.texts));
    let (attempts, answers) = (reading.attempts, reading.answers);
    let secret = HashSet::new();
    Ok(Recorded { name: name.to_owned(), head, attempts, answers, secret, course, files })
}

/// What the first line is like.
const FIRST: &str =
    "the first line is `{\"recording\":1,\"workflow\":\"…\"}`; `flow agents record RUN -o FILE` writes such a file";

/// What is wrong, and what to do.
type Trouble = (String, String);

fn wrong(place: &str, what: &str, help: String) -> Diagnostic {
    Diagnostic::new("flow::recording::form", format!("{place}: {what}")).help(help)
}

impl Reading {
    fn line(&mut self, line: &[u8]) -> std::result::Result<(), Trouble> {
        let json: Json = serde_json::from_slice(line).map_err(|error| {
            (format!("the line is no JSON: {error}"), "each line of a recording is one JSON object".to_owned())
        })?;
        let Json::Object(object) = json else {
            return Err(("the line is no JSON object".into(), "each line of a recording is one JSON object".into()));
        };
        let kind = Kind::of(&object);
        if self.head.is_none() && kind != Some(Kind::First) {
            return Err(("the file does not begin as a recording does".into(), FIRST.into()));
        }
        let Some(kind) = kind else {
            let keys: Vec<String> = object.keys().map(|key| format!("`{key}`")).collect();
            let what = format!("nothing in a recording has only these keys: {}", keys.join(", "));
            return Err((what, "docs/recordings.md says which lines there are".into()));
        };
        match kind {
            Kind::First => self.first(take(object)?),
            Kind::Agent => {
                self.close();
                let one: AgentAttempt = take(object)?;
                let asked = Asked { agent: one.agent, backend: one.backend.clone(), prompt_sha256: one.prompt_sha256 };
                let attempt =
                    Attempt { number: one.attempt, asked: Some(asked), took_ms: one.duration_ms, ..Attempt::default() };
                let recording = Recording {
                    backend: one.backend,
                    code: one.code,
                    signal: one.signal,
                    duration_ms: one.duration_ms,
                    ..Recording::default()
                };
                self.open = Some((one.step, attempt, recording));
                Ok(())
            }
            Kind::Line => {
                let Line { at, line, bytes, open } = take(object)?;
                let mut bytes = joined(line, bytes).map_err(|what| (what, LINE.into()))?;
                if !open {
                    bytes.push(b'\n');
                }
                let lines = &mut self.recording()?.lines;
                if lines.last().is_some_and(|(before, _)| *before > at) {
                    let what = format!("`at` is {at}, before the line before");
                    return Err((what, "lines stand in the order in which they were printed".into()));
                }
                lines.push((at, bytes));
                Ok(())
            }
            Kind::Stderr => {
                let ErrorText { stderr } = take(object)?;
                self.recording()?.stderr.extend_from_slice(stderr.as_bytes());
                Ok(())
            }
            Kind::Changed => {
                let Changed { file, text, bytes } = take(object)?;
                let content = match (&text, &bytes) {
                    (None, None) => None,
                    _ => Some(joined(text, bytes).map_err(|what| (what, LINE.into()))?),
                };
                self.recording()?.changes.push((file, content));
                Ok(())
            }
            Kind::Ended => {
                self.close();
                let one: Ended = take(object)?;
                let outcome = Some(Arc::new(one.outcome));
                let attempt = Attempt { number: one.attempt, outcome, took_ms: one.took_ms, ..Attempt::default() };
                self.attempts.entry(one.step).or_default().push(attempt);
                Ok(())
            }
            Kind::Kept => {
                let Kept { log, text, bytes } = take(object)?;
                self.texts.insert(log, joined(text, bytes).map_err(|what| (what, LINE.into()))?);
                Ok(())
            }
            Kind::Came => {
                let Came { step, attempt, after_ms, answer } = take(object)?;
                self.answers.entry(step).or_default().push((attempt, after_ms, answer));
                Ok(())
            }
            Kind::Passed => {
                self.steps.push(take(object)?);
                Ok(())
            }
            Kind::Turn => {
                self.turns.push(take(object)?);
                Ok(())
            }
        }
    }

    fn first(&mut self, first: First) -> std::result::Result<(), Trouble> {
        if self.head.is_some() {
            return Err(("there is a second first line".into(), "a file holds one recording".into()));
        }
        if first.recording != VERSION {
            let what =
                format!("the recording has the form {}, and this version of flow reads {VERSION}", first.recording);
            return Err((what, "record it again, or use the version of flow that wrote it".into()));
        }
        self.head = Some(first);
        Ok(())
    }

    /// The recording of the attempt whose lines come.
    fn recording(&mut self) -> std::result::Result<&mut Recording, Trouble> {
        match &mut self.open {
            Some((_, _, recording)) => Ok(recording),
            None => Err((
                "the line belongs to no attempt".into(),
                "before it stands `{\"step\":\"…\",\"attempt\":1,\"backend\":\"…\"}`".into(),
            )),
        }
    }

    /// The lines of the attempt are at their end.
    fn close(&mut self) {
        if let Some((path, attempt, recording)) = self.open.take() {
            let attempt = Attempt { said: Some(Arc::new(recording)), ..attempt };
            self.attempts.entry(path).or_default().push(attempt);
        }
    }
}

const LINE: &str = "what a program printed is a text, or `bytes` in base64 where it is not UTF-8";

/// A line as what it is.
fn take<T: DeserializeOwned>(object: serde_json::Map<String, Json>) -> std::result::Result<T, Trouble> {
    T::deserialize(Json::Object(object)).map_err(|error| {
        (format!("the line is not as it should be: {error}"), "docs/recordings.md says what stands in it".into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = concat!(
        "{\"recording\":1,\"workflow\":\"w\",\"note\":\"n\"}\n",
        "{\"step\":\"a\",\"attempt\":1,\"backend\":\"claude\",\"agent\":\"x\",\"code\":0,\"duration_ms\":7}\n",
        "{\"at\":1,\"line\":\"one\"}\n",
        "{\"at\":3,\"bytes\":\"/w==\",\"open\":true}\n",
        "{\"stderr\":\"oh\"}\n",
        "{\"file\":\"f\",\"text\":\"t\"}\n",
        "{\"file\":\"g\",\"text\":null}\n",
        "\r\n",
        "{\"step\":\"a\",\"attempt\":2,\"backend\":\"claude\",\"signal\":9}\n",
    );

    #[test]
    fn a_file_is_read() {
        let read = read("f", TWO.as_bytes()).expect("it is in order");
        assert_eq!((read.head.workflow.as_str(), read.head.note.as_str()), ("w", "n"));
        let attempt = read.attempt("a", 1).expect("there is one");
        let said = attempt.said.clone().expect("its lines");
        assert_eq!(said.lines, [(1, b"one\n".to_vec()), (3, b"\xff".to_vec())]);
        assert_eq!((said.stderr.as_slice(), said.code, said.backend.as_str()), (b"oh".as_slice(), Some(0), "claude"));
        assert_eq!(said.changes, [("f".to_owned(), Some(b"t".to_vec())), ("g".to_owned(), None)]);
        let last = read.attempt("a", 7).and_then(|attempt| attempt.said.clone()).expect("the last one");
        assert_eq!((last.signal, last.code), (Some(9), None));
        assert!(read.attempt("b", 1).is_none() && read.course.is_none());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let head = "{\"recording\":1,\"workflow\":\"w\"}\n";
        let step = "{\"step\":\"a\",\"attempt\":1,\"backend\":\"b\"}\n";
        for (text, says) in [
            ("".to_owned(), "f: it is empty"),
            ("hello\n".to_owned(), "f:1: the line is no JSON"),
            ("[1]\n".to_owned(), "f:1: the line is no JSON object"),
            (step.to_owned(), "f:1: the file does not begin as a recording does"),
            ("{\"recording\":2}".to_owned(), "f:1: the recording has the form 2"),
            (format!("{head}{head}"), "f:2: there is a second first line"),
            (format!("{head}{{\"at\":1,\"line\":\"x\"}}"), "f:2: the line belongs to no attempt"),
            (format!("{head}{step}{{\"at\":1}}"), "f:3: it has neither a text nor `bytes`"),
            (format!("{head}{step}{{\"at\":1,\"bytes\":\"?\"}}"), "f:3: `bytes` is no base64"),
            (
                format!("{head}{step}{{\"at\":2,\"line\":\"\"}}\n{{\"at\":1,\"line\":\"\"}}"),
                "f:4: `at` is 1, before the line before",
            ),
            (
                format!("{head}{{\"step\":\"a\",\"backend\":\"b\"}}"),
                "f:2: the line is not as it should be: missing field",
            ),
            (format!("{head}{{\"stap\":\"a\"}}"), "f:2: nothing in a recording has only these keys: `stap`"),
            ("{\"recording\":1,\"status\":\"succes\"}".to_owned(), "f:1: `succes` is no status of a run"),
        ] {
            let Err(problem) = read("f", text.as_bytes()) else { panic!("nothing is wrong with {text}") };
            assert!(problem.message().starts_with(says), "{problem} / {says}");
            assert!(problem.help_text().is_some());
        }
    }
}
