//! A run to the lines of an export.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;

use super::line::{FORMAT, Header, NOTHING, PIECE, Sealed, event, seal, sealed};
use crate::diag::Diagnostic;
use crate::event::{Event, Log};
use crate::state::receipt::files;
use crate::store::chain::{self, Hash};
use crate::store::key::{Key, PublicKey, of_export, of_log};
use crate::store::read::tampered;
use crate::store::verify::{file_as_logged, sources_of};
use crate::store::{Store, sources};

/// How a run is exported.
#[derive(Default)]
pub struct ExportOptions {
    /// With the contents of its files.
    pub contents: bool,
    /// Signed with this key.
    pub key: Option<Key>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The run.
    pub run: String,
    /// Events.
    pub events: u64,
    /// Hash of the latest of them, in hexadecimal.
    pub head: String,
    /// Texts.
    pub sources: u64,
    /// Files that are named.
    pub files: u64,
    /// Files that were gone.
    pub missing: Vec<String>,
    /// The key that it is signed with.
    pub key: Option<PublicKey>,
}

/// Why an export was not finished.
#[derive(Debug)]
pub enum Halt {
    /// The run cannot be exported.
    Wrong(Diagnostic),
    /// The lines cannot be written.
    Io(io::Error),
}

impl From<Diagnostic> for Halt {
    fn from(diagnostic: Diagnostic) -> Self {
        Halt::Wrong(diagnostic)
    }
}

impl From<io::Error> for Halt {
    fn from(error: io::Error) -> Self {
        Halt::Io(error)
    }
}

impl Store {
    /// Writes a run (by its full id) as lines, as it is at this moment. Its whole log is checked before the first line.
    ///
    /// # Errors
    /// `flow::run::unknown`; `flow::store::tampered` if its log, or a file of it, is not what was written; or that the lines
    /// cannot be written.
    pub fn export(
        &self,
        run: &str,
        options: &ExportOptions,
        out: &mut dyn Write,
    ) -> std::result::Result<Exported, Halt> {
        let mut halted = None;
        let exported = self.inner.read_alone(|connection| {
            let row = self.inner.row(connection, run)?;
            let checked = self.inner.check(connection, &row, |_, _| Ok(()))?;
            let mut lines = Lines {
                connection,
                out,
                options,
                folder: self.run_folder(run),
                before: NOTHING,
                head: NOTHING,
                known: HashSet::new(),
                exported: Exported {
                    run: run.to_owned(),
                    events: checked.events,
                    head: chain::hex(&checked.head),
                    key: options.key.as_ref().map(Key::public),
                    ..Exported::default()
                },
            };
            // What halts the writing need not be a diagnostic, which is all that can come through here.
            let mut go_on = |result: std::result::Result<(), Halt>| {
                result.map_err(|halt| {
                    halted = Some(halt);
                    Diagnostic::new("flow::cli::output", "the export was not finished")
                })
            };
            go_on(lines.begin(&checked.head))?;
            self.inner.check(connection, &row, |link, json| {
                go_on(lines.event(link.record.seq, link.record.at, &link.hash, json, &link.record.event))
            })?;
            go_on(lines.end())?;
            Ok(lines.exported)
        });
        exported.map_err(|diagnostic| halted.take().unwrap_or(Halt::Wrong(diagnostic)))
    }
}

/// What is being written.
struct Lines<'a> {
    connection: &'a Connection,
    out: &'a mut dyn Write,
    options: &'a ExportOptions,
    folder: PathBuf,
    /// Hash of the latest sealed line.
    before: Hash,
    /// Hash of the latest event.
    head: Hash,
    /// Texts that have been written.
    known: HashSet<String>,
    exported: Exported,
}

type Written = std::result::Result<(), Halt>;

impl Lines<'_> {
    fn begin(&mut self, head: &Hash) -> Written {
        let exported = &self.exported;
        let signed = self.options.key.as_ref().map(|key| key.sign(&of_log(&exported.run, exported.events, head)));
        self.sealed(&Sealed::Export(Header {
            format: FORMAT,
            run: exported.run.clone(),
            events: exported.events,
            head: exported.head.clone(),
            flow: env!("CARGO_PKG_VERSION").to_owned(),
            contents: self.options.contents,
            key: exported.key.map(PublicKey::to_base64),
            signature: signed.map(|signature| STANDARD.encode(signature)),
        }))
    }

    fn event(&mut self, seq: u64, at: u64, hash: &Hash, json: &str, what: &Event) -> Written {
        self.out.write_all(event(seq, at, hash, json).as_bytes())?;
        self.head = *hash;
        let mut named = Vec::new();
        sources_of(what, &mut |name, sha256| named.push((name.to_owned(), sha256.to_owned())));
        for (name, sha256) in named {
            if self.known.insert(sha256.clone()) {
                self.source(name, sha256)?;
            }
        }
        if let Event::Finished { outcome, .. } | Event::Retrying { outcome, .. } = what {
            files(outcome).try_for_each(|log| self.file(seq, log))?;
        }
        Ok(())
    }

    fn source(&mut self, name: String, sha256: String) -> Written {
        let run = &self.exported.run;
        let text = sources::text(self.connection, &sha256).ok().flatten();
        let text = text.filter(|text| chain::of_text(text) == sha256).ok_or_else(|| {
            tampered(run, format!("the text of `{name}`, as run `{run}` was made from it, is missing or was changed"))
        })?;
        self.exported.sources += 1;
        self.sealed(&Sealed::Source { name, sha256, text: text.to_string() })
    }

    fn file(&mut self, seq: u64, log: &Log) -> Written {
        let path = self.folder.join(&log.file);
        self.exported.files += 1;
        let line = |sha256, missing| Sealed::File { file: log.file.clone(), bytes: log.bytes, sha256, missing };
        let Some(sha256) = file_as_logged(&path, log, &self.exported.run, seq)? else {
            self.exported.missing.push(log.file.clone());
            return self.sealed(&line(Some(log.sha256.clone()).filter(|hash| !hash.is_empty()), true));
        };
        self.sealed(&line(Some(sha256), false))?;
        match self.options.contents {
            true => self.contents(&path, log, seq),
            false => Ok(()),
        }
    }

    fn contents(&mut self, path: &Path, log: &Log, seq: u64) -> Written {
        let (mut file, mut piece, mut from) = (File::open(path)?, Vec::new(), 0);
        while from < log.bytes {
            piece.clear();
            let most = (log.bytes - from).min(PIECE as u64);
            if Read::by_ref(&mut file).take(most).read_to_end(&mut piece)? as u64 != most {
                let run = &self.exported.run;
                let message = format!("the file `{}` of event {seq} became shorter while it was exported", log.file);
                return Err(tampered(run, message).into());
            }
            self.sealed(&Sealed::Data { file: log.file.clone(), from, base64: STANDARD.encode(&piece) })?;
            from += most;
        }
        Ok(())
    }

    fn end(&mut self) -> Written {
        let all = seal(&self.before, &self.head, b"");
        let signature = self.options.key.as_ref().map(|key| key.sign(&of_export(&self.exported.run, &all)));
        self.sealed(&Sealed::End { signature: signature.map(|signature| STANDARD.encode(signature)) })?;
        Ok(self.out.flush()?)
    }

    fn sealed(&mut self, line: &Sealed) -> Written {
        let (text, hash) = sealed(&self.before, &self.head, line).map_err(io::Error::from)?;
        self.out.write_all(text.as_bytes())?;
        self.before = hash;
        Ok(())
    }
}
