//! Options that several commands have in common.

use crate::diag::{Diagnostic, Result};
use crate::flow::{self, Attended, Flow};
use crate::term::is_in_front;
pub use crate::term::{log_path, now, short_path};

/// Which script, and with which parameters.
#[derive(clap::Args)]
pub struct Params {
    /// A parameter of the script. May be given several times
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    pub args: Vec<String>,
}

impl Params {
    /// The parameters as names and values.
    pub fn pairs(&self) -> Result<Vec<(String, String)>> {
        let pair = |arg: &String| match arg.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
            _ => Err(Diagnostic::new(
                "flow::cli::usage",
                format!("`--arg {arg}` does not name a parameter and its value"),
            )
            .help("write `--arg name=value`, for instance `--arg env=staging`")),
        };
        self.args.iter().map(pair).collect()
    }
}

/// How a new run is carried out.
#[derive(clap::Args)]
pub struct Begin {
    #[command(flatten)]
    pub params: Params,
    /// Most steps that run at the same time. Default: what the script says, else the number of cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_parallel: Option<u32>,
    /// Who answers for agents: `live`, they themselves; or `recorded:RUN`, `recorded:FILE`: what they said once. With
    /// `,timing` behind it as fast as it came then, else at once
    #[arg(long, value_name = "WHO", default_value = "live")]
    pub agents: String,
    #[command(flatten)]
    pub safety: Safety,
}

/// How safely a run is written down.
#[derive(clap::Args)]
pub struct Safety {
    /// What a commit survives
    #[arg(long, value_enum, value_name = "LEVEL", default_value = "normal")]
    durability: Durability,
}

impl Safety {
    /// Opens the folder of the runs.
    pub fn open(&self) -> Result<Flow> {
        let durability = match self.durability {
            Durability::None => flow::Durability::None,
            Durability::Normal => flow::Durability::Normal,
            Durability::Full => flow::Durability::Full,
        };
        Flow::open(flow::Options { durability, adopts: true, ..flow::Options::default() })
    }
}

/// Opens the folder of the runs, to ask about them.
pub fn look() -> Result<Flow> {
    Flow::open(flow::Options { adopts: true, ..flow::Options::default() })
}

/// How a run is shown.
#[derive(clap::Args)]
pub struct Options {
    /// Show no progress, and a summary only if the run does not succeed
    #[arg(short, long)]
    pub quiet: bool,
    /// Print one JSON object at the end: run, workflow, status, duration_ms and steps by path
    #[arg(long)]
    pub json: bool,
    /// Stay until the end, where otherwise only a person, a signal, a file or a later moment would be waited for and the
    /// run be let go of with exit code 3
    #[arg(long)]
    pub wait: bool,
    /// Do not ask at the terminal what a step wants to know
    #[arg(long)]
    pub no_input: bool,
    /// Write every event as a line of JSON to a file, or with `-` to standard output
    #[arg(long, value_name = "FILE")]
    pub events: Option<String>,
}

impl Options {
    /// Is there a person at a terminal who can be asked?
    pub fn asks(&self) -> bool {
        !(self.no_input || self.json || self.quiet) && is_in_front()
    }

    /// Who is there for what steps wait for.
    pub fn attended(&self) -> Attended {
        match self.wait {
            true => Attended::Always,
            false if self.asks() => Attended::ByAPerson,
            false => Attended::No,
        }
    }

    /// Refuses what does not go together.
    pub fn check(&self) -> Result<()> {
        match self.json && self.events.as_deref() == Some("-") {
            false => Ok(()),
            true => Err(Diagnostic::new("flow::cli::usage", "`--json` and `--events -` both write to standard output")
                .help("write the events to a file: `--events run.ndjson`")),
        }
    }
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Durability {
    /// Nothing: the log is in memory and the run cannot be resumed
    None,
    /// The end of the process, also by `kill -9`
    Normal,
    /// The loss of power too
    Full,
}
