//! `:logs`: what steps wrote.

use std::fs::File;
use std::io::BufReader;

use super::answer::Answer;
use super::perform::{ran, step_of_run};
use super::session::Session;
use crate::diag::{Diagnostic, Result};
use crate::flow::{log_stem, output_file};
use crate::plan::StepId;
use crate::view::logs::{Logs, Piece};
use crate::view::{Look, is_secret};

/// The output of a step and of all in it, or of all steps; of each its latest attempt.
///
/// # Errors
/// Nothing has run, or there is no such step.
pub fn logs(session: &Session, name: &str, look: Look) -> Result<Answer> {
    let (run, state) = ran(session)?;
    let only = if name.is_empty() { None } else { Some(step_of_run(session, state, name)?) };
    let folder = session.flow.run_folder(run)?.join("logs");
    let within = |id: StepId, group: StepId| {
        let mut groups = std::iter::successors(Some(id), |id| state.plan.step(*id).parent);
        groups.any(|id| id == group)
    };
    let wanted: Vec<StepId> = state
        .plan
        .ids()
        .filter(|id| only.is_none_or(|only| within(*id, only)))
        .filter(|id| !state.plan.step(*id).task.is_group() && state.step(*id).attempt > 0)
        .collect();
    let mut answer = Answer::default();
    let mut text = Vec::new();
    let mut logs = Logs::new(&mut text, look, wanted.len() > 1, false);
    for id in wanted {
        let (path, attempt) = (state.plan.path(id), state.step(id).attempt);
        if is_secret(&state.plan, id) {
            answer.note(format!("the output of `{path}` is secret and not shown"));
            continue;
        }
        let output = output_file(&state.plan.step(id).task, id, &path, attempt);
        for (stderr, file) in [(false, output), (true, format!("{}.err", log_stem(id, &path, attempt)))] {
            let file = folder.join(file);
            // A file that is not there has nothing to say.
            let Ok(file) = File::open(file) else { continue };
            let piece = Piece { path: path.clone(), attempt, stderr };
            logs.write(&piece, BufReader::new(file), false).map_err(|error| unreadable(&error))?;
        }
    }
    logs.flush().map_err(|error| unreadable(&error))?;
    drop(logs);
    if text.is_empty() && answer.notes.is_empty() {
        answer.note("nothing was written".to_owned());
    } else {
        answer.text = Some(String::from_utf8_lossy(&text).into_owned());
    }
    Ok(answer)
}

fn unreadable(error: &std::io::Error) -> Diagnostic {
    Diagnostic::new("flow::file::unreadable", format!("a log cannot be read: {error}"))
        .help("check the permissions of the folder of the runs")
}
