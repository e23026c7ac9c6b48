//! `flow repl`: a workflow that grows line by line, with its results at hand.
//!
//! A session is a script: see [`session`]. Around it: where entries come from (a terminal, a pipe), commands, and how what
//! comes of an entry is shown. Whatever goes wrong with an entry, the session goes on.

mod answer;
mod colours;
mod command;
mod complete;
mod entry;
mod execute;
mod history;
mod interrupts;
mod known;
mod lines;
mod logs;
mod perform;
mod pictures;
mod replace;
mod session;
mod terminal;
mod undo;

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use self::answer::Answer;
use self::interrupts::Interrupts;
use self::lines::Lines;
use self::session::Session;
use self::terminal::Terminal;
use crate::diag::{Diagnostic, Kind, Result};
use crate::flow::Flow;
use crate::term::{self, messages_look, results_look};
use crate::view::{self, Look, Tone};

/// How a session begins.
pub struct Setup {
    /// Where its runs are kept.
    pub flow: Flow,
    /// Parameters of the script.
    pub args: Vec<(String, String)>,
    /// Answers as objects of JSON, a line each.
    pub json: bool,
    /// Nothing is shown of a run that goes on.
    pub quiet: bool,
    /// A script that the session begins with.
    pub load: Option<String>,
    /// A run that the session takes up.
    pub resume: Option<String>,
}

/// Where entries come from.
enum Source {
    Terminal(Box<Terminal>),
    Lines(Lines),
}

/// What was read.
pub(crate) enum Read {
    /// An entry or a command.
    Entry(String),
    /// Ctrl-C: the line was given up.
    Nothing,
    /// There is no more.
    End,
    /// It cannot be read.
    Wrong(Diagnostic),
}

/// Holds a session until its end. Gives the exit code: 0; or without a terminal 2 if an entry was wrong, 1 if a run
/// failed, 3 if the last run waits for somebody.
///
/// # Errors
/// The session cannot begin.
pub fn run(setup: Setup) -> Result<u8> {
    let at_terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && !setup.json;
    // First: the line editor catches Ctrl-C as well, and must not have the last word.
    let source = match at_terminal {
        true => Source::Terminal(Box::new(Terminal::open())),
        false => Source::Lines(Lines::default()),
    };
    let interrupts = Interrupts::listen(at_terminal)?;
    let session = Session {
        flow: setup.flow,
        interrupts: interrupts.clone(),
        args: setup.args.clone(),
        given: setup.args,
        quiet: setup.quiet,
        asks: at_terminal && term::is_in_front(),
        entries: Vec::new(),
        befores: VecDeque::new(),
        run: None,
        results: None,
        sight: None,
        waiting: None,
        files: Vec::new(),
        folder: std::env::current_dir().unwrap_or_default(),
    };
    let mut repl = Repl { session, source, json: setup.json, at_terminal, worst: 0, is_paused: false };
    let first = [("resume", setup.resume), ("load", setup.load)];
    for (command, argument) in first {
        if let Some(argument) = argument {
            repl.entry(&format!(":{command} {argument}"));
        }
    }
    let code = repl.hold();
    Ok(if at_terminal { 0 } else { code })
}

struct Repl {
    session: Session,
    source: Source,
    json: bool,
    at_terminal: bool,
    /// The exit code so far.
    worst: u8,
    /// The last run only waits for somebody.
    is_paused: bool,
}

/// Does the session go on?
type GoesOn = bool;

impl Repl {
    fn hold(&mut self) -> u8 {
        loop {
            let read = match &mut self.source {
                Source::Terminal(terminal) => terminal.read(),
                Source::Lines(lines) => lines.read(),
            };
            let goes_on = match read {
                Read::Entry(text) => self.entry(&text),
                Read::Nothing => true,
                Read::Wrong(problem) => self.wrong("", &problem),
                Read::End => false,
            };
            if !goes_on {
                return if self.worst == 0 && self.is_paused { 3 } else { self.worst };
            }
        }
    }

