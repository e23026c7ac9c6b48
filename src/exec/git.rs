//! Calls of git: without hooks, signatures, questions and the user's name.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::{Failure, FailureKind};
use crate::state::result::shorten;

/// One call at a time changes what work trees share.
static ALONE: Mutex<()> = Mutex::new(());

/// Nobody else here changes a repository meanwhile.
pub(super) fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A work tree, or a folder in one.
pub(super) struct Git<'a>(pub &'a Path);

/// How a call ended.
pub(super) struct Said {
    pub well: bool,
    pub out: String,
    pub err: String,
}

impl Git<'_> {
    /// A call, however it ends.
    ///
    /// # Errors
    /// There is no git.
    pub fn call<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Result<Said, Failure> {
        let mut command = Command::new("git");
        for name in
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"]
        {
            command.env_remove(name);
        }
        command
            .arg("-C")
            .arg(self.0)
            .args(["-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false", "-c", "merge.gpgSign=false"])
            .args(["-c", "user.name=flow", "-c", "user.email=flow@localhost", "-c", "gc.auto=0"])
            .args(["-c", "core.quotePath=false", "-c", "merge.renames=true", "-c", "merge.directoryRenames=false"])
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_EDITOR", "true")
            .args(words)
            .stdin(Stdio::null());
        let output = command.output().map_err(|error| {
            Failure::new(FailureKind::Spawn, format!("cannot call git: {error}"))
                .help("work trees and merges need git, 2.30 or later")
        })?;
        Ok(Said {
            well: output.status.success(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// A call that has to end well.
    ///
    /// # Errors
    /// It did not.
    pub fn do_it<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Result<String, Failure> {
        let words: Vec<S> = words.into_iter().collect();
        let said = self.call(words.iter())?;
        match said.well {
            true => Ok(said.out),
            false => {
                let what = words.first().map(|word| word.as_ref().to_string_lossy().into_owned()).unwrap_or_default();
                let why = if said.err.trim().is_empty() { said.out } else { said.err };
                Err(Failure::new(FailureKind::Spawn, format!("`git {what}` failed: {}", shorten(why.trim(), 500))))
            }
        }
    }

    /// A call whose answer is one line; nothing if it ended badly.
    pub fn line<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Result<Option<String>, Failure> {
        let said = self.call(words)?;
        Ok(said.well.then(|| said.out.trim_end_matches('\n').to_owned()))
    }

    /// A call whose answer is names, each with a NUL byte behind it.
    pub fn names<S: AsRef<OsStr>>(&self, words: impl IntoIterator<Item = S>) -> Result<Vec<String>, Failure> {
        let out = self.do_it(words)?;
        Ok(out.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }
}

/// The work tree that a folder is in.
///
/// # Errors
/// It is in none.
pub(super) fn top_of(folder: &Path) -> Result<PathBuf, Failure> {
    let top = if folder.is_dir() { Git(folder).line(["rev-parse", "--show-toplevel"])? } else { None };
    top.map(PathBuf::from).ok_or_else(|| {
        Failure::new(FailureKind::Spawn, format!("`{}` is in no git repository", folder.display()))
            .help("`git init` and a first commit make one; `.cwd(…)` says where else the step works")
    })
}
