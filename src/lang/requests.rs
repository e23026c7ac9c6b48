//! Reading the map of `http`: what is asked, of whom, and what is expected of the answer.

use std::sync::LazyLock;

use rhai::{Array, Dynamic, Map};
use smol_str::SmolStr;

use super::convert::{Steps, to_value};
use super::fault::{Fault, failure, raise};
use super::handle::{Pending, Step};
use super::item::Item;
use super::keys;
use super::options::{self, Options, wrong};
use super::program::Program;
use super::script::Script;
use super::session::{Purpose, Session};
use crate::diag::{Diagnostic, Span, did_you_mean, nearest};
use crate::event::{Failure, FailureKind};
use crate::plan::{Http, HttpBody, Json, METHODS, SecretRef, Value, check_url};

/// Headers that follow from the body.
const OURS: [&str; 2] = ["content-length", "transfer-encoding"];

/// The ways to give a body.
const BODIES: [&str; 4] = ["json", "body", "form", "file"];

/// The request that an item describes: a URL, or a map with the keys of `http`.
///
/// # Errors
/// What is wrong with it.
pub fn request_of(item: &Item) -> Result<Http, Failure> {
    static NOTHING: LazyLock<Option<Program>> =
        LazyLock::new(|| Program::compile(&Script::from_text("request", "")).ok());
    let lost = || Failure::new(FailureKind::Script, "no request can be read").help("this is a mistake in flow");
    let mut session = Session::new(NOTHING.as_ref().ok_or_else(lost)?, Purpose::Call);
    read(&mut session, &item.0, Span::default()).map_err(|fault| Failure { span: None, ..failure(&fault, &session) })
}

/// `http(name, url)`, `http(name, #{ url: …, … })`
pub fn read(session: &mut Session, request: &Dynamic, span: Span) -> Result<Http, Fault> {
    let Some(map) = request.read_lock::<Map>().map(|map| map.clone()) else {
        return Ok(Http { url: url(session, request, "the URL of `http`", span)?, ..Http::default() });
    };
    let mut options = Options::of(&keys::HTTP, &map, span);
    let mut http = Http::default();
    let method = options.text("method")?;
    http.url = match options.take("url") {
        Some(given) => url(session, &given, "`url` of http", span)?,
        None => {
            let help = match nearest("url", map.keys().map(|key| key.as_str())) {
                Some(key) => format!("is `{key}` meant to be `url`?"),
                None => "`http(\"health\", #{ url: \"https://example.org/health\" })`".into(),
            };
            return Err(raise(
                Diagnostic::new("flow::lang::option", "`http` needs a `url`").label(span, "here").help(help),
            ));
        }
    };
    if let Some(given) = options.take("headers") {
        http.headers = pairs(session, &given, "`headers` of http", span)?;
        http.headers.iter().try_for_each(|(name, value)| header(name, value, span))?;
    }
    if let Some(given) = options.take("query") {
        http.query = pairs(session, &given, "`query` of http", span)?;
    }
    http.body = body(session, &mut options, span)?;
    http.method = match method {
        Some(text) => self::method(&text, span)?,
        None if http.body.is_some() => "POST".into(),
        None => http.method,
    };
    if let Some(given) = options.take("expect") {
        http.expect = expect(&given, span)?;
    }
    http.max_body = options.bytes("max_body")?.unwrap_or(http.max_body);
    http.connect_ms = options.time("connect_timeout")?.unwrap_or(http.connect_ms);
    http.read_ms = options.time("read_timeout")?.unwrap_or(http.read_ms);
    http.total_ms = options.time("timeout")?;
    http.redirects = options.count("redirects", 0)?.unwrap_or(http.redirects);
    if let Some(given) = options.take("idempotency_key") {
        let what = "`idempotency_key` of http";
        http.idempotency_key = given.as_bool().map_err(|_| wrong(what, "true or false", &given, span))?;
    }
    options.done()?;
    Ok(http)
}

