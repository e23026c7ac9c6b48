//! The plans that are drawn.

use serde_json::json;

use flow::plan::*;

use super::sample::{Sample, closure, expression, plain, reference, when};

/// All of them, by the name of their golden files.
pub fn all() -> Vec<(&'static str, Plan)> {
    vec![
        ("deploy", deploy()),
        ("shapes", shapes()),
        ("live", live()),
        ("wide", wide()),
        ("hostile", hostile()),
        ("agents", agents()),
        ("empty", empty()),
    ]
}

/// A deployment with parameters, a gate and hooks.
pub fn deploy() -> Plan {
    let mut s = Sample::new("deploy");
    let param = |name: &str, kind: &str, value: Json, default: Option<Json>| Param {
        name: name.into(),
        kind: kind.into(),
        default,
        one_of: Vec::new(),
        min: None,
        max: None,
        help: String::new(),
        value,
        span: flow::diag::Span::at(1, 1),
    };
    let mut env = param("env", "string", json!("staging"), Some(json!("staging")));
    env.one_of = vec![json!("staging"), json!("production")];
    env.help = "target environment".into();
    let mut keep = param("keep", "int", json!(5), Some(json!(3)));
    keep.help = "releases that are kept".into();
    s.plan.header.params = vec![env, keep, param("version", "string", json!("1.4.0"), None)];
    s.plan.header.settings.max_parallel = Some(4);
    s.plan.header.settings.timeout_ms = Some(3_600_000);
    s.plan.header.limits.insert("release".into(), Limit { max: Some(1), per_minute: None, scale: None });
    s.plan.header.limits.insert("api".into(), Limit { max: Some(2), per_minute: Some(60), scale: None });

    let build = s.sh("build", "make release VERSION=1.4.0");
    let policy = s.step(build).policy_mut();
    policy.timeout_ms = Some(20 * 60_000);
    policy.estimate_ms = Some(90_000);
    policy.desc = Some("Compiles the program with all optimisations".into());
    let test = s.sh("test", "make test");
    s.step(test).policy_mut().retry = Some(Retry { max_attempts: 3, ..Retry::default() });
    s.step(test).policy_mut().estimate_ms = Some(40_000);
    let cover = s.sh("coverage", "make coverage-json");
    s.step(cover).policy_mut().estimate_ms = Some(60_000);
    s.order(build, test);
    s.order(build, cover);

    let push = s.sh("push", "./push.sh staging ${build.output.archive}");
    s.step(push).policy_mut().limits = vec![("release".into(), 1), ("api".into(), 2)];
    let smoke = s.sh("smoke", "curl --fail --silent https://staging.example.org/health | grep -q ok");
    let staging = s.chain("to-staging", &[push, smoke]);
    let notify = s.sh("notify", "./page-team.sh \"coverage ${coverage.output.percent}\"");
    let gate = s.flow(
        "gate",
        vec![(when("test.passed && cover.output.percent > 80", &[test, cover]), staging), (None, notify)],
    );
    let tag = s.sh("tag", "git tag v1.4.0");
    s.order(gate, tag);
    s.when(tag, expression("env == 'production' and smoke.passed", &[("smoke", smoke)]).expect("some"));

    let page = s.sh("page", "./page.sh deployment failed");
    s.hook(Moment::Failure, page);
    let tidy = s.sh("tidy", "rm -rf build/tmp");
    let report = s.sh("report", "./report.sh");
    let after = s.chain("after", &[tidy, report]);
    s.hook(Moment::Complete, after);
    s.plan
}

/// One of everything.
pub fn shapes() -> Plan {
    let mut s = Sample::new("shapes");
    let files = s.add("files", Task::Exec(vec![plain("git"), plain("ls-files"), plain("*.rs two")]));
    s.step(files).policy_mut().parse = Parse::Lines;
    let lint = s.each_pending("lint", files);
    let sum = s.add("sum", Task::Call(closure("|results| results.len()", &[lint])));
    s.data(lint, sum);
    let known = [s.sh("pack", "tar cf a.tar a"), s.sh("pack", "tar cf b.tar b")];
    let packs = s.each("packs", &[("a", known[0]), ("b", known[1])]);
    let poll = s.repeat("poll", 10, Some("|last| last.status == \"ready\""));
    s.order(packs, poll);
    let sub = s.workflow(
        "release",
        "release.rhai",
        vec![("version".into(), plain("1.0")), ("notes".into(), reference(sum, "output"))],
    );
    s.data(sum, sub);
    let pause = s.add("pause", Task::Wait(90_000));
    s.order(poll, pause);
    let config = s.add("config", Task::Const(plain(json!({"replicas": 3, "zone": "eu"}))));
    let fail = s.add("give-up", Task::Fail(Value::Text(vec![plain("no luck: "), reference(sub, "error")])));
    s.data(sub, fail);
    let ok = s.sh("ok", "echo fine");
    let maybe = s.sh("maybe", "echo maybe");
    let inner = s.flow("second-look", vec![(when("config.output.replicas > 2", &[config]), maybe)]);
    s.flow("verdict", vec![(when("release.passed", &[sub]), ok), (Some(Condition::Known(false)), inner), (None, fail)]);
    let [a, b, c] = ["a", "b", "c"].map(|name| s.sh(name, "true"));
    let ab = s.chain("chain-1", &[a, b]);
    s.step(ab).anonymous = true;
    let side = s.parallel("side", &[ab, c]);
    let join = s.sh("join", "cat ${a.output} ${b.output} ${c.output} ${sum.output}");
    s.order(side, join);
    let policy = s.step(join).policy_mut();
    policy.rule = Rule::AllDone;
    policy.on_error = Some(OnError::Continue);
    policy.priority = 5;
    policy.cwd = Some(plain("build"));
    policy.env = vec![("MODE".into(), plain("fast")), ("INPUT".into(), reference(c, "text"))];
    policy.secret = true;
    policy.tags = vec!["slow".into(), "nightly".into()];
    s.parallel("nothing", &[]);
    s.plan.header.stopped_at = Some(flow::diag::Span::at(40, 9));
    s.plan.complete = false;
    s.plan
}

