//! Where the values of secrets come from.

use std::path::PathBuf;

/// How the value of a secret is had. Nothing said of a secret: from the environment variable of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provider {
    /// From this environment variable of flow.
    Env(String),
    /// From this file, without the newline at its end.
    File(PathBuf),
    /// It is what this program, run without a shell, writes to its standard output, without the newline at its end.
    Command {
        /// Program and arguments.
        words: Vec<String>,
        /// Where it runs.
        folder: PathBuf,
    },
}
