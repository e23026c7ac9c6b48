//! Random stories: whatever happens in whatever order, each letter is taken once and none is lost.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;
use crate::diag::Span;
use crate::event::Outcome;
use crate::plan::{Growth, OnTimeout, SignalWait, Step, Task};
use crate::state::Status;

/// Steps 0 to 2 wait for answers, 3 to 5 for the signal `a`, 6 and 7 for `b`.
const STEPS: u32 = 8;

fn name(step: u32) -> &'static str {
    if step < 6 { "a" } else { "b" }
}

fn what(step: u32) -> WaitFor {
    let on_timeout = OnTimeout::Fail;
    match step {
        0..3 => {
            let (prompt, choices) = (String::new(), vec!["yes".into(), "no".into()]);
            WaitFor::Answer { prompt, choices, form: Vec::new(), refusable: true, on_timeout }
        }
        _ => WaitFor::Signal { name: name(step).into(), on_timeout },
    }
}

/// What the store keeps.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<Letter>>>);

impl Shelf {
    /// As the store does it: an attempt of a step gets one answer.
    fn post(&self, to: Addressee) {
        let mut letters = self.0.lock().expect("no panic");
        if matches!(to, Addressee::Signal(_)) || letters.iter().all(|letter| letter.to != to) {
            let letter = letters.len() as u64 + 1;
            letters.push(Letter { to, answer: Answer { letter, ..Answer::default() } });
        }
    }
}

impl Outside for Shelf {
    fn letters(&mut self, after: u64) -> Result<Vec<Letter>> {
        Ok(self.0.lock().expect("no panic")[after as usize..].to_vec())
    }

    fn is_there(&mut self, _: &str) -> bool {
        false
    }
}

#[derive(Clone, Debug)]
enum Happens {
    /// A step begins to wait, if it has not begun.
    Waits(u32),
    /// The step is as if it had never begun, but for the number of its attempts.
    Reset(u32),
    /// Somebody answers it, or sends its signal.
    Said(u32),
    /// What was found is written down, or nobody wants to hear it. It looks everywhere, or only for those who have just
    /// begun to wait.
    Looks { everywhere: bool, heard: bool },
    /// What was found is lost, and another process goes on.
    Dies,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..STEPS).prop_map(Happens::Waits),
        1 => (0..STEPS).prop_map(Happens::Reset),
        4 => (0..STEPS).prop_map(Happens::Said),
        3 => any::<(bool, bool)>().prop_map(|(everywhere, heard)| Happens::Looks { everywhere, heard }),
        1 => Just(Happens::Dies),
    ]
}

/// A run, as its log says.
struct Log {
    state: RunState,
    records: Vec<Record>,
}

impl Log {
    fn new() -> Self {
        let task = |step| match step {
            0..3 => Task::Fail(crate::plan::Value::Plain("in the place of an approval".into())),
            _ => Task::Signal(SignalWait { signal: name(step).into(), on_timeout: OnTimeout::Fail }),
        };
        let step = |n| Step::new(format!("s{n}"), task(n), Span::default());
        let growth = Growth { steps: (0..STEPS).map(step).collect(), complete: true, ..Growth::default() };
        let mut log = Log { state: RunState::default(), records: Vec::new() };
        log.write(Event::Planned { of: None, growth: Box::new(growth) });
        log
    }

    fn write(&mut self, event: Event) {
        self.state.apply(1, &event);
        self.records.push(Record { seq: self.records.len() as u64, at: 1, event: Arc::new(event) });
    }

    /// Writes it down, and tells the lookout.
    fn tell(&mut self, lookout: &mut Lookout, event: Event) {
        lookout.note(&event);
        self.write(event);
    }

    fn attempt(&self, step: u32) -> u32 {
        self.state.step(StepId(step)).attempt
    }

    /// The letters that were taken, each with its step.
    fn taken(&self) -> Vec<(u64, StepId)> {
        let taken = |record: &Record| match &*record.event {
            Event::Answered { step, answer } => Some((answer.letter, *step)),
            _ => None,
        };
        self.records.iter().filter_map(taken).collect()
    }
}

fn lookout(shelf: &Shelf, log: &Log) -> Lookout {
    Lookout::new(Box::new(shelf.clone()), Attended::No, &log.records)
}

/// Looks, and writes down what it finds, as the machine would.
fn looks(lookout: &mut Lookout, log: &mut Log, everywhere: bool, heard: bool) {
    if everywhere {
        lookout.nudge();
    }
    for (step, answer) in lookout.look(Duration::ZERO, 1, &log.state) {
        assert_eq!(log.state.step(step).status, Status::Waiting, "only who waits is answered");
        if !heard {
            continue;
        }
        let answered = Event::Answered { step, answer: Box::new(answer) };
        log.tell(lookout, answered);
        let (attempt, outcome) = (log.attempt(step.0), Arc::new(Outcome::default()));
        log.tell(lookout, Event::Finished { step, attempt, outcome });
    }
    lookout.given();
}

