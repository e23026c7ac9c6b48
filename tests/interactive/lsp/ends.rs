//! How it begins and ends, and what is no message.

use serde_json::{Value, json};

use super::client::Client;

#[test]
fn it_ends_as_the_protocol_says() {
    let mut client = Client::start();
    let early = client.response("textDocument/hover", json!({}));
    assert_eq!(early["error"]["code"], -32002);
    client.tell("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(1), "nobody asked it to shut down");

    let mut client = Client::ready();
    assert_eq!(client.response("initialize", json!({ "capabilities": {} }))["error"]["code"], -32600);
    client.ask("shutdown", Value::Null);
    assert_eq!(client.response("textDocument/hover", json!({}))["error"]["code"], -32600);
    client.tell("exit", Value::Null);
    assert_eq!(client.wait().code(), Some(0));
}

#[test]
fn it_ends_with_its_input() {
    for ready in [false, true] {
        let mut client = if ready { Client::ready() } else { Client::start() };
        if ready {
            client.open("main.rhai", "loop { }");
        }
        client.hang_up();
        assert_eq!(client.wait().code(), Some(0));
    }
}

#[test]
fn what_is_no_message_is_answered_or_passed_over() {
    let mut client = Client::ready();
    for body in [
        "{",
        "[]",
        "{\"id\": 1}",
        "{\"id\": 7, \"method\": 5}",
        "{\"method\": \"textDocument/didOpen\", \"params\": 5}",
        "{\"method\": \"textDocument/didChange\"}",
        "\u{0}",
    ] {
        client.send_raw(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }
    client.send_raw(b"Content-Length: 3\r\n\r\n\"\xff\"");
    assert_eq!(client.response("no/such/thing", json!({}))["error"]["code"], -32601);
    assert_eq!(client.response("textDocument/hover", json!({ "position": 5 }))["error"]["code"], -32602);
    client.end();
    let mut client = Client::ready();
    client.send_raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nContent-Length: x\r\n\r\n");
    assert_eq!(client.wait().code(), Some(1), "there is no way to find the next message");
}
