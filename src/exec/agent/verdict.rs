//! How an agent's attempt is judged. Pure: what was seen, how it ended, and why we ended it, if we did.
//!
//! The first row that fits:
//!
//! | it | verdict | failure |
//! | --- | --- | --- |
//! | was ended because it, its run or its group was cancelled | failed | `cancelled` |
//! | was ended because of its memory, or of what it wrote | failed | `too_much` |
//! | was ended because the disk did not take what it said | failed | `store` |
//! | was ended because it had used what it may, or says that it stopped for that | over_budget | `over_budget` |
//! | was ended after its total time | hung | `timeout` |
//! | was ended since it said nothing for too long | hung | `hung` |
//! | said that it is done, with an error, and did not end | hung | that of the error |
//! | was a request that was not answered as it should be | failed | `http`, `connection` |
//! | said that it is done, with an error | failed | `agent`, with the class of the error |
//! | did not say that it is done, and was ended by a signal or with a code that is not 0 | failed; silent if it said nothing | `agent`, `silent` |
//! | did not say that it is done | cut_off; silent if it said nothing | `cut_off`, `silent` |
//! | said that it is done, and ended with a signal or a code that is not 0 | failed | `agent` |
//! | was refused a tool, and is asked strictly | denied | `denied` |
//! | said that it is done, without an error, and ended with code 0, or had to be ended after that | finished | none |
//!
//! What it gave is looked at only then (see `answer`).

use super::seen::Seen;
use super::trouble::about;
use crate::event::{AgentError, Failure, FailureKind, Verdict};
use crate::exec::exit::signal_name;
use crate::plan::{Class, unit};
use crate::state::result::shorten;

/// Why an attempt was ended by us.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Why {
    /// Somebody wanted it: a person, a timeout of the step, a group.
    Cancelled,
    /// It said nothing for so many milliseconds.
    Idle(u64),
    /// It took so many milliseconds.
    Total(u64),
    /// It had said that it is done, and did not end.
    Lingered,
    /// It used more of this than it may.
    Budget(String),
    /// It had more memory than it may: what it had, and what it may have, in bytes.
    Memory(u64, u64),
    /// What it said is more than is kept, or cannot be kept.
    Refused(Failure),
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum End {
    /// A program, by itself or by us.
    Program {
        /// Its exit code.
        code: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
    },
    /// A request whose answer came to its end.
    #[default]
    Answered,
    /// A request that was not answered as it should be, or a program that did not begin.
    Failed(Failure),
}

/// An attempt that is over.
pub(super) struct Case<'a> {
    /// Its agent's name.
    pub agent: &'a str,
    /// Its backend.
    pub backend: &'a str,
    pub seen: &'a Seen,
    pub end: &'a End,
    /// Nothing: it ended by itself.
    pub why: Option<&'a Why>,
    pub strict: bool,
    /// The end of what it wrote to standard error, as far as a message may quote it.
    pub stderr: &'a str,
    /// Where all of that is.
    pub log: Option<String>,
}

