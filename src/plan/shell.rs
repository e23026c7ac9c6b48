//! Shell scripts with values in them: no value can become script.
//!
//! A value that is known only when the step runs reaches the shell in an environment variable, and its place in the
//! script becomes a reference to that variable, quoted as the place needs:
//!
//! | where the value stands | what is written | |
//! | --- | --- | --- |
//! | outside quotes | `"${FLOW_IN_1}"` | one word, whatever is in it |
//! | `"…"` | `${FLOW_IN_1}` | |
//! | `'…'` | `'"${FLOW_IN_1}"'` | |
//! | here-document | `${FLOW_IN_1}` | an error if its delimiter is quoted |
//! | `${x:-…}` | as around it | an error in the name, in a subscript, in `${x:1:2}` |
//! | `$(…)`, `` `…` ``, `(…)`, `<(…)` | as the place inside needs | an error behind a backslash in `` `…` `` |
//! | a comment | nothing | it is no dependency either |
//! | behind `\` or `$` | the value, and the sign as it is (outside quotes the `\` goes) | |
//! | `$((…))`, `((…))`, `$[…]`, `a[…]=`, `[[ … -eq … ]]` | an error | shells evaluate it, and that can run commands |
//! | `$'…'`, the name of a here-document | an error | nothing is expanded there |
//! | `eval`, `sh -c`, `python -c`, `ssh host`, `sed`, … | an error | the program would read it as code |
//!
//! [`compile`] does it with a stack of contexts, a word list of the current command, and no more
//! knowledge of shells than that: POSIX quoting, here-documents, and what bash adds to both. Where shells differ in how
//! they read a quoting, a value behind it is an error rather than a guess. What it cannot see: a program or a script of
//! the user's own that reads its arguments as code, and variables that are declared as integers somewhere else.

use smol_str::SmolStr;

use super::{Shell, Value};

mod command;

mod direct;
mod document;
mod parameter;
mod program;
mod quoted;
mod scan;
#[cfg(test)]
mod tests;
mod unquoted;
mod value;
mod walk;
mod word;

pub use super::expression::Error;
pub use direct::direct_words;
pub use scan::{Piece, scan};

/// A piece of a script.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// As it was written.
    Text(String),
    /// Something that is known when the step runs.
    Value(Value),
}

/// Makes a script of its parts. `shell` is the shell that was asked for, if one was.
///
/// # Errors
/// A value that stands where no quoting keeps it from being evaluated; the message shows the line.
pub fn compile(parts: &[Part], shell: Option<&str>) -> Result<Shell, Error> {
    let mut vars: Vec<(SmolStr, Value)> = Vec::new();
    let script = if parts.iter().all(|part| matches!(part, Part::Text(_))) {
        parts.iter().map(|part| if let Part::Text(text) = part { text.as_str() } else { "" }).collect()
    } else {
        walk::quote(parts, &mut |value| {
            let known = vars.iter().position(|(_, known)| known == value).unwrap_or_else(|| {
                vars.push((format!("FLOW_IN_{}", vars.len() + 1).into(), value.clone()));
                vars.len() - 1
            });
            format!("${{{}}}", vars[known].0)
        })?
    };
    let direct = if vars.is_empty() && shell.is_none() { direct_words(&script) } else { None };
    Ok(Shell { script, vars, shell: shell.map(SmolStr::from), direct })
}
