//! An agent's attempt that is answered from a recording: it is read as what its program says would be, and nothing is started.

use std::fs;
use std::path::{Component, Path};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::Recording;
use super::supervise::{Supervised, Supervision};
use super::verdict::End;
use crate::event::{Failure, FailureKind, Outcome, STATUSES};
use crate::exec::Job;
use crate::exec::capture::{Captured, Logs, store_failure};
use crate::exec::running::Running;

/// How often one looks whether it is to be ended, while it pauses.
const LOOK: Duration = Duration::from_millis(10);

/// Reads a recording. `keeps_time`: with its pauses; `folder`: where it changes files. Blocks.
///
/// # Errors
/// What it changed cannot be written.
pub(super) fn run(
    recording: &Recording,
    keeps_time: bool,
    folder: &Path,
    job: &Job,
    logs: &Logs,
    running: &Running,
    mut supervision: Supervision<'_>,
) -> (Result<Outcome, Failure>, End, Supervised) {
    let key = (job.step, job.attempt);
    let stop = running.call_begun(key);
    let begun = Instant::now();
    let pause = |until: u64, supervision: &mut Supervision<'_>| loop {
        let left = Duration::from_millis(until).saturating_sub(begun.elapsed());
        if stop.load(Ordering::Relaxed) || !keeps_time || left.is_zero() {
            return;
        }
        supervision.pause();
        thread::sleep(left.min(LOOK));
        if supervision.look() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    for (at, line) in &recording.lines {
        pause(*at, &mut supervision);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        supervision.heard(line);
        if supervision.look() {
            stop.store(true, Ordering::Relaxed);
        }
    }
    pause(recording.duration_ms, &mut supervision);
    running.call_ended(key);
    let killed = stop.load(Ordering::Relaxed);
    let outcome = stderr(recording, logs).and_then(|stderr| {
        if !killed {
            recording.changes.iter().try_for_each(|(path, content)| change(folder, path, content.as_deref()))?;
        }
        Ok(Outcome { code: recording.code, signal: recording.signal, stderr, ..Outcome::default() })
    });
    if matches!(recording.signal, Some(9 | 15)) {
        supervision.was_told_to_end();
    }
    // If there is a reason already, that counts.
    (outcome, end_of(recording), supervision.end(killed))
}

/// What it wrote to standard error.
fn stderr(recording: &Recording, logs: &Logs) -> Result<Option<crate::event::Log>, Failure> {
    if recording.stderr.is_empty() {
        return Ok(None);
    }
    let path = logs.path("err");
    let write = || {
        fs::write(&path, &recording.stderr)?;
        Captured::of(logs.name("err"), path.clone(), recording.stderr.len() as u64)
    };
    write().map(|captured| Some(captured.log)).map_err(|error| store_failure("write", &path, &error))
}

/// The end that was recorded. The code of a request is its status.
fn end_of(recording: &Recording) -> End {
    let asked = matches!(recording.backend.as_str(), "anthropic" | "openai");
    match (recording.code, recording.signal) {
        (None, None) => End::Answered,
        (Some(status), _) if asked && status >= 400 => {
            let row = STATUSES.iter().find(|row| (row.from..=row.to).contains(&status));
            let why = row.map_or_else(String::new, |row| format!(" ({})", row.why));
            let message = format!("the model's server answered {status}{why} when this was recorded");
            End::Failed(Failure::new(FailureKind::Http, message).help("record it anew"))
        }
        (code, signal) => End::Program { code, signal },
    }
}

/// Changes a file as it was changed then.
fn change(folder: &Path, path: &str, content: Option<&[u8]>) -> Result<(), Failure> {
    let relative = Path::new(path);
    if !relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        let message = format!("the recording changes `{path}`, which is not below the working directory");
        return Err(Failure::new(FailureKind::Input, message).help("record it anew, or take that line out"));
    }
    let place = folder.join(relative);
    let done = match content {
        Some(content) => place.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&place, content)),
        None => match fs::remove_file(&place) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            done => done,
        },
    };
    done.map_err(|error| store_failure("change", &place, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_change_only_below_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        change(folder.path(), "src/a.rs", Some(b"a")).expect("written");
        assert_eq!(fs::read(folder.path().join("src/a.rs")).expect("a file"), b"a");
        change(folder.path(), "src/a.rs", None).expect("removed");
        change(folder.path(), "src/a.rs", None).expect("gone already");
        assert!(!folder.path().join("src/a.rs").exists());
        for path in ["../a", "/etc/a", "src/../../a"] {
            assert!(change(folder.path(), path, Some(b"a")).is_err(), "{path}");
        }
    }
}
