//! What comes with flow to be used in scripts: the templates, each run against a small real project made on the spot.

#[path = "../cli/golden.rs"]
mod golden;
mod templates;
#[path = "../cli/transcript.rs"]
#[allow(dead_code)] // not all of it is needed here
mod transcript;
