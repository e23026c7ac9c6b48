//! The prompt: a line editor with completion, hints, colours and a history.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::Read;
use super::colours::painted;
use super::command::is_command;
use super::complete::{complete, hint};
use super::history;
use super::known::Known;
use super::session::Session;
use crate::diag::Diagnostic;
use crate::flow::{Parsed, parsed};
use crate::term::{self, messages_look};
use crate::view::{Look, Tone};

/// Longest text that is coloured while it is typed, in bytes: a paste of thousands of lines need not be.
const COLOURED: usize = 64 * 1024;

/// See the module's page.
pub struct Terminal {
    editor: Option<Editor<Mate, FileHistory>>,
}

impl Terminal {
    /// Opens the terminal that standard input is.
    pub fn open() -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let text =
            format!("flow {version}. Steps are built as you type; `:run` runs them, `:help` helps, Ctrl-D leaves.");
        term::tell(&format!("{}\n", messages_look().paint(Tone::Faint, &text)));
        Terminal { editor: editor() }
    }

    /// What there is now, for completion.
    pub fn know(&mut self, session: &Session) {
        if let Some(mate) = self.editor.as_mut().and_then(Editor::helper_mut) {
            mate.known = Known::of(session);
        }
    }

    /// Reads an entry.
    pub fn read(&mut self) -> Read {
        let look = messages_look();
        let Some(editor) = &mut self.editor else { return Read::End };
        let (plain, painted) = ("flow> ".to_owned(), look.paint(Tone::Strong, "flow> "));
        match editor.readline(&(plain, painted)) {
            Ok(text) => {
                if !text.trim().is_empty() && !history::is_private(&text) {
                    // A history is a convenience.
                    let _ = editor.add_history_entry(text.trim_end());
                    if let Some(file) = history::file() {
                        let _ = editor.append_history(&file);
                    }
                }
                Read::Entry(text)
            }
            // A signal is one that a run has been stopped by before.
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => Read::Nothing,
            Err(ReadlineError::Eof) => Read::End,
            Err(error) => {
                term::tell(&term::diagnostic(
                    &Diagnostic::new("flow::file::unreadable", format!("the terminal cannot be read: {error}"))
                        .help("is it still there? The session's run is kept: `flow repl --resume last`"),
                ));
                Read::End
            }
        }
    }
}

fn editor() -> Option<Editor<Mate, FileHistory>> {
    let config = Config::builder()
        .max_history_size(history::LONGEST)
        .ok()?
        .history_ignore_dups(true)
        .ok()?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .completion_prompt_limit(200)
        .auto_add_history(false)
        .bracketed_paste(true)
        .tab_stop(4)
        .build();
    let mut editor = Editor::with_config(config).ok()?;
    editor.set_helper(Some(Mate { known: Known::default(), look: messages_look() }));
    if let Some(file) = history::file() {
        if let Some(folder) = file.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        if file.exists()
            && let Err(error) = editor.load_history(&file)
        {
            let shown = term::short_path(&file);
            term::tell(&format!("the history `{shown}` cannot be read ({error}); this session has none\n"));
        }
    }
    Some(editor)
}

/// What the line editor asks.
struct Mate {
    known: Known,
    look: Look,
}

impl Helper for Mate {}

impl Completer for Mate {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete(line, pos, &self.known))
    }
}

impl Hinter for Mate {
    type Hint = Said;

    fn hint(&self, line: &str, pos: usize, _: &Context) -> Option<Said> {
        hint(line, pos, &self.known).map(Said)
    }
}

/// A hint: it is only shown, and never becomes part of the line.
struct Said(String);

impl Hint for Said {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Validator for Mate {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let open = !is_command(text) && matches!(parsed(text), Parsed::Incomplete);
        Ok(if open { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Highlighter for Mate {
    fn highlight<'l>(&self, line: &'l str, pos: usize) -> Cow<'l, str> {
        match self.look.color && line.len() <= COLOURED {
            true => Cow::Owned(painted(line, pos)),
            false => Cow::Borrowed(line),
        }
    }

    fn highlight_char(&self, line: &str, _: usize, kind: CmdKind) -> bool {
        // The other bracket is shown where the cursor is.
        kind != CmdKind::MoveCursor || line.contains(['(', '[', '{'])
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.look.paint(Tone::Faint, hint))
    }
}