proptest! {
    #[test]
    fn every_letter_is_taken_once_and_none_is_lost(story in prop::collection::vec(happens(), 0..60)) {
        let (shelf, mut log) = (Shelf::default(), Log::new());
        let mut lookout = lookout(&shelf, &log);
        for happens in story {
            match happens {
                Happens::Waits(n) if log.state.step(StepId(n)).status == Status::Pending => {
                    let attempt = log.attempt(n) + 1;
                    log.write(Event::Started { step: StepId(n), attempt });
                    let waiting = Event::Waiting { step: StepId(n), delay_ms: Event::FOREVER, what: what(n) };
                    log.tell(&mut lookout, waiting);
                }
                Happens::Reset(n) => {
                    let why = crate::event::ResetWhy::Undo;
                    log.tell(&mut lookout, Event::Reset { steps: vec![StepId(n)], retired: Vec::new(), why });
                }
                Happens::Said(n) if n < 3 => {
                    if log.state.step(StepId(n)).status == Status::Waiting {
                        shelf.post(Addressee::Step { path: format!("s{n}"), attempt: log.attempt(n) });
                    }
                }
                Happens::Said(n) => shelf.post(Addressee::Signal(name(n).into())),
                Happens::Waits(_) => {}
                Happens::Looks { everywhere, heard } => looks(&mut lookout, &mut log, everywhere, heard),
                Happens::Dies => {
                    lookout.nudge();
                    lookout.look(Duration::ZERO, 1, &log.state);
                    lookout = self::lookout(&shelf, &log);
                }
            }
        }
        looks(&mut lookout, &mut log, true, true);
        let (taken, letters) = (log.taken(), shelf.0.lock().expect("no panic").clone());
        let mut numbers: Vec<u64> = taken.iter().map(|(letter, _)| *letter).collect();
        for signal in ["a", "b"] {
            let of_name = |letter: &u64| letters[*letter as usize - 1].to == Addressee::Signal(signal.into());
            let order: Vec<u64> = numbers.iter().copied().filter(of_name).collect();
            prop_assert!(order.is_sorted(), "signals are taken in their order: {order:?}");
            let kept = letters.iter().any(|letter| letter.to == Addressee::Signal(signal.into()) && !numbers.contains(&letter.answer.letter));
            let waits = (3..STEPS).any(|n| name(n) == signal && log.state.step(StepId(n)).status == Status::Waiting);
            prop_assert!(!(kept && waits), "a signal `{signal}` is kept though a step waits for it");
        }
        for (letter, step) in &taken {
            match &letters[*letter as usize - 1].to {
                Addressee::Step { path, .. } => prop_assert_eq!(path, &format!("s{}", step.0)),
                Addressee::Signal(signal) => prop_assert_eq!(signal.as_str(), name(step.0)),
            }
        }
        for letter in &letters {
            if let Addressee::Step { path, attempt } = &letter.to {
                let waits = (0..3).any(|n| format!("s{n}") == *path && log.attempt(n) == *attempt && log.state.step(StepId(n)).status == Status::Waiting);
                prop_assert!(!waits, "an answer to `{path}` is kept though it waits for it");
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        prop_assert_eq!(numbers.len(), taken.len(), "a letter is taken twice");
    }
}

#[test]
fn nobody_is_kept_waiting_without_need() {
    let (mut log, shelf) = (Log::new(), Shelf::default());
    let waits = |n, delay_ms| Event::Waiting { step: StepId(n), delay_ms, what: what(n) };
    log.write(waits(0, Event::FOREVER));
    let with = |attended, log: &Log| {
        let mut lookout = Lookout::new(Box::new(shelf.clone()), attended, &log.records);
        assert!(!lookout.may_let_go(1, &log.state), "nothing has been looked at");
        assert!(lookout.look(Duration::ZERO, 1, &log.state).is_empty());
        lookout
    };
    assert!(with(Attended::No, &log).may_let_go(1, &log.state));
    assert!(!with(Attended::Always, &log).may_let_go(1, &log.state));
    let mut asked = with(Attended::ByAPerson, &log);
    assert!(!asked.may_let_go(1, &log.state));
    asked.decline(StepId(0), log.attempt(0));
    assert!(asked.may_let_go(1, &log.state));
    assert_eq!(asked.next(), Some(LETTERS));
    // A deadline that is near is waited for, one that is far is not.
    log.write(waits(3, SOON - 1));
    assert!(!with(Attended::No, &log).may_let_go(1, &log.state));
    log.write(waits(3, 2 * SOON));
    assert!(with(Attended::No, &log).may_let_go(1, &log.state));
}
