//! What is sent.

use serde_json::json;

use crate::bench::Bench;
use crate::server::{Server, json as say_json, text};

#[test]
fn a_url_is_asked_with_get() {
    let server = Server::new(|_, to| say_json(to, r#"{"status": "up", "load": [0.5]}"#));
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let health = http("health", "{}/health?full=yes");
        flow("gate").when(|| health.code == 200 && health.output.load[0] < 1, task("good", health.status)).otherwise(fail("no", "no"));
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let request = server.request();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/health?full=yes"));
    assert_eq!(request.header("host"), Some(&server.url()[7..]));
    assert_eq!(request.header("user-agent"), Some(concat!("flow/", env!("CARGO_PKG_VERSION"))));
    assert!(
        request.body.is_empty()
            && request.header("content-length").is_none()
            && request.header("content-type").is_none()
    );
    assert_eq!(ran.property("health", "output"), json!({"status": "up", "load": [0.5]}));
    assert_eq!(ran.property("health", "code"), json!(200));
}

#[test]
fn values_of_other_steps_are_filled_in() {
    let server = Server::new(|_, to| text(to, "ok"));
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let url = sh("url", "echo {}/base");
        let version = sh("version", "echo 1.10");
        let nothing = task("nothing", ());
        http("deploy", #{{
            url: `${{url.output}}/deploys/${{version.output}}`,
            headers: #{{ "X-Version": version.output, Accept: "text/plain", "X-None": nothing.output }},
            query: #{{ q: `a b&c=${{version.output}}`, tag: ["x", "y"], none: nothing.output }},
            json: #{{ version: version.output, replicas: 3, "on": true }},
        }});
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let request = server.request();
    assert_eq!(request.method, "POST", "a body is posted");
    assert_eq!(request.target, "/base/deploys/1.10?q=a+b%26c%3D1.10&tag=x&tag=y");
    assert_eq!(request.header("x-version"), Some("1.10"));
    assert_eq!(request.header("accept"), Some("text/plain"));
    assert_eq!(request.header("x-none"), None);
    assert_eq!(request.header("content-type"), Some("application/json"));
    let sent: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
    assert_eq!(sent, json!({"version": "1.10", "replicas": 3, "on": true}));
}

#[test]
fn texts_forms_and_files_are_sent() {
    let server = Server::new(|_, to| text(to, "ok"));
    let bench = Bench::new();
    let bytes: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    std::fs::create_dir(bench.path("sub")).expect("a folder");
    bench.write("sub/data.bin", &bytes);
    let ran = bench.run(&format!(
        r#"
        let url = "{}";
        let long = sh("long", "seq 20000");
        http("text", #{{ method: "put", url: url, body: "grüße\n", headers: #{{ "Content-Type": "text/markdown" }} }})
            -> http("form", #{{ url: url, form: #{{ a: "1 & 2", b: [1, 2] }} }})
            -> http("file", #{{ url: url, method: "PATCH", file: "data.bin" }}).cwd("sub")
            -> http("long-body", #{{ url: url, body: long.output }});
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let requests = server.requests();
    let [text, form, file, long] = &requests[..] else { panic!("{requests:?}") };
    assert_eq!(
        (text.method.as_str(), text.text(), text.header("content-type")),
        ("PUT", "grüße\n", Some("text/markdown"))
    );
    assert_eq!((form.method.as_str(), form.text()), ("POST", "a=1+%26+2&b=1&b=2"));
    assert_eq!(form.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!((file.method.as_str(), file.header("content-length")), ("PATCH", Some("300000")));
    assert!(file.body == bytes, "the file came as it is");
    let numbers: Vec<String> = (1..=20_000).map(|n| n.to_string()).collect();
    assert!(long.text() == numbers.join("\n"), "a long output is sent whole, without its last newline");
}

#[test]
fn a_key_is_the_same_in_all_attempts() {
    let server = Server::new(|request, to| match request.number {
        0 | 1 => crate::server::say(to, "503 Service Unavailable", "", "busy"),
        _ => text(to, "done"),
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let retry = #{{ max_attempts: 3, delay: "1ms" }};
        chain("all", [
            http("pay", #{{ url: "{0}", json: 1, idempotency_key: true }}).retry(retry),
            http("mine", #{{ url: "{0}", json: 1, idempotency_key: true, headers: #{{ "idempotency-key": "mine" }} }}),
            http("none", #{{ url: "{0}", json: 1 }}),
        ]);
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let keys: Vec<_> = server.requests().iter().map(|r| r.header("idempotency-key").map(str::to_owned)).collect();
    let own = format!("{}/all/pay", ran.state.created.run);
    assert_eq!(keys, [Some(own.clone()), Some(own.clone()), Some(own), Some("mine".into()), None]);
    assert_eq!(ran.property("all/pay", "attempts"), json!(3));
}

#[test]
fn what_cannot_be_sent_is_told_before_anything_is() {
    let server = Server::new(|_, to| text(to, "ok"));
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let url = "{}";
        let two = sh("two", "printf 'a\nb'");
        let none = sh("none", "true");
        http("header", #{{ url: url, headers: #{{ "X-Two": two.output }} }}).on_error("continue");
        http("missing", #{{ url: url, file: "missing.bin" }}).on_error("continue");
        http("no-url", none.output).on_error("continue");
        http("no-scheme", `${{two.output}}/x`).on_error("continue");
        http("no-text", #{{ url: url, body: task("map", #{{ a: 1 }}).output }}).on_error("continue");
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert!(server.requests().is_empty());
    for (step, message) in [
        ("header", "the header `X-Two` would hold a line break"),
        ("missing", "the file `missing.bin` cannot be sent: No such file or directory (os error 2)"),
        ("no-url", "the URL is empty"),
        ("no-scheme", "the URL `a b/x` holds a line break or another control character"),
        ("no-text", "the body is a map, not a text"),
    ] {
        let failure = ran.failure(step);
        assert_eq!((failure.kind.name(), failure.message.as_str()), ("input", message));
        assert!(failure.help.is_some(), "{step}");
    }
}
