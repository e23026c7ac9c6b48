//! The loop: reads what the editor says, answers, and tells what is wrong with the texts.
//!
//! - A message comes, a check has ended, or it is time to begin one.
//! - A changed text is taken in; its check begins a moment later, on a thread of its own.
//! - A question is answered at once; the plan and the form of a text are made on threads, and answered when they are there.
//! - What a check found is told, unless the text has changed meanwhile.

use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use lsp_server::{ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::Notification as Tells;
use lsp_types::request::Request as Asks;
use lsp_types::{
    CodeLensOptions, CompletionOptions, ExecuteCommandOptions, HoverProviderCapability, InitializeParams, OneOf,
    PositionEncodingKind, PublishDiagnosticsParams, RenameOptions, SemanticTokensFullOptions, SemanticTokensOptions,
    ServerCapabilities, ServerInfo, SignatureHelpOptions, TextDocumentSyncCapability, TextDocumentSyncKind,
    TextDocumentSyncOptions, Uri, notification as told, request as ask,
};

use super::check::{self, Checks, Outcome, Running};
use super::completion::Offered;
use super::lines::Encoding;
use super::request::{self, World, refuse, refused};
use super::surroundings::Surroundings;
use super::texts::{Text, Texts};
use super::{convert, format, plan, standard, tokens, wire};

/// What the loop waits for.
enum Event {
    Read(wire::Read),
    Checked(Option<Outcome>),
    Answer(Response),
}

/// Serves an editor over standard input and output until it says that it is enough, or goes away. Gives the exit code: 0
/// if it asked to shut down before, or closed the input; 1 if it just said `exit`, as the protocol wants it.
///
/// # Errors
/// If nobody reads the answers any more, or what comes is no frame of a message.
pub fn serve() -> io::Result<u8> {
    let (events, incoming) = channel();
    let reading = events.clone();
    let failure = Arc::new(OnceLock::new());
    let noted = failure.clone();
    // It may wait for input for ever, so nobody waits for it.
    thread::Builder::new().name("lsp-reader".to_owned()).spawn(move || {
        let mut input = BufReader::new(io::stdin());
        loop {
            let read = wire::read(&mut input).unwrap_or_else(|error| {
                // There is only one.
                let _ = noted.set(error);
                wire::Read::End
            });
            let end = matches!(read, wire::Read::End);
            if reading.send(Event::Read(read)).is_err() || end {
                return;
            }
        }
    })?;
    let mut server = Server::new(events, BufWriter::new(io::stdout()));
    let code = server.run(&incoming)?;
    match failure.get() {
        Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
        None => Ok(code),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Serving,
    ShuttingDown,
}

struct Server<W: Write> {
    events: Sender<Event>,
    output: W,
    phase: Phase,
    encoding: Encoding,
    texts: Texts,
    checks: Checks,
    offered: Offered,
    /// How many steps the plans had when they were checked last.
    steps: HashMap<String, usize>,
    /// Can the editor be asked to ask for the lenses again?
    refreshes: bool,
    /// How often it was asked.
    refreshed: i32,
    /// The folders that the editor works in.
    folders: Vec<PathBuf>,
}

impl<W: Write> Server<W> {
    fn new(events: Sender<Event>, output: W) -> Self {
        Server {
            events,
            output,
            phase: Phase::Starting,
            encoding: Encoding::Utf16,
            texts: Texts::default(),
            checks: Checks::default(),
            offered: Offered::default(),
            steps: HashMap::new(),
            refreshes: false,
            refreshed: 0,
            folders: Vec::new(),
        }
    }

    fn run(&mut self, incoming: &Receiver<Event>) -> io::Result<u8> {
        loop {
            let event = match self.checks.next() {
                None => incoming.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wait) => incoming.recv_timeout(wait),
            };
            match event {
                Ok(Event::Read(wire::Read::Message(message))) => {
                    if let Some(code) = self.message(message)? {
                        return Ok(code);
                    }
                }
                Ok(Event::Read(wire::Read::Wrong(answer))) => {
                    if let Some(answer) = answer {
                        self.send(answer)?;
                    }
                }
                Ok(Event::Read(wire::Read::End)) | Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Ok(Event::Checked(outcome)) => {
                    if let Some(outcome) = outcome {
                        self.checked(outcome)?;
                    }
                }
                Ok(Event::Answer(response)) => self.send(Message::Response(response))?,
                Err(RecvTimeoutError::Timeout) => {}
            }
            for (uri, running) in self.checks.begin() {
                self.begin(&uri, running);
            }
        }
    }

    fn send(&mut self, message: Message) -> io::Result<()> {
        wire::write(&mut self.output, message)
    }

    fn tell<N: Tells>(&mut self, params: N::Params) -> io::Result<()> {
        self.send(Message::Notification(Notification::new(N::METHOD.to_owned(), params)))
    }

    /// Gives the exit code when it is over.
    fn message(&mut self, message: Message) -> io::Result<Option<u8>> {
        match message {
            Message::Request(request) => self.request(request)?,
            Message::Notification(notification) if notification.method == told::Exit::METHOD => {
                return Ok(Some(u8::from(self.phase != Phase::ShuttingDown)));
            }
            Message::Notification(notification) if self.phase == Phase::Serving => {
                // One that cannot be understood is passed over: there is no way to answer it.
                let _ = catch_unwind(AssertUnwindSafe(|| self.notification(notification)));
            }
            Message::Notification(_) | Message::Response(_) => {}
        }
        Ok(None)
    }

    fn request(&mut self, request: Request) -> io::Result<()> {
        let id = request.id.clone();
        let error = |error| refused(id.clone(), error);
        let response = match (self.phase, request.method.as_str()) {
            (Phase::Starting, ask::Initialize::METHOD) => match request::params::<InitializeParams>(&request) {
                Ok(params) => Response::new_ok(id, self.initialize(&params)),
                Err(wrong) => error(wrong),
            },
            (Phase::Starting, _) => error(refuse(ErrorCode::ServerNotInitialized, "`initialize` comes first")),
            (_, ask::Initialize::METHOD) => error(refuse(ErrorCode::InvalidRequest, "it is initialized already")),
            (_, ask::Shutdown::METHOD) => {
                self.phase = Phase::ShuttingDown;
                Response::new_ok(id, serde_json::Value::Null)
            }
            (Phase::ShuttingDown, _) => error(refuse(ErrorCode::InvalidRequest, "it is shutting down")),
            (Phase::Serving, ask::ExecuteCommand::METHOD | ask::Formatting::METHOD) => match self.slow(&request) {
                Some(wrong) => error(wrong),
                None => return Ok(()),
            },
            (Phase::Serving, _) => {
                let (texts, steps, folders) = (&self.texts, &self.steps, &self.folders);
                let mut world = World { texts, encoding: self.encoding, offered: &mut self.offered, steps, folders };
                match catch_unwind(AssertUnwindSafe(|| request::answer(&mut world, request))) {
                    Ok(response) => response,
                    Err(_) => error(refuse(ErrorCode::InternalError, "this is an error of flow: please report it")),
                }
            }
        };
        self.send(Message::Response(response))
    }

    fn initialize(&mut self, params: &InitializeParams) -> serde_json::Value {
        self.phase = Phase::Serving;
        let general = params.capabilities.general.as_ref();
        let encodings = general.and_then(|general| general.position_encodings.as_deref()).unwrap_or_default();
        self.encoding = match encodings.contains(&PositionEncodingKind::UTF8) {
            true => Encoding::Utf8,
            false => Encoding::Utf16,
        };
        self.folders = folders(params);
        let lenses = params.capabilities.workspace.as_ref().and_then(|workspace| workspace.code_lens.as_ref());
        self.refreshes = lenses.and_then(|lenses| lenses.refresh_support).unwrap_or(false);
        let info = ServerInfo { name: "flow".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) };
        serde_json::json!({ "capabilities": capabilities(self.encoding), "serverInfo": info })
    }

    fn notification(&mut self, notification: Notification) {
        let params = notification.params;
        match notification.method.as_str() {
            told::DidOpenTextDocument::METHOD => {
                let opened = serde_json::from_value::<lsp_types::DidOpenTextDocumentParams>(params);
                if let Ok(lsp_types::DidOpenTextDocumentParams { text_document: item }) = opened {
                    self.take(Text::new(item.uri, item.version, item.text));
                }
            }
            told::DidChangeTextDocument::METHOD => {
                let changed = serde_json::from_value::<lsp_types::DidChangeTextDocumentParams>(params);
                if let Ok(changed) = changed
                    && let Some(text) = self.texts.get(&changed.text_document.uri)
                {
                    let text = text.changed(changed.text_document.version, changed.content_changes, self.encoding);
                    self.take(text);
                }
            }
            told::DidCloseTextDocument::METHOD => {
                let closed = serde_json::from_value::<lsp_types::DidCloseTextDocumentParams>(params);
                if let Ok(uri) = closed.map(|closed| closed.text_document.uri) {
                    self.checks.closed(&uri);
                    self.steps.remove(uri.as_str());
                    if let Some(text) = self.texts.close(&uri) {
                        self.concern_users_of(&text);
                        // A failure shows when the next message is sent.
                        let _ = self.publish(uri, Vec::new(), None);
                    }
                }
            }
            // Files have changed, which may be modules.
            told::DidSaveTextDocument::METHOD | told::DidChangeWatchedFiles::METHOD => {
                self.texts.all().for_each(|text| self.checks.concerned(&text.uri));
            }
            _ => {}
        }
    }

    fn take(&mut self, text: Text) {
        let text = self.texts.put(text);
        if !text.path.as_deref().is_some_and(standard::is_one) {
            self.checks.changed(&text.uri);
        }
        self.concern_users_of(&text);
    }

    /// Others that use this text are checked again.
    fn concern_users_of(&mut self, text: &Text) {
        let Some(path) = &text.path else { return };
        for other in self.texts.all().filter(|other| other.uri != text.uri) {
            let around = Surroundings::of(other, &self.texts);
            let links = other.document().links();
            if links.iter().any(|link| around.file_of(&link.path).as_deref() == Some(path)) {
                self.checks.concerned(&other.uri);
            }
        }
    }

    fn begin(&mut self, uri: &Uri, running: Running) {
        let Some(text) = self.texts.get(uri).cloned() else { return };
        let (events, encoding, texts) = (self.events.clone(), self.encoding, self.texts.clone());
        // Without a thread there is no check; the next change asks for another.
        let _ = thread::Builder::new().name("lsp-check".to_owned()).spawn(move || {
            let provided = Surroundings::of(&text, &texts).reached(&text);
            let outcome = check::check(&text, provided, encoding, &running);
            // Nobody listens any more when the server ends.
            let _ = events.send(Event::Checked(outcome));
        });
    }

    fn checked(&mut self, outcome: Outcome) -> io::Result<()> {
        let current = self.texts.get(&outcome.uri).is_some_and(|text| text.version == outcome.version);
        if !self.checks.ended(&outcome) || !current {
            return Ok(());
        }
        let before = self.steps.get(outcome.uri.as_str()).copied();
        if let Some(steps) = outcome.steps {
            self.steps.insert(outcome.uri.as_str().to_owned(), steps);
        }
        self.publish(outcome.uri, outcome.problems, Some(outcome.version))?;
        if self.refreshes && outcome.steps.is_some() && outcome.steps != before {
            self.refreshed += 1;
            let id = self.refreshed.into();
            let method = ask::CodeLensRefresh::METHOD.to_owned();
            self.send(Message::Request(Request { id, method, params: serde_json::Value::Null }))?;
        }
        Ok(())
    }

    fn publish(&mut self, uri: Uri, diagnostics: Vec<lsp_types::Diagnostic>, version: Option<i32>) -> io::Result<()> {
        self.tell::<told::PublishDiagnostics>(PublishDiagnosticsParams { uri, diagnostics, version })
    }

    /// Begins what may take a while; gives what is wrong with the request.
    fn slow(&mut self, request: &Request) -> Option<lsp_server::ResponseError> {
        let show = request.method == ask::ExecuteCommand::METHOD;
        let uri: std::result::Result<Uri, _> = match show {
            true => request::params::<lsp_types::ExecuteCommandParams>(request).and_then(|asked| {
                if asked.command != plan::COMMAND {
                    let message = format!("there is no command `{}`; `{}` is one", asked.command, plan::COMMAND);
                    return Err(refuse(ErrorCode::InvalidParams, message));
                }
                let uri = asked.arguments.first().and_then(|uri| uri.as_str()?.parse().ok());
                uri.ok_or_else(|| refuse(ErrorCode::InvalidParams, "the command needs the address of a script"))
            }),
            false => {
                request::params::<lsp_types::DocumentFormattingParams>(request).map(|asked| asked.text_document.uri)
            }
        };
        let uri = match uri {
            Ok(uri) => uri,
            Err(wrong) => return Some(wrong),
        };
        let Some(text) = self.texts.get(&uri).cloned() else {
            return Some(refuse(ErrorCode::InvalidParams, format!("`{}` is not open", uri.as_str())));
        };
        let (events, encoding, id) = (self.events.clone(), self.encoding, request.id.clone());
        let texts = self.texts.clone();
        let spawned = thread::Builder::new().name("lsp-answer".to_owned()).spawn(move || {
            let work = || match show {
                true => plan::show(&text, Surroundings::of(&text, &texts).reached(&text))
                    .map_err(|wrong| refuse(ErrorCode::RequestFailed, wrong.message().to_owned())),
                false => Ok(serde_json::json!(format::edits(&text, encoding))),
            };
            let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
                Err(refuse(ErrorCode::InternalError, "this is an error of flow: please report it"))
            });
            let response = match result {
                Ok(result) => Response::new_ok(id, result),
                Err(error) => refused(id, error),
            };
            // Nobody listens any more when the server ends.
            let _ = events.send(Event::Answer(response));
        });
        spawned.err().map(|error| refuse(ErrorCode::InternalError, format!("no thread can be started: {error}")))
    }
}

