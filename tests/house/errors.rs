//! `docs/errors.md` is made from the list of codes; each code is used, and each that is used is listed.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use flow::diag::{Kind, codes};
use flow::lang::Script;

use crate::refused::{self, args, findings, text};
use crate::{is_current, rust_files};

/// What shows a code that no script could: lines of shell, of which the last one is shown with what it answers.
const SESSIONS: [(&str, &str); 14] = [
    ("flow::file::missing", "echo > deploy.rhai\nflow script deplyo.rhai"),
    ("flow::file::unreadable", "mkdir scripts\nflow script scripts"),
    ("flow::file::encoding", "printf 'let a = \"\\377\";' > old.rhai\nflow check old.rhai"),
    ("flow::file::too_large", "head -c 1100000 /dev/zero | tr '\\0' ' ' > large.rhai\nflow check large.rhai"),
    ("flow::cli::usage", "flow docs retyr"),
    ("flow::run::unknown", "flow show last"),
    ("flow::run::over", "echo 'sh(\"a\", \"true\");' > a.rhai\nflow script a.rhai --quiet\nflow resume last"),
    ("flow::run::no_step", "echo 'sh(\"build\", \"true\");' > a.rhai\nflow script a.rhai --quiet\nflow why last biuld"),
    (
        "flow::pipeline::none",
        "echo 'sh(\"a\", \"true\");' > a.rhai\nflow script a.rhai --quiet\nflow pipeline replay last",
    ),
    ("flow::config::syntax", "echo '[retention' > flow.toml\necho 'sh(\"a\", \"true\");' > a.rhai\nflow script a.rhai"),
    (
        "flow::config::unknown",
        "printf '[retention]\\nkep = \"30d\"\\n' > flow.toml\necho 'sh(\"a\", \"true\");' > a.rhai\nflow script a.rhai",
    ),
    (
        "flow::config::value",
        "printf '[retention]\\nkeep = 30\\n' > flow.toml\necho 'sh(\"a\", \"true\");' > a.rhai\nflow script a.rhai",
    ),
    (
        "flow::param::unknown",
        "echo 'let env = param(\"env\", #{ default: \"staging\" });' > a.rhai\nflow check a.rhai --arg evn=production",
    ),
    (
        "flow::param::value",
        "echo 'let count = param(\"count\", #{ default: 3 });' > a.rhai\nflow check a.rhai --arg count=many",
    ),
];

/// The last line of a session, and what it answers.
fn session(lines: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder for the session");
    let own = Path::new(env!("CARGO_BIN_EXE_flow")).parent().expect("a binary is in a folder").display();
    let path = format!("{own}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{lines} 2>&1")]).current_dir(folder.path()).env("PATH", path).env_remove("FLOW_HOME");
    let answer = shell.output().expect("a shell starts").stdout;
    let here = folder.path().canonicalize().expect("the folder is there").display().to_string();
    let answer = String::from_utf8_lossy(&answer).replace(&here, "/home/ada");
    (lines.lines().last().unwrap_or_default().to_owned(), with_one_run(&answer))
}

/// The text with one id in the place of each run's.
fn with_one_run(text: &str) -> String {
    let is_id = |word: &str| {
        let parts: Vec<&str> = word.split('-').collect();
        matches!(parts[..], [day, time, end] if day.len() == 8 && time.len() == 6 && end.len() == 4 && day.bytes().all(|b| b.is_ascii_digit()))
    };
    let words = text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words
        .map(|word| {
            let id = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            if is_id(id) { word.replace(id, "20260102-150405-k3fz") } else { word.to_owned() }
        })
        .collect()
}

/// A script that shows a code: its own example, or one of the refused scripts.
fn example(code: &codes::Code, refused: &[(String, String)]) -> Option<(Script, String)> {
    if let Some(script) = code.example {
        let script = Script::from_text("script.rhai", format!("{script}\n"));
        let found = findings(&script, &args(&script.text));
        // The first alone, as it comes: with a script that is wrong in one way, it is the only one.
        return Some((script, text(&found[..found.len().min(1)])));
    }
    let (name, shown) = refused.iter().find(|(_, shown)| shown.starts_with(&format!("{}\n", code.name)))?;
    Some((refused::script(name), shown.clone()))
}