/// Streams, pipelines, quorums, and what alerts start.
pub fn live() -> Plan {
    let mut s = Sample::new("live");
    let ready = s.sh("ready", "./wait-for-input.sh");
    let [a, b] = ["a", "b"].map(|name| s.sh(name, &format!("zcat {name}.log.gz")));
    let pick = s.add(
        "pick",
        Task::Filter(Box::new(Filter {
            closure: closure("|entry| if entry.status >= 500 { entry }", &[]),
            reads: Reads::Ndjson,
            on_error: ItemError::Skip,
        })),
    );
    let count = s.sh("count", "sort | uniq -c");
    s.step(count).policy_mut().retry = Some(Retry { max_attempts: 3, ..Retry::default() });
    s.step(count).policy_mut().ack = Ack::Line;
    let save = s.add("save", Task::Exec(vec![plain("tee"), plain("all.log")]));
    let stream = s.stream("errors", &[&[a, b], &[pick], &[count, save]]);
    s.order(ready, stream);
    let mut task = Stream::of(vec![vec![a, b], vec![pick], vec![count, save]]);
    (task.merge, task.slow, task.tee) = (Merge::Tagged, Slow::DropOldest(1_000), 8 << 20);
    s.step(stream).task = std::sync::Arc::new(Task::Stream(Box::new(task)));
    s.step(stream).policy_mut().timeout_ms = Some(60_000);

    let stage = |name: &str, work: StageWork| Stage::new(name, work, flow::diag::Span::default());
    let mut parse = stage("parse", StageWork::Map(closure("|line| parse(line)", &[])));
    (parse.parallelism, parse.ordered, parse.on_error) = (4, false, Some(ItemError::DeadLetter));
    let mut send =
        stage("send", StageWork::Http(closure("|items| #{ method: \"POST\", url: \"https://example.org\" }", &[])));
    (send.batch_size, send.batch_timeout_ms, send.timeout_ms) = (Some(100), Some(1_000), Some(5_000));
    send.retry = Some(Retry { max_attempts: 3, ..Retry::default() });
    (send.buffer_size, send.overflow) = (Some(10), Some(Overflow::DropOldest));
    let ways = vec![
        stage("small", StageWork::Map(closure("|item| item.n < 10", &[]))),
        stage("model", StageWork::Worker(Command::Exec(vec![plain("python3"), plain("worker.py")]))),
    ];
    let mut pipeline = Pipeline::of(Source::File { path: reference(count, "text"), format: Format::Lines });
    pipeline.stages = vec![
        parse,
        stage("bad", StageWork::Filter(closure("|item| item.status >= 500", &[]))),
        stage("both", StageWork::Each(ways)),
        send,
    ];
    pipeline.sink = Sink::File { path: plain("out.ndjson"), format: Format::Ndjson, append: false };
    (pipeline.take, pipeline.on_error) = (Some(10_000), ItemError::Skip);
    let logs = s.add("logs", Task::Pipeline(Box::new(pipeline)));
    s.data(count, logs);
    let page = s.sh("page", "./page.sh");
    let alert = Alert {
        metric: Metric::ErrorRate,
        stage: Some("parse".into()),
        above: Some(0.1),
        below: None,
        for_ms: 30_000,
        severity: Severity::Critical,
        action: None,
        span: flow::diag::Span::default(),
    };
    s.alert(logs, alert, page);
    let mut ticks = Pipeline::of(Source::Interval(1_000));
    (ticks.continuous, ticks.overflow) = (true, Overflow::DropNewest);
    s.add("ticks", Task::Pipeline(Box::new(ticks)));

    let mirrors = ["eu", "us", "asia"].map(|name| s.sh(name, &format!("curl --fail {name}.example.org/file")));
    s.quorum("mirror", 1, &mirrors);
    let votes = ["one", "two", "three"].map(|name| s.sh(name, "./vote.sh"));
    s.quorum("votes", 2, &votes);
    let checks = ["fmt", "lint"].map(|name| s.sh(name, "./check.sh"));
    s.quorum("checks", 2, &checks);
    s.plan
}

