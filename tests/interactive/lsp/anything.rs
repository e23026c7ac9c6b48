//! Whatever is written, every question is answered: beginnings and mutations of real scripts, at random places.

use serde_json::{Value, json};

use super::client::Client;

/// A generator of Vigna (2015), xorshift64*: the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }
}

fn scripts() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = ["examples", "examples/parts", "stdlib", "scripts"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).into_iter().flatten())
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "rhai"))
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).expect("a script")).collect()
}

/// Takes away, doubles or puts in a few pieces.
fn mutated(text: &str, dice: &mut Dice) -> String {
    const PIECES: [&str; 24] = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "#{",
        "${",
        "`",
        "\"",
        "'",
        "|",
        "||",
        ".",
        "::",
        "/*",
        "*/",
        "->",
        ";",
        ",",
        "é😀",
        "\r",
        "fn ",
        "import \"",
    ];
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..dice.roll(4) + 1 {
        let at = dice.roll(letters.len());
        match dice.roll(4) {
            0 => letters.truncate(at),
            1 => drop(letters.drain(at..(at + dice.roll(20)).min(letters.len()))),
            _ => {
                let piece = PIECES[dice.roll(PIECES.len())];
                letters.splice(at..at, piece.chars());
            }
        }
    }
    letters.into_iter().collect()
}

#[test]
fn every_question_is_answered_at_any_place_of_any_text() {
    const AT: [&str; 7] = [
        "textDocument/completion",
        "textDocument/hover",
        "textDocument/signatureHelp",
        "textDocument/definition",
        "textDocument/references",
        "textDocument/documentHighlight",
        "textDocument/prepareRename",
    ];
    const OF: [&str; 4] = [
        "textDocument/documentSymbol",
        "textDocument/semanticTokens/full",
        "textDocument/codeLens",
        "textDocument/formatting",
    ];
    let mut client = Client::ready();
    let mut dice = Dice(0x666c_6f77);
    let uri = client.open("main.rhai", "");
    let mut version = 1;
    for script in scripts() {
        for round in 0..6 {
            let text = if round == 0 { script.clone() } else { mutated(&script, &mut dice) };
            version += 1;
            client.change(&uri, version, &text);
            let options = json!({ "tabSize": 4, "insertSpaces": true });
            for method in OF {
                answered(&mut client, method, json!({ "textDocument": { "uri": uri }, "options": options }));
            }
            for _ in 0..6 {
                let line = dice.roll(text.lines().count() + 2);
                let character = dice.roll(text.lines().nth(line).map_or(5, |line| line.len() + 3));
                for method in AT {
                    let position = json!({ "line": line, "character": character });
                    let context = json!({ "includeDeclaration": true, "triggerKind": 1 });
                    answered(
                        &mut client,
                        method,
                        json!({ "textDocument": { "uri": uri }, "position": position, "context": context }),
                    );
                }
            }
            client.tell(
                "textDocument/didChange",
                json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [{ "range": {
                "start": { "line": dice.roll(90), "character": dice.roll(90) },
                "end": { "line": dice.roll(90), "character": dice.roll(90) },
            }, "text": "é" }] }),
            );
        }
    }
    // The last text is still checked.
    version += 1;
    client.change(&uri, version, "sh(\"a\", \"x\");");
    assert_eq!(client.problems(&uri, version), Vec::<Value>::new());
    client.end();
}

fn answered(client: &mut Client, method: &str, params: Value) {
    let response = client.response(method, params);
    assert!(response.get("error").is_none(), "{method}: {response}");
}
