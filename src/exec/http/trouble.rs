//! Why there is no answer, in plain words.

use std::error::Error;
use std::io::{self, ErrorKind};

use reqwest::Url;
use rustls::CertificateError;

use crate::event::{Failure, FailureKind};
use crate::plan::{Class, Http, unit};

/// Where a request was when it failed.
pub(super) enum At {
    /// There was no answer yet.
    Request,
    /// So many bytes of the answer's body were there.
    Body(u64),
}

/// The failure behind an error of the client.
pub(super) fn failure(error: &reqwest::Error, shown: &str, url: &Url, at: At, http: &Http) -> Failure {
    let host = address(url);
    let fail = |message: String| Failure::new(FailureKind::Connection, message);
    if error.is_connect() && error.is_timeout() {
        let waited = unit::show_duration(http.connect_ms);
        return fail(format!("there was no connection to `{host}` within {waited}"))
            .help(with_proxy("is the host up, and is this the right port? `connect_timeout` gives it more time", url));
    }
    for cause in causes(error) {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(tls, &host);
        }
    }
    if error.is_connect() {
        return not_connected(error, url, &host);
    }
    if let At::Body(bytes) = at {
        let got = unit::show_bytes(bytes);
        return fail(format!("the answer to `{shown}` broke off after {got}: {}", deepest(error)))
            .help("the connection or the server failed; `.retry(…)` asks again");
    }
    if error.is_builder() {
        return Failure::new(FailureKind::Input, format!("`{shown}` cannot be sent: {}", deepest(error)))
            .help("check its URL and its headers");
    }
    let file = causes(error).find_map(|cause| cause.downcast_ref::<io::Error>()).filter(|_| error.is_body());
    if let Some(error) = file {
        return Failure::new(FailureKind::Input, format!("the body of `{shown}` cannot be read: {error}"))
            .help("the file was changed or removed while it was sent");
    }
    fail(format!("`{host}` gave no answer to `{shown}`: {}", deepest(error)))
        .help("the connection broke off, or whoever listens there does not speak HTTP; `.retry(…)` asks again")
}

/// Nothing moved for the read timeout.
pub(super) fn silent(shown: &str, at: At, http: &Http) -> Failure {
    let waited = unit::show_duration(http.read_ms);
    let message = match at {
        At::Request => format!("there was no answer to `{shown}` within {waited}"),
        At::Body(bytes) => {
            let got = unit::show_bytes(bytes);
            format!("the answer to `{shown}` stopped after {got}: nothing more came within {waited}")
        }
    };
    Failure::new(FailureKind::Timeout, message).help("`read_timeout` gives the server more time")
}

/// The request took longer than its own timeout.
pub(super) fn too_slow(shown: &str, total_ms: u64) -> Failure {
    let waited = unit::show_duration(total_ms);
    Failure::new(FailureKind::Timeout, format!("`{shown}` took longer than its timeout of {waited}"))
        .help("give it more time with `timeout`, or find out what the server waits for")
}

fn not_connected(error: &reqwest::Error, url: &Url, host: &str) -> Failure {
    let reason = deepest(error);
    let text = causes(error).map(|cause| cause.to_string()).collect::<Vec<_>>().join(": ");
    let fail = |message: String| Failure::new(FailureKind::Connection, message);
    if text.contains("dns error") {
        let name = url.host_str().unwrap_or_default();
        // What getaddrinfo(3) says when the name servers do not answer: EAI_AGAIN.
        if text.contains("Temporary failure") {
            return fail(format!("the name `{name}` cannot be looked up now: {reason}"))
                .help(with_proxy("is there a network, and does its name server answer?", url));
        }
        let mut failure = fail(format!("the host `{name}` is unknown"));
        failure.class = Class::Configuration;
        return failure.help(with_proxy("check its spelling in the URL", url));
    }
    let kind = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last().map(io::Error::kind);
    match kind {
        Some(ErrorKind::ConnectionRefused) => fail(format!("`{host}` refused the connection: nobody listens there"))
            .help(with_proxy("is the server running, and is this the right port?", url)),
        Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown) => {
            fail(format!("`{host}` cannot be reached: {reason}"))
                .help(with_proxy("is there a network, and a way to this host?", url))
        }
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) if url.scheme() == "https" => {
            fail(format!("`{host}` broke off before the connection was secure"))
                .help(with_proxy("is this a port of plain HTTP? Then the URL begins with `http:`.", url))
        }
        _ => fail(format!("there is no connection to `{host}`: {reason}"))
            .help(with_proxy("is the server running, and is this the right port?", url)),
    }
}

/// A mistake of certificates is not mended by another attempt.
fn of_tls(error: &rustls::Error, host: &str) -> Failure {
    let certificate = |what: &str| format!("the certificate of `{host}` {what}");
    let (message, help) = match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer => (
                certificate("is signed by nobody whom this machine trusts"),
                "add its authority to the certificates of the system, or name a file of authorities in `SSL_CERT_FILE`",
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                (certificate("has expired"), "have it renewed, or check the clock of this machine")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                (certificate("is not valid yet"), "check the clock of this machine")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                (certificate("is for another name"), "use the name in the URL that the certificate is for")
            }
            other => (certificate(&format!("is not valid: {other}")), "have it renewed by whoever runs the server"),
        },
        rustls::Error::InvalidMessage(_) => {
            (format!("`{host}` does not speak TLS"), "is this a port of plain HTTP? Then the URL begins with `http:`")
        }
        other => (
            format!("there is no secure connection to `{host}`: {other}"),
            "the server must speak TLS 1.2 or 1.3 with ciphers of today",
        ),
    };
    let mut failure = Failure::new(FailureKind::Connection, message).help(help);
    // A connection that breaks off within the handshake is none of its mistakes.
    if !matches!(error, rustls::Error::General(_)) {
        failure.class = Class::Configuration;
    }
    failure
}

/// Host and port, as in messages.
pub(super) fn address(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// It may have been a proxy that could not be reached.
fn with_proxy(help: &str, url: &Url) -> String {
    let own = if url.scheme() == "https" { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    let set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match own.into_iter().chain(["ALL_PROXY", "all_proxy"]).find(set) {
        Some(name) => {
            format!("{help} The request goes through the proxy of `{name}`, unless `NO_PROXY` names the host")
        }
        None => help.to_owned(),
    }
}

/// The error and what is behind it. What an `io::Error` wraps is its equal, not its source.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// What is at the bottom of an error.
pub(super) fn deepest(error: &(dyn Error + 'static)) -> String {
    let text = causes(error).last().map(ToString::to_string).unwrap_or_default();
    // `(os error 111)` says nothing to people.
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
