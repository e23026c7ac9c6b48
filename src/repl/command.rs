//! The commands of the prompt: each said once, with what follows it and what it is for.

use crate::diag::{Diagnostic, Result, nearest};

/// What a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Run,
    Plan,
    Graph,
    Steps,
    Show,
    Why,
    Logs,
    Undo,
    Reset,
    Load,
    Save,
    Help,
    Type,
    Time,
    Runs,
    Resume,
    Quit,
}

/// What follows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    Nothing,
    /// A step of the session: a variable, a path or the end of one.
    Step,
    Expression,
    File,
    /// A run: its id, the beginning of it, or `last`.
    Run,
    /// A function, a method, a property or a command.
    Name,
}

/// A command of the prompt.
pub struct Command {
    /// Its name, without the colon.
    pub name: &'static str,
    /// The letter that is enough.
    pub short: &'static str,
    pub what: What,
    pub argument: Argument,
    /// Can the argument be left out?
    pub optional: bool,
    /// How the argument is called in the help.
    pub word: &'static str,
    /// What it does, in a line.
    pub help: &'static str,
}

const fn command(
    (name, short): (&'static str, &'static str),
    what: What,
    (argument, optional, word): (Argument, bool, &'static str),
    help: &'static str,
) -> Command {
    Command { name, short, what, argument, optional, word, help }
}

const NOTHING: (Argument, bool, &str) = (Argument::Nothing, true, "");

/// All commands, in the order of the help.
pub const COMMANDS: [Command; 17] = [
    command(("run", "r"), What::Run, NOTHING, "run what is new, and try again what failed"),
    command(("plan", "p"), What::Plan, NOTHING, "what would run, and in which order"),
    command(
        ("graph", "g"),
        What::Graph,
        (Argument::File, true, "[FILE]"),
        "which step waits for which; as a picture into FILE (.svg, .dot, .mmd)",
    ),
    command(("steps", "s"), What::Steps, NOTHING, "all steps, with what became of them"),
    command(("show", ""), What::Show, (Argument::Step, true, "[STEP]"), "a step in full; without one, the whole run"),
    command(("why", "w"), What::Why, (Argument::Step, true, "[STEP]"), "why a step ran, failed, waits or was skipped"),
    command(("logs", ""), What::Logs, (Argument::Step, true, "[STEP]"), "what a step wrote"),
    command(("undo", "u"), What::Undo, NOTHING, "take the last entry away"),
    command(("reset", ""), What::Reset, NOTHING, "begin anew, with an empty session"),
    command(("load", "l"), What::Load, (Argument::File, false, "FILE"), "add a script to the session"),
    command(
        ("save", ""),
        What::Save,
        (Argument::File, false, "FILE"),
        "write the session as a script (`:save! FILE` over an old one)",
    ),
    command(
        ("help", "h"),
        What::Help,
        (Argument::Name, true, "[NAME]"),
        "this list; with a name, what it means and an example",
    ),
    command(("type", "t"), What::Type, (Argument::Expression, false, "EXPR"), "what a value is"),
    command(("time", ""), What::Time, (Argument::Expression, false, "EXPR"), "how long it takes"),
    command(("runs", ""), What::Runs, NOTHING, "the latest runs of this folder"),
    command(("resume", ""), What::Resume, (Argument::Run, false, "RUN"), "take up the script and the results of a run"),
    command(("quit", "q"), What::Quit, NOTHING, "leave (Ctrl-D does it as well)"),
];

/// Is the line a command?
pub fn is_command(line: &str) -> bool {
    line.trim_start().starts_with(':')
}

/// Reads a command: which it is, whether it insists (`:save!`), and what follows.
///
/// # Errors
/// There is none of this name, or several; or something is missing or too much.
pub fn read(line: &str) -> Result<(&'static Command, bool, &str)> {
    let line = line.trim().trim_start_matches(':').trim_start();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let (name, insists) = word.strip_suffix('!').map_or((word, false), |name| (name, true));
    let (command, rest) = (find(name)?, rest.trim());
    let how = || format!("`{}`: {}", usage(command), command.help);
    if rest.is_empty() && !command.optional {
        let message = format!("`:{}` needs to know what: {}", command.name, command.word);
        return Err(Diagnostic::new("flow::repl::command", message).help(how()));
    }
    if !rest.is_empty() && command.argument == Argument::Nothing {
        let message = format!("nothing can follow `:{}`, but there is `{rest}`", command.name);
        return Err(Diagnostic::new("flow::repl::command", message).help(how()));
    }
    Ok((command, insists, rest))
}

fn blank(word: &str) -> &'static str {
    if word.is_empty() { "" } else { " " }
}

/// The command of a name, or of the unique beginning of one.
///
/// # Errors
/// There is none, or several.
pub fn find(name: &str) -> Result<&'static Command> {
    let name = if name == "?" { "help" } else { name };
    let exact = COMMANDS.iter().find(|command| command.name == name || (!name.is_empty() && command.short == name));
    if let Some(command) = exact {
        return Ok(command);
    }
    let begin: Vec<_> = COMMANDS.iter().filter(|command| !name.is_empty() && command.name.starts_with(name)).collect();
    match begin[..] {
        [one] => Ok(one),
        [] => {
            let problem = Diagnostic::new("flow::repl::command", format!("there is no command `:{name}`"));
            Err(problem.help(match nearest(name, COMMANDS.iter().map(|command| command.name)) {
                Some(near) => format!("did you mean `:{near}`? `:help` lists all commands"),
                None => "`:help` lists all commands".to_owned(),
            }))
        }
        _ => {
            let names: Vec<_> = begin.iter().map(|command| format!("`:{}`", command.name)).collect();
            let message = format!("`:{name}` could be {}", names.join(" or "));
            Err(Diagnostic::new("flow::repl::command", message).help("write more of its name"))
        }
    }
}

/// How a command is written: `:load FILE`.
pub fn usage(command: &Command) -> String {
    format!(":{}{}{}", command.name, blank(command.word), command.word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> String {
        match read(line) {
            Ok((command, insists, rest)) => format!("{:?}{} {rest}", command.what, if insists { "!" } else { "" }),
            Err(problem) => format!("{problem}; {}", problem.help_text().unwrap_or_default()),
        }
    }

    #[test]
    fn commands_can_be_short() {
        for (line, meant) in [
            (":run", "Run "),
            (":r", "Run "),
            (":l  a b ", "Load a b"),
            (":lo x", "could"),
            (":log x", "Logs x"),
            (":save! x", "Save! x"),
            (": q", "Quit "),
            (":?", "Help "),
            (":t 1 + 1", "Type 1 + 1"),
            (":res", "could be `:reset` or `:resume`"),
            (":quti", "did you mean `:quit`?"),
            (":", "`:help` lists all commands"),
            (":load", "needs to know what: FILE"),
            (":undo 3", "nothing can follow `:undo`"),
        ] {
            assert!(said(line).contains(meant), "{line}: {}", said(line));
        }
    }

    #[test]
    fn no_two_commands_have_the_same_short_form() {
        let mut all: Vec<_> = COMMANDS.iter().flat_map(|c| [c.name, c.short]).filter(|name| !name.is_empty()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
