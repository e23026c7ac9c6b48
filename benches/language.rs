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
    diagnostics(table, folder);
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
}

/// From a change of a 2,000-line script to its diagnostics, through the protocol.
fn diagnostics(table: &mut Table, folder: &Path) {
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
    let uri = format!("file://{}/big.rhai", folder.display());
    editor.say(json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "processId": null, "rootUri": null, "capabilities": {} } }));
    while editor.hear()["id"] != 1 {}
    editor.say(json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }));
    let script = steps(2_000);
    let document = json!({ "uri": uri, "languageId": "rhai", "version": 0, "text": script });
    editor.say(json!({ "jsonrpc": "2.0", "method": "textDocument/didOpen", "params": { "textDocument": document } }));
    editor.diagnostics(0);
    let mut times = Vec::new();
    for version in 1..=15 {
        // Wrong and right in turn.
        let end = if version % 2 == 1 { "let wrong = shh(\"a\", \"true\");\n" } else { "" };
        let start = Instant::now();
        let change = json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [{ "text": format!("{script}{end}") }] });
        editor.say(json!({ "jsonrpc": "2.0", "method": "textDocument/didChange", "params": change }));
        assert_eq!(editor.diagnostics(version), version as usize % 2);
        times.push(start.elapsed());
    }
    editor.say(json!({ "jsonrpc": "2.0", "id": 2, "method": "shutdown" }));
    while editor.hear()["id"] != 2 {}
    editor.say(json!({ "jsonrpc": "2.0", "method": "exit" }));
    editor.child.wait().unwrap();
    let time = median(times);
    table.row("LSP: a change of 2,000 lines to its diagnostics", ms(time), "50 ms", time < Duration::from_millis(50));
}
