//! `flow gc`

use serde_json::json;

use super::options::{look, now};
use super::{Done, End, out};
use crate::diag::Diagnostic;
use crate::flow::{Collected, Gc};
use crate::plan::unit::parse_duration_ms;
use crate::view::time::Clock;
use crate::view::{self, CollectedLine, Outcome};

/// Remove old runs that are over, with their logs, and what then belongs to nothing
///
/// A run stays if it is not over, if a process works on it, or if one of the rules keeps it. What belongs to nothing then goes
/// too: texts that no run was made from, results that nobody used in the time that runs are kept, folders without a run. Can be
/// ended at any moment, and done again.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow gc --keep 7d                     remove what ended more than a week ago
  flow gc --keep-runs 100               all but the newest 100
  flow gc --keep 7d --keep-runs 100     what is neither new nor among the newest
  flow gc --keep 0s --dry-run           what would go

Without either, it does what flow.toml says; with `auto = true` there, that is also done after runs, at most once
an hour:
  [retention]
  keep = \"30d\"
  keep_runs = 100
  auto = true")]
pub struct Args {
    /// Keep runs that ended within this time: `7d`, `12h`, `0s`
    #[arg(long, value_name = "TIME")]
    keep: Option<String>,
    /// Keep the newest runs, so many of them
    #[arg(long, value_name = "N")]
    keep_runs: Option<u64>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
    /// Print the result as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        let keep_ms = self.keep.as_deref().map(time).transpose()?;
        let typed = Gc { keep_ms, keep_runs: self.keep_runs, dry_run: self.dry_run };
        let gc = match typed.is_said() {
            true => typed,
            false => Gc { dry_run: self.dry_run, ..Gc::from(&flow.config()?.retention) },
        };
        if !gc.is_said() {
            return Err(End::Wrong(
                Diagnostic::new("flow::cli::usage", "nothing says which runs are to be kept").help(
                    "`flow gc --keep 7d` keeps those of the last week, `flow gc --keep-runs 100` the newest 100; \
                     `--dry-run` only shows what would go; `[retention]` in flow.toml says it once and for all",
                ),
            ));
        }
        let done = flow.gc(&gc)?;
        // What only would go frees what it takes; what went is seen on the disk.
        let freed = match self.dry_run {
            true => done.runs.iter().map(|run| run.bytes).sum(),
            false => done.files_bytes + done.database_before.saturating_sub(done.database_after),
        };
        match self.json {
            true => out::print(&format!("{}\n", data(&done, freed, self.dry_run)))?,
            false => out::print(&text(&done, freed, self.dry_run))?,
        }
        Ok(u8::from(!done.failed.is_empty()))
    }
}

fn time(text: &str) -> Result<u64, Diagnostic> {
    parse_duration_ms(text).map_err(|error| {
        Diagnostic::new("flow::cli::usage", format!("`--keep {text}`: {}", error.message))
            .help(error.help.unwrap_or_else(|| "write for instance `--keep 7d` or `--keep 12h`".into()))
    })
}

fn data(done: &Collected, freed: u64, dry_run: bool) -> serde_json::Value {
    let mut data = json!({ "dry_run": dry_run, "freed_bytes": freed });
    if let (Some(data), serde_json::Value::Object(rest)) = (data.as_object_mut(), json!(done)) {
        data.extend(rest);
        data.remove("unfinished");
    }
    data
}

fn text(done: &Collected, freed: u64, dry_run: bool) -> String {
    let line = |run: &crate::flow::CollectedRun| CollectedLine {
        run: run.run.clone(),
        workflow: run.workflow.clone(),
        status: run.status,
        ended_at: run.ended_at,
        bytes: run.bytes,
    };
    let runs: Vec<_> = done.runs.iter().map(line).collect();
    let Collected { folders, sources, results, database_free: reusable, .. } = *done;
    let outcome =
        Outcome { dry_run, folders, sources, results, freed, reusable, busy: &done.busy, failed: &done.failed };
    view::collected(&runs, &outcome, &Clock::local(now()), out::results_look())
}