/// The judgement, and the failure that goes with it. See the module's page.
pub(super) fn judge(case: &Case<'_>) -> (Verdict, Option<Failure>) {
    let Case { agent, seen, .. } = case;
    let fail = |verdict, failure| (verdict, Some(failure));
    let new = Failure::new;
    let error = seen.closing.as_ref().and_then(|closing| closing.error.as_ref());
    match case.why {
        Some(Why::Cancelled) => {
            let failure = new(FailureKind::Cancelled, format!("agent `{agent}` was ended before it was done"));
            return fail(Verdict::Failed, failure.help("it was cancelled, or the run was"));
        }
        Some(Why::Memory(used, most)) => {
            let (used, most) = (unit::show_bytes(*used), unit::show_bytes(*most));
            let message = format!("agent `{agent}` and its tools used {used} of memory, and may use {most}");
            let help = "`max_memory: \"…\"` of the agent gives it more; it counts all processes of the attempt";
            return fail(Verdict::Failed, new(FailureKind::TooMuch, message).help(help));
        }
        Some(Why::Refused(failure)) => return fail(Verdict::Failed, failure.clone()),
        Some(Why::Budget(what)) => {
            let failure = new(FailureKind::OverBudget, format!("agent `{agent}` was ended: {what}"));
            let help = "`budget: #{…}` says what it may use; what it used counts all the same";
            return fail(Verdict::OverBudget, failure.help(help));
        }
        Some(Why::Total(ms)) => {
            let message = format!("agent `{agent}` took longer than its timeout of {}", unit::show_duration(*ms));
            let doing = doing(seen);
            let help = format!("{doing}`timeout` of the agent gives it more time");
            return fail(Verdict::Hung, new(FailureKind::Timeout, message).help(help));
        }
        Some(Why::Idle(ms)) => {
            let message = format!("agent `{agent}` said nothing for {}", unit::show_duration(*ms));
            let help = format!("{}`idle_timeout: \"…\"` gives it more time, 0 all that there is", doing(seen));
            return fail(Verdict::Hung, new(FailureKind::Hung, message).help(help));
        }
        Some(Why::Lingered) if error.is_some() => {
            let (_, failure) = by_error(case, error.unwrap_or(&AgentError::default()));
            return fail(Verdict::Hung, failure);
        }
        Some(Why::Lingered) | None => {}
    }
    if let End::Failed(failure) = case.end {
        return fail(Verdict::Failed, failure.clone());
    }
    if let Some(error) = error {
        let (verdict, failure) = by_error(case, error);
        return fail(verdict, failure);
    }
    let ended = match case.end {
        // It had been told to.
        _ if case.why.is_some() => None,
        End::Program { signal: Some(signal), .. } => Some(format!("was ended by {}", signal_name(*signal))),
        End::Program { code: Some(code), .. } if *code != 0 => Some(format!("ended with exit code {code}")),
        _ => None,
    };
    if seen.closing.is_none() {
        return match (ended, seen.anything) {
            (Some(ended), _) => {
                let verdict = if seen.anything { Verdict::Failed } else { Verdict::Silent };
                fail(verdict, by_end(case, &ended, seen.anything))
            }
            (None, true) => {
                let message = format!("agent `{agent}` broke off: it ended without saying that it is done");
                fail(Verdict::CutOff, new(FailureKind::CutOff, message).help(last_words(case, doing(seen))))
            }
            (None, false) => {
                let message = format!("agent `{agent}` ended, and said nothing at all");
                let help = last_words(case, "was it given a task, and does it speak as its backend should? ".into());
                fail(Verdict::Silent, new(FailureKind::Silent, message).help(help))
            }
        };
    }
    if let Some(ended) = ended {
        let message = format!("agent `{agent}` said that it is done, but {ended}");
        return fail(Verdict::Failed, new(FailureKind::Agent, message).help(last_words(case, String::new())));
    }
    if case.strict && !seen.denials.is_empty() {
        let list = |denial: &crate::event::Denial| match denial.what.as_str() {
            "" => format!("`{}`", denial.tool),
            what => format!("`{}` ({})", denial.tool, shorten(what, 60)),
        };
        let list = seen.denials.iter().take(3).map(list).collect::<Vec<_>>().join(", ");
        let more = if seen.denials.len() > 3 { ", …" } else { "" };
        let message = format!("agent `{agent}` was refused {list}{more}, and is asked strictly");
        let help = "`tools` and `permission` of the agent say what it may do; without `strict` this is no failure";
        return fail(Verdict::Denied, new(FailureKind::Denied, message).help(help));
    }
    (Verdict::Finished, None)
}

/// It said that there is no answer.
fn by_error(case: &Case<'_>, error: &AgentError) -> (Verdict, Failure) {
    let agent = case.agent;
    let message = [error.message.trim(), error.code.as_str()].into_iter().find(|text| !text.is_empty());
    let message = shorten(message.unwrap_or("it does not say why"), 300);
    if error.limit {
        let failure = Failure::new(FailureKind::OverBudget, format!("agent `{agent}` stopped: {message}"));
        let help = "`max_turns` and `budget` of the agent say what it may use";
        return (Verdict::OverBudget, failure.help(help));
    }
    let mut failure = Failure::new(FailureKind::Agent, format!("agent `{agent}` failed: {message}"));
    failure.retry_after_ms = error.retry_after_ms;
    let (class, help) = about(error, case.backend);
    failure.class = class;
    (Verdict::Failed, failure.help(help))
}

/// Exit codes of programs that mean something (from Gemini CLI's source).
const EXITS: [(&str, i32, Class, &str); 6] = [
    ("gemini", 41, Class::Configuration, "it could not log in: give it a key, `api_key: secret(\"GEMINI_API_KEY\")`"),
    ("gemini", 42, Class::Configuration, "it takes its arguments or its task for wrong"),
    ("gemini", 44, Class::Configuration, "its sandbox could not be set up"),
    ("gemini", 52, Class::Configuration, "its configuration is wrong"),
    ("gemini", 53, Class::Configuration, "it has used all its turns: `max_turns` gives it more"),
    ("gemini", 55, Class::Configuration, "it does not trust the folder in which it works"),
];

