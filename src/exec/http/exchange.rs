//! One request and its answer, over as many redirects as it takes.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_TYPE, COOKIE, HOST,
    HeaderMap, LOCATION, PROXY_AUTHORIZATION,
};
use reqwest::{Body, Client, Response, Url};

use super::answer::{Answer, named, too_much};
use super::pulse::Pulse;
use super::redirect::{self, Hop};
use super::request::Request;
use super::trouble::{self, At};
use super::upload::Upload;
use crate::event::{Failure, FailureKind};
use crate::plan::{Class, Http};

/// Sends the request and takes what is answered. Dropped, it lets go of the connection at once.
pub(super) async fn exchange(
    mut request: Request,
    http: &Http,
    shown: &str,
    client: &Client,
    answer: &mut Answer<'_>,
) -> Result<(), Failure> {
    let pulse = Arc::new(Pulse::new());
    let quiet = Duration::from_millis(http.read_ms);
    let mut redirects = 0;
    let mut response = loop {
        let response = match pulse.watch(quiet, send(&request, client, &pulse)?).await {
            None => return Err(trouble::silent(shown, At::Request, http)),
            Some(Err(error)) => return Err(trouble::failure(&error, shown, &request.url, At::Request, http)),
            Some(Ok(response)) => response,
        };
        match hop(&request, http, &response, shown)? {
            Some(_) if redirects == http.redirects => {
                let problem = format!("more than {redirects} redirects");
                return Err(lost(shown, &response, &problem, "`redirects` says how many are followed"));
            }
            Some(hop) => request.follow(hop, shown, &response)?,
            None => break response,
        }
        redirects += 1;
    };
    answer.begins(response.status(), response.headers().clone(), request.url.clone());
    if http.expects(response.status().as_u16()) && response.content_length().is_some_and(|bytes| bytes > http.max_body)
    {
        return Err(too_much(http, shown));
    }
    loop {
        match pulse.watch(quiet, response.chunk()).await {
            None => return Err(trouble::silent(shown, At::Body(answer.bytes()), http)),
            Some(Err(error)) => {
                return Err(trouble::failure(&error, shown, &request.url, At::Body(answer.bytes()), http));
            }
            Some(Ok(None)) => return Ok(()),
            Some(Ok(Some(piece))) => answer.take(&piece, http, shown)?,
        }
    }
}

fn send(
    request: &Request,
    client: &Client,
    pulse: &Arc<Pulse>,
) -> Result<impl Future<Output = reqwest::Result<Response>> + use<>, Failure> {
    let mut builder = client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
    if let Some(content) = &request.body {
        let upload = Upload::of(content, pulse.clone()).map_err(|error| {
            Failure::new(FailureKind::Input, format!("the body cannot be read: {error}"))
                .help("the file was changed or removed while it was sent")
        })?;
        builder = builder.body(Body::wrap(upload));
    }
    Ok(builder.send())
}

/// Where to next. A redirect that is asked for, as in `expect: 302`, is an answer, and so is any if none is followed.
fn hop(request: &Request, http: &Http, response: &Response, shown: &str) -> Result<Option<Hop>, Failure> {
    let status = response.status().as_u16();
    if http.redirects == 0 || http.expects(status) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).map(|value| value.as_bytes());
    redirect::next(&request.method, &request.url, status, location)
        .map_err(|why| lost(shown, response, &format!("a redirect to a place {why}"), "the server is set up wrongly"))
}

/// A redirect that leads nowhere.
fn lost(shown: &str, response: &Response, problem: &str, help: &str) -> Failure {
    let message = format!("`{shown}` was answered with {}: {problem}", named(response.status()));
    let mut failure = Failure::new(FailureKind::Http, message).help(help);
    failure.class = Class::Configuration;
    failure
}

impl Request {
    /// Becomes the next request of a redirect. What is for one host only is not told another.
    fn follow(&mut self, hop: Hop, shown: &str, response: &Response) -> Result<(), Failure> {
        if !hop.body {
            self.body = None;
            for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LOCATION] {
                self.headers.remove(name);
            }
        }
        if !hop.same_origin {
            if self.body.is_some() && self.secret_body {
                let problem = format!("a redirect to `{}`, which would get the secret in its body", origin(&hop.url));
                return Err(lost(shown, response, &problem, "if that host may know it, ask it directly"));
            }
            for name in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, HOST] {
                self.headers.remove(name);
            }
            self.headers = without_secrets(&self.headers);
        }
        self.method = hop.method;
        self.url = hop.url;
        Ok(())
    }
}

fn without_secrets(headers: &HeaderMap) -> HeaderMap {
    let open = headers.iter().filter(|(_, value)| !value.is_sensitive());
    open.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}
