//! `flow plan FILE`

use std::thread::available_parallelism;

use super::options::{Params, look};
use super::{Done, input, out};
use crate::diag::Diagnostic;
use crate::plan::analysis::Analysis;
use crate::plan::render;
use crate::view::Look;

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
    /// Leave nothing out and shorten nothing
    #[arg(long)]
    full: bool,
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
        let args = self.params.pairs()?;
        let script = input::script(&self.file)?;
        let flow = look()?;
        let plan = flow.plan(&script, &args)?;
        let text = match self.format {
            Format::Text => {
                let analysis = Analysis::of(&plan, &flow.durations(&plan.header.name)?);
                // A file is read later, and elsewhere.
                let look = if self.output.is_some() { Look::PLAIN } else { out::results_look() };
                render::text(&plan, &analysis, &self.page(look))
            }
            Format::Json => format!("{}\n", serde_json::to_string_pretty(&plan).map_err(std::io::Error::from)?),
            Format::Dot => render::dot(&plan),
            Format::Mermaid => render::mermaid(&plan),
            Format::Svg => render::svg(&plan)?,
        };
        match &self.output {
            None => out::print(&text)?,
            Some(file) => std::fs::write(file, text).map_err(|error| {
                Diagnostic::new("flow::cli::output", format!("`{file}` cannot be written: {error}"))
                    .help("name a file in a folder that exists and is writable")
            })?,
        }
        Ok(0)
    }

    fn page(&self, look: Look) -> render::Options {
        let default = render::Options::default();
        render::Options {
            width: if look.width > 0 { look.width } else { default.width },
            ascii: !look.unicode,
            color: look.color,
            full: self.full,
            max_parallel: available_parallelism().map_or(2, usize::from).max(2) as u32,
        }
    }
}
