//! Where requests are sent on to, and what they take along.

use flow::event::FailureKind;
use serde_json::json;

use crate::bench::Bench;
use crate::server::{Server, say, text};

fn to(location: &str) -> String {
    format!("Location: {location}\r\n")
}

#[test]
fn redirects_are_followed() {
    let server = Server::new(|request, answer| match request.target.as_str() {
        "/see-other" => say(answer, "303 See Other", &to("/there?x=1"), ""),
        "/moved" => say(answer, "301 Moved Permanently", &to("there"), "moved"),
        "/same" => say(answer, "308 Permanent Redirect", &to("/there"), ""),
        target => text(answer, &format!("{} {target} {}", request.method, request.body.len())),
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let url = "{}";
        http("post", #{{ url: url + "/see-other", json: 1 }});
        http("moved", #{{ url: url + "/moved", json: 1 }});
        http("put", #{{ method: "PUT", url: url + "/moved", body: "text" }});
        http("same", #{{ url: url + "/same", body: "text" }});
        http("stay", #{{ url: url + "/moved", redirects: 0 }}).on_error("continue");
        http("wanted", #{{ url: url + "/moved", expect: 301 }});
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(ran.property("post", "output"), json!("GET /there?x=1 0"));
    assert_eq!(ran.property("post", "url"), json!(format!("{}/there?x=1", server.url())));
    assert_eq!(ran.property("moved", "output"), json!("GET /there 0"));
    assert_eq!(ran.property("put", "output"), json!("PUT /there 4"));
    assert_eq!(ran.property("same", "output"), json!("POST /there 4"));
    assert_eq!(ran.property("wanted", "output"), json!("moved"));
    let failure = ran.failure("stay");
    assert_eq!(failure.kind, FailureKind::Http);
    assert!(failure.message.contains("301 Moved Permanently"), "{}", failure.message);
    let posted = server.requests().into_iter().filter(|request| request.target.starts_with("/there"));
    for request in posted {
        assert_eq!(request.header("content-type").is_some(), !request.body.is_empty(), "{request:?}");
    }
}

#[test]
fn credentials_are_not_told_to_others() {
    let other = Server::new(|_, answer| text(answer, "other"));
    let there = format!("{}/there", other.url());
    let server = Server::new(move |request, answer| match request.target.as_str() {
        "/out" => say(answer, "302 Found", &to(&there), ""),
        "/in" => say(answer, "302 Found", &to("/here"), ""),
        _ => text(answer, "own"),
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        let headers = #{{ Authorization: "Bearer abc", Cookie: "a=b", "X-Plain": "1", Host: "example.org" }};
        http("out", #{{ url: "{0}/out", headers: headers }});
        http("in", #{{ url: "{0}/in", headers: headers }});
        http("user", "{1}/out");
        "#,
        server.url(),
        server.url().replace("http://", "http://ada:word@"),
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(ran.property("out", "output"), json!("other"));
    for request in other.requests() {
        for name in ["authorization", "cookie"] {
            assert_eq!(request.header(name), None, "{request:?}");
        }
        assert_eq!(request.header("host"), Some(&other.url()[7..]));
    }
    assert!(other.requests().iter().any(|request| request.header("x-plain") == Some("1")));
    let own = server.requests().into_iter().find(|request| request.target == "/here").expect("it was followed");
    assert_eq!((own.header("authorization"), own.header("cookie")), (Some("Bearer abc"), Some("a=b")));
    assert_eq!(own.header("host"), Some("example.org"));
}

#[test]
fn redirects_have_an_end() {
    let server = Server::new(|request, answer| match request.target.as_str() {
        "/file" => say(answer, "302 Found", &to("file:///etc/passwd"), ""),
        "/nowhere" => say(answer, "302 Found", &to("http://["), ""),
        "/untold" => say(answer, "302 Found", "", "where?"),
        _ => say(answer, "302 Found", &to("/loop"), ""),
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(
        r#"
        for name in ["loop", "file", "nowhere", "untold"] {{
            http(name, #{{ url: "{}/" + name, redirects: 3 }}).retry(3).on_error("continue");
        }}
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    for (step, message, class) in [
        ("loop", "302 Found: more than 3 redirects", "configuration"),
        ("file", "302 Found: a redirect to a place which is neither http nor https", "configuration"),
        ("nowhere", "302 Found: a redirect to a place which is no URL", "configuration"),
        ("untold", "302 Found: where?", "validation"),
    ] {
        let failure = ran.failure(step);
        assert_eq!(failure.kind, FailureKind::Http);
        assert!(failure.message.ends_with(message), "{}", failure.message);
        assert_eq!(failure.class.name(), class);
    }
    assert_eq!(server.requests().iter().filter(|request| request.target == "/loop").count(), 4);
}
