//! Budgets, through the built program.

use crate::bench::Bench;

/// A script whose agents run `fake.sh`, which uses what its prompt names.
fn bench(script: &str) -> Bench {
    let bench = Bench::new();
    let used = r#"{"type":"agent.usage","cost_usd":%s,"turns":1}\n{"type":"agent.finished","text":"done"}\n"#;
    bench.write("fake.sh", format!("usd=$1; cat > /dev/null; echo \"$usd\" >> asked\nprintf '{used}' \"$usd\"\n"));
    let agent =
        "let a = agent(\"coder\", #{ backend: \"command\", command: [\"sh\", \"fake.sh\"], speaks: \"ndjson\" });\n";
    bench.write("test.rhai", format!("{agent}{script}"));
    bench
}

#[test]
fn a_condition_on_what_is_left_takes_the_other_branch() {
    let script = "let money = budget(#{ usd: 1.0 });\nlet first = a.ask(\"first\", \"Do it\", #{ args: [\"0.75\"] });\nlet yes = sh(\"yes\", \"echo yes\");\nlet no = sh(\"no\", `echo ${money.spent.usd} spent`);\nlet go = flow(\"go\").when(|| first.passed && money.remaining.usd > 0.5, yes).otherwise(no);\nsh(\"tell\", \"echo ${budget.remaining.usd}\").after(go);\n";
    let steps = bench(script).flow(&["script", "test.rhai", "--quiet", "--json"]).code(0).json()["steps"].clone();
    assert_eq!(steps["go/yes"]["status"], "skipped", "{steps:#}");
    assert_eq!((&steps["go/no"]["output"], &steps["tell"]["output"]), (&"0.75 spent".into(), &"0.25".into()));
    assert_eq!(steps["budget"]["budget"]["spent"]["usd"], 0.75);
}

#[test]
fn who_can_never_fit_is_refused_without_being_asked() {
    let script = "budget(#{ usd: 1.0 });\nlet one = a.ask(\"one\", \"Do it\", #{ args: [\"0.75\"] });\none -> a.ask(\"two\", \"Do it\", #{ args: [\"0.1\"] }).budget(#{ usd: 0.5 });\n";
    let bench = bench(script);
    let steps = bench.flow(&["script", "test.rhai", "--quiet", "--json"]).code(1).json()["steps"].clone();
    let error = steps["two"]["error"].as_str().unwrap();
    assert_eq!(error, "it may use up to 0.50 USD, but the budget `budget` of 1.00 USD has only 0.25 USD left");
    assert_eq!(steps["two"]["attempts"], 0);
    assert_eq!(std::fs::read_to_string(bench.path("asked")).unwrap().lines().count(), 1);
    let why = bench.flow(&["why", "last", "two"]).code(0);
    assert!(why.out.contains("has only 0.25 USD left"), "{}", why.out);
    let show = bench.flow(&["show", "last"]).code(0);
    assert!(show.out.contains("0.75 USD of 1.00 USD (75 %)"), "{}", show.out);
}

#[test]
fn who_may_fit_later_waits() {
    let script = "budget(#{ usd: 1.0 });\nparallel(\"all\", [a.ask(\"one\", \"Do it\", #{ args: [\"0.25\"] }).budget(#{ usd: 0.75 }), a.ask(\"two\", \"Do it\", #{ args: [\"0.25\"] }).budget(#{ usd: 0.75 })]);\n";
    let bench = bench(script);
    let steps =
        bench.flow(&["script", "test.rhai", "--quiet", "--json", "--max-parallel", "4"]).code(0).json()["steps"]
            .clone();
    assert_eq!(steps["all"]["cost_usd"], 0.5, "{steps:#}");
}

#[test]
fn a_budget_of_all_ends_all_that_run() {
    let used = r#"{"type":"agent.usage","cost_usd":0.75,"turns":1}"#;
    let bench = bench(
        "budget(#{ usd: 1.0 });\nlet both = parallel(\"both\", [a.ask(\"one\", \"Do it\"), a.ask(\"two\", \"Do it\")]);\nsh(\"after\", \"echo never\").after(both);\n",
    );
    // None of them is over it alone, and none ends by itself.
    bench.write("fake.sh", format!("cat > /dev/null; echo '{used}'; sleep 600"));
    let steps =
        bench.flow(&["script", "test.rhai", "--quiet", "--json", "--max-parallel", "4"]).code(1).json()["steps"]
            .clone();
    for name in ["both/one", "both/two"] {
        let step = &steps[name];
        assert_eq!((&step["status"], &step["verdict"]), (&"failed".into(), &"over_budget".into()), "{steps:#}");
        let error = step["error"].as_str().unwrap();
        assert!(error.contains("1.50 USD") && error.contains("`budget`"), "{error}");
    }
    assert_eq!(steps["after"]["status"], "skipped");
    assert_eq!(steps["both"]["cost_usd"], 1.5);
}

#[test]
fn what_was_spent_before_a_crash_counts() {
    let bench = bench(
        "budget(#{ usd: 1.0 });\nlet one = a.ask(\"one\", \"Do it\", #{ args: [\"0.75\"] });\none -> sh(\"hold\", \"test -e go || { echo here > held; sleep 600; }\") -> a.ask(\"two\", \"Do it\", #{ args: [\"0.5\"] }).budget(#{ usd: 0.5 });\n",
    );
    let going = bench.start(&["script", "test.rhai", "--quiet"]);
    bench.wait_for("held");
    going.kill();
    bench.write("go", "");
    let steps = bench.flow(&["resume", "last", "--quiet", "--json"]).code(1).json()["steps"].clone();
    assert!(steps["two"]["error"].as_str().unwrap().contains("has only 0.25 USD left"), "{steps:#}");
}

#[test]
fn budgets_that_cannot_be_are_refused() {
    for (script, says) in [
        ("budget(#{ usd: -1.0 });", "greater than 0"),
        ("budget(#{ dollar: 1 });", "no option `dollar`"),
        ("budget(#{});", "bounds nothing"),
        ("budget(#{ usd: 1 }); budget(\"b\", #{ turns: 1 });", "two budgets"),
        ("sh(\"s\", \"true\").budget(#{ usd: 1 });", "nothing that a budget bounds"),
        (
            "budget(#{ usd: 1 }); a.ask(\"x\", \"Do it\", #{ args: [\"1\"] }).budget(#{ usd: 2 });",
            "it would never start",
        ),
        (
            "limit(\"memory\", \"1 GiB\"); sh(\"s\", \"true\").limit(\"memory\", 2);",
            "is a number here, and a size before",
        ),
        ("limit(\"l\", #{ min: 1, max: 4, scale: \"length / 2\" });", "`scale` of a limit cannot be"),
    ] {
        let err = bench(script).flow(&["check", "test.rhai"]).code(2).err;
        let err = err.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
        assert!(err.contains(says), "{script}: {err}");
    }
}
