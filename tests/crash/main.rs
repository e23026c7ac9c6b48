//! What a run survives: its log cut after every event, `kill -9`, signals, other processes, bad input, damaged files.
//!
//! Random moments come from a seed that a failure names; `FLOW_SEED` repeats it.

#![allow(clippy::unwrap_used)]

mod bad;
mod bench;
mod contract;
mod cut;
mod demanding;
mod gc;
mod keep;
mod kill;
mod orphans;
mod people;
mod random;
mod secrets;
mod signals;
mod together;
mod undo;
