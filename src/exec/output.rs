//! The output of a process: its standard output, read as `parse` says.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::de::IgnoredAny;

use super::capture::{Captured, Logs, finished_file, store_failure};
use crate::event::{Failure, FailureKind, Output};
use crate::plan::{Json, Parse};
use crate::state::result::shorten;

impl Captured {
    /// The output that this file gives, read as `parse` says.
    pub fn output(&self, parse: Parse, logs: &Logs) -> Result<Output, Failure> {
        let result = if self.is_long() { self.long_output(parse, logs) } else { self.short_output(parse, logs) };
        result.unwrap_or_else(|error| Err(store_failure("read", &self.path, &error)))
    }

    fn short_output(&self, parse: Parse, logs: &Logs) -> io::Result<Result<Output, Failure>> {
        Ok(of_text(self.text()?, parse, |text| logs.quote(text)).map(Output::Value))
    }

    /// As `short_output`, but the output remains in a file: this one, or a second one that holds it as JSON.
    fn long_output(&self, parse: Parse, logs: &Logs) -> io::Result<Result<Output, Failure>> {
        let whole = |json| Ok(Ok(Output::File { log: self.log.clone(), json }));
        match parse {
            Parse::Text => whole(false),
            Parse::Auto => whole(begins_document(&self.path)? && self.check_json().is_ok()),
            Parse::Json => match self.check_json() {
                Ok(()) => whole(true),
                Err(error) => Ok(Err(not_json(&error, logs.quote(&self.line(error.line())?)))),
            },
            Parse::Lines | Parse::Nul | Parse::Ndjson => self.as_array(parse, logs),
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
    fn as_array(&self, parse: Parse, logs: &Logs) -> io::Result<Result<Output, Failure>> {
        let values = parse == Parse::Ndjson;
        let end = if parse == Parse::Nul { '\0' } else { '\n' };
        let mut reader = BufReader::new(File::open(&self.path)?);
        let path = logs.path("json");
        let mut file = BufWriter::new(File::create(&path)?);
        file.write_all(b"[")?;
        let (mut line, mut number, mut first) = (Vec::new(), 0, true);
        while reader.read_until(end as u8, &mut line)? > 0 {
            number += 1;
            let text = String::from_utf8_lossy(&line);
            let text = text.strip_suffix(end).map_or(&*text, |text| match parse {
                Parse::Nul => text,
                _ => text.strip_suffix('\r').unwrap_or(text),
            });
            if !(values && text.trim().is_empty()) {
                if !std::mem::take(&mut first) {
                    file.write_all(b",\n")?;
                }
                if values {
                    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
                        let failure = bad_line(number, logs.quote(text), &error);
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

/// The output that a text gives, read as `parse` says. `quote`: what a message may quote of it.
pub(super) fn of_text(text: String, parse: Parse, quote: impl Fn(&str) -> &str) -> Result<Json, Failure> {
    Ok(match parse {
        Parse::Auto => match one_document(&text) {
            Some(value) => value,
            None => without_newline(text).into(),
        },
        Parse::Text => without_newline(text).into(),
        Parse::Lines => text.lines().map(Json::from).collect(),
        Parse::Nul => text.split_terminator('\0').map(Json::from).collect(),
        Parse::Json => match serde_json::from_str(&text) {
            Ok(value) => value,
            Err(error) => return Err(not_json(&error, quote(&text))),
        },
        Parse::Ndjson => {
            let mut values = Vec::new();
            for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                match serde_json::from_str::<Json>(line) {
                    Ok(value) => values.push(value),
                    Err(error) => return Err(bad_line(n + 1, quote(line), &error)),
                }
            }
            Json::Array(values)
        }
    })
}

/// The output of which there is nothing.
pub(super) fn empty(parse: Parse, keep: &mut impl FnMut(Failure)) -> Output {
    match parse {
        Parse::Auto | Parse::Text => Output::Value("".into()),
        Parse::Lines | Parse::Nul | Parse::Ndjson => Output::Value(Json::Array(Vec::new())),
        Parse::Json => {
            keep(Failure::new(FailureKind::Output, "the output is not JSON: it is empty").help(
                "`parse(\"json\")` needs one JSON value on standard output; leave `parse` out if there may be none",
            ));
            Output::None
        }
    }
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
