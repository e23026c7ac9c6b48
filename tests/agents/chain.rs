//! What one agent is told of others, through the program: chains, contexts, streams, and recordings of them.

use serde_json::json;

use crate::bench::Bench;

/// An agent that is a small script, which reads its task and answers with text.
fn agent(name: &str, script: &str, more: &str) -> String {
    format!("agent({name:?}, #{{ command: [\"sh\", \"-c\", {script:?}], speaks: \"text\"{more} }})")
}

/// A program that says three things slowly enough to be heard one by one, and the reader that counts them.
const TALKS: &str = r#"cat > /dev/null; for n in 1 2 3; do echo '{"type":"agent.text","text":"finding '$n'"}'; done; echo '{"type":"agent.finished","text":"3 findings"}'"#;
const COUNTS: &str = r#"n=$(grep -c '"finding '); echo '{"type":"agent.finished","text":"heard '$n'"}'"#;

impl Bench {
    fn script(text: &str) -> Self {
        let bench = Bench::new();
        bench.write("test.rhai", text);
        bench
    }

    #[track_caller]
    fn runs(&self) -> serde_json::Value {
        self.flow(&["script", "test.rhai", "--quiet", "--json"]).code(0).json()
    }

    #[track_caller]
    fn prompt(&self, step: &str) -> String {
        self.flow(&["logs", "last", step, "--prompt"]).code(0).out
    }
}

#[test]
fn an_answer_is_the_next_ones_data() {
    let (a, b) = (agent("a", "cat > /dev/null; printf 'one\\n\\ntwo\\n'", ""), agent("b", "cat", ""));
    let bench = Bench::script(&format!(
        "{a}.ask(\"plan\", \"Plan it\") -> {b}.ask(\"code\", \"Do it\") -> sh(\"save\", \"cat > saved.txt\");"
    ));
    let json = bench.runs();
    let sent = bench.prompt("code");
    assert!(sent.contains("<data from=\"plan\">\none\n\ntwo\n</data>\n\nYour task:\n\nDo it"), "{sent}");
    assert!(sent.contains("Your answer goes to the step `save`"), "{sent}");
    // What was sent is what came; and what a process gets is the answer, not what the program printed.
    assert_eq!(json["steps"]["code"]["output"].as_str().unwrap().trim_end(), sent.trim_end());
    let saved = std::fs::read_to_string(bench.path("saved.txt")).unwrap();
    assert_eq!(saved.trim_end(), sent.trim_end());
    assert_eq!(bench.prompt("plan").lines().next(), Some("Plan it"));
    let nothing = bench.flow(&["logs", "last", "save", "--prompt"]).code(0);
    assert!(nothing.out.is_empty() && nothing.err.contains("nothing was sent to an agent here"), "{}", nothing.err);
}

