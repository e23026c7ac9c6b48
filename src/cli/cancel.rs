//! `flow cancel RUN`

use super::{Done, out};
use crate::flow::Flow;

/// Cancel a run: what runs is ended, nothing new starts, and it cannot be resumed
///
/// Works for a run of another process too, and for one that was interrupted.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow cancel last
  flow cancel 01k1")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = Flow::look()?;
        let run = flow.find(&self.run)?;
        flow.cancel(&run)?;
        out::tell(&format!("run {run} is cancelled\n"));
        Ok(0)
    }
}
