//! Pipelines through the built program: what is promised, over `kill -9`, interruptions, failures and full buffers.

#![allow(clippy::unwrap_used)]

mod bench;
mod ends_bench;
mod ends_files;
mod ends_outside;
mod ends_stdin;
mod items;
mod kill;
