//! The README does what it says: its sessions are typed in again, its commands and files exist.

use std::collections::BTreeSet;
use std::path::Path;

use crate::transcript::{self, Session};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is a README")
}

/// The blocks of code: what stands behind the fence, and the lines.
fn blocks(text: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(tag) if !open => {
                open = true;
                blocks.push((tag.to_owned(), Vec::new()));
            }
            Some(_) => open = false,
            None if open => blocks.last_mut().expect("a block is open").1.push(line.to_owned()),
            None => {}
        }
    }
    blocks
}

/// What does not differ from run to run: without times, and progress in any order.
fn comparable(command: &str, lines: &[String]) -> Vec<String> {
    let masked = |line: &String| transcript::masked_line(line);
    let mut lines: Vec<String> = lines.iter().map(masked).filter(|line| !line.trim().is_empty()).collect();
    if command.starts_with("flow script") || command.starts_with("flow resume") {
        lines.sort();
    }
    lines
}

#[test]
fn sessions_of_the_readme_are_as_shown() {
    let session = Session::new();
    session.file(
        "typo.rhai",
        "// typo.rhai\nlet t = sh(\"test\", \"make test\");\nif t.passed { sh(\"publish\", \"make publish\"); }\n",
    );
    let mut typed = 0;
    for (tag, lines) in blocks(&readme()) {
        if let Some(name) =
            lines.first().and_then(|line| line.strip_prefix("// ")).filter(|name| name.ends_with(".rhai"))
        {
            session.file(name, lines.join("\n") + "\n");
        }
        if tag != "console" {
            continue;
        }
        for part in lines.join("\n").split("$ ").filter(|part| part.starts_with("flow ") || part.starts_with("cat ")) {
            let mut lines = part.lines().map(str::to_owned);
            let command = lines.next().expect("a command");
            let mut shown = comparable(&command, &lines.collect::<Vec<_>>());
            let output = session.run(&format!("{{ {command}; }} 2>&1"));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let mut actual = comparable(&command, &text.lines().map(str::to_owned).collect::<Vec<_>>());
            // The rest is left out.
            if shown.last().is_some_and(|line| line == "…") {
                shown.pop();
                actual.truncate(shown.len());
            }
            match shown == ["Killed"] {
                // Shells tell of it in different words.
                true => assert_eq!(output.status.code(), Some(137), "{command}"),
                false => assert_eq!(shown, actual, "$ {command}"),
            }
            typed += 1;
        }
    }
    assert!(typed >= 8, "only {typed} commands were found");
}

#[test]
fn commands_and_files_of_the_readme_exist() {
    let text = readme();
    let session = Session::new();
    let mut wrong = BTreeSet::new();
    let commands =
        blocks(&text).into_iter().filter(|(tag, _)| tag == "sh" || tag == "console").flat_map(|(_, lines)| lines);
    for line in commands {
        let line = line.trim_start_matches("$ ").split(" #").next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        let words = match words[..] {
            ["flow", ..] => &words[1..],
            ["cargo", "run", "--release", "--", ..] => &words[4..],
            _ => continue,
        };
        let help = session.run(&format!("flow {} --help", words[0]));
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let known = |option: &str| help.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| word == option);
        for word in words {
            if word.starts_with("--") && !known(word) {
                wrong.insert(format!("`flow {}` has no {word}", words[0]));
            }
        }
        if help.is_empty() {
            wrong.insert(format!("there is no `flow {}`", words[0]));
        }
    }
    for (at, _) in text.match_indices("](") {
        let link = text[at + 2..].split(')').next().unwrap_or_default();
        if !link.starts_with("http") && !Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists() {
            wrong.insert(format!("{link} is not there"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