/// A wide fan-out, a long chain, and a few steps that differ.
pub fn wide() -> Plan {
    let mut s = Sample::new("wide");
    let start = s.sh("start", "true");
    let mut parts = Vec::new();
    for n in 0..300 {
        let id = s.sh(&format!("part-{n}"), &format!("./part.sh {n}"));
        s.order(start, id);
        parts.push(id);
    }
    let special = s.sh("special", "./special.sh");
    s.order(start, special);
    s.when(special, when("start.output.special", &[start]).expect("some"));
    let join = s.sh("join", "./join.sh");
    for part in parts {
        s.order(part, join);
    }
    let steps: Vec<_> = (0..100).map(|n| s.sh(&format!("link-{n}"), "true")).collect();
    let chain = s.chain("links", &steps);
    s.order(join, chain);
    let mut inner = s.sh("leaf", "true");
    for n in 0..100 {
        inner = s.parallel(&format!("nest-{n}"), &[inner]);
    }
    s.plan
}

/// Names, scripts and conditions that would break out of a careless drawing.
pub fn hostile() -> Plan {
    let mut s = Sample::new("hos\"tile</svg>");
    let a = s.sh("größe-日本語", "echo \u{1b}[31m \"quoted\" <b>&amp;</b> | tee \\n 'x' `y`\nsecond line # {}[]");
    s.step(a).policy_mut().desc = Some("]] --> <script>alert(1)</script> \u{202e}reversed".into());
    let b = s.sh("end", "true");
    let c = s.sh("subgraph", "true");
    s.flow("gate", vec![(when("a.output == \"x|y\" && a.code < 3 -->", &[a]), b), (None, c)]);
    s.plan
}

/// Agents, with what is said of each.
pub fn agents() -> Plan {
    let mut s = Sample::new("agents");
    let ask = |agent: Agent, prompt: &str| Ask {
        agent: std::sync::Arc::new(agent),
        prompt: plain(prompt),
        schema: None,
        context: Context::Last,
        earlier: Vec::new(),
        readers: Vec::new(),
        session: None,
        takes_over: None,
        boards: Vec::new(),
        emit: Emit::Events,
        strict: false,
    };
    let lead = Agent {
        name: "lead".into(),
        backend: "codex".into(),
        model: Some(plain("gpt-x")),
        role: Some("developer".into()),
        tools: Some(vec!["Read".into(), "Edit".into()]),
        deny_tools: vec!["WebFetch".into()],
        permission: Permission::Edit,
        max_turns: Some(20),
        budget: Some(Budget { usd: Some(1.5), ..Budget::default() }),
        max_memory: Some(2 << 30),
        ..Agent::default()
    };
    let schema = json!({ "type": "object", "properties": { "tasks": { "type": "array" } } });
    let plan = Ask { schema: Some(schema), ..ask(lead, "Plan how to mend the leak in the parser") };
    let plan = s.add("plan", Task::Agent(Box::new(plan)));
    // Called after the agent, whose role is its name.
    let coder = |role: &str| Agent {
        name: "coder".into(),
        backend: "claude".into(),
        role: Some(role.into()),
        ..Agent::default()
    };
    let code = s.add("coder-2", Task::Agent(Box::new(ask(coder("coder"), "Do what was planned"))));
    let all = Ask { context: Context::All, ..ask(coder("reviewer"), "Is it right?") };
    let all = Ask { earlier: vec![("plan".into(), reference(plan, "output"))], ..all };
    let review = s.add("review", Task::Agent(Box::new(all)));
    s.order(plan, code);
    s.order(code, review);
    s.plan
}

/// Nothing at all.
pub fn empty() -> Plan {
    Sample::new("empty").plan
}

/// Layers of steps with edges of no particular order, for looking at drawings.
#[allow(dead_code)]
pub fn tangle(layers: usize, width: usize) -> Plan {
    let mut s = Sample::new("tangle");
    let mut seed = 11u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut all: Vec<StepId> = Vec::new();
    for layer in 0..layers {
        for n in 0..width {
            let id = s.sh(&format!("step-{layer}-{n}"), &format!("./run {layer} {n}"));
            if layer > 0 {
                for _ in 0..1 + random(2) {
                    let near = (layer - 1) * width + (n + random(3) + width - 1) % width;
                    s.order(all[near], id);
                }
                if random(6) == 0 {
                    s.data(all[random(layer * width)], id);
                }
            }
            all.push(id);
        }
    }
    s.plan
}
