//! Files of agents: Markdown with front matter, as Claude Code and others keep them.
//!
//! The front matter is read as YAML. Where strict YAML refuses it, it is read a second time, as Claude Code does: values that only
//! lack quotes get them, of keys that are given twice the last one counts, tabs before items of lists are blanks. What is not
//! loaded by Claude Code, without a word, is not loaded here either, but with one.

use serde_json::Map;

use crate::plan::Json;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// All keys of the front matter, the name included.
    pub keys: Map<String, Json>,
    /// What stands below the front matter.
    pub body: String,
    /// What strict YAML would have refused.
    pub warning: Option<Remark>,
}

/// Something that is to be said about a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Remark {
    /// In which line, from 1.
    pub line: u32,
    /// What.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Remark {
    fn new(line: usize, message: impl Into<String>, help: impl Into<String>) -> Self {
        Remark { line: u32::try_from(line).unwrap_or(u32::MAX), message: message.into(), help: help.into() }
    }
}

pub(super) const FORM: &str =
    "a file of an agent begins with a line `---`, then `name: …` and `description: …`, then a line `---`";

/// The text of a file's bytes. What is no UTF-8 is taken for Latin-1, in which each byte is a letter.
pub fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Reads a file.
///
/// # Errors
/// Why it is not loaded.
pub fn read(text: &str) -> Result<Definition, Remark> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let fence = |line: &str| line.trim_end() == "---";
    let first = lines.iter().position(|line| !line.trim().is_empty());
    match first {
        None => return Err(Remark::new(1, "the file is empty", FORM)),
        Some(0) if fence(lines[0]) => {}
        Some(at) if fence(lines[at]) => {
            return Err(Remark::new(
                1,
                "there is an empty line before the first `---`",
                "remove what stands before it",
            ));
        }
        Some(at) => return Err(Remark::new(at + 1, "there is no front matter", FORM)),
    }
    let Some(end) = (1..lines.len()).find(|at| fence(lines[*at])) else {
        let dots = lines.iter().position(|line| line.trim_end() == "...");
        return Err(match dots {
            Some(at) => Remark::new(at + 1, "the front matter ends with `...`", "end it with a line `---`"),
            None => Remark::new(lines.len(), "the front matter has no end", "end it with a line `---`"),
        });
    };
    let (keys, warning) = front_matter(&lines[1..end])?;
    let line_of = |key: &str| line_of(text, key) as usize;
    let name = match keys.get("name") {
        Some(Json::String(name)) if !name.trim().is_empty() => name.trim().to_owned(),
        None | Some(Json::Null | Json::String(_)) => {
            return Err(Remark::new(line_of("name"), "the agent has no name", "add `name: reviewer`"));
        }
        Some(other) => {
            let what = if other.is_number() { "a number" } else { "no text" };
            let help = format!("a name is a text: `name: \"{other}\"`");
            return Err(Remark::new(line_of("name"), format!("the name `{other}` is {what}"), help));
        }
    };
    if keys
        .get("description")
        .is_none_or(|said| said.is_null() || said.as_str().is_some_and(|said| said.trim().is_empty()))
    {
        let help = "say in a sentence what it is good for: `description: reviews changes in Rust`";
        return Err(Remark::new(line_of("description"), format!("the agent `{name}` has no description"), help));
    }
    let body = lines[end + 1..].join("\n").trim().to_owned();
    Ok(Definition { name, keys, body, warning })
}

/// The line of a key in a file, from 1; the first line where it does not stand at the begin of one.
pub(super) fn line_of(text: &str, key: &str) -> u32 {
    let at = text.lines().position(|line| is_key(line.trim_start(), key));
    at.map_or(1, |at| u32::try_from(at + 1).unwrap_or(u32::MAX))
}

fn is_key(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))
}

