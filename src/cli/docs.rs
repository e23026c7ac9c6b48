//! `flow docs [NAME]`

use super::{Done, End, out};
use crate::diag::{Diagnostic, nearest};
use crate::flow::items;
use crate::view::docs::{self, Entry};

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
        let entries: Vec<_> = items()
            .iter()
            .map(|item| Entry {
                name: item.name.clone(),
                kind: item.kind.name().to_owned(),
                signatures: item.signatures.clone(),
                text: item.text.clone(),
            })
            .collect();
        let look = out::results_look();
        let Some(name) = &self.name else {
            out::print(&docs::index(&entries, look))?;
            return Ok(0);
        };
        let found: Vec<_> = entries.iter().filter(|entry| entry.name == *name).collect();
        if found.is_empty() {
            let near = nearest(name, entries.iter().map(|entry| entry.name.as_str()));
            return Err(End::Wrong(
                Diagnostic::new("flow::cli::usage", format!("there is no `{name}` in the language")).help(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`flow docs` lists everything there is".to_owned(),
                }),
            ));
        }
        let texts: Vec<_> = found.into_iter().map(|entry| docs::entry(entry, look)).collect();
        out::print(&texts.join("\n"))?;
        Ok(0)
    }
}
