//! What a step really changed, compared with what it said: of steps that say what they write.
//!
//! The folder is looked at before and after. In a git work tree git says what differs from the latest commit, which leaves
//! out what is ignored; elsewhere all files are looked at, up to a bound. Steps that run at the same time see each other's
//! changes: what another one has declared counts as that one's, and what none of them has declared as nobody's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::git::Git;
use super::secrets::Secrets;
use super::worktree::folder_of;
use super::{Job, contents};
use crate::event::{Changes, Outcome};
use crate::plan::glob;

/// Most files that are looked at outside of git.
const MOST: usize = 20_000;

/// Folders that no step is asked about.
const LEFT_OUT: [&str; 2] = [".git", ".flow"];

/// What a file looks like from outside: its length, when it was changed, and which one it is.
type Stamp = (u64, i64, i64, u64);

/// A folder at one moment.
struct Snapshot {
    /// The latest commit, in a git work tree.
    head: Option<String>,
    /// Files by their names; in a git work tree those that differ from the latest commit.
    files: BTreeMap<String, Option<Stamp>>,
}

/// An attempt that is being watched.
pub(super) struct Watched {
    folder: PathBuf,
    writes: Vec<String>,
    before: Snapshot,
    number: u64,
}

/// Attempts that are watched now, each with what those beside it have declared.
struct Beside {
    next: u64,
    now: Vec<Attempt>,
}

struct Attempt {
    number: u64,
    folder: PathBuf,
    writes: Vec<String>,
    others: Vec<(PathBuf, Vec<String>)>,
}

static BESIDE: Mutex<Beside> = Mutex::new(Beside { next: 0, now: Vec::new() });

fn beside() -> MutexGuard<'static, Beside> {
    BESIDE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at the folder of an attempt that says what it writes. What cannot be looked at is not.
pub(super) fn watch(job: &Job) -> Option<Watched> {
    let writes = job.policy.as_ref().filter(|policy| policy.isolate.is_none())?.writes.clone();
    if writes.is_empty() || job.stream.is_some() {
        return None;
    }
    let folder = folder_of(job).ok()?;
    let before = Snapshot::of(&folder)?;
    let mut beside = beside();
    let number = beside.next;
    beside.next += 1;
    let mut others = Vec::new();
    for other in &mut beside.now {
        others.push((other.folder.clone(), other.writes.clone()));
        other.others.push((folder.clone(), writes.clone()));
    }
    beside.now.push(Attempt { number, folder: folder.clone(), writes: writes.clone(), others });
    drop(beside);
    Some(Watched { folder, writes, before, number })
}

impl Watched {
    /// The attempt is over.
    pub fn compare(self, outcome: &mut Outcome, job: &Job, secrets: &Secrets) {
        let after = Snapshot::of(&self.folder);
        let others = {
            let mut beside = beside();
            let at = beside.now.iter().position(|attempt| attempt.number == self.number);
            at.map(|at| beside.now.swap_remove(at).others).unwrap_or_default()
        };
        let Some(after) = after else { return };
        let mut files = self.before.changed(&after, &self.folder);
        let is_in = |folder: &Path, patterns: &[String], file: &str| {
            let path = self.folder.join(file);
            let Ok(inner) = path.strip_prefix(folder) else { return false };
            patterns.iter().any(|pattern| match pattern.starts_with('/') {
                true => glob::overlap(pattern, &literal(&path)),
                false => glob::overlap(pattern, &literal(inner)),
            })
        };
        let declared = |file: &String| is_in(&self.folder, &self.writes, file);
        files.retain(|file| declared(file) || !others.iter().any(|(folder, patterns)| is_in(folder, patterns, file)));
        let undeclared: Vec<String> = files.iter().filter(|file| !declared(file)).cloned().collect();
        let shared = |file: &String| {
            let path = self.folder.join(file);
            others.iter().any(|(folder, _)| path.starts_with(folder))
        };
        let (unsure, undeclared): (Vec<_>, Vec<_>) = undeclared.into_iter().partition(shared);
        files.retain(|file| !unsure.contains(file));
        let mut changes = Box::new(Changes { files, undeclared, unsure, ..Changes::default() });
        if outcome.agent.is_some() {
            contents::keep(&mut changes, &self.folder, job, secrets);
        }
        if let Some(report) = &mut outcome.agent {
            report.changes = Some(changes.clone());
        }
        outcome.changes = Some(changes);
    }
}

/// A path as a pattern that means it alone, or a little more.
fn literal(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if matches!(c, '*' | '?' | '[' | ']') { '?' } else { c }).collect()
}

impl Snapshot {
    fn of(folder: &Path) -> Option<Snapshot> {
        let git = Git(folder);
        match git.line(["rev-parse", "--show-prefix"]).ok().flatten() {
            Some(prefix) => {
                let head = git.line(["rev-parse", "--verify", "-q", "HEAD"]).ok().flatten();
                let words = ["status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", "."];
                let listed = git.names(words).ok()?;
                let names = listed.iter().filter_map(|line| line.get(3..)?.strip_prefix(prefix.as_str()));
                let files = names.map(|name| (name.to_owned(), stamp(&folder.join(name)))).collect();
                Some(Snapshot { head, files })
            }
            None => {
                let mut files = BTreeMap::new();
                walk(folder, "", &mut files)?;
                Some(Snapshot { head: None, files })
            }
        }
    }

    fn changed(&self, after: &Snapshot, folder: &Path) -> Vec<String> {
        let names = self.files.keys().chain(after.files.keys());
        let mut files: Vec<String> =
            names.filter(|name| self.files.get(*name) != after.files.get(*name)).cloned().collect();
        if let (Some(before), Some(now)) = (&self.head, &after.head)
            && before != now
        {
            // It has committed something itself.
            let words = ["diff", "--name-only", "--relative", "--no-renames", "-z", before.as_str(), now.as_str()];
            files.extend(Git(folder).names(words).unwrap_or_default());
        }
        files.sort();
        files.dedup();
        files
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ino()))
}

/// All files below a folder; nothing if there are too many.
fn walk(folder: &Path, inner: &str, files: &mut BTreeMap<String, Option<Stamp>>) -> Option<()> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let shown = if inner.is_empty() { name } else { format!("{inner}/{name}") };
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), &shown, files)?,
            _ => drop(files.insert(shown, stamp(&entry.path()))),
        }
        if files.len() > MOST {
            return None;
        }
    }
    Some(())
}
