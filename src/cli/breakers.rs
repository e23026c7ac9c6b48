//! `flow breakers`

use super::options::{look, now};
use super::{Done, out};
use crate::state::breaker::Phase;
use crate::view::time::Clock;
use crate::view::{self, json};

/// List breakers: which are open, since when and why
///
/// A breaker opens after too many failures of what it guards. Then the steps behind it fail at once, in all runs of this
/// folder, until its reset time is over and one attempt has shown that it works again.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_long_help = "\
Examples:
  flow breakers
  flow breakers reset payments                       close it by hand
  flow breakers --json | jq -r '.[] | select(.state == \"open\").name'")]
pub struct Args {
    /// Print them as data
    #[arg(long)]
    pub json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Close a breaker, as if nothing behind it had failed
    Reset {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        if let Some(Action::Reset { name }) = self.action {
            let before = flow.reset_breaker(&name)?.phase(now());
            out::tell(&match before {
                Phase::Closed => format!("the breaker `{name}` was closed already; its failures are forgotten\n"),
                _ => format!("the breaker `{name}` is closed; it was {}\n", before.name()),
            });
            return Ok(0);
        }
        let all = flow.breakers()?;
        if self.json {
            out::print(&format!("{}\n", json::breakers(&all, now())))?;
        } else if all.is_empty() {
            out::tell("no breakers here yet; `breaker(name, #{…})` in a script declares one\n");
        } else {
            out::print(&view::breakers(&all, &Clock::local(now()), out::results_look()))?;
        }
        Ok(0)
    }
}
