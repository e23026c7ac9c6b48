//! What an agent is told of the steps before it, as far as there is room.
//!
//! Room is counted in bytes: [`LONGEST`], or what a window of tokens says, at [`TOKEN`] bytes each. What is given directly has
//! it first; where that is too much, each gets an equal share of it. What came before that follows, the newest first, until
//! the room is used up. Of what does not fit the beginning is left out, and the prompt says so, and where the whole is.

use smol_str::SmolStr;

use super::super::Job;
use super::super::stdin::whole_output;
use super::block::Block;
use crate::event::{Failure, FailureKind, Log, Output};
use crate::plan::{Ask, Context, Json, StepId, Value};
use crate::state::result::{plain_text, shorten};
use crate::state::{Body, Status, StepResult, resolve};

/// Bytes of a token, about: an estimate for English text and code, that needs no tokenizer.
pub(super) const TOKEN: usize = 4;

/// Most bytes of all that is told, where no window is given: about what fits into the models that read most.
pub(super) const LONGEST: usize = 1 << 20;

/// Less than so many bytes of a text are not worth telling.
const SCRAP: usize = 200;

/// How long what is said of a failure may be, in characters.
const MESSAGE: usize = 500;

/// What an agent is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// What led to it, oldest first.
    pub earlier: Vec<Block>,
    /// What it takes over.
    pub taken_over: Option<Block>,
    /// What boards hold.
    pub boards: Vec<Block>,
    /// Its direct input, in the order declared.
    pub input: Vec<Block>,
    /// Steps that led to it and for which there was no room, oldest first.
    pub left_out: Vec<String>,
    /// Steps that gave nothing, each with why.
    pub empty: Vec<(String, &'static str)>,
}

/// Something that could be told.
struct Source {
    block: Block,
    body: Content,
}

enum Content {
    Text(String),
    /// In a file of the run, which may be longer than the memory.
    File(Log, bool),
}

impl Source {
    fn bytes(&self) -> usize {
        match &self.body {
            Content::Text(text) => text.len(),
            Content::File(log, _) => usize::try_from(log.bytes).unwrap_or(usize::MAX),
        }
    }

    /// Its block, with at most so many bytes of its end.
    fn cut(self, room: usize, job: &Job) -> Result<Block, Failure> {
        let bytes = self.bytes();
        let Source { mut block, body } = self;
        let fits = bytes <= room;
        let (text, file) = match body {
            Content::Text(text) => (text, None),
            Content::File(log, json) => {
                let read = if fits { job.inputs.files.read(&log) } else { job.inputs.files.tail(&log, room) };
                let read = read.map_err(|error| {
                    Failure::new(FailureKind::Store, format!("cannot read `{}` for a prompt: {error}", log.file))
                        .help("files of a run must not be removed while it goes on")
                })?;
                let text = String::from_utf8_lossy(&read).into_owned();
                let pretty = |text: &String| pretty(&serde_json::from_str::<Json>(text).ok()?);
                let text = if json && fits { pretty(&text).unwrap_or(text) } else { text };
                (text, Some(job.site.folder.join(&log.file)))
            }
        };
        if fits {
            block.text = text;
            return Ok(block);
        }
        block.text = end_of(&text, room).to_owned();
        let cut = format!("the first {} of {bytes} bytes are left out", bytes - block.text.len());
        block = block.note("cut", cut);
        if let Some(file) = file {
            block = block.note("whole", file.display().to_string());
        }
        Ok(block)
    }
}

/// A value as JSON that can be read well.
fn pretty(value: &Json) -> Option<String> {
    serde_json::to_string_pretty(value).ok()
}

fn text_of(value: &Json) -> String {
    match value {
        Json::Array(_) | Json::Object(_) => pretty(value).unwrap_or_else(|| value.to_string()),
        value => plain_text(value),
    }
}

/// At most so many bytes of its end: whole lines if it has some, else whole letters.
fn end_of(text: &str, room: usize) -> &str {
    let mut at = text.len().saturating_sub(room);
    if at == 0 {
        return text;
    }
    while !text.is_char_boundary(at) {
        at += 1;
    }
    let rest = &text[at..];
    match rest.find('\n') {
        Some(line) if !text[..at].ends_with('\n') && line + 1 < rest.len() && line < rest.len() / 2 => {
            &rest[line + 1..]
        }
        _ => rest,
    }
}

