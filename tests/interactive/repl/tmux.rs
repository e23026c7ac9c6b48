//! A real terminal, which tmux plays.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::transcript::Session;

/// Longest time until something is to be seen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with a session in it, on a server of its own.
pub struct Terminal {
    pub session: Session,
    socket: String,
}

impl Terminal {
    /// Opens one of so many columns and types this in the shell. Nothing: there is no tmux here.
    pub fn open(columns: usize, prepare: impl FnOnce(&Session), line: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            #[allow(clippy::print_stderr)]
            {
                eprintln!("skipped: tmux is not here");
            }
            return None;
        }
        let session = Session::new();
        prepare(&session);
        let socket = session.folder().join("tmux").display().to_string();
        let terminal = Terminal { session, socket };
        let columns = columns.to_string();
        let opened = terminal.tmux(&["new-session", "-d", "-x", &columns, "-y", "50", "env PS1='> ' sh"]);
        assert!(opened.status.success(), "{opened:?}");
        terminal.sees(">").line(line);
        Some(terminal)
    }

    fn tmux(&self, args: &[&str]) -> Output {
        let mut command = self.session.command("tmux");
        command.env("FLOW_USER", "ann").env("TERM", "xterm-256color").env_remove("TMUX").env_remove("XDG_STATE_HOME");
        command.env("HOME", self.session.folder());
        command.args(["-S", &self.socket, "-f", "/dev/null"]).args(args).output().expect("tmux starts")
    }

    /// Presses keys, by their names.
    pub fn keys(&self, keys: &[&str]) -> &Self {
        self.tmux(&[&["send-keys"], keys].concat());
        self
    }

    /// Gives the line up, and waits for the next prompt: what is typed at the same moment is lost with it.
    #[track_caller]
    pub fn gives_up(&self) -> &Self {
        let prompts = self.screen().matches("flow>").count();
        self.keys(&["C-c"]).waits_for_prompts(prompts + 1)
    }

    /// Types letters.
    pub fn types(&self, text: &str) -> &Self {
        self.tmux(&["send-keys", "-l", "--", text]);
        self
    }

    /// Types a line.
    pub fn line(&self, text: &str) -> &Self {
        self.types(text).keys(&["Enter"])
    }

    /// Pastes a text as terminals do it.
    pub fn pastes(&self, text: &str) -> &Self {
        self.session.file("pasted", text);
        self.tmux(&["load-buffer", &self.session.folder().join("pasted").display().to_string()]);
        self.tmux(&["paste-buffer", "-p"]);
        self
    }

    pub fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]);
        let screen = String::from_utf8_lossy(&output.stdout).into_owned();
        screen.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>().trim_end().to_owned()
    }

    /// Waits until this is the last thing on the screen.
    #[track_caller]
    pub fn sees(&self, end: &str) -> &Self {
        self.waits(|screen| screen.ends_with(end), end)
    }

    /// Waits until this is somewhere on the screen.
    #[track_caller]
    pub fn shows(&self, part: &str) -> &Self {
        self.waits(|screen| screen.contains(part), part)
    }

    /// Waits until there are so many prompts, and the last one is empty.
    #[track_caller]
    pub fn waits_for_prompts(&self, count: usize) -> &Self {
        let are = |screen: &str| screen.ends_with("flow>") && screen.matches("flow>").count() >= count;
        self.waits(are, &format!("flow> ({count} times)"))
    }

    #[track_caller]
    fn waits(&self, is: impl Fn(&str) -> bool, wanted: &str) -> &Self {
        let begun = Instant::now();
        while !is(&self.screen()) {
            assert!(begun.elapsed() < PATIENCE, "no `{wanted}` in:\n{}", self.screen());
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
