//! What stands within a line: code, weight, links; and the breaking of lines.

use super::super::look::columns;
use super::super::{Look, Tone};

/// A word between blanks, in pieces of one tone each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word(Vec<(Option<Tone>, String)>);

impl Word {
    /// The same, where no tone is said yet, in this one.
    pub fn with(self, tone: Tone) -> Word {
        Word(self.0.into_iter().map(|(own, text)| (own.or(Some(tone)), text)).collect())
    }

    /// Columns that it takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| columns(text)).sum()
    }

    /// As it is written.
    pub fn painted(&self, look: Look) -> String {
        self.0.iter().map(|(tone, text)| tone.map_or_else(|| text.clone(), |tone| look.paint(tone, text))).collect()
    }

    /// Pieces of at most so many columns.
    fn split(&self, most: usize) -> Vec<Word> {
        let mut parts = vec![Word::default()];
        for (tone, letter) in self.0.iter().flat_map(|(tone, text)| text.chars().map(move |letter| (tone, letter))) {
            let mut bytes = [0; 4];
            let letter = letter.encode_utf8(&mut bytes);
            if parts.last().is_some_and(|part| part.width() + columns(letter) > most) {
                parts.push(Word::default());
            }
            if let Some(part) = parts.last_mut() {
                part.push(*tone, letter);
            }
        }
        parts
    }

    fn push(&mut self, tone: Option<Tone>, text: &str) {
        match self.0.last_mut() {
            Some((last, known)) if *last == tone => known.push_str(text),
            _ => self.0.push((tone, text.to_owned())),
        }
    }
}

/// The words of a line. Where there are no colours, code keeps its backticks.
pub fn words(text: &str, look: Look) -> Vec<Word> {
    let mut words = vec![Word::default()];
    let mut add = |tone: Option<Tone>, text: &str| {
        for (n, part) in text.split(' ').enumerate() {
            if n > 0 {
                words.push(Word::default());
            }
            if let Some(word) = words.last_mut().filter(|_| !part.is_empty()) {
                word.push(tone, part);
            }
        }
    };
    let mut rest = text;
    let mut weight = None;
    while let Some(at) = rest.find(['`', '*', '[', '\\']) {
        add(weight, &rest[..at]);
        let here = &rest[at..];
        // `` `a` `` is code that holds backticks.
        let ticks = here.len() - here.trim_start_matches('`').len();
        let fence = &here[..ticks];
        if ticks > 0
            && let Some(end) = here[ticks..].find(fence)
        {
            let code = here[ticks..ticks + end].trim();
            let bare = if look.color { code.to_owned() } else { format!("`{code}`") };
            add(Some(Tone::Busy), &bare);
            rest = &here[ticks + end + ticks..];
        } else if let Some(after) = here.strip_prefix("**") {
            weight = if weight.is_none() { Some(Tone::Strong) } else { None };
            rest = after;
        } else if let Some((label, after)) = link(here) {
            let inner = label.strip_prefix('`').and_then(|label| label.strip_suffix('`'));
            match inner {
                Some(code) if look.color => add(Some(Tone::Busy), code),
                _ => add(weight, label),
            }
            rest = after;
        } else if here.starts_with('\\') && here.len() > 1 && here.as_bytes()[1].is_ascii_punctuation() {
            add(weight, &here[1..2]);
            rest = &here[2..];
        } else {
            add(weight, &here[..1]);
            rest = &here[1..];
        }
    }
    add(weight, rest);
    words.retain(|word| !word.0.is_empty());
    words
}

/// `[label](address)`, and what follows it.
fn link(text: &str) -> Option<(&str, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = rest.split_once(')')?;
    (!label.contains('\n')).then_some((label, after))
}

/// Words in lines of so many columns; `first` and `others` stand before the lines.
pub fn wrapped(words: &[Word], width: usize, first: &str, others: &str, look: Look) -> String {
    lines(words, width.saturating_sub(columns(others)).max(1))
        .iter()
        .enumerate()
        .map(|(n, line)| format!("{}{}\n", if n == 0 { first } else { others }, painted(line, look)))
        .collect()
}

/// A line's words with blanks between them.
pub fn painted(line: &[Word], look: Look) -> String {
    line.iter().map(|word| word.painted(look)).collect::<Vec<_>>().join(" ")
}

/// Columns of a line.
pub fn width_of(line: &[Word]) -> usize {
    line.iter().map(Word::width).sum::<usize>() + line.len().saturating_sub(1)
}

/// Words divided into lines; a word that is longer than a line is cut.
pub fn lines(words: &[Word], width: usize) -> Vec<Vec<Word>> {
    let mut lines: Vec<Vec<Word>> = vec![Vec::new()];
    let mut used = 0;
    for word in words.iter().flat_map(|word| if word.width() > width { word.split(width) } else { vec![word.clone()] })
    {
        let gap = usize::from(used > 0);
        if used > 0 && used + gap + word.width() > width {
            lines.push(Vec::new());
            used = 0;
        }
        used += usize::from(used > 0) + word.width();
        lines.last_mut().into_iter().for_each(|line| line.push(word.clone()));
    }
    lines
}
