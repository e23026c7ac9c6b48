//! A release of a real server on loopback: this very test program, in a process of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process_group};

use super::{KILL_FLOW, contents, fails, result, run, runs, succeeds, text, with};
use crate::transcript::Session;

/// The server of a release: it serves the files of its folder. It is well as long as `health` says so.
#[test]
#[ignore = "it is started by the other tests, in a process of its own"]
fn a_server() {
    let Ok(port) = std::env::var("PORT") else { return };
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).expect("the port is free");
    for stream in listener.incoming() {
        let mut stream = stream.expect("a connection");
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap_or(0);
        let line = text(&request[..length]);
        let path = line.split(' ').nth(1).unwrap_or("/").trim_start_matches('/');
        let body = std::fs::read_to_string(path).unwrap_or_default();
        let status = if path == "health" && body.trim() != "well" { "503 Service Unavailable" } else { "200 OK" };
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        let _ = stream.write_all((head + body.as_str()).as_bytes());
    }
}

/// Two ports that nobody uses.
pub fn ports() -> (u16, u16) {
    let listeners = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a port"));
    let [blue, green] = listeners.map(|listener| listener.local_addr().expect("an address").port());
    (blue, green)
}

/// Ends the servers of a folder when the test is over.
pub struct Servers(pub PathBuf);

