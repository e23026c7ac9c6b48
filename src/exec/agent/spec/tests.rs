use std::path::Path;

use serde_json::json;

use crate::plan::{Agent, AgentInput};

use super::super::tests;
use super::*;

fn words(command: &[&str], change: impl FnOnce(&mut Brief<'_>)) -> Launch {
    let spec =
        BackendSpec { command: command.iter().map(|word| (*word).to_owned()).collect(), ..BackendSpec::default() };
    let agent = Agent { via: Some(Arc::new(spec)), ..Agent::default() };
    let mut brief = Brief { prompt: "Do {model} it".into(), ..tests::brief(&agent) };
    change(&mut brief);
    tests::launch(&*super::super::driver_of(&agent), &brief)
}

#[test]
fn names_in_braces_are_filled_in_once() {
    let launch =
        words(&["aider", "--model", "{model}", "-s={session}", "--message", "<{prompt}>", "{x}", "{}"], |brief| {
            brief.model = Some("m".into());
        });
    // What is not said goes, with the flag before it; what stands in a value is no name.
    assert_eq!(launch.words, ["aider", "--model", "m", "--message", "<Do {model} it>", "{x}", "{}"]);
    assert!(launch.stdin.is_empty());
    let launch = words(&["aider", "--model", "{model}", "-"], |_| {});
    assert_eq!(launch.words, ["aider", "-"]);
    assert_eq!(launch.stdin, b"Do {model} it");
}

#[test]
fn what_comes_before_the_task_is_told_once() {
    let system = |brief: &mut Brief<'_>| brief.system = Some("Be brief.".into());
    assert_eq!(words(&["p"], system).stdin, b"Be brief.\n\nDo {model} it");
    let told = words(&["p", "--system", "{system}"], system);
    assert_eq!(
        (told.words.as_slice(), told.stdin.as_slice()),
        (["p", "--system", "Be brief."].map(str::to_owned).as_slice(), b"Do {model} it".as_slice())
    );
    assert_eq!(words(&["p", "{prompt}"], system).words[1], "Be brief.\n\nDo {model} it");
}

#[test]
fn another_program_with_the_same_arguments() {
    let launch = words(&["p", "-a"], |brief| {
        brief.command = vec!["/opt/p".into(), "sub".into()];
        brief.args = vec!["-z".into()];
    });
    assert_eq!(launch.words, ["/opt/p", "sub", "-a", "-z"]);
}

#[test]
fn a_schema_is_a_file() {
    let schema = json!({ "type": "object" });
    let spec = BackendSpec {
        command: vec!["p".into(), "{schema_file}".into()],
        input: AgentInput::Stdin,
        ..BackendSpec::default()
    };
    let agent = Agent { via: Some(Arc::new(spec)), ..Agent::default() };
    assert!(agent.checks_schema());
    let brief = Brief {
        agent: &agent,
        model: None,
        system: None,
        prompt: String::new(),
        schema: Some(&schema),
        session: None,
        command: Vec::new(),
        args: Vec::new(),
        base_url: None,
        api_key: None,
        allowance: None,
        folder: Path::new("/attempt"),
        live: false,
    };
    let Ok(Errand::Program(launch)) = super::super::driver_of(&agent).errand(&brief) else { panic!("it is a program") };
    assert_eq!(launch.words[1], "/attempt/schema.json");
    assert_eq!(launch.files[0].0, Path::new("/attempt/schema.json"));
}
