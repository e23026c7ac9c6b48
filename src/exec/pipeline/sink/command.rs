//! Items go to the standard input of a program, which runs as long as the pipeline. What its pipe has taken counts as
//! delivered: what it does with that, and whether it had read it when it was killed, nobody knows.

use std::sync::Arc;
use std::time::Duration;

use super::form::Form;
use super::{Failure, Item, Opening, Sink, Stop, Trouble};
use crate::event::FailureKind;
use crate::exec::exit;
use crate::exec::pipeline::exchange::{Talk, Until, Wait};
use crate::exec::pipeline::outside::{Outside, Process, Template};
use crate::exec::pipeline::steplog::{Tail, pump};
use crate::plan::{self, Format};

/// How much is gathered before it is written, in bytes.
const BUFFER: usize = 64 << 10;

/// How often one looks whether to stop, while the program comes to its end.
const LOOK: Duration = Duration::from_millis(50);

/// See the module's page.
pub(super) struct Command<'a> {
    template: Template,
    outside: &'a Outside<'a>,
    stop: Arc<Stop>,
    /// Nothing: it has ended.
    process: Option<Process<'a>>,
    talk: Talk,
    /// What it writes to its standard output.
    said: Tail,
    tail: Tail,
    form: Form,
    buffer: Vec<u8>,
}

impl<'a> Command<'a> {
    pub fn open(command: &plan::Command, format: &Format, at: &Opening<'a>, stop: &Arc<Stop>) -> Result<Self, Failure> {
        let outside = at.outside;
        let template = Template::of(command, outside)?;
        let mut process = Process::start(&template, outside, None)?;
        let mut talk = Talk::with(&mut process).map_err(|error| exit::not_started(&template.program, &error))?;
        // Both are for people. They may come at any time, also while nothing is written.
        let said = pump(talk.stdout.take(), &outside.output);
        let tail = pump(talk.stderr.take(), &outside.errors);
        let form = Form::new(format, None);
        let (process, stop) = (Some(process), stop.clone());
        Ok(Command { template, outside, stop, process, talk, said, tail, form, buffer: Vec::new() })
    }

    fn write(&mut self) -> Result<(), Failure> {
        let Some(process) = self.process.as_ref().filter(|_| !self.buffer.is_empty()) else { return Ok(()) };
        let until = self.talk.until(process, &self.buffer, u64::MAX, &self.stop, Wait::Written);
        self.buffer.clear();
        match until {
            Until::Done if self.talk.stdin.is_some() => Ok(()),
            Until::Stopped => Err(exit::by_us(&self.template.program)),
            _ => Err(self.refused()),
        }
    }

    /// It takes no more.
    fn refused(&mut self) -> Failure {
        let program = &self.template.program;
        let early = format!("`{}` took no more before all items had come", program.shown);
        let early = Failure::new(FailureKind::Output, early)
            .help("a program that items go to has to read its standard input to the end; `take` ends a pipeline early");
        let Some(process) = self.process.take() else { return early };
        if !process.ends_within(self.outside.running.grace()) {
            process.kill(false);
            // It is not its end that counts.
            let _ = process.wait();
            return early;
        }
        match process.wait() {
            Ok(ended) if ended.is_well() => early,
            Ok(ended) => ended.failure(program, &self.tail.bytes(), self.outside),
            Err(failure) => failure,
        }
    }
}

impl Sink for Command<'_> {
    fn put(&mut self, item: &Item) -> Result<(), Trouble> {
        let before = self.buffer.len();
        if let Err(failure) = self.form.write(item, &mut self.buffer) {
            self.buffer.truncate(before);
            return Err(Trouble::Item(failure));
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER {
            self.write()?;
        }
        Ok(())
    }

    fn flush(&mut self, _: bool) -> Result<u64, Failure> {
        self.write()?;
        Ok(0)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        self.write()?;
        self.talk.stdin = None;
        let Some(process) = self.process.take() else { return Ok(()) };
        while !process.ends_within(LOOK) {
            if self.stop.is_set() {
                process.kill(false);
            }
        }
        let ended = process.wait()?;
        self.said.settle();
        self.tail.settle();
        match ended.is_well() {
            true => Ok(()),
            false => Err(ended.failure(&self.template.program, &self.tail.bytes(), self.outside)),
        }
    }
}
