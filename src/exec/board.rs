//! Notes on boards: from `put`, and from what agents answer.

use crate::event::{Failure, FailureKind, INLINE_LIMIT, Note, Outcome, Output};
use crate::plan::{Json, Put, StepId};
use crate::state::result::{Body, plain_text};
use crate::state::{Inputs, resolve};

use super::Job;

/// `board.put(…)`: the note is part of how the step ended.
pub(super) fn put(put: &Put, job: &Job) -> Result<Outcome, Failure> {
    let key = plain_text(&resolve(&put.key, &job.inputs)?);
    let value = resolve(&put.value, &job.inputs)?;
    let note = note(put.board, key, value.clone(), &job.inputs)?;
    Ok(Outcome { output: Output::Value(value), notes: vec![note], ..Outcome::default() })
}

/// A note on a board.
///
/// # Errors
/// It has no key, or is too long for an event.
pub fn note(board: StepId, key: String, value: Json, inputs: &Inputs) -> Result<Note, Failure> {
    if key.is_empty() {
        return Err(Failure::new(FailureKind::Input, "a note on a board needs a key, and this one is empty")
            .help("say under what it is noted: `facts.put(\"cause\", value)`"));
    }
    let length = value.to_string().len();
    if length > INLINE_LIMIT {
        let message = format!("the note `{key}` is {length} bytes long; a note may have {INLINE_LIMIT}");
        return Err(Failure::new(FailureKind::Input, message)
            .help("put a long text into a file, and note its path; or hand on the output of the step that made it"));
    }
    let memory = inputs.get(board).and_then(|result| match &result.body {
        Body::Board(board) => board.memory.clone(),
        _ => None,
    });
    Ok(Note { board, key, value, memory })
}
