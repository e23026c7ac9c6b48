//! Receipts of finished steps.

use super::{Flow, Found, FoundReceipts, Receipt, ReceiptFilter};
use crate::diag::Result;

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
}