fn method(text: &str, span: Span) -> Result<SmolStr, Fault> {
    let upper = text.to_uppercase();
    if METHODS.contains(&upper.as_str()) {
        return Ok(upper.into());
    }
    let help = did_you_mean(&upper, METHODS).unwrap_or_else(|| format!("one of: {}", METHODS.join(", ")));
    Err(raise(
        Diagnostic::new("flow::lang::choice", format!("`method` of http cannot be `{text}`"))
            .label_word(span, text, "given here")
            .help(help),
    ))
}

fn url(session: &mut Session, given: &Dynamic, what: &str, span: Span) -> Result<Value, Fault> {
    if !(given.is_string() || given.is::<Pending>() || given.is::<Step>() || given.is::<SecretRef>()) {
        return Err(wrong(what, "a text", given, span));
    }
    let value = to_value(session, given, Steps::OrSecrets, span)?;
    // Where results stand in it, something that fits anywhere: also a port. A result at its beginning may be anything.
    let text = match &value {
        Value::Plain(Json::String(text)) => text.clone(),
        Value::Text(parts) if parts.first().is_some_and(|part| part.as_text().is_some()) => {
            parts.iter().map(|part| part.as_text().unwrap_or("1")).collect()
        }
        _ => return Ok(value),
    };
    match check_url(text.trim()) {
        Ok(_) => Ok(value),
        Err(error) => {
            let problem = Diagnostic::new("flow::lang::url", error.message).label_word(span, &text, "given here");
            Err(raise(problem.help(error.help.unwrap_or_else(|| "a URL looks like `https://example.org/path`".into()))))
        }
    }
}

/// A map of values.
fn pairs(session: &mut Session, given: &Dynamic, what: &str, span: Span) -> Result<Vec<(String, Value)>, Fault> {
    if given.is::<Pending>() || given.is::<Step>() {
        let key = what.split('`').nth(1).unwrap_or_default();
        let problem = Diagnostic::new(
            "flow::lang::pending",
            format!("{what} cannot be a result as a whole: its names must be known before the run"),
        );
        return Err(raise(
            problem
                .label_word(span, key, "given here")
                .help(format!("its values can be results: `{key}: #{{ name: step.output }}`")),
        ));
    }
    let map = given.read_lock::<Map>().map(|map| map.clone()).ok_or_else(|| wrong(what, "a map", given, span))?;
    map.iter().map(|(key, value)| Ok((key.to_string(), to_value(session, value, Steps::OrSecrets, span)?))).collect()
}

fn header(name: &str, value: &Value, span: Span) -> Result<(), Fault> {
    let refuse = |message: String, help: &str| {
        Err(raise(Diagnostic::new("flow::lang::option", message).label_word(span, name, "given here").help(help)))
    };
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        let message = format!("`{}` cannot be the name of a header", name.escape_debug());
        return refuse(message, "names hold letters, digits and `-`: `\"X-Request-Id\"`");
    }
    if OURS.contains(&name.to_ascii_lowercase().as_str()) {
        return refuse(format!("the header `{name}` follows from the body"), "leave it out: flow sends it");
    }
    if value.as_text().is_some_and(|text| text.contains(|c: char| c.is_control() && c != '\t')) {
        return refuse(
            format!("the header `{name}` holds a line break or another control character"),
            "a header is one line",
        );
    }
    Ok(())
}

fn body(session: &mut Session, options: &mut Options, span: Span) -> Result<Option<HttpBody>, Fault> {
    let mut given = BODIES.into_iter().filter_map(|key| Some((key, options.take(key)?))).collect::<Vec<_>>();
    if let [(first, _), (second, _), ..] = given[..] {
        return Err(raise(
            Diagnostic::new("flow::lang::option", format!("`http` has two bodies: `{first}` and `{second}`"))
                .label_word(span, second, "second body")
                .help("give one of `json`, `body`, `form` and `file`"),
        ));
    }
    let Some((key, value)) = given.pop() else { return Ok(None) };
    if key == "form" {
        return Ok(Some(HttpBody::Form(pairs(session, &value, "`form` of http", span)?)));
    }
    // The name of a file is shown in messages.
    let steps = if key == "file" { Steps::AsOutput } else { Steps::OrSecrets };
    let plain = to_value(session, &value, steps, span)?;
    Ok(Some(match key {
        "json" => HttpBody::Json(plain),
        "body" if value.is_map() || value.is_array() => {
            let problem =
                Diagnostic::new("flow::lang::option", "`body` of http must be a text, and this is a map or an array");
            return Err(raise(
                problem
                    .label_word(span, "body", "given here")
                    .help("`json: …` sends a value as JSON, `form: #{…}` sends fields"),
            ));
        }
        "body" => HttpBody::Text(plain),
        _ if value.is_string() || value.is::<Pending>() || value.is::<Step>() => HttpBody::File(plain),
        _ => return Err(wrong("`file` of http", "a path", &value, span)),
    }))
}

