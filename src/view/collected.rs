//! What was removed, or would be.

use super::table::table;
use super::time::Clock;
use super::{Look, Tone};
use crate::event::RunStatus;
use crate::plan::unit::show_bytes;
use crate::plan::wording::plural;

/// Most runs that are listed.
const MOST: usize = 20;

/// Free bytes within the database that are worth a line.
const WORTH_TELLING: u64 = 64 * 1024;

/// A run that was removed.
pub struct CollectedLine {
    /// Its id.
    pub run: String,
    /// Its workflow.
    pub workflow: String,
    /// How it ended.
    pub status: RunStatus,
    /// When, in milliseconds since 1970.
    pub ended_at: u64,
    /// Length of its files and events.
    pub bytes: u64,
}

/// What came of it all.
#[derive(Default)]
pub struct Outcome<'a> {
    /// Only said, not done.
    pub dry_run: bool,
    /// Folders that belonged to nothing.
    pub folders: u64,
    /// Texts.
    pub sources: u64,
    /// Results.
    pub results: u64,
    /// Bytes that are free on the disk now.
    pub freed: u64,
    /// Bytes that are free within the database.
    pub reusable: u64,
    /// Runs that somebody works on.
    pub busy: &'a [String],
    /// What could not be removed.
    pub failed: &'a [String],
}

/// What was removed: a table of the runs, and what else.
pub fn collected(runs: &[CollectedLine], outcome: &Outcome<'_>, clock: &Clock, look: Look) -> String {
    let mut text = String::new();
    if !runs.is_empty() {
        let heading = ["RUN", "WORKFLOW", "STATUS", "ENDED", "SIZE"].map(str::to_owned).to_vec();
        let rows = runs.iter().take(MOST).map(|run| {
            let (status, size) = (run.status.name().to_owned(), show_bytes(run.bytes));
            vec![run.run.clone(), run.workflow.clone(), status, clock.ago(run.ended_at), size]
        });
        let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
        text.push_str(&table(&rows, look, |row, column| {
            (column == 2).then(|| super::look::run_tone(runs[row].status))
        }));
        if runs.len() > MOST {
            text.push_str(&format!("and {} more\n", runs.len() - MOST));
        }
    }
    let mut removed = vec![plural(runs.len(), "run")];
    let others = [(outcome.folders, "stray folder"), (outcome.sources, "text"), (outcome.results, "cached result")];
    removed.extend(others.iter().filter(|(n, _)| *n > 0).map(|(n, what)| plural(*n as usize, what)));
    let nothing = runs.is_empty() && removed.len() == 1;
    let removed = removed.join(", ");
    let free = show_bytes(outcome.freed);
    text.push_str(&match (nothing, outcome.dry_run) {
        (true, true) => "nothing would be removed\n".to_owned(),
        (true, false) => "nothing to remove\n".to_owned(),
        (_, true) => format!("would be removed: {removed}; about {free} would become free\n"),
        (_, false) => format!("removed: {removed}; {free} on the disk became free\n"),
    });
    if !nothing && !outcome.dry_run && outcome.reusable >= WORTH_TELLING {
        let reusable = show_bytes(outcome.reusable);
        text.push_str(&format!(
            "{reusable} within the database will be used again: it is made smaller when nobody works\n"
        ));
    }
    for run in outcome.busy {
        text.push_str(&format!("kept, since a process works on it: {run}\n"));
    }
    for failed in outcome.failed {
        text.push_str(&look.paint(Tone::Bad, failed));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_785_585_600_000;

    fn line(run: &str) -> CollectedLine {
        let (run, workflow) = (run.to_owned(), "deploy".to_owned());
        CollectedLine { run, workflow, status: RunStatus::Failed, ended_at: NOW - 3 * 86_400_000, bytes: 2048 }
    }

    #[test]
    fn runs_and_what_belonged_to_them() {
        let outcome = Outcome {
            sources: 1,
            results: 2,
            freed: 5000,
            busy: &["r3".to_owned()],
            failed: &["cannot".to_owned()],
            ..Outcome::default()
        };
        assert_eq!(
            collected(&[line("r1"), line("r2")], &outcome, &Clock::utc(NOW), Look::PLAIN),
            "\
RUN  WORKFLOW  STATUS  ENDED       SIZE
r1   deploy    failed  3 days ago  2KiB
r2   deploy    failed  3 days ago  2KiB
removed: 2 runs, 1 text, 2 cached results; 4.9KiB on the disk became free
kept, since a process works on it: r3
cannot
"
        );
        let dry = Outcome { dry_run: true, ..Outcome::default() };
        assert_eq!(collected(&[], &dry, &Clock::utc(NOW), Look::PLAIN), "nothing would be removed\n");
        let many: Vec<_> = (0..25).map(|n| line(&format!("r{n}"))).collect();
        let text = collected(&many, &dry, &Clock::utc(NOW), Look::PLAIN);
        assert!(text.ends_with("and 5 more\nwould be removed: 25 runs; about 0B would become free\n"), "{text}");
    }
}