/// The keys; strictly read, or else leniently and with a warning.
fn front_matter(lines: &[&str]) -> Result<(Map<String, Json>, Option<Remark>), Remark> {
    let strict = match parsed(&lines.join("\n"), false) {
        Ok(keys) => return Ok((keys, None)),
        Err(remark) => remark,
    };
    let lenient = lines.iter().map(|line| mended(line)).collect::<Vec<_>>().join("\n");
    let keys = parsed(&lenient, true)?;
    let message = format!("this is no YAML in the strict sense: {}", strict.message);
    Ok((
        keys,
        Some(Remark {
            message,
            help: format!("{}; Claude Code loads it all the same, and so does flow", strict.help),
            ..strict
        }),
    ))
}

fn parsed(text: &str, lenient: bool) -> Result<Map<String, Json>, Remark> {
    let duplicates = match lenient {
        true => serde_saphyr::options::DuplicateKeyPolicy::LastWins,
        false => serde_saphyr::options::DuplicateKeyPolicy::Error,
    };
    let options = serde_saphyr::options! { duplicate_keys: duplicates, with_snippet: false, strict_booleans: true };
    match serde_saphyr::from_str_with_options::<Json>(text, options) {
        Ok(Json::Object(keys)) => Ok(keys),
        Ok(Json::Null) => Ok(Map::new()),
        Ok(_) => Err(Remark::new(2, "the front matter has no keys", FORM)),
        Err(error) => {
            let line = error.location().map_or(1, |place| usize::try_from(place.line()).unwrap_or(1));
            let message = error.to_string();
            let message = message.lines().next().unwrap_or_default();
            // Where it stands is told with the file's own line.
            let message = message.split(" at line ").next().unwrap_or(message).trim_end_matches([':', ',', ' ']);
            let message = message.trim_start_matches("error: ").to_owned();
            // A mistake is told where the parser notices it, which may be the line behind it.
            let at = line.clamp(1, text.lines().count().max(1));
            Err(Remark::new(at + 1, message, advice(text.lines().nth(at - 1).unwrap_or_default())))
        }
    }
}

/// What to do about a line that is no YAML.
fn advice(line: &str) -> String {
    let value = line.split_once(':').map_or(line, |(_, value)| value).trim();
    if value.starts_with('"') {
        return "a quote within a quoted text is written `\\\"`".to_owned();
    }
    if line.trim_start().starts_with('-') {
        return "put the item into quotes, and blanks, not tabs, before it".to_owned();
    }
    "put the text into quotes: `description: \"Reviews: code and tests\"`".to_owned()
}

