//! The language as a place to live: how soon the REPL asks, how soon an editor is answered.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use flow::lang::assist::{Document, Known};
use flow::lang::{Script, format};
use serde_json::{Value, json};

use crate::{FLOW, Table, fresh, median, timed};

/// All rows.
pub fn rows(table: &mut Table, folder: &Path) {
    prompt(table, folder);
    completion(table);
    editor(table, folder);
    formatting(table);
}

/// From the start of the process to its prompt, in a terminal that `script` plays (util-linux, bsdutils).
fn prompt(table: &mut Table, folder: &Path) {
    let once = || {
        let start = Instant::now();
        let child = Command::new("script")
            .args(["-qec", &format!("{FLOW} repl"), "/dev/null"])
            .current_dir(fresh(folder))
            .env("FLOW_HOME", folder.join("repl"))
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.ok()?;
        let mut seen = Vec::new();
        let mut out = child.stdout.take().unwrap();
        let mut byte = [0];
        while !String::from_utf8_lossy(&seen).contains("flow> ") {
            if out.read(&mut byte).unwrap_or(0) == 0 {
                break;
            }
            seen.push(byte[0]);
        }
        let time = start.elapsed();
        // Ctrl-D.
        let _ = child.stdin.take().unwrap().write_all(b"\x04");
        std::io::copy(&mut out, &mut std::io::sink()).unwrap();
        child.wait().unwrap();
        Some(time)
    };
    let times: Option<Vec<Duration>> = (0..15).map(|_| once()).collect();
    match times {
        Some(times) => {
            let time = median(times);
            table.row(
                "REPL: from the start of the process to the prompt",
                ms(time),
                "30 ms",
                time < Duration::from_millis(30),
            );
        }
        None => {
            table.row("REPL: from the start of the process to the prompt", "skipped: no `script` here", "30 ms", true)
        }
    }
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// A script with so many steps, in as many lines.
fn steps(n: usize) -> String {
    let mut script = String::new();
    for at in 0..n {
        let _ = writeln!(script, "let s{at} = sh(\"step-{at}\", \"true\").timeout(\"5m\");");
    }
    script
}

/// Completion of a name, a property and an option behind 10,000 steps: reading the text and asking.
fn completion(table: &mut Table) {
    let script = steps(10_000);
    for (what, end) in [("a name", "s99"), ("a property", "s9999.out"), ("an option", "s9999.retry(#{ max_")] {
        let text = format!("{script}{end}");
        let (mut read, mut asked, mut found) = (Vec::new(), Vec::new(), 0);
        for _ in 0..15 {
            let mut document = None;
            read.push(timed(|| document = Some(Document::new(text.as_str()))));
            let document = document.unwrap();
            asked.push(timed(|| found = document.complete(text.len(), &Known::NOTHING).candidates.len()));
        }
        let (read, asked) = (median(read), median(asked));
        let both = read + asked;
        table.row(
            format!("completion of {what} behind 10,000 steps"),
            format!("{} ({} reading, {found} candidates)", ms(both), ms(read)),
            "10 ms",
            both < Duration::from_millis(10) && found > 0,
        );
    }
}

fn formatting(table: &mut Table) {
    let script = Script::from_text("bench", steps(2_000));
    let time = median((0..9).map(|_| timed(|| drop(format(&script).unwrap()))).collect());
    table.row("`flow fmt` of 2,000 lines", ms(time), "(no target)", true);
}

/// An editor, as the server sees it.
struct Editor {
    child: Child,
    send: ChildStdin,
    receive: BufReader<ChildStdout>,
}

impl Editor {
    fn say(&mut self, message: Value) {
        let body = message.to_string();
        write!(self.send, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.send.flush().unwrap();
    }

    fn hear(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.receive.read_line(&mut line).unwrap();
            match line.trim().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.receive.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Waits for the diagnostics of this version.
    fn diagnostics(&mut self, version: i64) -> usize {
        loop {
            let message = self.hear();
            if message["method"] == "textDocument/publishDiagnostics" && message["params"]["version"] == version {
                return message["params"]["diagnostics"].as_array().unwrap().len();
            }
        }
    }

    fn answer(&mut self, id: i64) -> Value {
        loop {
            let message = self.hear();
            if message["id"] == id && message.get("method").is_none() {
                return message["result"].clone();
            }
        }
    }

    fn begin(folder: &Path) -> Self {
        let mut child = Command::new(FLOW)
            .arg("lsp")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (send, receive) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut editor = Editor { child, send, receive };
        let params = json!({ "processId": null, "rootUri": null, "capabilities": {} });
        editor.say(json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params }));
        editor.answer(1);
        editor.say(json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }));
        editor
    }

    fn open(&mut self, uri: &str, text: &str) {
        let document = json!({ "uri": uri, "languageId": "rhai", "version": 0, "text": text });
        self.say(json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": { "textDocument": document } }));
        self.diagnostics(0);
    }

    /// Puts a text in the place of what stands behind a line.
    fn change(&mut self, uri: &str, version: i64, line: usize, text: &str) {
        let range = json!({ "start": { "line": line, "character": 0 }, "end": { "line": line + 1, "character": 0 } });
        let document = json!({ "uri": uri, "version": version });
        let params = json!({ "textDocument": document, "contentChanges": [{ "range": range, "text": text }] });
        self.say(json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": params }));
    }

    fn end(mut self) {
        self.say(json!({ "jsonrpc": "2.0", "id": 2, "method": "shutdown" }));
        self.answer(2);
        self.say(json!({ "jsonrpc": "2.0", "method": "exit" }));
        self.child.wait().unwrap();
    }
}

/// Through the protocol: from a change of a 2,000-line script to its diagnostics; completion in 10,000 steps right after one.
fn editor(table: &mut Table, folder: &Path) {
    let mut editor = Editor::begin(folder);
    let uri = format!("file://{}/big.rhai", folder.display());
    editor.open(&uri, &steps(2_000));
    let mut times = Vec::new();
    for version in 1..=15 {
        // Wrong and right in turn.
        let wrong = version % 2 == 1;
        let start = Instant::now();
        editor.change(&uri, version, 2_000, if wrong { "let wrong = shh(\"a\", \"true\");" } else { "" });
        assert_eq!(editor.diagnostics(version), usize::from(wrong));
        times.push(start.elapsed());
    }
    let time = median(times);
    table.row("LSP: a change of 2,000 lines to its diagnostics", ms(time), "50 ms", time < Duration::from_millis(50));

    let uri = format!("file://{}/huge.rhai", folder.display());
    editor.open(&uri, &steps(10_000));
    let (mut times, mut found) = (Vec::new(), 0);
    for version in 1..=15 {
        editor.change(&uri, version, 10_000, &format!("s{version}.out"));
        let start = Instant::now();
        let position = json!({ "line": 10_000, "character": format!("s{version}.out").len() });
        let params = json!({ "textDocument": { "uri": uri }, "position": position });
        editor.say(
            json!({ "jsonrpc": "2.0", "id": 100 + version, "method": "textDocument/completion", "params": params }),
        );
        let answer = editor.answer(100 + version);
        times.push(start.elapsed());
        found = answer["items"].as_array().or(answer.as_array()).map_or(0, Vec::len);
    }
    assert!(found > 0);
    let time = median(times);
    table.row(
        "LSP: completion right after a change, 10,000 steps",
        ms(time),
        "10 ms",
        time < Duration::from_millis(10),
    );
    editor.end();
}
