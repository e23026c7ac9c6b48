//! `flow script FILE`

use super::options::{Durability, Options, Params};
use super::{Done, End, follow, input, long_help, out};
use crate::diag::Diagnostic;
use crate::flow::{Flow, Script, Start};
use crate::view;

/// Run a script
///
/// Evaluates the script, which only describes the work, and then does the work: in parallel, durably, and so that
/// it can be resumed after a crash or an interruption. Progress and messages go to standard error. Press Ctrl-C once
/// to stop gently, twice to end what runs.
#[derive(clap::Args)]
#[command(disable_help_flag = true, after_long_help = "\
Examples:
  flow script deploy.rhai                            run it
  flow script deploy.rhai --help                     this, and the parameters that deploy.rhai takes
  flow script deploy.rhai --arg env=staging          with a parameter
  flow script deploy.rhai --resume last              take up the newest unfinished run of it, or start a new one
  flow script deploy.rhai --json | jq .status        the result as data
  flow script deploy.rhai --events - --quiet         every event as a line of JSON
  echo 'sh(\"hi\", \"echo hello\")' | flow script -      from standard input

A script that begins with `#!/usr/bin/env -S flow script` can be run by its name.
Exit codes: 0 success; 1 the run failed; 2 the script or a parameter is wrong, nothing ran; 3 paused; 130 interrupted.")]
pub struct Args {
    /// The script, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: Option<String>,
    #[command(flatten)]
    params: Params,
    #[command(flatten)]
    pub options: Options,
    /// What a commit survives
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "normal")]
    durability: Durability,
    /// Go on with a run instead of starting one; `last`: the newest unfinished one of this file, if there is one
    #[arg(long, value_name = "RUN")]
    resume: Option<String>,
    /// Print help, and the parameters of FILE if it is given
    #[arg(short, long)]
    help: bool,
}

impl Args {
    pub fn run(self) -> Done {
        if self.help {
            return self.print_help();
        }
        let Some(file) = self.file.as_deref() else {
            return Err(End::Wrong(
                Diagnostic::new("flow::cli::usage", "no script is named")
                    .help("write `flow script FILE`, or `flow script -` to read it from standard input"),
            ));
        };
        run(&input::script(file)?, &self.params, &self.options, self.durability, self.resume.as_deref())
    }

    fn print_help(&self) -> Done {
        let mut text = long_help("script");
        if let Some(file) = &self.file {
            let script = input::script(file)?;
            let params = Flow::parameters(&script, &self.params.pairs()?)?;
            text.push('\n');
            text.push_str(&view::parameters(file, &params, out::results_look()));
        }
        out::print(&text)?;
        Ok(0)
    }
}

/// Runs a script, or goes on with a run of it.
pub fn run(
    script: &Script,
    params: &Params,
    options: &Options,
    durability: Durability,
    resume: Option<&str>,
) -> Done {
    let start = Start { args: params.pairs()?, max_parallel: options.max_parallel, signals: true };
    options.check()?;
    let flow = Flow::open(durability.into())?;
    let run = match resume {
        None => flow.run(script, start)?,
        Some("last") => flow.resume_last_or_run(script, start)?,
        Some(run) => flow.resume(run, start)?,
    };
    follow::to_its_end(&flow, run, options)
}
