//! A process that runs as long as the pipeline: an item a line goes in as JSON, a line of JSON comes out for it.
//!
//! One that breaks this rule is ended, since nobody knows any more which answer belongs to which item; the next item
//! gets a new one.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Given, Input, Opening, Stop, Which, Worker};
use crate::event::{Failure, FailureKind};
use crate::exec::exit;
use crate::exec::pipeline::exchange::{Talk, Until, Wait};
use crate::exec::pipeline::outside::{Outside, Process, Template};
use crate::exec::pipeline::steplog::{Tail, pump};
use crate::lang::item::Item;
use crate::plan::{Command, Stream, unit};
use crate::state::result::shorten;

/// Most bytes of an answer.
const MOST: u64 = Stream::MAX_LINE;

/// See the module's page.
pub(super) struct Spoken<'a> {
    template: Template,
    outside: &'a Outside<'a>,
    stop: Arc<Stop>,
    quiet: bool,
    living: Option<Living<'a>>,
}

struct Living<'a> {
    process: Process<'a>,
    talk: Talk,
    tail: Tail,
}

impl<'a> Spoken<'a> {
    pub fn open(command: &Command, at: &Opening<'a>, stop: &Arc<Stop>) -> Result<Self, Failure> {
        let quiet = at.job.policy.as_ref().is_some_and(|policy| policy.secret);
        let template = Template::of(command, at.outside)?;
        let mut spoken = Spoken { template, outside: at.outside, stop: stop.clone(), quiet, living: None };
        // A program that is not there is told before the first item.
        spoken.living = Some(spoken.start()?);
        Ok(spoken)
    }

    fn start(&self) -> Result<Living<'a>, Failure> {
        let mut process = Process::start(&self.template, self.outside, None)?;
        let mut talk = Talk::with(&mut process).map_err(|error| exit::not_started(&self.template.program, &error))?;
        let tail = pump(talk.stderr.take(), &self.outside.errors);
        Ok(Living { process, talk, tail })
    }

    /// Ends one that cannot be trusted any more.
    fn end(&self, living: Living<'a>) {
        living.process.kill(false);
        drop(living.talk);
        // How it ended is of no interest.
        let _ = living.process.wait();
    }

    /// It is at its end, though it had an item.
    fn died(&self, living: Living<'a>) -> Failure {
        let shown = &self.template.program.shown;
        drop(living.talk.stdin);
        // It may have closed its output and go on.
        if !living.process.ends_within(self.outside.running.grace()) {
            living.process.kill(false);
            let _ = living.process.wait();
            let message = format!("the worker `{shown}` closed its standard output before it answered");
            return Failure::new(FailureKind::Output, message).help(HELP);
        }
        match living.process.wait() {
            Ok(ended) if ended.is_well() => {
                let message = format!("the worker `{shown}` ended before it answered");
                Failure::new(FailureKind::Output, message).help(HELP)
            }
            Ok(ended) => ended.failure(&self.template.program, &living.tail.bytes(), self.outside),
            Err(failure) => failure,
        }
    }

    fn broke(&self, living: Living<'a>, what: String) -> Failure {
        self.end(living);
        Failure::new(FailureKind::Output, format!("the worker `{}` {what}", self.template.program.shown)).help(HELP)
    }

    /// It wrote lines that no item was owed.
    fn surplus(&self, living: Living<'a>) -> Failure {
        let what = format!("answers with more lines than it gets{}", self.quote(&living.talk.out));
        self.broke(living, what)
    }

    fn quote(&self, line: &[u8]) -> String {
        let text = String::from_utf8_lossy(&line[..line.len().min(1024)]);
        let text = match self.outside.masked() {
            Some(secrets) => secrets.mask().text(&text).into_owned(),
            None => text.into_owned(),
        };
        if self.quiet { String::new() } else { format!(": `{}`", shorten(text.trim(), 100)) }
    }
}

const HELP: &str = "a worker reads a line of JSON for each item, and writes one line of JSON for it, flushed at once; \
                    other messages go to standard error";

impl<'a> Worker for Spoken<'a> {
    fn work(&mut self, input: Input, _: Which) -> Result<Given, Failure> {
        let batch = matches!(input, Input::Batch(_));
        let mut line = Vec::new();
        input.into_item().write_json(&mut line)?;
        line.push(b'\n');
        let mut living = match self.living.take() {
            Some(mut living) => {
                let is_over = living.process.ends_within(Duration::ZERO);
                // Nothing is owed to us.
                if living.talk.has_more() {
                    return Err(self.surplus(living));
                }
                // One that has ended since the last item is no longer there.
                match is_over {
                    true => {
                        drop(living);
                        self.start()?
                    }
                    false => living,
                }
            }
            None => self.start()?,
        };
        let process = &living.process;
        match living.talk.until(process, &line, MOST, &self.stop, Wait::Line) {
            Until::Done => {}
            Until::Closed => return Err(self.died(living)),
            Until::TooMuch => {
                let what = format!("wrote a line of more than {}", unit::show_bytes(MOST));
                return Err(self.broke(living, what));
            }
            Until::Stopped => {
                self.end(living);
                return Err(exit::by_us(&self.template.program));
            }
        }
        let out = &mut living.talk.out;
        let end = out.iter().position(|byte| *byte == b'\n').map_or(out.len(), |at| at + 1);
        let answer: Vec<u8> = out.drain(..end).collect();
        if !out.is_empty() {
            return Err(self.surplus(living));
        }
        let masked = self.outside.masked().map(|secrets| secrets.mask().bytes(&answer).into_owned());
        let text = masked.as_deref().unwrap_or(&answer);
        if let Some(error) = refusal(text) {
            self.living = Some(living);
            let error = if self.quiet { "it said so".into() } else { error };
            return Err(Failure::new(FailureKind::Output, error));
        }
        match Item::read_json(text) {
            Ok(item) => {
                self.living = Some(living);
                Ok(Given::of(item, batch))
            }
            Err(_) => {
                let what = format!("answered with what is not JSON{}", self.quote(&answer));
                Err(self.broke(living, what))
            }
        }
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        let Some(mut living) = self.living.take() else { return Ok(()) };
        living.talk.stdin = None;
        let grace = self.outside.running.grace();
        // Every line that an item was owed was taken: what still comes is one too many.
        living.talk.drain(&living.process, grace, &self.stop);
        if !living.talk.out.iter().all(u8::is_ascii_whitespace) {
            let failure = self.surplus(living);
            let message = format!("{}, as its end shows: answers may have gone to the wrong items", failure.message);
            return Err(Failure { message, ..failure });
        }
        if !living.process.ends_within(Duration::ZERO) {
            self.end(living);
            return Ok(());
        }
        let ended = living.process.wait()?;
        living.tail.settle();
        if ended.is_well() {
            return Ok(());
        }
        let failure = ended.failure(&self.template.program, &living.tail.bytes(), self.outside);
        Err(Failure { message: format!("{}, at its end, when every item was answered", failure.message), ..failure })
    }
}

/// What a worker says with `{"error": "…"}`: the item failed, and why.
fn refusal(answer: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Refusal {
        error: String,
    }
    // Most answers are something else: two looks tell.
    let inner = answer.trim_ascii_start().strip_prefix(b"{")?;
    inner
        .trim_ascii_start()
        .starts_with(b"\"error\"")
        .then(|| serde_json::from_slice::<Refusal>(answer).ok())?
        .map(|it| it.error)
}
