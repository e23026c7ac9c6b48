//! Pipelines through the built program: what is promised, over `kill -9`, interruptions, failures and full buffers; and bad input, of
//! streams too.

#![allow(clippy::unwrap_used)]

mod bad;
mod bench;
mod ends_bench;
mod ends_files;
mod ends_outside;
mod ends_stdin;
#[path = "../cli/golden.rs"]
#[allow(dead_code)] // not all of it is needed here
mod golden;
mod items;
mod kill;
#[path = "../cli/transcript.rs"]
#[allow(dead_code)] // not all of it is needed here
mod transcript;
