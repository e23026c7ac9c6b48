//! Real processes, the driver, and runs from start to end.

mod breakers;
mod cache;
mod driver;
mod outside;
mod process;
mod runs;
mod simulated;
