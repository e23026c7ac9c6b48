//! Colours of a text, as the protocol tells them, for editors that have no grammar of the language.

use lsp_types::{SemanticToken, SemanticTokenType, SemanticTokensLegend};

use super::lines::Encoding;
use super::texts::Text;
use crate::lang::assist::Colour;

/// The kinds, in the order in which they are numbered.
pub fn legend() -> SemanticTokensLegend {
    use SemanticTokenType as T;
    let token_types = vec![T::COMMENT, T::STRING, T::NUMBER, T::KEYWORD, T::FUNCTION, T::EVENT, T::OPERATOR];
    SemanticTokensLegend { token_types, token_modifiers: Vec::new() }
}

fn number(colour: Colour) -> u32 {
    match colour {
        Colour::Comment => 0,
        Colour::Text => 1,
        Colour::Number => 2,
        Colour::Keyword => 3,
        Colour::Function => 4,
        Colour::Step => 5,
        Colour::Operator => 6,
    }
}

/// All pieces, each by its distance from the one before it; what goes over several lines is one piece on each.
pub fn of(text: &Text, encoding: Encoding) -> Vec<SemanticToken> {
    let mut tokens = Vec::new();
    let (mut line, mut column) = (0, 0);
    for (range, colour) in text.document().colours() {
        let mut at = range.start;
        for piece in text.text[range].split_inclusive('\n') {
            let shown = piece.trim_end_matches(['\n', '\r']);
            if !shown.is_empty() {
                let span = text.lines().span(&text.text, &(at..at + shown.len()), encoding);
                let start = span.start;
                let delta_start = if start.line == line { start.character - column } else { start.character };
                if span.end.line == start.line {
                    tokens.push(SemanticToken {
                        delta_line: start.line - line,
                        delta_start,
                        length: span.end.character - start.character,
                        token_type: number(colour),
                        token_modifiers_bitset: 0,
                    });
                    (line, column) = (start.line, start.character);
                }
            }
            at += piece.len();
        }
    }
    tokens
}
