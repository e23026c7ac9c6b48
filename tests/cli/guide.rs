//! What the documents show is what happens: their sessions are typed in again, page by page.
//!
//! A block of code that begins with `// name.rhai` is a file of the page. In `console` blocks, lines with `$ ` are commands, and
//! what follows is what they print, on both streams. `FLOW_BLESS=1` writes down what really comes out.

use std::path::{Path, PathBuf};

use crate::transcript::{Session, masked_line};

const ID: &str = "20260102-150405-j2p2";

/// What is there before the sessions of a page begin: lines of shell.
const BEFORE: [(&str, &str); 1] = [(
    "semantics.md",
    "cat > deploy.rhai <<'EOF'\nlet build = sh(\"build\", \"echo built\");\nlet test = sh(\"test\", \"echo tested\");\nbuild -> test;\n\n\n\n\n\n\n\n\n\nlet push = sh(\"push\", \"echo pushed\");\nlet smoke = sh(\"smoke\", \"echo fine\");\ntest -> [push, smoke];\nEOF\nflow script deploy.rhai --quiet; sed -i 's/echo pushed/echo pushing/' deploy.rhai",
)];

/// All documents; `errors.md` is made as a whole, and checked where it is made.
fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(&folder).expect("a folder of documents").map(|file| file.expect("a file").path())
        {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") && !path.ends_with("docs/errors.md") {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

/// What does not differ from run to run: without times, and progress in any order.
fn comparable(command: &str, lines: &[String]) -> Vec<String> {
    let mut lines: Vec<String> =
        lines.iter().map(|line| masked_line(line)).filter(|line| !line.trim().is_empty()).collect();
    if ["flow script", "flow resume", "flow logs"].iter().any(|word| command.contains(word)) {
        lines.sort();
    }
    lines
}

/// Is this shown? After `…` the rest is left out.
fn is_same(command: &str, shown: &[String], actual: &[String]) -> bool {
    match shown.iter().position(|line| line == "…") {
        Some(end) => comparable(command, &shown[..end]) == comparable(command, &actual[..end.min(actual.len())]),
        None => comparable(command, shown) == comparable(command, actual),
    }
}

/// What a command prints, with one id in the place of each run's.
fn answer(session: &Session, command: &str) -> Vec<String> {
    let output = session.run(&format!("{{ {command}\n}} 2>&1"));
    let here = session.folder().canonicalize().expect("the folder is there").display().to_string();
    let text = String::from_utf8_lossy(&output.stdout).replace(&here, "/home/ada/project");
    if output.status.code() == Some(137) || text.lines().any(|line| line.ends_with("Killed")) {
        // Shells tell of it in different words.
        return vec!["Killed".to_owned()];
    }
    text.lines().map(|line| with_one_id(line.trim_end())).collect()
}

fn with_one_id(line: &str) -> String {
    let is_id = |word: &str| {
        let parts: Vec<&str> = word.split('-').collect();
        matches!(parts[..], [day, time, end] if day.len() == 8 && time.len() == 6 && end.len() == 4 && day.bytes().all(|b| b.is_ascii_digit()))
    };
    let words = line.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words
        .map(|word| {
            let bare = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            if is_id(bare) { word.replace(bare, ID) } else { word.to_owned() }
        })
        .collect()
}

/// A page as it should be, and how many commands are in it.
fn replayed(path: &Path, page: &str) -> (String, usize, Vec<String>) {
    let session = Session::new();
    if let Some((_, before)) = BEFORE.iter().find(|(name, _)| path.ends_with(name)) {
        session.run(before);
    }
    let (mut text, mut typed, mut wrong) = (String::new(), 0, Vec::new());
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        text.push_str(line);
        text.push('\n');
        let Some(tag) = line.strip_prefix("```").filter(|tag| !tag.is_empty()) else { continue };
        let mut block = Vec::new();
        for line in lines.by_ref().take_while(|line| *line != "```") {
            block.push(line.to_owned());
        }
        let name = block.first().and_then(|line| line.strip_prefix("// ")).filter(|name| name.ends_with(".rhai"));
        if let Some(name) = name {
            session.file(name, block.join("\n") + "\n");
        }
        if tag != "console" {
            text.push_str(&(block.join("\n") + "\n```\n"));
            continue;
        }
        let mut block = block.into_iter().peekable();
        while let Some(line) = block.next() {
            let Some(command) = line.strip_prefix("$ ") else { continue };
            let mut shown = Vec::new();
            while let Some(line) = block.next_if(|line| !line.starts_with("$ ")) {
                shown.push(line);
            }
            let actual = answer(&session, command);
            typed += 1;
            text.push_str(&format!("$ {command}\n"));
            // What is the same in all but times stays as it is written.
            // In the guide everything is shown; elsewhere a command may stand without what it prints.
            let left_out = shown.is_empty() && !path.to_string_lossy().contains("/guide/");
            let same = left_out || is_same(command, &shown, &actual);
            let lines = if same { &shown } else { &actual };
            lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
            if !same {
                wrong.push(format!("$ {command}\n--- shown\n{}\n--- actual\n{}", shown.join("\n"), actual.join("\n")));
            }
        }
        text.push_str("```\n");
    }
    (text, typed, wrong)
}

