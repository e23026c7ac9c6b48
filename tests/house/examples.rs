//! Every script that stands in a document compiles and gives a plan.
//!
//! ```` ```rhai ```` : the plan is built. ```` ```rhai,no_run ```` : it only compiles (it needs parameters or files).
//! ```` ```rhai,refused ```` : it is refused, or warned about.
//! ```` ```rhai,test ```` : tests of workflows, or what stands in one: all pass.

use flow::flow::{Config, Flow, Options, PROJECT_KEYS, TestEnd, TestOptions};
use std::path::Path;

use flow::lang::{Program, Script};

use crate::refused::{args, findings, text};
use crate::{is_current, repository};

/// A block of code in a document.
struct Block {
    place: String,
    tag: String,
    code: String,
}

/// The documents that hold scripts.
fn documents() -> Vec<String> {
    let mut documents = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned()];
    documents.extend(pages("docs"));
    documents.sort();
    documents
}

/// All pages of a folder, and of those in it.
fn pages(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(repository(folder)).expect("the folder is there") {
        let path = format!("{folder}/{}", file.expect("a file").file_name().to_string_lossy());
        if repository(&path).is_dir() {
            found.extend(pages(&path));
        } else if path.ends_with(".md") {
            found.push(path);
        }
    }
    found
}

fn blocks(document: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(repository(document)).unwrap_or_default();
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (n, line) in text.lines().enumerate() {
        match line.trim_start().strip_prefix("```") {
            Some(tag) if !open => {
                open = true;
                blocks.push(Block { place: format!("{document}:{}", n + 1), tag: tag.to_owned(), code: String::new() });
            }
            Some(_) => open = false,
            None if open => {
                let block = blocks.last_mut().expect("a block is open");
                block.code.push_str(line);
                block.code.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// What documents show of `flow.toml` can be read as one.
#[test]
fn settings_of_projects_in_documents_can_be_read() {
    let mut read = 0;
    for block in documents().iter().flat_map(|document| blocks(document)).filter(|block| block.tag == "toml") {
        // Other programs have such files, too.
        if !PROJECT_KEYS.iter().any(|keys| block.code.contains(&format!("[{}]", keys.name))) {
            continue;
        }
        if let Err(problem) = Config::parse(Path::new("/project/flow.toml"), &block.code) {
            panic!("{}: {problem}", block.place);
        }
        read += 1;
    }
    assert!(read >= 4, "only {read} were found");
}

/// Behind a script that is refused stands what it is answered, where it is shown: ```` ```text ````.
#[test]
fn answers_in_documents_are_as_shown() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    // That page is made as a whole.
    for document in documents().into_iter().filter(|document| document != "docs/errors.md") {
        let page = std::fs::read_to_string(repository(&document)).expect("a document can be read");
        let mut actual = String::new();
        let mut parts = page.split("```rhai,refused\n");
        actual.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let (script, rest) = part.split_once("```\n").expect("a block ends");
            actual.push_str(&format!("```rhai,refused\n{script}```\n"));
            match rest.strip_prefix("\n```text\n").and_then(|rest| rest.split_once("```\n").or(Some(("", rest)))) {
                Some((_, rest)) => {
                    let answer = text(&findings(&Script::from_text("script.rhai", script), &args(script)));
                    actual.push_str(&format!("\n```text\n{answer}```\n{rest}"));
                    compared += 1;
                }
                None => actual.push_str(rest),
            }
        }
        wrong.extend(is_current(&document, &actual).err());
    }
    assert!(compared >= 3, "only {compared} answers were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn scripts_in_documents_do_what_is_said() {
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for block in documents().iter().flat_map(|document| blocks(document)) {
        let mut script = Script::from_text(block.place.as_str(), block.code.as_str());
        // Modules and sub-workflows of examples are those of the refused scripts.
        script.path = Some(repository("tests/golden/refused/script.rhai"));
        let problem = match block.tag.as_str() {
            "rhai" => Program::compile(&script).and_then(|program| program.build(&args(&script.text), None)).err(),
            "rhai,no_run" => Program::compile(&script).err(),
            "rhai,refused" if findings(&script, &args(&script.text)).is_empty() => {
                wrong.push(format!("{}: nothing is wrong with it", block.place));
                None
            }
            "rhai,refused" => None,
            _ => continue,
        };
        tried += 1;
        wrong.extend(problem.map(|problem| format!("{}: {}: {problem}", block.place, problem.code())));
    }
    assert!(tried > 60, "only {tried} scripts were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tests_in_documents_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut places = Vec::new();
    for block in documents().iter().flat_map(|document| blocks(document)).filter(|block| block.tag == "rhai,test") {
        let whole = block.code.contains("fn test_");
        let code = if whole { block.code } else { format!("fn test_it() {{\n{}}}\n", block.code) };
        std::fs::write(folder.path().join(format!("{:04}_test.rhai", places.len())), code).expect("a file");
        places.push(block.place);
    }
    assert!(places.len() > 20, "only {} were found", places.len());
    let home = Some(folder.path().join("runs"));
    let flow = Flow::open(Options { home, ..Options::default() }).expect("a folder of runs");
    let options = TestOptions { paths: vec![folder.path().to_owned()], ..TestOptions::default() };
    let done = flow.test(flow.tests(&options).expect("there are tests"), &options, &|_| {});
    let place = |file: &str| {
        let number =
            file.rsplit('/').next().and_then(|name| name.get(..4)).and_then(|number| number.parse::<usize>().ok());
        number.map_or("?", |number| places[number].as_str())
    };
    let mut wrong: Vec<String> = done.wrong.iter().map(|problem| format!("{}: {problem}", problem.code())).collect();
    for result in &done.results {
        if let TestEnd::Failed(problem, values) = &result.end {
            wrong.push(format!("{}: {problem} {values:?}", place(&result.test.file)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `ARCHITECTURE.md` names the test of each invariant as `path::name`.
#[test]
fn the_tests_that_hold_the_invariants_exist() {
    let text = std::fs::read_to_string(repository("ARCHITECTURE.md")).expect("there is a page");
    assert!(text.lines().count() < 200, "the page is to be short");
    let (mut wrong, mut named) = (Vec::new(), 0);
    for word in text.split('`').filter(|word| word.contains(".rs::")) {
        let (path, test) = word.split_once("::").expect("it holds `::`");
        let source = std::fs::read_to_string(repository(path)).unwrap_or_default();
        named += 1;
        if !source.contains(&format!("fn {test}(")) {
            wrong.push(word.to_owned());
        }
    }
    for word in text.split('`').filter(|word| word.ends_with(".rs") && word.contains('/')) {
        if !repository(word).exists() && !repository(&format!("src/{word}")).exists() {
            wrong.push(word.to_owned());
        }
    }
    assert!(named > 15, "only {named} tests are named");
    assert!(wrong.is_empty(), "not there: {wrong:#?}");
}

/// Scripts of this project, and those for its users, are in order.
#[test]
fn scripts_of_the_repository_are_in_order() {
    let mut tried = 0;
    for folder in ["scripts", "examples"] {
        for file in std::fs::read_dir(repository(folder)).expect("the folder is there") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|ending| ending == "rhai") {
                let found = findings(&Script::read(&path).expect("it can be read"), &[]);
                assert!(found.is_empty(), "{}: {}", path.display(), found[0]);
                tried += 1;
            }
        }
    }
    assert!(tried > 5);
}
