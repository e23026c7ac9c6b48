//! What a step wrote: the files of an attempt.
//!
//! A process writes straight into files. At most [`INLINE_LIMIT`] bytes of them are ever held in memory; a longer
//! output stays where it is and is referred to by its hash.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::event::{Failure, FailureKind, INLINE_LIMIT, Log, Output};
use crate::plan::{Json, StepId};

use super::Job;

/// The files that one attempt writes, below the run's folder.
pub(super) struct Logs {
    folder: PathBuf,
    stem: String,
    /// Messages do not quote what is in them.
    quiet: bool,
}

impl Logs {
    /// Names for the files of an attempt; the folder they stand in exists afterwards.
    pub fn of(job: &Job) -> Result<Self, Failure> {
        job.site.prepare()?;
        let quiet = job.policy.as_ref().is_some_and(|policy| policy.secret);
        let stem = format!("logs/{}", log_stem(job.step, &job.path, job.attempt));
        Ok(Logs { folder: job.site.folder.clone(), stem, quiet })
    }

    /// Names for the files of one of many requests of an attempt.
    pub fn of_part(job: &Job, part: u32) -> Result<Self, Failure> {
        let logs = Logs::of(job)?;
        Ok(Logs { stem: format!("{}-{part}", logs.stem), ..logs })
    }

    /// What a message may quote of them.
    pub fn quote<'t>(&self, text: &'t str) -> &'t str {
        if self.quiet { "" } else { text }
    }

    /// Names for files that nobody will write.
    #[cfg(test)]
    pub fn nowhere() -> Self {
        Logs { folder: PathBuf::new(), stem: String::new(), quiet: false }
    }

    /// The name of one of the files, as it stands in events.
    pub fn name(&self, ending: &str) -> String {
        format!("{}.{ending}", self.stem)
    }

    /// The path of one of the files.
    pub fn path(&self, ending: &str) -> PathBuf {
        self.folder.join(self.name(ending))
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// A file that was written.
pub(super) struct Captured {
    /// As it stands in events.
    pub log: Log,
    /// Where it is.
    pub path: PathBuf,
}

impl Captured {
    /// The file at `path`, called `name` in events, with so many bytes.
    pub fn of(name: String, path: PathBuf, bytes: u64) -> io::Result<Self> {
        let sha256 = if bytes > INLINE_LIMIT as u64 { hash(&mut File::open(&path)?)? } else { String::new() };
        Ok(Captured { log: Log { file: name, bytes, sha256 }, path })
    }

    /// Is it too long to be held in memory?
    pub fn is_long(&self) -> bool {
        self.log.bytes > INLINE_LIMIT as u64
    }

    /// The text of a file that is not long.
    pub fn text(&self) -> io::Result<String> {
        let mut bytes = Vec::with_capacity(self.log.bytes as usize);
        File::open(&self.path)?.take(INLINE_LIMIT as u64).read_to_end(&mut bytes)?;
        // What is not UTF-8 is replaced in the output; the file keeps the bytes.
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Its last lines, at most `max` bytes of them.
    pub fn tail(&self, max: u64) -> String {
        let read = || {
            let mut file = File::open(&self.path)?;
            file.seek(io::SeekFrom::Start(self.log.bytes.saturating_sub(max)))?;
            let mut bytes = Vec::new();
            file.take(max).read_to_end(&mut bytes)?;
            io::Result::Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        read().unwrap_or_default()
    }
}

/// The output for a value made inside the process: in a file if it is long.
pub(super) fn value_output(value: Json, job: &Job) -> Result<Output, Failure> {
    if value.is_null() {
        return Ok(Output::None);
    }
    if rough_size(&value) <= INLINE_LIMIT / 2 {
        return Ok(Output::Value(value));
    }
    let text = value.to_string();
    if text.len() <= INLINE_LIMIT {
        return Ok(Output::Value(value));
    }
    let logs = Logs::of(job)?;
    let path = logs.path("json");
    let write = || {
        fs::write(&path, &text)?;
        finished_file(&path, logs.name("json"))
    };
    write().map_err(|error| store_failure("write", &path, &error))
}

/// Roughly the length of a value as JSON, without writing it.
fn rough_size(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 8,
        Json::String(text) => text.len() + 2,
        Json::Array(items) => items.iter().map(|item| rough_size(item) + 1).sum(),
        Json::Object(map) => map.iter().map(|(key, item)| key.len() + rough_size(item) + 4).sum(),
    }
}

/// The output that a file holds as JSON.
pub(super) fn finished_file(path: &Path, name: String) -> io::Result<Output> {
    let mut file = File::open(path)?;
    let sha256 = hash(&mut file)?;
    Ok(Output::File { log: Log { file: name, bytes: file.metadata()?.len(), sha256 }, json: true })
}

fn hash(file: &mut File) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(super) fn store_failure(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Store, format!("cannot {what} `{}`: {error}", path.display()))
        .help("the run's folder must exist and be writable, with space left on its disk")
}

/// The beginning of the names of an attempt's files below `logs`: `<id>-<path>.<attempt>`, with everything in the path
/// that is not at home in a file name replaced. After it comes `.out` or `.err`.
pub fn log_stem(step: StepId, path: &str, attempt: u32) -> String {
    let path: String = path
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .take(80)
        .collect();
    let dash = if path.is_empty() { "" } else { "-" };
    format!("{}{dash}{path}.{attempt}", step.0)
}
