//! Agents: small programs that speak as the real ones do, also when they misbehave, through the built program.

#![allow(clippy::unwrap_used)]

mod bench;
mod budget;
mod chain;
mod dialects;
mod ends;
mod files;
mod http;
mod kept;
mod limits;
mod record;
