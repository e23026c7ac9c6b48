//! The prompt: a line editor with completion, hints, colours and a history.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use super::Read;
use super::command::{COMMANDS, is_command};
use super::history;
use super::known::Known;
use super::session::Session;
use crate::diag::Diagnostic;
use crate::flow::{Parsed, parsed};
use crate::term::{self, messages_look};
use crate::view::{Look, Tone};

/// See the module's page.
pub struct Terminal {
    editor: Option<Editor<Mate, FileHistory>>,
    greeted: bool,
}

impl Terminal {
    /// Opens the terminal that standard input is.
    pub fn open() -> Self {
        Terminal { editor: editor(), greeted: false }
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
        if !std::mem::replace(&mut self.greeted, true) {
            let version = env!("CARGO_PKG_VERSION");
            let text =
                format!("flow {version}. Steps are built as you type; `:run` runs them, `:help` helps, Ctrl-D leaves.");
            term::tell(&format!("{}\n", look.paint(Tone::Faint, &text)));
        }
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
        if is_command(line) && !line[..pos].trim_start().contains(' ') {
            let typed = line[..pos].trim_start().trim_start_matches(':');
            let start = pos - typed.len();
            let names = COMMANDS.iter().map(|command| command.name).filter(|name| name.starts_with(typed));
            return Ok((start, names.map(|name| format!("{name} ")).collect()));
        }
        let word = line[..pos].rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
        let names = self.known.variables.names().filter(|name| name.starts_with(&line[word..pos]));
        Ok((word, names.map(str::to_owned).collect()))
    }
}

impl Hinter for Mate {
    type Hint = String;
}

impl Validator for Mate {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let open = !is_command(text) && matches!(parsed(text), Parsed::Incomplete);
        Ok(if open { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Highlighter for Mate {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.look.color && is_command(line) {
            return Cow::Owned(self.look.paint(Tone::Busy, line));
        }
        Cow::Borrowed(line)
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(self.look.paint(Tone::Faint, hint))
    }
}
