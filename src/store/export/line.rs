//! The lines of an export.
//!
//! An event's line holds its JSON, byte for byte, and its place in the chain of its run. Every other line is sealed: it
//! ends with a hash over the hash of the sealed line before it, the hash of the latest event, and its own text. So every
//! byte of the file stands under a hash, and no line can be taken out or moved.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::chain::{self, Hash};

/// The version of the format.
pub const FORMAT: u32 = 1;

/// Bytes of a file in one line: a multiple of three, so that base64 needs no padding but in the last one.
pub const PIECE: usize = 48 * 1024;

/// What stands before the first event and before the first sealed line.
pub const NOTHING: Hash = [0; 32];

/// A sealed line, without its hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sealed {
    /// The first line.
    Export(Header),
    /// A text of the workflow, behind the first event that names it.
    Source {
        /// As the user named it.
        name: String,
        /// Of the text.
        sha256: String,
        /// The text.
        text: String,
    },
    /// A file of the run, behind the event that names it.
    File {
        /// Below the run's folder.
        file: String,
        /// Its length.
        bytes: u64,
        /// Of its content. Nothing if it is gone and the event does not have it either.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
        /// Was it gone?
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        missing: bool,
    },
    /// A piece of the file above.
    Data {
        /// The file.
        file: String,
        /// Where it begins.
        from: u64,
        /// The bytes.
        base64: String,
    },
    /// The last line.
    End {
        /// Over all lines before, by the key of the first line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
}

/// What the first line says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// See [`FORMAT`].
    pub format: u32,
    /// The run.
    pub run: String,
    /// How many events follow.
    pub events: u64,
    /// The hash of the latest of them.
    pub head: String,
    /// The version of flow that wrote it.
    pub flow: String,
    /// Are the contents of files in it?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contents: bool,
    /// The public key, if it is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Over run, number of events and head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// A line, as far as its form goes.
pub enum Line<'a> {
    /// An event.
    Event { seq: u64, at: u64, hash: Hash, json: &'a str },
    /// A sealed one: the text that its hash is over, the hash, and what it says.
    Sealed { text: &'a [u8], hash: Hash, line: Box<Sealed> },
}

/// Takes a line (without its end) apart. Nothing: it has not the form of one. Only the one way of writing each is taken, so
/// that no byte can change without a hash that does.
pub fn read(line: &[u8]) -> Option<Line<'_>> {
    let line = str::from_utf8(line).ok()?;
    if let Some(rest) = line.strip_prefix("{\"seq\":") {
        let (seq, rest) = number(rest)?;
        let (at, rest) = number(rest.strip_prefix(",\"at\":")?)?;
        let (digits, rest) = rest.strip_prefix(",\"hash\":\"")?.split_once('"')?;
        let json = rest.strip_prefix(",\"event\":")?.strip_suffix('}')?;
        return Some(Line::Event { seq, at, hash: hash(digits)?, json });
    }
    let (text, rest) = line.rsplit_once(",\"hash\":\"")?;
    let hash = hash(rest.strip_suffix("\"}")?)?;
    let sealed = serde_json::from_str(&format!("{text}}}")).ok()?;
    Some(Line::Sealed { text: text.as_bytes(), hash, line: Box::new(sealed) })
}

fn number(text: &str) -> Option<(u64, &str)> {
    let (digits, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some((number, rest))
}

fn hash(digits: &str) -> Option<Hash> {
    chain::from_hex(digits)?.try_into().ok()
}

/// The line of an event, with its end.
pub fn event(seq: u64, at: u64, hash: &Hash, json: &str) -> String {
    format!("{{\"seq\":{seq},\"at\":{at},\"hash\":\"{}\",\"event\":{json}}}\n", chain::hex(hash))
}

/// The hash of a sealed line. `before`: of the sealed line before it; `head`: of the latest event.
pub fn seal(before: &Hash, head: &Hash, text: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update(before);
    sha.update(head);
    sha.update(text);
    sha.finalize().into()
}

/// A sealed line with its end, and its hash.
pub fn sealed(before: &Hash, head: &Hash, line: &Sealed) -> serde_json::Result<(String, Hash)> {
    let mut text = serde_json::to_string(line)?;
    // The hash goes in before the last brace.
    text.pop();
    let hash = seal(before, head, text.as_bytes());
    text.push_str(&format!(",\"hash\":\"{}\"}}\n", chain::hex(&hash)));
    Ok((text, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let text = event(7, 9, &[1; 32], "{\"type\":\"paused\"}");
        match read(text.trim_end().as_bytes()) {
            Some(Line::Event { seq: 7, at: 9, hash, json: "{\"type\":\"paused\"}" }) => assert_eq!(hash, [1; 32]),
            _ => panic!("{text}"),
        }
        let end = Sealed::Data { file: "a".into(), from: 3, base64: "AAAA".into() };
        let (text, hash) = sealed(&NOTHING, &[2; 32], &end).unwrap();
        let digits = chain::hex(&hash);
        assert_eq!(
            text,
            format!("{{\"type\":\"data\",\"file\":\"a\",\"from\":3,\"base64\":\"AAAA\",\"hash\":\"{digits}\"}}\n")
        );
        match read(text.trim_end().as_bytes()) {
            Some(Line::Sealed { text, hash: read, line }) => {
                assert_eq!((read, *line), (hash, end));
                assert_eq!(seal(&NOTHING, &[2; 32], text), hash);
            }
            _ => panic!("{text}"),
        }
    }

    #[test]
    fn there_is_one_way_of_writing_a_line() {
        let good = event(7, 9, &[1; 32], "{}");
        let good = good.trim_end();
        assert!(read(good.as_bytes()).is_some());
        for wrong in [
            good.replace(":7", ":07"),
            good.replace(":7", ": 7"),
            good.replace(":7", ":+7"),
            good.replace("0101", "010A"),
            good.replace("0101\"", "01\""),
            format!("{good} "),
            format!(" {good}"),
            String::new(),
            "{}".into(),
            "{\"type\":\"end\"}".into(),
        ] {
            assert!(read(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