    /// Takes an entry or a command, and says what came of it.
    fn entry(&mut self, text: &str) -> GoesOn {
        let interrupts = self.session.interrupts.clone();
        interrupts.begin();
        let (look, session) = (if self.json { Look::PLAIN } else { results_look() }, &mut self.session);
        let taken = guarded(|| match command::is_command(text) {
            true => perform::perform(session, text, look),
            false => session.take(text),
        });
        let is_over = interrupts.end();
        // Whatever is wrong with the telling does not end the session either.
        let told = taken.and_then(|answer| guarded(|| Ok(self.tell(text, &answer, look) && !answer.quits)));
        let goes_on = match told {
            Ok(goes_on) => goes_on,
            Err(problem) => self.wrong(text, &meant(text, problem)),
        };
        if let Source::Terminal(terminal) = &mut self.source {
            terminal.know(&self.session);
        }
        goes_on && !is_over
    }

    fn tell(&mut self, text: &str, answer: &Answer, look: Look) -> GoesOn {
        if answer.failed || (answer.is_waiting && !answer.is_paused) {
            self.worst = self.worst.max(1);
        }
        if answer.run.is_some() {
            self.is_paused = answer.is_paused;
        }
        let plan = self.session.plan();
        if self.json {
            return print(&self.masked(format!("{}\n", answer.json(text, plan))));
        }
        let messages = messages_look();
        for note in &answer.notes {
            term::tell(&format!("{}\n", messages.paint(Tone::Faint, note)));
        }
        let shown = print(&self.masked(answer.shown(plan, self.session.results.as_ref(), look)));
        if self.at_terminal {
            term::tell(&answer.news(plan, messages));
        }
        if answer.is_waiting {
            term::tell("not finished; `:run` goes on with it\n");
        }
        shown
    }

    /// The text without what secret steps gave.
    fn masked(&self, mut text: String) -> String {
        for hidden in self.session.hidden() {
            // In JSON it is written otherwise.
            let escaped = serde_json::Value::from(hidden.as_str()).to_string();
            for hidden in [hidden.as_str(), escaped.trim_matches('"')] {
                text = text.replace(hidden, view::MASK);
            }
        }
        text
    }

    fn wrong(&mut self, text: &str, problem: &Diagnostic) -> GoesOn {
        self.worst = self.worst.max(match problem.kind() {
            Kind::Usage => 2,
            Kind::Failure => 1,
        });
        if self.json {
            let mut object = serde_json::json!({ "entry": text, "error": problem.to_json() });
            if text.is_empty() {
                object.as_object_mut().map(|object| object.shift_remove("entry"));
            }
            return print(&format!("{object}\n"));
        }
        if !problem.printed().is_empty() && !print(problem.printed()) {
            return false;
        }
        let shown = problem.clone().with_printed(String::new());
        term::tell(&term::diagnostic(&shown));
        true
    }
}

/// Writes to standard output. False: nobody reads it any longer.
fn print(text: &str) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// Does it; a panic is an error like others.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let message = format!("a mistake in flow itself: {}", text.unwrap_or("something that has no words"));
        Err(Diagnostic::new("flow::repl::panic", message)
            .help("please report it, with the entry; the session goes on as it was before"))
    })
}

/// A command without its colon: that is told instead of what else may be wrong.
fn meant(text: &str, problem: Diagnostic) -> Diagnostic {
    let word = text.trim().trim_end_matches([';', '(', ')']);
    let known = match word {
        "exit" | "bye" => Some("quit"),
        word => command::COMMANDS.iter().map(|command| command.name).find(|name| *name == word),
    };
    match known {
        Some(name) => problem.help(format!("did you mean `:{name}`? Commands begin with a colon")),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_like_others() {
        let problem = guarded(|| -> Result<()> { panic!("no {}", "more") }).expect_err("it is one");
        assert_eq!((problem.code(), problem.message()), ("flow::repl::panic", "a mistake in flow itself: no more"));
        assert!(guarded(|| Ok(1)).is_ok());
    }
}
