//! A second, naive reading of what a breaker is: everything that ever happened is kept, and each question is answered
//! from all of it. Random histories must give the same answers.

use proptest::prelude::*;

use super::*;

const SPEC: Breaker = Breaker { threshold: 3, window_ms: 40, reset_ms: 25 };

/// What can happen to a breaker, a few milliseconds after what happened before.
#[derive(Clone, Debug)]
enum Happening {
    Asks(u32),
    Ends(u32, Verdict),
    LetGo(u32),
    Reset,
}

fn happening() -> impl Strategy<Value = Happening> {
    let verdict = prop_oneof![
        4 => Just(Verdict::Badly("no".to_owned())),
        1 => Just(Verdict::Well),
        1 => Just(Verdict::Nothing),
    ];
    prop_oneof![
        6 => (0u32..4).prop_map(Happening::Asks),
        9 => (0u32..4, verdict).prop_map(|(who, verdict)| Happening::Ends(who, verdict)),
        1 => (0u32..4).prop_map(Happening::LetGo),
        1 => Just(Happening::Reset),
    ]
}

/// What has happened so far, latest last; attempts that were let through to try are written down as such.
#[derive(Default)]
struct History(Vec<(u64, What)>);

#[derive(Clone, Debug, PartialEq)]
enum What {
    Tries(u32),
    Ended(u32, Verdict),
    LetGo(u32),
    Closed,
}

impl History {
    /// The attempt that tries the breaker after the first `n` happenings, and since when. One that was given up counts
    /// until another one tries.
    fn trial(&self, n: usize) -> Option<(u32, u64)> {
        let began = (0..n).rev().find(|i| matches!(self.0[*i].1, What::Tries(_)))?;
        let (at, What::Tries(who)) = self.0[began].clone() else { return None };
        let over = self.0[began..n].iter().any(|(_, what)| match what {
            What::Ended(other, _) | What::LetGo(other) => *other == who,
            What::Closed => true,
            What::Tries(_) => false,
        });
        (!over).then_some((who, at))
    }

    /// Since when the breaker is open after the first `n` happenings.
    fn open_since(&self, n: usize) -> Option<u64> {
        let mut since = None;
        for i in 0..n {
            let (at, what) = &self.0[i];
            match (since, what) {
                (_, What::Closed) => since = None,
                (Some(_), What::Ended(who, verdict)) if self.trial(i).is_some_and(|(t, _)| t == *who) => {
                    match verdict {
                        Verdict::Well => since = None,
                        Verdict::Badly(_) => since = Some(*at),
                        Verdict::Nothing => {}
                    }
                }
                (None, What::Ended(_, Verdict::Badly(_))) if self.failures(i + 1) >= SPEC.threshold as usize => {
                    since = Some(*at);
                }
                _ => {}
            }
        }
        since
    }

    /// Failures in a row within the window that ends with happening `n`, none of them from before it was last closed.
    fn failures(&self, n: usize) -> usize {
        let last = self.0[n - 1].0;
        let closed = (0..n).rev().find(|i| {
            let well = matches!(&self.0[*i].1, What::Ended(_, Verdict::Well));
            self.0[*i].1 == What::Closed || (well && self.open_since(*i).is_none()) || self.was_closed_by(*i)
        });
        let since = closed.map_or(0, |closed| closed + 1);
        let in_window =
            |(at, what): &&(u64, What)| matches!(what, What::Ended(_, Verdict::Badly(_))) && last - at < SPEC.window_ms;
        self.0[since..n].iter().filter(in_window).count()
    }

    /// Did this happening close an open breaker?
    fn was_closed_by(&self, i: usize) -> bool {
        matches!(&self.0[i].1, What::Ended(who, Verdict::Well)
            if self.open_since(i).is_some() && self.trial(i).is_some_and(|(t, _)| t == *who))
    }

    /// May this attempt pass now?
    fn admits(&self, who: u32, now: u64) -> &'static str {
        let n = self.0.len();
        match (self.open_since(n), self.trial(n)) {
            (None, _) => "go",
            (Some(_), Some((trying, since))) if now - since < SPEC.reset_ms => {
                if trying == who {
                    "try"
                } else {
                    "refused"
                }
            }
            (Some(since), None) if now - since < SPEC.reset_ms => "refused",
            (Some(_), _) => "try",
        }
    }
}

proptest! {
    #[test]
    fn it_is_what_its_history_says(happenings in prop::collection::vec((0u64..15, happening()), 0..40)) {
        let mut circuit = Circuit { spec: SPEC, ..Circuit::default() };
        let mut history = History::default();
        let mut now = 1_000;
        let passer = |who: u32| Passer { run: "r".into(), step: who, attempt: 1 };
        for (later, happening) in happenings {
            now += later;
            match happening {
                Happening::Asks(who) => {
                    let due = history.admits(who, now);
                    let again = circuit.trial.as_ref().is_some_and(|trial| trial.who.step == who)
                        && matches!(circuit.phase(now), Phase::HalfOpen(_));
                    let said = match circuit.admit(now, passer(who)) {
                        Admission::Go => "go",
                        Admission::Try => "try",
                        Admission::Refused(..) => "refused",
                    };
                    prop_assert_eq!(said, due);
                    if said == "try" && !again {
                        history.0.push((now, What::Tries(who)));
                    }
                }
                Happening::Ends(who, verdict) => {
                    circuit.count(now, &passer(who), verdict.clone());
                    history.0.push((now, What::Ended(who, verdict)));
                }
                Happening::LetGo(who) => {
                    circuit.let_go("r", &[StepId(who)]);
                    history.0.push((now, What::LetGo(who)));
                }
                Happening::Reset => {
                    circuit.close(now);
                    history.0.push((now, What::Closed));
                }
            }
            prop_assert_eq!(circuit.opened_at, history.open_since(history.0.len()));
            prop_assert_eq!(circuit.phase(now) == Phase::Closed, circuit.opened_at.is_none());
        }
    }
}
