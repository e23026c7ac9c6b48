//! All codes of diagnostics. `docs/errors.md` is made from this list; a test runs every example.

use super::Kind;

/// One code.
pub struct Code {
    /// `flow::room::what`.
    pub name: &'static str,
    /// What it means for the exit code.
    pub kind: Kind,
    /// When it appears, in a sentence.
    pub meaning: &'static str,
    /// A script that shows it, if a script can.
    pub example: Option<&'static str>,
}

const fn usage(name: &'static str, meaning: &'static str, example: Option<&'static str>) -> Code {
    Code { name, kind: Kind::Usage, meaning, example }
}

const fn failure(name: &'static str, meaning: &'static str) -> Code {
    Code { name, kind: Kind::Failure, meaning, example: None }
}

/// The code of a name.
pub fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.name == name)
}

/// Every code there is, by room.
pub const CODES: &[Code] = &[
    // Files and command line.
    usage("flow::file::missing", "A file that was named does not exist.", None),
    usage("flow::file::unreadable", "A file cannot be read: permissions, or it is a directory.", None),
    failure("flow::file::unwritable", "A script cannot be written: permissions, or the disk is full."),
    usage("flow::file::encoding", "A script is not UTF-8.", None),
    usage("flow::file::too_large", "A script is larger than 1 MiB.", None),
    usage("flow::file::exists", "A file that would be written is there already.", None),
    usage("flow::template::unknown", "There is no template of this name.", None),
    usage("flow::project::name", "A project cannot have this name.", None),
    usage("flow::project::not_empty", "The folder for a new project holds something already.", None),
    usage("flow::cli::usage", "The command line does not fit the command.", None),
    failure("flow::cli::output", "Results or events cannot be written: the disk is full, or a folder is missing."),
    failure("flow::cli::protocol", "What comes to `flow lsp` is not what an editor says."),
    usage(
        "flow::repl::command",
        "A command of the prompt is not there, or something is missing in it or too much.",
        None,
    ),
    usage("flow::repl::empty", "There is nothing to undo, save, show or explain in the session.", None),
    failure("flow::repl::panic", "An entry has brought flow itself down; the session goes on without it."),
    usage("flow::run::unknown", "No run has this id, or several begin with it.", None),
    usage("flow::run::unfinished", "What was asked for needs a run that is at its end.", None),
    usage("flow::run::busy", "Another process works on this run.", None),
    usage(
        "flow::run::no_checkpoint",
        "The run has no checkpoint of this name, or has not reached it. `flow checkpoints RUN` lists those it can be rolled back to.",
        None,
    ),
    usage(
        "flow::run::agents",
        "What `--agents` says is neither `live` nor a recording that holds answers of agents.",
        None,
    ),
    usage("flow::recording::form", "A file of recorded answers is not as such a file is.", None),
    usage("flow::run::over", "The run is at its end, so there is nothing to resume or cancel.", None),
    usage("flow::run::other", "The run to be resumed is one of another script, or has other parameters.", None),
    usage("flow::run::no_breaker", "The folder of runs has no breaker of this name.", None),
    usage("flow::run::no_memory", "The folder of runs has no memory of this name.", None),
    usage("flow::run::no_receipt", "No finished step has a receipt of this hash.", None),
    usage("flow::run::no_step", "The run has no step of this name, or several.", None),
    usage("flow::pipeline::none", "The run has no pipeline, or the step that is named is none.", None),
    usage("flow::pipeline::which", "The run has several pipelines, and none of them is named.", None),
    usage("flow::pipeline::no_letters", "The pipeline has no dead letters that could be replayed.", None),
    usage(
        "flow::pipeline::going_on",
        "Dead letters are to be replayed while their run, or another that replays them, is not at its end.",
        None,
    ),
    usage("flow::resume::nothing", "What failed in a run is to be tried again, but nothing failed.", None),
    usage(
        "flow::resume::gone",
        "A run is to be taken up with another script, at a step that this script does not have.",
        None,
    ),
    usage(
        "flow::resume::rolling_back",
        "A run that is being rolled back to a checkpoint is to be taken up at another point.",
        None,
    ),
    usage("flow::answer::nobody", "No step of the run asks for an answer, or several do.", None),
    usage("flow::answer::not_asked", "A step is answered that asks nobody.", None),
    usage("flow::answer::early", "A step is answered before it asks.", None),
    usage("flow::answer::late", "A step is answered after its timeout.", None),
    usage("flow::answer::over", "A step is answered that is over.", None),
    usage("flow::answer::again", "A step is answered that somebody else has answered already.", None),
    usage("flow::answer::choice", "An answer is none of the choices.", None),
    usage("flow::answer::form", "A value of a form is missing, unknown or does not fit.", None),
    usage("flow::signal::unknown", "No step of the run waits for such a signal.", None),
    usage("flow::signal::over", "The steps that waited for the signal are over.", None),
    usage("flow::config::unreadable", "The project's `flow.toml` cannot be read: permissions, or it is no text.", None),
    usage("flow::config::syntax", "The project's `flow.toml` is not TOML.", None),
    usage("flow::config::unknown", "The project's `flow.toml` has a section or a key that does not exist.", None),
    usage("flow::config::value", "A key of the project's `flow.toml` has a value that it cannot have.", None),
    // Plan.
    usage("flow::plan::what_if", "`--what-if` names what the plan does not have, or a value that cannot be.", None),
    usage(
        "flow::plan::cycle",
        "Steps wait for each other in a circle, or a step waits for its own group.",
        Some("let a = sh(\"a\", \"true\");\nlet b = sh(\"b\", \"true\");\na -> b;\nb -> a;"),
    ),
    usage(
        "flow::plan::duplicate",
        "Two steps of one scope have the same name.",
        Some("sh(\"build\", \"make\");\nsh(\"build\", \"make release\");"),
    ),
    usage(
        "flow::plan::name",
        "A name is empty or holds other characters than letters, digits, `-`, `_` and `.`.",
        Some("sh(\"build it\", \"make\");"),
    ),
    usage(
        "flow::plan::unreachable",
        "A branch stands behind an `otherwise` or a condition that is always true.",
        Some("flow(\"gate\")\n    .otherwise(sh(\"a\", \"true\"))\n    .when(\"1 < 2\", sh(\"b\", \"true\"));"),
    ),
    usage(
        "flow::plan::hook",
        "A step waits for a hook that runs later; or, as a warning, a hook is skipped when it is needed.",
        Some(
            "let build = sh(\"build\", \"make\");\nlet page = sh(\"page\", \"./page.sh\");\non(\"failure\", page);\npage -> build;",
        ),
    ),
    usage(
        "flow::plan::stream",
        "A step cannot stand in a stream, or stands in something else already; or the steps of a stream wait for each other.",
        Some("let a = sh(\"a\", \"ls\");\na |> sh(\"b\", \"sort\");\na |> sh(\"c\", \"wc -l\");"),
    ),
    usage(
        "flow::plan::stream_policy",
        "A policy of a step in a stream is about the whole stream, or means nothing there.",
        Some("sh(\"a\", \"ls\") |> sh(\"b\", \"sort\").rule(\"all_done\");"),
    ),
    usage(
        "flow::plan::pipeline",
        "A pipeline has no source, would never end, or has stages that cannot work.",
        Some("pipeline(\"p\").stage(\"loud\", |text| text.to_upper());"),
    ),
    usage(
        "flow::plan::quorum",
        "More steps are to succeed than there are, or none.",
        Some("quorum(3, [sh(\"a\", \"true\"), sh(\"b\", \"true\")]);"),
    ),
    usage(
        "flow::plan::alert",
        "An alert watches what has no such figures, or starts a step that it cannot start.",
        Some("sh(\"build\", \"make\").alert(#{ metric: \"error_rate\", above: 0.1 });"),
    ),
    usage(
        "flow::plan::limit",
        "A limit is 0 or not declared, or a step asks for more than the limit can give.",
        Some("limit(\"db\", #{ max: 2 });\nsh(\"load\", \"./load.sh\").limit(\"db\", 3);"),
    ),
    usage(
        "flow::plan::budget",
        "A budget cannot mean what it says: there are two of one group, nothing uses it, or an agent would never start under it.",
        Some("budget(#{ usd: 5.0 });\nbudget(\"more\", #{ turns: 100 });"),
    ),
    usage(
        "flow::plan::breaker",
        "A step names a breaker that is not declared.",
        Some("breaker(\"payments\");\nsh(\"pay\", \"./pay.sh\").breaker(\"payment\");"),
    ),
    usage(
        "flow::plan::checkpoint",
        "Two checkpoints have the same name, or one has a name or a place that a run cannot go back to.",
        Some("sh(\"a\", \"true\").checkpoint(\"half\");\nsh(\"b\", \"true\").checkpoint(\"half\");"),
    ),
    usage(
        "flow::plan::undo",
        "A fallback, or what undoes a step, waits for others, is waited for, or is part of the step itself.",
        Some("let a = sh(\"a\", \"true\");\nlet back = sh(\"back\", \"true\");\na -> back;\na.undo(back);"),
    ),
    usage("flow::plan::setting", "A setting of the whole script has a value with which nothing could run.", None),
    usage(
        "flow::plan::policy",
        "A policy means nothing where it stands, or can never be met.",
        Some("chain(\"all\", [sh(\"a\", \"true\"), sh(\"b\", \"true\")]).stdin(\"x\");"),
    ),
    usage(
        "flow::plan::never",
        "A warning: a step or a branch has a condition that is always false.",
        Some("flow(\"gate\")\n    .when(\"2 < 1\", sh(\"a\", \"true\"))\n    .otherwise(sh(\"b\", \"true\"));"),
    ),
    usage(
        "flow::plan::repeated",
        "A warning: a flow asks the same condition twice, so the second branch is never taken.",
        None,
    ),
    usage(
        "flow::plan::rule",
        "A warning: a rule has nothing to judge, or can never be satisfied.",
        Some("sh(\"tidy\", \"rm -rf tmp\").rule(\"all_done\");"),
    ),
    usage(
        "flow::plan::not_live",
        "A warning: an agent in a stream begins only when those before it have ended, since its backend cannot read while they write.",
        Some(
            "let a = agent(\"a\", #{ command: [\"./a.sh\"] });\nlet b = agent(\"b\", #{ backend: \"codex\" });\na.ask(\"Look for leaks\") |> b.ask(\"Mend what was found\");",
        ),
    ),
    usage(
        "flow::plan::agent",
        "A question to an agent says something that its backend does not have, or lacks something that it needs.",
        Some("agent(\"a\", #{ backend: \"anthropic\", tools: [\"Read\"] }).ask(\"Look\");"),
    ),
    usage("flow::plan::too_large", "The plan has too many steps to be drawn in this format.", None),
    failure("flow::run::driver", "A run cannot begin or go on because the system refuses a thread, or flow is wrong."),
    failure("flow::run::stopped", "A run ended before its script had the result that it waited for with `run(…)`."),
    // Store.
    failure("flow::store::open", "The database cannot be opened or created."),
    failure("flow::store::newer", "The database was written by a newer version of flow."),
    failure("flow::store::corrupt", "The database or a log in it is damaged."),
    failure("flow::store::write", "Nothing more can be written: the disk is full or the folder read-only."),
    failure("flow::store::tampered", "An event's hash does not fit its content or the event before it."),
    // Receipts.
    usage(
        "flow::key::unreadable",
        "A key that signs receipts, or that checks signatures, is missing or no Ed25519 key in PEM.",
        None,
    ),
    failure("flow::key::other", "A run or an export is not signed with the key that was asked for."),
    failure(
        "flow::export::changed",
        "An exported run is not what was written: a line was changed, moved or taken out.",
    ),
    // Parameters.
    usage("flow::param::missing", "A parameter without a default was not given.", Some("let v = param(\"version\");")),
    usage("flow::param::unknown", "A parameter was given that the script does not declare.", None),
    usage("flow::param::value", "A parameter's value does not fit its type or its choices.", None),
    usage(
        "flow::param::default",
        "A parameter's default does not fit its type or its choices.",
        Some("param(\"n\", #{ default: \"x\", type: \"int\" });"),
    ),
    usage(
        "flow::param::duplicate",
        "A parameter is declared twice.",
        Some("param(\"n\", #{ default: 1 });\nparam(\"n\", #{ default: 2 });"),
    ),
    // The language.
    failure("flow::fmt::unsure", "A script cannot be formatted without changing what it means; it is left as it is."),
    usage("flow::lang::syntax", "The script cannot be read.", Some("let a = sh(\"a\", \"true\";")),
    usage("flow::lang::script", "The script failed in another way than those listed here.", None),
    usage("flow::lang::thrown", "The script ended itself with `throw`.", Some("throw \"not on a Friday\";")),
    usage(
        "flow::lang::limit",
        "The script is too large, too deep or takes too long.",
        Some("fn f(n) { f(n + 1) }\nf(1);"),
    ),
    usage("flow::lang::arithmetic", "A computation has no result.", Some("let x = 1 / 0;")),
    usage("flow::lang::constant", "A constant is changed.", Some("const X = 1;\nX = 2;")),
    usage("flow::lang::duplicate_function", "A function is declared twice.", Some("fn f() { 1 }\nfn f() { 2 }")),
    usage(
        "flow::lang::unknown_variable",
        "A variable is used that is not declared.",
        Some("sh(\"a\", `echo ${HOME}`);"),
    ),
    usage("flow::lang::unknown_function", "A function is called that does not exist.", Some("shh(\"a\", \"true\");")),
    usage(
        "flow::lang::unknown_method",
        "A method is called that steps do not have.",
        Some("sh(\"a\", \"true\").retyr(3);"),
    ),
    usage(
        "flow::lang::unknown_key",
        "A key or an item is read that a map or an array does not have.",
        Some("let m = #{ abc: 1 };\nm.abd;"),
    ),
    usage(
        "flow::lang::unknown_module",
        "A module is imported that does not exist.",
        Some("import \"std/checsk\" as checks;"),
    ),
    usage(
        "flow::lang::unknown_option",
        "An option is given that does not exist.",
        Some("sh(\"a\", \"true\").retry(#{ max_atempts: 3 });"),
    ),
    usage("flow::lang::arguments", "A function is called with other values than it takes.", Some("sh(\"a\");")),
    usage(
        "flow::lang::option",
        "An option has a value that it cannot have.",
        Some("sh(\"a\", \"true\").timeout(\"10\");"),
    ),
    usage(
        "flow::lang::choice",
        "A word is none of those that can stand there.",
        Some("sh(\"a\", \"true\").rule(\"all_sucess\");"),
    ),
    usage(
        "flow::lang::url",
        "A URL is not one, or not one of `http` or `https`.",
        Some("http(\"health\", \"example.org/health\");"),
    ),
    usage("flow::lang::type", "A value is of another kind than is needed.", Some("let x = 5;\nif x { }")),
    usage("flow::lang::nothing", "`()` is compared by size.", Some("() > 3;")),
    usage("flow::lang::text_number", "A text is compared with a number.", Some("\"87.5\" > 80;")),
    usage(
        "flow::lang::pending",
        "A result is needed that is not known before its step has run.",
        Some("let t = sh(\"test\", \"make test\");\nif t.passed { }"),
    ),
    usage(
        "flow::lang::step_value",
        "A step stands where a value is needed.",
        Some("let t = sh(\"test\", \"make test\");\nt == \"passed\";"),
    ),
    usage(
        "flow::lang::secret",
        "A secret stands where it would become text, or be looked at.",
        Some("sh(\"push\", `curl -H \"X-Token: ${secret(\"TOKEN\")}\" https://example.com`);"),
    ),
    usage("flow::lang::not_a_step", "Something else stands where a step is needed.", Some("chain([\"make test\"]);")),
    usage(
        "flow::lang::not_a_flow",
        "A branch is added to a step that is no `flow`.",
        Some("let a = sh(\"a\", \"true\");\na.otherwise(sh(\"b\", \"true\"));"),
    ),
    usage(
        "flow::lang::not_a_board",
        "Something is noted on a step that is no board.",
        Some("let a = sh(\"a\", \"true\");\na.put(\"key\", 1);"),
    ),
    usage("flow::lang::items", "The items of an `each` are no array.", None),
    usage(
        "flow::lang::outside_step",
        "The closure of an `each` returned a step that was declared outside of it.",
        Some("let a = sh(\"a\", \"true\");\neach(\"all\", [1, 2], |n| a);"),
    ),
    usage(
        "flow::lang::itself",
        "A closure about a step's own result names the step, instead of using its parameter.",
        Some("let a = sh(\"a\", \"echo 1\");\na.validate(|r| a.number > 0);"),
    ),
    usage(
        "flow::lang::class",
        "A rule about classes of failures cannot be read.",
        Some("settings(#{ classes: #{ \"exti 75\": \"transient\" } });"),
    ),
    usage(
        "flow::lang::schema",
        "What `validate` or `schema` is given is no JSON Schema, or one that checks nothing.",
        Some("sh(\"a\", \"echo '[]'\").validate(#{ type: \"arary\" });"),
    ),
    usage("flow::lang::already_ran", "A step is changed after `run(step)`.", None),
    usage(
        "flow::lang::read_only",
        "A property of a step is set.",
        Some("let a = sh(\"a\", \"true\");\na.timeout = 5;"),
    ),
    usage("flow::lang::run_nested", "`run` stands in a sub-workflow or a fan-out.", None),
    usage("flow::lang::nested_hook", "A sub-workflow declares a hook of the run.", None),
    usage("flow::lang::workflow_depth", "Workflows contain each other too deeply.", None),
    usage("flow::lang::import_cycle", "Modules import each other.", None),
    usage(
        "flow::lang::import_outside",
        "A file outside of the script's folder is imported.",
        Some("import \"../secrets\" as s;"),
    ),
    usage(
        "flow::lang::swarm",
        "A swarm or a pool of agents cannot be what it is said to be.",
        Some("swarm(\"review\", #{ goal: \"Review it\", agents: [] });"),
    ),
    usage(
        "flow::lang::not_a_swarm",
        "Something of a swarm is said of another step.",
        Some("sh(\"a\", \"true\").goal(\"Review it\");"),
    ),
    usage(
        "flow::lang::agent",
        "Something that is said of an agent cannot be, or there is no such agent or backend.",
        Some("agent(\"coder\", #{ backend: \"claud\" });"),
    ),
    usage(
        "flow::lang::agent_file",
        "A file of an agent is not loaded, or not quite in order, or a folder holds none.",
        Some("let team = agents(\"nowhere\");"),
    ),
    usage("flow::lang::not_available", "Something of the language that this version cannot run.", Some("sleep(1);")),
    usage(
        "flow::lang::pipeline",
        "Something else stands where a pipeline needs its source, its sink or a stage.",
        Some("pipeline(\"p\").from(\"access.log\");"),
    ),
    usage(
        "flow::lang::stage",
        "A stage of a pipeline has a name that it cannot have, or options that mean nothing for it.",
        Some("pipeline(\"p\").from([1]).stage(\"a\", |n| n).stage(\"a\", |n| n + 1);"),
    ),
    usage(
        "flow::lang::not_a_pipeline",
        "`.from`, `.stage` and the others are called on a step that is no pipeline.",
        Some("sh(\"a\", \"ls\").stage(\"loud\", |text| text.to_upper());"),
    ),
    usage(
        "flow::lang::closure",
        "A closure that is called for each item takes several values.",
        Some("sh(\"a\", \"ls\") |> lines(|line, number| line);"),
    ),
    failure("flow::lang::not_building", "A closure that only computes declares a step."),
    failure("flow::lang::not_captured", "A closure reads a step that it does not name itself."),
    failure("flow::lang::value", "A result cannot be read, or has no such key."),
    // The plan.
    usage("flow::plan::arrow", "An arrow text cannot be read.", Some("chain(\"a -> -> b\");")),
    usage(
        "flow::plan::expression",
        "An expression cannot be read.",
        Some("sh(\"a\", \"true\").when(\"x.passed &&\");"),
    ),
    usage(
        "flow::plan::shell",
        "A result stands at a place of a shell script where no quoting keeps it from being evaluated.",
        Some("let n = sh(\"n\", \"echo 1\");\nsh(\"a\", `echo $((${n.output} + 1))`);"),
    ),
    usage(
        "flow::plan::two_owners",
        "Two flows decide about one step.",
        Some("let a = sh(\"a\", \"true\");\nflow(\"x\").when(true, a);\nflow(\"y\").when(true, a);"),
    ),
    usage(
        "flow::plan::unknown_name",
        "A name in an arrow text or in `command:` stands for nothing.",
        Some("sh(\"build\", \"make\");\nchain(\"biuld -> test\");"),
    ),
    usage(
        "flow::plan::unknown_step",
        "An expression names a step that does not exist.",
        Some("sh(\"build\", \"make\");\nsh(\"push\", \"./push.sh ${biuld.output}\");"),
    ),
    // Tests of workflows.
    failure("flow::test::assert", "What a test claims is not so."),
    failure(
        "flow::test::double",
        "A double is for a step that never was in the run, or says what does not fit it; or `strict()` holds and a process has none.",
    ),
    failure("flow::test::no_step", "A test looks at a step that the run does not have, or at one of several."),
    failure("flow::test::value", "A test reads of a step what is not there."),
    failure("flow::test::coverage", "Less was covered by tests than `--coverage-min` asks for."),
    failure(
        "flow::test::file",
        "A test reads a file that the run under test has not left, or gives it one outside of its folder.",
    ),
    failure("flow::test::path", "A recorded run, played again, went another way."),
    usage("flow::test::recording", "What is to be played again does not hold a whole run.", None),
    failure("flow::test::endless", "A run under test, or a test, did not come to its end in time."),
    failure("flow::test::panic", "A mistake in flow ended a test."),
    failure("flow::test::folder", "The folder that a workflow under test is to run in cannot be made."),
    failure("flow::test::skipped", "A test says that it cannot be made here."),
    usage("flow::test::outside", "A function for tests is called where no test is made.", None),
    usage("flow::test::parameters", "A function `test_…` takes parameters, which nobody would give it.", None),
    usage("flow::test::none", "There are no tests, or none of the name that was given.", None),
];
