//! `flow doctor`

use super::options::look;
use super::{Done, out};

/// Look at what is needed here: programs of agents, their versions, keys, git
///
/// Each program that can drive agents is looked for in PATH and asked for its version, and that is compared with those that were tested. Of keys it
/// says whether they are set, and nothing else. Nothing is changed.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow doctor
  flow doctor --json | jq -r '.backends[] | select(.health == \"good\").name'

In data, `health` is good, doubtful (it may work), missing (only who wants it needs it) or bad (to be mended).")]
pub struct Args {
    /// Print it as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let found = look()?.doctor()?;
        match self.json {
            true => out::print(&format!("{}\n", found.json()))?,
            false => out::print(&found.text(out::results_look()))?,
        }
        Ok(0)
    }
}
