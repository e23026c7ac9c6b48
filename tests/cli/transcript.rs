//! Transcripts: commands as a person types them, with what comes out, and what differs from run to run masked.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::golden;

/// A folder to work in, and what was typed there.
pub struct Session {
    folder: TempDir,
    text: String,
}

impl Session {
    pub fn new() -> Self {
        Session { folder: tempfile::tempdir().expect("a folder for the test"), text: String::new() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("folders can be made");
        std::fs::write(path, content).expect("files can be written");
        self
    }

    /// A command that has been prepared: this binary first in the path, nothing of the caller's settings.
    pub fn command(&self, program: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_flow"));
        let path = std::env::var("PATH").unwrap_or_default();
        let own = binary.parent().expect("a binary is in a folder").display();
        let mut command = Command::new(program);
        command
            .current_dir(self.folder())
            .env("PATH", format!("{own}:{path}"))
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8");
        for name in ["FLOW_HOME", "RUST_LOG", "NO_COLOR", "FLOW_RUN", "FLOW_STEP"] {
            command.env_remove(name);
        }
        command
    }

    /// Runs a line of shell.
    pub fn run(&self, line: &str) -> Output {
        self.command("sh").args(["-c", line]).output().expect("a shell starts")
    }

    /// Runs a line of shell and writes down what came out.
    pub fn type_in(&mut self, line: &str) -> &mut Self {
        let output = self.run(line);
        self.text.push_str(&format!("$ {line}\n"));
        self.text.push_str(&self.masked(&output.stdout));
        if !output.stderr.is_empty() {
            self.text.push_str("--- stderr\n");
            self.text.push_str(&self.masked(&output.stderr));
        }
        match output.status.code() {
            Some(0) => {}
            code => self.text.push_str(&format!("--- exit code {}\n", code.map_or("none".into(), |c| c.to_string()))),
        }
        self.text.push('\n');
        self
    }

    /// Compares the transcript with its golden file: one of the folder `cli`, if no other is named.
    pub fn check(&self, name: &str) {
        let name = if name.contains('/') { name.to_owned() } else { format!("cli/{name}") };
        golden::check(&format!("{name}.txt"), &self.text);
    }

    fn masked(&self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        let folder = self.folder().canonicalize().expect("the folder is there");
        let mut text = text.replace(&folder.display().to_string(), "FOLDER");
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str("(no newline)\n");
        }
        let masked = recent(mask(&rates(&text)));
        // Columns are as wide as the times in them.
        if masked.contains("TIME") { masked.lines().map(|line| narrow(line) + "\n").collect() } else { masked }
    }
}

/// A slow machine needs longer: `7 s ago` is just now as well.
fn recent(mut text: String) -> String {
    while let Some(end) = text.find(" s ago") {
        let digits = text[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
        text.replace_range(digits..end + " s ago".len(), "just now");
    }
    text
}

/// A line with what differs from run to run masked, and the blanks between columns with it.
pub fn masked_line(line: &str) -> String {
    narrow(&recent(mask(&rates(line))))
}

/// A line with how much went through in a second, and very short times, masked.
fn rates(line: &str) -> String {
    let mut text = line.to_owned();
    for (ending, mask) in [("/s", "RATE"), ("µs", "TIME")] {
        let mut from = 0;
        while let Some(at) = text[from..].find(ending).map(|at| at + from) {
            let is_figure = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
            let before = text[..at].trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let before = if ending == "/s" { before } else { &text[..at] };
            let start = before.trim_end_matches(is_figure).len();
            let end = at + ending.len();
            let ends = !text[end..].starts_with(|c: char| c.is_alphanumeric());
            if start < before.len() && ends {
                text.replace_range(start..end, mask);
                from = start + mask.len();
            } else {
                from = end;
            }
        }
    }
    text
}

/// A line with at most two blanks between words; those at its beginning stay.
fn narrow(line: &str) -> String {
    let words = line.trim_start();
    let mut text = line[..line.len() - words.len()].to_owned();
    let mut blanks = 0;
    for letter in words.chars() {
        blanks = if letter == ' ' { blanks + 1 } else { 0 };
        if blanks <= 2 {
            text.push(letter);
        }
    }
    text
}

/// Masks ids of runs, hashes, times of day and durations.
pub fn mask(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '_');
    let mut masked = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        if !is_word(first) {
            masked.push_str(word);
            continue;
        }
        let tail = word.trim_end_matches(['.', ':', '-']);
        let mask = match tail {
            _ if is_run(tail) => Some("RUN"),
            _ if matches!(tail.len(), 12 | 64) && tail.bytes().all(|b| b.is_ascii_hexdigit()) => Some("HASH"),
            _ if is_clock(tail) => Some("CLOCK"),
            _ if is_duration(tail) => Some("TIME"),
            _ => None,
        };
        masked.push_str(mask.unwrap_or(tail));
        masked.push_str(&word[tail.len()..]);
    }
    masked
}

/// `20260102-150405-k3fz`
fn is_run(word: &str) -> bool {
    let parts: Vec<_> = word.split('-').collect();
    let digits = |text: &str, n| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    matches!(parts[..], [day, time, end] if digits(day, 8) && digits(time, 6) && end.len() == 4)
}

/// `15:04:05`
fn is_clock(word: &str) -> bool {
    let parts: Vec<_> = word.split(':').collect();
    parts.len() == 3 && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
}

/// `12ms`, `1.2s`, `3m04s`
fn is_duration(word: &str) -> bool {
    let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &word[number.len()..];
    number.starts_with(|c: char| c.is_ascii_digit())
        && matches!(unit, "ms" | "s")
        && number.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 'm')
}

#[test]
fn what_differs_is_masked() {
    assert_eq!(
        mask("run 20260102-150405-k3fz began 15:04:05, took    1.2s.\n✓ a  12ms  3m04s x.rhai:12 v1.4\n"),
        "run RUN began CLOCK, took    TIME.\n✓ a  TIME  TIME x.rhai:12 v1.4\n"
    );
    assert_eq!(rates("41,200/s 1.2MiB/s 85µs x/src/s a/s"), "RATE RATE TIME x/src/s a/s");
    assert_eq!(recent("a (17 s ago) b".into()), "a (just now) b");
    assert_eq!(narrow("  ✓ a      b  c d"), "  ✓ a  b  c d");
}
