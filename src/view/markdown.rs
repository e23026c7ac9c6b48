//! Markdown as text for a terminal, or for a pipe: headings, paragraphs, lists, code, tables, wrapped to the width there is.
//!
//! It knows what the reference uses of Markdown, not all of it: no nested lists, no quotations, no pictures.

mod inline;
mod table;

use std::ops::Range;

use super::{Look, Tone};
use inline::{Word, words, wrapped};

/// Columns of text where nothing says how many there are, and the most that can be read well.
const COMFORTABLE: usize = 100;

/// Says which parts of a script have which tone. The rooms of views know no scripts.
pub type Colours<'a> = &'a dyn Fn(&str) -> Vec<(Range<usize>, Tone)>;

/// A text in Markdown, as it looks there.
pub fn markdown(text: &str, look: Look, colours: Colours) -> String {
    let width = if look.width == 0 { COMFORTABLE } else { look.width.clamp(10, COMFORTABLE) };
    let mut out = String::new();
    for block in blocks(text) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&block.shown(width, look, colours));
    }
    out
}

/// What empty lines, fences and changes of kind divide.
enum Block<'a> {
    Heading(&'a str),
    Code(&'a str, Vec<&'a str>),
    Table(Vec<&'a str>),
    List(Vec<String>),
    Paragraph(String),
}

impl Block<'_> {
    fn shown(&self, width: usize, look: Look, colours: Colours) -> String {
        match self {
            Block::Heading(text) => {
                let strong = |word: Word| word.with(Tone::Strong);
                let words: Vec<Word> = words(text, look).into_iter().map(strong).collect();
                wrapped(&words, width, "", "", look)
            }
            // Lines of code stay whole: they may be copied.
            Block::Code(tag, lines) if tag.starts_with("rhai") && look.color => {
                script(&lines.join("\n"), look, colours)
            }
            Block::Code(_, lines) => lines.iter().map(|line| code(line, look)).collect(),
            Block::Table(lines) => table::shown(lines, width, look),
            Block::List(items) => {
                let sign = if look.unicode { "• " } else { "- " };
                items
                    .iter()
                    .map(|item| wrapped(&words(item, look), width, &format!("  {sign}"), "    ", look))
                    .collect()
            }
            Block::Paragraph(text) => wrapped(&words(text, look), width, "", "", look),
        }
    }
}

/// A script in its colours.
fn script(text: &str, look: Look, colours: Colours) -> String {
    let colours = colours(text);
    let mut shown = String::new();
    let mut begin = 0;
    for line in text.split('\n') {
        let end = begin + line.len();
        let mut at = begin;
        let mut painted = String::new();
        for (range, tone) in colours.iter().filter(|(range, _)| range.start < end && range.end > begin) {
            let (from, to) = (range.start.max(at), range.end.min(end));
            let parts = text.get(at..from).zip(text.get(from..to)).filter(|_| from < to);
            if let Some((bare, coloured)) = parts {
                painted.push_str(bare);
                painted.push_str(&look.paint(*tone, coloured));
                at = to;
            }
        }
        painted.push_str(text.get(at..end).unwrap_or_default());
        shown.push_str(&if line.is_empty() { "\n".to_owned() } else { format!("    {painted}\n") });
        begin = end + 1;
    }
    shown
}

/// A line of code, with its comment of less weight.
fn code(line: &str, look: Look) -> String {
    if line.is_empty() {
        return "\n".to_owned();
    }
    let comment = line.find("// ").filter(|at| *at == 0 || line[..*at].ends_with(' '));
    let (code, comment) = line.split_at(comment.unwrap_or(line.len()));
    format!("    {}{}\n", look.paint(Tone::Busy, code), look.paint(Tone::Faint, comment))
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let bare = line.trim();
        let last = blocks.last_mut().filter(|_| open);
        open = true;
        match (bare, last) {
            ("", _) => open = false,
            ("---", _) => open = false,
            _ if bare.starts_with("<!--") => open = false,
            _ if bare.starts_with("```") => {
                let tag = bare.trim_start_matches('`');
                let code = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
                blocks.push(Block::Code(tag, code));
                open = false;
            }
            _ if bare.starts_with('#') && bare.trim_start_matches('#').starts_with(' ') => {
                let title = bare.trim_start_matches('#');
                blocks.push(Block::Heading(title.trim()));
                open = false;
            }
            (_, Some(Block::Table(rows))) if bare.starts_with('|') => rows.push(bare),
            _ if bare.starts_with('|') => blocks.push(Block::Table(vec![bare])),
            (_, Some(Block::List(items))) => match item(bare) {
                Some(text) => items.push(text.to_owned()),
                None => items.last_mut().into_iter().for_each(|item| *item = format!("{item} {bare}")),
            },
            (_, Some(Block::Paragraph(text))) if item(bare).is_none() => {
                text.push(' ');
                text.push_str(bare);
            }
            _ => match item(bare) {
                Some(text) => blocks.push(Block::List(vec![text.to_owned()])),
                None => blocks.push(Block::Paragraph(bare.to_owned())),
            },
        }
    }
    blocks
}

/// The text of an item of a list.
fn item(line: &str) -> Option<&str> {
    line.strip_prefix("- ").or_else(|| line.strip_prefix("* "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Title\n\nA paragraph with `code`,\na [link](to.md) and **weight**.\n\n- one\n- two\n  goes on\n\n```rhai\nlet a = 1;  // why\n\nb\n```\n\n| name | meaning |\n| --- | --- |\n| `a` | what a \\| b means |\n";

    #[test]
    fn where_it_is_piped_it_is_plain() {
        assert_eq!(
            markdown(TEXT, Look::PLAIN, &|_| Vec::new()),
            "Title\n\nA paragraph with `code`, a link and weight.\n\n  • one\n  • two goes on\n\n    let a = 1;  // why\n\n    b\n\nname  meaning\n────  ────────────────\n`a`   what a | b means\n"
        );
    }

    #[test]
    fn in_a_terminal_code_is_seen_by_its_colour() {
        let colours: Colours =
            &|text| vec![(0..3, Tone::Strong), (text.find("//").unwrap_or(0)..text.len(), Tone::Faint)];
        let shown = markdown(TEXT, Look { color: true, unicode: true, width: 80 }, colours);
        assert!(shown.contains("    \x1b[1mlet\x1b[0m a = 1;  \x1b[2m"), "{shown:?}");
        assert!(shown.contains("\x1b[36mcode\x1b[0m,"), "{shown:?}");
        assert!(shown.contains("\x1b[2m// why"), "{shown:?}");
    }

    #[test]
    fn lines_are_no_longer_than_the_screen() {
        for width in [20, 30, 40, 60] {
            let look = Look { color: false, unicode: true, width };
            let text = "A long sentence that has to go over several lines of any screen that is as narrow as this one.\n\n| option | takes | without it | meaning |\n| --- | --- | --- | --- |\n| `max_attempts` | whole number, 1 or more | `3` | how many attempts in all, the first included |\n";
            for line in markdown(text, look, &|_| Vec::new()).lines() {
                assert!(super::super::look::columns(line) <= width, "{width}: {line}");
            }
        }
    }
}
