//! What the files hold that an agent's attempt changed: kept in a file of the run, for those who replay it.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::Job;
use super::capture::{Captured, Logs};
use super::mask::Mask;
use super::secrets::Secrets;
use crate::event::{ChangedFile, Changes, Log};

/// Longest file that is kept, in bytes.
const LONGEST: u64 = 1 << 20;

/// Most that is kept of one attempt, in bytes.
const MOST: u64 = 16 << 20;

/// Keeps what the changed files below `folder` hold now. What is too long, is no plain file, or cannot be read is left out, and named.
pub(super) fn keep(changes: &mut Changes, folder: &Path, job: &Job, secrets: &Secrets) {
    if changes.files.is_empty() || job.policy.as_ref().is_some_and(|policy| policy.secret) {
        return;
    }
    let mask = secrets.of_run(&job.site.hidden).map(Secrets::mask);
    let Ok(logs) = Logs::of(job) else { return };
    let mut left_out = Vec::new();
    // It is for replays only: the attempt does not fail by it.
    match written(&changes.files, folder, &logs, mask.as_deref(), &mut left_out) {
        Ok(log) => (changes.contents, changes.left_out) = (Some(log), left_out),
        Err(_) => changes.left_out.clone_from(&changes.files),
    }
}

fn written(
    files: &[String],
    folder: &Path,
    logs: &Logs,
    mask: Option<&Mask>,
    left_out: &mut Vec<String>,
) -> io::Result<Log> {
    let path = logs.path("changes.ndjson");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    let mut file = BufWriter::new(file);
    let mut room = MOST;
    for name in files {
        let Some(content) = content(&folder.join(name), LONGEST.min(room)) else {
            left_out.push(name.clone());
            continue;
        };
        room -= content.as_ref().map_or(0, Vec::len) as u64;
        let content = content.map(|content| match mask {
            Some(mask) => mask.bytes(&content).into_owned(),
            None => content,
        });
        let (text, bytes) = match content.map(String::from_utf8) {
            None => (None, None),
            Some(Ok(text)) => (Some(text), None),
            Some(Err(error)) => (None, Some(BASE64_STANDARD.encode(error.as_bytes()))),
        };
        serde_json::to_writer(&mut file, &ChangedFile { file: name.clone(), text, bytes })?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    let bytes = file.get_ref().metadata()?.len();
    Ok(Captured::of(logs.name("changes.ndjson"), path, bytes)?.log)
}

/// What a file holds: `Some(None)` if there is none any more; nothing if it is not to be kept.
fn content(path: &Path, longest: u64) -> Option<Option<Vec<u8>>> {
    match fs::symlink_metadata(path) {
        // A folder in its place is a part of the path of another one.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Some(None),
        Ok(metadata) if metadata.is_file() && metadata.len() <= longest => {
            fs::read(path).ok().filter(|content| content.len() as u64 <= longest).map(Some)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_files_that_are_not_too_long_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "abc").expect("written");
        std::os::unix::fs::symlink("a", path("link")).expect("a link");
        assert_eq!(content(&path("a"), 3), Some(Some(b"abc".to_vec())));
        assert_eq!(content(&path("a"), 2), None);
        assert_eq!(content(&path("gone"), 3), Some(None));
        assert_eq!(content(&path("a/b"), 3), Some(None));
        assert_eq!(content(&path("link"), 3), None);
        assert_eq!(content(folder.path(), 3), None);
    }
}
