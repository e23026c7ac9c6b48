//! `flow cancel RUN`

use super::options::look;
use super::{Done, out, report};

/// Cancel a run: what runs is ended, nothing new starts, and it is over
///
/// Works for a run of another process too, and for one that was interrupted.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow cancel last
  flow cancel 20260102-1504")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        let run = flow.find(&self.run)?;
        if let Some(warning) = flow.cancel(&run)? {
            out::tell(&report::text(&warning));
        }
        // Its process ends what runs, and then the run.
        for record in flow.watch(&run)? {
            record?;
        }
        out::tell(&format!("run {run}: {}\n", flow.summary(&run)?.status.name()));
        Ok(0)
    }
}
