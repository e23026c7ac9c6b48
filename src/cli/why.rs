//! `flow why RUN [STEP]`

use super::options::{log_path, look, now};
use super::{Done, out};
use crate::event::Log;
use crate::state::RunState;
use crate::view::Why;
use crate::view::time::Clock;

/// Explain why a step ran, failed, waits, was skipped or was cancelled
///
/// Follows each cause to its own cause, down to the condition with the values it saw, the failure or the running
/// step that began it. Without a step: what goes on, what waits and for what, and what went wrong.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow why last                                      what goes on, what waits, what failed
  flow why last push                                 one step
  flow why last 'lint[src/a.rs]'                     one child of a fan-out")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// A step: its path, or the end of it
    #[arg(value_name = "STEP")]
    step: Option<String>,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        let run = flow.find(&self.run)?;
        let records = flow.records(&run, 0)?;
        let state = RunState::of(&records);
        let (sources, folder) = (flow.sources(&state)?, flow.run_folder(&run)?);
        let paths = |log: &Log| log_path(&folder, log);
        let why = Why {
            state: &state,
            status: flow.summary(&run)?.status,
            records: &records,
            sources: &sources,
            paths: &paths,
            clock: &Clock::local(now()),
            look: out::results_look(),
        };
        let text = match &self.step {
            None => why.run(),
            Some(path) => why.step(flow.find_step(&state, path)?),
        };
        out::print(&text)?;
        Ok(0)
    }
}
