//! A word of a command.

/// A word of a command: what is known of it without running anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Word {
    /// Its characters, without quotes.
    pub text: String,
    /// Has it begun? An empty pair of quotes is a word too.
    pub begun: bool,
    /// Are parts of it quoted, so that it is no word of the shell's syntax?
    pub quoted: bool,
    /// Is something expanded in it?
    pub expands: bool,
    /// Is it there whatever comes of the expansions in it? `$x` alone may be no word at all.
    pub certain: bool,
}

impl Word {
    /// Without the folder.
    pub fn name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// `-x`, `-xyz`
    pub fn is_option(&self) -> bool {
        self.text.len() > 1 && self.text.starts_with('-') && !self.text.starts_with("--")
    }

    /// `NAME=…`, `NAME+=…`, `NAME[…]=…`
    pub fn is_assignment(&self) -> bool {
        self.text
            .split_once('=')
            .is_some_and(|(name, _)| is_name(name.split('[').next().unwrap_or_default().trim_end_matches('+')))
    }

    /// Is an index open, `name[…` or, in a list, `[…`? Shells calculate it.
    pub fn is_open_index(&self) -> bool {
        self.text
            .split_once('[')
            .is_some_and(|(name, index)| (name.is_empty() || is_name(name)) && !index.contains(']'))
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
