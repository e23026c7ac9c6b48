//! `flow script FILE`

use std::path::Path;

use super::options::{Begin, Options, look};
use super::{Done, End, follow, input, long_help, out};
use crate::diag::Diagnostic;
use crate::flow::{RunOptions, Script};
use crate::view;

/// Run a script
///
/// Evaluates the script, which only describes the work, and then does the work: in parallel, durably, and so that
/// it can be resumed after a crash or an interruption. Progress and messages go to standard error. Press Ctrl-C once
/// to stop gently, twice to end what runs.
#[derive(clap::Args)]
#[command(
    disable_help_flag = true,
    after_long_help = "\
Examples:
  flow script deploy.rhai                        run it
  flow script deploy.rhai --help                 this, and the parameters of deploy.rhai
  flow script deploy.rhai --arg env=staging      with a parameter
  flow script team.rhai --agents recorded:last    agents say again what they said in the newest run
  flow script deploy.rhai --resume last          take up the newest unfinished run of it, if any
  flow script deploy.rhai --json | jq .status    the result as data
  flow script deploy.rhai --events - --quiet     every event as a line of JSON
  echo 'sh(\"hi\", \"echo hello\")' | flow script -    from standard input

A script that begins with `#!/usr/bin/env -S flow script` can be run by its name.
Exit codes: 0 success; 1 the run failed; 2 script or parameters are wrong, nothing ran; 3 paused;
130 interrupted."
)]
pub struct Args {
    /// The script, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: Option<String>,
    #[command(flatten)]
    begin: Begin,
    #[command(flatten)]
    pub options: Options,
    /// Go on with a run, as it began, instead of starting one. `last`: the newest unfinished one of this file, or else a
    /// new one
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
        run(&input::script(file)?, self.begin, &self.options, self.resume.as_deref())
    }

    fn print_help(&self) -> Done {
        let mut text = long_help("script");
        if let Some(file) = &self.file {
            let script = input::script(file)?;
            let params = look()?.compile(&script)?.parameters(&self.begin.params.pairs()?);
            text.push('\n');
            text.push_str(&view::parameters(file, &params, out::results_look()));
        }
        out::print(&text)?;
        Ok(0)
    }
}

/// Runs a script, or goes on with a run of it.
pub fn run(script: &Script, begin: Begin, options: &Options, resume: Option<&str>) -> Done {
    options.check()?;
    let args = begin.params.pairs()?;
    let flow = begin.safety.open()?;
    let unfinished = match resume {
        Some("last") => flow.unfinished(script.path.as_deref().unwrap_or(Path::new("-")))?,
        other => other.map(str::to_owned),
    };
    match unfinished {
        Some(run) => {
            flow.answered_as(&run, &begin.agents)?;
            follow::resume(&flow, &run, Some(script), args, options)
        }
        None => {
            let (max_parallel, attended) = (begin.max_parallel, options.attended());
            let agents = Some(begin.agents);
            let start = RunOptions { args, max_parallel, attended, agents, signals: true, ..RunOptions::default() };
            follow::start(&flow, script, start, options)
        }
    }
}
