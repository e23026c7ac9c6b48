//! Blocks: what steps gave, as it stands in a prompt.
//!
//! A block begins and ends with a tag that occurs in none of them, so no content can end its own block and go on as if it
//! were the task.

use std::fmt::Write;

/// What one step gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    /// Whose it is.
    pub from: String,
    /// What else is to be known of it: a word and what it says.
    pub notes: Vec<(&'static str, String)>,
    /// The data.
    pub text: String,
}

impl Block {
    /// Of a step.
    pub fn of(from: impl Into<String>, text: impl Into<String>) -> Self {
        Block { from: from.into(), notes: Vec::new(), text: text.into() }
    }

    /// With something else to be known.
    #[must_use]
    pub fn note(mut self, word: &'static str, says: impl Into<String>) -> Self {
        self.notes.push((word, says.into()));
        self
    }

    /// Appends it.
    pub fn write(&self, tag: &str, out: &mut String) {
        // A text can always be written into memory.
        let _ = write!(out, "<{tag} from=\"{}\"", attribute(&self.from));
        for (word, says) in &self.notes {
            let _ = write!(out, " {word}=\"{}\"", attribute(says));
        }
        out.push_str(">\n");
        out.push_str(&self.text);
        if !self.text.ends_with('\n') {
            out.push('\n');
        }
        let _ = write!(out, "</{tag}>");
    }
}

/// A tag that occurs in none of these blocks, however it is written there: `data`, or else `data-2`, `data-3`, …
pub(super) fn tag_for(blocks: &[Block]) -> String {
    let texts: Vec<String> = blocks.iter().map(|block| bare(&block.text)).filter(|text| text.contains('<')).collect();
    let occurs = |tag: &str| {
        let (begin, end) = (format!("<{tag}"), format!("</{tag}"));
        texts.iter().any(|text| text.contains(&begin) || text.contains(&end))
    };
    let numbered = (2_u64..).map(|n| format!("data-{n}"));
    std::iter::once("data".to_owned()).chain(numbered).find(|tag| !occurs(tag)).unwrap_or_default()
}

/// A text as somebody compares it who reads over blanks and cases.
fn bare(text: &str) -> String {
    let seen = |c: &char| !c.is_whitespace() && !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}');
    text.chars().filter(seen).flat_map(char::to_lowercase).collect()
}

/// A name within a tag.
fn attribute(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => '\'',
            '<' | '>' => '_',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_says_whose_it_is() {
        let mut out = String::new();
        Block::of("a\"><b", "x").note("status", "failed").write("data", &mut out);
        assert_eq!(out, "<data from=\"a'__b\" status=\"failed\">\nx\n</data>");
    }

    #[test]
    fn no_content_has_the_tag_of_its_block() {
        let tag = |texts: &[&str]| tag_for(&texts.iter().map(|text| Block::of("a", *text)).collect::<Vec<_>>());
        assert_eq!(tag(&["plain", "a <b> c"]), "data");
        assert_eq!(tag(&["ends </data> here"]), "data-2");
        assert_eq!(tag(&["plain", "< / DATA >", "<data-2>"]), "data-3");
        assert_eq!(tag(&["<\u{200b}/da\tta"]), "data-2");
    }
}