/// All that an agent is told. `streamed`: what those before it in its stream wrote, in the order declared.
///
/// # Errors
/// A result that cannot be read.
pub(super) fn told(ask: &Ask, job: &Job, streamed: &[(SmolStr, String)]) -> Result<Told, Failure> {
    let mut told = Told::default();
    let mut direct = Vec::new();
    for (name, text) in streamed {
        match text.is_empty() {
            true => told.empty.push((name.to_string(), "gave nothing")),
            false => direct.push(Source { block: Block::of(name.as_str(), ""), body: Content::Text(text.clone()) }),
        }
    }
    match job.policy.as_ref().and_then(|policy| policy.stdin.as_ref()) {
        Some(value) => given("input", value, job, &mut direct, &mut told.empty)?,
        None => {
            for step in &job.input {
                let result = result_of(job, *step)?;
                sources(result, &result.name, job, &mut direct, &mut told.empty)?;
            }
        }
    }
    let of_input = direct.len();
    for board in &ask.boards {
        let result = result_of(job, *board)?;
        let value = result.property("output", &*job.inputs.files)?;
        match value.as_object().is_some_and(|notes| !notes.is_empty()) {
            true => direct.push(Source {
                block: Block::of(result.name.as_str(), "").note("is", "a board"),
                body: Content::Text(text_of(&value)),
            }),
            false => told.empty.push((result.name.to_string(), "is a board on which nothing stands so far")),
        }
    }
    let of_boards = direct.len();
    if let Some(step) = ask.takes_over {
        let result = result_of(job, step)?;
        direct.push(come_to(result, job)?);
    }
    let room = match ask.context {
        Context::Window(tokens) => usize::try_from(tokens).unwrap_or(usize::MAX).saturating_mul(TOKEN),
        Context::Last | Context::All => LONGEST,
    };
    let shares = shares(&direct.iter().map(Source::bytes).collect::<Vec<_>>(), room);
    let mut left = room.saturating_sub(shares.iter().sum());
    for (n, (source, share)) in direct.into_iter().zip(shares).enumerate() {
        let block = source.cut(share, job)?;
        match n {
            n if n < of_input => told.input.push(block),
            n if n < of_boards => told.boards.push(block),
            _ => told.taken_over = Some(block),
        }
    }
    let mut earlier = Vec::new();
    if ask.context != Context::Last {
        for (label, value) in &ask.earlier {
            given(label, value, job, &mut earlier, &mut Vec::new())?;
        }
    }
    for source in earlier.into_iter().rev() {
        if !told.left_out.is_empty() || left < SCRAP.min(source.bytes()) {
            // Older ones are not told either: nothing is missing in the middle.
            told.left_out.push(source.block.from);
            continue;
        }
        let block = source.cut(left, job)?;
        left = left.saturating_sub(block.text.len());
        told.earlier.push(block);
    }
    told.earlier.reverse();
    told.left_out.reverse();
    Ok(told)
}

/// What each may have of the room: all that it needs, and where that is too much, as much as the others that need more.
fn shares(needs: &[usize], room: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..needs.len()).collect();
    order.sort_by_key(|n| needs[*n]);
    let (mut left, mut shares) = (room, vec![0; needs.len()]);
    for (at, n) in order.iter().enumerate() {
        shares[*n] = needs[*n].min(left / (needs.len() - at));
        left -= shares[*n];
    }
    shares
}

fn result_of(job: &Job, step: StepId) -> Result<&StepResult, Failure> {
    job.inputs
        .get(step)
        .map(|result| &**result)
        .ok_or_else(|| Failure::new(FailureKind::Input, format!("the result of step {} is not at hand", step.0)))
}

