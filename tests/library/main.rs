//! What comes with flow to be used in scripts: the standard library, and the templates, each run against a small real project made on the
//! spot.

#[path = "../cli/golden.rs"]
mod golden;
#[path = "../http/server.rs"]
#[allow(dead_code)] // not all of it is needed here
mod server;
mod stdlib;
mod templates;
#[path = "../cli/transcript.rs"]
#[allow(dead_code)] // not all of it is needed here
mod transcript;
