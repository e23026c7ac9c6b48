//! `flow docs [NAME]`

use super::{Done, out};
use crate::flow::Flow;

/// Print the reference of the language
///
/// Without a name: everything there is, one line each. With one: what it means, and an example.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow docs
  flow docs retry
  flow docs flow")]
pub struct Args {
    /// A function, a method or a property
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Args {
    pub fn run(self) -> Done {
        out::print(&Flow::docs(self.name.as_deref())?)?;
        Ok(0)
    }
}
