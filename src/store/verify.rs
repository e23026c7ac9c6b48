//! `flow verify`: is everything that a run left behind still what was written?

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::read::tampered;
use super::signatures::{self, Signature};
use super::{Store, chain};
use crate::diag::{Diagnostic, Result};
use crate::event::{Event, Log};
use crate::state::receipt::{Evidence, Receipt, files};

/// What was found to be in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Number of events in the chain.
    pub events: u64,
    /// Hash of the latest event, in hexadecimal. Whoever has noted it can tell later that nothing before it changed.
    pub head: String,
    /// Number of scripts and files whose hashes the events hold and that have them.
    pub files: u64,
    /// Files that are no longer there (below the run's folder).
    pub missing: Vec<String>,
    /// What was signed of it, with whatever keys, the latest first: each of them is one of this log.
    pub signatures: Vec<Signature>,
    /// Hashes and names of the texts that the events name.
    sources: BTreeSet<(String, String)>,
}

impl Store {
    /// Checks the hash chain of a run (by its full id), its row in the table, its scripts and its files.
    ///
    /// # Errors
    /// `flow::store::tampered` names the first event or file that is not what was written.
    pub fn verify(&self, run: &str) -> Result<Verified> {
        let folder = self.run_folder(run);
        let mut verified = Verified::default();
        let checked = self.inner.read_once(|connection| {
            let row = self.inner.row(connection, run)?;
            let mut unmet = signatures::of_run(connection, run)
                .map_err(|_| tampered(run, format!("what was signed of run `{run}` is not readable")))?;
            let checked = self.inner.check(connection, &row, |link, _| {
                let (now, later) = unmet.drain(..).partition(|signed| signed.events == link.record.seq + 1);
                unmet = later;
                for signed in now {
                    match signed.is_of(run, &link.hash) {
                        true => verified.signatures.push(signed),
                        false => return Err(not_signed(run, &signed)),
                    }
                }
                match &*link.record.event {
                    Event::Finished { outcome, .. } | Event::Retrying { outcome, .. } => {
                        for log in files(outcome) {
                            verified.file(&folder, log, run, link.record.seq)?;
                        }
                    }
                    event => sources_of(event, &mut |name, sha256| {
                        verified.sources.insert((sha256.to_owned(), name.to_owned()));
                    }),
                }
                Ok(())
            })?;
            unmet.first().map_or(Ok(checked), |signed| Err(not_signed(run, signed)))
        })?;
        verified.signatures.reverse();
        // Asked after the events, since there is but one connection to read with.
        for (sha256, name) in std::mem::take(&mut verified.sources) {
            self.source(&sha256).map_err(|error| {
                tampered(run, format!("the text of `{name}`, as run `{run}` was made from it: {error}"))
            })?;
            verified.files += 1;
        }
        verified.events = checked.events;
        verified.head = chain::hex(&checked.head);
        Ok(verified)
    }
}

/// A file that a receipt names, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Below the run's folder.
    pub file: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its length, as the log says.
    pub bytes: u64,
    /// SHA-256 of its content: as the log says, or (of short files, of which it says none) as it is now.
    pub sha256: Option<String>,
    /// What became of it.
    pub state: Kept,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is there, with the length, and where the log has it the hash, that it had.
    Written,
    /// It is another one.
    Changed,
    /// It is gone.
    Missing,
}

impl Store {
    /// The files that a receipt names.
    pub fn evidence(&self, receipt: &Receipt) -> Vec<Found> {
        let folder = self.run_folder(&receipt.run);
        let found = |evidence: &Evidence| {
            let path = folder.join(&evidence.file);
            let now = hash_file(&path);
            let bytes = path.metadata().map(|file| file.len()).ok();
            let sha256 = evidence.sha256.clone();
            let state = match &now {
                None => Kept::Missing,
                _ if bytes != Some(evidence.bytes) || sha256.is_some() && sha256 != now => Kept::Changed,
                Some(_) => Kept::Written,
            };
            let now = now.filter(|_| state == Kept::Written);
            Found { file: evidence.file.clone(), path, bytes: evidence.bytes, sha256: sha256.or(now), state }
        };
        receipt.evidence.iter().map(found).collect()
    }
}

impl Verified {
    fn file(&mut self, folder: &Path, log: &Log, run: &str, seq: u64) -> Result<()> {
        let path = folder.join(&log.file);
        if log.sha256.is_empty() {
            // Of a short file the log holds no hash, but what is made of it.
            return match path.metadata() {
                Ok(file) if file.len() != log.bytes => Err(other_file(log, run, seq)),
                Ok(_) => Ok(()),
                Err(_) => {
                    self.missing.push(log.file.clone());
                    Ok(())
                }
            };
        }
        match file_as_logged(&path, log, run, seq)? {
            Some(_) => self.files += 1,
            None => self.missing.push(log.file.clone()),
        }
        Ok(())
    }
}

/// The hash of a file that an event names; nothing if it is gone.
///
/// # Errors
/// `flow::store::tampered` if it is not what the event says.
pub(super) fn file_as_logged(path: &Path, log: &Log, run: &str, seq: u64) -> Result<Option<String>> {
    let Some(sha256) = hash_file(path) else { return Ok(None) };
    let same_length = path.metadata().is_ok_and(|file| file.len() == log.bytes);
    match same_length && (log.sha256.is_empty() || log.sha256 == sha256) {
        true => Ok(Some(sha256)),
        false => Err(other_file(log, run, seq)),
    }
}

fn not_signed(run: &str, signed: &Signature) -> Diagnostic {
    let (events, key) = (signed.events, signed.key.fingerprint());
    tampered(
        run,
        format!("what was signed of run `{run}` with the key {key}, its first {events} events, is not this log"),
    )
}

fn other_file(log: &Log, run: &str, seq: u64) -> Diagnostic {
    tampered(run, format!("the file `{}` of run `{run}` is not what event {seq} says", log.file))
}

/// The texts that an event names: name and hash.
pub(super) fn sources_of(event: &Event, see: &mut dyn FnMut(&str, &str)) {
    let mut pairs = |pairs: &[(String, String)]| pairs.iter().for_each(|(name, sha256)| see(name, sha256));
    match event {
        Event::Created(created) => pairs(&created.sources),
        Event::Replanned(new) => pairs(&new.sources),
        Event::Planned { growth, .. } => {
            let header = growth.header.iter().flat_map(|header| &header.files);
            header.chain(&growth.files).for_each(|file| see(&file.name, &file.sha256));
        }
        _ => {}
    }
}

fn hash_file(path: &Path) -> Option<String> {
    let mut sha = Sha256::new();
    std::io::copy(&mut File::open(path).ok()?, &mut HashWriter(&mut sha)).ok()?;
    Some(chain::hex(&sha.finalize()))
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