/// A line of a front matter whose value only lacks quotes, with them.
fn mended(line: &str) -> String {
    let tabs = line.len() - line.trim_start_matches('\t').len();
    if tabs > 0 {
        return format!("{}{}", "  ".repeat(tabs), &line[tabs..]);
    }
    let Some((key, value)) = line.split_once(':') else { return line.to_owned() };
    let value_of = value.trim();
    let named = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    let whole = |open: char, close: char| value_of.starts_with(open) && value_of.ends_with(close);
    let fine = value_of.is_empty()
        || value_of.starts_with(['"', '\'', '|', '>'])
        || whole('[', ']')
        || whole('{', '}')
        || !value.starts_with([' ', '\t']);
    let special = value_of.contains(": ") || value_of.ends_with(':') || value_of.contains(" #");
    let special =
        special || value_of.contains(['{', '}', '[', ']', '*', '&', '!', '|', '>', '%', '@', '`', '\\', '\t']);
    if !named || fine || !special {
        return line.to_owned();
    }
    format!("{key}: \"{}\"", value_of.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GOOD: &str = "name: reviewer\ndescription: reviews";

    fn file(front: &str) -> Result<Definition, Remark> {
        read(&format!("---\n{front}\n---\nYou review.\n"))
    }

    /// Every fact about what Claude Code loads, one by one.
    #[test]
    fn what_claude_code_loads_is_loaded() {
        // What it is, the front matter, and whether strict YAML refuses it.
        for (what, front, refused) in [
            ("colon and blank in a value", "name: a\ndescription: Use this: now", true),
            ("a star for all tools", "name: a\ndescription: d\ntools: *", true),
            ("a comma string of tools", "name: a\ndescription: d\ntools: Read, Edit", false),
            ("a list of tools", "name: a\ndescription: d\ntools:\n  - Read\n  - Edit", false),
            ("a list of tools in brackets", "name: a\ndescription: d\ntools: [Read, Edit]", false),
            ("any letters in the name", "name: Ünïcode näme/with:all & more\ndescription: d", false),
            ("unknown tools and models", "name: a\ndescription: d\ntools: Fly\nmodel: x-9", false),
            ("keys given twice", "name: a\ndescription: d\nmodel: one\nmodel: two", true),
            ("folded text", "name: a\ndescription: >\n  one\n  two", false),
            ("CRLF", "name: a\r\ndescription: d\r", false),
            ("a percent sign at the begin", "name: a\ndescription: %done is told", true),
            (
                "an example in a description",
                "name: a\ndescription: Use it. Examples: <example>user: hi</example>",
                true,
            ),
        ] {
            let read = file(front).unwrap_or_else(|remark| panic!("{what}: {remark:?}"));
            assert_eq!(read.warning.is_some(), refused, "{what}: {:?}", read.warning);
            assert_eq!(read.body, "You review.", "{what}");
        }
        let tab = file("name: a\ndescription: d\ntools:\n\t- Read").expect("a tab before an item");
        assert_eq!(tab.keys["tools"], json!(["Read"]));
        assert_eq!(file("name: a\ndescription: d\nmodel: one\nmodel: two").expect("loaded").keys["model"], "two");
        assert_eq!(file("name: a\ndescription: Use this: now").expect("loaded").keys["description"], "Use this: now");
        assert_eq!(file("name: a\ndescription: d\ntools: *").expect("loaded").keys["tools"], "*");
    }

    #[test]
    fn around_the_front_matter() {
        assert!(read(&format!("--- \t\n{GOOD}\n---  \nbody")).is_ok(), "trailing blanks after `---`");
        assert_eq!(read(&format!("---\n{GOOD}\n---")).expect("an empty body").body, "");
        assert!(read(&format!("\u{feff}---\n{GOOD}\n---\n")).is_ok(), "a byte order mark");
        let bytes: Vec<u8> = [b"---\nname: a\ndescription: na\xefve\n---\n".as_slice()].concat();
        assert_eq!(read(&text_of(&bytes)).expect("Latin-1").keys["description"], "naïve");
    }

    #[test]
    fn what_claude_code_passes_over_is_refused_with_a_reason() {
        for (what, text, line, message) in [
            ("blank line first", format!("\n---\n{GOOD}\n---\n"), 1, "empty line"),
            ("no front matter", "# Reviewer\n".to_owned(), 1, "no front matter"),
            ("empty", String::new(), 1, "empty"),
            ("no description", "---\nname: a\n---\n".to_owned(), 1, "no description"),
            ("empty description", "---\nname: a\ndescription:\n---\n".to_owned(), 3, "no description"),
            ("blank description", "---\nname: a\ndescription: \"\"\n---\n".to_owned(), 3, "no description"),
            ("no name", "---\ndescription: d\n---\n".to_owned(), 1, "no name"),
            ("a number as name", "---\nname: 42\ndescription: d\n---\n".to_owned(), 2, "is a number"),
            ("no end", format!("---\n{GOOD}\n"), 4, "no end"),
            ("dots as end", format!("---\n{GOOD}\n...\nbody"), 4, "`...`"),
            ("an at sign at an item", format!("---\n{GOOD}\ntools:\n  - @all\n---\n"), 5, ""),
            ("inner double quotes", "---\nname: a\ndescription: \"say \"hi\" now\"\n---\n".to_owned(), 3, ""),
        ] {
            let remark = read(&text).err().unwrap_or_else(|| panic!("{what} is loaded"));
            assert_eq!(remark.line, line, "{what}: {remark:?}");
            assert!(remark.message.contains(message), "{what}: {remark:?}");
            assert!(!remark.help.is_empty() && !remark.message.is_empty(), "{what}: {remark:?}");
        }
    }
}
