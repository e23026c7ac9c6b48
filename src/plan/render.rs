//! A plan for people to look at: as text, and as drawings in three formats.
//!
//! All of them show every way through the workflow: each branch with the condition that leads to it.

mod alike;
mod details;
mod dot;
mod layout;
mod mermaid;
mod page;
mod picture;
mod svg;
mod text;
mod times;
mod tree;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::{SVG_MOST, svg};
pub use text::{Options, text};
