//! Runs as files that can be verified without the database they come from.

use std::io::Write;

use super::{ExportOptions, Exported, Flow, Halt};
use crate::store::Key;

impl Flow {
    /// Writes a run as JSON lines, signed if the project has a key (`[receipts] key` in `flow.toml`). `contents`: with those
    /// of its files. [`super::verify_export`] reads them again.
    ///
    /// # Errors
    /// `flow::run::unknown`; `flow::config::*`, `flow::key::unreadable` if there should be a key and it cannot be used;
    /// `flow::store::tampered` if the run is not what was written; or that the lines cannot be written.
    pub fn export(&self, run: &str, contents: bool, out: &mut dyn Write) -> Result<Exported, Halt> {
        let run = self.find(run)?;
        let key = self.config()?.receipts.key.as_deref().map(Key::read).transpose()?;
        self.reader()?.export(&run, &ExportOptions { contents, key }, out)
    }
}
