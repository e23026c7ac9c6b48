//! The import table: a room imports only from the floors below it.

use crate::rust_files;

/// The rooms with their floors. Rooms of one floor do not see each other; floor 0 is ordered by itself.
const FLOORS: &[(&str, u32)] = &[
    ("diag", 1),
    ("plan", 2),
    ("event", 3),
    ("state", 4),
    ("lang", 10),
    ("store", 10),
    ("view", 10),
    ("exec", 20),
    ("engine", 30),
    ("flow", 40),
    ("lsp", 45),
    ("term", 42),
    ("repl", 45),
    ("cli", 50),
];

/// What only some rooms may name.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("rhai", &["lang"]),
    ("rusqlite", &["store"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("tokio", &["exec", "engine", "flow", "cli"]),
    ("indicatif", &["view"]),
    ("reqwest", &["exec"]),
    ("rustls", &["exec"]),
    ("rustyline", &["repl"]),
    ("lsp_server", &["lsp"]),
    ("lsp_types", &["lsp"]),
    ("quick_junit", &["view"]),
    ("serde_saphyr", &["lang"]),
];

fn floor(room: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor)
}

/// The room that a file of `src` belongs to; nothing for `lib.rs` and `main.rs`.
fn room_of(path: &str) -> Option<&str> {
    let room = path.strip_prefix("src/")?.split('/').next()?;
    Some(room.strip_suffix(".rs").unwrap_or(room)).filter(|room| !matches!(*room, "lib" | "main"))
}

/// A source without comments and literal texts, in which names would not be imports.
fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut letters = source.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        match letter {
            '/' if letters.peek() == Some(&'/') => {
                letters.by_ref().find(|c| *c == '\n');
                code.push('\n');
            }
            '"' => {
                let raw = before == 'r' || before == '#';
                while let Some(c) = letters.next() {
                    match c {
                        '\\' if !raw => drop(letters.next()),
                        '"' => break,
                        '\n' => code.push('\n'),
                        _ => {}
                    }
                }
            }
            '\'' => {
                // A letter such as '"' or '\''; a lifetime has no second quote.
                let mut ahead = letters.clone();
                let escaped = ahead.next() == Some('\\');
                if escaped || ahead.next() == Some('\'') {
                    letters.next();
                    letters.by_ref().find(|c| *c == '\'');
                }
            }
            letter => code.push(letter),
        }
        before = letter;
    }
    code
}

/// Names that follow `crate::` in a source, with their lines: also several in braces.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => found.push((line, word(rest))),
            Some(list) => {
                let mut depth = 0usize;
                let mut start = true;
                for (at, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && depth == 0 && !c.is_whitespace() => {
                            start = false;
                            found.push((line, word(&list[at..])));
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Does a source name a crate: `rhai::…`, `use rhai;`?
fn names(code: &str, name: &str) -> Option<usize> {
    let mut found = code.match_indices(name);
    let at = found.find(|(at, _)| {
        let before = code[..*at].chars().next_back().unwrap_or(' ');
        let after = &code[at + name.len()..];
        !(before.is_alphanumeric() || "_:.".contains(before))
            && (after.starts_with("::") || after.starts_with(';') && code[..*at].trim_end().ends_with("use"))
    })?;
    Some(code[..at.0].matches('\n').count() + 1)
}

#[test]
fn rooms_see_only_what_is_below_them() {
    let mut wrong = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (path, source) in rust_files("src") {
        let Some(room) = room_of(&path) else { continue };
        let Some(own) = floor(room) else {
            wrong.push(format!("{path}: the room `{room}` stands on no floor: name it in tests/house/floors.rs"));
            continue;
        };
        seen.insert(room.to_owned());
        let code = code(&source);
        for (line, other) in imports(&code) {
            match floor(&other) {
                _ if other == room => {}
                Some(below) if below < own => {}
                Some(_) => wrong.push(format!("{path}:{line}: `{room}` must not see `{other}`")),
                None => wrong.push(format!("{path}:{line}: `crate::{other}` is no room")),
            }
        }
        for (name, rooms) in OUTSIDE.iter().copied() {
            if let Some(line) = names(&code, name).filter(|_| !rooms.contains(&room)) {
                wrong.push(format!("{path}:{line}: only {rooms:?} may say `{name}::`, not `{room}`"));
            }
        }
    }
    assert_eq!(seen.len(), FLOORS.len(), "a room of the table is gone: {seen:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The machine is portable: it knows neither clocks nor chance nor the order of a hash map.
#[test]
fn the_machine_knows_no_clock_and_no_chance() {
    const ABSENT: [&str; 8] =
        ["Instant", "SystemTime", "HashMap", "HashSet", "tokio::", "std::fs", "std::thread", "std::process"];
    let mut wrong = Vec::new();
    for (path, source) in rust_files("src/engine") {
        // `limits` has hash maps, which it only asks by key.
        let pure = path.starts_with("src/engine/machine") || path == "src/engine/order.rs";
        if !pure || path.ends_with("tests.rs") {
            continue;
        }
        let code = code(source.split("#[cfg(test)]").next().unwrap_or_default());
        wrong.extend(ABSENT.iter().filter(|absent| code.contains(**absent)).map(|absent| format!("{path}: {absent}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Only the doors print, and nobody else ends the program; the progress bars draw themselves.
#[test]
fn only_the_doors_print() {
    let mut wrong = Vec::new();
    for (path, source) in rust_files("src") {
        let screen = path == "src/view/progress/screen.rs";
        if matches!(room_of(&path), Some("cli" | "term" | "repl" | "lsp") | None)
            || path.ends_with("tests.rs")
            || screen
        {
            continue;
        }
        let code = code(&source);
        for absent in ["println!", "eprintln!", "print!(", "process::exit", "stdout()", "stderr()"] {
            let alone = code
                .match_indices(absent)
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
            if alone {
                wrong.push(format!("{path}: {absent}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_scan_sees_imports_and_no_others() {
    let source = "use crate::plan::{self, Step};\n// crate::lang\nuse crate::{diag::{A, b}, store};\nlet a = \"crate::view\"; let c = '\"'; crate::flow::x();";
    let code = code(source);
    let found: Vec<_> = imports(&code).into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(found, ["1 plan", "3 diag", "3 store", "4 flow"]);
    assert_eq!(names("use rhai::Engine;", "rhai"), Some(1));
    assert_eq!(names("x.rhai::y", "rhai"), None);
}
