//! `flow rollback RUN --to CHECKPOINT`

use serde_json::json;

use super::options::{Options, Safety, look};
use super::{Done, follow, out};
use crate::view;

/// Go back to a checkpoint: undo what was done after it
///
/// What succeeded after the checkpoint and has an `undo` is undone, latest first. Then everything that ended after it is
/// pending again, and `flow resume RUN` goes on from there. Logs and history stay. The hash chain is verified first.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow checkpoints last                              what it can go back to
  flow rollback last --to schema-migrated --dry-run  what would be undone
  flow rollback last --to schema-migrated
  flow resume last                                   and on from there")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// The checkpoint; `start` is the beginning of the run
    #[arg(long, value_name = "CHECKPOINT")]
    to: String,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    safety: Safety,
}

impl Args {
    pub fn run(self) -> Done {
        self.options.check()?;
        if !self.dry_run {
            return follow::roll_back(&self.safety.open()?, &self.run, &self.to, &self.options);
        }
        let way = look()?.way_back(&self.run, &self.to)?;
        if self.options.json {
            let path = |id: &crate::plan::StepId| way.state.plan.path(*id);
            let undo: Vec<_> =
                way.undone.iter().map(|(step, undo)| json!({ "step": path(step), "undo": path(undo) })).collect();
            let pending: Vec<_> = way.back.steps.iter().map(path).collect();
            out::print(&format!("{}\n", json!({ "run": way.run, "to": self.to, "undo": undo, "pending": pending })))?;
        } else {
            out::print(&view::way_back(&way.state, &way.back, &way.undone, out::results_look()))?;
        }
        Ok(0)
    }
}
