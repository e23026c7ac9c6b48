//! Notes on boards: from `put`, and from what agents answer.

use crate::event::{Failure, FailureKind, INLINE_LIMIT, Note, Outcome, Output};
use crate::plan::{Ask, Board, Json, Put, StepId};
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

/// Knows what lasts over runs. A door: flow's is its store.
pub trait Memories: Send + Sync {
    /// What was noted in earlier runs, not longer ago than so many milliseconds.
    ///
    /// # Errors
    /// It cannot be read.
    fn recall(&self, name: &str, ttl_ms: Option<u64>) -> Result<Vec<(String, Json)>, Failure>;
}

/// A board that lasts has what earlier runs noted: these are notes of its own step, which nobody writes again.
pub(super) fn recall(board: &Board, memories: Option<&dyn Memories>, job: &Job) -> Result<Outcome, Failure> {
    let (Some(name), Some(memories)) = (&board.memory, memories) else { return Ok(Outcome::default()) };
    let known = memories.recall(name, board.ttl_ms)?;
    let note = |(key, value)| Note { board: job.step, key, value, memory: None };
    Ok(Outcome { notes: known.into_iter().map(note).collect(), ..Outcome::default() })
}

/// What an agent notes with its answer: of a text what stands in blocks ```` ```notes ````, each a JSON object; `value`, of an answer that
/// is JSON, the map that stood under its key `notes`, or null. Gives the text without those blocks, if there were any.
///
/// # Errors
/// What stands in such a block is no object; or is too long.
pub(super) fn answered(
    ask: &Ask,
    text: &str,
    value: Option<&Json>,
    job: &Job,
) -> Result<(Option<String>, Vec<Note>), Failure> {
    let Some(board) = ask.boards.first().copied() else { return Ok((None, Vec::new())) };
    let mut notes = Vec::new();
    let mut take = |object: Json| -> Result<(), Failure> {
        let Json::Object(object) = object else {
            let message = format!("the notes of agent `{}` are no map of keys and values", ask.agent.name);
            return Err(Failure::new(FailureKind::Agent, message)
                .help("notes are a JSON object: ```notes and {\"key\": \"value\"} and ```, on lines of their own"));
        };
        for (key, value) in object {
            notes.push(note(board, key, value, &job.inputs)?);
        }
        Ok(())
    };
    if let Some(value) = value {
        if !value.is_null() {
            take(value.clone())?;
        }
        return Ok((None, notes));
    }
    let (rest, blocks) = without_blocks(text);
    let had = !blocks.is_empty();
    for block in blocks {
        take(serde_json::from_str(&block).unwrap_or_default())?;
    }
    Ok((had.then_some(rest), notes))
}

/// A text without its blocks of notes, and what stood in those.
fn without_blocks(text: &str) -> (String, Vec<String>) {
    let (mut rest, mut blocks) = (String::with_capacity(text.len()), Vec::new());
    let mut inside: Option<String> = None;
    for line in text.split_inclusive('\n') {
        match &mut inside {
            None if line.trim() == "```notes" => inside = Some(String::new()),
            None => rest.push_str(line),
            Some(_) if line.trim() == "```" => blocks.extend(inside.take()),
            Some(block) => block.push_str(line),
        }
    }
    if let Some(open) = inside {
        // It was never closed: it is text like others.
        rest.push_str("```notes\n");
        rest.push_str(&open);
    }
    if !blocks.is_empty() {
        rest.truncate(rest.trim_end().len());
    }
    (rest, blocks)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_notes_are_taken_out() {
        let text = "It leaks.\n\n```notes\n{\"cause\": \"a leak\"}\n```\n";
        assert_eq!(without_blocks(text), ("It leaks.".to_owned(), vec!["{\"cause\": \"a leak\"}\n".to_owned()]));
        let text = "```rust\nfn f() {}\n```\n";
        assert_eq!(without_blocks(text), (text.to_owned(), Vec::new()));
        assert_eq!(without_blocks("a\n```notes\n{"), ("a\n```notes\n{".to_owned(), Vec::new()));
    }
}
