//! The answer: its head, its body in a file as the standard output of a process is, and what comes of both.

use std::fs::File;
use std::io::Write;

use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde_json::Map;

use super::retry_after;
use crate::event::{Failure, FailureKind, Outcome, Output};
use crate::exec::capture::{Captured, Logs, store_failure};
use crate::exec::mask::{Mask, Masking};
use crate::exec::output;
use crate::exec::secrets::Secrets;
use crate::plan::{Http, Json, Parse, unit};
use crate::state::result::shorten;

/// How much of a body a message may quote, in characters.
const QUOTED: usize = 200;

/// An answer, as far as it has come.
pub(super) struct Answer<'a> {
    logs: &'a Logs,
    /// What is masked in its body, if anything is.
    masked: Option<Masked<'a>>,
    head: Option<Head>,
    file: Option<File>,
    /// Bytes of its body so far.
    came: u64,
    written: u64,
    /// The beginning of the body, as it was written.
    begin: Vec<u8>,
}

/// The body is masked twice: for the secrets of the run, and for what the request alone hides.
struct Masked<'a> {
    secrets: (Masking, &'a Secrets),
    own: (Masking, &'a Mask),
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
    url: Url,
}

impl<'a> Answer<'a> {
    /// `secrets`: what is masked, if anything is, and with them what `own` hides.
    pub fn new(logs: &'a Logs, secrets: Option<&'a Secrets>, own: &'a Mask) -> Self {
        let masked =
            secrets.map(|secrets| Masked { secrets: (Masking::default(), secrets), own: (Masking::default(), own) });
        Answer { logs, masked, head: None, file: None, came: 0, written: 0, begin: Vec::new() }
    }

    /// The head is there. `url`: whose answer it is.
    pub fn begins(&mut self, status: StatusCode, headers: HeaderMap, url: Url) {
        self.head = Some(Head { status, headers, url });
    }

    /// Bytes of its body so far.
    pub fn bytes(&self) -> u64 {
        self.came
    }

    /// A piece of its body.
    pub fn take(&mut self, piece: &[u8], http: &Http, shown: &str) -> Result<(), Failure> {
        let room = usize::try_from(http.max_body.saturating_sub(self.came)).unwrap_or(usize::MAX);
        let fits = &piece[..piece.len().min(room)];
        self.came += fits.len() as u64;
        self.write(fits, false)?;
        if fits.len() < piece.len() { Err(too_much(http, shown)) } else { Ok(()) }
    }

    /// Writes what is certain to hold no secret. `last`: nothing will follow.
    fn write(&mut self, piece: &[u8], last: bool) -> Result<(), Failure> {
        let Some(Masked { secrets, own }) = &mut self.masked else { return self.append(piece) };
        let mut once = Vec::with_capacity(piece.len() + 64);
        secrets.0.take(&secrets.1.mask(), piece, last, &mut once);
        let mut twice = Vec::with_capacity(once.len() + 64);
        own.0.take(own.1, &once, last, &mut twice);
        self.append(&twice)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        let path = self.logs.path("out");
        let mut write = || {
            if self.file.is_none() {
                self.file = Some(File::create(&path)?);
            }
            self.file.as_mut().map_or(Ok(()), |file| file.write_all(bytes))
        };
        write().map_err(|error| store_failure("write", &path, &error))?;
        self.written += bytes.len() as u64;
        let rest = (4 * QUOTED).saturating_sub(self.begin.len());
        self.begin.extend(&bytes[..bytes.len().min(rest)]);
        Ok(())
    }

    /// What comes of it. `error`: why there is no more of it. Reads files, so it may take a while.
    pub fn outcome(mut self, http: &Http, parse: Parse, shown: &str, error: Option<Failure>) -> Outcome {
        let rest = self.write(&[], true).err();
        let Some(head) = &self.head else { return Outcome { error, ..Outcome::default() } };
        let mut outcome = Outcome {
            code: Some(i32::from(head.status.as_u16())),
            fields: fields(head),
            // What the server said comes first: an error page that is too long is still an error page.
            error: match http.expects(head.status.as_u16()) {
                true => error.or(rest),
                false if error.as_ref().is_some_and(|error| error.kind == FailureKind::Cancelled) => error,
                false => Some(self.unexpected(head, shown)),
            },
            ..Outcome::default()
        };
        let mut keep = |failure: Failure| {
            outcome.error.get_or_insert(failure);
        };
        if self.written == 0 {
            outcome.output = output::empty(parse, &mut |failure| keep(of_body(failure, head)));
            return outcome;
        }
        match Captured::of(self.logs.name("out"), self.logs.path("out"), self.written) {
            Ok(body) => {
                outcome.output = read(&body, parse, self.logs, head, &mut keep);
                outcome.stdout = Some(body.log);
            }
            Err(error) => keep(store_failure("read", &self.logs.path("out"), &error)),
        }
        outcome
    }

    fn unexpected(&self, head: &Head, shown: &str) -> Failure {
        let status = head.status;
        let text = String::from_utf8_lossy(&self.begin);
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let begin = shorten(self.logs.quote(&words.collect::<Vec<_>>().join(" ")), QUOTED);
        let mut message = format!("`{shown}` was answered with {}", named(status));
        if !begin.is_empty() {
            message.push_str(&format!(": {begin}"));
        }
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let wait = header(RETRY_AFTER).and_then(|value| retry_after::wait_ms(value, header(DATE)));
        let help = match (wait, status.as_u16()) {
            (Some(ms), _) => format!("the server asks to wait {} before the next attempt", unit::show_duration(ms)),
            (_, 401) => {
                "the server wants to know who asks: is there an `Authorization` header, and is it current?".into()
            }
            (_, 403) => "whoever asks is known to the server, but not allowed to do this".into(),
            (_, 404 | 410) => "check the URL; `expect: [200, 404]` says that it need not be there".into(),
            (_, 405) => "check the `method`".into(),
            (_, 413) => "the body of the request is too large for the server".into(),
            (_, 301..=308) => "a redirect that is not followed: `redirects` says how many are".into(),
            (_, 400..=499) => "the server refuses the request; its answer says more".into(),
            (_, 500..=599) => "the server has trouble; `.retry(…)` asks again".into(),
            (_, status) => format!("`expect: {status}` makes it a success"),
        };
        Failure { retry_after_ms: wait, ..Failure::new(FailureKind::Http, message) }.help(help)
    }
}

/// `503 Service Unavailable`
pub(super) fn named(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_str()),
        None => status.as_str().to_owned(),
    }
}

