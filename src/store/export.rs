//! Exports: a run as a file of JSON lines that can be verified anywhere, without the database it comes from.
//!
//! The first line says what it is. Then come the events, each exactly as it was hashed, and behind each event the texts
//! and the files that it names. The last line says that nothing more comes. `docs/log-format.md` states the format.
//!
//! - `line`: the lines, and the hash in each.
//! - `write`: a run to lines; nothing of it is held in memory but one event.
//! - `check`: lines to a verdict. Pure: bytes in, what differs out.

mod check;
mod line;
mod write;

pub use check::{Difference, Fault, Unverified, VerifiedExport, verify};
pub use write::{ExportOptions, Exported, Halt};