/// It ended badly, and had not said that it is done.
fn by_end(case: &Case<'_>, ended: &str, said: bool) -> Failure {
    let agent = case.agent;
    let (kind, message) = match said {
        true => (FailureKind::Agent, format!("agent `{agent}` {ended} before it said that it is done")),
        false => (FailureKind::Silent, format!("agent `{agent}` {ended}, and said nothing at all")),
    };
    let code = match case.end {
        End::Program { code, .. } => *code,
        _ => None,
    };
    let known = EXITS.iter().find(|(backend, number, ..)| *backend == case.backend && Some(*number) == code);
    let mut failure = Failure::new(kind, message);
    let before = match known {
        Some((.., class, help)) => {
            failure.class = *class;
            format!("{help}; ")
        }
        None if matches!(code, Some(126 | 127)) => {
            failure.class = Class::Configuration;
            "126 and 127 mean that a program was not found, or cannot be executed; ".to_owned()
        }
        None => String::new(),
    };
    if let End::Program { signal: Some(9), .. } = case.end {
        failure.class = Class::Resource;
    }
    if !case.seen.retries.is_empty() {
        failure.class = Class::Transient;
    }
    failure.help(last_words(case, before))
}

/// What it did last, as the beginning of a help.
fn doing(seen: &Seen) -> String {
    match seen.doing.as_str() {
        "" => String::new(),
        doing => format!("the last thing it did was `{}`; ", shorten(doing, 60)),
    }
}

/// What it wrote to standard error last, after `before`, as a help.
fn last_words(case: &Case<'_>, before: String) -> String {
    let last = case.stderr.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let retries = match case.seen.retries.as_str() {
        "" => String::new(),
        why => format!("it could not reach the model: {}; ", shorten(why, 100)),
    };
    let words = match (last, &case.log) {
        (Some(last), Some(log)) => {
            format!("its last words on standard error were `{}`; all of them are in {log}", shorten(last, 200))
        }
        (None, Some(log)) => format!("what it wrote to standard error is in {log}"),
        _ => "it wrote nothing to standard error; `flow logs RUN STEP --raw` shows all that it said".to_owned(),
    };
    format!("{before}{retries}{words}")
}

#[cfg(test)]
mod tests {
    use super::super::seen::Closing;
    use super::*;
    use crate::event::Denial;

    fn done(error: Option<AgentError>) -> Seen {
        Seen { anything: true, closing: Some(Closing { error, ..Closing::default() }), ..Seen::default() }
    }

    fn spoke() -> Seen {
        Seen { anything: true, doing: "Bash: make".into(), ..Seen::default() }
    }

    fn code(code: i32) -> End {
        End::Program { code: Some(code), signal: None }
    }

    fn verdict(seen: &Seen, end: &End, why: Option<&Why>, strict: bool) -> (Verdict, Option<Failure>) {
        judge(&Case {
            agent: "coder",
            backend: "claude",
            seen,
            end,
            why,
            strict,
            stderr: "one\nthe last line\n",
            log: Some("logs/1.err".into()),
        })
    }

    fn is(seen: &Seen, end: &End, why: Option<&Why>, verdict: Verdict, kind: FailureKind) -> Failure {
        let (found, failure) = self::verdict(seen, end, why, false);
        let failure = failure.expect("a failure");
        assert_eq!((found, failure.kind), (verdict, kind), "{failure:?}");
        assert!(failure.help.is_some() && failure.message.contains("coder"), "{failure:?}");
        failure
    }

    fn error(code: &str, status: Option<u16>) -> AgentError {
        AgentError { message: "it says why".into(), code: code.into(), status, ..AgentError::default() }
    }

    #[test]
    fn done_without_an_error_and_with_code_0_is_finished() {
        assert_eq!(verdict(&done(None), &code(0), None, false), (Verdict::Finished, None));
        assert_eq!(verdict(&done(None), &End::Answered, None, false), (Verdict::Finished, None));
    }

    #[test]
    fn done_and_then_ended_by_us_is_finished() {
        let killed = End::Program { code: None, signal: Some(15) };
        assert_eq!(verdict(&done(None), &killed, Some(&Why::Lingered), false), (Verdict::Finished, None));
    }

