//! Reading what `settings` say about classes of failures: which failure is of which class, and what is done about each.

use rhai::{Dynamic, Map};

use super::fault::{Fault, raise};
use super::keys;
use super::options::{self, Options, choice, wrong};
use super::policies;
use crate::diag::{Diagnostic, Span, did_you_mean, nearest};
use crate::event::FailureKind;
use crate::plan::{Class, ClassRule, Matches, Strategy};

/// How a rule can begin, with an example of each.
const FORMS: [(&str, &str); 4] =
    [("exit", "exit 75"), ("signal", "signal 9"), ("http", "http 429"), ("kind", "kind timeout")];

fn map_of(value: &Dynamic, what: &str, span: Span) -> Result<Map, Fault> {
    value.read_lock::<Map>().map(|map| map.clone()).ok_or_else(|| wrong(what, "a map", value, span))
}

/// `#{ "exit 75": "transient", "/quota/": "resource" }`, in the order of the keys.
pub fn rules(value: &Dynamic, span: Span) -> Result<Vec<ClassRule>, Fault> {
    let map = map_of(value, "`classes` of settings", span)?;
    map.iter()
        .map(|(key, class)| {
            let class = choice(class, &format!("the class of `{key}`"), &Class::ALL, span)?;
            Ok(ClassRule { matches: matches(key, span)?, class })
        })
        .collect()
}

/// What a rule is about: `exit 75`, `/text/`.
fn matches(rule: &str, span: Span) -> Result<Matches, Fault> {
    let refuse = |message: String, help: String| {
        let code = "flow::lang::class";
        raise(Diagnostic::new(code, message).label_word(span, rule, "given here").help(help))
    };
    if let Some(text) = rule.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        return match text.is_empty() {
            true => Err(refuse(
                "the rule `//` would be about every failure".into(),
                "write the text that a message must hold: `\"/quota/\"`".into(),
            )),
            false => Ok(Matches::Message(text.to_owned())),
        };
    }
    let (word, rest) = rule.split_once(' ').map_or((rule, ""), |(word, rest)| (word, rest.trim()));
    let Some((_, example)) = FORMS.iter().find(|(form, _)| *form == word) else {
        let near = nearest(word, FORMS.iter().map(|(form, _)| *form)).map(|near| format!("did you mean `{near}`?"));
        let all = "rules look like `\"exit 75\"`, `\"signal 9\"`, `\"http 429\"`, `\"kind timeout\"`, `\"/text in the message/\"`";
        return Err(refuse(
            format!("the rule `{rule}` does not say which failures it is about"),
            near.unwrap_or_else(|| all.into()),
        ));
    };
    if word == "kind" {
        return match FailureKind::ALL.iter().any(|kind| kind.name() == rest) {
            true => Ok(Matches::Kind(rest.to_owned())),
            false => {
                let names = FailureKind::ALL.map(FailureKind::name);
                let help = did_you_mean(rest, names).unwrap_or_else(|| format!("one of: {}", names.join(", ")));
                Err(refuse(format!("no failure is of the kind `{rest}`"), help))
            }
        };
    }
    let number = rest.parse::<i32>().ok().filter(|number| match word {
        "http" => (100..600).contains(number),
        "signal" => (1..=64).contains(number),
        _ => (1..256).contains(number),
    });
    let number = number.ok_or_else(|| {
        let wanted = match word {
            "http" => "a status from 100 to 599",
            "signal" => "the number of a signal, from 1 to 64",
            _ => "an exit code from 1 to 255",
        };
        refuse(format!("the rule `{rule}` needs {wanted}"), format!("for instance `\"{example}\"`"))
    })?;
    Ok(match word {
        "http" => Matches::Http(number),
        "signal" => Matches::Signal(number),
        _ => Matches::Exit(number),
    })
}

/// `#{ transient: #{ retry: 5 }, resource: "wait", configuration: "fail" }`
pub fn strategies(value: &Dynamic, span: Span) -> Result<Vec<(Class, Strategy)>, Fault> {
    let map = map_of(value, "`strategies` of settings", span)?;
    map.iter()
        .map(|(key, value)| {
            let known = Class::ALL.iter().find(|(name, _)| *name == key.as_str());
            let (name, class) = known.ok_or_else(|| {
                let names = Class::ALL.map(|(name, _)| name);
                options::unknown_key(key, "`strategies` of settings", &names, span)
            })?;
            Ok((*class, strategy(value, name, span)?))
        })
        .collect()
}

fn strategy(value: &Dynamic, class: &str, span: Span) -> Result<Strategy, Fault> {
    let what = format!("the strategy of `{class}`");
    if value.is_string() {
        const WORDS: [(&str, u8); 3] = [("retry", 0), ("wait", 1), ("fail", 2)];
        return Ok(match choice(value, &what, &WORDS, span)? {
            0 => Strategy::Retry(None),
            1 => Strategy::Wait(None),
            _ => Strategy::Fail,
        });
    }
    let wanted = "\"retry\", \"wait\", \"fail\", or a map such as `#{ wait: \"1m\" }`";
    let map = value.read_lock::<Map>().map(|map| map.clone()).ok_or_else(|| wrong(&what, wanted, value, span))?;
    let mut options = Options::named(&keys::STRATEGY, what.as_str(), &map, span);
    let retry = options.take("retry").map(|value| policies::retry(&value, span)).transpose()?;
    let wait = options.time("wait")?;
    options.done()?;
    match (retry, wait) {
        (Some(retry), None) => Ok(Strategy::Retry(Some(retry))),
        (None, Some(ms)) => Ok(Strategy::Wait(Some(ms))),
        (both, _) => {
            let message = match both {
                Some(_) => format!("{what} says both `retry` and `wait`"),
                None => format!("{what} says nothing"),
            };
            Err(raise(
                Diagnostic::new("flow::lang::option", message)
                    .label_word(span, class, "given here")
                    .help(format!("give one of them: {wanted}")),
            ))
        }
    }
}
