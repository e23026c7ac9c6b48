//! `flow runs`

use super::options::{look, now};
use super::{Done, out};
use crate::event::RunStatus;
use crate::flow::{RunFilter, RunSummary};
use crate::view::time::Clock;
use crate::view::{self, RunLine};

/// List runs, the newest first
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow runs
  flow runs --status failed
  flow runs --status interrupted --limit 5
  flow runs --json | jq -r '.[].run'")]
pub struct Args {
    /// Only runs of this status
    #[arg(long, value_name = "STATUS", value_parser = RunStatus::ALL.map(RunStatus::name))]
    status: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "20")]
    limit: usize,
    /// Print them as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let status = self.status.and_then(|name| RunStatus::ALL.into_iter().find(|status| status.name() == name));
        // One more, to know whether there are more.
        let filter = RunFilter { status, limit: Some(self.limit.saturating_add(1)), ..RunFilter::default() };
        let flow = look()?;
        let mut runs = flow.runs(&filter)?;
        let more = runs.len() > self.limit;
        runs.truncate(self.limit);
        if self.json {
            out::print(&format!("{}\n", serde_json::json!(runs)))?;
            return Ok(0);
        }
        if runs.is_empty() {
            out::tell(match status {
                Some(_) => "no runs of this status here\n",
                None => "no runs here yet; `flow script FILE` starts one\n",
            });
            return Ok(0);
        }
        // Steps stand in the logs only, so these are read; most runs are not paused.
        let waits_for = |run: &RunSummary| match run.status {
            RunStatus::Paused => {
                flow.waiting(&run.run).unwrap_or_default().into_iter().map(|waits| waits.path).collect()
            }
            _ => Vec::new(),
        };
        let lines: Vec<_> = runs
            .into_iter()
            .map(|run| RunLine {
                waits_for: waits_for(&run),
                run: run.run,
                part_of: run.part_of,
                workflow: run.workflow,
                status: run.status,
                started_at: run.created_at,
                duration_ms: match run.status {
                    RunStatus::Running => now().saturating_sub(run.created_at),
                    _ => run.ended_at.unwrap_or(run.updated_at).saturating_sub(run.created_at),
                },
                total: run.steps.total as usize,
                ended: run.steps.done() as usize,
                failed: run.steps.failed as usize,
            })
            .collect();
        out::print(&view::runs(&lines, &Clock::local(now()), out::results_look()))?;
        if more {
            out::tell(&format!("the newest {} of them; `--limit N` shows more\n", self.limit));
        }
        Ok(0)
    }
}
