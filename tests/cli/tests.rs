//! Tests of workflows, as they are typed in: what passes, fails, is broken and skipped, and what was covered.

use serde_json::Value as Json;

use crate::transcript::Session;

/// A workflow with tests that pass, fail, loop and are skipped.
fn shop() -> Session {
    let session = Session::new();
    session
        .file(
            "shop.rhai",
            r#"let env = param("env", #{ default: "staging", one_of: ["staging", "production"] });
let build = sh("build", "make release");
let test = sh("test", "make test").retry(#{ max_attempts: 3, delay: "10m" });
build -> test;
let push = sh("push", `./push.sh ${env} ${build.output}`);
flow("gate").when(|| test.passed, push).otherwise(fail("stop", "the tests fail"));
"#,
        )
        .file(
            "shop_test.rhai",
            r#"fn test_all_goes_well() {
    given("build").prints("app-1.4.tar\n");
    let run = simulate("shop.rhai", #{ env: "production" });
    assert_eq(run.status, "success");
    assert_eq(run.order, ["build", "test", "gate/push"]);
}

fn test_an_hour_of_retries_takes_no_time() {
    given("test").fails(#{ code: 75, message: "no network" }).then_fails("no network").then_returns("ok");
    let run = simulate("shop.rhai");
    assert_eq(run.step("test").attempts, 3);
    assert_eq(run.duration_ms, 20 * 60 * 1000);
}

fn test_later() {
    skip("push cannot be tried here");
}
"#,
        )
        .file(
            "wrong_test.rhai",
            r#"fn test_values_differ() {
    print("about to look");
    given("test").fails("2 of 40 tests fail");
    let run = simulate("shop.rhai");
    assert_eq(run.status, "success");
}

fn test_what_differs_is_shown() {
    let left = #{ name: "app", parts: ["one", "two", "three", "four"], size: 1024, from: "here" };
    let right = #{ name: "app", parts: ["one", "two", "five", "four"], size: 1024, from: "here" };
    assert_eq(left, right, "the pack");
}

fn test_a_double_for_nobody() {
    given("tset").fails("no");
    simulate("shop.rhai");
}

fn test_a_step_that_is_not_there() {
    simulate("shop.rhai").step("pusch");
}

fn test_the_workflow_is_wrong() {
    simulate(|| {
        let a = sh("a", "true");
        let b = sh("b", "true").after(a);
        a.after(b);
    });
}

fn test_a_parameter_is_wrong() {
    simulate("shop.rhai", #{ env: "prod" });
}

fn test_there_is_no_such_file() {
    simulate("shap.rhai");
}

fn test_a_child_of_a_fan_out() {
    given("ping").fails("no");
    simulate(|| { each("hosts", ["a", "b"], |host| sh("ping", `ping ${host}`)); });
}

fn test_it_was_to_fail() {
    assert_fails(|| 1 + 1);
}

fn test_it_was_to_fail_otherwise() {
    assert_fails(|| simulate("shop.rhai", #{ env: "prod" }), "no such environment");
}

fn test_why(run) {}
"#,
        )
        .file("loops_test.rhai", "fn test_it_loops() {\n    let n = 0;\n    while true { n += 1; }\n}\n\nfn test_it_waits() {\n    execute(|| { sh(\"wait\", \"sleep 60\"); });\n}\n")
        .file("broken_test.rhai", "fn test_it() {\n    assert_eq(1, 1;\n}\n")
        .file("empty_test.rhai", "// None yet.\n");
    session
}

#[test]
fn tests_are_made_and_told_of() {
    let mut session = shop();
    session
        .type_in("flow test --jobs 1 shop_test.rhai")
        .type_in("flow test shop_test.rhai::test_later")
        .type_in("flow test --filter retries")
        .type_in("flow test --list shop_test.rhai")
        .type_in("flow test --json shop_test.rhai::test_later | sed 's/\"duration_ms\":[0-9.]*/\"duration_ms\":N/g'")
        .type_in("ls -A | grep -v rhai");
    session.check("test-well");
}

#[test]
fn what_fails_is_explained() {
    let mut session = shop();
    session.type_in("flow test --jobs 1 wrong_test.rhai");
    session.type_in("sed -i '/test_why/d' wrong_test.rhai; flow test --jobs 1 wrong_test.rhai");
    session.type_in("flow test --jobs 1 --fail-fast wrong_test.rhai | grep -c '✗ test_'");
    session.check("test-badly");
}

#[test]
fn what_does_not_end_is_ended() {
    let mut session = shop();
    session.type_in("flow test loops_test.rhai --timeout 300ms");
    session.check("test-loops");
}

#[test]
fn what_cannot_be_tested_is_said() {
    let mut session = shop();
    session
        .type_in("flow test --jobs 1 broken_test.rhai shop_test.rhai::test_later")
        .type_in("flow test empty_test.rhai")
        .type_in("flow test nowhere")
        .type_in("flow test shop_test.rhai::test_latr")
        .type_in("flow test shop_test.rhai --filter none")
        .type_in("flow test shop_test.rhai --timeout soon")
        .type_in("flow test shop_test.rhai --coverage=coverage.xml")
        .type_in("flow test shop_test.rhai --coverage-min 101")
        .type_in("mkdir empty; cd empty; flow test")
        .type_in("echo 'given(\"a\");' > given.rhai; flow check given.rhai");
    session.check("test-wrong");
}

#[test]
fn groups_and_doubles_that_come_to_nothing_are_told_of() {
    let mut session = Session::new();
    session.file(
        "groups_test.rhai",
        r#"fn test_a_loop_that_finds_no_end() {
    let run = simulate(|| { repeat("r", #{ max: 2, until: |last| last == "x" }, |i, last| sh("s", "true")); });
    assert(run.passed);
}

fn test_a_group_that_is_not_valid() {
    let run = simulate(|| { chain("c", [sh("s", "true")]).validate(|r| r.output == "x"); });
    assert(run.passed);
}

fn test_a_group_that_is_late() {
    given("s").takes("1h");
    let run = simulate(|| { chain("c", [sh("s", "true")]).timeout("1m"); });
    assert(run.passed);
}

fn test_a_double_that_comes_late() {
    let run = simulate(|| { sh("s", "true"); });
    given("s").fails("no");
    assert(run.passed);
}

fn test_a_double_for_a_fan_out_over_nothing() {
    given("e").fails("no");
    simulate(|| { each("e", [], |item| sh("s", "true")); });
}

fn test_what_was_not_made_did_not_start() {
    given("r[1]").returns("x");
    let run = simulate(|| {
        repeat("r", #{ max: 2, until: |last| last == "x" }, |i, last| chain([sh("s", "true")]));
        each("e", ["a"], |item| sh("t", "true"));
    });
    assert(run.started("r[1]"));
    assert(!run.started("r[2]"));
    assert(!run.started("r[2]/s"));
    assert(run.started("e[a]"));
    assert(!run.started("e[b]"));
    assert_fails(|| run.started("e[a]/x"), "no step");
    assert_fails(|| run.started("f[1]"), "no step");
}
"#,
    );
    session.type_in("flow test --jobs 1").type_in("flow test --list --json");
    session.check("test-groups");
}

/// The values of an attribute, in the order in which they stand.
fn attributes<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!(" {name}=\"");
    xml.split(&begin).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn a_report_in_the_form_of_junit_is_well_formed() {
    let session = shop();
    let output = session.run("flow test --jobs 1 --junit report.xml shop_test.rhai wrong_test.rhai broken_test.rhai");
    assert_eq!(output.status.code(), Some(2));
    let xml = std::fs::read_to_string(session.folder().join("report.xml")).expect("it was written");
    // Every element is closed, in the reverse order.
    let mut open: Vec<&str> = Vec::new();
    for tag in xml.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let name = tag.split([' ', '/', '\n']).find(|word| !word.is_empty()).unwrap_or_default();
        match tag {
            _ if tag.starts_with('?') || tag.ends_with('/') => {}
            _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(name), "{xml}"),
            _ => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?} are left open\n{xml}");
    // wrong_test.rhai and broken_test.rhai are wrong files: two errors.
    assert_eq!(attributes(&xml, "tests")[0], "5", "{xml}");
    assert_eq!(attributes(&xml, "errors")[0], "2", "{xml}");
    assert!(attributes(&xml, "classname").contains(&"shop_test.rhai"), "{xml}");
    assert!(xml.contains("<skipped message=\"push cannot be tried here\"/>"), "{xml}");
}

/// A workflow with every kind of decision.
const ALL_KINDS: &str = r#"let a = sh("a", "./a.sh").validate(|r| r.output != "bad").retry(#{ max_attempts: 2, delay: "1s" });
let b = sh("b", "./b.sh").when(|| a.passed);
let c = sh("c", "./c.sh").on_failure_retry(|err| err.code == 75).on_error("continue");
sh("d", "./d.sh").fallback(sh("e", "./e.sh")).on_error("continue");
b.on_failure(sh("f", "./f.sh"));
flow("g")
    .when("c.passed", sh("h", "./h.sh"))
    .when(|| b.passed, sh("i", "./i.sh"))
    .otherwise(sh("j", "./j.sh"));
repeat("k", #{ max: 3, until: |last| last == "enough" }, |i, last| sh("l", "./l.sh"));
approve("m", #{ prompt: "Well?", timeout: "1h" }).on_error("continue");
on("failure", sh("n", "./n.sh"));
each("o", ["x", "y"], |item| sh("p", "./p.sh").when(|| c.passed));
"#;

const COVERS: &str = r#"fn test_one() {
    given("a").returns("good");
    given("k[*]").returns("enough");
    given("m").answers("yes");
    let run = simulate("all.rhai");
    assert_eq(run.status, "success");
}
"#;

const COVERS_MORE: &str = r#"
fn test_two() {
    given("a").returns("bad").then_returns("good");
    given("c").fails(#{ code: 75 }).then_fails("no");
    given("d").fails("no");
    given("b").fails("no");
    given("m").answers("no");
    assert_eq(simulate("all.rhai").status, "failed");
}

fn test_three() {
    given("a").fails("no");
    given("c").fails("no");
    given("k[1]").returns("more");
    given("k[2]").returns("enough");
    assert_eq(simulate("all.rhai").status, "success");
}

fn test_four() {
    given("c").fails("no");
    assert(simulate("all.rhai").started("g/i"));
}
"#;

#[test]
fn what_was_covered_is_counted_exactly() {
    let mut session = Session::new();
    session.file("all.rhai", ALL_KINDS).file("all_test.rhai", COVERS);
    session.file("real.rhai", "let a = sh(\"a\", \"true\");\nsh(\"b\", \"true\").when(|| a.passed);\n");
    session.type_in("flow test --jobs 1 --coverage --coverage=one.json");
    session.file("all_test.rhai", format!("{COVERS}{COVERS_MORE}"));
    session
        .type_in("flow test --jobs 1 --coverage --coverage=all.json --coverage=all.info --coverage-min 90")
        .type_in("cat all.info")
        .type_in("flow plan all.rhai --coverage one.json")
        .type_in("flow plan all.rhai --coverage all.json --format mermaid | grep '\\['")
        .type_in("flow test --coverage-min 99.9 | tail -1")
        .type_in("flow script real.rhai --quiet; flow plan real.rhai --coverage last | grep when")
        .type_in("flow plan all.rhai --coverage none.json")
        .type_in("flow plan all.rhai --coverage all.rhai");
    session.check("test-coverage");
    let text = std::fs::read_to_string(session.folder().join("all.json")).expect("it was written");
    let coverage: Json = serde_json::from_str(&text).expect("it is JSON");
    let branches = coverage["files"]["all.rhai"].as_array().expect("a list");
    let gone = |branch: &Json| u64::from(branch["yes"] != 0) + u64::from(branch["no"] != 0);
    assert_eq!(coverage["covered"], branches.iter().map(gone).sum::<u64>());
    assert_eq!(coverage["total"], 2 * branches.len());
}

#[test]
fn the_tests_of_the_examples_pass() {
    let mut session = Session::new();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let output = session.run(&format!("flow test {examples} --coverage-min 90"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for name in ["deploy.rhai", "deploy_test.rhai"] {
        session.file(name, std::fs::read(format!("{examples}/{name}")).expect("it is there"));
    }
    session.type_in("flow test --jobs 1 --coverage");
    session.check("test-examples");
}

#[test]
fn a_recorded_run_goes_its_way_again_or_differences_are_told() {
    let mut session = Session::new();
    session.file(
        "gate.rhai",
        r#"let score = sh("score", "echo 91");
let flaky = sh("flaky", "test $FLOW_ATTEMPT = 2").retry(#{ max_attempts: 2, delay: "10ms" });
flow("gate").when(|| score.number > 80, sh("high", "echo high")).otherwise(sh("low", "echo low"));
sh("gone", "true").after(flaky);
"#,
    );
    session.run("flow script gate.rhai --quiet");
    session.run("flow agents record last --all -o gate.ndjson");
    session
        .type_in("flow test gate.rhai --from-run gate.ndjson")
        .type_in("sed -i 's/> 80/> 95/; s/gone/new/; s/max_attempts: 2/max_attempts: 1/' gate.rhai")
        .type_in("flow test gate.rhai --from-run gate.ndjson")
        .type_in("flow test --from-run gate.ndjson")
        .type_in("flow script gate.rhai --agents recored:last")
        .type_in("flow script gate.rhai --agents recorded:last")
        .type_in("flow script gate.rhai --agents recorded:none.ndjson")
        .check("from-run");
}
