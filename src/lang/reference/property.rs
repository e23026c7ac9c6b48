//! Properties of steps: what each means is said where results are read (`state::result`); here are examples.

use super::{Doc, Form, Item, Kind, Topic};
use crate::state::Spending;
use crate::state::result::{OF_AGENTS, PROPERTIES};

/// An example of each property, and what to see as well.
const EXAMPLES: [(&str, &str, &str); 32] = [
    (
        "output",
        "let files = sh(\"files\", \"ls\");\nsh(\"show\", `echo ${files.output}`);\nlet cover = sh(\"cover\", \"echo '{\\\"percent\\\": 87}'\");\nsh(\"gate\", \"true\").when(|| cover.output.percent > 80);",
        "`text` `json` `number` `.parse`",
    ),
    ("results", "let a = sh(\"a\", \"echo 1\");\nsh(\"b\", `echo ${a.results}`);", "`output`"),
    (
        "text",
        "let version = sh(\"version\", \"echo 1.10\");\nsh(\"tag\", `git tag v${version.text}`);",
        "`output` `lines`",
    ),
    (
        "number",
        "let size = sh(\"size\", \"wc -c < app\");\nsh(\"warn\", \"true\").when(|| size.number > 1000000);",
        "`output` `text`",
    ),
    (
        "lines",
        "let files = sh(\"files\", \"ls\");\neach(\"sizes\", files.lines, |file| exec(\"size\", [\"wc\", \"-c\", file]));",
        "`each` `text`",
    ),
    ("json", "let count = sh(\"count\", \"echo 3\");\ncall(\"next\", || count.json + 1);", "`output` `.parse`"),
    (
        "stderr",
        "let lint = sh(\"lint\", \"echo careful >&2\");\ncall(\"words\", || lint.stderr.len());",
        "`output` `error`",
    ),
    (
        "code",
        "let diff = sh(\"diff\", \"diff a b\");\nflow(\"same\").when(|| diff.code == 1, sh(\"tell\", \"echo they differ\"));",
        "`passed` `class`",
    ),
    (
        "status",
        "let test = sh(\"test\", \"true\");\ncall(\"report\", || `the tests: ${test.status}`);",
        "`passed` `failed` `skipped`",
    ),
    ("passed", "let test = sh(\"test\", \"true\");\nsh(\"ship\", \"true\").when(|| test.passed);", "`failed` `.when`"),
    ("ok", "let test = sh(\"test\", \"true\");\nsh(\"ship\", \"true\").when(|| test.ok);", "`passed`"),
    (
        "failed",
        "let test = sh(\"test\", \"true\");\nsh(\"tell\", \"echo help\").when(|| test.failed);",
        "`passed` `.on_failure`",
    ),
    (
        "skipped",
        "let extra = sh(\"extra\", \"true\").when(\"1 > 2\");\ncall(\"report\", || if extra.skipped { \"without extras\" } else { \"with extras\" }).after(extra).rule(\"all_done\");",
        "`status` `.when`",
    ),
    (
        "error",
        "let deploy = sh(\"deploy\", \"true\");\ndeploy.on_failure(sh(\"page\", `echo ${deploy.error}`));",
        "`class` `stderr`",
    ),
    (
        "class",
        "let load = sh(\"load\", \"true\");\nsh(\"page\", \"true\").when(|| load.class == \"resource\");",
        "`error` `.on_failure_retry`",
    ),
    (
        "degraded",
        "let price = sh(\"price\", \"false\").fallback(sh(\"yesterday\", \"echo 3\"));\nsh(\"warn\", \"true\").when(|| price.degraded);",
        "`answered_by` `.fallback`",
    ),
    (
        "answered_by",
        "let price = sh(\"price\", \"false\").fallback(sh(\"yesterday\", \"echo 3\"));\nsh(\"tell\", `echo from ${price.answered_by}`);",
        "`degraded` `.fallback`",
    ),
    (
        "cached",
        "let build = sh(\"build\", \"make\").cache(\"1d\");\nsh(\"tell\", `echo cached: ${build.cached}`);",
        "`.cache`",
    ),
    (
        "duration_ms",
        "let test = sh(\"test\", \"true\");\nsh(\"slow\", \"true\").when(|| test.duration_ms > 60000);",
        "`attempts`",
    ),
    (
        "attempts",
        "let fetch = sh(\"fetch\", \"true\").retry(3);\nsh(\"tell\", \"true\").when(|| fetch.attempts > 1);",
        "`.retry` `duration_ms`",
    ),
    (
        "cost_usd",
        "let plan = agent(\"coder\", #{ backend: \"claude\" }).ask(\"plan\", \"Plan it\");\nsh(\"tell\", `echo ${plan.cost_usd} USD`);",
        "`tokens` `spent` `agent`",
    ),
    (
        "tokens",
        "let plan = agent(\"coder\", #{ backend: \"claude\" }).ask(\"plan\", \"Plan it\");\nsh(\"warn\", \"true\").when(|| plan.tokens > 100000);",
        "`cost_usd` `turns` `spent`",
    ),
    (
        "turns",
        "let plan = agent(\"coder\", #{ backend: \"claude\" }).ask(\"plan\", \"Plan it\");\nsh(\"warn\", \"true\").when(|| plan.turns > 10);",
        "`tokens` `spent`",
    ),
    (
        "session",
        "let coder = agent(\"coder\", #{ backend: \"claude\" });\nlet plan = coder.ask(\"plan\", \"Plan it\");\nplan -> coder.ask(\"code\", \"Do it\", #{ session: plan.session });",
        "`.ask`",
    ),
    (
        "tools_used",
        "let plan = agent(\"coder\", #{ backend: \"claude\" }).ask(\"plan\", \"Plan it\");\ncall(\"tools\", || plan.tools_used.keys());",
        "`denials` `.ask`",
    ),
    (
        "denials",
        "let plan = agent(\"coder\", #{ backend: \"claude\" }).ask(\"plan\", \"Plan it\");\nsh(\"warn\", \"true\").when(|| plan.denials.len() > 0);",
        "`tools_used` `.ask`",
    ),
    (
        "verdict",
        "let plan = agent(\"coder\", #{ backend: \"claude\" }).ask(\"plan\", \"Plan it\");\nplan.on_failure(sh(\"tell\", `echo ${plan.verdict}`));",
        "`class` `error` `.ask`",
    ),
    (
        "changed",
        "let fix = agent(\"coder\", #{ backend: \"claude\" }).ask(\"fix\", \"Mend it\").writes([\"src/**\"]);\ncall(\"files\", || fix.changed);",
        "`.writes` `.isolate`",
    ),
    (
        "spent",
        "let money = budget(#{ usd: 5.0 });\nsh(\"tell\", `echo ${money.spent.usd} USD`);",
        "`remaining` `cost_usd`",
    ),
    (
        "budget",
        "let work = parallel(\"work\", [sh(\"a\", \"true\")]).budget(#{ usd: 1.0 });\ncall(\"left\", || work.budget.remaining.usd).after(work);",
        "`.budget` `remaining`",
    ),
    (
        "remaining",
        "let money = budget(#{ usd: 5.0 });\nsh(\"more\", \"true\").when(|| money.remaining.usd > 1.0);",
        "`spent` `limits`",
    ),
    (
        "limits",
        "let money = budget(#{ usd: 5.0 });\nsh(\"tell\", `echo ${money.spent.usd} of ${money.limits.usd} USD`);",
        "`remaining` `spent`",
    ),
];

