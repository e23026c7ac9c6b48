//! `http(name, #{…})`: a request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use url::Url;

use super::Value;
use super::expression::{Error, excerpt};
use crate::diag::did_you_mean;

/// The methods that a script can name: those of RFC 9110 but for `CONNECT`, and what WebDAV and caches add.
pub const METHODS: [&str; 17] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "QUERY",
    "PURGE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
];

/// An HTTP request, and what is expected of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Http {
    /// `GET`, `POST`, …
    #[schemars(with = "String")]
    pub method: SmolStr,
    /// Where to.
    pub url: Value,
    /// Further headers, in the order written. Values may be secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Value)>,
    /// Appended to the URL's query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, Value)>,
    /// What is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<HttpBody>,
    /// Ranges of status codes, both ends included, that are a success. Empty: 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<(u16, u16)>,
    /// Longest body of an answer, in bytes; a longer one is a failure.
    pub max_body: u64,
    /// Longest time until there is a connection, in milliseconds.
    pub connect_ms: u64,
    /// Longest time without a byte, in milliseconds.
    pub read_ms: u64,
    /// Longest time of the whole request, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<u64>,
    /// Most redirects that are followed.
    pub redirects: u32,
    /// Send `Idempotency-Key`, the same in all attempts of the step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotency_key: bool,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            method: "GET".into(),
            url: Value::Plain("".into()),
            headers: Vec::new(),
            query: Vec::new(),
            body: None,
            expect: Vec::new(),
            max_body: 100 * 1024 * 1024,
            connect_ms: 10_000,
            read_ms: 30_000,
            total_ms: None,
            redirects: 10,
            idempotency_key: false,
        }
    }
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// A value, sent as JSON.
    Json(Value),
    /// A text (or a secret), sent as it is.
    Text(Value),
    /// Fields, sent as a form.
    Form(Vec<(String, Value)>),
    /// The content of this file, relative to the step's working directory.
    File(Value),
}

/// Reads an absolute URL of `http` or `https`.
///
/// # Errors
/// Why it is none, with what to write.
pub fn check_url(text: &str) -> Result<Url, Error> {
    let shown = excerpt(text, 80);
    let fail = |message: String, help: String| Err(Error::new(message).help(help));
    let example = || "a URL looks like `https://example.org/path`".to_owned();
    if text.trim().is_empty() {
        return fail("the URL is empty".into(), example());
    }
    // Parsers drop line breaks without a word, so a text of two lines would be a URL that nobody wrote.
    if text.contains(char::is_control) {
        return fail(format!("the URL `{shown}` holds a line break or another control character"), example());
    }
    let guess = |scheme: &str| Some(format!("{scheme}://{text}")).filter(|guess| Url::parse(guess).is_ok());
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) if text.starts_with('/') => {
            return fail(
                format!("`{shown}` is a path, not a URL"),
                "write it with its host: `https://example.org/…`".into(),
            );
        }
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            let help = guess("https").map_or_else(example, |guess| format!("did you mean `{}`?", excerpt(&guess, 80)));
            return fail(format!("the URL `{shown}` has no scheme"), help);
        }
        Err(error) => return fail(format!("`{shown}` is not a URL: {error}"), example()),
    };
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => {
            // `localhost:8080/x` reads as a URL whose scheme is `localhost`.
            let port = text[scheme.len() + 1..].starts_with(|c: char| c.is_ascii_digit());
            let help = match guess("http").filter(|_| port) {
                Some(guess) => format!("did you mean `{}`?", excerpt(&guess, 80)),
                None => did_you_mean(scheme, ["http", "https"])
                    .unwrap_or_else(|| "only `http` and `https` can be asked".to_owned()),
            };
            fail(format!("`{shown}` is not a URL of `http` or `https`"), help)
        }
    }
}

impl Http {
    /// Is this status a success?
    pub fn expects(&self, status: u16) -> bool {
        match self.expect.as_slice() {
            [] => (200..=299).contains(&status),
            ranges => ranges.iter().any(|(from, to)| (*from..=*to).contains(&status)),
        }
    }

    /// Calls `visit` with every value in it.
    pub fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        visit(&self.url);
        self.headers.iter().chain(&self.query).for_each(|(_, value)| visit(value));
        match &self.body {
            Some(HttpBody::Json(value) | HttpBody::Text(value) | HttpBody::File(value)) => visit(value),
            Some(HttpBody::Form(fields)) => fields.iter().for_each(|(_, value)| visit(value)),
            None => {}
        }
    }

    /// As [`Http::each_value`], to change them.
    pub fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        visit(&mut self.url);
        self.headers.iter_mut().chain(&mut self.query).for_each(|(_, value)| visit(value));
        match &mut self.body {
            Some(HttpBody::Json(value) | HttpBody::Text(value) | HttpBody::File(value)) => visit(value),
            Some(HttpBody::Form(fields)) => fields.iter_mut().for_each(|(_, value)| visit(value)),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_url_says_what_to_write() {
        for (text, message, help) in [
            ("example.org/x", "the URL `example.org/x` has no scheme", "did you mean `https://example.org/x`?"),
            (
                "localhost:80/x",
                "`localhost:80/x` is not a URL of `http` or `https`",
                "did you mean `http://localhost:80/x`?",
            ),
            ("htps://example.org", "`htps://example.org` is not a URL of `http` or `https`", "did you mean `https`?"),
            ("ftp://example.org", "`ftp://example.org` is not a URL of `http` or `https`", "one of: `http`, `https`"),
            ("/health", "`/health` is a path, not a URL", "write it with its host: `https://example.org/…`"),
            ("http://", "`http://` is not a URL: empty host", "a URL looks like `https://example.org/path`"),
            ("", "the URL is empty", "a URL looks like `https://example.org/path`"),
        ] {
            let error = check_url(text).expect_err(text);
            assert_eq!((error.message.as_str(), error.help.as_deref()), (message, Some(help)), "{text}");
        }
        assert!(check_url("http://a/b\nc").is_err());
        assert!(check_url("http://[::1]:8080/x?y#z").is_ok());
    }

    #[test]
    fn two_hundreds_are_expected() {
        let mut http = Http::default();
        assert!(http.expects(204) && !http.expects(302));
        http.expect = vec![(200, 200), (404, 404)];
        assert!(http.expects(404) && !http.expects(204));
    }
}
