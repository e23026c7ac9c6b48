//! What lasts over runs, as a table.

use super::Look;
use super::look::one_line;
use super::table::table;
use super::time::Clock;
use crate::plan::Json;
use crate::state::result::plain_text;

/// Longest value in the table, in columns.
const VALUE: usize = 60;

/// A note that lasts.
#[derive(Clone, Debug)]
pub struct MemoryLine {
    /// The memory's name.
    pub memory: String,
    /// Under what.
    pub key: String,
    /// What.
    pub value: Json,
    /// When it was made, in milliseconds since 1970.
    pub at: u64,
    /// By which run.
    pub run: String,
}

/// A table, one line a note.
pub fn memory(notes: &[MemoryLine], clock: &Clock, look: Look) -> String {
    let heading = ["MEMORY", "KEY", "VALUE", "SINCE", "RUN"].map(str::to_owned).to_vec();
    let rows = notes.iter().map(|note| {
        vec![
            one_line(&note.memory),
            one_line(&note.key),
            look.cut(&one_line(&plain_text(&note.value)), VALUE),
            clock.ago(note.at),
            note.run.clone(),
        ]
    });
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    table(&rows, look, |_, _| None)
}
