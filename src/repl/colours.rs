//! The colours of a line while it is typed.

use super::command::is_command;
use crate::flow::assist::{Colour, Document};

/// A line with colours (ANSI escape codes). The bracket that belongs to the one at the cursor stands out.
pub fn painted(line: &str, at: usize) -> String {
    if is_command(line) {
        let end = line.find(char::is_whitespace).unwrap_or(line.len());
        return format!("\x1b[36m{}\x1b[0m{}", &line[..end], &line[end..]);
    }
    let document = Document::new(line);
    let pair = pair(&document, line, at);
    let mut text = String::with_capacity(line.len() * 2);
    let mut done = 0;
    let mut pieces: Vec<(std::ops::Range<usize>, &str)> =
        document.colours().into_iter().map(|(range, colour)| (range, code(colour))).collect();
    pieces.extend(pair.into_iter().map(|at| (at..at + 1, "1;34")));
    pieces.sort_by_key(|(range, _)| range.start);
    for (range, code) in pieces {
        if range.start < done {
            continue;
        }
        text.push_str(&line[done..range.start]);
        // A colour ends with its line: the editor may break there.
        for (n, part) in line[range.clone()].split('\n').enumerate() {
            text.push_str(if n > 0 { "\n" } else { "" });
            text.push_str(&format!("\x1b[{code}m{part}\x1b[0m"));
        }
        done = range.end;
    }
    text.push_str(&line[done..]);
    text
}

fn code(colour: Colour) -> &'static str {
    match colour {
        Colour::Comment => "2",
        Colour::Text => "32",
        Colour::Number => "33",
        Colour::Keyword => "35",
        Colour::Function => "36",
        Colour::Step => "1",
        Colour::Operator => "33",
    }
}

/// The other bracket of the one at the cursor, or just before it.
fn pair(document: &Document, line: &str, at: usize) -> Option<usize> {
    use crate::diag::tokens::Kind;
    let tokens = document.tokens();
    let near = tokens
        .iter()
        .rposition(|token| matches!(token.kind, Kind::Open | Kind::Close) && (token.start == at || token.end == at))?;
    let mut depth = 0i32;
    let step = |n: usize| match tokens[n].kind {
        Kind::Open => 1,
        Kind::Close => -1,
        _ => 0,
    };
    let ahead = tokens[near].kind == Kind::Open;
    let order: Box<dyn Iterator<Item = usize>> =
        if ahead { Box::new(near..tokens.len()) } else { Box::new((0..=near).rev()) };
    for n in order {
        depth += step(n);
        if depth == 0 {
            let other = if ahead { tokens[n].start } else { tokens[n].end - 1 };
            return line.is_char_boundary(other).then_some(other);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_change_no_letter() {
        for line in ["let a = sh(\"x\", `one\ntwo ${a}`) -> b; // so", ":load x y", "äö \"ü", "f(", ")", ""] {
            for at in 0..=line.len() {
                let painted = painted(line, at);
                let mut bare = String::new();
                let mut rest = painted.as_str();
                while let Some(start) = rest.find("\x1b[") {
                    bare.push_str(&rest[..start]);
                    rest = &rest[start..][rest[start..].find('m').expect("it ends") + 1..];
                }
                bare.push_str(rest);
                assert_eq!(bare, line);
            }
        }
    }
}
