//! What is made of an answer.

use flow::event::{FailureKind, Output};
use serde_json::json;

use crate::bench::{Bench, delays};
use crate::server::{Server, raw, say, text, wait_for_the_end};

#[test]
fn bodies_are_read_as_the_server_and_the_script_say() {
    let server = Server::new(|request, to| match request.target.as_str() {
        "/number" => say(to, "200 OK", "Content-Type: application/json; charset=utf-8\r\n", "42"),
        "/problem" => say(to, "200 OK", "Content-Type: application/problem+json\r\n", "\"text\""),
        "/untold" => say(to, "200 OK", "", "{\"a\": 1}\n"),
        "/lie" => say(to, "200 OK", "Content-Type: application/json\r\n", "<html>\n"),
        "/lines" => text(to, "1\n2\n"),
        "/empty" => raw(to, "HTTP/1.1 204 No Content\r\n\r\n"),
        other => panic!("{other}"),
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let url = "{}";
        for name in ["number", "problem", "untold", "lie", "lines", "empty"] {{ http(name, url + "/" + name); }}
        http("as-text", url + "/number").parse("text");
        http("as-lines", url + "/lines").parse("lines");
        http("as-ndjson", url + "/lines").parse("ndjson");
        http("strict", url + "/lie").parse("json").on_error("continue");
        http("strict-empty", url + "/empty").parse("json").on_error("continue");
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    for (step, output) in [
        ("number", json!(42)),
        ("problem", json!("text")),
        ("untold", json!({"a": 1})),
        ("lie", json!("<html>")),
        ("lines", json!("1\n2")),
        ("empty", json!("")),
        ("as-text", json!("42")),
        ("as-lines", json!(["1", "2"])),
        ("as-ndjson", json!([1, 2])),
    ] {
        assert_eq!(ran.property(step, "output"), output, "{step}");
    }
    assert_eq!(ran.property("number", "text"), json!("42"));
    assert_eq!(ran.property("empty", "code"), json!(204));
    let failure = ran.failure("strict");
    assert_eq!(failure.kind, FailureKind::Output);
    assert_eq!(failure.message, "the body of the answer is not JSON: line 1: expected value, found `<html>`");
    assert_eq!(
        failure.help.as_deref(),
        Some("the server says that the body is `application/json`; leave `parse` out to get it as it is")
    );
    assert_eq!(ran.failure("strict-empty").message, "the body of the answer is not JSON: it is empty");
}

#[test]
fn headers_and_the_last_url_are_properties() {
    let server = Server::new(|_, to| {
        say(to, "201 Created", "X-One: 1\r\nLocation: /new\r\nX-one: 2\r\nX-Odd: \u{e4}\r\n", "ok")
    });
    let bench = Bench::new();
    let url = server.url().replace("http://", "http://ada:word@");
    let ran = bench.run(&format!(
        r#"
        let made = http("make", #{{ method: "POST", url: "{url}/items?x=1" }});
        task("seen", [made.headers["x-one"], made.headers.location, made.url, made.http_status, made.code]);
        "#
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(
        ran.property("seen", "output"),
        json!(["1, 2", "/new", format!("{}/items?x=1", server.url()), 201, 201])
    );
    let request = server.request();
    assert_eq!(request.header("authorization"), Some("Basic YWRhOndvcmQ="));
    assert_eq!(request.header("content-length"), Some("0"));
}

#[test]
fn a_long_body_stays_in_a_file_byte_for_byte() {
    let bytes: Vec<u8> = (0..70 * 1024u32).map(|n| (n % 256) as u8).collect();
    let sent = bytes.clone();
    let server = Server::new(move |request, to| match request.target.as_str() {
        "/bytes" => say(to, "200 OK", "Content-Type: application/octet-stream\r\n", &sent),
        _ => say(to, "200 OK", "Content-Type: application/json\r\n", format!("\"{}\"", "x".repeat(70 * 1024))),
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let get = http("get", "{0}/bytes");
        get -> sh("copy", "cat > copy.bin");
        let long = http("long", "{0}/json");
        call("length", || long.output.len());
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let outcome = ran.outcome("get");
    let Output::File { log, json: false } = &outcome.output else { panic!("{:?}", outcome.output) };
    assert_eq!(log.bytes, 70 * 1024);
    assert!(log.file.ends_with(".out") && log.sha256.len() == 64, "{log:?}");
    assert!(ran.body("get") == bytes, "the file holds the bytes of the body");
    assert!(std::fs::read(bench.path("copy.bin")).expect("a copy") == bytes, "the next process reads them");
    assert!(matches!(ran.outcome("long").output, Output::File { json: true, .. }));
    assert_eq!(ran.property("length", "output"), json!(70 * 1024));
    assert!(bench.flow().verify("last").is_ok());
}

#[test]
fn a_body_in_chunks_is_one_body() {
    let server = Server::new(|_, to| {
        raw(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n");
        raw(to, "5;x=y\r\n: 1}\n\r\n0\r\nX-Trailer: 1\r\n\r\n");
    });
    let ran = Bench::new().run(&format!(r#"http("get", "{}");"#, server.url()));
    assert_eq!(ran.property("get", "output"), json!({"a": 1}), "{}", ran.said);
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let server = Server::new(|_, to| raw(to, "HTTP/1.0 200 OK\r\n\r\nold"));
    let ran = Bench::new().run(&format!(r#"http("get", "{}");"#, server.url()));
    assert_eq!(ran.property("get", "output"), json!("old"), "{}", ran.said);
}

#[test]
fn a_body_that_is_too_long_is_not_taken() {
    let server = Server::new(|request, to| match request.target.as_str() {
        "/told" => say(to, "200 OK", "", "x".repeat(2_000)),
        "/fits" => say(to, "200 OK", "", "x".repeat(1_000)),
        "/error" => say(to, "500 Internal Server Error", "", "y".repeat(2_000)),
        _ => {
            raw(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            raw(to, format!("7d0\r\n{}\r\n", "x".repeat(2_000)));
            // Its other side goes, though there is no end.
            wait_for_the_end(to);
        }
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        for name in ["told", "fits", "endless", "error"] {{
            http(name, #{{ url: "{}/" + name, max_body: "1kB" }}).on_error("continue");
        }}
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(ran.outcome("fits").error.is_none());
    for step in ["told", "endless"] {
        let failure = ran.failure(step);
        assert_eq!((failure.kind, failure.class.name()), (FailureKind::TooMuch, "resource"), "{step}");
        assert!(failure.message.ends_with("is longer than 1000B"), "{}", failure.message);
        assert!(failure.help.is_some_and(|help| help.contains("max_body")));
        assert_eq!(ran.property(step, "code"), json!(200));
    }
    assert!(ran.outcome("told").stdout.is_none(), "nothing was read of it");
    assert_eq!(ran.body("endless").len(), 1_000);
    assert_eq!(ran.failure("error").kind, FailureKind::Http, "the status says more than the length");
}

#[test]
fn a_status_that_is_not_expected_is_a_failure() {
    let server = Server::new(|request, to| match request.target.as_str() {
        "/missing" => {
            say(to, "404 Not Found", "Content-Type: application/json\r\n", "{\"error\":\n\t\"no such item\"}")
        }
        "/busy" => say(to, "503 Service Unavailable", "Retry-After: 7\r\n", "later"),
        "/limit" => say(
            to,
            "429 Too Many Requests",
            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:40 GMT\r\n",
            "",
        ),
        "/odd" => say(to, "599 Whatever", "", "x".repeat(1_000)),
        _ => say(to, "204 No Content", "", ""),
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let url = "{}";
        for name in ["missing", "busy", "limit", "odd"] {{ http(name, url + "/" + name).on_error("continue"); }}
        http("wanted", #{{ url: url + "/missing", expect: [200, "404-410"] }});
        http("only", #{{ url: url + "/else", expect: 200 }}).on_error("continue");
        http("head", #{{ url: url + "/missing", method: "HEAD", expect: "4xx" }});
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let url = server.url();
    for (step, message, class, wait) in [
        (
            "missing",
            format!("`GET {url}/missing` was answered with 404 Not Found: {{\"error\": \"no such item\"}}"),
            "configuration",
            None,
        ),
        (
            "busy",
            format!("`GET {url}/busy` was answered with 503 Service Unavailable: later"),
            "transient",
            Some(7_000),
        ),
        ("limit", format!("`GET {url}/limit` was answered with 429 Too Many Requests"), "resource", Some(3_000)),
        ("odd", format!("`GET {url}/odd` was answered with 599: {}…", "x".repeat(199)), "transient", None),
        ("only", format!("`GET {url}/else` was answered with 204 No Content"), "validation", None),
    ] {
        let failure = ran.failure(step);
        assert_eq!((failure.kind, failure.message), (FailureKind::Http, message));
        assert_eq!((failure.class.name(), failure.retry_after_ms), (class, wait), "{step}");
        assert!(failure.help.is_some(), "{step}");
    }
    assert_eq!(ran.property("missing", "code"), json!(404));
    assert_eq!(
        ran.property("missing", "output"),
        json!({"error": "no such item"}),
        "what a failed one gave can be read"
    );
    assert!(ran.outcome("wanted").error.is_none());
}

#[test]
fn a_busy_server_is_asked_again() {
    let server = Server::new(|request, to| match request.number {
        0 => say(to, "503 Service Unavailable", "Retry-After: 0\r\n", ""),
        1 => say(to, "503 Service Unavailable", "", ""),
        _ => text(to, "up"),
    });
    let ran =
        Bench::new().run(&format!(r#"http("get", "{}").retry(#{{ max_attempts: 5, delay: "2ms" }});"#, server.url()));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!((ran.property("get", "attempts"), ran.property("get", "output")), (json!(3), json!("up")));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn the_server_says_how_long_to_wait() {
    let server = Server::new(|_, to| say(to, "429 Too Many Requests", "Retry-After: 3600\r\n", ""));
    let bench = Bench::new();
    let mut child = bench.begin(&format!(r#"http("get", "{}").retry(2);"#, server.url()));
    let seen = loop {
        let seen = bench.flow().records("last", 0).map(|records| delays(&records)).unwrap_or_default();
        if !seen.is_empty() || child.try_wait().expect("its status").is_some() {
            break seen;
        }
    };
    assert!(bench.command(&["cancel", "last"]).output().expect("it starts").status.success());
    child.wait().expect("it ends");
    assert_eq!(seen, [3_600_000]);
}