#[test]
fn all_that_led_to_it_is_told_but_no_branch_that_was_not_taken_and_no_secret() {
    let a = agent("a", "cat > /dev/null; echo \"answer of $FLOW_STEP\"", "");
    let bench = Bench::script(&format!(
        "let a = {a};
        let goal = a.ask(\"goal\", \"g\");
        let key = sh(\"key\", \"echo hidden\").secret();
        let looks = each(\"look\", [\"x\", \"y\"], |f| a.ask(\"read\", f));
        let gate = flow(\"gate\").when(|| goal.passed, a.ask(\"yes\", \"y\")).otherwise(a.ask(\"no\", \"n\"));
        let broken = sh(\"broken\", \"echo half; exit 3\").on_error(\"continue\");
        goal -> key -> looks -> gate -> broken -> a.ask(\"last\", \"m\", #{{ context: \"all\" }});"
    ));
    bench.runs();
    let sent = bench.prompt("last");
    let from: Vec<&str> = sent.lines().filter(|line| line.starts_with("<data ")).collect();
    assert_eq!(
        from,
        [
            "<data from=\"goal\">",
            "<data from=\"look[x]\">",
            "<data from=\"look[y]\">",
            "<data from=\"gate/yes\">",
            "<data from=\"broken\" status=\"failed\" error=\"`echo half; exit 3` ended with exit code 3\">"
        ],
        "{sent}"
    );
    assert!(!sent.contains("hidden") && !sent.contains("gate/no"), "{sent}");
    // Its direct input was that of two of one name.
    let sent = bench.prompt("yes");
    assert!(sent.contains("<data from=\"look[x]\">") && sent.contains("<data from=\"look[y]\">"), "{sent}");
}

#[test]
fn a_window_tells_the_newest() {
    let long = agent("a", "cat > /dev/null; seq 1 1000 | sed \"s/^/$FLOW_STEP /\"", "");
    let bench = Bench::script(&format!(
        "let a = {long};
        let b = {};
        a.ask(\"one\", \"1\") -> a.ask(\"two\", \"2\") -> a.ask(\"three\", \"3\") -> b.ask(\"last\", \"Go on\", #{{ context: #{{ window: 3000 }} }});",
        agent("b", "cat", "")
    ));
    bench.runs();
    let sent = bench.prompt("last");
    assert!(sent.len() < 3_000 * 4 + 1_500, "{}", sent.len());
    assert!(sent.contains("Left out, since there was no room: `one`."), "{}", &sent[..900]);
    assert!(sent.contains("<data from=\"three\">\nthree 1\n") && sent.contains("three 1000\n"), "{}", &sent[..900]);
    assert!(sent.contains("<data from=\"two\" cut=\"the first ") && sent.contains("two 1000\n"), "{}", &sent[..900]);
    assert!(!sent.contains("two 1\n"));
}

#[test]
fn claude_is_told_live_and_gets_its_task_last() {
    let bench = Bench::new();
    let result = crate::bench::RESULT;
    bench.write("reads.sh", format!("cat > stdin.ndjson\necho '{result}'\n"));
    bench.write(
        "test.rhai",
        format!(
            "let a = agent(\"a\", #{{ command: [\"sh\", \"-c\", {TALKS:?}] }});
            let b = agent(\"b\", #{{ backend: \"claude\", command: [\"sh\", \"reads.sh\"] }});
            a.ask(\"find\", \"Look\") |> b.ask(\"mend\", \"Mend them\");"
        ),
    );
    bench.runs();
    let lines: Vec<serde_json::Value> =
        bench.wait_for("stdin.ndjson").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (task, told) = lines.split_last().unwrap();
    assert!(!told.is_empty() && told.iter().all(|line| line["type"] == "assistant"), "{told:?}");
    let text: String = told.iter().map(|line| line["message"]["content"][0]["text"].as_str().unwrap()).collect();
    assert!(text.contains("[find] finding 1") && text.contains("finding 3"), "{text}");
    assert_eq!(task["type"], "user");
    let task = task["message"]["content"][0]["text"].as_str().unwrap();
    assert!(task.contains("You have read what `find` wrote") && task.ends_with("Mend them"), "{task}");
}

#[test]
fn a_stream_of_agents_can_be_heard_again() {
    let text = format!(
        "let a = agent(\"a\", #{{ command: [\"sh\", \"-c\", {TALKS:?}] }});
        let b = agent(\"b\", #{{ command: [\"sh\", \"-c\", {COUNTS:?}], input: \"ndjson\" }});
        let c = agent(\"c\", #{{ command: [\"sh\", \"-c\", {:?}], input: \"argument\", speaks: \"text\" }});
        [a.ask(\"find\", \"Look\"), a.ask(\"look\", \"Find\")] |> [b.ask(\"count\", \"Count\"), c.ask(\"late\", \"Sum up\")];",
        "printf %s \"$0\""
    );
    let bench = Bench::script(&text);
    let first = bench.runs();
    let output = |json: &serde_json::Value, step: &str| json["steps"][step]["output"].clone();
    assert_eq!(output(&first, "count"), json!("heard 6"), "{first}");
    let late = output(&first, "late");
    assert!(
        late.as_str().unwrap().contains("<data from=\"find\">\nfinding 1\nfinding 2\nfinding 3\n3 findings\n</data>"),
        "{late}"
    );
    for how in ["recorded:last", "recorded:last,timing"] {
        let again = bench.flow(&["script", "test.rhai", "--quiet", "--json", "--agents", how]).code(0).json();
        for step in ["find", "look", "count", "late"] {
            assert_eq!(output(&again, step), output(&first, step), "{how}: {step}");
        }
    }
}

#[test]
fn who_begins_late_is_told_of_beforehand() {
    let bench = Bench::script(
        "let a = agent(\"a\", #{ command: [\"./a\"] });\nlet b = agent(\"b\", #{ backend: \"codex\" });\na.ask(\"Look\") |> b.ask(\"Mend\");\n",
    );
    let why = "begins when a has ended: `codex exec` reads all of its input before it begins";
    for format in ["text", "mermaid", "dot"] {
        let plan = bench.flow(&["plan", "test.rhai", "--format", format]).code(0).out;
        assert!(plan.contains("begins when a has ended"), "{format}: {plan}");
    }
    let plan = bench.flow(&["plan", "test.rhai"]).code(0).out;
    assert!(plan.contains(why), "{plan}");
    let checked = bench.flow(&["check", "test.rhai"]).code(0);
    assert!(checked.err.contains("flow::plan::not_live"), "{}", checked.err);
}
