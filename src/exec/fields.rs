//! `$FLOW_OUTPUT`: named values that a process writes to a file.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::Map;

use crate::event::{Failure, FailureKind};
use crate::plan::Json;
use crate::state::result::{PROPERTIES, shorten};

use super::capture::{Logs, store_failure};
use super::mask::Mask;

/// Longest file that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Where a process writes them.
pub(super) enum Place {
    /// Into a file of the run, which most processes never make.
    File(PathBuf),
    /// Into memory, by a path that leads there: what may hold secrets never is in a file, not even for a moment.
    Memory(File),
}

impl Place {
    /// For a process of an attempt.
    pub fn of(logs: &Logs, masked: bool) -> Result<Self, Failure> {
        let path = logs.path("fields");
        match masked {
            false => Ok(Place::File(path)),
            true => match memfd_create("flow-output", MemfdFlags::CLOEXEC) {
                Ok(memory) => Ok(Place::Memory(memory.into())),
                Err(error) => Err(store_failure("make room in memory for", &path, &error.into())),
            },
        }
    }

    /// The path that the process gets.
    pub fn path(&self) -> PathBuf {
        match self {
            Place::File(path) => path.clone(),
            Place::Memory(file) => format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into(),
        }
    }

    /// Reads what was written, and removes the file.
    pub fn take(self, logs: &Logs, mask: Option<&Mask>) -> Result<Map<String, Json>, Failure> {
        let path = self.path();
        let mut file = match self {
            Place::Memory(file) => file,
            Place::File(path) => match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
                Err(error) => return Err(store_failure("read", &path, &error)),
            },
        };
        let mut bytes = Vec::new();
        let read = file.rewind().and_then(|()| file.by_ref().take(LONGEST + 1).read_to_end(&mut bytes));
        // If it stays it does no harm: the next attempt has another. (That in memory has no name to remove.)
        let _ = std::fs::remove_file(&path);
        read.map_err(|error| store_failure("read", &path, &error))?;
        if bytes.len() as u64 > LONGEST {
            return Err(Failure::new(FailureKind::Output, "more than 1 MiB was written to $FLOW_OUTPUT")
                .help("it is for a few named values; print large ones to stdout"));
        }
        let bytes = mask.map_or(Cow::Borrowed(&*bytes), |mask| mask.bytes(&bytes));
        parse(&String::from_utf8_lossy(&bytes), logs)
    }
}

/// Lines `key=value`, lines that are JSON objects, or one JSON object over several lines.
fn parse(text: &str, logs: &Logs) -> Result<Map<String, Json>, Failure> {
    let mut fields = Map::new();
    if text.trim_start().starts_with('{')
        && let Ok(Json::Object(map)) = serde_json::from_str(text)
    {
        fields = map;
    } else {
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            if line.trim_start().starts_with('{') {
                match serde_json::from_str(line) {
                    Ok(Json::Object(map)) => fields.extend(map),
                    _ => return Err(bad(n + 1, logs.quote(line))),
                }
            } else {
                let (key, value) = line.split_once('=').ok_or_else(|| bad(n + 1, logs.quote(line)))?;
                if key.trim().is_empty() || key.trim().contains(char::is_whitespace) {
                    return Err(bad(n + 1, logs.quote(line)));
                }
                fields.insert(key.trim().to_owned(), value.into());
            }
        }
    }
    match fields.keys().find(|key| PROPERTIES.iter().any(|(name, _)| name == key)) {
        Some(taken) => {
            let message = format!("`{taken}` in $FLOW_OUTPUT is a property that every step has already");
            Err(Failure::new(FailureKind::Output, message).help("give the value another name"))
        }
        None => Ok(fields),
    }
}

fn bad(number: usize, line: &str) -> Failure {
    let line = if line.is_empty() { String::new() } else { format!(": `{}`", shorten(line, 60)) };
    let message = format!("line {number} of $FLOW_OUTPUT is neither `key=value` nor JSON{line}");
    Failure::new(FailureKind::Output, message).help("write lines such as `coverage=87.5` or `{\"coverage\": 87.5}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Map<String, Json>, Failure> {
        super::parse(text, &Logs::nowhere())
    }

    #[test]
    fn keys_and_json_lines_mix() {
        let fields = parse("version=1.10\n{\"percent\": 87.5}\n\nurl=a=b\n").expect("fields");
        assert_eq!(Json::Object(fields), serde_json::json!({"version": "1.10", "percent": 87.5, "url": "a=b"}));
        let fields = parse("{\n  \"a\": 1\n}\n").expect("fields");
        assert_eq!(Json::Object(fields), serde_json::json!({"a": 1}));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(parse("hello\n").expect_err("no key").message.contains("line 1"));
        assert!(parse("a=1\n{oops\n").expect_err("no JSON").message.contains("line 2"));
        assert!(parse("status=ok\n").expect_err("taken").message.contains("`status`"));
    }
}
