//! Tables of text: columns stand below each other, the first row is the heading. Rows stay whole at any width.

use super::look::columns;
use super::{Look, Tone};

/// A table. `tone`: of a cell below the heading, by its row (from 0) and column.
pub(super) fn table(rows: &[Vec<String>], look: Look, tone: impl Fn(usize, usize) -> Option<Tone>) -> String {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let mut text = String::new();
    for (n, row) in rows.iter().enumerate() {
        let last = row.iter().rposition(|cell| !cell.is_empty()).unwrap_or(0);
        for (column, cell) in row.iter().enumerate().take(last + 1) {
            let tone = if n == 0 { Some(Tone::Faint) } else { tone(n - 1, column) };
            text.push_str(&tone.map_or_else(|| cell.clone(), |tone| look.paint(tone, cell)));
            if column < last {
                text.push_str(&" ".repeat(widths[column] - columns(cell) + 2));
            }
        }
        text.push('\n');
    }
    text
}
