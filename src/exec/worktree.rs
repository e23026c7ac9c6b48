//! Steps that work in a git work tree of their own, on a branch of their own.
//!
//! The tree lies in the run's folder and is made from the repository's latest commit before each attempt; what an earlier
//! attempt has left of it, or a process that was killed, is removed first. At the end all that was changed is committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::git::{Git, alone, top_of};
use super::secrets::Secrets;
use super::{Job, contents, log_stem};
use crate::event::{Changes, Failure, FailureKind, Outcome};
use crate::plan::{Task, Value};
use crate::state::resolve;
use crate::state::result::plain_text;

/// A work tree that an attempt works in.
pub(super) struct Tree {
    /// The repository's own work tree.
    home: PathBuf,
    path: PathBuf,
    branch: String,
    /// The commit that it was made from.
    base: String,
}

/// The folder that an attempt would work in, were it not for a tree of its own.
pub(super) fn folder_of(job: &Job) -> Result<PathBuf, Failure> {
    let said = job.policy.as_ref().is_some_and(|policy| policy.cwd.is_some());
    match &*job.task {
        Task::Agent(ask) if !said => match &ask.agent.cwd {
            Some(cwd) => Ok(job.site.cwd.join(plain_text(&resolve(cwd, &job.inputs)?))),
            None => job.cwd(),
        },
        _ => job.cwd(),
    }
}

/// Makes the tree for an attempt, and has the attempt work in it.
pub(super) fn prepare(job: &mut Job) -> Result<Option<Tree>, Failure> {
    if job.policy.as_ref().is_none_or(|policy| policy.isolate.is_none()) {
        return Ok(None);
    }
    let folder = folder_of(job)?;
    let home = top_of(&folder)?;
    let git = Git(&home);
    let base = git.line(["rev-parse", "--verify", "-q", "HEAD^{commit}"])?.ok_or_else(|| {
        Failure::new(FailureKind::Spawn, format!("the repository `{}` has no commit yet", home.display()))
            .help("a work tree is made from the latest commit: `git add -A && git commit`")
    })?;
    let inner = Git(&folder).line(["rev-parse", "--show-prefix"])?.unwrap_or_default();
    let tree = Tree::of(job, home, base);
    {
        let _alone = alone();
        tree.make()?;
    }
    let cwd = if inner.is_empty() { tree.path.clone() } else { tree.path.join(inner.trim_end_matches('/')) };
    // The folder may hold nothing that was committed.
    let _ = fs::create_dir_all(&cwd);
    let policy = Arc::make_mut(job.policy.get_or_insert_default());
    policy.cwd = Some(Value::Plain(cwd.to_string_lossy().into_owned().into()));
    Ok(Some(tree))
}

/// A tree at the repository's latest commit that a step works in by itself. Only one at a time.
pub(super) fn beside(job: &Job, home: &Path) -> Result<Tree, Failure> {
    let base = Git(home).do_it(["rev-parse", "--verify", "HEAD^{commit}"])?.trim().to_owned();
    let tree = Tree::of(job, home.to_owned(), base);
    tree.make()?;
    Ok(tree)
}

/// `flow/<run>/<path>`, as far as a branch can be called so.
fn branch_of(job: &Job) -> String {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    let mut name: String = job.path.chars().map(|c| if fits(c) { c } else { '-' }).collect();
    while name.contains("..") {
        name = name.replace("..", "-");
    }
    let parts: Vec<&str> = name.split('/').map(|part| part.trim_matches('.')).filter(|part| !part.is_empty()).collect();
    let mut name = parts.join("/");
    if name != job.path || name.ends_with(".lock") {
        // Others may come to the same.
        name.push_str(&format!("-{}", job.step.0));
    }
    format!("flow/{}/{name}", job.site.run)
}

