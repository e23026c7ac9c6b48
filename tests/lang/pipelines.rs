//! Pipelines as scripts write them, and the plans that they give.

use flow::plan::{
    Command, Format, ItemError, Metric, Overflow, Pipeline, Plan, Severity, Sink, Source, StageWork, StepId, Task,
};
use serde_json::json;

use crate::{plan, plan_of};

fn pipeline(plan: &Plan) -> Pipeline {
    let found = plan.steps.iter().find_map(|step| match &*step.task {
        Task::Pipeline(pipeline) => Some((**pipeline).clone()),
        _ => None,
    });
    found.expect("there is a pipeline")
}

fn of(script: &str) -> Pipeline {
    pipeline(&plan(script))
}

/// Its stages: `parse:map big:filter`.
fn stages(pipeline: &Pipeline) -> String {
    let stages: Vec<String> =
        pipeline.stages.iter().map(|stage| format!("{}:{}", stage.name, stage.work.kind())).collect();
    stages.join(" ")
}

#[test]
fn everything_that_has_items_is_a_source() {
    let source = |written: &str| {
        let steps = "let list = sh(\"list\", \"ls\");\n";
        serde_json::to_value(
            of(&format!("{steps}pipeline(\"p\").from({written}).options(#{{ take: 3 }}).discard();")).source,
        )
        .expect("plain data")
    };
    assert_eq!(source("[1, \"a\", #{ b: 2 }]"), json!({"items": {"plain": [1, "a", {"b": 2}]}}));
    assert_eq!(source("0..10"), json!({"range": {"from": 0, "to": 10, "step": 1}}));
    assert_eq!(source("1..=10"), json!({"range": {"from": 1, "to": 11, "step": 1}}));
    assert_eq!(source("list"), json!({"items": {"ref": {"step": 0, "property": "output"}}}));
    assert_eq!(source("list.lines"), json!({"items": {"ref": {"step": 0, "property": "lines"}}}));
    assert_eq!(source("lines(\"a.txt\")"), json!({"file": {"path": {"plain": "a.txt"}, "format": "lines"}}));
    assert_eq!(source("ndjson(\"-\")"), json!({"file": {"path": {"plain": "-"}, "format": "ndjson"}}));
    assert_eq!(source("lines(list.text)")["file"]["path"]["ref"]["property"], "text");
    let csv = json!({"csv": {"header": false, "delimiter": ";"}});
    assert_eq!(source("csv(\"a.csv\", #{ header: false, delimiter: \";\" })")["file"]["format"], csv);
    assert_eq!(source("csv(\"a.csv\")")["file"]["format"], json!({"csv": {"header": true, "delimiter": ","}}));
    assert_eq!(source("lines(#{ sh: \"zcat a.gz\" })")["command"]["command"]["shell"]["script"], "zcat a.gz");
    assert_eq!(source("ndjson(#{ exec: [\"cat\", list] })")["command"]["format"], "ndjson");
    assert_eq!(source("files(\"logs/*.gz\")"), json!({"glob": {"plain": "logs/*.gz"}}));
    let watch =
        json!({"watch": {"folder": {"plain": "inbox"}, "pattern": "*.csv", "existing": false, "settle_ms": 50}});
    assert_eq!(source("watch(\"inbox\", #{ pattern: \"*.csv\", existing: false, settle: \"50ms\" })"), watch);
    assert_eq!(source("interval(\"1s\")"), json!({"interval": 1000}));
}

#[test]
fn an_arrow_is_a_source() {
    let one = plan("task(\"a\", [1, 2]) -> pipeline(\"p\").stage(\"s\", |n| n);");
    let written = serde_json::to_value(pipeline(&one).source).expect("plain data");
    assert_eq!(written, json!({"items": {"ref": {"step": 0, "property": "output"}}}));
    let given = of("let a = task(\"a\", [1]); a -> pipeline(\"p\").from([2]);");
    assert_eq!(serde_json::to_value(given.source).expect("plain data"), json!({"items": {"plain": [2]}}));
}

#[test]
fn stages_are_what_they_do() {
    let pipeline = of("pipeline(\"p\").from([1])\n\
        .stage(\"a\", |n| n).stage(|n| n).filter(|n| true).filter(\"f\", |n| true).filter(|n| true)\n\
        .flat_map(\"g\", |n| [n]).batch(10).batch(5, \"1s\")\n\
        .sh(\"h\", \"cat\").exec(\"i\", [\"cat\"]).worker(\"j\", \"cat\").worker(\"k\", [\"cat\"])\n\
        .http(\"l\", |n| `http://localhost/${n}`).both(\"m\", [|n| n, |n| -n]);");
    assert_eq!(
        stages(&pipeline),
        "a:map map:map filter:filter f:filter filter-2:filter g:flat_map batch:batch batch-2:batch \
         h:sh i:sh j:worker k:worker l:http m:each"
    );
    assert_eq!((pipeline.stages[7].batch_size, pipeline.stages[7].batch_timeout_ms), (Some(5), Some(1000)));
    assert!(matches!(&pipeline.stages[9].work, StageWork::Command(Command::Exec(words)) if words.len() == 1));
    assert!(matches!(&pipeline.stages[13].work, StageWork::Each(inner) if inner[1].name == "m-2"));
}

