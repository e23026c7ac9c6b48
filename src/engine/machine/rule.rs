//! When a step may start, judged by its order and data predecessors: the table of `docs/semantics.md`.

use crate::event::{Because, Skip};
use crate::plan::{Rule, StepId};
use crate::state::Seen;

/// What a rule says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Not yet known.
    Wait,
    /// It may start.
    Go,
    /// It will not run.
    Skip(Skip),
}

/// Asks a rule, given how the predecessors look.
pub fn verdict(rule: Rule, before: impl Iterator<Item = (StepId, Seen)>) -> Verdict {
    let mut any = false;
    // The first of each kind.
    let [mut open, mut success, mut failed, mut not_taken, mut upstream] = [None; 5];
    for (id, seen) in before {
        any = true;
        let first = match seen {
            Seen::Open => &mut open,
            Seen::Success => &mut success,
            Seen::Failed => &mut failed,
            Seen::NotTaken => &mut not_taken,
            Seen::UpstreamFailed => &mut upstream,
        };
        first.get_or_insert(id);
    }
    let go = match rule {
        _ if !any => true,
        Rule::OneSuccess => success.is_some(),
        Rule::OneFailed => failed.is_some(),
        _ if open.is_some() => false,
        Rule::AllSuccess => failed.is_none() && upstream.is_none() && success.is_some(),
        Rule::NoneFailed => failed.is_none() && upstream.is_none(),
        Rule::AllDone => true,
        Rule::AllFailed => success.is_none() && not_taken.is_none() && upstream.is_none(),
    };
    if go {
        return Verdict::Go;
    }
    if open.is_some() {
        return Verdict::Wait;
    }
    // The skip is of the kind of those that kept the rule from saying yes.
    let earliest = |a: Option<StepId>, b: Option<StepId>| a.into_iter().chain(b).min();
    let (upstream, taken) = match rule {
        Rule::AllSuccess | Rule::NoneFailed | Rule::OneSuccess | Rule::AllDone => {
            (earliest(failed, upstream), not_taken)
        }
        Rule::OneFailed | Rule::AllFailed => (upstream, earliest(success, not_taken)),
    };
    match (upstream, taken) {
        (Some(id), _) => Verdict::Skip(Skip::UpstreamFailed(Because::Predecessor(id))),
        (None, Some(id)) => Verdict::Skip(Skip::NotTaken(Because::Predecessor(id))),
        // All are final, and one of them kept the rule from saying yes.
        (None, None) => Verdict::Go,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `S`uccess, `F`ailed, `N`ot taken, `U`pstream failed, `.` open; the answer as `go`, `wait`, or the kind of skip and
    /// the predecessor.
    fn ask(rule: Rule, before: &str) -> String {
        let seen = before.chars().enumerate().map(|(i, c)| {
            let seen = match c {
                'S' => Seen::Success,
                'F' => Seen::Failed,
                'N' => Seen::NotTaken,
                'U' => Seen::UpstreamFailed,
                _ => Seen::Open,
            };
            (StepId(i as u32), seen)
        });
        match verdict(rule, seen) {
            Verdict::Wait => "wait".into(),
            Verdict::Go => "go".into(),
            Verdict::Skip(Skip::NotTaken(Because::Predecessor(id))) => format!("N{}", id.0),
            Verdict::Skip(Skip::UpstreamFailed(Because::Predecessor(id))) => format!("U{}", id.0),
            Verdict::Skip(skip) => panic!("{skip:?}"),
        }
    }

    #[track_caller]
    fn table(rule: Rule, rows: &[(&str, &str)]) {
        for (before, answer) in rows {
            assert_eq!(ask(rule, before), *answer, "{} after {before:?}", rule.name());
        }
    }

    #[test]
    fn all_success() {
        table(
            Rule::AllSuccess,
            &[
                ("", "go"),
                ("SS", "go"),
                ("SN", "go"),
                ("NN", "N0"),
                ("SF", "U1"),
                ("NU", "U1"),
                ("F.", "wait"),
                ("S.", "wait"),
            ],
        );
    }

    #[test]
    fn none_failed() {
        table(Rule::NoneFailed, &[("", "go"), ("NN", "go"), ("SN", "go"), ("NU", "U1"), ("FU", "U0"), ("S.", "wait")]);
    }

    #[test]
    fn all_done() {
        table(Rule::AllDone, &[("", "go"), ("FUN", "go"), ("FU.", "wait")]);
    }

    #[test]
    fn one_success() {
        table(Rule::OneSuccess, &[("", "go"), (".S", "go"), ("F.", "wait"), ("NF", "U1"), ("NN", "N0"), ("FU", "U0")]);
    }

    #[test]
    fn one_failed() {
        table(Rule::OneFailed, &[("", "go"), (".F", "go"), ("SU.", "wait"), ("SU", "U1"), ("NS", "N0")]);
    }

    #[test]
    fn all_failed() {
        table(Rule::AllFailed, &[("", "go"), ("FF", "go"), ("F.", "wait"), ("FS", "N1"), ("FN", "N1"), ("SU", "U1")]);
    }
}
