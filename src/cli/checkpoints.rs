//! `flow checkpoints RUN`

use serde_json::json;

use super::options::{look, now};
use super::{Done, out};
use crate::view;
use crate::view::time::Clock;

/// List the points that a run can be rolled back to
///
/// Those that the script names with `.checkpoint("name")`, and one after each stage: a step or group outside all groups,
/// or in a chain outside all others. `start` is the beginning.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow checkpoints last
  flow rollback last --to schema-migrated")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    run: String,
    /// Print them as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        let run = flow.find(&self.run)?;
        let state = flow.state(&run)?;
        let points = state.checkpoints();
        if self.json {
            let data = points.iter().map(|point| {
                let step = state.plan.path(point.step);
                json!({ "name": point.name, "step": step, "at": point.at, "event": point.seq, "automatic": point.automatic })
            });
            out::print(&format!("{}\n", serde_json::Value::Array(data.collect())))?;
        } else if points.is_empty() {
            out::tell("no checkpoints yet; `flow rollback RUN --to start` goes back to the beginning\n");
        } else {
            out::print(&view::checkpoints(&state, &points, &Clock::local(now()), out::results_look()))?;
        }
        Ok(0)
    }
}