/// All properties, as items.
pub(super) fn properties() -> impl Iterator<Item = Item> {
    let spent = |name: &str| Spending::PROPERTIES.iter().find(|(known, _)| *known == name);
    let of_agents = OF_AGENTS.iter().map(move |(name, meaning)| match spent(name) {
        Some((_, of_groups)) => {
            property(name, &format!("of an agent's answer: {meaning}; of a group or a budget: {of_groups}"))
        }
        // Any step can have this one.
        None if *name == "changed" => property(name, meaning),
        None => property(name, &format!("of an agent's answer: {meaning}")),
    });
    let alone = Spending::PROPERTIES.iter().filter(|(name, _)| !OF_AGENTS.iter().any(|(known, _)| known == name));
    let of_all = PROPERTIES.iter().chain(alone).map(|(name, meaning)| property(name, meaning));
    of_all.chain(of_agents)
}

fn property(name: &str, meaning: &str) -> Item {
    let end = if meaning.ends_with('?') { "" } else { "." };
    let meaning = format!("{}{}{end}", meaning[..1].to_uppercase(), &meaning[1..]);
    let (_, example, see) = EXAMPLES.iter().find(|(known, ..)| *known == name).copied().unwrap_or_default();
    let doc = Doc {
        meaning,
        examples: vec![("rhai".into(), format!("{example}\n"))],
        errors: vec!["flow::lang::pending".into(), "flow::lang::value".into(), "flow::lang::read_only".into()],
        see: see.split_whitespace().map(|name| name.trim_matches('`').to_owned()).collect(),
        ..Doc::default()
    };
    let signature = format!("step.{name}");
    let form = Form { signature: signature.clone(), parameters: Vec::new(), gives: String::new(), doc };
    Item {
        name: name.into(),
        kind: Kind::Property,
        topic: Topic::Values,
        signatures: vec![signature],
        text: String::new(),
        forms: vec![form],
        keys: None,
    }
}
