//! Which class a failure has. The tables are also what `docs/failures.md` shows.

use super::{Failure, FailureKind, Outcome};
use crate::plan::{Class, Matches, Settings};

/// Numbers with one meaning: exit codes, signals or HTTP statuses, both ends included.
pub struct Row {
    /// The first number.
    pub from: i32,
    /// The last one.
    pub to: i32,
    /// The class of the failures with these numbers.
    pub class: Class,
    /// What they mean.
    pub why: &'static str,
}

const fn one(number: i32, class: Class, why: &'static str) -> Row {
    Row { from: number, to: number, class, why }
}

const fn range(from: i32, to: i32, class: Class, why: &'static str) -> Row {
    Row { from, to, class, why }
}

/// Exit codes: those of `sysexits.h`, of shells and of `timeout`. All others are [`Class::Agent`].
pub const EXIT_CODES: &[Row] = &[
    one(64, Class::Configuration, "`EX_USAGE`: the command line is wrong"),
    one(65, Class::Configuration, "`EX_DATAERR`: the input is not what it should be"),
    one(66, Class::Configuration, "`EX_NOINPUT`: an input file is missing"),
    one(67, Class::Configuration, "`EX_NOUSER`: there is no such user"),
    one(68, Class::Configuration, "`EX_NOHOST`: there is no such host"),
    one(69, Class::Transient, "`EX_UNAVAILABLE`: a service is not there"),
    one(71, Class::Resource, "`EX_OSERR`: the system refuses, for instance another process"),
    one(72, Class::Configuration, "`EX_OSFILE`: a file of the system is missing or wrong"),
    one(73, Class::Configuration, "`EX_CANTCREAT`: an output file cannot be created"),
    one(74, Class::Resource, "`EX_IOERR`: reading or writing failed"),
    one(75, Class::Transient, "`EX_TEMPFAIL`: try again later"),
    one(77, Class::Configuration, "`EX_NOPERM`: not permitted"),
    one(78, Class::Configuration, "`EX_CONFIG`: the configuration is wrong"),
    one(124, Class::Transient, "`timeout` ended it"),
    one(126, Class::Configuration, "a program cannot be executed"),
    one(127, Class::Configuration, "a program was not found"),
    one(137, Class::Resource, "128 + 9: killed, perhaps because memory ran out"),
    one(152, Class::Resource, "128 + 24: too much processor time"),
    one(153, Class::Resource, "128 + 25: a file too large"),
];

/// Signals that did not come from flow. All others are [`Class::Agent`].
pub const SIGNALS: &[Row] = &[
    one(9, Class::Resource, "`SIGKILL`: perhaps because memory ran out"),
    one(24, Class::Resource, "`SIGXCPU`: too much processor time"),
    one(25, Class::Resource, "`SIGXFSZ`: a file too large"),
];

/// HTTP statuses, the first row that fits. A 5xx that is in no other row counts as 500, as RFC 9110 (section 15) wants.
pub const STATUSES: &[Row] = &[
    one(408, Class::Transient, "Request Timeout"),
    one(425, Class::Transient, "Too Early"),
    one(429, Class::Resource, "Too Many Requests"),
    range(400, 499, Class::Configuration, "the request is wrong, or not permitted"),
    one(501, Class::Configuration, "Not Implemented"),
    range(505, 506, Class::Configuration, "HTTP Version Not Supported, Variant Also Negotiates"),
    one(507, Class::Resource, "Insufficient Storage"),
    one(508, Class::Configuration, "Loop Detected"),
    range(510, 511, Class::Configuration, "Not Extended, Network Authentication Required"),
    range(500, 599, Class::Transient, "the server has trouble, or one behind it"),
    range(100, 399, Class::Validation, "an answer, but not the expected one"),
];

