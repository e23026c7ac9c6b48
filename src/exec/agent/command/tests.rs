use std::path::Path;

use crate::plan::{Agent, Permission};

use super::super::tests;
use super::*;

fn brief<'a>(agent: &'a Agent, command: &[&str]) -> Brief<'a> {
    Brief {
        model: Some("m1".into()),
        system: Some("Be brief.".into()),
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        args: vec!["--more".into()],
        ..tests::brief(agent)
    }
}

fn launch(input: AgentInput, brief: &Brief<'_>) -> Launch {
    tests::launch(&Command { input, speaks: None }, brief)
}

fn events(mut dialect: impl Dialect, lines: &[&[u8]]) -> Vec<AgentEvent> {
    let mut out = Vec::new();
    lines.iter().for_each(|line| dialect.line(line, &mut out));
    dialect.end(&mut out);
    out
}

fn text(text: &str, delta: bool) -> AgentEvent {
    AgentEvent::Text { text: text.into(), delta, parent: String::new() }
}

const DONE: AgentEvent = AgentEvent::Finished { text: None, error: None, structured: None };

#[test]
fn the_task_comes_as_it_is_asked_for() {
    let agent = Agent { name: "bob".into(), permission: Permission::Edit, ..Agent::default() };
    let stdin = launch(AgentInput::Stdin, &brief(&agent, &["prog", "x"]));
    assert_eq!(stdin.words, ["prog", "x", "--more"]);
    assert_eq!(stdin.stdin, b"Be brief.\n\nDo it");
    for (name, value) in [("FLOW_AGENT", "bob"), ("FLOW_AGENT_MODEL", "m1"), ("FLOW_AGENT_PERMISSION", "edit")] {
        assert!(stdin.env.contains(&(name.into(), value.into())), "{name}");
    }
    let argument = launch(AgentInput::Argument, &brief(&agent, &["prog"]));
    assert_eq!(argument.words, ["prog", "--more", "Be brief.\n\nDo it"]);
    assert!(argument.stdin.is_empty());
    let schema = json!({ "type": "array" });
    let lines = launch(AgentInput::Ndjson, &Brief { schema: Some(&schema), ..brief(&agent, &["prog"]) });
    assert_eq!(
        String::from_utf8(lines.stdin).expect("text"),
        "{\"type\":\"task\",\"text\":\"Do it\",\"system\":\"Be brief.\",\"model\":\"m1\",\"schema\":{\"type\":\"array\"}}\n"
    );
    assert_eq!(lines.files, [(Path::new("/attempt/schema.json").to_owned(), b"{\"type\":\"array\"}".to_vec())]);
    assert!(lines.env.contains(&("FLOW_AGENT_SCHEMA".into(), "/attempt/schema.json".into())));
}

#[test]
fn what_cannot_be_is_said() {
    let agent = Agent { backend: "command".into(), ..Agent::default() };
    let known = Agent { command: vec![crate::plan::Value::Plain(json!("p"))], ..agent.clone() };
    let command = Command { input: AgentInput::Argument, speaks: None };
    for (brief, message) in [
        (brief(&agent, &[]), "needs `command`"),
        (Brief { prompt: "x".repeat(200_000), ..brief(&known, &["p"]) }, "200011 bytes"),
        (Brief { prompt: "a\0b".into(), ..brief(&known, &["p"]) }, "null byte"),
    ] {
        let Err(problem) = command.errand(&brief) else { panic!("{message}") };
        assert!(problem.message.contains(message), "{}", problem.message);
        assert!(problem.help.is_some());
        assert_eq!(problem.class, crate::plan::Class::Configuration);
    }
}

#[test]
fn text_is_one_answer() {
    assert_eq!(
        events(TextLines::default(), &[b"\xEF\xBB\xBFone\r", b"", b"t\xFFwo"]),
        [text("one", false), text("\n", true), text("\nt\u{fffd}wo", true), DONE]
    );
    assert_eq!(events(TextLines::default(), &[]), []);
}

#[test]
fn events_are_taken_as_they_are() {
    let said = events(
        EventLines,
        &[
            b"{\"type\":\"agent.started\",\"session\":\"S\"}",
            b"{\"type\":\"agent.text\",\"text\":\"hi\"}",
            b"{\"type\":\"agent.invented\",\"message\":\"x\"}",
            b"debug output",
            b"",
            b"{\"type\":\"agent.finished\",\"text\":\"hi\"}",
        ],
    );
    assert!(matches!(&said[0], AgentEvent::Started { session, .. } if session == "S"));
    assert_eq!(said[1], text("hi", false));
    assert_eq!(said[2], AgentEvent::Other { what: "agent.invented".into(), text: "x".into() });
    assert_eq!(said[3], AgentEvent::Other { what: "text".into(), text: "debug output".into() });
    assert_eq!(said[4], AgentEvent::Finished { text: Some("hi".into()), error: None, structured: None });
}

#[test]
fn the_first_line_tells_what_it_is() {
    let either = EitherLines::default;
    assert_eq!(events(either(), &[b"", b"hi"]), [text("", false), text("\nhi", true), DONE]);
    assert_eq!(events(either(), &[b"{\"answer\":1}"]), [text("{\"answer\":1}", false), DONE]);
    // No closing line: cut off.
    assert_eq!(events(either(), &[b"", b"{\"type\":\"agent.text\",\"text\":\"hi\"}", b"x"])[..1], [text("hi", false)]);
    assert_eq!(events(either(), &[b"", b" "]), []);
}

#[test]
fn live_the_task_comes_last() {
    let agent = Agent::default();
    let command = Command { input: AgentInput::Ndjson, speaks: None };
    let told = command.tell_live("a", &text("hi", false)).expect("it is told");
    assert_eq!(String::from_utf8(told).expect("text"), "{\"type\":\"agent.text\",\"text\":\"hi\",\"from\":\"a\"}\n");
    assert!(command.task_live(&brief(&agent, &["p"])).starts_with(b"{\"type\":\"task\",\"text\":\"Do it\""));
}
