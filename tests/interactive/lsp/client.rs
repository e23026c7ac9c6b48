//! An editor, as far as the protocol sees one.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Longest wait for an answer: far longer than any takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// An editor with a server.
pub struct Client {
    server: Child,
    input: Option<ChildStdin>,
    incoming: Receiver<Value>,
    told: VecDeque<Value>,
    next: i64,
    folder: tempfile::TempDir,
}

impl Client {
    /// Starts a server, without a word to it.
    pub fn start() -> Client {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Command::new(env!("CARGO_BIN_EXE_flow"))
            .arg("lsp")
            .current_dir(folder.path())
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .env_remove("FLOW_HOME")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("flow starts");
        let output = server.stdout.take().expect("it was asked for");
        let (sender, incoming) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = server.stdin.take();
        Client { server, input, incoming, told: VecDeque::new(), next: 0, folder }
    }

    /// Starts a server and says hello.
    pub fn ready() -> Client {
        let mut client = Client::start();
        let answer = client.ask("initialize", json!({ "processId": null, "rootUri": null, "capabilities": {} }));
        assert_eq!(answer["serverInfo"]["name"], "flow");
        client.tell("initialized", json!({}));
        client
    }

    /// A folder of its own, for files.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("it is there")
    }

    /// Writes a file, and gives its address.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
        uri(&path)
    }

    /// Opens a text that need not be in the file of its name.
    pub fn open(&mut self, name: &str, text: &str) -> String {
        let uri = uri(&self.folder().join(name));
        self.tell(
            "textDocument/didOpen",
            json!({ "textDocument": { "uri": uri, "languageId": "flow", "version": 1, "text": text } }),
        );
        uri
    }

    /// Changes a text as a whole.
    pub fn change(&mut self, uri: &str, version: i32, text: &str) {
        self.tell(
            "textDocument/didChange",
            json!({ "textDocument": { "uri": uri, "version": version }, "contentChanges": [{ "text": text }] }),
        );
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("it is open");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the server reads");
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }

    /// Says something that is not answered.
    pub fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Asks something; the whole answer.
    pub fn response(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        let began = Instant::now();
        loop {
            let message = self.receive(PATIENCE.saturating_sub(began.elapsed()));
            let message = message.unwrap_or_else(|| panic!("no answer to `{method}`"));
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
            self.told.push_back(message);
        }
    }

    /// Asks something; what is answered.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let response = self.response(method, params);
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].clone()
    }

    /// Asks about the place of `^` in a text.
    pub fn ask_at(&mut self, method: &str, uri: &str, text: &str) -> Value {
        let (line, character) = place(text);
        let position = json!({ "line": line, "character": character });
        self.ask(method, json!({ "textDocument": { "uri": uri }, "position": position, "context": { "includeDeclaration": true, "triggerKind": 1 } }))
    }

    /// What is said to be wrong with a version of a text.
    pub fn problems(&mut self, uri: &str, version: i32) -> Vec<Value> {
        let wanted = |message: &Value| {
            message["method"] == "textDocument/publishDiagnostics"
                && message["params"]["uri"] == uri
                && message["params"]["version"] == version
        };
        let began = Instant::now();
        loop {
            if let Some(at) = self.told.iter().position(wanted) {
                let message = self.told.remove(at).expect("it is there");
                return message["params"]["diagnostics"].as_array().expect("a list").clone();
            }
            let message = self.receive(PATIENCE.saturating_sub(began.elapsed()));
            self.told.push_back(message.unwrap_or_else(|| panic!("nothing is said about {uri} {version}")));
        }
    }

    /// What has been said so far that nobody has asked for.
    pub fn told(&self) -> &VecDeque<Value> {
        &self.told
    }

    fn receive(&self, wait: Duration) -> Option<Value> {
        self.incoming.recv_timeout(wait).ok()
    }

    /// Closes the input of the server.
    pub fn hang_up(&mut self) {
        self.input = None;
    }

    /// Waits for the end of the server.
    pub fn wait(mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait().expect("it is ours") {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "the server does not end");
            // What it still says ends with it.
            let _ = self.incoming.recv_timeout(Duration::from_millis(10));
        }
    }

    /// Shuts down as the protocol wants it.
    pub fn end(mut self) {
        self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        assert_eq!(self.wait().code(), Some(0));
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // After a test that failed.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(':') {
            Some(("Content-Length", value)) => length = value.trim().parse().ok()?,
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).expect("the server writes JSON"))
}

/// The address of a file.
pub fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// The line and the column (in units of 16 bits) of `^` in a text.
pub fn place(text: &str) -> (usize, usize) {
    let at = text.find('^').expect("`^` says where");
    let line = text[..at].matches('\n').count();
    let before = text[..at].rsplit('\n').next().unwrap_or_default();
    (line, before.encode_utf16().count())
}

/// The text without the `^`.
pub fn without_place(text: &str) -> String {
    text.replacen('^', "", 1)
}
