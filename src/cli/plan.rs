//! `flow plan FILE`

use super::options::Params;
use super::{Done, End, input, out};
use crate::diag::Diagnostic;
use crate::flow::Flow;

/// Show what a script would do, without doing it
///
/// Shows every path that a run may take: each branch with the condition that leads to it, and what is not known
/// before the run.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow plan deploy.rhai
  flow plan deploy.rhai --arg env=production
  flow plan deploy.rhai --format svg -o deploy.svg
  flow plan deploy.rhai --format mermaid             for a README
  flow plan deploy.rhai --format json | jq '.steps | length'")]
pub struct Args {
    /// The script, or `-` for standard input
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    params: Params,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Write it to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A tree, for reading
    Text,
    /// The plan as data; its schema is in docs/plan.schema.json
    Json,
    /// For graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// A picture
    Svg,
}

impl Args {
    pub fn json(&self) -> bool {
        self.format == Format::Json
    }
}

impl Args {
    pub fn run(self) -> Done {
        Ok(0)
    }
}
