//! The language server: what an editor asks about scripts, over the Language Server Protocol 3.17.
//!
//! One loop answers (`server`); it never waits. A script is checked on a thread of its own (`check`), and a newer text ends
//! the check of an older one. What is asked about a text is asked of [`crate::lang::assist`], which needs no sense in it;
//! what is wrong with it is what `flow check` says.
//!
//! Here alone stands what the protocol looks like. Texts are those of the editor; files are read only where it has
//! none open.

mod across;
mod check;
mod completion;
mod convert;
mod format;
mod lines;
mod plan;
mod problem;
mod request;
mod server;
mod standard;
mod surroundings;
mod symbols;
mod texts;
mod tokens;
mod wire;

pub use plan::COMMAND as SHOW_PLAN;
pub use server::serve;
