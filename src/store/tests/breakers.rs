//! Breakers in the store: counted with the events, tried by one.

use super::*;
use crate::event::{Failure, FailureKind};
use crate::plan::{Breaker, Header};
use crate::state::breaker::{Admission, Circuit, Passer, Phase};

const SPEC: Breaker = Breaker { threshold: 2, window_ms: 60_000, reset_ms: 3_600_000 };

fn planned(spec: Breaker) -> Event {
    let mut header = Header::default();
    header.breakers.insert("payments".into(), spec);
    let steps = (0..4).map(|n| Step::new(format!("s{n}"), Task::Wait(1), Span::at(1, 1))).collect();
    let growth = Growth { header: Some(Box::new(header)), steps, complete: true, ..Growth::default() };
    Event::Planned { of: None, growth: Box::new(growth) }
}

fn finished(step: u32, attempt: u32, ok: bool) -> Event {
    let error = (!ok).then(|| Failure::new(FailureKind::Exit, "no answer"));
    let outcome = Outcome { error, breaker: Some("payments".into()), ..Outcome::default() };
    Event::Finished { step: StepId(step), attempt, outcome: Arc::new(outcome) }
}

/// Appends events that happened just now, or so many milliseconds ago.
fn append(log: &RunLog, seq: u64, ago: u64, events: impl IntoIterator<Item = Event>) {
    let at = now_ms() - ago;
    let records = (seq..).zip(events).map(|(seq, event)| Record { seq, at, event: Arc::new(event) });
    log.append(records.collect(), |result| result.unwrap());
    log.flush().unwrap();
}

fn payments(store: &Store) -> Circuit {
    let all = store.breakers().unwrap();
    assert_eq!(all.len(), 1);
    all[0].1.clone()
}

fn who(log: &RunLog, step: u32) -> Passer {
    Passer { run: log.run().to_owned(), step, attempt: 1 }
}

#[test]
fn opened_by_one_run_it_is_open_for_all() {
    let home = home();
    let store = open(&home);
    assert_eq!(store.breakers().unwrap(), []);
    let log = store.create(created("/a.rhai")).unwrap();
    append(&log, 1, 0, [planned(SPEC)]);
    assert_eq!(payments(&store), Circuit { spec: SPEC, ..Circuit::default() });
    assert_eq!(store.admit("payments", &who(&log, 0)).unwrap(), Admission::Go);
    append(&log, 2, 0, [finished(0, 1, false), finished(1, 1, false)]);
    drop(log);

    let other = open(&home);
    let log = other.create(created("/b.rhai")).unwrap();
    let Admission::Refused(why, left) = other.admit("payments", &who(&log, 0)).unwrap() else { panic!("it is open") };
    assert!(why.starts_with("open: 2 failures within 1m; next try in "), "{why}");
    assert!((3_500_000..=3_600_000).contains(&left), "{left}");
    assert_eq!(payments(&other).error, "no answer");

    // One that nobody has declared is no hindrance.
    assert_eq!(other.admit("payment", &who(&log, 0)).unwrap(), Admission::Go);
    let unknown = other.reset_breaker("payment").unwrap_err();
    assert_eq!((unknown.code(), unknown.help_text()), ("flow::run::no_breaker", Some("did you mean `payments`?")));
    assert_ne!(other.reset_breaker("payments").unwrap().opened_at, None);
    assert_eq!(store.admit("payments", &who(&log, 0)).unwrap(), Admission::Go);
}

#[test]
fn many_find_it_open_and_one_tries() {
    let home = home();
    let stores = [open(&home), open(&home)];
    let log = stores[0].create(created("/a.rhai")).unwrap();
    append(&log, 1, 4_000_000, [planned(SPEC), finished(0, 1, false), finished(1, 1, false)]);
    let said: Vec<Admission> = std::thread::scope(|scope| {
        let ask = |n: u32| {
            let (store, log) = (&stores[n as usize % 2], &log);
            scope.spawn(move || store.admit("payments", &who(log, n)).unwrap())
        };
        let asked: Vec<_> = (0..8).map(ask).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(said.iter().filter(|said| **said == Admission::Try).count(), 1, "{said:?}");
    assert!(!said.contains(&Admission::Go));

    let trying = said.iter().position(|said| *said == Admission::Try).unwrap() as u32;
    append(&log, 4, 0, [finished((trying + 1) % 4, 9, true), finished(trying, 1, true)]);
    assert_eq!(payments(&stores[1]).phase(now_ms()), Phase::Closed);
}

#[test]
fn who_went_down_while_trying_is_not_waited_for() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    append(&log, 1, 4_000_000, [planned(SPEC), finished(0, 1, false), finished(1, 1, false)]);
    append(&log, 4, 0, [Event::Started { step: StepId(2), attempt: 1 }]);
    assert_eq!(store.admit("payments", &who(&log, 2)).unwrap(), Admission::Try);
    let run = log.run().to_owned();
    drop(log);

    // Another process takes the run up: its first word is that the attempt was interrupted.
    let other = open(&home);
    let (log, _) = other.reopen(&run).unwrap();
    assert!(matches!(other.admit("payments", &who(&log, 3)).unwrap(), Admission::Refused(..)));
    append(&log, 5, 0, [Event::Interrupted { step: StepId(2), attempt: 1 }]);
    assert_eq!(other.admit("payments", &who(&log, 3)).unwrap(), Admission::Try);
}

#[test]
fn a_state_that_cannot_be_read_is_as_good_as_new() {
    let home = home();
    let store = open(&home);
    meddle(&home, "INSERT INTO breakers VALUES ('payments', 'nonsense')");
    assert_eq!(payments(&store), Circuit::default());
}
