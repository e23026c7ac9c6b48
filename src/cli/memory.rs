//! `flow memory`

use serde_json::json;

use super::options::{look, now};
use super::{Done, out};
use crate::flow::Lasting;
use crate::plan::Json;
use crate::plan::wording::plural;
use crate::view;
use crate::view::time::Clock;

/// List what lasts over runs: notes of memories, since when and by which run
///
/// `memory("lessons")` in a script is a board that lasts over the runs of this folder. A note stands there until it is
/// replaced, taken away, or cleared; which notes are too old for a script (`ttl`), that script says.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow memory
  flow memory lessons
  flow memory lessons --json | jq -r '.[].value'     the values as they are
  flow memory lessons --clear                        forget all of it")]
pub struct Args {
    /// Only this memory
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Remove all its notes. Runs that go on have read theirs already
    #[arg(long, requires = "name", conflicts_with = "json")]
    clear: bool,
    /// Print them as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        if let (Some(name), true) = (&self.name, self.clear) {
            let count = flow.clear_memory(name)?;
            out::tell(&format!("the memory `{name}` is empty; it had {}\n", plural(count, "note")));
            return Ok(0);
        }
        let notes = flow.memory(self.name.as_deref())?;
        if self.json {
            let object = |note: &Lasting| json!({ "memory": note.memory, "key": note.key, "value": note.value, "at": note.at, "run": note.run });
            out::print(&format!("{}\n", notes.iter().map(object).collect::<Json>()))?;
        } else if notes.is_empty() {
            out::tell("nothing here lasts yet; `memory(name).put(…)` in a script notes something\n");
        } else {
            let line = |note: Lasting| view::MemoryLine {
                memory: note.memory,
                key: note.key,
                value: note.value,
                at: note.at,
                run: note.run,
            };
            let notes: Vec<_> = notes.into_iter().map(line).collect();
            out::print(&view::memory(&notes, &Clock::local(now()), out::results_look()))?;
        }
        Ok(0)
    }
}
