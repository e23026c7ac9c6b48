//! The language: a script becomes a plan, and its closures are called while the plan runs.
//!
//! This is the only room that knows Rhai. A [`Program`] is a compiled script; [`Program::build`] evaluates it once, which
//! only describes work; [`Program::decide`], [`Program::call`] and [`Program::expand`] call its closures later.
//! Nothing here starts a process, writes a file or knows the engine.

#![allow(deprecated)] // rhai marks what is volatile in it as deprecated: its version is pinned by Cargo.lock

mod agents;
mod alerts;
mod answers;
pub mod assist;
mod bounds;
mod build;
mod call;
mod classes;
mod closures;
mod combine;
mod convert;
mod ends;
mod fault;
mod format;
mod functions;
mod handle;
mod host;
pub mod item;
pub mod keys;
mod library;
mod mapper;
mod modules;
mod operators;
mod options;
mod origin;
mod parsed;
mod pipeline_text;
mod policies;
mod program;
mod reference;
mod requests;
mod script;
mod secret;
mod seen;
mod session;
mod stages;
mod surroundings;
mod swarm;
mod texts;
pub mod trial;
mod untrusted;
mod weave;
mod words;

pub use agents::{Found as FoundAgent, Origin as AgentOrigin, Remark, known as known_agents};
pub use build::{Built, Runner};
pub use format::format;
pub use host::{Host, SharedHost};
pub use modules::{LARGEST, text_of};
pub use origin::Origins;
pub use parsed::{Parsed, parsed};
pub use program::Program;
pub use reference::{
    Described, Doc, Form, Item, Kind as ItemKind, LibraryFunction, LibraryModule, Topic, VALUES, body, definitions,
    first_sentence, items, library, options_table,
};
pub use requests::request_of;
pub use script::Script;
pub use seen::{Seen, Variables};
pub use session::interruptible;
pub use surroundings::Surroundings;
