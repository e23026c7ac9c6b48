//! Pipelines through the built program: what is promised, over `kill -9`, interruptions, failures and full buffers.

#![allow(clippy::unwrap_used)]

mod bench;
mod items;
mod kill;
