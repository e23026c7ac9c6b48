//! Results of earlier runs: before an attempt of a step with a cache, its result is looked for; after one that ended
//! well, it is offered to be kept.
//!
//! - What the result depends on becomes named parts, and they a key (`parts`, `key`).
//! - A result of that key is taken if it is young enough and the files that the step wrote are still what they were.
//! - Otherwise the parts of the step's latest result say why there is none: "command changed".
//! - A result that is offered is kept when its event is committed, which is somebody else's business.

mod files;
mod key;
mod parts;
mod place;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use self::files::Found;
pub(super) use self::files::{MATCH, paths};
use self::key::Parts;
use super::{Closures, Job};
use crate::event::{CacheNote, Failure, Outcome, Usage};
use crate::plan::unit::show_duration;
use crate::plan::{self, Policy, StepId, Task};
use crate::state::cached::{Entry, Kept, Stamp};
use crate::state::resolve;
use crate::state::result::plain_text;

/// Keeps results. A door: flow's are in its store. Whatever goes wrong behind it is as if nothing were kept.
pub trait Results: Send + Sync {
    /// The result of a key.
    fn find(&self, key: &str) -> Option<Entry>;

    /// What the latest result of the step of this path depended on.
    fn latest(&self, step: &str) -> Option<Vec<(String, String)>>;

    /// The hashes of files that are as they were when they were hashed.
    fn hashes(&self, files: &[&Stamp]) -> Vec<Option<String>>;

    /// Files have been hashed.
    fn hashed(&self, files: Vec<(Stamp, String)>);

    /// These results hold no longer.
    fn forget(&self, keys: &[String]);

    /// A result is used.
    fn used(&self, entry: &Entry);

    /// A result, to be kept once it is committed that the step ended well with this attempt.
    fn offer(&self, step: StepId, attempt: u32, entry: Entry);

    /// The folder for the long files of a result.
    fn folder(&self, key: &str) -> PathBuf;
}

/// Nothing was found in the cache.
#[derive(Clone, Debug, Default)]
pub struct Miss {
    /// The key; empty if it could not be made.
    key: String,
    /// Why, in a few words.
    why: String,
    /// What the result depends on.
    parts: Parts,
    /// The files among that, and which of them its task names.
    read: Parts,
    named: Vec<PathBuf>,
}

impl Miss {
    fn because(why: impl Into<String>) -> Self {
        Miss { why: why.into(), ..Miss::default() }
    }
}

/// The cache of a task, where it can have one.
pub(super) fn cache_of<'a>(task: &Task, policy: Option<&'a Policy>) -> Option<&'a plan::Cache> {
    let can = matches!(task, Task::Shell(_) | Task::Exec(_) | Task::Call(_) | Task::Http(_) | Task::Agent(_));
    policy.and_then(|policy| policy.cache.as_deref()).filter(|_| can)
}

/// Looks for the result of a job: an outcome, or why there is none. `stop` becomes true when nobody wants it any more.
pub(super) fn look(
    results: Option<&dyn Results>,
    closures: &dyn Closures,
    job: &Job,
    stop: &AtomicBool,
) -> Result<Outcome, Miss> {
    let begun = Instant::now();
    let Some(results) = results else { return Err(Miss::because("nothing is kept from run to run")) };
    let unknown = |why: String| Miss::because(format!("what it depends on is not known: {why}"));
    let (mut parts, named) = parts::of(job, closures).map_err(|failure| unknown(failure.message))?;
    let read = read(results, job, &named, stop).map_err(unknown)?;
    parts.extend(&read);
    let key = parts.key();
    let why = match results.find(&key) {
        Some(entry) => match taken(results, job, &entry, stop) {
            Ok(mut outcome) => {
                results.used(&entry);
                let (run, at) = (entry.run, entry.at);
                outcome.cache = Some(Box::new(CacheNote { key, hit: true, run, at, why: String::new() }));
                outcome.duration_ms = begun.elapsed().as_millis() as u64;
                return Ok(outcome);
            }
            Err(why) => why,
        },
        None => match results.latest(&job.path) {
            None => "first time".to_owned(),
            Some(before) => parts.difference(&before).unwrap_or_else(|| "its result is no longer kept".to_owned()),
        },
    };
    Err(Miss { key, why, parts, read, named })
}

/// The files that a job reads, as far as anybody says: its `inputs`, and those that its task names.
fn read(results: &dyn Results, job: &Job, named: &[PathBuf], stop: &AtomicBool) -> Result<Parts, String> {
    let cwd = cwd(job).map_err(|failure| failure.message)?;
    let patterns = cache_of(&job.task, job.policy.as_deref()).map_or(&[][..], |cache| &cache.inputs);
    let mut found = files::matching(&cwd, patterns)?;
    for file in named {
        let path = cwd.join(file);
        found.insert(file.display().to_string(), files::stamp(&path).ok());
    }
    let mut parts = Parts::default();
    for (name, hash) in hashed(results, &found, stop)? {
        let part = format!("input `{name}`");
        match hash {
            Some(hash) => parts.add(part, hash),
            None => parts.add_absent(part),
        }
    }
    Ok(parts)
}

