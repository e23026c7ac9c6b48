//! Finding entries: by name, by the beginning of a code, by words.

use super::{entries, parts};
use crate::diag::nearest;
use crate::view::docs::{Entry, Part};

/// What a name stands for.
#[derive(Debug)]
pub enum Found {
    /// Entries of this name.
    Entries(Vec<&'static Entry>),
    /// A part of the reference.
    Part(Part),
    /// Several that begin with it: the codes of a room, the keys of a map, the functions of a module.
    Several(Vec<&'static Entry>),
    /// Nothing; perhaps this was meant.
    Nothing(Option<String>),
}

/// Looks up a name as a person writes it: `retry`, `.retry`, `retry(…)`, `retry.backoff`, `step.output`, `plan::cycle`,
/// `std/text`, `slug`, `policies`.
pub fn look_up(name: &str) -> Found {
    let name = name.trim().trim_start_matches("step.").trim_start_matches("fn:");
    let name = name.split_once('(').map_or(name, |(name, _)| name).trim();
    // Signs are hard to type on a command line.
    let name = match name {
        "arrow" => "->",
        "pipe" => "|>",
        name => name,
    };
    let all = entries();
    let ways: [&dyn Fn(&Entry) -> bool; 5] = [
        &|entry| entry.name == name,
        &|entry| entry.name.trim_start_matches('.') == name.trim_start_matches('.'),
        &|entry| entry.name.strip_prefix("flow::") == Some(name),
        &|entry| entry.name.strip_prefix("std/") == Some(name) || entry.name == format!("[{name}]"),
        &|entry| entry.name.trim_start_matches('.').eq_ignore_ascii_case(name.trim_start_matches('.')),
    ];
    for (n, way) in ways.into_iter().enumerate() {
        let found: Vec<&Entry> = all.iter().filter(|entry| way(entry)).collect();
        if found.is_empty() {
            continue;
        }
        // A name without a dot may mean a method as well: `limit` and `.limit`.
        let dotted = format!(".{name}");
        let more = all.iter().filter(|entry| n == 0 && entry.name == dotted);
        return Found::Entries(found.into_iter().chain(more).collect());
    }
    if let Some(part) = parts().into_iter().find(|part| {
        let same = |word: &str| word.eq_ignore_ascii_case(name);
        same(&part.name) || same(&part.title)
    }) {
        return Found::Part(part);
    }
    let room = |entry: &&Entry| {
        let rest = entry.name.strip_prefix(name).or_else(|| entry.name.strip_prefix("flow::")?.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with("::") || rest.starts_with('.'))
    };
    let several: Vec<&Entry> = all.iter().filter(room).collect();
    if !several.is_empty() && !name.is_empty() {
        return Found::Several(several);
    }
    let last = |entry: &&Entry| {
        let parts = entry.name.rsplit(['.', ':', '/']).next();
        entry.name.contains(['.', ':', '/']) && parts.is_some_and(|part| part.eq_ignore_ascii_case(name))
    };
    let by_last: Vec<&Entry> = all.iter().filter(last).collect();
    match by_last.len() {
        _ if name.is_empty() => Found::Nothing(None),
        0 => Found::Nothing(meant(name)),
        1 => Found::Entries(by_last),
        _ => Found::Several(by_last),
    }
}

/// The nearest name; of names with several parts also by their last part.
fn meant(name: &str) -> Option<String> {
    let all = || entries().iter().map(|entry| entry.name.as_str());
    let bare = name.trim_start_matches('.');
    if let Some(near) = nearest(bare, all().map(|name| name.trim_start_matches('.'))) {
        return Some(near.to_owned());
    }
    let lasts: Vec<(&str, &str)> =
        all().filter_map(|name| Some((name.rsplit(['.', ':', '/']).next()?, name))).collect();
    let near = nearest(bare, lasts.iter().map(|(last, _)| *last))?;
    lasts.iter().find(|(last, _)| *last == near).map(|(_, name)| (*name).to_owned())
}

/// Entries in which all of these words stand, the best first.
pub fn search(words: &[String]) -> Vec<&'static Entry> {
    let words: Vec<String> = words.iter().flat_map(|word| word.split_whitespace()).map(str::to_lowercase).collect();
    let mut found: Vec<(usize, &Entry)> =
        entries().iter().filter_map(|entry| Some((worth(entry, &words)?, entry))).collect();
    // A stable sort: entries of equal worth stay in the order of the reference.
    found.sort_by_key(|(worth, _)| std::cmp::Reverse(*worth));
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// How well an entry fits: names weigh most, then its first sentence, then all else.
fn worth(entry: &Entry, words: &[String]) -> Option<usize> {
    let name = entry.name.to_lowercase();
    let summary = entry.summary.to_lowercase();
    let text = format!("{} {}", entry.signatures.join(" "), entry.text).to_lowercase();
    let mut worth = 0;
    for word in words {
        worth += match word {
            word if name.trim_start_matches('.') == *word => 400,
            word if name.split(['.', ':', '_', '/', ' ']).any(|part| part == *word) => 200,
            word if name.contains(word.as_str()) => 100,
            word if summary.contains(word.as_str()) => 20,
            word if text.contains(word.as_str()) => 1,
            _ => return None,
        };
    }
    (!words.is_empty()).then_some(worth)
}
