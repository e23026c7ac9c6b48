//! Receipts of finished steps, and the signatures of runs.

use std::path::Path;

use super::{Flow, Found, FoundReceipts, Receipt, ReceiptFilter, Signature, Store};
use crate::diag::{Diagnostic, Result};
use crate::store::Key;

impl Flow {
    /// The receipts of finished steps, newest first. `filter.run` may be a beginning of an id, or `last`.
    ///
    /// # Errors
    /// `flow::run::unknown`; `flow::run::no_step` if no finished step has this path, with the nearest;
    /// `flow::run::no_receipt` if there is none of this hash; `flow::store::tampered` if a hash is asked for and its run's
    /// log is not what was written.
    pub fn receipts(&self, filter: &ReceiptFilter) -> Result<FoundReceipts> {
        let run = filter.run.as_deref().map(|run| self.find(run)).transpose()?;
        match self.existing()? {
            Some(store) => store.receipts(&ReceiptFilter { run, ..filter.clone() }),
            None => Ok(FoundReceipts::default()),
        }
    }

    /// The files that a receipt names, as they are now.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn evidence(&self, receipt: &Receipt) -> Result<Vec<Found>> {
        Ok(self.reader()?.evidence(receipt))
    }

    /// What was signed of a run, the latest first. [`Flow::verify`] checks it.
    ///
    /// # Errors
    /// `flow::run::unknown`.
    pub fn signatures(&self, run: &str) -> Result<Vec<Signature>> {
        let store = self.reader()?;
        store.signatures(&store.find(run)?)
    }
}

/// Signs the log of a run that is at its end, if there is a key. A run that cannot be signed is as good as without: gives
/// what is to be told of it.
pub(super) fn sign_end(store: &Store, key: Option<&Path>, run: &str) -> Option<Diagnostic> {
    let problem = Key::read(key?).and_then(|key| store.sign(run, &key)).err()?;
    let message = format!("run `{run}` was not signed: {}", problem.message());
    let help = problem.help_text().unwrap_or_default().to_owned();
    Some(Diagnostic::new(problem.code(), message).help(help).as_warning())
}
