//! From a plan's request to one that can be sent: values filled in, and everything checked that was not known before.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, Url};
use url::form_urlencoded;

use super::trouble::address;
use super::upload::Content;
use super::value::{Values, is_secret};
use crate::event::{Failure, FailureKind, Output};
use crate::exec::mask::{Mask, SHORTEST};
use crate::exec::{Job, stdin};
use crate::plan::{self, Http, HttpBody, Json, Value};
use crate::state::Body;
use crate::state::result::{kind_of, plain_text, shorten};

/// The header that tells a server that two requests are one and the same.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request, ready to be sent.
pub(super) struct Request {
    pub method: Method,
    pub url: Url,
    /// Values that hold a secret are marked as sensitive.
    pub headers: HeaderMap,
    pub body: Option<Content>,
    /// Does the body hold a secret?
    pub secret_body: bool,
    /// For messages: `GET https://example.org/path`, without the query, in which there may be keys.
    pub shown: String,
    /// Hides what a server that is asked by a secret URL sees of that: its path, and who asks.
    pub mask: Mask,
}

impl Request {
    /// Reads files and long results, so it may take a while.
    pub fn of(http: &Http, values: &Values) -> Result<Self, Failure> {
        let method = Method::from_bytes(http.method.as_bytes()).map_err(|_| {
            Failure::new(FailureKind::Input, format!("`{}` is not a method of HTTP", http.method))
                .help("`GET`, `POST`, `PUT`, `PATCH`, `DELETE`, …")
        })?;
        let url = url(http, values)?;
        let shown = shown(&method, &url, is_secret(&http.url));
        let mask = if is_secret(&http.url) { mask(&url) } else { Mask::default() };
        let mut headers = HeaderMap::new();
        for (name, value) in &http.headers {
            // `()` is no value, in headers as in queries and forms: what is optional is left out.
            let json = values.json(value)?;
            if !json.is_null() {
                let (name, value) = header(name, &plain_text(&json), is_secret(value))?;
                headers.append(name, value);
            }
        }
        let body = body(http, values)?;
        if let Some((_, kind)) = &body {
            headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
        } else if matches!(method, Method::POST | Method::PUT | Method::PATCH) {
            // Servers wait for a body, or refuse, unless they are told that there is none (RFC 9110, section 8.6).
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("flow/", env!("CARGO_PKG_VERSION"))));
        if http.idempotency_key && !headers.contains_key(IDEMPOTENCY_KEY) {
            let (name, value) = header(IDEMPOTENCY_KEY.as_str(), &ascii(&values.key), false)?;
            headers.insert(name, value);
        }
        let secret_body = match &http.body {
            None => false,
            Some(HttpBody::Json(value) | HttpBody::Text(value) | HttpBody::File(value)) => is_secret(value),
            Some(HttpBody::Form(fields)) => fields.iter().any(|(_, value)| is_secret(value)),
        };
        Ok(Request { method, url, headers, body: body.map(|(body, _)| body), secret_body, shown, mask })
    }
}

/// Of a secret URL only the host.
fn shown(method: &Method, url: &Url, secret: bool) -> String {
    let path = if secret { "/…".to_owned() } else { shorten(url.path(), 100) };
    format!("{method} {}://{}{path}", url.scheme(), address(url))
}

fn mask(url: &Url) -> Mask {
    let path = url[url::Position::BeforePath..url::Position::AfterQuery].trim_start_matches('/').to_owned();
    let password = url.password().unwrap_or_default().to_owned();
    let user = format!("{}:{password}", url.username());
    Mask::of([path, password, user].iter().map(String::as_str).filter(|part| part.len() >= SHORTEST))
}

fn url(http: &Http, values: &Values) -> Result<Url, Failure> {
    let text = plain_text(&values.json(&http.url)?);
    let mut url = plan::check_url(text.trim()).map_err(|error| match is_secret(&http.url) {
        true => Failure::new(FailureKind::Input, "the URL, which is a secret, is no URL of `http` or `https`")
            .help("a URL looks like `https://example.org/path`; what stands around it is not part of it"),
        false => Failure::new(FailureKind::Input, error.message)
            .help(error.help.unwrap_or_else(|| "a URL looks like `https://example.org/path`".into())),
    })?;
    if !http.query.is_empty() {
        let query = fields(&http.query, values)?;
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}

/// Names and values. A list gives its name once for each item.
fn fields(given: &[(String, Value)], values: &Values) -> Result<Vec<(String, String)>, Failure> {
    let mut fields = Vec::with_capacity(given.len());
    for (name, value) in given {
        match values.json(value)? {
            Json::Null => {}
            Json::Array(items) => fields.extend(items.iter().map(|item| (name.clone(), plain_text(item)))),
            value => fields.push((name.clone(), plain_text(&value))),
        }
    }
    Ok(fields)
}

fn header(name: &str, value: &str, secret: bool) -> Result<(HeaderName, HeaderValue), Failure> {
    let fail = |message: String, help: &str| Failure::new(FailureKind::Input, message).help(help);
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        fail(format!("`{}` cannot be the name of a header", name.escape_debug()), "names hold letters, digits and `-`")
    })?;
    let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
        let what = if value.contains(['\n', '\r']) { "a line break" } else { "a control character" };
        fail(
            format!("the header `{name}` would hold {what}"),
            "a header is one line: take the part you need, for instance `x.lines[0]`",
        )
    })?;
    value.set_sensitive(secret);
    Ok((key, value))
}

