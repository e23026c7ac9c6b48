//! Requests, and what is kept from run to run: results that are used again, and breakers.

use serde_json::json;

use crate::bench::{Bench, Ran};
use crate::server::{Server, json as say_json, say, text};

fn hit(ran: &Ran, path: &str) -> bool {
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    ran.outcome(path).cache.expect("the cache was asked").hit
}

fn why(ran: &Ran, path: &str) -> String {
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    ran.outcome(path).cache.expect("the cache was asked").why
}

#[test]
fn an_answer_is_used_again() {
    let server = Server::new(|request, to| match request.target.as_str() {
        "/long" => text(to, &"long ".repeat(50_000)),
        _ => say_json(to, r#"{"n": 7}"#),
    });
    let bench = Bench::new().env("TOKEN", "hunter2-is-long");
    bench.write("body.txt", "sent");
    let script = format!(
        r#"
        let token = secret("TOKEN");
        let short = http("short", #{{
            url: "{url}/short", headers: #{{ Authorization: token, "X-A": "1" }}, file: "body.txt",
        }}).cache(#{{ ttl: "1h" }});
        let long = http("long", "{url}/long").cache();
        call("look", || [short.output.n, short.code, long.text.len()]);
        "#,
        url = server.url()
    );
    let first = bench.run(&script);
    assert_eq!(why(&first, "short"), "first time");
    let due = json!([7, 200, 250_000]);
    assert_eq!(first.property("look", "output"), due);
    let second = bench.run(&script);
    assert!(hit(&second, "short") && hit(&second, "long"));
    assert_eq!(second.property("look", "output"), due);
    assert_eq!(second.body("long").len(), 250_000);
    assert_eq!(server.requests().len(), 2);

    // Another value of a secret is no other request; all else is.
    let bench = bench.env("TOKEN", "another-long-value");
    assert!(hit(&bench.run(&script), "short"));
    bench.write("body.txt", "sent as well");
    assert_eq!(why(&bench.run(&script), "short"), "input `body.txt` changed");
    assert_eq!(why(&bench.run(&script.replace("\"X-A\": \"1\"", "\"X-A\": \"2\"")), "short"), "request changed");
    assert_eq!(why(&bench.run(&script.replace("/short", "/other")), "short"), "`url` changed, and 1 more");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_failed_request_is_asked_again_until_its_breaker_opens() {
    let server = Server::new(|_, to| say(to, "500 Internal Server Error", "", "no"));
    let bench = Bench::new();
    let script = format!(
        r#"
        breaker("api", #{{ threshold: 3, window: "1m", reset: "1h" }});
        let a = http("a", "{url}/a").cache().breaker("api").retry(#{{ max_attempts: 2, delay: "0s" }});
        http("b", "{url}/b").breaker("api").after(a).rule("all_done");
        http("c", "{url}/c").breaker("api").after(a).rule("all_done");
        settings(#{{ max_parallel: 1 }});
        "#,
        url = server.url()
    );
    let ran = bench.run(&script);
    assert_eq!(ran.code, Some(1));
    assert_eq!(server.requests().len(), 3);
    let refused = ran.failure("c");
    assert!(refused.message.starts_with("the breaker `api` is open: 3 failures within 1m; next try in"), "{refused:?}");
    // Tried again is what is refused, too, but not before the breaker lets somebody try: here, in an hour.
    let ran = bench.run(&script.replace(".retry(#{ max_attempts: 2, delay: \"0s\" })", ""));
    assert!(ran.failure("a").message.starts_with("the breaker `api` is open"));
    assert_eq!(server.requests().len(), 3);
}