/// A value that is told under a label. The whole output of a step is read as far as there is room for it.
fn given(
    label: &str,
    value: &Value,
    job: &Job,
    out: &mut Vec<Source>,
    empty: &mut Vec<(String, &'static str)>,
) -> Result<(), Failure> {
    if let Some(step) = whole_output(value) {
        return sources(result_of(job, step)?, label, job, out, empty);
    }
    let text = text_of(&resolve(value, &job.inputs)?);
    match text.is_empty() {
        true => empty.push((label.to_owned(), "gave nothing")),
        false => out.push(Source { block: Block::of(label, ""), body: Content::Text(text) }),
    }
    Ok(())
}

/// What a step gave: of a group that gives all of its steps, each of them.
fn sources(
    result: &StepResult,
    label: &str,
    job: &Job,
    out: &mut Vec<Source>,
    empty: &mut Vec<(String, &'static str)>,
) -> Result<(), Failure> {
    if result.status == Status::Skipped {
        empty.push((label.to_owned(), "was skipped"));
        return Ok(());
    }
    let within = |name: &str, key: Option<&SmolStr>| match key {
        Some(key) => format!("{label}[{key}]"),
        None if is_nameless(label) => name.to_owned(),
        None => format!("{label}/{name}"),
    };
    match &result.body {
        Body::Same(inner) => return sources(inner, label, job, out, empty),
        Body::List(parts) => {
            return parts
                .iter()
                .try_for_each(|part| sources(part, &within(&part.name, part.key.as_ref()), job, out, empty));
        }
        Body::Map(parts) => {
            return parts
                .iter()
                .try_for_each(|(name, part)| sources(part, &within(name, part.key.as_ref()), job, out, empty));
        }
        Body::Task | Body::Nothing | Body::Board(_) | Body::Value(..) => {}
    }
    let mut block = Block::of(label, "");
    let has_failed = result.status == Status::Failed;
    if has_failed {
        block = failed(block, result);
    }
    let body = match (&result.body, result.outcome.as_ref().map(|outcome| &outcome.output)) {
        (Body::Task, Some(Output::File { log, json })) if is_whole(result) => Content::File(log.clone(), *json),
        _ => Content::Text(text_of(&result.property("output", &*job.inputs.files)?)),
    };
    match &body {
        Content::Text(text) if text.is_empty() && !has_failed => empty.push((label.to_owned(), "gave nothing")),
        _ => out.push(Source { block, body }),
    }
    Ok(())
}

fn is_whole(result: &StepResult) -> bool {
    result.outcome.as_ref().is_none_or(|outcome| outcome.streamed.as_ref().is_none_or(|streamed| !streamed.partly_kept))
}

/// Is it a name that flow gave to a group?
fn is_nameless(name: &str) -> bool {
    let number = ["parallel-", "chain-", "stream-"].iter().find_map(|word| name.strip_prefix(word));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What a step that failed had come to.
fn come_to(result: &StepResult, job: &Job) -> Result<Source, Failure> {
    let mut block = failed(Block::of(result.name.as_str(), ""), result);
    let tail = |log: &Log| {
        let read = job.inputs.files.tail(log, LONGEST);
        read.map(|read| String::from_utf8_lossy(&read).into_owned()).unwrap_or_default()
    };
    let report = result.outcome.as_ref().and_then(|outcome| outcome.agent.as_ref());
    let said = match (report.map(|report| &report.text), result.outcome.as_ref().map(|outcome| &outcome.output)) {
        (Some(Output::Value(value)), _) => text_of(value),
        (Some(Output::File { log, .. }), _) | (None, Some(Output::File { log, .. })) => tail(log),
        (Some(Output::None), _) | (None, None) => String::new(),
        (None, Some(_)) => text_of(&result.property("output", &*job.inputs.files)?),
    };
    if let Some(report) = report.filter(|report| !report.tools_used.is_empty()) {
        let tools = report.tools_used.iter().map(|(tool, times)| format!("{tool} × {times}"));
        block = block.note("tools", tools.collect::<Vec<_>>().join(", "));
    }
    let said = if said.trim().is_empty() { "(It had said nothing.)".to_owned() } else { said };
    Ok(Source { block, body: Content::Text(said) })
}

/// The block of a step that failed.
fn failed(block: Block, result: &StepResult) -> Block {
    let block = block.note("status", result.status.name());
    match result.outcome.as_ref().and_then(|outcome| outcome.error.as_ref()) {
        Some(error) => block.note("error", shorten(&error.message, MESSAGE)),
        None => block,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_shared_by_those_who_need_more() {
        assert_eq!(shares(&[10, 20], 100), [10, 20]);
        assert_eq!(shares(&[10, 200, 300], 100), [10, 45, 45]);
        assert_eq!(shares(&[], 100), Vec::<usize>::new());
        assert_eq!(shares(&[5, 5, 5], 0), [0, 0, 0]);
    }

    #[test]
    fn a_cut_is_at_a_line_or_at_a_letter() {
        assert_eq!(end_of("one\ntwo\nthree", 100), "one\ntwo\nthree");
        assert_eq!(end_of("one\ntwo\nthree\n", 9), "three\n");
        assert_eq!(end_of("one\ntwo\nthree\n", 6), "three\n");
        assert_eq!(end_of("äöü", 3), "ü");
        assert_eq!(end_of("abc", 0), "");
    }
}
