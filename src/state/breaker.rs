//! A breaker across runs: what is known of it, and what an attempt and its end change.
//!
//! Pure: times come in. It opens after so many failures in a row within its window; while it is open attempts are
//! refused; after its reset time one attempt may try, and how that one ends decides. Who that one is stands in the state,
//! so whatever else ends meanwhile changes nothing.

use serde::{Deserialize, Serialize};

use super::result::shorten;
use crate::event::{FailureKind, Outcome};
use crate::plan::unit::show_duration;
use crate::plan::{Breaker, Class, StepId};

/// Longest message that is kept, in characters.
const MESSAGE: usize = 200;

/// What is known of a breaker. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Circuit {
    /// How it was declared by the run that was planned last.
    pub spec: Breaker,
    /// When the failures were that count; those that opened it, while it is open.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<u64>,
    /// Since when it is open: since the failure that opened it, or since the last attempt that tried it failed.
    /// Nothing: it is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<u64>,
    /// Attempts that have tried it since it was closed, and failed.
    pub tries: u32,
    /// The attempt that tries it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Since when it has been closed, or not been closed. 0: nothing ever happened.
    pub since: u64,
    /// What the latest failure said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// An attempt, of any run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passer {
    /// The run.
    pub run: String,
    /// The step.
    pub step: u32,
    /// The attempt's number, from 1.
    pub attempt: u32,
}

/// The attempt that tries an open breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Who.
    #[serde(flatten)]
    pub who: Passer,
    /// Since when.
    pub at: u64,
}

/// Where a breaker stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Attempts pass.
    Closed,
    /// They are refused until this moment.
    Open(u64),
    /// One may try.
    Tryable,
    /// One tries; at this moment it is given up.
    HalfOpen(u64),
}

impl Phase {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Closed => "closed",
            Phase::Open(_) | Phase::Tryable => "open",
            Phase::HalfOpen(_) => "half-open",
        }
    }
}

/// May an attempt pass?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Go,
    /// It may, and how it ends decides about the breaker.
    Try,
    /// It may not: why, as the rest of the sentence "the breaker `x` is …", and in how many milliseconds one may try.
    Refused(String, u64),
}

/// What the end of an attempt says about what its breaker guards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works.
    Well,
    /// It does not, with this message.
    Badly(String),
    /// Nothing: the attempt was ended, or the trouble was its own.
    Nothing,
}

impl Verdict {
    /// What an outcome says.
    pub fn of(outcome: &Outcome) -> Self {
        let Some(error) = &outcome.error else { return Verdict::Well };
        let own_class = matches!(error.class, Class::Configuration | Class::Validation | Class::Cancelled);
        let own_kind = matches!(error.kind, FailureKind::Cancelled | FailureKind::Validation | FailureKind::Breaker);
        if own_class || own_kind { Verdict::Nothing } else { Verdict::Badly(error.message.clone()) }
    }
}

/// In whole seconds, where it is one at least.
fn in_seconds(ms: u64) -> u64 {
    if ms < 1_000 { ms } else { ms.div_ceil(1_000).saturating_mul(1_000) }
}

/// Time between two moments. Clocks of processes differ a little, and may be set back.
fn between(a: u64, b: u64) -> u64 {
    a.abs_diff(b)
}

impl Circuit {
    /// Where it stands now.
    pub fn phase(&self, now: u64) -> Phase {
        let over = |since: u64| between(now, since) >= self.spec.reset_ms;
        match (self.opened_at, &self.trial) {
            (None, _) => Phase::Closed,
            (Some(_), Some(trial)) if !over(trial.at) => Phase::HalfOpen(trial.at.saturating_add(self.spec.reset_ms)),
            (Some(opened), None) if !over(opened) => Phase::Open(opened.saturating_add(self.spec.reset_ms)),
            (Some(_), _) => Phase::Tryable,
        }
    }