/// The body is longer than it may be.
pub(super) fn too_much(http: &Http, shown: &str) -> Failure {
    let most = unit::show_bytes(http.max_body);
    Failure::new(FailureKind::TooMuch, format!("the answer to `{shown}` is longer than {most}"))
        .help("`max_body: \"1GB\"` allows for more; long bodies go to a file and take no memory")
}

fn fields(head: &Head) -> Map<String, Json> {
    let mut headers = Map::new();
    for name in head.headers.keys() {
        let values = head.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        headers.insert(name.as_str().to_owned(), values.collect::<Vec<_>>().join(", ").into());
    }
    let mut url = head.url.clone();
    // Cannot fail for http and https.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let mut fields = Map::new();
    fields.insert("http_status".into(), head.status.as_u16().into());
    fields.insert("url".into(), url.as_str().into());
    fields.insert("headers".into(), headers.into());
    fields
}

/// The output: JSON if that is what the server says it is, and it is.
fn read(body: &Captured, parse: Parse, logs: &Logs, head: &Head, keep: &mut impl FnMut(Failure)) -> Output {
    if parse == Parse::Auto
        && is_json(&head.headers)
        && let Ok(output) = body.output(Parse::Json, logs)
    {
        return output;
    }
    body.output(parse, logs).unwrap_or_else(|failure| {
        keep(of_body(failure, head));
        // What cannot be read as asked can still be looked at.
        body.output(Parse::Text, logs).unwrap_or_default()
    })
}

/// `application/json`, `application/problem+json`
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind == "text/json" || kind.ends_with("+json")
}

/// What is said of the output of a process, said of a body.
fn of_body(failure: Failure, head: &Head) -> Failure {
    if failure.kind != FailureKind::Output {
        return failure;
    }
    let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let help = match kind {
        Some(kind) => {
            format!("the server says that the body is `{}`; leave `parse` out to get it as it is", shorten(kind, 60))
        }
        None => "leave `parse` out to get the body as it is".to_owned(),
    };
    let message = failure.message.replacen("the output", "the body of the answer", 1);
    Failure { message, ..failure }.help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_json_are_known() {
        for (kind, is) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("application/jsonl", false),
            ("text/html", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(is_json(&headers), is, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn a_status_has_a_name_if_it_is_known() {
        assert_eq!(named(StatusCode::SERVICE_UNAVAILABLE), "503 Service Unavailable");
        assert_eq!(named(StatusCode::from_u16(599).unwrap()), "599");
    }
}
