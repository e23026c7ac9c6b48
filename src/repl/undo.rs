//! `:undo`: a session becomes again what it was before its last entry.

use super::entry::{self, Entry};
use super::session::Session;
use crate::diag::{Diagnostic, Result};
use crate::flow::Results;

/// Changes that can be taken back exactly. Further back, the last entry that is there is taken away.
const REMEMBERED: usize = 100;

/// What a session was before an entry.
pub struct Before {
    /// The entry, as it was typed.
    pub text: String,
    entries: Vec<Entry>,
    run: Option<String>,
    results: Option<Results>,
}

impl Session {
    /// The session as it is now is what was there before this entry.
    pub fn remember(&mut self, text: &str) {
        if self.befores.len() == REMEMBERED {
            self.befores.pop_front();
        }
        let before = self.before(text, self.entries.clone());
        self.befores.push_back(before);
    }

    fn before(&self, text: &str, entries: Vec<Entry>) -> Before {
        Before { text: text.to_owned(), entries, run: self.run.clone(), results: self.results.clone() }
    }

    /// Takes the last entry away: what was there before it is there again. Gives its text.
    ///
    /// # Errors
    /// There is none.
    pub fn undo(&mut self) -> Result<String> {
        if let Some(text) = self.waiting.take() {
            return Ok(text);
        }
        let last = self.entries.iter().rposition(|entry| !entry.by_run);
        let before = match (self.befores.pop_back(), last) {
            (Some(before), _) => before,
            (None, Some(at)) => self.before(&self.entries[at].text, self.entries[..at].to_vec()),
            (None, None) => {
                return Err(Diagnostic::new("flow::repl::empty", "there is nothing to undo")
                    .help("an entry that was wrong, or that only looked, has changed nothing"));
            }
        };
        let ran = |results: &Option<Results>| results.as_ref().map(|results| results.state.events);
        let is_same_run = self.run == before.run && ran(&self.results) == ran(&before.results);
        let now = std::mem::take(&mut self.results);
        self.results = match is_same_run {
            true => before.results,
            // What has run meanwhile stays known, if it is the same step.
            false => {
                self.results.clone_from(&now);
                let plan = self.as_far_as_known(before.entries.clone()).map(|(_, sight, _)| sight.plan);
                plan.ok().and_then(|plan| now.map(|now| now.without_changed(self.plan(), &plan)))
            }
        };
        let mut run = before.entries.clone();
        if self.entries.last().is_some_and(|entry| entry.by_run) && run.last().is_some_and(|entry| !entry.by_run) {
            run.push(Entry::run_all());
        }
        let (entries, sight, rest) = match self.see(&run, usize::MAX) {
            Ok(sight) if sight.waits_for.is_none() && !sight.plan.steps.is_empty() => (run, sight, Vec::new()),
            _ => self.as_far_as_known(before.entries)?,
        };
        self.adopt(entries, sight);
        // `run();` alone need not be told: `:run` adds it.
        if rest.iter().any(|entry| !entry.by_run) {
            self.waiting = Some(entry::clean_script(&rest).trim_end().to_owned());
        }
        Ok(before.text)
    }
}
