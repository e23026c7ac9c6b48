//! Lines in streams of bytes: where they end, and how those of several writers come together.

use std::io::BufRead;

use serde::de::IgnoredAny;

use crate::plan::Merge;

/// The length of the first line, its newline included. Nothing: it has no end yet.
pub(super) fn first(mut bytes: &[u8]) -> Option<usize> {
    // The standard library's search is faster than a loop over bytes, and reading from memory does not fail.
    let all = bytes;
    let length = bytes.skip_until(b'\n').unwrap_or(0);
    (length > 0 && all[length - 1] == b'\n').then_some(length)
}

/// How many of these bytes are whole lines.
pub(super) fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1)
}

/// How many newlines there are.
pub(super) fn count(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// The first of these whole lines that is longer than `most`, without its newline: its number, from 0.
pub(super) fn too_long(mut lines: &[u8], most: u64) -> Option<u64> {
    let mut number = 0;
    while let Some(length) = first(lines) {
        if length as u64 - 1 > most {
            return Some(number);
        }
        number += 1;
        lines = &lines[length..];
    }
    None
}

/// Appends a line as readers get it who read several writers. `line` ends with a newline, `source` is who wrote it.
pub(super) fn merge(merge: Merge, source: &str, line: &[u8], out: &mut Vec<u8>) {
    let text = line.trim_ascii();
    let value = match merge {
        Merge::Raw => None,
        Merge::Auto => text.starts_with(b"{").then_some(text).filter(|text| is_json(text)),
        Merge::Tagged => Some(text).filter(|text| is_json(text)),
    };
    let whole = line.strip_suffix(b"\n").unwrap_or(line);
    match (value, merge) {
        (Some(value), _) => {
            begin(source, "value", out);
            // As it was written, its numbers too.
            out.extend_from_slice(value);
            out.push(b'}');
        }
        (None, Merge::Tagged) => {
            begin(source, "text", out);
            let text = String::from_utf8_lossy(whole.strip_suffix(b"\r").unwrap_or(whole));
            // A text can always be written into memory.
            let _ = serde_json::to_writer(&mut *out, &*text);
            out.push(b'}');
        }
        (None, Merge::Auto | Merge::Raw) => out.extend_from_slice(whole),
    }
    out.push(b'\n');
}

fn begin(source: &str, key: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"source\":");
    // See above.
    let _ = serde_json::to_writer(&mut *out, source);
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(how: Merge, line: &[u8]) -> String {
        let mut out = Vec::new();
        merge(how, "a", line, &mut out);
        String::from_utf8(out).expect("a text")
    }

    #[test]
    fn lines_are_found() {
        assert_eq!(first(b"ab\ncd"), Some(3));
        assert_eq!(first(b"ab"), None);
        assert_eq!(first(b""), None);
        assert_eq!(whole(b"a\nb\nc"), 4);
        assert_eq!(whole(b"abc"), 0);
        assert_eq!(count(b"a\n\nb"), 2);
        assert_eq!(too_long(b"ab\nabcd\nx\n", 3), Some(1));
        assert_eq!(too_long(b"ab\nabc\n", 3), None);
    }

    #[test]
    fn objects_are_tagged_and_other_lines_only_if_asked_for() {
        assert_eq!(merged(Merge::Auto, b"{\"n\": 1.10}\r\n"), "{\"source\":\"a\",\"value\":{\"n\": 1.10}}\n");
        assert_eq!(merged(Merge::Auto, b"[1]\n"), "[1]\n");
        assert_eq!(merged(Merge::Auto, b"{oops\n"), "{oops\n");
        assert_eq!(merged(Merge::Tagged, b"[1]\n"), "{\"source\":\"a\",\"value\":[1]}\n");
        assert_eq!(merged(Merge::Tagged, b"say \"x\"\n"), "{\"source\":\"a\",\"text\":\"say \\\"x\\\"\"}\n");
        assert_eq!(merged(Merge::Raw, b"{\"n\":1}\n"), "{\"n\":1}\n");
        assert_eq!(merged(Merge::Tagged, b"\n"), "{\"source\":\"a\",\"text\":\"\"}\n");
    }
}
