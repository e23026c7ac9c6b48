//! `flow verify RUN`

use super::{Done, out};
use crate::flow::Flow;

/// Verify the log of a run: each event carries the SHA-256 of the one before
///
/// Names the first event that is not what was written, and files of the run that have changed.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow verify last
  flow verify 01k1 --json

Exit codes: 0 the log is as it was written; 1 it is not.")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// Print the result as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = Flow::look()?;
        let run = flow.find(&self.run)?;
        let verified = flow.verify(&run)?;
        let (events, head) = (verified.events, verified.head);
        let text = match self.json {
            true => format!("{}\n", serde_json::json!({ "run": run, "events": events, "head": head })),
            false => format!("run {run}: {events} events, each as it was written\nhead of the chain: {head}\n"),
        };
        out::print(&text)?;
        Ok(0)
    }
}
