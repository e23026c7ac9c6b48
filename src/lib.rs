//! `flow` runs workflows written as Rhai scripts.
//!
//! A script calls `chain`, `flow`, `sh` and so on; that gives a [`plan::Plan`]; the engine executes the plan, durably,
//! with conditions that are evaluated while it runs. `ARCHITECTURE.md` is the map of the rooms below.

pub mod cli;
pub mod diag;
pub mod engine;
pub mod event;
pub mod exec;
pub mod flow;
pub mod lang;
pub mod lsp;
pub mod plan;
pub mod repl;
pub mod state;
pub mod store;
pub mod term;
pub mod view;

pub use crate::flow::Flow;
