//! Breakers: the table of all, and those of a run that are not closed.

use super::look::one_line;
use super::table::table;
use super::time::Clock;
use super::{Look, Tone};
use crate::plan::Plan;
use crate::plan::unit::show_duration;
use crate::state::breaker::{Circuit, Phase};

/// Longest message in the table, in columns.
const MESSAGE: usize = 60;

/// A table, one line a breaker; nothing if there is none.
pub fn breakers(all: &[(String, Circuit)], clock: &Clock, look: Look) -> String {
    if all.is_empty() {
        return String::new();
    }
    let heading = ["NAME", "STATE", "FAILURES", "SINCE", "NEXT TRY", "LAST ERROR"].map(str::to_owned).to_vec();
    let rows = all.iter().map(|(name, circuit)| {
        let phase = circuit.phase(clock.now());
        // Failures that are out of the window count no more, though nobody has said so yet.
        let window = circuit.spec.window_ms;
        let counts = |at: &&u64| phase != Phase::Closed || clock.now().abs_diff(**at) < window;
        let failures = circuit.failures.iter().filter(counts).count();
        vec![
            name.clone(),
            phase.name().to_owned(),
            format!("{failures} of {} within {}", circuit.spec.threshold, show_duration(window)),
            if circuit.since > 0 { clock.ago(circuit.since) } else { String::new() },
            next_try(phase, clock),
            look.cut(&one_line(&circuit.error), MESSAGE),
        ]
    });
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    table(&rows, look, |row, column| (column == 1).then(|| tone(all[row].1.phase(clock.now()))))
}

fn tone(phase: Phase) -> Tone {
    match phase {
        Phase::Closed => Tone::Good,
        Phase::HalfOpen(_) => Tone::Warn,
        Phase::Open(_) | Phase::Tryable => Tone::Bad,
    }
}

fn next_try(phase: Phase, clock: &Clock) -> String {
    match phase {
        Phase::Closed => String::new(),
        Phase::Tryable => "with the next attempt".to_owned(),
        Phase::HalfOpen(_) => "going on now".to_owned(),
        Phase::Open(next) => {
            let left = next.saturating_sub(clock.now());
            format!("in {}", show_duration(left.div_ceil(1_000).saturating_mul(1_000)))
        }
    }
}

/// A line for each breaker of a plan that is not closed.
pub fn not_closed(plan: &Plan, all: &[(String, Circuit)], clock: &Clock, look: Look) -> String {
    let of_plan = all.iter().filter(|(name, _)| plan.header.breakers.contains_key(&**name));
    let mut text = String::new();
    for (name, circuit) in of_plan {
        let phase = circuit.phase(clock.now());
        if phase == Phase::Closed {
            continue;
        }
        let state = look.paint(tone(phase), phase.name());
        let error = look.cut(&one_line(&circuit.error), 2 * MESSAGE);
        let (why, next) = (circuit.because(), next_try(phase, clock));
        text.push_str(&format!("\nbreaker `{name}` is {state}: {why}, the last one: {error}\n"));
        text.push_str(&format!("  next try: {next}; closed by hand: flow breakers reset {name}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Breaker, Header};
    use crate::state::breaker::{Passer, Verdict};

    const NOW: u64 = 1_785_585_600_000;

    fn sample() -> Vec<(String, Circuit)> {
        let spec = Breaker { threshold: 2, ..Breaker::default() };
        let (who, badly) = (Passer::default(), || Verdict::Badly("connection refused\nby nobody".into()));
        let mut open = Circuit { spec, ..Circuit::default() };
        open.count(NOW - 8_000, &who, badly());
        let one = open.clone();
        open.count(NOW - 7_500, &who, badly());
        let mut tried = open.clone();
        tried.spec.reset_ms = 5_000;
        let free = tried.clone();
        tried.admit(NOW - 1_000, who);
        let fresh = Circuit { spec, ..Circuit::default() };
        [("fresh", fresh), ("one", one), ("payments", open), ("tried", tried), ("tryable", free)]
            .map(|(name, circuit)| (name.to_owned(), circuit))
            .into()
    }

    #[test]
    fn each_in_a_line() {
        let text = breakers(&sample(), &Clock::utc(NOW), Look::PLAIN);
        assert_eq!(
            text,
            "\
NAME      STATE      FAILURES          SINCE    NEXT TRY               LAST ERROR
fresh     closed     0 of 2 within 1m
one       closed     1 of 2 within 1m                                  connection refused; by nobody
payments  open       2 of 2 within 1m  7 s ago  in 23s                 connection refused; by nobody
tried     half-open  2 of 2 within 1m  7 s ago  going on now           connection refused; by nobody
tryable   open       2 of 2 within 1m  7 s ago  with the next attempt  connection refused; by nobody
"
        );
    }

    #[test]
    fn a_run_names_those_that_are_not_closed() {
        let mut plan = Plan { header: Header::default(), ..Plan::default() };
        for name in ["one", "payments"] {
            plan.header.breakers.insert(name.into(), Breaker::default());
        }
        assert_eq!(
            not_closed(&plan, &sample(), &Clock::utc(NOW), Look::PLAIN),
            "\nbreaker `payments` is open: 2 failures within 1m, the last one: connection refused; by nobody\n  \
             next try: in 23s; closed by hand: flow breakers reset payments\n"
        );
    }
}
