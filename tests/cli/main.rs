//! What a person reads: the texts of `view` from hand-made events, and transcripts of the program itself.
//!
//! The expected texts are files below `tests/golden`; `FLOW_BLESS=1 cargo test --test cli` writes them anew.

mod commands;
mod docs;
mod doctor;
mod examples;
mod forecast;
mod form;
mod gc;
mod golden;
mod guide;
mod interrupt;
mod live;
mod people;
mod pipeline;
mod proof;
mod readme;
mod sample;
mod takeup;
mod terminal;
mod tests;
mod transcript;
mod view;
