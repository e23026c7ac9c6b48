//! `flow resume RUN`

use super::options::{Options, Safety};
use super::{Done, follow};

/// Go on with a run that was interrupted or paused
///
/// Steps that are finished never run again; steps that were going on when the process ended run again, with the next
/// attempt number in FLOW_ATTEMPT. The run keeps the script and the parameters that it began with.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow resume last
  flow resume 20260102-1504                          by the beginning of its id

`flow runs --status interrupted` lists what can be resumed.")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    safety: Safety,
}

impl Args {
    pub fn run(self) -> Done {
        self.options.check()?;
        follow::resume(&self.safety.open()?, &self.run, None, Vec::new(), &self.options)
    }
}
