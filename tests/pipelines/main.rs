//! Pipelines through the built program: sources, sinks, and stages that leave the process, also when it is killed.

#![allow(clippy::unwrap_used)]

mod bench;
mod ends_files;
mod ends_outside;
mod ends_stdin;