/// What stands in headers: all else is spelled as in URLs.
fn ascii(text: &str) -> String {
    let spell = |byte: u8| match byte {
        b'!'..=b'~' if byte != b'%' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(spell).collect()
}

/// The body, and the content type that it has if the script names none.
fn body(http: &Http, values: &Values) -> Result<Option<(Content, &'static str)>, Failure> {
    let job = values.job;
    Ok(Some(match &http.body {
        None => return Ok(None),
        Some(HttpBody::Json(value)) => match long_output(value, job, true) {
            Some(content) => (content, "application/json"),
            None => (Content::Bytes(values.json(value)?.to_string().into()), "application/json"),
        },
        Some(HttpBody::Text(value)) => match long_output(value, job, false) {
            Some(content) => (content, "text/plain; charset=utf-8"),
            None => {
                let value = values.json(value)?;
                if matches!(value, Json::Object(_) | Json::Array(_)) {
                    let message = format!("the body is {}, not a text", kind_of(&value));
                    return Err(Failure::new(FailureKind::Input, message)
                        .help("`json: …` sends a value as JSON, `form: #{…}` sends fields"));
                }
                (Content::Bytes(plain_text(&value).into()), "text/plain; charset=utf-8")
            }
        },
        Some(HttpBody::Form(given)) => {
            let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields(given, values)?).finish();
            (Content::Bytes(form.into()), "application/x-www-form-urlencoded")
        }
        Some(HttpBody::File(value)) => (file(value, values)?, "application/octet-stream"),
    }))
}

/// The output of a step that is too long for an event, JSON or text as `wanted` (is it to be JSON?), is sent from the file
/// that it is in, without its final newline.
fn long_output(value: &Value, job: &Job, wanted: bool) -> Option<Content> {
    let result = job.inputs.get(stdin::whole_output(value)?)?;
    let outcome = result.outcome.as_ref().filter(|_| matches!(result.body, Body::Task))?;
    let Output::File { log, json } = &outcome.output else { return None };
    if *json != wanted {
        return None;
    }
    let path = job.site.folder.join(&log.file);
    let mut file = File::open(&path).ok()?;
    let bytes = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(bytes.saturating_sub(2))).ok()?;
    let mut end = Vec::new();
    file.take(2).read_to_end(&mut end).ok()?;
    let newline = if end.ends_with(b"\r\n") { 2 } else { u64::from(end.ends_with(b"\n")) };
    Some(Content::File(path, bytes - newline))
}

fn file(value: &Value, values: &Values) -> Result<Content, Failure> {
    let name = plain_text(&values.json(value)?);
    let path = values.job.cwd()?.join(&name);
    let fail = |what: String| {
        Failure::new(FailureKind::Input, format!("the file `{}` cannot be sent: {what}", shorten(&name, 200)))
            .help(format!("it was looked for at `{}`; `.cwd(…)` names another folder", path.display()))
    };
    // Opened to find out what would only be known while it is being sent.
    let known = File::open(&path).and_then(|file| file.metadata()).map_err(|error| fail(error.to_string()))?;
    if !known.is_file() {
        return Err(fail("it is not a regular file".into()));
    }
    Ok(Content::File(path, known.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_fits_into_a_header() {
        assert_eq!(ascii("20260102-150405-k3fz/lint[src/ä b.rs]"), "20260102-150405-k3fz/lint[src/%C3%A4%20b.rs]");
        assert_eq!(ascii("50%"), "50%25");
    }

    #[test]
    fn a_header_is_one_line() {
        assert!(header("X-Name", "value", false).is_ok());
        let failure = header("X-Name", "a\nb", false).expect_err("two lines");
        assert!(failure.message.contains("line break"), "{}", failure.message);
        assert!(header("X Name", "value", false).is_err());
    }
}
