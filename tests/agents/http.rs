//! Agents that are asked over HTTP, at a server on this machine.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::bench::Bench;

/// Answers each request in turn; the last answer is for all that follow. Gives the address.
fn server(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let answer = answers[n.min(answers.len() - 1)].clone();
            thread::spawn(move || serve(stream.unwrap(), &answer));
        }
    });
    format!("http://{address}")
}

fn serve(mut stream: TcpStream, answer: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    let _ = stream.write_all(answer.as_bytes());
    if answer.contains("(and then silence)") {
        thread::sleep(std::time::Duration::from_secs(600));
    }
}

fn stream(events: &[&str]) -> String {
    let body: String = events
        .iter()
        .map(|event| {
            let kind = event.split('"').nth(3).unwrap();
            format!("event: {kind}\ndata: {event}\n\n")
        })
        .collect();
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}")
}

fn status(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{more}\r\n{body}", body.len())
}

fn good() -> String {
    stream(&[
        r#"{"type":"message_start","message":{"id":"msg_1","model":"big","usage":{"input_tokens":12,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hel"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#,
        r#"{"type":"message_stop"}"#,
    ])
}

fn bench(address: &str, options: &str) -> Bench {
    let bench = Bench::new();
    bench.write(
        "test.rhai",
        format!("let a = agent(\"coder\", #{{ backend: \"anthropic\", model: \"big\", base_url: \"{address}\", api_key: secret(\"MY_KEY\"), {options} }});\nlet ask = a.ask(\"ask\", \"Do it\");\n"),
    );
    bench
}

#[track_caller]
fn ask(bench: &Bench, code: i32) -> flow::plan::Json {
    let output =
        bench.command(&["script", "test.rhai", "--quiet", "--json"]).env("MY_KEY", "sk-47114711").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{err}");
    let run: flow::plan::Json = serde_json::from_slice(&output.stdout).unwrap();
    run["steps"]["ask"].clone()
}

#[test]
fn an_answer_is_streamed() {
    let step = ask(&bench(&server(vec![good()]), ""), 0);
    assert_eq!(
        (&step["output"], &step["verdict"], &step["tokens"]),
        (&"hello".into(), &"finished".into(), &17.into()),
        "{step:#}"
    );
}

#[test]
fn a_server_with_too_much_to_do_is_asked_again() {
    let busy = status(
        "529 Overloaded",
        "retry-after: 0\r\n",
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
    );
    let bench = bench(&server(vec![busy, good()]), "retries: 1");
    let step = ask(&bench, 0);
    assert_eq!((&step["output"], &step["attempts"]), (&"hello".into(), &2.into()), "{step:#}");
}

#[test]
fn a_wrong_key_is_told_and_not_tried_again() {
    let no = status(
        "401 Unauthorized",
        "",
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
    );
    let bench = bench(&server(vec![no]), "retries: 3");
    let step = ask(&bench, 1);
    assert_eq!((&step["verdict"], &step["attempts"]), (&"failed".into(), &1.into()), "{step:#}");
    assert!(step["error"].as_str().unwrap().contains("401 Unauthorized: invalid x-api-key"), "{step:#}");
}

#[test]
fn an_answer_that_breaks_off_is_cut_off_and_silence_has_an_end() {
    let half = stream(&[
        r#"{"type":"message_start","message":{"id":"msg_1","model":"big","usage":{"input_tokens":12,"output_tokens":1}}}"#,
    ]);
    let step = ask(&bench(&server(vec![half.clone()]), ""), 1);
    assert_eq!(step["verdict"], "cut_off", "{step:#}");
    let silent = stream(&[r#"{"type":"ping","what":"(and then silence)"}"#]);
    let step = ask(&bench(&server(vec![silent]), "idle_timeout: \"1s\""), 1);
    assert_eq!(step["verdict"], "hung", "{step:#}");
}

#[test]
fn nobody_there_is_told() {
    let step = ask(&bench("http://127.0.0.1:9", ""), 1);
    assert!(step["error"].as_str().unwrap().contains("nobody listens there"), "{step:#}");
}
