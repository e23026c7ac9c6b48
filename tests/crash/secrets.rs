//! Secrets: steps print them in every way, fail with them, crash with them; afterwards they are searched for in every
//! file below `.flow` and in all that was ever shown.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose;

use crate::bench::{Bench, Ended, is_alive, until};

/// With letters that every encoding writes in its own way.
const TOKEN: &str = "hun'ter \"2\"/+?&=%\\$ünd-4711 x";

const KEY: &str = "-----BEGIN TEST KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNb\n-----END TEST KEY-----";

const PASSWORD: &str = "correct horse battery staple";

/// A bench with the three secrets: one from the environment, one from a file, one from a command.
fn bench(script: &str) -> Bench {
    let bench = Bench::with(script);
    bench.write("key", format!("{KEY}\n"));
    bench.write("flow.toml", "[secrets]\nKEY = { file = \"key\" }\nPASSWORD = { command = [\"cat\", \"password\"] }\n");
    bench.write("password", format!("{PASSWORD}\n"));
    bench
}

fn flow(bench: &Bench, args: &[&str]) -> Ended {
    let output = bench.command(args).env("TOKEN", TOKEN).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A way to write a secret.
struct Spelling {
    name: &'static str,
    /// As a program would write it.
    written: Vec<u8>,
    /// The part of it that can be found again, whatever stands before and behind.
    searched: Vec<u8>,
}

/// How a text may be written, made by other means than the program's.
fn spellings(value: &str) -> Vec<Spelling> {
    let same = |name, text: Vec<u8>| Spelling { name, written: text.clone(), searched: text };
    let mut all = vec![same("as it is", value.as_bytes().to_vec())];
    for (name, engine) in [("base64", general_purpose::STANDARD), ("base64 for URLs", general_purpose::URL_SAFE)] {
        for before in ["", "x", "xy"] {
            let written = engine.encode(format!("{before}{value}"));
            // Without the letters to which what stands before or behind belongs too.
            let searched = &written.as_bytes()[before.len().div_ceil(3) * 4..(before.len() + value.len()) / 3 * 4];
            let searched = searched.to_vec();
            all.push(Spelling { name, written: written.into_bytes(), searched });
        }
    }
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    all.push(same("upper hexadecimal", hex.to_uppercase().into_bytes()));
    all.push(same("hexadecimal", hex.into_bytes()));
    let percent = |space: &str, upper: bool| {
        let letter = |byte: u8| match byte {
            b' ' => space.to_owned(),
            byte if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => char::from(byte).to_string(),
            byte if upper => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        };
        value.bytes().map(letter).collect::<String>().into_bytes()
    };
    all.push(same("percent", percent("%20", true)));
    all.push(same("lower percent", percent("%20", false)));
    all.push(same("form", percent("+", true)));
    let json = serde_json::to_string(value).unwrap();
    all.push(same("JSON", json.as_bytes()[1..json.len() - 1].to_vec()));
    all.push(same("quoted", value.replace('\'', "'\\''").into_bytes()));
    all
}

/// All spellings of all secrets, and of each line of those with several.
fn all_spellings() -> Vec<Spelling> {
    let values = [TOKEN, KEY, PASSWORD].into_iter().chain(KEY.lines());
    values.flat_map(spellings).collect()
}

/// What of the secrets stands in these bytes.
fn found(bytes: &[u8]) -> Option<String> {
    let search = aho_corasick::AhoCorasick::new(all_spellings().iter().map(|spelling| &spelling.searched)).unwrap();
    let spelling = &all_spellings()[search.find(bytes)?.pattern().as_usize()];
    Some(format!("{}: {}", spelling.name, String::from_utf8_lossy(&spelling.searched)))
}

#[track_caller]
fn nothing_in(what: &str, bytes: &[u8]) {
    if let Some(found) = found(bytes) {
        panic!("a secret stands in {what}, {found}\n{}", String::from_utf8_lossy(bytes));
    }
}

#[track_caller]
fn nothing_below(folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += nothing_below(&path);
        } else {
            files += 1;
            // A file may go away just now: a blank one of a process.
            nothing_in(&path.display().to_string(), &std::fs::read(&path).unwrap_or_default());
        }
    }
    files
}

