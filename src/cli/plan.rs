//! `flow plan FILE`

use std::thread::available_parallelism;

use super::options::{Params, look};
use super::{Done, coverage, input, out};
use crate::diag::{Diagnostic, Result};
use crate::flow::{Flow, workflow_files};
use crate::plan::analysis::{Analysis, Origin};
use crate::plan::forecast::{Forecast, Variation, enough};
use crate::plan::{Plan, render};
use crate::view::{self, Look};

/// Show what a script would do, without doing it
///
/// Shows every path that a run may take: each branch with the condition that leads to it, and what is not known
/// before the run. `--paths` lists them one by one; `--what-if` tells how long it would take under other settings, from the
/// recorded durations of earlier runs.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow plan deploy.rhai
  flow plan deploy.rhai --arg env=production
  flow plan deploy.rhai --format svg -o deploy.svg
  flow plan deploy.rhai --format mermaid             for a README
  flow plan deploy.rhai --format json | jq '.steps | length'
  flow plan deploy.rhai --coverage coverage.json     which ways tests have gone
  flow plan deploy.rhai --paths                      every way through, with its conditions and its time
  flow plan deploy.rhai --what-if max_parallel=2/4/8
  flow plan --recorded last --what-if max_parallel=8,order=critical_path --what-if time.build=30s

Settings of --what-if, divided by commas, alternatives by `/`: max_parallel=N, order=priority|fifo|critical_path|shortest,
limit.NAME=N, time.STEP=DURATION. Beside each other stand the plan as it is and every combination.")]
pub struct Args {
    /// The script, or `-` for standard input
    #[arg(value_name = "FILE", required_unless_present = "recorded")]
    file: Option<String>,
    #[command(flatten)]
    params: Params,
    /// How to write it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// List every way through: the conditions that lead to it, its steps, how long it takes. Each condition is taken both
    /// ways, and steps are taken to go well
    #[arg(long, conflicts_with = "what_if")]
    paths: bool,
    /// Tell how long it would take under other settings. May be given several times
    #[arg(long, value_name = "SETTINGS")]
    what_if: Vec<String>,
    /// With --what-if: the plan of this run instead of a script's, with all that its fan-outs came to and its durations
    #[arg(long, value_name = "RUN", requires = "what_if", conflicts_with_all = ["file", "args"])]
    recorded: Option<String>,
    /// Mark each decision with the ways that tests have gone, as `flow test --coverage=FILE.json` has counted them; or
    /// with those that a run has gone
    #[arg(long, value_name = "FILE|RUN", conflicts_with_all = ["paths", "what_if"])]
    coverage: Option<String>,
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
        let flow = look()?;
        let text = match (&self.recorded, &self.file) {
            (Some(run), _) => {
                let (plan, durations, took) = flow.recorded(run)?;
                self.forecast(&plan, &durations, Some(took))?
            }
            (None, file) => {
                let script = input::script(file.as_deref().unwrap_or("-"))?;
                let mut plan = flow.plan(&script, &self.params.pairs()?)?;
                if let Some(file) = &self.coverage {
                    let files = workflow_files(&script, plan.header.files.iter().map(|file| file.name.as_str()));
                    plan = coverage::read(&flow, file)?.marked(&plan, &files);
                }
                self.text(&flow, &plan)?
            }
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

    fn text(&self, flow: &Flow, plan: &Plan) -> Result<String> {
        // Drawings and data need no look at earlier runs.
        let durations = || flow.durations(&plan.header.name);
        if !self.what_if.is_empty() {
            return self.forecast(plan, &durations()?, None);
        }
        if self.paths {
            return self.ways(flow, plan, &Analysis::of(plan, &durations()?));
        }
        Ok(match self.format {
            Format::Text => render::text(plan, &Analysis::of(plan, &durations()?), &self.page(self.look())),
            Format::Json => lines_of(plan)?,
            Format::Dot => render::dot(plan),
            Format::Mermaid => render::mermaid(plan),
            Format::Svg => render::svg(plan)?,
        })
    }

    /// A file is read later, and elsewhere.
    fn look(&self) -> Look {
        if self.output.is_some() { Look::PLAIN } else { out::results_look() }
    }

    fn ways(&self, flow: &Flow, plan: &Plan, analysis: &Analysis) -> Result<String> {
        let most = if self.full { 10_000 } else { 32 };
        let found = flow.ways(plan, analysis, cores(), most);
        match self.format {
            Format::Text => Ok(view::ways(plan, &found, analysis.is_guess(), self.look())),
            Format::Json => lines_of(&view::ways_json(plan, &found)),
            _ => Err(only_text_and_json("--paths")),
        }
    }

    fn forecast(
        &self,
        plan: &Plan,
        durations: &std::collections::HashMap<String, u64>,
        recorded: Option<u64>,
    ) -> Result<String> {
        let mut variations = vec![Variation::default()];
        for text in &self.what_if {
            variations.extend(Variation::read(text, plan)?);
        }
        let forecast = |variation: &Variation| variation.forecast(plan, durations, cores());
        let all: Vec<Forecast> = variations.iter().map(forecast).collect();
        match self.format {
            Format::Text => {
                let analysis = Analysis::of(plan, durations);
                let tasks = analysis.waves.iter().map(Vec::len).sum();
                let known = (tasks - analysis.count(Origin::Assumed), tasks);
                Ok(view::forecast(&all, recorded, enough(plan, durations), known, self.look()))
            }
            Format::Json => lines_of(&serde_json::json!({
                "workflow": plan.header.name,
                "recorded_ms": recorded,
                "enough_parallel": enough(plan, durations),
                "forecasts": all,
            })),
            _ => Err(only_text_and_json("--what-if")),
        }
    }

    fn page(&self, look: Look) -> render::Options {
        let default = render::Options::default();
        render::Options {
            width: if look.width > 0 { look.width } else { default.width },
            ascii: !look.unicode,
            color: look.color,
            full: self.full,
            max_parallel: cores(),
        }
    }
}

/// How many steps run at the same time where nothing is said.
fn cores() -> u32 {
    available_parallelism().map_or(2, usize::from).max(2) as u32
}

fn lines_of(value: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Diagnostic::new("flow::cli::output", format!("the plan cannot be written as data: {error}"))
            .help("try `--format text`")
    })?;
    Ok(text + "\n")
}

fn only_text_and_json(option: &str) -> Diagnostic {
    Diagnostic::new("flow::cli::usage", format!("`{option}` gives no picture"))
        .help("leave `--format` out, or write `--format json`")
}
