//! `flow approve RUN [STEP] [ANSWER]`

use serde_json::Map;

use super::deliver::Deliver;
use super::options::Options;
use super::{Done, deliver, options};
use crate::diag::{Diagnostic, Result};
use crate::flow::Answering;
use crate::plan::Json;

/// Answer a step that asks: `approve` in a script
///
/// If no process works on the run, it is taken up here, as `flow resume` does. An answer is accepted once.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow approve last                                  the one step that asks: yes
  flow approve last gate                             this step
  flow approve last gate no --comment 'not today'
  flow approve 20260102-1504 where production --set hosts=3
  flow approve last gate --no-resume                 only leave the answer

Exit codes: 0 the answer was accepted, and a run that was taken up has succeeded; else as `flow resume`;
2 the answer does not fit, nothing was changed.")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// The step: its path, or the end of it. May be left out if only one asks
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// One of its answers. Default: `yes`, where the answers are yes and no
    #[arg(value_name = "ANSWER")]
    answer: Option<String>,
    /// A value of its form. May be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    form: Vec<String>,
    /// What else there is to say
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    #[command(flatten)]
    deliver: Deliver,
    #[command(flatten)]
    pub options: Options,
}

impl Args {
    pub fn run(self) -> Done {
        self.options.check()?;
        let answering = Answering {
            choice: self.answer,
            form: form(&self.form)?,
            by: self.deliver.by.clone(),
            comment: self.comment.unwrap_or_default(),
        };
        let flow = options::look()?;
        let posted = flow.approve(&self.run, self.step.as_deref(), answering)?;
        deliver::deliver(&flow, &posted, &self.deliver, &self.options)
    }
}

fn form(pairs: &[String]) -> Result<Map<String, Json>> {
    let mut form = Map::new();
    for pair in pairs {
        let given = pair.split_once('=').map(|(key, value)| (key.trim(), value)).filter(|(key, _)| !key.is_empty());
        let Some((key, value)) = given else {
            let message = format!("`--set {pair}` does not name a field and its value");
            return Err(Diagnostic::new("flow::cli::usage", message)
                .help("write `--set key=value`, for instance `--set version=1.4`"));
        };
        if form.insert(key.to_owned(), value.into()).is_some() {
            return Err(Diagnostic::new("flow::cli::usage", format!("`--set {key}=…` is given twice"))
                .help("leave one of them away"));
        }
    }
    Ok(form)
}