/// The class of failures of a kind of which nothing more is known, and why.
pub fn of_kind(kind: FailureKind) -> (Class, &'static str) {
    match kind {
        FailureKind::Exit => (Class::Agent, "a process ended with a code other than 0 (see exit codes)"),
        FailureKind::Signal => (Class::Agent, "a process was ended by a signal that was not flow's (see signals)"),
        FailureKind::Spawn => (
            Class::Configuration,
            "a process cannot be started: no such program, no permission. `resource` if processes, memory or files ran out",
        ),
        FailureKind::Timeout => (Class::Transient, "it took longer than its `timeout`"),
        FailureKind::Script => (Class::Configuration, "a closure or an expression of the script failed"),
        FailureKind::Input => (Class::Configuration, "a value that it needs cannot be had, or does not fit"),
        FailureKind::Output => (Class::Validation, "its output is not what `parse` asks for"),
        FailureKind::Fail => (Class::Agent, "`fail(…)`"),
        FailureKind::Child => (Class::Agent, "a child of the group failed: the class of the child's failure"),
        FailureKind::Http => (Class::Agent, "an answer with another status than expected (see statuses)"),
        FailureKind::Connection => (
            Class::Transient,
            "no connection, or it broke off. `configuration` if the host is unknown or its certificate is not valid",
        ),
        FailureKind::Validation => (Class::Validation, "its result is not what `validate` asks for"),
        FailureKind::Breaker => (Class::Resource, "its breaker is open"),
        FailureKind::Refused => (Class::Agent, "a person said no"),
        FailureKind::TooMuch => (Class::Resource, "it gave more than its limit allows"),
        FailureKind::Agent => (
            Class::Agent,
            "an agent said that it failed. `transient` for a server in trouble, `resource` for too many requests, `configuration` for a key or a request that is wrong",
        ),
        FailureKind::CutOff => (Class::Transient, "an agent ended without saying that it is done"),
        FailureKind::Silent => (Class::Agent, "an agent ended, and said nothing at all"),
        FailureKind::Hung => (Class::Transient, "an agent said nothing for longer than its `idle_timeout`"),
        FailureKind::OverBudget => (Class::Configuration, "an agent would have used more than its budget allows"),
        FailureKind::Denied => (Class::Configuration, "an agent was refused a tool that it needs"),
        FailureKind::Store => (Class::Resource, "the disk or the database"),
        FailureKind::Cancelled => (Class::Cancelled, "it was cancelled, or the run was"),
    }
}

/// The class of a failed outcome.
///
/// In this order: what was cancelled is cancelled; the first of the user's rules that fits; what the executor found out
/// and the kind does not tell (a class other than the default stands in the failure already, for a group that of its
/// child's failure); the tables of this page. Of an outcome without an error the default.
pub fn classify(outcome: &Outcome, settings: &Settings) -> Class {
    let Some(error) = &outcome.error else { return Class::default() };
    if error.kind == FailureKind::Cancelled {
        return Class::Cancelled;
    }
    if let Some(rule) = settings.classes.iter().find(|rule| fits(&rule.matches, outcome, error)) {
        return rule.class;
    }
    if error.class != Class::default() {
        return error.class;
    }
    let number = |kind| number(outcome, error, kind);
    let known = number(FailureKind::Exit)
        .map(|code| (EXIT_CODES, code))
        .or_else(|| number(FailureKind::Signal).map(|signal| (SIGNALS, signal)))
        .or_else(|| number(FailureKind::Http).map(|status| (STATUSES, status)))
        .and_then(|(rows, number)| rows.iter().find(|row| (row.from..=row.to).contains(&number)));
    known.map_or_else(|| of_kind(error.kind).0, |row| row.class)
}

/// The exit code, signal or status of a failure of this kind.
fn number(outcome: &Outcome, error: &Failure, kind: FailureKind) -> Option<i32> {
    match kind {
        _ if error.kind != kind => None,
        FailureKind::Exit | FailureKind::Http => outcome.code,
        FailureKind::Signal => outcome.signal,
        _ => None,
    }
}

