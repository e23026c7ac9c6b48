//! Swarms: teams of agents on one goal.
//!
//! `swarm(…)` declares a group at once, so that everything that can be said of a step can be said of it, and keeps what is said of the swarm as
//! a [`Draft`]. When nothing more can be said (the script is at its end, the closure of a fan-out has returned, `run` wants results) its steps
//! are made, by `stdlib/swarm.rhai`.

mod draft;
mod member;
mod pool;
mod text;

pub use draft::{COMMUNICATION, CONFLICT, Draft, MODULE, STATE, TOPOLOGY, finish_all, new, say};
pub use member::Load;
pub use pool::{ask as ask_pool, declare as declare_pool};
pub use text::{is_one, read};