#[test]
fn sessions_of_the_documents_are_as_shown() {
    let (mut typed, mut wrong) = (0, Vec::new());
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("a page can be read");
        let (text, commands, differences) = replayed(&path, &page);
        typed += commands;
        if differences.is_empty() {
            continue;
        }
        match std::env::var_os("FLOW_BLESS") {
            Some(_) => std::fs::write(&path, text).expect("a page can be written"),
            None => wrong.push(format!("{}\n{}", path.display(), differences.join("\n"))),
        }
    }
    assert!(typed > 30, "only {typed} commands were found");
    assert!(wrong.is_empty(), "{}\nFLOW_BLESS=1 writes down what comes out", wrong.join("\n\n"));
}

/// Commands that stand in blocks of shell have the options that they are given.
#[test]
fn commands_in_documents_exist() {
    let session = Session::new();
    let mut wrong = Vec::new();
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("a page can be read");
        for block in page.split("```sh\n").skip(1) {
            let lines = block.split("```").next().unwrap_or_default().lines();
            for line in lines.map(|line| line.split(" #").next().unwrap_or_default()) {
                let Some(at) = line.find("flow ").filter(|at| *at == 0 || line[..*at].ends_with(' ')) else { continue };
                let words: Vec<&str> =
                    line[at..].split(['|', ';', '&']).next().unwrap_or_default().split_whitespace().collect();
                let Some(command) = words.get(1) else { continue };
                let help = session.run(&format!("flow {command} --help"));
                let mut help = String::from_utf8_lossy(&help.stdout).into_owned();
                let inner = words
                    .get(2)
                    .filter(|word| help.lines().any(|line| line.trim_start().split(' ').next() == Some(**word)));
                if let Some(inner) = inner {
                    let more = session.run(&format!("flow {command} {inner} --help"));
                    help.push_str(&String::from_utf8_lossy(&more.stdout));
                }
                let known =
                    |option: &str| help.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| word == option);
                if help.is_empty() {
                    wrong.push(format!("{}: there is no `flow {command}`", path.display()));
                }
                for option in words.iter().filter_map(|word| word.strip_prefix("--")) {
                    let option = format!("--{}", option.split('=').next().unwrap_or_default());
                    if option != "--" && !known(&option) {
                        wrong.push(format!("{}: `flow {command}` has no {option}", path.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each page ends with where to go next, and every link in the documents leads somewhere.
#[test]
fn links_of_the_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    let mut folders = vec![root.join("docs")];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(&folder).expect("a folder of documents") {
            let path = file.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.extension().is_none_or(|ending| ending != "md") {
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a page can be read");
            if folder.ends_with("guide") && !path.ends_with("README.md") && !text.contains("\n## Next\n") {
                wrong.push(format!("{}: does not say where to go next", path.display()));
            }
            for (at, _) in text.match_indices("](") {
                let link = text[at + 2..].split(')').next().unwrap_or_default();
                if link.starts_with("http") {
                    continue;
                }
                let (file, place) = link.split_once('#').unwrap_or((link, ""));
                let target = if file.is_empty() { path.clone() } else { folder.join(file) };
                let Ok(text) = std::fs::read_to_string(&target) else {
                    if !target.is_dir() {
                        wrong.push(format!("{}: {link} is not there", path.display()));
                    }
                    continue;
                };
                if !place.is_empty() && !headings(&text).any(|heading| heading == place) {
                    wrong.push(format!("{}: {link}: there is no such heading", path.display()));
                }
            }
        }
    }
    let index = std::fs::read_to_string(root.join("docs/README.md")).expect("there is an index");
    for path in pages() {
        let below = path.strip_prefix(root.join("docs")).expect("a document is in docs").display().to_string();
        if !below.ends_with("README.md") && !below.starts_with("reference/") && !index.contains(&format!("({below})")) {
            wrong.push(format!("docs/README.md: does not name {below}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The anchors that web pages give to headings.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text.lines().filter(|line| line.starts_with('#'));
    titles.map(|line| {
        let title = line.trim_start_matches('#').trim();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
    })
}
