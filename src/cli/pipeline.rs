//! `flow pipeline`: dead letters, and what becomes of them.

use std::path::Path;

use super::options::{Options, Safety, look, now, short_path};
use super::{Done, follow, out};
use crate::flow::ReplayOptions;
use crate::view::time::Clock;
use crate::view::{dead_letters, dead_letters_json};

/// Look at items of a pipeline that failed, and process them again
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Dead(Dead),
    Replay(Replay),
}

/// List the dead letters of a run: items that failed, each with its place and its error
///
/// An item becomes a dead letter if it fails in a stage whose `on_error` is "dead_letter".
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow pipeline dead last
  flow pipeline dead last logs --all                 every letter of `logs`, in full
  flow pipeline dead last --json | jq '.[].letters[].item'")]
struct Dead {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    run: String,
    /// A pipeline: its path, or the end of it. Default: all of the run
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Leave nothing out
    #[arg(long)]
    all: bool,
    /// Print them as data
    #[arg(long)]
    json: bool,
}

/// Process the dead letters of a run again, in a new run of its pipeline alone
///
/// The pipeline is that of the script as it was, with the same stages and the same sink; a file that it writes is written on.
/// Letters that have been replayed well since are left out.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow pipeline replay last
  flow pipeline replay 20260102-1504 logs
  flow pipeline replay last --all                    also those that have been replayed well since

Exit codes: 0 success; 1 the run failed; 2 there is nothing to replay, nothing ran; 130 interrupted.")]
struct Replay {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// The pipeline: its path, or the end of it
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// Also those that have been replayed well since
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    safety: Safety,
}

impl Args {
    pub fn run(self) -> Done {
        match self.command {
            Command::Dead(args) => args.run(),
            Command::Replay(args) => args.run(),
        }
    }

    pub fn json(&self) -> bool {
        match &self.command {
            Command::Dead(args) => args.json,
            Command::Replay(args) => args.options.json,
        }
    }
}

impl Dead {
    fn run(self) -> Done {
        let mut found = look()?.dead_letters(&self.run, self.step.as_deref())?;
        if !self.json {
            found.iter_mut().for_each(|dead| dead.file = short_path(Path::new(&dead.file)));
        }
        out::print(&match self.json {
            true => format!("{}\n", dead_letters_json(&found)),
            false => dead_letters(&found, &Clock::local(now()), out::results_look(), self.all),
        })?;
        Ok(0)
    }
}

impl Replay {
    fn run(self) -> Done {
        self.options.check()?;
        let (all, attended) = (self.all, self.options.attended());
        let replay = ReplayOptions { all, attended, signals: true, max_parallel: None };
        follow::replay(&self.safety.open()?, &self.run, self.step.as_deref(), &replay, &self.options)
    }
}