fn fits(matches: &Matches, outcome: &Outcome, error: &Failure) -> bool {
    let is = |kind, wanted: &i32| number(outcome, error, kind) == Some(*wanted);
    match matches {
        Matches::Exit(code) => is(FailureKind::Exit, code),
        Matches::Signal(signal) => is(FailureKind::Signal, signal),
        Matches::Http(status) => is(FailureKind::Http, status),
        Matches::Kind(kind) => error.kind.name() == kind,
        Matches::Message(text) => error.message.contains(text.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ClassRule;

    fn outcome(kind: FailureKind, code: Option<i32>, signal: Option<i32>) -> Outcome {
        Outcome { error: Some(Failure::new(kind, "the disk is full")), code, signal, ..Outcome::default() }
    }

    fn class(kind: FailureKind, number: i32) -> Class {
        let signal = (kind == FailureKind::Signal).then_some(number);
        classify(&outcome(kind, signal.is_none().then_some(number), signal), &Settings::default())
    }

    #[test]
    fn numbers_decide_where_they_mean_something() {
        assert_eq!(class(FailureKind::Exit, 1), Class::Agent);
        assert_eq!(class(FailureKind::Exit, 75), Class::Transient);
        assert_eq!(class(FailureKind::Exit, 127), Class::Configuration);
        assert_eq!(class(FailureKind::Exit, 137), Class::Resource);
        assert_eq!(class(FailureKind::Signal, 9), Class::Resource);
        assert_eq!(class(FailureKind::Signal, 11), Class::Agent);
        assert_eq!(class(FailureKind::Http, 404), Class::Configuration);
        assert_eq!(class(FailureKind::Http, 429), Class::Resource);
        assert_eq!(class(FailureKind::Http, 503), Class::Transient);
        assert_eq!(class(FailureKind::Http, 529), Class::Transient);
        assert_eq!(class(FailureKind::Http, 204), Class::Validation);
        // A timeout's exit code says nothing.
        assert_eq!(class(FailureKind::Timeout, 127), Class::Transient);
        assert_eq!(class(FailureKind::Output, 127), Class::Validation);
    }

    #[test]
    fn an_executor_may_know_more_than_the_kind() {
        let mut spawn = outcome(FailureKind::Spawn, None, None);
        assert_eq!(classify(&spawn, &Settings::default()), Class::Configuration);
        spawn.error.as_mut().unwrap().class = Class::Resource;
        assert_eq!(classify(&spawn, &Settings::default()), Class::Resource);
    }

    #[test]
    fn rules_of_the_user_come_first_but_a_cancel_is_a_cancel() {
        let rule = |matches, class| ClassRule { matches, class };
        let settings = Settings {
            classes: vec![
                rule(Matches::Exit(1), Class::Transient),
                rule(Matches::Kind("timeout".into()), Class::Agent),
                rule(Matches::Message("disk is full".into()), Class::Resource),
            ],
            ..Settings::default()
        };
        assert_eq!(classify(&outcome(FailureKind::Exit, Some(1), None), &settings), Class::Transient);
        assert_eq!(classify(&outcome(FailureKind::Http, Some(1), None), &settings), Class::Resource);
        assert_eq!(classify(&outcome(FailureKind::Timeout, None, None), &settings), Class::Agent);
        assert_eq!(classify(&outcome(FailureKind::Exit, Some(64), None), &settings), Class::Resource);
        assert_eq!(classify(&outcome(FailureKind::Cancelled, None, None), &settings), Class::Cancelled);
    }

    #[test]
    fn every_class_asked_for_by_kind_is_stable() {
        for kind in FailureKind::ALL {
            let first = classify(&outcome(kind, None, None), &Settings::default());
            let mut again = outcome(kind, None, None);
            again.error.as_mut().unwrap().class = first;
            assert_eq!(classify(&again, &Settings::default()), first, "{}", kind.name());
        }
    }
}
