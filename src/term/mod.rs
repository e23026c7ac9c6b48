//! The terminal, for all doors that have one: how text may look there, live progress, questions to the person before it.

mod ask;
mod out;
mod question;

pub use ask::Desk;
pub use out::{diagnostic, is_in_front, log_path, messages_look, now, progress, results_look, short_path, tell};