    /// An attempt wants to pass. [`Admission::Try`] changes the state, nothing else does.
    pub fn admit(&mut self, now: u64, who: Passer) -> Admission {
        match self.phase(now) {
            Phase::Closed => Admission::Go,
            Phase::Tryable => {
                self.trial = Some(Trial { who, at: now });
                Admission::Try
            }
            // It has been let through already, and asks again.
            Phase::HalfOpen(_) if self.is_tried_by(&who) => Admission::Try,
            phase @ (Phase::Open(next) | Phase::HalfOpen(next)) => {
                let left = next.saturating_sub(now);
                let next = match phase {
                    Phase::HalfOpen(_) => "another attempt is trying it now".to_owned(),
                    _ => format!("next try in {}", show_duration(in_seconds(left))),
                };
                Admission::Refused(format!("{}: {}; {next}", phase.name(), self.because()), left)
            }
        }
    }

    /// An attempt that had passed ended.
    pub fn count(&mut self, at: u64, who: &Passer, verdict: Verdict) {
        if self.opened_at.is_some() {
            if self.is_tried_by(who) {
                self.tried(at, verdict);
            }
            return;
        }
        match verdict {
            Verdict::Nothing => {}
            Verdict::Well => self.failures.clear(),
            Verdict::Badly(message) => {
                let window = self.spec.window_ms;
                self.failures.retain(|failure| between(at, *failure) < window);
                self.failures.push(at);
                self.error = shorten(&message, MESSAGE);
                if self.failures.len() >= self.spec.threshold.max(1) as usize {
                    self.opened_at = Some(at);
                    self.since = at;
                }
            }
        }
    }

    /// The attempt that tried it ended.
    fn tried(&mut self, at: u64, verdict: Verdict) {
        self.trial = None;
        match verdict {
            // Who knows: the next one may try.
            Verdict::Nothing => {}
            Verdict::Well => self.close(at),
            Verdict::Badly(message) => {
                self.opened_at = Some(at);
                self.tries = self.tries.saturating_add(1);
                self.error = shorten(&message, MESSAGE);
            }
        }
    }

    /// Closes it, as if nothing had happened. What the latest failure said is still known.
    pub fn close(&mut self, at: u64) {
        let (spec, error) = (self.spec, std::mem::take(&mut self.error));
        *self = Circuit { spec, error, since: at, ..Circuit::default() };
    }

    /// Attempts of these steps were ended, or went down with their process: whoever of them tried does so no more.
    pub fn let_go(&mut self, run: &str, steps: &[StepId]) {
        let gone = |trial: &Trial| trial.who.run == run && steps.iter().any(|step| step.0 == trial.who.step);
        self.trial = self.trial.take().filter(|trial| !gone(trial));
    }

    fn is_tried_by(&self, who: &Passer) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.who == *who)
    }

    /// Why it is open: `5 failures within 1m`.
    pub fn because(&self) -> String {
        let count = |n: usize, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
        let failures = count(self.failures.len(), "failure", "failures");
        let mut text = format!("{failures} within {}", show_duration(self.spec.window_ms));
        if self.tries > 0 {
            text.push_str(&format!(", and {} that failed since", count(self.tries as usize, "try", "tries")));
        }
        text
    }
}

