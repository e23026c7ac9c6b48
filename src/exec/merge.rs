//! `merge`: brings together what was done in work trees, one branch after the other, into the branch that the working tree
//! is on.

use std::path::Path;

use super::git::{Git, Said, alone, top_of};
use super::{Job, worktree};
use crate::event::{Failure, FailureKind, Outcome};
use crate::plan::{Json, MergeTrees, OnConflict};
use crate::state::Status;
use crate::state::result::shorten;

/// How the message of each of its commits begins.
const MESSAGE: &str = "flow: merge ";

/// What one step has done.
struct Part {
    name: String,
    branch: String,
    files: Vec<String>,
}

/// Merges. `merge.of`: the steps with work trees, in their order.
pub(super) fn merge(merge: &MergeTrees, job: &Job) -> Result<Outcome, Failure> {
    let folder = job.cwd()?;
    let top = top_of(&folder)?;
    let git = Git(&top);
    let _alone = alone();
    leave_clean(&git)?;
    let start = git.do_it(["rev-parse", "--verify", "HEAD"])?.trim().to_owned();
    let (mut merged, mut skipped): (Vec<Part>, Vec<(Part, Vec<String>)>) = (Vec::new(), Vec::new());
    for part in parts(merge, job) {
        let known = git.call(["rev-parse", "--verify", "-q", &format!("refs/heads/{}", part.branch)])?.well;
        if !known {
            // An earlier attempt has merged and removed it.
            if job.attempt > 1 || part.files.is_empty() {
                merged.push(part);
                continue;
            }
            return Err(lost(&part));
        }
        if git.call(["merge-base", "--is-ancestor", &part.branch, "HEAD"])?.well {
            merged.push(part);
            continue;
        }
        let message = format!("{MESSAGE}{}", part.name);
        let mut words = vec!["merge", "--no-ff", "-q", "--no-verify", "-m", &message];
        match merge.on_conflict {
            OnConflict::Ours => words.extend(["-X", "ours"]),
            OnConflict::Theirs => words.extend(["-X", "theirs"]),
            OnConflict::Fail | OnConflict::Skip => {}
        }
        words.push(&part.branch);
        let said = git.call(words)?;
        if said.well {
            merged.push(part);
            continue;
        }
        let conflicts = git.names(["diff", "--name-only", "--diff-filter=U", "-z"])?;
        if conflicts.is_empty() {
            back(&git, &start)?;
            return Err(refused(&part, &said));
        }
        match merge.on_conflict {
            OnConflict::Fail => {
                back(&git, &start)?;
                return Err(conflict(&part, &conflicts, &merged));
            }
            OnConflict::Skip => {
                git.do_it(["merge", "--abort"])?;
                skipped.push((part, conflicts));
            }
            OnConflict::Ours | OnConflict::Theirs => {
                settle(&git, &top, &conflicts, merge.on_conflict)?;
                git.do_it(["commit", "-q", "--no-verify", "-m", &message])?;
                merged.push(part);
            }
        }
    }
    for part in &merged {
        if let Some(path) = worktree::path_of(job, &part.branch) {
            worktree::remove(&top, &path, &part.branch)?;
        } else if git.call(["show-ref", "--verify", "-q", &format!("refs/heads/{}", part.branch)])?.well {
            git.do_it(["branch", "-q", "-D", &part.branch])?;
        }
    }
    let mut files: Vec<String> = git.names(["diff", "--name-only", "--no-renames", "-z", &start, "HEAD"])?;
    files.sort();
    let said = |part: &Part| serde_json::json!({ "step": part.name, "branch": part.branch, "files": part.files });
    let left_out = |(part, conflicts): &(Part, Vec<String>)| serde_json::json!({ "step": part.name, "branch": part.branch, "files": part.files, "conflicts": conflicts });
    let output = serde_json::json!({
        "merged": merged.iter().map(said).collect::<Vec<Json>>(),
        "skipped": skipped.iter().map(left_out).collect::<Vec<Json>>(),
        "files": files,
    });
    Ok(Outcome { output: super::capture::value_output(output, job)?, ..Outcome::default() })
}

