//! Questions in a real terminal, which tmux plays.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::transcript::Session;

/// Longest time until something is to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with a shell in it, on a server of its own.
struct Terminal {
    session: Session,
    socket: String,
}

impl Terminal {
    /// Nothing: there is no tmux here.
    fn open(name: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            return None;
        }
        let session = Session::new();
        let socket = session.folder().join("tmux").display().to_string();
        let terminal = Terminal { session, socket };
        let shell = ["new-session", "-d", "-s", name, "-x", "100", "-y", "50", "env PS1='> ' sh"];
        let opened = terminal.tmux(&shell);
        assert!(opened.status.success(), "{opened:?}");
        Some(terminal)
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let mut command = self.session.command("tmux");
        command.env("FLOW_USER", "ann").env("TERM", "xterm-256color").env_remove("TMUX");
        command.args(["-S", &self.socket, "-f", "/dev/null"]).args(args).output().expect("tmux starts")
    }

    fn keys(&self, keys: &[&str]) -> &Self {
        self.tmux(&[&["send-keys"], keys].concat());
        self
    }

    fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]);
        let screen = String::from_utf8_lossy(&output.stdout).into_owned();
        screen.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>().trim_end().to_owned()
    }

    /// Waits until this is the last thing on the screen.
    #[track_caller]
    fn sees(&self, end: &str) -> &Self {
        let begun = Instant::now();
        while !self.screen().ends_with(end) {
            assert!(begun.elapsed() < PATIENCE, "no `{end}` at the end of:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
        self
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

const TWO: &str = r#"
let gate = approve("gate", #{ prompt: "Ship it?", form: #{ hosts: 3, version: #{ type: "string" } } });
gate -> sh("ship", `echo ${gate.version} on ${gate.hosts}, says ${gate.by}: ${gate.comment}`);
let colour = approve("colour", #{ prompt: "Which colour?", choices: ["blue", "green", "grey"] }).after(gate);
colour -> sh("paint", `echo ${colour.output}`);
"#;

/// A terminal, or the message that there is none.
fn terminal(name: &str, script: &str) -> Option<Terminal> {
    let terminal = Terminal::open(name);
    match &terminal {
        Some(terminal) => drop(terminal.session.file("two.rhai", script)),
        #[allow(clippy::print_stderr)]
        None => eprintln!("skipped: tmux is not here"),
    }
    terminal
}

#[test]
fn a_person_is_asked_or_skipped_without_tmux() {
    let Some(terminal) = terminal("asked", TWO) else { return };
    terminal.sees(">").keys(&["flow script two.rhai; echo code $?", "Enter"]);
    terminal.sees("? gate asks: Ship it?\n  1 yes   2 no   (Enter: not now)\n  answer:").keys(&["maybe", "Enter"]);
    terminal.sees("`maybe` is none of: 1 yes   2 no\n  answer:").keys(&["y", "Enter"]);
    terminal.sees("hosts (a whole number such as 3) [3]:").keys(&["many", "Enter"]);
    terminal.sees("`hosts` is a whole number such as 3\n  hosts (a whole number such as 3) [3]:").keys(&["Enter"]);
    terminal.sees("version (a text):").keys(&["1.10", "Enter"]);
    terminal.sees("comment:").keys(&["go", "Enter"]);
    terminal.sees("1 blue   2 green   3 grey   (Enter: not now)\n  answer:").keys(&["gr", "Enter"]);
    terminal.sees("`gr` could be `green` or `grey`\n  answer:").keys(&["2", "Enter"]);
    terminal.sees("comment:").keys(&["Enter"]);
    terminal.sees("code 0\n>");
    let shown = terminal.session.run("flow show last");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("1.10 on 3, says ann: go") && shown.contains("green, by ann"), "{shown}");
}

#[test]
fn a_question_can_be_left_withdrawn_or_interrupted_or_skipped_without_tmux() {
    let script = "approve(\"one\") -> sh(\"after-one\", \"true\");\napprove(\"two\");\n";
    let Some(terminal) = terminal("left", script) else { return };
    // Not now, by Enter and by Ctrl-D: nothing else is to be done.
    terminal.sees(">").keys(&["flow script two.rhai; echo code $?", "Enter"]);
    terminal.sees("? one asks: is this to go on?\n  1 yes   2 no   (Enter: not now)\n  answer:").keys(&["Enter"]);
    terminal.sees("? two asks: is this to go on?\n  1 yes   2 no   (Enter: not now)\n  answer:").keys(&["C-d"]);
    terminal.sees("code 3\n>");
    // Ctrl-C lets go.
    terminal.keys(&["clear; flow resume last; echo code $?", "Enter"]);
    terminal.sees("answer:").keys(&["C-c"]).sees("code 130\n>");
    // Somebody else answers.
    terminal.keys(&["clear; flow resume last; echo code $?", "Enter"]);
    terminal.sees("one asks: is this to go on?\n  1 yes   2 no   (Enter: not now)\n  answer:");
    let other = terminal.session.run("flow approve last one --by bob");
    assert!(other.status.success(), "{other:?}");
    terminal.sees("two asks: is this to go on?\n  1 yes   2 no   (Enter: not now)\n  answer:");
    assert!(terminal.screen().contains("no longer asked\n◷ one: bob answered `yes`"), "{}", terminal.screen());
    terminal.keys(&["no", "Enter"]).sees("comment:").keys(&["too late", "Enter"]).sees("code 1\n>");
    assert!(terminal.screen().contains("it was refused by ann: too late"), "{}", terminal.screen());
    // Nobody is asked who does not want to be.
    terminal.keys(&["clear; flow script two.rhai --no-input; echo code $?", "Enter"]).sees("code 3\n>");
}
