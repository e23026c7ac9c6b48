//! The table of runs.

use super::Look;
use super::look::run_tone;
use super::table::table;
use super::time::{Clock, duration};
use crate::event::RunStatus;
use crate::plan::wording::list;

/// Steps that are named in a line.
const NAMES: usize = 2;

/// One run in the table.
#[derive(Clone, Debug, Default)]
pub struct RunLine {
    /// Its id.
    pub run: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Its status, with what is known beyond its log (`interrupted`).
    pub status: RunStatus,
    /// When it began, in milliseconds since 1970.
    pub started_at: u64,
    /// From its first event to its latest, in milliseconds.
    pub duration_ms: u64,
    /// Steps, groups not counted.
    pub total: usize,
    /// Of them, those that have ended in any way.
    pub ended: usize,
    /// Of them, those that failed.
    pub failed: usize,
    /// The steps that it waits for, if nobody works on it until they are answered.
    pub waits_for: Vec<String>,
    /// The run of which a step has started it.
    pub part_of: Option<String>,
}

/// A table, one line a run; a text says so if there is none. Rows stay whole at any width: they can be cut by the terminal.
pub fn runs(lines: &[RunLine], clock: &Clock, look: Look) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut rows = vec![["RUN", "WORKFLOW", "STATUS", "STEPS", "TOOK", "STARTED"].map(str::to_owned).to_vec()];
    for line in lines {
        let mut steps = format!("{}/{}", line.ended, line.total);
        if line.failed > 0 {
            steps.push_str(&format!(" ({} failed)", line.failed));
        }
        let waits = match line.waits_for.as_slice() {
            [] => String::new(),
            steps => format!(" {} waits for {}", if look.unicode { "·" } else { "-" }, list(steps, NAMES)),
        };
        rows.push(vec![
            line.run.clone(),
            match &line.part_of {
                Some(run) => format!("{} (part of {run})", line.workflow),
                None => line.workflow.clone(),
            },
            format!("{}{waits}", line.status.name()),
            steps,
            duration(line.duration_ms),
            clock.ago(line.started_at),
        ]);
    }
    table(&rows, look, |row, column| (column == 2).then(|| run_tone(lines[row].status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let now = 1_785_585_600_000;
        let line = |run: &str, workflow: &str, status, failed, ago| RunLine {
            run: run.into(),
            workflow: workflow.into(),
            status,
            started_at: now - ago,
            duration_ms: 4_321,
            total: 12,
            ended: 5,
            failed,
            waits_for: Vec::new(),
            part_of: None,
        };
        let lines =
            [line("r1", "deploy", RunStatus::Failed, 2, 61_000), line("r10", "配置", RunStatus::Running, 0, 1_000)];
        let table = runs(&lines, &Clock::utc(now), Look::PLAIN);
        assert_eq!(
            table,
            "RUN  WORKFLOW  STATUS   STEPS            TOOK  STARTED\n\
             r1   deploy    failed   5/12 (2 failed)  4.3s  1 min ago\n\
             r10  配置      running  5/12             4.3s  just now\n"
        );
        assert_eq!(runs(&[], &Clock::utc(now), Look::PLAIN), "");

        let waits_for = ["gate", "deployed", "upload"].map(String::from).to_vec();
        let paused = [RunLine { waits_for, ..line("r1", "deploy", RunStatus::Paused, 0, 1_000) }];
        assert!(runs(&paused, &Clock::utc(now), Look::PLAIN).contains("  paused · waits for gate and 2 more  "));
    }
}