/// Names of files with the hashes of those that are there.
fn hashed<'a>(
    results: &dyn Results,
    found: &'a Found,
    stop: &AtomicBool,
) -> Result<impl Iterator<Item = (&'a String, Option<String>)> + use<'a>, String> {
    let there: Vec<&Stamp> = found.values().flatten().collect();
    let mut hashes = files::hashes(results, &there, stop)?.into_iter();
    Ok(found.iter().map(move |(name, stamp)| (name, stamp.as_ref().and_then(|_| hashes.next()))))
}

fn cwd(job: &Job) -> Result<PathBuf, Failure> {
    match job.policy.as_ref().and_then(|policy| policy.cwd.as_ref()) {
        Some(cwd) => Ok(job.site.cwd.join(plain_text(&resolve(cwd, &job.inputs)?))),
        None => Ok(job.site.cwd.clone()),
    }
}

/// The outcome of a result that is kept, with its files in the folder of this run; or why it cannot be taken.
fn taken(results: &dyn Results, job: &Job, entry: &Entry, stop: &AtomicBool) -> Result<Outcome, String> {
    let ttl = cache_of(&job.task, job.policy.as_deref()).and_then(|cache| cache.ttl_ms);
    if let Some(over) = ttl.and_then(|ttl| now().checked_sub(entry.at.saturating_add(ttl))) {
        return Err(if over < 1_000 { "expired just now".into() } else { format!("expired {} ago", roughly(over)) });
    }
    if !entry.result.outputs.is_empty() {
        let stamps = entry.result.outputs.iter().map(|(path, _)| files::stamp(Path::new(path)).ok());
        let stamps: Vec<Option<Stamp>> = stamps.collect();
        let there: Vec<&Stamp> = stamps.iter().flatten().collect();
        let mut hashes = files::hashes(results, &there, stop)?.into_iter();
        let cwd = cwd(job).map_err(|failure| failure.message)?;
        for ((path, before), stamp) in entry.result.outputs.iter().zip(&stamps) {
            let shown = files::shown(&cwd, Path::new(path));
            match stamp.as_ref().and_then(|_| hashes.next()) {
                Some(now) if before.as_ref() == Some(&now) => {}
                Some(_) => return Err(format!("output `{shown}` changed")),
                None => return Err(format!("output `{shown}` is missing")),
            }
        }
    }
    place::bring(job, entry, &results.folder(&entry.key), stop)
}

/// In the largest unit alone: `3h`.
fn roughly(ms: u64) -> String {
    let unit = [86_400_000, 3_600_000, 60_000, 1_000].into_iter().find(|unit| ms >= *unit).unwrap_or(1);
    show_duration(ms / unit * unit)
}

/// Writes into the outcome of an attempt why it was made, and offers it to be kept if it ended well.
pub(super) fn settle(results: Option<&dyn Results>, job: &Job, outcome: &mut Outcome) {
    let Some(miss) = &job.missed else { return };
    if let (None, Some(results), false) = (&outcome.error, results, miss.key.is_empty()) {
        match entry(results, job, miss, outcome) {
            Ok(entry) => results.offer(job.step, job.attempt, entry),
            Err(why) => tracing::info!(step = job.path, why, "the result is not kept"),
        }
    }
    let (key, why) = (miss.key.clone(), miss.why.clone());
    outcome.cache = Some(Box::new(CacheNote { key, why, ..CacheNote::default() }));
}

/// What is to be kept of an outcome.
fn entry(results: &dyn Results, job: &Job, miss: &Miss, outcome: &Outcome) -> Result<Entry, String> {
    let stop = AtomicBool::new(false);
    // A file that it reads may have been changed while it ran, by itself or by somebody else: nobody knows then which
    // content the result belongs to.
    if let Some(difference) = read(results, job, &miss.named, &stop)?.difference(&miss.read.kept()) {
        return Err(format!("{difference} while it ran"));
    }
    let cache = cache_of(&job.task, job.policy.as_deref()).map_or(&[][..], |cache| &cache.outputs);
    let cwd = cwd(job).map_err(|failure| failure.message)?;
    let found = files::matching(&cwd, cache)?;
    let full = |name: &str| cwd.join(name).to_string_lossy().into_owned();
    let outputs = hashed(results, &found, &stop)?.map(|(name, hash)| (full(name), hash)).collect();
    let mut bare = outcome.clone();
    if let Some(report) = &mut bare.agent {
        // Whoever takes the answer up again uses nothing for it, and changes no files.
        report.changes = None;
        report.usage = Usage { cost_usd: report.usage.cost_usd.map(|_| 0.0), ..Usage::default() };
    }
    if let Some(changes) = &mut bare.changes {
        changes.contents = None;
    }
    let (outcome, texts, long, content) = place::keep(job, &bare, &results.folder(&miss.key))?;
    Ok(Entry {
        key: miss.key.clone(),
        parts: miss.parts.kept(),
        step: job.path.clone(),
        run: job.site.run.clone(),
        at: now(),
        used_at: now(),
        result: Kept { outcome, outputs, texts, files: long },
        texts: content,
    })
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