/// `200`, `"2xx"`, `"200-299"`, or a list of those.
fn expect(given: &Dynamic, span: Span) -> Result<Vec<(u16, u16)>, Fault> {
    if let Some(items) = given.read_lock::<Array>() {
        if items.is_empty() {
            return Err(wrong("`expect` of http", "a status, or a list with one at least", given, span));
        }
        return items.iter().map(|item| range(item, span)).collect();
    }
    Ok(vec![range(given, span)?])
}

fn range(given: &Dynamic, span: Span) -> Result<(u16, u16), Fault> {
    let refuse = |message: String, word: String| {
        raise(
            Diagnostic::new("flow::lang::option", message)
                .label_word(span, word, "given here")
                .help("statuses go from 100 to 599: `200`, `\"2xx\"`, `\"200-299\"`, or a list of those"),
        )
    };
    if let Ok(number) = given.as_int() {
        let status = u16::try_from(number).ok().filter(|status| (100..=599).contains(status));
        return match status {
            Some(status) => Ok((status, status)),
            None => Err(refuse(format!("`expect` of http: there is no status {number}"), number.to_string())),
        };
    }
    if !given.is_string() {
        return Err(wrong(
            "`expect` of http",
            "a status such as 200, \"2xx\" or \"200-299\", or a list of those",
            given,
            span,
        ));
    }
    let text = options::text(given, "`expect` of http", span)?;
    match statuses(text.trim()) {
        Some(range) => Ok(range),
        None => Err(refuse(format!("`expect` of http: `{text}` is no status and no range of them"), text.clone())),
    }
}

fn statuses(text: &str) -> Option<(u16, u16)> {
    let status = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
    if let Some(hundred) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let first = status(&format!("{hundred}00"))?;
        return Some((first, first + 99));
    }
    let (from, to) = match text.split_once('-') {
        Some((from, to)) => (status(from)?, status(to)?),
        None => (status(text)?, status(text)?),
    };
    (from <= to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_a_request_and_what_is_wrong_is_told() {
        let http = request_of(&Item::of(serde_json::json!({"url": "http://localhost/x", "json": {"a": 1}})));
        let http = http.expect("a request");
        assert_eq!((http.method.as_str(), http.body.is_some()), ("POST", true));
        assert!(request_of(&Item::text("http://localhost/")).is_ok());
        let wrong = |json| request_of(&Item::of(json)).expect_err("no request");
        let failure = wrong(serde_json::json!({"ulr": "http://localhost/"}));
        assert_eq!(failure.help.as_deref(), Some("is `ulr` meant to be `url`?"), "{failure:?}");
        let failure = wrong(serde_json::json!({"url": "localhost:80"}));
        assert!(failure.message.contains("`localhost:80`"), "{failure:?}");
        assert!(wrong(serde_json::json!(7)).message.contains("the URL of `http`"));
    }

    #[test]
    fn statuses_are_read() {
        assert_eq!(statuses("2xx"), Some((200, 299)));
        assert_eq!(statuses("200 - 204"), Some((200, 204)));
        assert_eq!(statuses("404"), Some((404, 404)));
        for text in ["6xx", "0xx", "xx", "299-200", "2x", "-200", "200-", "20", "600"] {
            assert_eq!(statuses(text), None, "{text}");
        }
    }
}