fn page() -> String {
    let mut page = String::from(
        "<!-- Made from src/diag/codes.rs by tests/house/errors.rs: FLOW_BLESS=1 cargo test --test house -->\n\n\
         # Errors\n\n\
         Whatever goes wrong is told in one form: a code, what happened, the place in the script, and what to do.\n\
         With `--json` the same comes as data: `{\"error\": {\"code\", \"message\", \"help\", \"labels\": [{\"file\", \"line\", \"column\", \"text\"}]}}`.\n\n\
         Exit code 2: the command line, the script or a parameter is wrong, and nothing was executed. Exit code 1: the run failed, or its database did.\n",
    );
    let refused = refused::recorded();
    let of_room = |code: &codes::Code| code.name.split("::").nth(1).unwrap_or_default();
    let mut rooms: Vec<&str> = Vec::new();
    for code in codes::CODES {
        if !rooms.contains(&of_room(code)) {
            rooms.push(of_room(code));
        }
    }
    let mut room = "";
    for code in rooms.iter().flat_map(|room| codes::CODES.iter().filter(move |code| of_room(code) == *room)) {
        let of = of_room(code);
        if of != room {
            room = of;
            let _ = write!(page, "\n## {}\n", title(room));
        }
        let exit = if code.kind == Kind::Usage { 2 } else { 1 };
        let warning = code.meaning.starts_with("A warning");
        let meaning = code.meaning.trim_end_matches('.');
        let _ = match warning {
            true => write!(page, "\n### `{}`\n\n{meaning}. The script can run.\n", code.name),
            false => write!(page, "\n### `{}`\n\n{meaning}. Exit code {exit}.\n", code.name),
        };
        if let Some((_, lines)) = SESSIONS.iter().find(|(shows, _)| *shows == code.name) {
            let (command, answer) = session(lines);
            let _ = write!(page, "\n```console\n$ {command}\n{answer}```\n");
        } else if let Some((script, shown)) = example(code, &refused) {
            let _ = write!(page, "\n```rhai,refused\n{}```\n\n```text\n{shown}```\n", script.text);
        }
    }
    page
}

fn title(room: &str) -> &str {
    match room {
        "file" => "Files",
        "cli" => "Command line",
        "run" => "Runs",
        "plan" => "Plans",
        "store" => "Database",
        "param" => "Parameters",
        "lang" => "Language",
        "exec" => "Processes",
        "key" => "Keys",
        "export" => "Exports",
        "config" => "Settings of a project",
        other => other,
    }
}

#[test]
fn the_page_of_errors_is_current() {
    is_current("docs/errors.md", &page()).unwrap_or_else(|difference| panic!("{difference}"));
}

#[test]
fn sessions_show_their_codes() {
    for (code, lines) in SESSIONS {
        let (_, answer) = session(lines);
        assert!(answer.contains(code), "{lines}\n{answer}");
        assert!(answer.contains("help:"), "{lines}\n{answer}");
    }
}

#[test]
fn every_example_of_a_code_shows_that_code() {
    for code in codes::CODES {
        let Some(script) = code.example else { continue };
        let found = findings(&Script::from_text("script.rhai", script), &args(script));
        let Some(first) = found.first() else { panic!("{}: nothing is wrong with\n{script}", code.name) };
        assert_eq!(first.code(), code.name, "{first}\n{script}");
        assert!(first.help_text().is_some(), "{}: no help", code.name);
        assert!(first.span().is_some(), "{}: no place", code.name);
    }
}

#[test]
fn codes_are_listed_once_and_used() {
    let mut listed = BTreeSet::new();
    for code in codes::CODES {
        assert!(listed.insert(code.name), "{} is listed twice", code.name);
        assert!(code.meaning.ends_with('.'), "{}: its meaning is a sentence", code.name);
    }
    let mut used = BTreeSet::new();
    for (path, source) in rust_files("src") {
        if path != "src/diag/codes.rs" {
            used.extend(quoted_codes(&source));
        }
    }
    let used: BTreeSet<&str> = used.iter().map(String::as_str).collect();
    let missing: Vec<_> = used.difference(&listed).collect();
    assert!(missing.is_empty(), "used, but not in src/diag/codes.rs: {missing:?}");
    let idle: Vec<_> = listed.difference(&used).collect();
    assert!(idle.is_empty(), "in src/diag/codes.rs, but not used: {idle:?}");
}

/// All texts of the form `"flow::room::what"`.
fn quoted_codes(source: &str) -> Vec<String> {
    let texts = source.split('"').filter(|text| text.starts_with("flow::") && text.matches("::").count() == 2);
    texts.filter(|text| text.chars().all(|c| c.is_ascii_lowercase() || "_:".contains(c))).map(str::to_owned).collect()
}
