//! Requests: scripts that ask a real server, started in the test, on loopback.

mod answers;
mod bench;
mod keep;
mod redirects;
mod refused;
mod requests;
mod secrets;
mod server;
mod trouble;
