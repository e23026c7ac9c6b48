//! `flow check FILE`

use super::options::{Params, look};
use super::{Done, input, out, report};
use crate::flow::Checked;
use crate::plan::wording::plural;
use crate::view;

/// Check a script without running anything
///
/// Evaluates the script, which only describes the work, and checks the plan that comes of it.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow check deploy.rhai
  flow check deploy.rhai --arg env=production
  flow check deploy.rhai --json

Exit codes: 0 nothing wrong; 2 something is.")]
pub struct Args {
    /// The script, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    params: Params,
    /// Print what was found as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let args = self.params.pairs()?;
        let script = input::script(&self.file)?;
        let Checked { plan, warnings, printed } = look()?.check(&script, &args)?;
        let steps = plan.steps.len();
        if self.json {
            let warnings: Vec<_> = warnings.iter().map(|warning| warning.to_json()).collect();
            let object = serde_json::json!({
                "workflow": plan.header.name,
                "steps": steps,
                "complete": plan.complete,
                "warnings": warnings,
            });
            out::print(&format!("{object}\n"))?;
            return Ok(0);
        }
        out::tell(&view::printed(&printed, out::messages_look()));
        warnings.iter().for_each(|warning| out::tell(&report::text(warning)));
        let steps = plural(steps, "step");
        let until = match plan.header.stopped_at {
            Some(at) => format!(" up to line {}, where the script waits for a result", at.line),
            None => String::new(),
        };
        out::tell(&format!("{}: nothing wrong with its {steps}{until}\n", self.file));
        Ok(0)
    }
}
