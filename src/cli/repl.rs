//! `flow repl`

use super::options::{Params, Safety};
use super::{Done, End};
use crate::diag::Diagnostic;
use crate::repl::{self, Setup};

/// Build and run a workflow line by line
///
/// Steps are built as you type; `run(step)` or `:run` runs what is new, and after that results are values at the prompt.
/// `:help` lists the commands. A session is an ordinary run: `flow runs` lists it, and nothing is lost when it is killed.
///
/// Without a terminal, entries are read from standard input, results go to standard output, all else to standard error.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow repl                                          a session
  flow repl deploy.rhai                              one that begins with a script
  flow repl --resume last                            the script and the results of a run
  flow repl < session.rhai                           entries from a file
  echo '1 + 1' | flow repl --json                    what comes of each entry as data

Exit codes without a terminal: 0; 1 a run failed; 2 an entry was wrong; 3 the last run waits for somebody.")]
pub struct Args {
    /// A script to begin with
    #[arg(value_name = "FILE")]
    file: Option<String>,
    #[command(flatten)]
    params: Params,
    /// Take up the script and the results of a run
    #[arg(long, value_name = "RUN", conflicts_with = "file")]
    resume: Option<String>,
    /// Print one JSON object a line for each entry
    #[arg(long)]
    pub json: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    safety: Safety,
}

impl Args {
    pub fn run(self) -> Done {
        if self.file.as_deref() == Some("-") {
            let problem = Diagnostic::new("flow::cli::usage", "entries are read from standard input anyway");
            return Err(End::Wrong(problem.help("leave out the `-`: `flow repl < session.rhai`")));
        }
        Ok(repl::run(Setup {
            flow: self.safety.open()?,
            args: self.params.pairs()?,
            json: self.json,
            quiet: self.quiet,
            load: self.file,
            resume: self.resume,
        })?)
    }
}