/// Nothing of a secret stands in any file of the runs, or in anything that is told of the newest one.
#[track_caller]
fn nothing_is_told(bench: &Bench) {
    assert!(nothing_below(&bench.path(".flow")) > 2);
    let mut questions: Vec<Vec<String>> = [
        "show last",
        "show last --json",
        "logs last",
        "why last",
        "plan test.rhai",
        "plan test.rhai --format json",
        "runs --json",
        "check test.rhai --json",
        "verify last",
    ]
    .iter()
    .map(|args| args.split(' ').map(str::to_owned).collect())
    .collect();
    let state = bench.open().state("last").unwrap();
    for id in state.plan.ids() {
        for question in ["show", "logs", "why"] {
            questions.push([question, "last", &state.plan.path(id)].map(str::to_owned).into());
        }
    }
    for question in questions {
        let args: Vec<&str> = question.iter().map(String::as_str).collect();
        let Ended { out, err, .. } = flow(bench, &args);
        nothing_in(&question.join(" "), format!("{out}\n{err}").as_bytes());
    }
}

/// Runs the script, with everything that can be told while it goes on.
#[track_caller]
fn run(bench: &Bench, code: i32) {
    let output = bench
        .command(&["script", "test.rhai", "--json", "--events", "events.ndjson"])
        .env("TOKEN", TOKEN)
        .env("RUST_LOG", "trace")
        .output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    nothing_in("standard output", &output.stdout);
    nothing_in("standard error", &output.stderr);
    nothing_in("the events", &std::fs::read(bench.path("events.ndjson")).unwrap());
    nothing_is_told(bench);
}

/// What a step wrote to its standard output.
fn log(bench: &Bench, step: &str) -> Vec<u8> {
    let (flow, state) = (bench.open(), bench.open().state("last").unwrap());
    let outcome = state.step(state.plan.find(step)[0]).outcome.clone().unwrap();
    std::fs::read(flow.run_folder("last").unwrap().join(&outcome.stdout.as_ref().unwrap().file)).unwrap()
}

