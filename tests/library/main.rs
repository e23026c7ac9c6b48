//! What comes with flow to be used in scripts: the standard library.

#[path = "../http/server.rs"]
#[allow(dead_code)] // not all of it is needed here
mod server;
mod stdlib;
