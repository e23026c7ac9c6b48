//! `flow show RUN`

use super::options::{look, now};
use super::{Done, out};
use crate::view::time::Clock;
use crate::view::{self, json};

/// Show one run: what it was, and what became of each step
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow show last
  flow show 20260102-1504 --all                      every child of wide fan-outs too
  flow show last --json | jq '.steps.build.output'")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    run: String,
    /// Leave nothing out
    #[arg(long)]
    all: bool,
    /// Print it as data, as `flow script --json` does
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        let run = flow.find(&self.run)?;
        let (state, status) = (flow.state(&run)?, flow.summary(&run)?.status);
        if self.json {
            let object = json::run(&state, status, &*flow.files(&run)?);
            out::print(&format!("{object}\n"))?;
        } else {
            let (clock, look) = (Clock::local(now()), out::results_look());
            let mut text = view::show(&state, status, &clock, look, self.all);
            text.push_str(&view::not_closed(&state.plan, &flow.breakers()?, &clock, look));
            out::print(&text)?;
        }
        Ok(0)
    }
}
