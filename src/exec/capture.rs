//! What a step wrote: log files of a process, and its output read back from them.
//!
//! A process writes straight into files. At most [`INLINE_LIMIT`] bytes of them are ever held in memory; a longer
//! output stays where it is and is referred to by its hash.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::event::{Failure, FailureKind, INLINE_LIMIT, Log, Output};
use crate::plan::{Json, Parse};
use crate::state::result::shorten;

use super::Job;

/// The files that one attempt writes, below the run's folder.
pub(super) struct Logs {
    folder: PathBuf,
    stem: String,
}

impl Logs {
    /// Names for the files of an attempt; the folder they stand in exists afterwards.
    pub fn of(job: &Job) -> Result<Self, Failure> {
        job.site.prepare()?;
        Ok(Logs { folder: job.site.folder.clone(), stem: stem(job) })
    }

    /// The name of one of the files, as it stands in events.
    pub fn name(&self, ending: &str) -> String {
        format!("{}.{ending}", self.stem)
    }

    /// The path of one of the files.
    pub fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(self.name(ending))
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// A file that was written.
pub(super) struct Captured {
    /// As it stands in events.
    pub log: Log,
    /// Where it is.
    pub path: PathBuf,
}

impl Captured {
    /// The file at `path`, called `name` in events, with so many bytes.
    pub fn of(name: String, path: PathBuf, bytes: u64) -> io::Result<Self> {
        let sha256 = if bytes > INLINE_LIMIT as u64 { hash(&mut File::open(&path)?)? } else { String::new() };
        Ok(Captured { log: Log { file: name, bytes, sha256 }, path })
    }

    fn is_long(&self) -> bool {
        self.log.bytes > INLINE_LIMIT as u64
    }

    /// The text of a file that is not long.
    fn text(&self) -> io::Result<String> {
        let mut bytes = Vec::with_capacity(self.log.bytes as usize);
        File::open(&self.path)?.take(INLINE_LIMIT as u64).read_to_end(&mut bytes)?;
        // What is not UTF-8 is replaced in the output; the file keeps the bytes.
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Its last lines, at most `max` bytes of them.
    pub fn tail(&self, max: u64) -> String {
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(io::SeekFrom::Start(self.log.bytes.saturating_sub(max)))?;
            let mut bytes = Vec::new();
            file.take(max).read_to_end(&mut bytes)?;
            io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }

    /// The output that this file gives, read as `parse` says.
    pub fn output(&self, parse: Parse, logs: &Logs) -> Result<Output, Failure> {
        let result = if self.is_long() { self.long_output(parse, logs) } else { self.short_output(parse) };
        result.unwrap_or_else(|error| Err(store_failure("read", &self.path, &error)))
    }

    fn short_output(&self, parse: Parse) -> io::Result<Result<Output, Failure>> {
        let text = self.text()?;
        Ok(Ok(Output::Value(match parse {
            Parse::Auto => match one_document(&text) {
                Some(value) => value,
                None => without_newline(text).into(),
            },
            Parse::Text => without_newline(text).into(),
            Parse::Lines => text.lines().map(Json::from).collect(),
            Parse::Json => match serde_json::from_str(&text) {
                Ok(value) => value,
                Err(error) => return Ok(Err(not_json(&error, &text))),
            },
            Parse::Ndjson => {
                let mut values = Vec::new();
                for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                    match serde_json::from_str::<Json>(line) {
                        Ok(value) => values.push(value),
                        Err(error) => return Ok(Err(bad_line(n + 1, line, &error))),
                    }
                }
                Json::Array(values)
            }
        })))
    }

    /// As `short_output`, but the output remains in a file: this one, or a second one that holds it as JSON.
    fn long_output(&self, parse: Parse, logs: &Logs) -> io::Result<Result<Output, Failure>> {
        let whole = |json| Ok(Ok(Output::File { log: self.log.clone(), json }));
        match parse {
            Parse::Text => whole(false),
            Parse::Auto => whole(begins_document(&self.path)? && self.check_json().is_ok()),
            Parse::Json => match self.check_json() {
                Ok(()) => whole(true),
                Err(error) => Ok(Err(not_json(&error, &self.line(error.line())?))),
            },
            Parse::Lines | Parse::Ndjson => self.as_array(parse == Parse::Ndjson, logs),
        }
    }

    fn check_json(&self) -> Result<(), serde_json::Error> {
        let file = File::open(&self.path).map_err(serde_json::Error::io)?;
        serde_json::from_reader::<_, IgnoredAny>(BufReader::new(file)).map(|_| ())
    }

