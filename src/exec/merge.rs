//! `merge`: brings together what was done in work trees, one branch after the other, into the branch that the working tree
//! is on.
//!
//! It is all done in a work tree of its own. Only when everything fits is the working tree brought to the result, in one
//! step, which git refuses before it changes anything if a file is in the way: one that is changed, staged, untracked or
//! ignored. What is in no branch stays as it is, in the folder and in the index.

use super::git::{Git, Said, alone, top_of};
use super::{Job, worktree};
use crate::event::{Changes, Failure, FailureKind, Outcome};
use crate::plan::{Json, MergeTrees, OnConflict};
use crate::state::Status;
use crate::state::result::{StepResult, shorten};

/// How the message of each of its commits begins.
const MESSAGE: &str = "flow: merge ";

/// What one step has done.
struct Part {
    name: String,
    branch: String,
    files: Vec<String>,
    /// Why it is not merged, if that is known before.
    failed: Option<String>,
}

/// What is left out.
struct LeftOut {
    part: Part,
    conflicts: Vec<String>,
    why: String,
}

/// Merges. `merge.of`: the steps with work trees, in their order.
pub(super) fn merge(merge: &MergeTrees, job: &Job) -> Result<Outcome, Failure> {
    let folder = job.cwd()?;
    let top = top_of(&folder)?;
    let git = Git(&top);
    let _alone = alone();
    if git.call(["rev-parse", "--verify", "-q", "MERGE_HEAD"])?.well {
        return Err(Failure::new(FailureKind::Spawn, "another merge is going on in the working tree")
            .help("`git merge --continue` or `git merge --abort` ends it"));
    }
    let (mut waiting, mut merged, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for mut part in parts(merge, job) {
        if let Some(why) = part.failed.take() {
            skipped.push(LeftOut { part, conflicts: Vec::new(), why });
            continue;
        }
        let known = git.call(["rev-parse", "--verify", "-q", &format!("refs/heads/{}", part.branch)])?.well;
        match known {
            // An earlier attempt has merged and removed it.
            false if job.attempt > 1 || part.files.is_empty() => merged.push(part),
            false => return Err(lost(&part)),
            true if git.call(["merge-base", "--is-ancestor", &part.branch, "HEAD"])?.well => merged.push(part),
            true => waiting.push(part),
        }
    }
    let mut files = Vec::new();
    if !waiting.is_empty() {
        let tree = worktree::beside(job, &top)?;
        let together = bring_together(&Git(tree.path()), merge.on_conflict, waiting, &mut merged, &mut skipped);
        let end = together.and_then(|()| Git(tree.path()).do_it(["rev-parse", "--verify", "HEAD"]));
        let end = end.and_then(|end| bring_in(&git, end.trim(), &merged).map(|()| end));
        tree.remove_now()?;
        files = git.names(["diff", "--name-only", "--no-renames", "-z", tree.base(), end?.trim()])?;
        files.sort();
    }
    for part in &merged {
        if let Some(path) = worktree::path_of(job, &part.branch) {
            worktree::remove(&top, &path, &part.branch)?;
        } else if git.call(["show-ref", "--verify", "-q", &format!("refs/heads/{}", part.branch)])?.well {
            git.do_it(["branch", "-q", "-D", &part.branch])?;
        }
    }
    let said = |part: &Part| serde_json::json!({ "step": part.name, "branch": part.branch, "files": part.files });
    let left_out = |LeftOut { part, conflicts, why }: &LeftOut| serde_json::json!({ "step": part.name, "branch": part.branch, "files": part.files, "conflicts": conflicts, "why": why });
    let output = serde_json::json!({
        "merged": merged.iter().map(said).collect::<Vec<Json>>(),
        "skipped": skipped.iter().map(left_out).collect::<Vec<Json>>(),
        "files": files,
    });
    let skipped = skipped.iter().map(|out| format!("`{}`: {}", out.part.name, out.why)).collect();
    let changes = Some(Box::new(Changes { files, skipped, ..Changes::default() }));
    Ok(Outcome { output: super::capture::value_output(output, job)?, changes, ..Outcome::default() })
}

/// Merges these in a work tree that nobody else works in.
fn bring_together(
    git: &Git<'_>,
    on_conflict: OnConflict,
    waiting: Vec<Part>,
    merged: &mut Vec<Part>,
    skipped: &mut Vec<LeftOut>,
) -> Result<(), Failure> {
    for part in waiting {
        let message = format!("{MESSAGE}{}", part.name);
        let mut words = vec!["merge", "--no-ff", "-q", "--no-verify", "--no-verify-signatures", "-m", &message];
        match on_conflict {
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
        let unmerged = git.names(["diff", "--name-only", "--diff-filter=U", "-z"])?;
        if unmerged.is_empty() {
            return Err(refused(&part, &said));
        }
        let (conflicts, kinds) = real_names(git, &part, unmerged)?;
        match on_conflict {
            OnConflict::Fail => return Err(conflict(&part, &conflicts, kinds, merged)),
            OnConflict::Skip => {
                git.do_it(["reset", "-q", "--hard", "HEAD"])?;
                git.do_it(["clean", "-q", "-d", "-f", "-f", "-x"])?;
                let why = conflict_words(&part, &conflicts, kinds, merged);
                skipped.push(LeftOut { part, conflicts, why });
            }
            OnConflict::Ours | OnConflict::Theirs if kinds => {
                return Err(conflict(&part, &conflicts, kinds, merged));
            }
            OnConflict::Ours | OnConflict::Theirs => {
                settle(git, &conflicts, on_conflict)?;
                git.do_it(["commit", "-q", "--no-verify", "-m", &message])?;
                merged.push(part);
            }
        }
    }
    Ok(())
}

/// Brings the working tree to the result, if nothing of the user's is in the way.
fn bring_in(git: &Git<'_>, end: &str, merged: &[Part]) -> Result<(), Failure> {
    let words = ["merge", "--ff-only", "--no-overwrite-ignore", "--no-autostash", "--no-verify-signatures", "-q", end];
    let said = git.call(words)?;
    if said.well {
        return Ok(());
    }
    // git names the files in lines that are set in.
    let files: Vec<String> = said.err.lines().filter_map(|line| line.strip_prefix('\t')).map(str::to_owned).collect();
    let by: Vec<String> = merged
        .iter()
        .filter(|part| part.files.iter().any(|file| files.iter().any(|other| touches(file, other))))
        .map(|part| format!("`{}`", part.name))
        .collect();
    if files.is_empty() || by.is_empty() {
        let why = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
        return Err(Failure::new(FailureKind::Fail, format!("nothing can be merged: {}", shorten(&why, 300)))
            .help("the branches are there still: `flow resume RUN --from` this step merges them"));
    }
    let message =
        format!("what {} did cannot be merged: {} in the folder would be overwritten", by.join(", "), quoted(&files));
    Err(Failure::new(FailureKind::Fail, message).help(
        "it is not committed there: commit, stash or move it away (`git status --ignored` shows it); nothing was merged",
    ))
}

/// Is it the same, or is one of them a folder and the other in it?
fn touches(one: &str, two: &str) -> bool {
    let (one, two) = (one.trim_end_matches('/'), two.trim_end_matches('/'));
    let below = |low: &str, high: &str| low.strip_prefix(high).is_some_and(|rest| rest.starts_with('/'));
    one == two || below(one, two) || below(two, one)
}

/// The files of a conflict under the names that the steps know, and whether something is of two kinds: a file and a
/// folder, or a link. For these git makes up names.
fn real_names(git: &Git<'_>, part: &Part, unmerged: Vec<String>) -> Result<(Vec<String>, bool), Failure> {
    let (mut names, mut kinds) = (Vec::new(), false);
    for name in unmerged {
        let mut known = false;
        for commit in ["HEAD", &part.branch] {
            known |= git.call(["cat-file", "-e", &format!("{commit}:{name}")])?.well;
        }
        let plain = name.rsplit_once('~').map(|(plain, _)| plain.to_owned());
        let below = git.names(["ls-files", "-z", "--", &format!(":(literal){name}/")])?;
        match plain {
            Some(plain) if !known => {
                names.push(plain);
                kinds = true;
            }
            _ => {
                names.push(name);
                kinds |= !below.is_empty();
            }
        }
    }
    names.sort();
    names.dedup();
    Ok((names, kinds))
}

/// Those that have something to merge, and those that should have had.
fn parts(merge: &MergeTrees, job: &Job) -> Vec<Part> {
    let part = |id| {
        let result = job.inputs.get(id)?;
        let changes = result.outcome.as_ref().and_then(|outcome| outcome.changes.as_deref());
        let failed = (result.status == Status::Failed).then(|| failed(result));
        if failed.is_none() && (result.status != Status::Success || changes.is_none_or(|it| it.branch.is_empty())) {
            return None;
        }
        let changes = changes.cloned().unwrap_or_default();
        let name = match (changes.path.is_empty(), &result.key) {
            (false, _) => changes.path,
            (true, Some(key)) => format!("{}[{key}]", result.name),
            (true, None) => result.name.to_string(),
        };
        Some(Part { name, branch: changes.branch, files: changes.files, failed })
    };
    merge.of.iter().filter_map(|id| part(*id)).collect()
}

fn failed(result: &StepResult) -> String {
    match result.outcome.as_ref().and_then(|outcome| outcome.error.as_ref()) {
        Some(error) => format!("it failed: {}", error.message),
        None => "it failed".to_owned(),
    }
}

/// What one side has and the other removed is no question of lines: the side that wins says whether it is there.
fn settle(git: &Git<'_>, conflicts: &[String], side: OnConflict) -> Result<(), Failure> {
    let side = if side == OnConflict::Ours { "--ours" } else { "--theirs" };
    for file in conflicts {
        if git.call(["checkout", side, "--", file])?.well {
            git.do_it(["add", "-f", "--", file])?;
        } else {
            git.call(["rm", "-q", "-f", "--ignore-unmatch", "--", file])?;
            // It may be there as nobody's.
            let _ = std::fs::remove_file(git.0.join(file));
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

fn conflict_words(part: &Part, conflicts: &[String], kinds: bool, merged: &[Part]) -> String {
    let others: Vec<String> = merged
        .iter()
        .filter(|other| other.files.iter().any(|file| conflicts.iter().any(|conflict| touches(file, conflict))))
        .map(|other| format!("`{}`", other.name))
        .collect();
    let others = match others.is_empty() {
        true => "the working tree's branch".to_owned(),
        false => others.join(", "),
    };
    let files = quoted(conflicts);
    match kinds {
        true => {
            format!("`{}` and {others} made different things of {files}: a file, and a folder or a link", part.name)
        }
        false => format!("`{}` and {others} changed the same in {files}", part.name),
    }
}

fn conflict(part: &Part, conflicts: &[String], kinds: bool, merged: &[Part]) -> Failure {
    let decides = match kinds {
        true => "only `on_conflict: \"skip\"` decides such cases",
        false => "`on_conflict: \"ours\"`, `\"theirs\"` or `\"skip\"` decides such cases",
    };
    Failure::new(FailureKind::Fail, conflict_words(part, conflicts, kinds, merged))
        .help(format!("nothing was merged; `git diff HEAD...{}` shows what it did, and {decides}", part.branch))
}

fn refused(part: &Part, said: &Said) -> Failure {
    let why = if said.err.trim().is_empty() { &said.out } else { &said.err };
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = format!("`{}` cannot be merged: {}", part.name, shorten(&why, 300));
    Failure::new(FailureKind::Fail, message)
        .help(format!("nothing was merged; `git diff HEAD...{}` shows what it did", part.branch))
}

fn lost(part: &Part) -> Failure {
    Failure::new(FailureKind::Fail, format!("the branch `{}` of `{}` is gone", part.branch, part.name))
        .help("was it removed, or renamed? `flow resume RUN --from` that step makes it again")
}
