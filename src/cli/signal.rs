//! `flow signal RUN NAME [VALUE]`

use super::deliver::Deliver;
use super::options::Options;
use super::{Done, deliver, options};
use crate::plan::Json;

/// Send a signal to a run: `signal` in a script
///
/// The first step that waits for this name takes it. If none does yet, it is kept until one does. If no process works on
/// the run, it is taken up here, as `flow resume` does.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow signal last deployed
  flow signal last deployed '{\"url\": \"https://example.org\"}'   with a value
  flow signal 20260102-1504 deployed --no-resume     only leave the signal

Exit codes: 0 the signal was accepted, and a run that was taken up has succeeded; else as `flow resume`;
2 no step can take it, nothing was changed.")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// The signal's name
    #[arg(value_name = "NAME")]
    name: String,
    /// What the step gets as its output: JSON, or else a text
    #[arg(value_name = "VALUE")]
    value: Option<String>,
    #[command(flatten)]
    deliver: Deliver,
    #[command(flatten)]
    pub options: Options,
}

impl Args {
    pub fn run(self) -> Done {
        self.options.check()?;
        let value = self.value.map(|text| serde_json::from_str(&text).unwrap_or(Json::String(text)));
        let flow = options::look()?;
        let posted = flow.signal(&self.run, &self.name, value.unwrap_or_default(), self.deliver.by.clone())?;
        deliver::deliver(&flow, &posted, &self.deliver, &self.options)
    }
}
