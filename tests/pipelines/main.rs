//! Pipelines and streams through the program.

mod bad;
#[path = "../cli/golden.rs"]
#[allow(dead_code)] // not all of it is needed here
mod golden;
#[path = "../cli/transcript.rs"]
#[allow(dead_code)] // not all of it is needed here
mod transcript;
