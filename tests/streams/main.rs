//! Streams: real processes, real pipes, real files.

mod agents;
mod bench;
mod ends;
mod flow;
mod lines;
mod program;
mod retry;
