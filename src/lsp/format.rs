//! The form of a text, as `flow fmt` writes it, as one change.

use lsp_types::TextEdit;

use super::check::script;
use super::lines::Encoding;
use super::texts::Text;

/// The change that brings a text into its form. Nothing if it has it; and nothing if it cannot be read, since what is
/// wrong is told already.
pub fn edits(text: &Text, encoding: Encoding) -> Vec<TextEdit> {
    let Ok(formed) = crate::lang::format(&script(text)) else { return Vec::new() };
    let old: &str = &text.text;
    let windows = old.matches("\r\n").count();
    let whole = windows > 0 && windows == old.matches('\n').count() && windows == old.matches('\r').count();
    // Lines keep their ends if all are the same.
    let formed = if whole { formed.replace("\r\n", "\n").replace('\n', "\r\n") } else { formed };
    if formed == old {
        return Vec::new();
    }
    if !whole && old.contains('\r') {
        // Where they differ, a change of some lines would leave them so.
        let range = text.lines().span(old, &(0..old.len()), encoding);
        return vec![TextEdit { range, new_text: formed }];
    }
    // Only what differs is replaced, so that cursors and marks elsewhere stay.
    let mut start = old.bytes().zip(formed.bytes()).take_while(|(a, b)| a == b).count();
    while !(old.is_char_boundary(start) && formed.is_char_boundary(start)) {
        start -= 1;
    }
    let most = old.len().min(formed.len()) - start;
    let mut end = old.bytes().rev().zip(formed.bytes().rev()).take(most).take_while(|(a, b)| a == b).count();
    while !(old.is_char_boundary(old.len() - end) && formed.is_char_boundary(formed.len() - end)) {
        end -= 1;
    }
    let range = text.lines().span(old, &(start..old.len() - end), encoding);
    vec![TextEdit { range, new_text: formed[start..formed.len() - end].to_owned() }]
}