impl Drop for Servers {
    fn drop(&mut self) {
        for colour in ["blue", "green"] {
            let process = std::fs::read_to_string(self.0.join(colour).join("process")).unwrap_or_default();
            let group = process.split_whitespace().nth(1).and_then(|group| group.parse().ok());
            // 1 would mean every process there is.
            if let Some(group) = group.filter(|group| *group > 1).and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
    }
}

/// A folder with a release in `app`, and the arguments for a run.
fn shop() -> (Session, Servers, String) {
    let session = with("blue-green");
    session.file("app/health", "well").file("app/version", "1");
    let (blue, green) = ports();
    let program = std::env::current_exe().expect("this program");
    let start = format!("exec \"{}\" --exact templates::blue_green::a_server --ignored", program.display());
    session.file("start", start);
    let args = format!("--arg blue_port={blue} --arg green_port={green} --arg patience=5 --arg start=\"$(cat start)\"");
    let servers = Servers(session.folder().join("deploy"));
    (session, servers, args)
}

/// What a proxy would give: it asks the address in `upstream`.
fn ask(session: &Session, path: &str) -> Option<String> {
    let upstream = std::fs::read_to_string(session.folder().join("deploy/upstream")).ok()?;
    let mut stream = TcpStream::connect(upstream.trim()).ok()?;
    stream.write_all(format!("GET /{path} HTTP/1.1\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split("\r\n\r\n").nth(1).map(str::to_owned)
}

fn live(session: &Session) -> Option<PathBuf> {
    std::fs::read_link(session.folder().join("deploy/live")).ok()
}

#[test]
fn releases_follow_each_other_and_a_bad_one_gets_no_traffic() {
    let (session, _servers, args) = shop();
    runs(&session, &args);
    assert_eq!((live(&session), ask(&session, "version")), (Some("blue".into()), Some("1".into())));

    // The next one; the old one stays, ready to be had back.
    session.file("app/version", "2");
    let steps = runs(&session, &args);
    assert_eq!(steps["release/colours"]["output"]["live"], "blue", "{steps:#}");
    assert_eq!((live(&session), ask(&session, "version")), (Some("green".into()), Some("2".into())));

    // Back to the one before, which still runs; and forth again.
    succeeds(&session, "flow rollback last --to start --quiet");
    assert_eq!((live(&session), ask(&session, "version")), (Some("blue".into()), Some("1".into())));
    runs(&session, &args);
    assert_eq!((live(&session), ask(&session, "version")), (Some("green".into()), Some("2".into())));

    // One that is not well: its server is stopped, everything else is as it was.
    let before = contents(&session.folder().join("deploy/green/files"));
    session.file("app/version", "3").file("app/health", "ill");
    let (steps, told) = fails(&session, &args.replace("patience=5", "patience=1"));
    assert!(told.contains("503 Service Unavailable"), "{told}");
    assert_eq!(steps["release/switch"]["status"], "skipped", "{steps:#}");
    assert_eq!((live(&session), ask(&session, "version")), (Some("green".into()), Some("2".into())));
    assert_eq!(contents(&session.folder().join("deploy/green/files")), before);
    assert!(!session.folder().join("deploy/blue/process").exists(), "the bad server still runs");

    // And then a good one again, which stops the one before.
    session.file("app/version", "4").file("app/health", "well");
    runs(&session, &format!("{args} --arg old=stop"));
    assert_eq!((live(&session), ask(&session, "version")), (Some("blue".into()), Some("4".into())));
    assert!(!session.folder().join("deploy/green/process").exists(), "the old server still runs");
}

#[test]
fn what_goes_wrong_after_the_switch_is_switched_back() {
    let (session, _servers, args) = shop();
    runs(&session, &args);
    session.file("app/version", "2");
    // The proxy reads the new address, and then the release falls ill.
    let reload = "[ -e told ] || { touch told; echo ill > deploy/green/files/health; }";
    let (steps, told) =
        fails(&session, &format!("{} --arg reload='{reload}'", args.replace("patience=5", "patience=1")));
    assert_eq!(steps["release/switch"]["status"], "success", "{steps:#}");
    assert_eq!(steps["release/switch/switch-back"]["status"], "success", "{steps:#}\n{told}");
    assert_eq!((live(&session), ask(&session, "version")), (Some("blue".into()), Some("1".into())));
    assert!(!session.folder().join("deploy/green/process").exists(), "the bad server still runs");
}

#[test]
fn a_proxy_that_cannot_be_told_leaves_the_traffic_where_it_was() {
    let (session, _servers, args) = shop();
    runs(&session, &args);
    session.file("app/version", "2");
    // It fails once, or whenever it is called.
    for reload in ["[ -e told ] || { touch told; false; }", "false"] {
        let (steps, told) = fails(&session, &format!("{args} --arg reload='{reload}'"));
        assert_eq!(steps["release/reload"]["status"], "failed", "{steps:#}\n{told}");
        assert_eq!((live(&session), ask(&session, "version")), (Some("blue".into()), Some("1".into())), "{told}");
        assert!(!session.folder().join("deploy/green/process").exists(), "the new server still runs");
    }

    // Nor is one half of the switch left: here the link cannot be made.
    let link = succeeds(&session, "command -v ln");
    session.file("bin/ln", format!("#!/bin/sh\n[ \"$2\" != green ] && exec {} \"$@\"\n", link.trim()));
    succeeds(&session, "chmod +x bin/ln");
    let (code, result, told) =
        result(&session, &format!("PATH=$PWD/bin:$PATH flow script t.rhai --json --no-input {args}"));
    assert_eq!((code, &result["steps"]["release/switch"]["status"]), (Some(1), &"failed".into()), "{told}");
    assert_eq!((live(&session), ask(&session, "version")), (Some("blue".into()), Some("1".into())), "{told}");
}

#[test]
fn a_person_can_be_asked_before_the_switch() {
    let (session, _servers, args) = shop();
    runs(&session, &args);
    for (answer, version) in [("no", "1"), ("yes", "2")] {
        session.file("app/version", "2");
        let (code, paused, told) = run(&session, &format!("{args} --arg ask=true"));
        assert_eq!((code, ask(&session, "version")), (Some(3), Some("1".into())), "{paused:#}\n{told}");
        let output = session.run(&format!("flow approve last ask {answer} --quiet"));
        assert_eq!(output.status.success(), answer == "yes", "{}", text(&output.stderr));
        assert_eq!(ask(&session, "version").as_deref(), Some(version));
    }
}

#[test]
fn the_first_release_leaves_nothing_behind_if_it_is_bad() {
    let (session, _servers, args) = shop();
    session.file("app/health", "ill");
    fails(&session, &args.replace("patience=5", "patience=1"));
    assert_eq!((live(&session), ask(&session, "version")), (None, None));
}

#[test]
fn another_server_on_the_port_is_not_taken_for_the_release() {
    let (session, _servers, args) = shop();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let (_, told) = fails(&session, &format!("{args} --arg blue_port={port}"));
    assert!(told.contains(&format!("somebody else uses port {port}; give --arg blue_port=PORT")), "{told}");
}

#[test]
fn killed_in_the_middle_it_goes_on() {
    let (session, _servers, args) = shop();
    runs(&session, &args);
    session.file("app/version", "2");
    // When the proxy is told, flow is killed.
    let reload = KILL_FLOW;
    if !super::has(&session, "ps") {
        return;
    }
    let line = format!("flow script t.rhai --quiet {args} --arg reload='{reload}'");
    assert!(!session.run(&line).status.success());
    assert!(session.folder().join("killed").exists());
    let (code, result, told) = result(&session, "flow resume last --json");
    assert_eq!(code, Some(0), "{result:#}\n{told}");
    assert_eq!(result["steps"]["release/up/start"]["attempts"], 1, "{result:#}");
    assert_eq!((live(&session), ask(&session, "version")), (Some("green".into()), Some("2".into())));
}
