//! Asking the person at the terminal on the spot for what steps wait for.
//!
//! - A step that asks goes to the queue; when nothing is being asked, the progress makes room for the first of it.
//! - Lines are read as they are typed, without waiting for them: the run goes on meanwhile.
//! - A question that somebody else has answered, or whose step is over, is withdrawn.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{QueueSelector, tcflush};

use super::question::{Question, Said};
use super::{diagnostic, messages_look, now, tell};
use crate::event::{Event, Record, WaitFor};
use crate::flow::{Flow, Running};
use crate::plan::StepId;
use crate::state::{RunState, Status};
use crate::view::progress::Progress;
use crate::view::time::Clock;
use crate::view::{self, Tone};

/// How long a step asks before a person is, and between two questions: somebody's answer may be on its way, and the
/// progress says what came of the last one.
const GRACE: Duration = Duration::from_millis(300);

/// See the module's page.
#[derive(Default)]
pub struct Desk {
    queue: VecDeque<(StepId, Instant)>,
    open: Option<Question>,
    /// What was typed of a line so far.
    typed: Vec<u8>,
    /// When the latest question was over.
    over: Option<Instant>,
    /// The terminal is gone.
    closed: bool,
}

impl Desk {
    /// Is something being asked?
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// An event, and the state after it.
    pub fn note(&mut self, state: &RunState, record: &Record) {
        match &*record.event {
            Event::Waiting { step, what: WaitFor::Answer { .. }, .. } => self.queue.push_back((*step, Instant::now())),
            Event::Replanned(_) => {
                self.queue = state.waits().iter().map(|waits| (waits.step, Instant::now())).collect();
            }
            _ => {}
        }
    }

    /// A moment has passed: asks, reads what was typed, withdraws.
    pub fn turn(&mut self, flow: &Flow, run: &Running, state: &RunState, progress: &mut Progress) {
        if let Some(question) = &self.open
            && !still_asks(state, question.waits.step, Some(question.waits.attempt))
        {
            let gone = "no longer asked";
            tell(&format!("\n  {}\n", messages_look().paint(Tone::Faint, gone)));
            self.close();
        }
        while self.open.is_some()
            && let Some(line) = self.line()
        {
            self.take(flow, run, line.as_deref());
        }
        if self.open.is_none() && !self.closed {
            self.next(state, progress);
        }
        if self.open.is_none() {
            progress.go_on();
        }
    }

    /// Opens the next question, if there is one.
    fn next(&mut self, state: &RunState, progress: &mut Progress) {
        while let Some((step, since)) = self.queue.front().copied() {
            if !still_asks(state, step, None) {
                self.queue.pop_front();
                continue;
            }
            if since.elapsed() < GRACE || self.over.is_some_and(|over| over.elapsed() < GRACE) {
                return;
            }
            self.queue.pop_front();
            let Some(question) = state.waits_of(step).and_then(Question::new) else { continue };
            progress.make_room(state, now());
            // What was typed before was not meant for this question.
            let _ = tcflush(io::stdin(), QueueSelector::IFlush);
            self.typed.clear();
            tell(&introduction(&question));
            ask(&question);
            self.open = Some(question);
            return;
        }
    }

    fn take(&mut self, flow: &Flow, run: &Running, line: Option<&str>) {
        let Some(question) = &mut self.open else { return };
        let answering = match question.take(line) {
            Said::Again(why) => {
                tell(&format!("  {}\n", messages_look().paint(Tone::Warn, &why)));
                return ask(question);
            }
            Said::Next => return ask(question),
            Said::NotNow => {
                let later = view::command(run.id(), &question.waits).unwrap_or_default();
                let end = if line.is_none() { "\n" } else { "" };
                let later = if flow.is_kept() { format!("not now; later: {later}") } else { "not now".to_owned() };
                tell(&format!("{end}  {}\n", messages_look().paint(Tone::Faint, &later)));
                run.decline(&question.waits);
                return self.close();
            }
            Said::Done(answering) => answering,
        };
        if let Err(problem) = flow.approve(run.id(), &*question.waits.path, answering) {
            // Mostly somebody else was faster.
            tell(&diagnostic(&problem));
        }
        run.look();
        self.close();
    }

    fn close(&mut self) {
        self.open = None;
        self.over = Some(Instant::now());
    }

    /// A line, if one has been typed; within, nothing: the end of input.
    fn line(&mut self) -> Option<Option<String>> {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        if !poll(&mut fds, Some(&rustix::event::Timespec::default())).is_ok_and(|ready| ready > 0) {
            return None;
        }
        let mut buffer = [0; 1024];
        // A terminal gives at most one line.
        match rustix::io::read(&stdin, &mut buffer) {
            Ok(0) => {
                self.typed.clear();
                Some(None)
            }
            Ok(n) => {
                self.typed.extend_from_slice(&buffer[..n]);
                let line = self.typed.strip_suffix(b"\n")?;
                let line = String::from_utf8_lossy(line).into_owned();
                self.typed.clear();
                Some(Some(line))
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => None,
            Err(_) => {
                self.closed = true;
                Some(None)
            }
        }
    }
}

/// Does the step still ask, and does the run go on?
fn still_asks(state: &RunState, step: StepId, attempt: Option<u32>) -> bool {
    let asks = |step: &crate::state::StepState| {
        step.status == Status::Waiting
            && attempt.is_none_or(|attempt| step.attempt == attempt)
            && matches!(step.waits_for.as_deref(), Some(WaitFor::Answer { .. }))
    };
    state.stopping.is_none() && state.steps.get(step.index()).is_some_and(asks)
}

fn introduction(question: &Question) -> String {
    let (look, waits) = (messages_look(), &question.waits);
    let prompt = match &*waits.what {
        WaitFor::Answer { prompt, .. } if !prompt.trim().is_empty() => prompt.trim(),
        _ => "is this to go on?",
    };
    let mut lines = view::lines(prompt).into_iter();
    let first = lines.next().unwrap_or_default();
    let mut text = format!("{} {} asks: {first}\n", look.paint(Tone::Warn, "?"), look.paint(Tone::Strong, &waits.path));
    lines.for_each(|line| text.push_str(&format!("  {line}\n")));
    let until = waits.until.map_or(String::new(), |until| format!("until {}; ", Clock::local(now()).time(until)));
    let hint = look.paint(Tone::Faint, &format!("({until}Enter: not now)"));
    text.push_str(&format!("  {}   {hint}\n", question.choices()));
    text
}

fn ask(question: &Question) {
    tell(&format!("  {}: ", question.prompt()));
}