#[test]
fn stages_have_options() {
    let all = "#{ parallelism: 4, ordered: false, retry: 3, timeout: \"5s\", on_error: \"dead_letter\", batch_size: 100, batch_timeout: \"1s\", buffer_size: 10, overflow: \"drop_newest\" }";
    let pipeline = of(&format!("pipeline(\"p\").from([1]).stage(\"a\", |n| n, {all});"));
    let stage = &pipeline.stages[0];
    assert_eq!((stage.parallelism, stage.ordered, stage.timeout_ms), (4, false, Some(5000)));
    assert_eq!(stage.retry.as_ref().map(|retry| retry.max_attempts), Some(3));
    assert_eq!((stage.on_error, stage.overflow), (Some(ItemError::DeadLetter), Some(Overflow::DropNewest)));
    assert_eq!((stage.batch_size, stage.batch_timeout_ms, stage.buffer_size), (Some(100), Some(1000), Some(10)));
}

#[test]
fn back_pressure_and_overflow_say_the_same() {
    for (written, wanted) in [
        ("#{}", Overflow::Block),
        ("#{ backpressure: true }", Overflow::Block),
        ("#{ backpressure: true, overflow: \"block\" }", Overflow::Block),
        ("#{ backpressure: false }", Overflow::DropOldest),
        ("#{ backpressure: false, overflow: \"fail\" }", Overflow::Fail),
        ("#{ overflow: \"drop_newest\" }", Overflow::DropNewest),
    ] {
        assert_eq!(of(&format!("pipeline(\"p\").from([1]).options({written});")).overflow, wanted, "{written}");
    }
}

#[test]
fn everything_that_takes_items_is_a_sink() {
    let sink = |written: &str| of(&format!("pipeline(\"p\").from([1]){written};")).sink;
    assert_eq!(sink(""), Sink::Collect);
    assert_eq!(sink(".discard()"), Sink::Discard);
    assert!(matches!(sink(".to(|n| print(n))"), Sink::Call(_)));
    assert!(matches!(sink(".to(lines(\"a.txt\"))"), Sink::File { format: Format::Lines, append: false, .. }));
    assert!(matches!(
        sink(".to(ndjson(\"a\", #{ append: true }))"),
        Sink::File { format: Format::Ndjson, append: true, .. }
    ));
    assert!(matches!(sink(".to(csv(\"a\", #{ append: true }))"), Sink::File { append: true, .. }));
    assert!(matches!(sink(".to(lines(#{ sh: \"gzip > a.gz\" }))"), Sink::Command { .. }));
}

#[test]
fn a_map_says_the_same_as_methods() {
    let by_map = of("pipeline(#{ name: \"p\", source: [1], stages: [\n\
        #{ name: \"a\", do: |n| n, parallelism: 2 }, |n| n, #{ filter: |n| true }, #{ batch: 10, batch_timeout: \"1s\" }, #{ name: \"s\", sh: \"cat\", batch_size: 5 },\n\
        ], sink: \"discard\", buffer_size: 7, take: 3, on_error: \"skip\", overflow: \"fail\" });");
    let by_methods = of(
        "pipeline(\"p\").from([1]).stage(\"a\", |n| n, #{ parallelism: 2 }).stage(|n| n).filter(|n| true).batch(10, \"1s\")\n\
        .sh(\"s\", \"cat\", #{ batch_size: 5 }).discard().options(#{ buffer_size: 7, take: 3, on_error: \"skip\", overflow: \"fail\" });",
    );
    assert_eq!(stages(&by_map), stages(&by_methods));
    let said = |pipeline: &Pipeline| {
        let stages: Vec<_> =
            pipeline.stages.iter().map(|s| (s.parallelism, s.batch_size, s.batch_timeout_ms)).collect();
        (stages, pipeline.buffer_size, pipeline.take, pipeline.on_error, pipeline.overflow, pipeline.sink.clone())
    };
    assert_eq!(said(&by_map), said(&by_methods));
}

