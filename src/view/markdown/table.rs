//! Tables: columns as wide as there is room, the widest broken into lines; below each other where nothing else fits.

use super::super::{Look, Tone};
use super::inline::{Word, lines, painted, width_of, words, wrapped};

/// Columns between two columns.
const GAP: usize = 2;

/// No column becomes narrower than this.
const NARROWEST: usize = 12;

/// A table from its lines: head, rule, rows.
pub fn shown(rows: &[&str], width: usize, look: Look) -> String {
    let mut rows = rows.iter().map(|row| cells(row, look));
    let head: Vec<Vec<Word>> = rows.next().unwrap_or_default();
    let rows: Vec<Vec<Vec<Word>>> = rows.skip(1).collect();
    let head: Vec<Vec<Word>> =
        head.into_iter().map(|cell| cell.into_iter().map(|word| word.with(Tone::Strong)).collect()).collect();
    let columns = head.len();
    let natural = |n: usize| {
        std::iter::once(&head).chain(&rows).filter_map(|row| row.get(n)).map(|cell| width_of(cell)).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..columns).map(natural).collect();
    let gaps = GAP * columns.saturating_sub(1);
    let least: usize = widths.iter().map(|width| (*width).min(NARROWEST)).sum();
    if least + gaps > width {
        return below_each_other(&head, &rows, width, look);
    }
    // The widest column gives way, again and again.
    while widths.iter().sum::<usize>() + gaps > width {
        let Some(widest) = widths.iter_mut().filter(|width| **width > NARROWEST).max() else { break };
        *widest -= 1;
    }
    let mut text = String::new();
    if head.iter().any(|cell| !cell.is_empty()) {
        text.push_str(&row(&head, &widths, look));
        let line = if look.unicode { "─" } else { "-" };
        let rule: Vec<String> = widths.iter().map(|width| line.repeat(*width)).collect();
        text.push_str(&format!("{}\n", look.paint(Tone::Faint, &rule.join(&" ".repeat(GAP)))));
    }
    text.extend(rows.iter().map(|cells| row(cells, &widths, look)));
    text
}

/// A row, in as many lines as its longest cell needs.
fn row(cells: &[Vec<Word>], widths: &[usize], look: Look) -> String {
    let cells: Vec<Vec<Vec<Word>>> = cells.iter().zip(widths).map(|(cell, width)| lines(cell, *width)).collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for n in 0..height {
        let mut line = String::new();
        let mut blanks = 0;
        for (cell, width) in cells.iter().zip(widths) {
            let part = cell.get(n).map(Vec::as_slice).unwrap_or_default();
            if !part.is_empty() {
                line.push_str(&" ".repeat(blanks));
                line.push_str(&painted(part, look));
                blanks = 0;
            }
            blanks += width - width_of(part).min(*width) + GAP;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Each cell on lines of its own, below the first of its row.
fn below_each_other(head: &[Vec<Word>], rows: &[Vec<Vec<Word>>], width: usize, look: Look) -> String {
    let mut text = String::new();
    for cells in rows {
        for (n, cell) in cells.iter().enumerate() {
            let mut line = cell.clone();
            if let Some(name) = head.get(n).filter(|name| n > 0 && !name.is_empty()) {
                line.splice(0..0, name.iter().cloned());
            }
            let indent = if n == 0 { "" } else { "  " };
            text.push_str(&wrapped(&line, width, indent, if n == 0 { "" } else { "    " }, look));
        }
    }
    text
}

/// The cells of a row; `\|` is a bar in one.
fn cells(row: &str, look: Look) -> Vec<Vec<Word>> {
    let inner = row.trim().strip_prefix('|').unwrap_or(row);
    let inner = inner.strip_suffix('|').unwrap_or(inner).replace("\\|", "\u{1}");
    inner.split('|').map(|cell| words(cell.trim().replace('\u{1}', "|").as_str(), look)).collect()
}