    /// The beginning of a line, counted from 1.
    fn line(&self, number: usize) -> io::Result<String> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        for _ in 1..number {
            reader.skip_until(b'\n')?;
        }
        let mut line = Vec::new();
        reader.take(1024).read_until(b'\n', &mut line)?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    /// Writes the lines, or the values on them, as one JSON array into a second file.
    fn as_array(&self, values: bool, logs: &Logs) -> io::Result<Result<Output, Failure>> {
        let mut reader = BufReader::new(File::open(&self.path)?);
        let path = logs.path("json");
        let mut file = BufWriter::new(File::create(&path)?);
        file.write_all(b"[")?;
        let (mut line, mut number, mut first) = (Vec::new(), 0, true);
        while reader.read_until(b'\n', &mut line)? > 0 {
            number += 1;
            let text = String::from_utf8_lossy(&line);
            let text = text.strip_suffix('\n').map_or(&*text, |text| text.strip_suffix('\r').unwrap_or(text));
            if !(values && text.trim().is_empty()) {
                if !std::mem::take(&mut first) {
                    file.write_all(b",\n")?;
                }
                if values {
                    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
                        let failure = bad_line(number, text, &error);
                        fs::remove_file(&path)?;
                        return Ok(Err(failure));
                    }
                    file.write_all(text.as_bytes())?;
                } else {
                    serde_json::to_writer(&mut file, text)?;
                }
            }
            line.clear();
        }
        file.write_all(b"]")?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?;
        finished_file(&path, logs.name("json")).map(Ok)
    }
}

/// The output for a value made inside the process: in a file if it is long.
pub(super) fn value_output(value: Json, job: &Job) -> Result<Output, Failure> {
    if value.is_null() {
        return Ok(Output::None);
    }
    if rough_size(&value) <= INLINE_LIMIT / 2 {
        return Ok(Output::Value(value));
    }
    let text = value.to_string();
    if text.len() <= INLINE_LIMIT {
        return Ok(Output::Value(value));
    }
    let logs = Logs::of(job)?;
    let path = logs.path("json");
    let write = || {
        fs::write(&path, &text)?;
        finished_file(&path, logs.name("json"))
    };
    write().map_err(|error| store_failure("write", &path, &error))
}

/// Roughly the length of a value as JSON, without writing it.
fn rough_size(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 8,
        Json::String(text) => text.len() + 2,
        Json::Array(items) => items.iter().map(|item| rough_size(item) + 1).sum(),
        Json::Object(map) => map.iter().map(|(key, item)| key.len() + rough_size(item) + 4).sum(),
    }
}

fn finished_file(path: &Path, name: String) -> io::Result<Output> {
    let mut file = File::open(path)?;
    let sha256 = hash(&mut file)?;
    Ok(Output::File { log: Log { file: name, bytes: file.metadata()?.len(), sha256 }, json: true })
}

/// The value of a text that is exactly one JSON object or array.
fn one_document(text: &str) -> Option<Json> {
    let inner = text.trim();
    let looks = inner.starts_with('{') && inner.ends_with('}') || inner.starts_with('[') && inner.ends_with(']');
    looks.then(|| serde_json::from_str(inner).ok()).flatten()
}

fn begins_document(path: &Path) -> io::Result<bool> {
    let mut reader = BufReader::new(File::open(path)?);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        if let Some(byte) = buffer.iter().find(|byte| !byte.is_ascii_whitespace()) {
            return Ok(matches!(byte, b'{' | b'['));
        }
        let len = buffer.len();
        reader.consume(len);
    }
}

fn not_json(error: &serde_json::Error, text: &str) -> Failure {
    let found = text.lines().nth(error.line().saturating_sub(1)).or(text.lines().next()).unwrap_or("").trim();
    let message = format!("the output is not JSON: line {}: {}", error.line(), describe(error, found));
    Failure::new(FailureKind::Output, message).help(
        "`parse(\"json\")` reads all of stdout as one JSON value: send other messages to stderr (`>&2`), or leave `parse` out to get the text",
    )
}

fn bad_line(number: usize, line: &str, error: &serde_json::Error) -> Failure {
    let message = format!("line {number} of the output is not JSON: {}", describe(error, line.trim()));
    Failure::new(FailureKind::Output, message)
        .help("`parse(\"ndjson\")` reads one JSON value on each line: send other messages to stderr (`>&2`)")
}

fn describe(error: &serde_json::Error, found: &str) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text).to_owned();
    if found.is_empty() { reason } else { format!("{reason}, found `{}`", shorten(found, 60)) }
}

fn without_newline(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

fn hash(file: &mut File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) fn store_failure(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Store, format!("cannot {what} `{}`: {error}", path.display()))
        .help("the run's folder must exist and be writable, with space left on its disk")
}

/// `logs/<id>-<path>.<attempt>`, with everything in the path that is not at home in a file name replaced.
fn stem(job: &Job) -> String {
    let path: String = job
        .path
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .take(80)
        .collect();
    let dash = if path.is_empty() { "" } else { "-" };
    format!("logs/{}{dash}{path}.{}", job.step.0, job.attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_whole_document_is_json() {
        assert_eq!(one_document("{\"a\": 1}\n"), Some(serde_json::json!({"a": 1})));
        assert_eq!(one_document("[1]\n[2]\n"), None);
        assert_eq!(one_document("1.10\n"), None);
        assert_eq!(one_document("\"text\""), None);
    }

    #[test]
    fn one_final_newline_is_removed() {
        assert_eq!(without_newline("a\n\n".into()), "a\n");
        assert_eq!(without_newline("a\r\n".into()), "a");
    }

    #[test]
    fn bad_json_is_shown() {
        let text = "{\n  oops\n}";
        let error = serde_json::from_str::<Json>(text).expect_err("it is not JSON");
        let failure = not_json(&error, text);
        assert!(failure.message.contains("line 2"), "{}", failure.message);
        assert!(failure.message.contains("`oops`"), "{}", failure.message);
    }
}
