//! Scripts whose requests cannot be meant: told before anything runs.

use crate::bench::Bench;

#[test]
fn mistakes_are_found_before_the_run() {
    let bench = Bench::new();
    for (script, message, help) in [
        (
            r#"http("a", "example.org/x");"#,
            "the URL `example.org/x` has no scheme",
            "did you mean `https://example.org/x`?",
        ),
        (
            r#"let v = sh("v", "echo 1"); http("a", `htps://example.org/${v.output}`);"#,
            "is not a URL of `http` or `https`",
            "did you mean `https`?",
        ),
        (
            r#"http("a", #{ url: "http://x", method: "PSOT" });"#,
            "`method` of http cannot be `PSOT`",
            "did you mean `POST`?",
        ),
        (r#"http("a", #{ url: "http://x", heders: #{} });"#, "http has no option `heders`", "did you mean `headers`?"),
        (r#"http("a", #{ ulr: "http://x" });"#, "`http` needs a `url`", "is `ulr` meant to be `url`?"),
        (
            r#"http("a", #{ url: "http://x", json: 1, body: "x" });"#,
            "`http` has two bodies: `json` and `body`",
            "give one of",
        ),
        (
            r#"http("a", #{ url: "http://x", body: #{ a: 1 } });"#,
            "`body` of http must be a text",
            "`json: …` sends a value as JSON",
        ),
        (r#"http("a", #{ url: "http://x", expect: 42 });"#, "there is no status 42", "statuses go from 100 to 599"),
        (
            r#"http("a", #{ url: "http://x", expect: [200, "6xx"] });"#,
            "`6xx` is no status",
            "statuses go from 100 to 599",
        ),
        (
            r#"http("a", #{ url: "http://x", expect: "299-200" });"#,
            "`299-200` is no status",
            "statuses go from 100 to 599",
        ),
        (
            r#"http("a", #{ url: "http://x", headers: #{ "X Y": 1 } });"#,
            "`X Y` cannot be the name of a header",
            "names hold letters",
        ),
        (
            r#"http("a", #{ url: "http://x", headers: #{ "Content-Length": 1 } });"#,
            "follows from the body",
            "leave it out",
        ),
        (r#"http("a", #{ url: "http://x", max_body: "10" });"#, "`10` has no unit", "write `10MB`"),
        (r#"http("a", #{ url: "http://x", read_timeout: "0s" });"#, "a duration longer than nothing", "give"),
        (r#"http("a", #{ method: "GET" });"#, "`http` needs a `url`", "`http(\"health\", #{ url:"),
        (
            r#"let s = sh("s", "true"); http("a", #{ url: "http://x", query: s.output });"#,
            "`query` of http cannot be a result as a whole",
            "its values can be results: `query: #{ name: step.output }`",
        ),
        (r#"http("a", 5);"#, "the URL of `http` must be a text", "give a text"),
    ] {
        let said = bench.refused(script).split_whitespace().collect::<Vec<_>>().join(" ");
        let words = |text: &str| said.contains(&text.split_whitespace().collect::<Vec<_>>().join(" "));
        assert!(words(message) && words(help), "{script}\n{said}");
    }
}
