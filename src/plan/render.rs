//! A plan for people to look at: as text, and as drawings in three formats.
//!
//! All of them show every way through the workflow: each branch with the condition that leads to it.

mod dot;
mod mermaid;
mod page;
mod picture;
mod text;
mod tree;

pub use dot::dot;
pub use mermaid::mermaid;
pub use text::{Options, text};
