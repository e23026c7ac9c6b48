//! `flow resume RUN`

use super::options::{Options, Safety, look};
use super::{Done, follow, input, out};
use crate::diag::Diagnostic;
use crate::flow::ResumeOptions;
use crate::view;

/// Go on with a run: where it stopped, at an earlier step, or with an edited script
///
/// Steps that are finished do not run again; steps that were going on when the process ended run again, with the next
/// attempt number in FLOW_ATTEMPT. The run keeps the script and the parameters that it began with.
///
/// With `--from`, `--failed` or `--with` also a run that is at its end is taken up: what is still valid keeps its
/// results, the rest runs again. Which steps these are, and why, is told before anything is done.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow resume last
  flow resume 20260102-1504                          by the beginning of its id
  flow resume last --failed                          try again what failed
  flow resume last --from push                       run `push` again, and what depends on it
  flow resume last --from 'lint[src/a.rs]'           one child of a fan-out
  flow resume last --with deploy.rhai --dry-run      what an edited script would change
  flow resume last --with deploy.rhai                go on with it

`flow runs --status interrupted` lists what can be resumed.")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// Go on with this script, edited since or another one. Steps that are the same in it keep their results
    #[arg(long, value_name = "FILE")]
    with: Option<String>,
    /// Run this step again, and what depends on it: its path, or the end of it. May be given several times
    #[arg(long, value_name = "STEP")]
    from: Vec<String>,
    /// Run again what failed, was cancelled, or was skipped because of a failure
    #[arg(long)]
    failed: bool,
    /// Print which steps would run again, and why, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    safety: Safety,
}

impl Args {
    pub fn run(self) -> Done {
        self.options.check()?;
        let script = self.with.as_deref().map(input::script).transpose()?;
        let options = ResumeOptions { with: script, from: self.from, failed: self.failed, ..ResumeOptions::default() };
        if !self.dry_run {
            return follow::take_up(&self.safety.open()?, &self.run, options, &self.options);
        }
        if self.options.events.is_some() {
            let problem = Diagnostic::new("flow::cli::usage", "with `--dry-run` there are no events");
            return Err(problem.help("leave out `--events`").into());
        }
        let takeup = look()?.resume_plan(&self.run, &options)?;
        out::print(&match self.options.json {
            true => format!("{}\n", view::takeup_json(&takeup)),
            false => view::takeup(&takeup, out::results_look()),
        })?;
        Ok(0)
    }
}
