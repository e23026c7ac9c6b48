//! The files of an outcome: kept beside the database if they are long, and brought into the folder of a run again.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::files::{content, stamp};
use crate::event::{INLINE_LIMIT, Log, Outcome, Output};
use crate::exec::Job;
use crate::exec::capture::{Logs, log_stem};
use crate::state::cached::{Entry, LongFile};

/// The outcome with its files called by their endings; the short ones with their lengths; the long ones; what is in the
/// short ones.
pub(super) type Split = (Outcome, Vec<(String, u64)>, Vec<LongFile>, Vec<u8>);

/// Keeps the files of an outcome: long ones in `folder`, of short ones the content is given.
pub(super) fn keep(job: &Job, outcome: &Outcome, folder: &Path) -> Result<Split, String> {
    let (mut texts, mut long, mut bytes) = (Vec::new(), Vec::<LongFile>::new(), Vec::new());
    let mut kept = Outcome { cache: None, breaker: None, cpu_ms: 0, memory_kib: 0, ..outcome.clone() };
    let begin = format!("logs/{}.", log_stem(job.step, &job.path, job.attempt));
    for log in logs(&mut kept) {
        let path = job.site.folder.join(&log.file);
        let own = log.file.strip_prefix(&begin);
        let ending = own.or(log.file.rsplit('.').next()).unwrap_or_default().to_owned();
        let fails = |error: io::Error| format!("`{}` cannot be kept: {error}", path.display());
        if texts.iter().any(|(known, _)| *known == ending) || long.iter().any(|file| file.ending == ending) {
            // Its output is the very file that it wrote.
        } else if log.bytes > INLINE_LIMIT as u64 {
            fs::create_dir_all(folder).map_err(fails)?;
            // Under another name at first: one that has the name of its hash is whole.
            let (place, part) = (folder.join(&log.sha256), folder.join(format!(".{}-{}", job.site.run, job.step.0)));
            copy(&path, &part).and_then(|()| fs::rename(&part, &place)).map_err(fails)?;
            let changed_ns = stamp(&place).map_err(fails)?.changed_ns;
            long.push(LongFile { ending: ending.clone(), sha256: log.sha256.clone(), bytes: log.bytes, changed_ns });
        } else {
            let content = fs::read(&path).map_err(fails)?;
            texts.push((ending.clone(), content.len() as u64));
            bytes.extend(content);
        }
        log.file = ending;
    }
    Ok((kept, texts, long, bytes))
}

/// The outcome of a result that is kept, with its files in the run's folder; or what is wrong with them.
pub(super) fn bring(job: &Job, entry: &Entry, folder: &Path, stop: &AtomicBool) -> Result<Outcome, String> {
    let mut outcome = entry.result.outcome.clone();
    if entry.result.texts.is_empty() && entry.result.files.is_empty() {
        return Ok(outcome);
    }
    let logs_of = Logs::of(job).map_err(|failure| failure.message)?;
    let damaged = || "what was kept of its output is damaged".to_owned();
    for file in &entry.result.files {
        check(&folder.join(&file.sha256), file, stop)?;
    }
    let mut rest = entry.texts.as_slice();
    for (ending, bytes) in &entry.result.texts {
        let (text, other) = rest.split_at_checked(*bytes as usize).ok_or_else(damaged)?;
        rest = other;
        fs::write(logs_of.path(ending), text).map_err(|error| format!("its output cannot be written: {error}"))?;
    }
    for file in &entry.result.files {
        copy(&folder.join(&file.sha256), &logs_of.path(&file.ending))
            .map_err(|error| format!("what was kept of its output cannot be had: {error}"))?;
    }
    for log in logs(&mut outcome) {
        log.file = logs_of.name(&log.file);
    }
    Ok(outcome)
}

/// Is a long file still what was kept?
fn check(path: &Path, file: &LongFile, stop: &AtomicBool) -> Result<(), String> {
    match stamp(path) {
        Ok(now) if now.bytes == file.bytes && now.changed_ns == file.changed_ns => Ok(()),
        Ok(now) if now.bytes == file.bytes && content(path, stop).is_ok_and(|hash| hash == file.sha256) => Ok(()),
        Ok(_) => Err("what was kept of its output is damaged".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err("what was kept of its output is gone".to_owned()),
        Err(error) => Err(format!("what was kept of its output cannot be read: {error}")),
    }
}

/// One more name for a file; a copy where that cannot be had. Both are the last that is ever written to them.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(to)?;
            fs::hard_link(from, to)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(_) => fs::copy(from, to).map(|_| ()),
        Ok(()) => Ok(()),
    }
}

/// The files of an outcome.
fn logs(outcome: &mut Outcome) -> impl Iterator<Item = &mut Log> {
    fn of_output(output: &mut Output) -> Option<&mut Log> {
        match output {
            Output::File { log, .. } => Some(log),
            _ => None,
        }
    }
    let agent = outcome
        .agent
        .as_mut()
        .into_iter()
        .flat_map(|report| report.prompt.iter_mut().chain(&mut report.events).chain(of_output(&mut report.text)));
    outcome.stdout.iter_mut().chain(&mut outcome.stderr).chain(of_output(&mut outcome.output)).chain(agent)
}
