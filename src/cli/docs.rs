//! `flow docs [NAME]`

use super::{Done, End, out};
use crate::diag::Diagnostic;
use crate::flow::reference::{self, Found};
use crate::view::docs::{self, Entry};

/// Print the reference of the language
///
/// Without a name: everything there is, by topic. With one: what it means, what it takes, an example, what it is like elsewhere.
/// A name is that of a function, a method, a property, an operator, an option (`retry.backoff`), an error
/// (`flow::plan::cycle`), a module of the standard library or a function in it, a key of flow.toml, or a topic.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow docs
  flow docs retry
  flow docs retry.backoff settings.order
  flow docs flow::plan::cycle
  flow docs std/checks
  flow docs arrow                       the operator ->
  flow docs policies
  flow docs --search wait file")]
pub struct Args {
    /// What to look up
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// List the entries in which all of these words stand
    #[arg(long, value_name = "WORDS", num_args = 1.., conflicts_with = "names")]
    search: Vec<String>,
    /// Print entries as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let text = if !self.search.is_empty() {
            self.searched()?
        } else if self.names.is_empty() {
            self.everything()
        } else {
            let texts: Vec<String> = self.names.iter().map(|name| self.named(name)).collect::<Result<_, _>>()?;
            texts.join("\n")
        };
        out::print(&text)?;
        Ok(0)
    }

    fn everything(&self) -> String {
        match self.json {
            true => data(reference::entries()),
            false => docs::overview(&reference::parts(), reference::entries(), out::results_look()),
        }
    }

    fn searched(&self) -> Result<String, End> {
        let found = reference::search(&self.search);
        if self.json {
            return Ok(data(&found));
        }
        if found.is_empty() {
            let words = self.search.join(" ");
            return Err(End::Wrong(
                Diagnostic::new("flow::cli::usage", format!("no entry of the reference holds `{words}`"))
                    .help("try fewer words; `flow docs` lists everything there is"),
            ));
        }
        Ok(docs::found(&found, out::results_look()))
    }

    fn named(&self, name: &str) -> Result<String, End> {
        let look = out::results_look();
        Ok(match reference::look_up(name) {
            Found::Entries(entries) | Found::Several(entries) if self.json => data(&entries),
            Found::Part(part) if self.json => {
                data(&reference::entries().iter().filter(|entry| entry.topic == part.name).collect::<Vec<_>>())
            }
            Found::Entries(entries) => {
                let texts: Vec<String> = entries.into_iter().map(|entry| reference::shown(entry, look)).collect();
                texts.join("\n")
            }
            Found::Several(entries) => docs::found(&entries, look),
            Found::Part(part) => docs::part(&part, reference::entries(), look),
            Found::Nothing(meant) => {
                let problem = Diagnostic::new("flow::cli::usage", format!("there is no `{name}` in the language"));
                return Err(End::Wrong(problem.help(match meant {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("`flow docs` lists everything there is, `flow docs --search {name}` looks in the texts")
                    }
                })));
            }
        })
    }
}

/// Entries as JSON.
fn data<T: AsRef<Entry>>(entries: &[T]) -> String {
    let entries: Vec<&Entry> = entries.iter().map(AsRef::as_ref).collect();
    let text = serde_json::to_string_pretty(&entries).expect("entries are texts");
    format!("{text}\n")
}
