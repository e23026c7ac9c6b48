//! Where text goes: results to standard output, all else to standard error.

use std::io::{self, BufWriter, StdoutLock, Write};

use super::End;
use crate::diag::Diagnostic;
pub use crate::term::{messages_look, results_look, tell};

/// Standard output, buffered.
pub fn results() -> BufWriter<StdoutLock<'static>> {
    BufWriter::new(io::stdout().lock())
}

/// Writes a whole text to standard output.
pub fn print(text: &str) -> Result<(), End> {
    let mut out = results();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

impl From<io::Error> for End {
    /// A reader that goes away (`flow runs | head`) is no error.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return End::Unread;
        }
        let message = format!("cannot write the results: {error}");
        End::Wrong(Diagnostic::new("flow::cli::output", message).help("is the disk full, or standard output closed?"))
    }
}
