//! The script that the command line names.

use std::io::{self, Read};
use std::path::Path;

use crate::diag::{Diagnostic, Result};
use crate::flow::{LARGEST, Script, text_of};

/// Reads a script; `-` is standard input.
pub fn script(file: &str) -> Result<Script> {
    if file != "-" {
        return Script::read(Path::new(file));
    }
    let mut bytes = Vec::new();
    // One byte more than may be: then the check below says that it is too large.
    let most = LARGEST as u64 + 1;
    io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(|error| {
        Diagnostic::new("flow::file::unreadable", format!("standard input cannot be read: {error}"))
            .help("give the script as a file, or write it into this command: `cat deploy.rhai | flow script -`")
    })?;
    Ok(Script::from_text("-", text_of("-", bytes)?))
}