/// The folders that the editor works in.
#[allow(deprecated)] // editors of before 2022 name one folder only
fn folders(params: &InitializeParams) -> Vec<PathBuf> {
    let several = params.workspace_folders.iter().flatten().map(|folder| &folder.uri);
    let found: Vec<PathBuf> = several.filter_map(convert::path_of).collect();
    let one = params.root_uri.as_ref().and_then(convert::path_of);
    if found.is_empty() { one.into_iter().collect() } else { found }
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    let letters = |letters: &[&str]| Some(letters.iter().map(|letter| (*letter).to_owned()).collect());
    ServerCapabilities {
        position_encoding: Some(match encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(true.into()),
            ..TextDocumentSyncOptions::default()
        })),
        completion_provider: Some(CompletionOptions {
            resolve_provider: Some(true),
            trigger_characters: letters(&[".", ":", "\"", "{", "/"]),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        signature_help_provider: Some(SignatureHelpOptions {
            trigger_characters: letters(&["(", ","]),
            ..SignatureHelpOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_highlight_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: Default::default(),
        })),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        code_lens_provider: Some(CodeLensOptions { resolve_provider: Some(false) }),
        execute_command_provider: Some(ExecuteCommandOptions {
            commands: vec![plan::COMMAND.to_owned()],
            ..ExecuteCommandOptions::default()
        }),
        semantic_tokens_provider: Some(
            SemanticTokensOptions {
                legend: tokens::legend(),
                full: Some(SemanticTokensFullOptions::Bool(true)),
                ..SemanticTokensOptions::default()
            }
            .into(),
        ),
        ..ServerCapabilities::default()
    }
}