    #[test]
    fn done_with_an_error_is_failed_whatever_the_code() {
        for end in [code(0), code(1)] {
            let failure = is(&done(Some(error("", None))), &end, None, Verdict::Failed, FailureKind::Agent);
            assert_eq!(failure.message, "agent `coder` failed: it says why");
        }
    }

    #[test]
    fn done_with_an_error_and_then_ended_by_us_is_hung() {
        is(&done(Some(error("", None))), &code(143), Some(&Why::Lingered), Verdict::Hung, FailureKind::Agent);
    }

    #[test]
    fn done_and_ended_badly_is_failed() {
        let failure = is(&done(None), &code(3), None, Verdict::Failed, FailureKind::Agent);
        assert!(failure.message.contains("exit code 3"), "{failure:?}");
        assert!(failure.help.is_some_and(|help| help.contains("`the last line`")));
        let signal = End::Program { code: None, signal: Some(11) };
        is(&done(None), &signal, None, Verdict::Failed, FailureKind::Agent);
    }

    #[test]
    fn not_done_is_cut_off_or_silent() {
        let failure = is(&spoke(), &code(0), None, Verdict::CutOff, FailureKind::CutOff);
        assert!(failure.help.is_some_and(|help| help.contains("Bash: make")));
        is(&Seen::default(), &code(0), None, Verdict::Silent, FailureKind::Silent);
        is(&spoke(), &End::Answered, None, Verdict::CutOff, FailureKind::CutOff);
    }

    #[test]
    fn not_done_and_ended_badly_is_failed_or_silent() {
        is(&spoke(), &code(1), None, Verdict::Failed, FailureKind::Agent);
        is(&Seen::default(), &code(1), None, Verdict::Silent, FailureKind::Silent);
        let killed = End::Program { code: None, signal: Some(9) };
        assert_eq!(is(&spoke(), &killed, None, Verdict::Failed, FailureKind::Agent).class, Class::Resource);
        let failure = is(&Seen::default(), &code(127), None, Verdict::Silent, FailureKind::Silent);
        assert_eq!(failure.class, Class::Configuration);
    }

    #[test]
    fn one_that_could_not_reach_its_model_may_try_again() {
        let seen = Seen { retries: "overloaded".into(), ..spoke() };
        assert_eq!(is(&seen, &code(1), None, Verdict::Failed, FailureKind::Agent).class, Class::Transient);
    }

    #[test]
    fn what_we_ended_has_our_reason() {
        let end = End::Program { code: None, signal: Some(15) };
        is(&spoke(), &end, Some(&Why::Idle(300_000)), Verdict::Hung, FailureKind::Hung);
        is(&spoke(), &end, Some(&Why::Total(60_000)), Verdict::Hung, FailureKind::Timeout);
        is(&spoke(), &end, Some(&Why::Cancelled), Verdict::Failed, FailureKind::Cancelled);
        is(&spoke(), &end, Some(&Why::Memory(2 << 30, 1 << 30)), Verdict::Failed, FailureKind::TooMuch);
        is(&spoke(), &end, Some(&Why::Budget("it used 3 turns".into())), Verdict::OverBudget, FailureKind::OverBudget);
        let refused = Why::Refused(Failure::new(FailureKind::Store, "agent `coder`: no space").help("make room"));
        is(&spoke(), &end, Some(&refused), Verdict::Failed, FailureKind::Store);
    }

    #[test]
    fn one_that_stopped_at_a_limit_is_over_budget() {
        let limit = AgentError { limit: true, ..error("error_max_turns", None) };
        is(&done(Some(limit)), &code(1), None, Verdict::OverBudget, FailureKind::OverBudget);
    }

    #[test]
    fn a_request_that_fails_is_failed_as_it_says() {
        let failure = Failure::new(FailureKind::Connection, "agent `coder`: refused").help("is it running?");
        is(&Seen::default(), &End::Failed(failure), None, Verdict::Failed, FailureKind::Connection);
    }

    #[test]
    fn what_was_refused_counts_only_if_asked_strictly() {
        let denial = Denial { tool: "Bash".into(), what: "rm -rf /".into() };
        let seen = Seen { denials: vec![denial], ..done(None) };
        assert_eq!(verdict(&seen, &code(0), None, false), (Verdict::Finished, None));
        let (found, failure) = verdict(&seen, &code(0), None, true);
        assert_eq!(found, Verdict::Denied);
        assert!(failure.is_some_and(|failure| failure.message.contains("`Bash` (rm -rf /)")));
        assert_eq!(verdict(&done(None), &code(0), None, true), (Verdict::Finished, None));
    }
}