#[cfg(test)]
mod naive;

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Breaker = Breaker { threshold: 3, window_ms: 100, reset_ms: 50 };

    fn who(n: u32) -> Passer {
        Passer { run: "r".into(), step: n, attempt: 1 }
    }

    fn badly() -> Verdict {
        Verdict::Badly("no".into())
    }

    /// A breaker that was opened at this time.
    fn opened(at: u64) -> Circuit {
        let mut circuit = Circuit { spec: SPEC, ..Circuit::default() };
        (0..3).for_each(|n| circuit.count(at, &who(n), badly()));
        circuit
    }

    #[test]
    fn failures_in_a_row_open_it() {
        let mut circuit = Circuit { spec: SPEC, ..Circuit::default() };
        circuit.count(10, &who(1), badly());
        circuit.count(20, &who(2), badly());
        circuit.count(30, &who(3), Verdict::Well);
        circuit.count(40, &who(4), badly());
        circuit.count(50, &who(5), Verdict::Nothing);
        assert_eq!(circuit.phase(50), Phase::Closed);
        circuit.count(60, &who(6), badly());
        // 40 is no longer in the window.
        circuit.count(140, &who(7), badly());
        assert_eq!(circuit.phase(140), Phase::Closed);
        circuit.count(150, &who(8), badly());
        assert_eq!(circuit.phase(150), Phase::Open(200));
        assert_eq!((circuit.since, &*circuit.error), (150, "no"));
        assert_eq!(circuit.because(), "3 failures within 100ms");
    }

    #[test]
    fn one_may_try_and_decides() {
        let mut circuit = opened(0);
        assert_eq!(
            circuit.admit(10, who(1)),
            Admission::Refused("open: 3 failures within 100ms; next try in 40ms".into(), 40)
        );
        assert_eq!(circuit.admit(50, who(1)), Admission::Try);
        assert_eq!(circuit.admit(60, who(1)), Admission::Try, "it asks once more");
        assert!(matches!(circuit.admit(60, who(2)), Admission::Refused(text, 40) if text.ends_with("trying it now")));
        // One that began before it was opened says nothing any more.
        circuit.count(70, &who(9), Verdict::Well);
        circuit.count(70, &who(8), badly());
        assert_eq!(circuit.phase(70), Phase::HalfOpen(100));
        circuit.count(80, &who(1), badly());
        assert_eq!(circuit.phase(80), Phase::Open(130));
        assert_eq!(circuit.because(), "3 failures within 100ms, and 1 try that failed since");
        assert_eq!(circuit.admit(130, who(2)), Admission::Try);
        circuit.count(140, &who(2), Verdict::Well);
        assert_eq!(circuit, Circuit { spec: SPEC, since: 140, error: "no".into(), ..Circuit::default() });
        assert_eq!(circuit.admit(140, who(3)), Admission::Go);
    }

    #[test]
    fn a_trial_that_says_nothing_lets_the_next_one_try() {
        let mut circuit = opened(0);
        assert_eq!(circuit.admit(50, who(1)), Admission::Try);
        circuit.count(60, &who(1), Verdict::Nothing);
        assert_eq!(circuit.admit(60, who(2)), Admission::Try);
        circuit.let_go("another", &[StepId(2)]);
        assert_eq!(circuit.phase(61), Phase::HalfOpen(110));
        circuit.let_go("r", &[StepId(2)]);
        assert_eq!(circuit.admit(61, who(3)), Admission::Try);
        // Its process died and nobody said so: it is given up, and if it ends after all, that is not looked at.
        assert_eq!(circuit.admit(111, who(4)), Admission::Try);
        circuit.count(112, &who(3), Verdict::Well);
        assert_eq!(circuit.phase(112), Phase::HalfOpen(161));
    }

    #[test]
    fn outcomes_that_are_not_its_business_do_not_count() {
        use crate::event::Failure;
        let of = |kind, class| {
            let error = Some(Failure { class, ..Failure::new(kind, "x") });
            Verdict::of(&Outcome { error, ..Outcome::default() })
        };
        assert_eq!(Verdict::of(&Outcome::default()), Verdict::Well);
        assert_eq!(of(FailureKind::Exit, Class::Agent), Verdict::Badly("x".into()));
        assert_eq!(of(FailureKind::Timeout, Class::Transient), Verdict::Badly("x".into()));
        assert_eq!(of(FailureKind::Spawn, Class::Configuration), Verdict::Nothing);
        assert_eq!(of(FailureKind::Cancelled, Class::Agent), Verdict::Nothing);
        assert_eq!(of(FailureKind::Breaker, Class::Transient), Verdict::Nothing);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_it_open_for_long() {
        let mut circuit = opened(1_000_000);
        assert_eq!(circuit.admit(10, who(1)), Admission::Try);
    }
}