/// Those that have something to merge.
fn parts(merge: &MergeTrees, job: &Job) -> Vec<Part> {
    let part = |id| {
        let result = job.inputs.get(id)?;
        let changes = result.outcome.as_ref().filter(|_| result.status == Status::Success)?.changes.as_ref()?;
        (!changes.branch.is_empty()).then(|| Part {
            name: changes.branch.rsplit_once(&format!("{}/", job.site.run)).map_or("", |(_, path)| path).to_owned(),
            branch: changes.branch.clone(),
            files: changes.files.clone(),
        })
    };
    merge.of.iter().filter_map(|id| part(*id)).collect()
}

/// A merge of ours that was cut off is taken back; one of somebody else is not touched.
fn leave_clean(git: &Git<'_>) -> Result<(), Failure> {
    if !git.call(["rev-parse", "--verify", "-q", "MERGE_HEAD"])?.well {
        return Ok(());
    }
    let path = git.do_it(["rev-parse", "--path-format=absolute", "--git-path", "MERGE_MSG"])?;
    if std::fs::read_to_string(path.trim()).is_ok_and(|message| message.starts_with(MESSAGE)) {
        return git.do_it(["merge", "--abort"]).map(drop);
    }
    Err(Failure::new(FailureKind::Spawn, "another merge is going on in the working tree")
        .help("`git merge --continue` or `git merge --abort` ends it"))
}

/// The working tree as it was.
fn back(git: &Git<'_>, start: &str) -> Result<(), Failure> {
    if git.call(["rev-parse", "--verify", "-q", "MERGE_HEAD"])?.well {
        git.do_it(["merge", "--abort"])?;
    }
    git.do_it(["reset", "-q", "--keep", start]).map(drop)
}

/// What one side has and the other removed is no question of lines: the side that wins says whether it is there.
fn settle(git: &Git<'_>, top: &Path, conflicts: &[String], side: OnConflict) -> Result<(), Failure> {
    let side = if side == OnConflict::Ours { "--ours" } else { "--theirs" };
    for file in conflicts {
        if git.call(["checkout", side, "--", file])?.well {
            git.do_it(["add", "--", file])?;
        } else {
            git.call(["rm", "-q", "-f", "--ignore-unmatch", "--", file])?;
            // It may be there as nobody's.
            let _ = std::fs::remove_file(top.join(file));
        }
    }
    Ok(())
}

fn quoted(files: &[String]) -> String {
    let mut names: Vec<String> = files.iter().take(5).map(|file| format!("`{file}`")).collect();
    if files.len() > names.len() {
        names.push(format!("{} more", files.len() - names.len()));
    }
    names.join(", ")
}

fn conflict(part: &Part, conflicts: &[String], merged: &[Part]) -> Failure {
    let others: Vec<String> = merged
        .iter()
        .filter(|other| other.files.iter().any(|file| conflicts.contains(file)))
        .map(|other| format!("`{}`", other.name))
        .collect();
    let others = match others.is_empty() {
        true => "the working tree's branch".to_owned(),
        false => others.join(", "),
    };
    let message = format!("`{}` and {others} changed the same in {}", part.name, quoted(conflicts));
    Failure::new(FailureKind::Fail, message).help(format!(
        "nothing was merged; `git diff HEAD...{}` shows what it did, and `on_conflict: \"ours\"`, `\"theirs\"` or `\"skip\"` decides such cases",
        part.branch
    ))
}

fn refused(part: &Part, said: &Said) -> Failure {
    let why = if said.err.trim().is_empty() { &said.out } else { &said.err };
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = format!("`{}` cannot be merged: {}", part.name, shorten(&why, 300));
    Failure::new(FailureKind::Fail, message)
        .help("commit or stash what is changed in the working tree; nothing was merged")
}

fn lost(part: &Part) -> Failure {
    Failure::new(FailureKind::Fail, format!("the branch `{}` of `{}` is gone", part.branch, part.name))
        .help("was it removed, or renamed? `flow resume RUN --from` that step makes it again")
}