#[test]
fn a_text_says_the_same_as_methods() {
    let functions = "fn numbers() { 0..3 } fn double(n) { n * 2 } fn square(n) { n * n } fn tell(n) { } fn file() { lines(\"out.txt\") }\n";
    let pipeline = |text: &str| of(&format!("{functions}pipeline({text});"));
    let whole = pipeline("\"p\", \"numbers → double → [double, square] → again: square → collect\"");
    assert_eq!(stages(&whole), "double:map double-square:each again:map");
    assert_eq!(whole.sink, Sink::Collect);
    assert!(matches!(whole.source, Source::Range { from: 0, to: 3, step: 1 }));
    assert_eq!(pipeline("\"numbers -> discard\"").sink, Sink::Discard);
    assert!(matches!(pipeline("\"numbers -> tell\"").sink, Sink::Call(_)));
    assert!(matches!(pipeline("\"numbers -> file\"").sink, Sink::File { .. }));
    let of_step = of(&format!("{functions}sh(\"list\", \"ls\"); pipeline(\"p\", \"list -> double -> collect\");"));
    assert!(matches!(of_step.source, Source::Items(_)));
}

#[test]
fn closures_wait_for_what_they_read() {
    let plan = plan(
        "let a = sh(\"a\", \"ls\"); let b = sh(\"b\", \"ls\");\n\
        pipeline(\"p\").from([1]).stage(\"s\", |n| n + a.number).sh(\"t\", `grep ${b.output}`);",
    );
    let from: Vec<u32> = plan.step(StepId(2)).after.iter().map(|edge| edge.from.0).collect();
    assert_eq!(from, [0, 1]);
}

#[test]
fn alerts_start_a_step() {
    for written in [
        "p.alert(#{ metric: \"error_rate\", above: 0.1, for: \"30s\", stage: \"s\", severity: \"critical\", do: page });",
        "alert(#{ of: p, metric: \"error_rate\", above: 0.1, for: \"30s\", stage: \"s\", severity: \"critical\", do: page });",
    ] {
        let plan = plan(&format!(
            "let page = sh(\"page\", \"x\"); let p = pipeline(\"p\").from([1]).stage(\"s\", |n| n);\n{written}"
        ));
        let alert = &plan.step(StepId(1)).policy().alerts[0];
        assert_eq!((alert.metric, alert.above, alert.for_ms), (Metric::ErrorRate, Some(0.1), 30_000));
        assert_eq!((alert.severity, alert.action), (Severity::Critical, Some(StepId(0))));
        let on = plan.step(StepId(0)).on_alert.expect("it is started by it");
        assert_eq!((on.step, on.alert), (StepId(1), 0));
    }
    let told = plan(
        "(sh(\"a\", \"ls\") |> sh(\"b\", \"cat\")).alert(#{ metric: \"throughput\", below: 1000, stage: \"b\" });",
    );
    assert_eq!(told.step(StepId(2)).policy().alerts.len(), 1);
}

#[test]
fn one_file_may_be_written_by_several_in_turn() {
    let writer = |name: &str| format!("pipeline(\"{name}\").from(0..3).to(lines(\"out.txt\"))");
    let (p, q) = (writer("p"), writer("q"));
    for script in [
        format!("let p = {p}; let m = sh(\"m\", \"true\").after(p); {q}.after(m);"),
        format!("let p = {p}; let q = {q}; p.after(q);"),
        format!("sh(\"m\", \"true\") -> {p} -> {q};"),
        format!("repeat(\"r\", #{{ max: 2 }}, |i| {p});"),
        format!("let c = sh(\"c\", \"true\"); flow(\"f\").when(|| c.passed, {p}).otherwise({q});"),
        format!("{p}.fallback({q});"),
        format!("{p}; {}", q.replace("out.txt", "other.txt")),
        format!("{p}; {}.cwd(\"elsewhere\");", q),
    ] {
        plan(&script);
    }
    for script in [
        format!("{p}; {q};"),
        format!("let a = sh(\"a\", \"true\"); a -> {p}; a -> {q};"),
        format!("each(\"e\", [1, 2], |i| {p});"),
    ] {
        assert_eq!(plan_of(&script).err().expect(&script).code(), "flow::plan::pipeline", "{script}");
    }
}

#[test]
fn what_an_alert_starts_stands_beside_what_it_watches() {
    let script = "each(\"e\", [1, 2], |i| (sh(\"a\", \"ls\") |> sh(\"b\", \"cat\")).alert(#{ metric: \"throughput\", below: 1, do: sh(\"page\", \"true\") }));";
    let plan = plan(script);
    let actions = plan.ids().filter(|id| plan.step(*id).on_alert.is_some());
    let beside = actions.filter(|id| {
        let step = plan.step(*id);
        step.parent == step.on_alert.and_then(|on| plan.step(on.step).parent)
    });
    assert_eq!(beside.count(), 2);
}
