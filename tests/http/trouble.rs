//! Requests that are not answered, or not in time; and those that nobody wants any more.

use std::net::TcpListener;
use std::process::Child;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use flow::event::{FailureKind, RunStatus};
use flow::state::Status;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::bench::{Bench, Ran};
use crate::server::{Server, raw, say, text, wait_for_the_end};

/// The failure of the step `get`: its kind, its class, and a part of its message; and it says what to do.
fn fails(ran: &Ran, kind: FailureKind, class: &str, part: &str) {
    let failure = ran.failure("get");
    assert!(failure.message.contains(part), "{}", failure.message);
    assert_eq!((failure.kind, failure.class.name()), (kind, class), "{}", failure.message);
    assert!(failure.help.is_some(), "{}", failure.message);
}

/// Longer than anything takes here.
const LONG: Duration = Duration::from_secs(30);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

#[test]
fn nobody_listens() {
    let port = free_port();
    let ran = Bench::new().run(&format!(r#"http("get", "http://127.0.0.1:{port}/x");"#));
    assert_eq!(ran.code, Some(1));
    fails(&ran, FailureKind::Connection, "transient", &format!("`127.0.0.1:{port}` refused the connection"));
}

#[test]
fn nobody_has_this_name() {
    // No name server is asked for a name that cannot be one.
    let name = format!("{}.invalid", "a".repeat(64));
    let ran = Bench::new().run(&format!(r#"http("get", "http://{name}/");"#));
    fails(&ran, FailureKind::Connection, "configuration", &format!("the host `{name}` is unknown"));
}

#[test]
fn the_connection_breaks_off() {
    let server = Server::new(|request, to| match request.target.as_str() {
        "/body" => raw(to, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nabc"),
        "/chunk" => raw(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n"),
        "/head" => raw(to, "HTTP/1.1 200 OK\r\nX-Half: "),
        "/junk" => raw(to, "220 mail.example.org ESMTP\r\n"),
        _ => {}
    });
    for (path, part) in [
        ("body", "broke off after 3B"),
        ("chunk", "broke off after 3B"),
        ("head", "gave no answer to"),
        ("junk", "gave no answer to"),
        ("silence", "gave no answer to"),
    ] {
        let bench = Bench::new();
        let ran = bench.run(&format!(r#"http("get", "{}/{path}");"#, server.url()));
        fails(&ran, FailureKind::Connection, "transient", part);
        if path == "body" {
            assert_eq!(ran.body("get"), b"abc", "what came is kept");
        }
    }
}

#[test]
fn times_have_limits() {
    let server = Server::new(|request, to| match request.target.as_str() {
        "/silent" => wait_for_the_end(to),
        "/stops" => {
            raw(to, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
            wait_for_the_end(to);
        }
        _ => {
            raw(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            // Something comes all the time.
            while to.write_all(b"1\r\nx\r\n").and_then(|()| to.flush()).is_ok() {
                std::thread::yield_now();
            }
        }
    });
    // Accepts nothing, so no TLS is ever spoken.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = format!("https://127.0.0.1:{}", listener.local_addr().expect("an address").port());
    for (url, options, kind, part) in [
        (format!("{}/silent", server.url()), "read_timeout: \"50ms\"", FailureKind::Timeout, "within 50ms"),
        (
            format!("{}/stops", server.url()),
            "read_timeout: \"60ms\"",
            FailureKind::Timeout,
            "stopped after 3B: nothing more came within 60ms",
        ),
        (
            format!("{}/endless", server.url()),
            "timeout: \"70ms\"",
            FailureKind::Timeout,
            "took longer than its timeout of 70ms",
        ),
        (mute, "connect_timeout: \"80ms\"", FailureKind::Connection, "within 80ms"),
    ] {
        let begun = Instant::now();
        let ran = Bench::new().run(&format!(r#"http("get", #{{ url: "{url}", {options} }});"#));
        fails(&ran, kind, "transient", part);
        assert!(begun.elapsed().as_secs() < 10, "{options} holds");
    }
}

#[test]
fn the_timeout_of_the_step_ends_the_request() {
    let (gone, is_gone) = mpsc::channel();
    let server = Server::new(move |_, to| {
        raw(to, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
        wait_for_the_end(to);
        gone.send(()).expect("the test waits");
    });
    let bench = Bench::new();
    let ran = bench.run(&format!(r#"http("get", "{}").timeout("100ms");"#, server.url()));
    fails(&ran, FailureKind::Timeout, "transient", "took longer than its timeout of 100ms");
    is_gone.recv_timeout(LONG).expect("the connection was let go of");
    assert_eq!(ran.body("get"), b"abc", "what came is kept");
}

/// A run whose request hangs, once it does.
fn hanging(bench: &Bench, server: &Server, script: &str) -> Child {
    let mut child = bench.begin(script);
    while server.requests().is_empty() {
        assert_eq!(child.try_wait().expect("its status"), None, "it ended without a request");
        std::thread::yield_now();
    }
    child
}

/// Nothing is said to the first request. What is received: that its connection is gone.
fn hangs_once() -> (Server, mpsc::Receiver<()>) {
    let (gone, is_gone) = mpsc::channel();
    let server = Server::new(move |request, to| {
        if request.number > 0 {
            return text(to, "done");
        }
        wait_for_the_end(to);
        gone.send(()).expect("the test waits");
    });
    (server, is_gone)
}

#[test]
fn a_cancelled_run_lets_go_of_its_requests_at_once() {
    let (server, is_gone) = hangs_once();
    let bench = Bench::new();
    let mut child = hanging(&bench, &server, &format!(r#"http("get", "{}").retry(3);"#, server.url()));
    assert!(bench.command(&["cancel", "last"]).output().expect("it starts").status.success());
    is_gone.recv_timeout(LONG).expect("the connection was let go of");
    child.wait().expect("it ends");
    let state = bench.flow().state("last").expect("a state");
    assert_eq!((state.status, state.steps[0].status), (RunStatus::Cancelled, Status::Cancelled));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn after_a_crash_the_request_is_made_again_with_the_same_key() {
    let (server, is_gone) = hangs_once();
    let bench = Bench::new();
    let script = format!(r#"http("get", #{{ url: "{}", method: "POST", idempotency_key: true }});"#, server.url());
    let mut child = hanging(&bench, &server, &script);
    child.kill().expect("it is there");
    child.wait().expect("it ends");
    is_gone.recv_timeout(LONG).expect("the connection is gone");
    let ran = bench.ended(&bench.command(&["resume", "last", "--quiet"]).output().expect("it starts"));
    assert_eq!(ran.property("get", "output"), json!("done"), "{}", ran.said);
    let keys: Vec<_> = server.requests().iter().map(|r| r.header("idempotency-key").map(str::to_owned)).collect();
    assert!(keys.len() == 2 && keys[0].is_some() && keys[0] == keys[1], "{keys:?}");
}

#[test]
fn proxies_of_the_environment_are_used() {
    let proxy = Server::new(|request, to| match request.method.as_str() {
        "CONNECT" => say(to, "403 Forbidden", "", "not there"),
        _ => text(to, &format!("proxied {}", request.target)),
    });
    let server = Server::new(|_, to| text(to, "direct"));
    let bench =
        Bench::new().env("HTTP_PROXY", proxy.url()).env("https_proxy", proxy.url()).env("NO_PROXY", "127.0.0.1");
    let ran = bench.run(&format!(
        r#"
        http("far", "http://nowhere.invalid/x?y=1");
        http("near", "{}");
        http("get", "https://nowhere.invalid/").on_error("continue");
        "#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    assert_eq!(ran.property("far", "output"), json!("proxied http://nowhere.invalid/x?y=1"));
    assert_eq!(ran.property("near", "output"), json!("direct"));
    assert!(
        proxy.requests().iter().any(|request| request.method == "CONNECT" && request.target == "nowhere.invalid:443")
    );
    fails(&ran, FailureKind::Connection, "transient", "nowhere.invalid");
    assert!(ran.failure("get").help.is_some_and(|help| help.contains("`https_proxy`")));
}

/// A server that speaks TLS, as `localhost`.
fn secure() -> Server {
    let pem = |name: &str| format!("{}/tests/http/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = CertificateDer::from_pem_file(pem("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(pem("server.key")).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).expect("they fit"));
    Server::over(
        move |mut stream| {
            let mut connection = ServerConnection::new(config.clone()).expect("a connection");
            while connection.is_handshaking() {
                connection.complete_io(&mut stream).ok()?;
            }
            Some(Box::new(StreamOwned::new(connection, stream)))
        },
        |_, to| text(to, "secret"),
    )
}

#[test]
fn certificates_are_checked() {
    let server = secure();
    let plain = Server::new(|_, to| text(to, "plain"));
    let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/tls/authority.pem");
    let trusting = || Bench::new().env("SSL_CERT_FILE", authority);
    let ask = |bench: Bench, url: String| bench.run(&format!(r#"http("get", "{url}").retry(2);"#));

    let ran = ask(trusting(), format!("https://localhost:{}/", server.port));
    assert_eq!(ran.property("get", "output"), json!("secret"), "{}", ran.said);
    let configuration = |ran: &Ran, part: &str| fails(ran, FailureKind::Connection, "configuration", part);
    let ran = ask(Bench::new(), format!("https://localhost:{}/", server.port));
    configuration(&ran, "is signed by nobody whom this machine trusts");
    let ran = ask(trusting(), format!("https://127.0.0.1:{}/", server.port));
    configuration(&ran, "is for another name");
    let puzzled = Server::over(
        |mut stream| {
            raw(&mut stream, "HTTP/1.1 400 Bad Request\r\n\r\n");
            wait_for_the_end(&mut stream);
            None
        },
        |_, _| {},
    );
    let ran = ask(trusting(), format!("https://127.0.0.1:{}/", puzzled.port));
    configuration(&ran, "does not speak TLS");
    let hangs_up = Server::over(|_| None, |_, _| {});
    let ran = ask(trusting(), format!("https://127.0.0.1:{}/", hangs_up.port));
    fails(&ran, FailureKind::Connection, "transient", "broke off before the connection was secure");
    // Without any certificate, what needs none still goes.
    let empty = Bench::new();
    empty.write("none.pem", "");
    let none = empty.path("none.pem").display().to_string();
    let ran = ask(empty.env("SSL_CERT_FILE", none), plain.url());
    assert_eq!(ran.property("get", "output"), json!("plain"), "{}", ran.said);
}

#[test]
fn many_requests_share_few_connections() {
    let server = Server::new(|request, to| text(to, &request.target));
    let ran = Bench::new().run(&format!(
        r#"each("all", 0..200, |i| http("get", `{}/${{i}}`)); settings(#{{ max_parallel: 8 }});"#,
        server.url()
    ));
    assert_eq!(ran.code, Some(0), "{}", ran.said);
    let expected: Vec<String> = (0..200).map(|i| format!("/{i}")).collect();
    assert_eq!(ran.property("all", "output"), json!(expected));
    let connections = server.requests().iter().map(|request| request.connection).max().expect("requests") + 1;
    assert!(connections <= 16, "{connections} connections for 200 requests, 8 at a time");
}
