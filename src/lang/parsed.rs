//! Is a text that is being typed a whole script already? The parser says it.

use rhai::{LexError, ParseError, ParseErrorType};

use super::program::on_large_stack;
use super::{fault, host, words};
use crate::diag::tokens::{self, Kind};
use crate::diag::{Diagnostic, Sources, Span};

/// What the parser says of a text.
#[derive(Clone, Debug)]
pub enum Parsed {
    /// It can be evaluated.
    Complete,
    /// Something must follow: a bracket or a text is open, an operator has no right side.
    Incomplete,
    /// Nothing that could follow would make it right.
    Wrong(Diagnostic),
}

/// Asks the parser.
pub fn parsed(text: &str) -> Parsed {
    on_large_stack(|| {
        words::begin();
        match host::standard().compile(text) {
            // Rhai takes `/*` without its end for a comment.
            Ok(_) if tokens::open_comment(text).is_some() => Parsed::Incomplete,
            Ok(_) => Parsed::Complete,
            Err(error) if wants_more(&error, text) => Parsed::Incomplete,
            Err(error) => Parsed::Wrong(fault::parse_error(&error, 0, &sources(text))),
        }
    })
}

fn sources(text: &str) -> Sources {
    Sources::new(vec![("entry".to_owned(), text.into())])
}

/// Is the parser at the end of the text, and wants to go on?
fn wants_more(error: &ParseError, text: &str) -> bool {
    let tokens = tokens::tokens(text);
    let position = error.1;
    let span = Span {
        file: 0,
        line: position.line().unwrap_or(0) as u32,
        column: position.position().unwrap_or(1).min(u16::MAX as usize) as u16,
    };
    let offset = sources(text).offset(span).filter(|_| span.is_known());
    match &*error.0 {
        ParseErrorType::UnexpectedEOF => true,
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            // One in backticks goes over several lines, one in quotes does where the line ends with `\`.
            let last = tokens.last().filter(|token| token.kind == Kind::Text);
            let open = last.map_or("", |token| token.of(text));
            let template = open.starts_with('`') || tokens.iter().rev().any(|token| token.of(text) == "${");
            template || text.trim_end_matches(['\n', ' ']).ends_with('\\')
        }
        ParseErrorType::BadInput(_) => false,
        _ => match offset {
            Some(offset) => tokens.last().is_none_or(|last| offset >= last.end),
            None => true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> &'static str {
        match parsed(text) {
            Parsed::Complete => "complete",
            Parsed::Incomplete => "incomplete",
            Parsed::Wrong(_) => "wrong",
        }
    }

    #[test]
    fn what_is_open_goes_on() {
        for text in [
            "sh(\"a\",",
            "sh(\"a\", \"b\"",
            "let x = [1, 2",
            "let m = #{ a: 1,",
            "fn f(x) {",
            "fn f(x)",
            "if true {",
            "if true",
            "a ->",
            "a |>",
            "1 +",
            "let x =",
            "x.",
            "let t = `one",
            "`a ${b",
            "`a ${b} c",
            "`a ${f(1",
            "/* so",
            "x /* and\nso",
            "/* a */ /* b /* c */",
            "sh(\"a\", /* so",
            "\"one \\",
            "while x {\n  y();",
            "|x| x +",
            "let x",
            "import \"a\" as",
            "chain([\n  sh(\"a\", \"b\"),",
        ] {
            // `let x` and `import "a" as` could end here, or not.
            let may_end = matches!(text, "let x");
            assert!(said(text) == "incomplete" || may_end, "{text}: {}", said(text));
        }
    }

    #[test]
    fn what_is_whole_is_complete() {
        for text in [
            "",
            "1",
            "let x = 1;",
            "sh(\"a\", \"b\")",
            "fn f(x) { x }",
            "// so",
            "/* so */ 1",
            "`a\nb`",
            "`a ${b} c`",
            "\"//\"",
            "1 // /*",
        ] {
            assert_eq!(said(text), "complete", "{text}");
        }
    }

    #[test]
    fn what_can_become_nothing_is_wrong() {
        for text in [
            "sh(\"a\" \"b\"",
            ")",
            "let 1 = 2",
            "\"open",
            "a => b",
            "x ? 1 : 2",
            "chain([sh(\"a\" \"b\")",
            "'ab'",
            "fn 1() {",
        ] {
            assert_eq!(said(text), "wrong", "{text}");
        }
    }
}
