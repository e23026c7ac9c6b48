//! `flow verify RUN`

use super::options::look;
use super::{Done, out};

/// Verify the log of a run: each event carries the SHA-256 of the one before
///
/// Names the first event that is not what was written, and files of the run that have changed.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow verify last
  flow verify 20260102-1504 --json

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
        let flow = look()?;
        let run = flow.find(&self.run)?;
        let verified = flow.verify(&run)?;
        if self.json {
            let object = serde_json::json!({
                "run": run,
                "events": verified.events,
                "head": verified.head,
                "files": verified.files,
                "missing": verified.missing,
            });
            out::print(&format!("{object}\n"))?;
            return Ok(0);
        }
        let (events, files) = (verified.events, verified.files);
        let mut text = format!("run {run}: each of its {events} events is as it was written");
        if files > 0 {
            text.push_str(&format!(", and so are its scripts and long outputs ({files})"));
        }
        text.push_str(&format!("\nhead of the chain: {}\n", verified.head));
        for file in &verified.missing {
            text.push_str(&format!("no longer there: {file}\n"));
        }
        out::print(&text)?;
        Ok(0)
    }
}
