//! `$FLOW_OUTPUT`: named values that a process writes to a file.

use std::fs::File;
use std::io::{self, Read};

use serde_json::Map;

use crate::event::{Failure, FailureKind};
use crate::plan::Json;
use crate::state::result::{PROPERTIES, shorten};

use super::capture::{Logs, store_failure};

/// Longest file that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Reads and removes the file. Most processes write none.
pub(super) fn take(logs: &Logs) -> Result<Map<String, Json>, Failure> {
    let path = logs.path("fields");
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(store_failure("read", &path, &error)),
    };
    let mut bytes = Vec::new();
    let read = file.by_ref().take(LONGEST + 1).read_to_end(&mut bytes);
    // If it stays it does no harm: the next attempt has another.
    let _ = std::fs::remove_file(&path);
    read.map_err(|error| store_failure("read", &path, &error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::new(FailureKind::Output, "more than 1 MiB was written to $FLOW_OUTPUT")
            .help("it is for a few named values; print large ones to stdout"));
    }
    parse(&String::from_utf8_lossy(&bytes))
}

/// Lines `key=value`, lines that are JSON objects, or one JSON object over several lines.
fn parse(text: &str) -> Result<Map<String, Json>, Failure> {
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
                    _ => return Err(bad(n + 1, line)),
                }
            } else {
                let (key, value) = line.split_once('=').ok_or_else(|| bad(n + 1, line))?;
                if key.trim().is_empty() || key.trim().contains(char::is_whitespace) {
                    return Err(bad(n + 1, line));
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
    let message = format!("line {number} of $FLOW_OUTPUT is neither `key=value` nor JSON: `{}`", shorten(line, 60));
    Failure::new(FailureKind::Output, message).help("write lines such as `coverage=87.5` or `{\"coverage\": 87.5}`")
}

#[cfg(test)]
mod tests {
    use super::*;

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
