//! The language server, driven as an editor drives it.

mod answers;
mod anything;
mod client;
mod diagnostics;
mod ends;
mod speed;
