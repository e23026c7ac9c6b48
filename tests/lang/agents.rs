//! Agents in scripts: who is asked, what is said of them, and what of it comes from files.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use flow::lang::{Program, Script, Surroundings};
use flow::plan::{Ask, BackendSpec, Context, Plan, StepId, Task, Value};

use crate::{edges, paths, plan};

fn ask(plan: &Plan, id: u32) -> &Ask {
    match &*plan.step(StepId(id)).task {
        Task::Agent(ask) => ask,
        other => panic!("{other:?} asks nobody"),
    }
}

#[test]
fn a_question_is_a_step_of_its_agents_name() {
    let plan = plan(
        r#"let a = agent("coder", #{ model: "sonnet", timeout: "20m", retries: 2 });
           let one = a.ask("One");
           let two = a.ask(`Two: ${one.output}`);
           a.ask("three", "Three", #{ model: "opus", context: #{ window: 800 }, session: two.session });
           one -> sh("tell", "cat");"#,
    );
    assert_eq!(paths(&plan), ["coder", "coder-2", "three", "tell"]);
    assert_eq!(edges(&plan), ["coder-2 <- coder (data)", "three <- coder-2 (data)", "tell <- coder (order)"]);
    assert_eq!(ask(&plan, 0).agent.backend, "claude");
    let policy = plan.step(StepId(0)).policy();
    assert_eq!((policy.timeout_ms, policy.retry.as_ref().map(|retry| retry.max_attempts)), (Some(1_200_000), Some(3)));
    let three = ask(&plan, 2);
    assert_eq!(three.agent.model, Some(Value::Plain("opus".into())));
    assert_eq!(three.context, Context::Window(800));
    assert_eq!(ask(&plan, 0).agent.model, Some(Value::Plain("sonnet".into())));
}

#[test]
fn an_agent_can_be_captured_passed_on_and_named_in_arrows() {
    let plan = plan(
        r#"let a = agent("a", #{ env: #{ KEY: secret("KEY") } });
           fn both(agent, text) { [agent.ask(text), agent.ask(text)] }
           each("items", ["x", "y"], |item| a.ask(`Do ${item}`));
           parallel("pair", both(a, "Look"));
           chain("in-order", "start -> b");
           fn start() { sh("start", "true") }
           repeat("again", #{ max: 2 }, |i, last| a.ask(`Turn ${i}`));"#
            .replace("chain(\"in-order\"", "agent(\"b\", #{});\nchain(\"in-order\"")
            .as_str(),
    );
    let paths = paths(&plan);
    for path in ["items[x]", "items[y]", "pair/a", "pair/a-2", "in-order/start", "in-order/b"] {
        assert!(paths.iter().any(|known| known == path), "{path} is not among {paths:?}");
    }
    let b = paths.iter().position(|path| path == "in-order/b").expect("it is asked");
    assert_eq!(ask(&plan, b as u32).prompt, Value::Plain("".into()), "it is asked what it gets");
    assert_eq!(plan.header.secrets, ["KEY"]);
}

#[test]
fn an_agent_with_secrets_lives_through_a_fan_out() {
    let script = r#"let a = agent("a", #{ api_key: secret("KEY"), system: "Be good" });
        let list = sh("list", "ls");
        each("items", list.lines, |item| a.ask(item));"#;
    let plan = plan(script);
    let Task::Each(each) = &*plan.step(StepId(1)).task else { panic!("it is no each") };
    let [Value::Agent(agent)] = &each.body.captured[..] else { panic!("it captures {:?}", each.body.captured) };
    assert_eq!(agent.system, Some(Value::Plain("Be good".into())));
    // As the log keeps it.
    let text = serde_json::to_string(&each.body).expect("it is data");
    assert_eq!(serde_json::from_str::<flow::plan::Closure>(&text).expect("it is read again"), each.body);
}

#[test]
fn rules_are_tried_in_the_order_written_and_then_what_agents_are_good_for() {
    let plan = plan(
        r#"let a = agent("a", #{ capabilities: ["rust", "c"] }); let b = agent("b", #{ role: "tester" });
           delegate("Find the leak in parser.c", #{ to: [a, b], rules: #{ "parser": b, "leak": a } });
           delegate("Cat pictures for the tester", #{ to: [a, b] });
           delegate("Nothing of it", #{ to: [b, a] });
           let x = sh("x", "true");
           delegate("later", `Do ${x.output}`, #{ to: [a, b], rules: [["leak", b]] });"#,
    );
    let asked: Vec<&str> = (0..3).map(|id| ask(&plan, id).agent.name.as_str()).collect();
    assert_eq!(asked, ["b", "b", "b"]);
    let why = plan.step(StepId(0)).policy().desc.as_deref();
    assert_eq!(why, Some("delegated to b: the rule `parser` fits"));
    assert!(paths(&plan).ends_with(&["later/b".into(), "later/a".into(), "later/b-2".into(), "later/a-2".into()]));
}

#[test]
fn what_a_project_says_holds_where_a_script_says_nothing() {
    let spec = Arc::new(BackendSpec { command: vec!["mine".into()], ..BackendSpec::default() });
    let surroundings = Surroundings {
        backend: Some("mine".into()),
        model: Some("m-1".into()),
        backends: [("mine".to_owned(), spec.clone())].into(),
        ..Surroundings::default()
    };
    let text = r#"agent("a", #{}).ask("one"); agent("b", #{ backend: "claude" }).ask("two"); agent("c", #{ command: ["x"] }).ask("three");"#;
    let script = Script { surroundings: Arc::new(surroundings), ..Script::from_text("script.rhai", text) };
    let program = Program::compile(&script).expect("it compiles");
    let mut plan = Plan::default();
    plan.grow(program.build(&[], None).expect("a plan").growth);
    let of = |id| (ask(&plan, id).agent.backend.to_string(), ask(&plan, id).agent.model.clone().is_some());
    assert_eq!([of(0), of(1), of(2)], [("mine".into(), true), ("claude".into(), false), ("command".into(), false)]);
    assert_eq!(ask(&plan, 0).agent.via, Some(spec));
    // A resume that evaluates it again sees the same, whatever the project says by then.
    let again = Script { surroundings: Arc::default(), pinned: Some(pins(&program)), ..script };
    let again = Program::compile(&again).expect("it compiles").build(&[], None).expect("a plan");
    assert_eq!(serde_json::to_value(&again.growth.steps).ok(), serde_json::to_value(&plan.steps).ok());
}

fn pins(program: &Program) -> HashMap<String, Arc<str>> {
    program.sources().into_iter().collect()
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::write(folder.join(name), text).expect("a file");
}

#[test]
fn files_of_agents_are_read_once_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    write(
        &root.join(".claude/agents"),
        "r.md",
        "---\nname: reviewer\ndescription: Use: it\n---\nReview ${x.y} well.\n",
    );
    write(&root.join("team"), "coder.md", "---\nname: coder\ndescription: codes\nbackend: codex\n---\nCode.\n");
    write(&root.join("team"), "broken.md", "---\nname: broken\n---\n");
    write(root, "x.rhai", r#"agent("reviewer").ask("one"); agents("team").coder.ask("two");"#);
    let script = Script::read(&root.join("x.rhai")).expect("it is read");
    let program = Program::compile(&script).expect("it compiles");
    let built = program.build(&[], None).expect("a plan");
    let mut plan = Plan::default();
    plan.grow(built.growth);
    assert_eq!(ask(&plan, 0).agent.system, Some(Value::Plain("Review ${x.y} well.".into())));
    assert_eq!((ask(&plan, 0).agent.backend.as_str(), ask(&plan, 1).agent.backend.as_str()), ("claude", "codex"));
    let warnings = program.warnings();
    let told = |part: &str| warnings.iter().any(|warning| warning.message().contains(part));
    assert!(told("r.md:3") && told("broken.md:1"), "{warnings:?}");
    // Then the files change, and are gone.
    std::fs::remove_dir_all(root.join(".claude")).expect("it was there");
    write(&root.join("team"), "coder.md", "---\nname: coder\ndescription: other\n---\n");
    write(&root.join("team"), "new.md", "---\nname: coder2\ndescription: other\n---\n");
    let again = Script { pinned: Some(pins(&program)), ..script };
    let again = Program::compile(&again).expect("it compiles");
    let growth = again.build(&[], None).expect("a plan").growth;
    assert_eq!(serde_json::to_value(&growth.steps).ok(), serde_json::to_value(&plan.steps).ok());
    // And so that it can be taken up without being evaluated.
    let names: Vec<String> = program.sources().into_iter().skip(1).map(|(name, _)| name).collect();
    let unread = Program::compile(&Script { pinned: Some(pins(&program)), ..Script::from_text("x.rhai", "") });
    unread.expect("it compiles").preload(names.iter().map(String::as_str)).expect("texts are no scripts");
}
