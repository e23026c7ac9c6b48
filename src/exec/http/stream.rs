//! An answer that is taken piece by piece while it comes: that of a model.

use std::pin::pin;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Method, Response, Url};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::answer::named;
use super::trouble::{self, At, address};
use super::{Requests, retry_after};
use crate::event::{Failure, FailureKind};
use crate::exec::running::{Key, Running};
use crate::plan::{self, Http, Json};
use crate::state::result::shorten;

/// How much is kept of an answer that tells of a failure, in bytes.
const KEPT: usize = 64 * 1024;

/// Who takes an answer.
pub(in crate::exec) trait Listener {
    /// Bytes of its body.
    fn heard(&mut self, bytes: &[u8]);

    /// Is it to be ended? Asked now and then.
    fn is_enough(&mut self) -> bool;

    /// How long to wait for more before that is asked again.
    fn wait(&self) -> Duration;
}

/// What is to be sent: JSON, by `POST`.
pub(in crate::exec) struct Post<'a> {
    pub url: &'a str,
    pub headers: &'a [(String, String)],
    pub body: &'a Json,
    /// Who asks, for messages: ``agent `coder` ``.
    pub whose: String,
}

/// How it ended.
pub(in crate::exec) enum Streamed {
    /// The answer is at its end.
    Whole,
    /// Somebody ended it.
    Killed,
    /// The listener had enough.
    Enough,
    /// There was none, or another than a good one: with its status.
    Failed(Option<u16>, Failure),
}

impl Requests {
    /// Sends it, and hands on what comes. Blocks.
    pub(in crate::exec) fn stream(
        &self,
        post: &Post<'_>,
        key: Key,
        running: &Running,
        listener: &mut dyn Listener,
    ) -> Streamed {
        let http = Http::default();
        let prepared = prepare(post)
            .and_then(|(url, headers)| Ok((url, headers, self.runtime()?, self.clients.get(http.connect_ms)?)));
        let (url, headers, runtime, client) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => return Streamed::Failed(None, failure),
        };
        let killed = running.request_begun(key);
        let request = client.request(Method::POST, url.clone()).headers(headers).body(post.body.to_string());
        let streamed = runtime.block_on(async {
            let mut waits = Waits { killed, listener };
            let response = match waits.until(request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Streamed::Failed(None, of_error(post, &error, &url, At::Request, &http)),
                Err(ended) => return ended,
            };
            waits.body(response, post, &url, &http).await
        });
        running.request_ended(key);
        streamed
    }
}

/// Waits for something, as long as nobody ends it.
struct Waits<'a> {
    killed: oneshot::Receiver<()>,
    listener: &'a mut dyn Listener,
}

impl Waits<'_> {
    async fn until<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Streamed> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                biased;
                // What tells the end lives as long as the request, so an end without a word is none.
                Ok(()) = &mut self.killed => return Err(Streamed::Killed),
                done = &mut future => return Ok(done),
                () = sleep(self.listener.wait()) => if self.listener.is_enough() {
                    return Err(Streamed::Enough);
                },
            }
        }
    }

    async fn body(&mut self, mut response: Response, post: &Post<'_>, url: &Url, http: &Http) -> Streamed {
        let (status, headers) = (response.status(), response.headers().clone());
        let good = status.is_success();
        let (mut came, mut kept) = (0, Vec::new());
        loop {
            match self.until(response.chunk()).await {
                Err(ended) => return ended,
                Ok(Ok(Some(piece))) => {
                    came += piece.len() as u64;
                    if !good {
                        kept.extend_from_slice(&piece[..piece.len().min(KEPT - kept.len())]);
                    }
                    self.listener.heard(&piece);
                    if self.listener.is_enough() {
                        return Streamed::Enough;
                    }
                }
                Ok(Ok(None)) if good => return Streamed::Whole,
                Ok(Err(error)) if good => {
                    return Streamed::Failed(None, of_error(post, &error, url, At::Body(came), http));
                }
                Ok(_) => return Streamed::Failed(Some(status.as_u16()), of_status(post, status, &headers, &kept)),
            }
        }
    }
}

fn prepare(post: &Post<'_>) -> Result<(Url, HeaderMap), Failure> {
    let whose = &post.whose;
    let url = plan::check_url(post.url.trim()).map_err(|error| {
        Failure::new(FailureKind::Input, format!("{whose}: {}", error.message))
            .help(error.help.unwrap_or_else(|| "`base_url` looks like `https://example.org/v1`".into()))
    })?;
    let mut headers = HeaderMap::new();
    for (name, value) in post.headers {
        let wrong = |_| {
            Failure::new(FailureKind::Input, format!("{whose}: the header `{name}` would hold what no header can"))
                .help("a key is one line of letters and digits: is there a line break in it?")
        };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(()))?;
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong(()))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("text/event-stream, application/json"));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("flow/", env!("CARGO_PKG_VERSION"))));
    Ok((url, headers))
}

fn of_error(post: &Post<'_>, error: &reqwest::Error, url: &Url, at: At, http: &Http) -> Failure {
    let shown = format!("POST {}://{}{}", url.scheme(), address(url), shorten(url.path(), 100));
    let mut failure = trouble::failure(error, &shown, url, at, http);
    failure.message = format!("{}: {}", post.whose, failure.message);
    failure
}

/// The failure behind a status, with what the server says of it.
fn of_status(post: &Post<'_>, status: reqwest::StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let said = serde_json::from_slice::<Json>(body).ok().and_then(|body| {
        let error = body.get("error").unwrap_or(&body);
        let message = error.get("message").or(Some(error)).and_then(Json::as_str)?;
        Some(message.to_owned())
    });
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).split_whitespace().collect::<Vec<_>>().join(" "));
    let said = if said.is_empty() { said } else { format!(": {}", shorten(&said, 200)) };
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let wait = header(RETRY_AFTER).and_then(|value| retry_after::wait_ms(value, header(DATE)));
    let message = format!("{}: the model's server answered {}{said}", post.whose, named(status));
    let help = match status.as_u16() {
        401 | 403 => "give it a key that is current and may use this model: `api_key: secret(\"NAME\")`",
        402 => "the account has no money left, or is not set up to pay",
        404 => "is `model` one that is there, and `base_url` right?",
        413 => "the task with all that came before it is too long: `context: #{ window: 8000 }` hands over less of it",
        429 => "too many requests: `retry` tries again, `limit` starts fewer at once",
        300..=399 => "a redirect, which is not followed: is `base_url` right?",
        400..=499 => "the server refuses the request; its answer says more",
        _ => "the server has trouble, or too much to do: `retry` tries again",
    };
    Failure { retry_after_ms: wait, ..Failure::new(FailureKind::Http, message) }.help(help)
}