/// Makes an attempt, and keeps what it did in its tree, if it has one.
pub(super) fn within(
    tree: Result<Option<Tree>, Failure>,
    job: &Job,
    secrets: &Secrets,
    work: impl FnOnce(&Job) -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    let Some(tree) = tree? else { return work(job) };
    let mut outcome = work(job).unwrap_or_else(|error| Outcome { error: Some(error), ..Outcome::default() });
    if let Err(failure) = tree.keep(job, &mut outcome, secrets) {
        outcome.error.get_or_insert(failure);
    }
    Ok(outcome)
}

impl Tree {
    fn of(job: &Job, home: PathBuf, base: String) -> Self {
        let path = job.site.folder.join("trees").join(log_stem(job.step, &job.path, 0));
        Tree { branch: branch_of(job), home, path, base }
    }

    fn make(&self) -> Result<(), Failure> {
        self.remove_now()?;
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(|error| super::capture::store_failure("create", folder, &error))?;
        }
        let words =
            ["worktree", "add", "--no-track", "-q", "-b", &self.branch, &self.path.to_string_lossy(), &self.base];
        Git(&self.home).do_it(words).map(drop)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The commit that it was made from.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The attempt is over: what it changed is committed.
    pub fn keep(&self, job: &Job, outcome: &mut Outcome, secrets: &Secrets) -> Result<(), Failure> {
        let git = Git(&self.path);
        git.do_it(["add", "-A"])?;
        if !git.call(["diff", "--cached", "--quiet"])?.well {
            let message = format!("flow: {}\n\nRun {}, attempt {}.", job.path, job.site.run, job.attempt);
            git.do_it(["commit", "-q", "--no-verify", "-m", &message])?;
        }
        let mut files = git.names(["diff", "--name-only", "--no-renames", "-z", &self.base, "HEAD"])?;
        files.sort();
        let mut changes = Changes { files, branch: self.branch.clone(), path: job.path.clone(), ..Changes::default() };
        if outcome.agent.is_some() {
            contents::keep(&mut changes, &self.path, job, secrets);
        }
        if let Some(report) = &mut outcome.agent {
            report.changes = Some(Box::new(changes.clone()));
        }
        outcome.changes = Some(Box::new(changes));
        Ok(())
    }

    /// Removes it and its branch. Only one at a time.
    pub fn remove_now(&self) -> Result<(), Failure> {
        remove(&self.home, &self.path, &self.branch)
    }
}

/// Removes a work tree and its branch, whatever is left of them. Only one at a time.
pub(super) fn remove(home: &Path, path: &Path, branch: &str) -> Result<(), Failure> {
    let git = Git(home);
    if path.exists() {
        git.call(["worktree", "remove", "--force", "--force", &path.to_string_lossy()])?;
        // Where git knows it no more it is a folder like others.
        let _ = fs::remove_dir_all(path);
    }
    git.call(["worktree", "prune"])?;
    let known = git.call(["show-ref", "--verify", "-q", &format!("refs/heads/{branch}")])?.well;
    if known {
        git.do_it(["branch", "-q", "-D", branch])?;
    }
    Ok(())
}

/// Where the tree of a step lies.
pub(super) fn path_of(job: &Job, branch: &str) -> Option<PathBuf> {
    let listed = Git(&job.cwd().ok()?).do_it(["worktree", "list", "--porcelain"]).ok()?;
    let mut path = None;
    for line in listed.lines() {
        if let Some(worktree) = line.strip_prefix("worktree ") {
            path = Some(PathBuf::from(worktree));
        }
        if line.strip_prefix("branch refs/heads/") == Some(branch) {
            return path;
        }
    }
    None
}

/// Removes what the work trees in a run's folder have left in their repositories; the folder itself stays.
pub fn forget_trees(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder.join("trees")) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let git = Git(&path);
        let answer = |words: &[&str]| git.line(words).ok().flatten();
        let branch = answer(&["symbolic-ref", "--short", "-q", "HEAD"]).filter(|name| name.starts_with("flow/"));
        let common = answer(&["rev-parse", "--path-format=absolute", "--git-common-dir"]);
        if let (Some(branch), Some(common)) = (branch, common) {
            let _alone = alone();
            // What cannot be removed is in nobody's way.
            let _ = remove(Path::new(&common), &path, &branch);
        }
    }
}