#[test]
fn whatever_a_step_prints_is_masked() {
    let bench = bench(
        r#"
        let all = #{ TOKEN: secret("TOKEN"), KEY: secret("KEY"), PASSWORD: secret("PASSWORD").prefix("ada:") };
        sh("plain", "printf '%s\n' \"$TOKEN\" \"$KEY\" \"$PASSWORD\"; env").env(all);
        sh("base64", "for n in '' x xy; do printf '%s%s' \"$n\" \"$TOKEN\" | base64; printf '%s' \"$KEY\" | base64; echo \"$TOKEN\" | base64 -w0; done").env(all);
        sh("hex", "printf %s \"$TOKEN\" | od -An -v -tx1 | tr -d ' \n'; printf %s \"$KEY\" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F").env(all);
        sh("trace", "set -x; echo \"$TOKEN\" \"$KEY\" >/dev/null").env(all);
        sh("slow", "printf 'hun'; sleep 0.03; printf %s \"${TOKEN#hun}\"; sleep 0.03; echo \"$PASSWORD\" | while read -r a b c; do printf %s \"$a\"; sleep 0.02; printf ' %s' \"$b\"; sleep 0.02; printf ' %s' \"$c\"; done").env(all);
        sh("err", "printf '%s\n' \"$TOKEN\" \"$KEY\" >&2; exit 3").env(all).on_error("continue").retry(2);
        sh("words", "echo \"bad token $TOKEN\" >&2; exit 1").env(all).on_error("continue");
        let given = sh("fields", "printf 'token=%s\n' \"$TOKEN\" >> $FLOW_OUTPUT; printf '{\"password\": \"%s\"}\n' \"$PASSWORD\" >> $FLOW_OUTPUT; cat $FLOW_OUTPUT").env(all);
        sh("wrong-fields", "echo \"$TOKEN\" > $FLOW_OUTPUT").env(all).on_error("continue");
        sh("json", "cat spelled.json").env(all).parse("json");
        sh("no-json", "echo \"{$TOKEN\"").env(all).parse("json").on_error("continue");
        sh("inherited", "env | grep TOKEN; for file in spelled/*; do echo; cat $file; done");
        sh("in", "cat").stdin(secret("KEY"));
        sh("behind", `echo ${given.token} ${given.password}`);
        call("reads", || `${given.token}`);
        fail("says", `no: ${given.token}`).on_error("continue");
        flow("gate").when(|| given.token == "***", sh("as-masked", "true")).otherwise(fail("no", "it is not masked"));
        "#,
    );
    bench.write("spelled.json", serde_json::json!({ "a": [TOKEN], PASSWORD: KEY, "n": 1 }).to_string());
    std::fs::create_dir(bench.path("spelled")).unwrap();
    for (n, spelling) in all_spellings().into_iter().enumerate() {
        bench.write(&format!("spelled/{n}"), spelling.written);
    }
    run(&bench, 0);
    let state = bench.open().state("last").unwrap();
    let outcome = |step: &str| state.step(state.plan.find(step)[0]).outcome.clone().unwrap();
    assert_eq!(outcome("fields").fields["token"], "***");
    assert_eq!(outcome("fields").fields["password"], "ada:***");
    assert_eq!(log(&bench, "in"), b"***");
    assert_eq!(String::from_utf8(log(&bench, "slow")).unwrap(), "***ada:***");
    // What is no secret stays as it is.
    assert_eq!(log(&bench, "json"), br#"{"a":["***"],"***":"***","n":1}"#);
}

#[test]
fn a_stream_of_any_bytes_loses_its_secrets_and_nothing_else() {
    let bench =
        bench("sh(\"cat\", \"cat data; printf %s \\\"$TOKEN\\\" >/dev/null\").env(#{ TOKEN: secret(\"TOKEN\") });");
    let mut random = crate::bench::Random::new();
    let (mut data, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..400 {
        let noise: Vec<u8> = (0..random.below(2_000)).map(|_| random.below(256) as u8).collect();
        // Beginnings of it, and all of it.
        let (text, masked) = match random.below(4) {
            0 => (&TOKEN[..5], &TOKEN[..5]),
            1 => (TOKEN, "***"),
            _ => ("hun'ter\n", "hun'ter\n"),
        };
        data.extend([&noise, text.as_bytes(), b"\n"].concat());
        expected.extend([&noise, masked.as_bytes(), b"\n"].concat());
    }
    bench.write("data", &data);
    run(&bench, 0);
    assert!(log(&bench, "cat") == expected);
}

#[test]
fn a_crash_leaves_nothing() {
    let bench = bench(
        r#"
        let all = #{ TOKEN: secret("TOKEN"), KEY: secret("KEY") };
        sh("first", "echo \"$TOKEN\"").env(all)
            -> sh("hangs", "echo \"$TOKEN\"; echo \"$KEY\" >&2; echo \"token=$TOKEN\" > $FLOW_OUTPUT; head -c 100000 /dev/zero | tr '\\0' x; printf %s \"$TOKEN\"; echo $$ > pid; [ -e go ] || exec sleep 600").env(all).stdin(secret("KEY"))
            -> sh("last", "cat; env").env(all);
        "#,
    );
    let mut child = bench.command(&["script", "test.rhai"]).env("TOKEN", TOKEN).spawn().unwrap();
    let pid = bench.wait_for("pid", 1);
    child.kill().unwrap();
    child.wait().unwrap();
    nothing_is_told(&bench);
    until("the end of the process", || (!is_alive(&pid[0])).then_some(()));
    bench.write("go", "");
    let Ended { code, out, err } = flow(&bench, &["resume", "last", "--json"]);
    assert_eq!(code, Some(0), "{err}");
    nothing_in("what a resume tells", format!("{out}\n{err}").as_bytes());
    nothing_is_told(&bench);
}

#[test]
fn a_secret_that_is_missing_is_told_by_the_step_that_needs_it() {
    let bench = bench(
        r#"
        sh("other", "echo fine; env").env(#{ TOKEN: secret("TOKEN") });
        sh("needs", "touch ran").env(#{ GONE: secret("GONE") }).retry(3);
        sh("asks", "touch ran").env(#{ ASKED: secret("ASKED") });
        sh("short", "touch ran").stdin(secret("SHORT"));
        "#,
    );
    bench.write(
        "flow.toml",
        "[secrets]\nASKED = { command = [\"sh\", \"-c\", \"cat password; exit 2\"] }\nSHORT = { file = \"short\" }\n",
    );
    bench.write("short", "abc\n");
    run(&bench, 1);
    assert!(!bench.path("ran").exists());
    let show = flow(&bench, &["show", "last"]).out;
    for part in [
        "the secret `GONE` is missing",
        "ended with exit code 2",
        "`SHORT` is shorter than 4 characters",
        "1 done, 3 failed",
    ] {
        assert!(show.contains(part), "no `{part}`\n{show}");
    }
    let why = flow(&bench, &["why", "last", "needs"]);
    assert!(why.out.contains("help: set it where flow is started: `GONE=…"), "{}", why.out);
    // It will not be there next time either.
    assert!(!why.out.contains("attempt 2"), "{}", why.out);
}

#[test]
fn a_secret_of_a_fan_out_is_known_before_the_first_process() {
    let bench = bench(
        r#"
        let list = sh("list", "env | grep TOKEN >&2; echo '[1, 2]'");
        each("all", list.output, |n| sh("one", `echo ${n} "$T"`).env(#{ T: secret("TOKEN") }));
        let found = run(sh("ask", "env | grep TOKEN"));
        sh("later", `echo ${found.output.len()} "$T"`).env(#{ T: secret("PASSWORD") });
        "#,
    );
    run(&bench, 0);
    assert_eq!(log(&bench, "all[2]"), b"2 ***\n");
    assert_eq!(String::from_utf8(log(&bench, "later")).unwrap(), "9 ***\n");
}

/// A server that sends back what it is sent: headers as headers, all of it as the body. Gives its address.
fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let mut line = String::new();
                if stream.read_line(&mut line).unwrap() == 0 {
                    break;
                }
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let status = if head.starts_with("GET /fail") { "500 Wrong" } else { "200 OK" };
            let value = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap_or_default();
            let long = if head.starts_with("GET /long") { head.repeat(1_000) } else { String::new() };
            let body = [head.as_bytes(), &body, long.as_bytes()].concat();
            let answer = format!(
                "HTTP/1.1 {status}\r\nx-echo: {value}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.get_mut().write_all(&[answer.as_bytes(), &body].concat()).unwrap();
        }
    });
    address
}

#[test]
fn what_a_server_sends_back_is_masked() {
    let url = format!("http://{}", echo());
    let script = r#"
        let auth = #{ Authorization: secret("PASSWORD").prefix("Bearer ") };
        let get = http("get", #{ url: "URL/", headers: auth });
        http("long", #{ url: "URL/long", headers: auth });
        http("fail", #{ url: "URL/fail", headers: auth }).on_error("continue");
        http("json", #{ url: "URL/", json: #{ key: secret("KEY"), n: 1 } });
        http("form", #{ url: "URL/", form: #{ token: secret("PASSWORD") } });
        http("body", #{ url: "URL/", method: "PUT", body: secret("KEY") });
        sh("behind", `printf '%s\n' ${get.text}`);
    "#;
    let bench = bench(&script.replace("URL", &url));
    run(&bench, 0);
    assert!(String::from_utf8(log(&bench, "get")).unwrap().contains("authorization: Bearer ***\r\n"));
    assert!(String::from_utf8(log(&bench, "form")).unwrap().ends_with("token=***"));
    assert!(String::from_utf8(log(&bench, "json")).unwrap().ends_with(r#"{"key":"***","n":1}"#));
}

#[test]
fn the_words_of_a_secret_step_are_not_quoted() {
    let bench = Bench::with(
        r#"
        sh("words", "cat words >&2; exit 1").secret().on_error("continue");
        sh("program", "no-such-program-4711").secret().on_error("continue").shell("bash");
        sh("json", "cat json").parse("json").secret().on_error("continue");
        sh("lines", "cat lines").parse("ndjson").secret().on_error("continue");
        sh("fields", "cat words > $FLOW_OUTPUT").secret().on_error("continue");
        sh("valid", "cat valid").secret().validate(#{ properties: #{ a: #{ type: "number" } } }).on_error("continue");
        "#,
    );
    bench.write("json", "{4711}");
    bench.write("lines", "1\n4711 x\n");
    bench.write("valid", r#"{"a": "4711"}"#);
    bench.write("words", "code 4711 is wrong\n");
    bench.flow(&["script", "test.rhai"]).ok();
    for record in bench.open().records("last", 0).unwrap() {
        if let flow::event::Event::Finished { outcome, .. } | flow::event::Event::Retrying { outcome, .. } =
            &*record.event
        {
            let error = format!("{:?}", outcome.error.as_ref().unwrap());
            assert!(!error.replace("no-such-program-4711", "").contains("4711"), "{error}");
        }
    }
}
