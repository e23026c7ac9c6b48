//! Secrets in requests: sent where they are meant to go, and shown nowhere.

use std::path::Path;

use flow::event::FailureKind;
use serde_json::json;

use crate::bench::Bench;
use crate::server::{Server, say, text};

const TOKEN: &str = "t0ken/with+odd letters";

/// The files below a folder that hold the text.
fn files_with(folder: &Path, text: &str, found: &mut Vec<String>) {
    for file in std::fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.is_dir() {
            files_with(&path, text, found);
        } else if std::fs::read(&path).expect("it can be read").windows(text.len()).any(|part| part == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn secrets_are_sent_and_shown_nowhere() {
    // The server says everything that it hears.
    let server = Server::new(|request, to| {
        let heard = format!("{} {:?} {}", request.target, request.headers, String::from_utf8_lossy(&request.body));
        let status = if request.target.starts_with("/fail") { "500 Internal Server Error" } else { "200 OK" };
        let echo = format!("X-Echo: {}\r\n", request.header("x-token").unwrap_or("none"));
        say(to, status, &echo, heard);
    });
    let user = server.url().replace("http://", "http://ada:passw0rd@");
    let bench = Bench::new().env("TOKEN", TOKEN).env("USER_URL", user);
    let bench = bench.env("HOOK", format!("{}/hook/T0/s3cret?k=1", server.url()));
    let ran = bench.run(&format!(
        r#"
        let url = "{}";
        let token = secret("TOKEN");
        http("header", #{{ url: url, headers: #{{ "X-Token": token.prefix("Bearer ") }}, query: #{{ key: token }} }});
        http("body", #{{ url: url, json: #{{ deep: [token] }} }});
        http("text", #{{ url: url, body: token }});
        http("form", #{{ url: url, form: #{{ token: token }} }});
        http("hook", #{{ url: secret("HOOK"), json: 1 }});
        http("user", #{{ url: secret("USER_URL") }});
        http("fail", #{{ url: url + "/fail", headers: #{{ "X-Token": token }} }}).on_error("continue");
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let requests = server.requests();
    let sent = |part: &str| {
        assert!(
            requests.iter().any(|request| format!("{request:?}").contains(part) || request.body == part.as_bytes()),
            "{part}"
        )
    };
    sent(&format!("(\"x-token\", \"Bearer {TOKEN}\")"));
    sent("/?key=t0ken%2Fwith%2Bodd+letters");
    sent(&format!("{{\"deep\":[\"{TOKEN}\"]}}"));
    sent(TOKEN);
    sent("token=t0ken%2Fwith%2Bodd+letters");
    sent("/hook/T0/s3cret?k=1");
    sent("Basic YWRhOnBhc3N3MHJk");
    assert_eq!(ran.property("header", "headers")["x-echo"], json!("Bearer ***"));
    assert_eq!(ran.property("header", "url"), json!(format!("{}/?key=***", server.url())));
    assert_eq!(ran.property("hook", "url"), json!(format!("{}/***", server.url())));
    for step in ["header", "body", "text", "form"] {
        assert!(ran.property(step, "text").as_str().is_some_and(|said| said.contains("***")), "{step}");
    }
    assert!(ran.failure("fail").message.contains("***"), "{}", ran.failure("fail").message);
    let mut found = Vec::new();
    for spelling in [TOKEN, "t0ken%2Fwith%2Bodd+letters", "T0/s3cret", "passw0rd", "YWRhOnBhc3N3MHJk"] {
        files_with(bench.folder.path(), spelling, &mut found);
        assert!(!ran.said.contains(spelling));
    }
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn secrets_are_not_told_to_other_hosts() {
    let other = Server::new(|_, to| text(to, "other"));
    let there = format!("Location: {}/there\r\n", other.url());
    let server = Server::new(move |_, to| say(to, "307 Temporary Redirect", &there, ""));
    let bench = Bench::new().env("TOKEN", TOKEN);
    let ran = bench.run(&format!(
        r#"
        let url = "{}";
        let token = secret("TOKEN");
        http("header", #{{ url: url, headers: #{{ "X-Token": token, "X-Plain": "1" }} }});
        http("body", #{{ url: url, json: token }}).on_error("continue");
        http("plain", #{{ url: url, json: "plain" }});
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    for request in other.requests() {
        assert!(
            !format!("{request:?}").contains(TOKEN) && request.text() != "\"t0ken/with+odd letters\"",
            "{request:?}"
        );
    }
    assert_eq!(other.requests().len(), 2, "with a plain body it goes on");
    let failure = ran.failure("body");
    assert_eq!((failure.kind, failure.class.name()), (FailureKind::Http, "configuration"));
    assert!(failure.message.contains("which would get the secret in its body"), "{}", failure.message);
}

#[test]
fn a_secret_that_is_missing_or_does_not_fit_is_told_by_its_name() {
    let server = Server::new(|_, to| text(to, "ok"));
    let bench = Bench::new().env("LINES", "first line\nsecond line").env("HOOK", "hooks.example.org/s3cret");
    let ran = bench.run(&format!(
        r#"
        let url = "{}";
        http("missing", #{{ url: url, headers: #{{ "X-Token": secret("NOT_SET") }} }}).on_error("continue");
        http("lines", #{{ url: url, headers: #{{ "X-Token": secret("LINES") }} }}).on_error("continue");
        http("hook", #{{ url: secret("HOOK") }}).on_error("continue");
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(server.requests().is_empty());
    for (step, part) in [
        ("missing", "the secret `NOT_SET` is missing"),
        ("lines", "the header `X-Token` would hold a line break"),
        ("hook", "the URL, which is a secret, is no URL of `http` or `https`"),
    ] {
        let failure = ran.failure(step);
        assert!(failure.message.contains(part), "{}", failure.message);
        assert!(failure.help.is_some() && !format!("{failure:?}").contains("s3cret"));
    }
}
