//! `flow resume RUN`

use super::options::{Durability, Options};
use super::{Done, follow};
use crate::flow::{Flow, Start};

/// Go on with a run that was interrupted or paused
///
/// Steps that are finished never run again; steps that were going on when the process ended run again, with the next
/// attempt number in FLOW_ATTEMPT. The run keeps the script and the parameters that it began with.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow resume last
  flow resume 01k1 --max-parallel 8

`flow runs --status interrupted` lists what can be resumed.")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    pub options: Options,
    /// What a commit survives
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "normal")]
    durability: Durability,
}

impl Args {
    pub fn run(self) -> Done {
        self.options.check()?;
        let flow = Flow::open(self.durability.into())?;
        let start = Start { args: Vec::new(), max_parallel: self.options.max_parallel, signals: true };
        let run = flow.resume(&self.run, start)?;
        follow::to_its_end(&flow, run, &self.options)
    }
}
