//! What only tests of workflows have: doubles, runs in the head, and what came of them.

use rhai::plugin::*;
use rhai::{Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use crate::diag::{Diagnostic, Span};
use crate::event::{Answer, Double, Failure, FailureKind, Reply};
use crate::lang::convert::{to_dynamic, to_json};
use crate::lang::fault::{Fault, raise};
use crate::lang::keys::{FAILS, KINDS};
use crate::lang::options::{self, Options, here};
use crate::lang::trial::{self, Played, PlayedStep, Trial, Where};
use crate::lang::{agents, session};
use crate::plan::{Class, Json};

/// A double in the hands of a test: its place among those given.
#[derive(Clone, Copy, Debug)]
pub struct Given(usize);

/// The properties of runs under test and of their steps.
pub fn register_properties(engine: &mut Engine) {
    engine.register_type_with_name::<Given>("Double");
    engine.register_type_with_name::<Played>("Run");
    engine.register_type_with_name::<PlayedStep>("StepOfRun");
    engine.register_indexer_get(|run: &mut Played, name: &str| -> Result<Dynamic, Fault> {
        run.0.property(name).map(to_dynamic).map_err(raise)
    });
    engine.register_indexer_get(|step: &mut PlayedStep, name: &str| -> Result<Dynamic, Fault> {
        step.0.step_property(step.1, name).map(to_dynamic).map_err(raise)
    });
    // A method on a property (`run.order.len()`) ends with writing the value back: that changes nothing.
    engine.register_indexer_set(|_: &mut Played, _: &str, _: Dynamic| {});
    engine.register_indexer_set(|_: &mut PlayedStep, _: &str, _: Dynamic| {});
}

/// Changes how the latest attempt of a double ends.
fn change(context: &NativeCallContext, given: Given, work: impl FnOnce(&mut Reply)) -> Result<Given, Fault> {
    trial::with(context, |trial, _| {
        trial.doubles[given.0].replies.last_mut().map(work);
        given
    })
}

/// Says how one more attempt of a double ends. It takes as long as the one before.
fn then(context: &NativeCallContext, given: Given) -> Result<(), Fault> {
    trial::with(context, |trial: &mut Trial, _| {
        let replies = &mut trial.doubles[given.0].replies;
        let takes_ms = replies.last().map_or(0, |reply| reply.takes_ms);
        replies.push(Reply { takes_ms, ..Reply::default() });
    })
}

fn plain(value: &Dynamic, span: Span) -> Result<Json, Fault> {
    session::with(|session| to_json(session, value, span))
}

/// The failure that a text or a map stands for, and the exit code with it.
fn failure(value: &Dynamic, span: Span) -> Result<(Failure, Option<i32>), Fault> {
    let Some(map) = value.read_lock::<Map>() else {
        let message = match value.read_lock::<ImmutableString>() {
            Some(text) => text.to_string(),
            None => return Err(options::wrong("what a step fails with", "a text or a map", value, span)),
        };
        return Ok((Failure::new(FailureKind::Exit, message), Some(1)));
    };
    let mut given = Options::of(&FAILS, &map, span);
    let kind = given.choice("kind", &KINDS)?;
    let code = given.take("code").map(|code| options::count(&code, "`code` of `fails`", 0, span)).transpose()?;
    let class = given.choice("class", &Class::ALL)?;
    let retry_after_ms = given.duration("retry_after")?;
    let message = given.text("message")?;
    given.done()?;
    let kind = kind.unwrap_or(FailureKind::Exit);
    let code = code.map(|code| code as i32).or((kind == FailureKind::Exit).then_some(1));
    let message = message.unwrap_or_else(|| match code {
        Some(code) => format!("it ended with exit code {code}"),
        None => format!("it failed ({})", kind.name()),
    });
    let mut failure = Failure { retry_after_ms, ..Failure::new(kind, message) };
    if let Some(class) = class {
        failure.class = class;
    }
    Ok((failure, code))
}

fn answer(context: &NativeCallContext, given: Given, value: &Dynamic, form: &Map) -> Result<Given, Fault> {
    let span = here(context);
    let (value, form) = (plain(value, span)?, plain(&Dynamic::from(form.clone()), span)?);
    change(context, given, |reply| {
        let form = form.as_object().cloned().unwrap_or_default();
        reply.answer = Some(Answer { value, form, ..Answer::default() });
    })
}

fn pairs(args: Map) -> Vec<(String, Dynamic)> {
    args.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

#[export_module]
pub mod functions {
    /// A double: what stands in for a step in the simulated runs of this test. Without more said, a process succeeds with output `()`.
    ///
    /// `path`: the step's path, the end of it, or a pattern: in `lint[*]` and `*/push`, `*` stands for any text and `?` for one
    /// character. Of several doubles that fit, the one given last counts. A double for a step that never is in the run is an error, and
    /// so is one after which nothing is simulated.
    ///
    /// - `path`: the path of a step, the end of it, or a pattern with `*` and `?`
    ///
    /// ```rhai,test
    /// given("build").fails("no compiler");
    /// let run = simulate(|| { sh("build", "make") -> sh("push", "./push.sh"); });
    /// assert_eq(run.step("push").status, "skipped");
    /// ```
    ///
    /// Errors: `flow::test::double`, `flow::test::outside`.
    /// See: `.returns`, `.fails`, `simulate`, `strict`.
    #[rhai_fn(return_raw)]
    pub fn given(context: NativeCallContext, path: &str) -> Result<Given, Fault> {
        if path.is_empty() {
            return Err(raise(
                Diagnostic::new("flow::test::double", "a double needs the path of a step")
                    .label(here(&context), "given here")
                    .help("name the step: `given(\"build\")`; all of them are `given(\"*\")`"),
            ));
        }
        trial::with(&context, |trial, span| {
            trial.doubles.push(Double { pattern: path.to_owned(), span, replies: vec![Reply::default()] });
            Given(trial.doubles.len() - 1)
        })
    }

    /// The step succeeds with this output. To try how the real output of a process is read, use `prints`.
    ///
    /// - `value`: the output
    ///
    /// ```rhai,test
    /// given("coverage").returns(#{ percent: 87.5 });
    /// let run = simulate(|| { sh("coverage", "make coverage-json"); });
    /// assert_eq(run.step("coverage").output.percent, 87.5);
    /// ```
    ///
    /// Errors: `flow::test::double`, `flow::lang::type`.
    /// See: `.prints`, `.then_returns`, `.fails`.
    #[rhai_fn(return_raw)]
    pub fn returns(context: NativeCallContext, double: Given, value: Dynamic) -> Result<Given, Fault> {
        let value = plain(&value, here(&context))?;
        change(&context, double, |reply| (reply.said, reply.value) = (true, value))
    }

    /// The process prints this text, which is read as its `parse` says: an object or an array becomes one.
    ///
    /// - `text`: what the process writes to standard output
    ///
    /// ```rhai,test
    /// given("coverage").prints("{\"percent\": 87.5}\n");
    /// let run = simulate(|| { sh("coverage", "make coverage-json"); });
    /// assert_eq(run.step("coverage").output.percent, 87.5);
    /// ```
    ///
    /// Errors: `flow::test::outside`.
    /// See: `.returns`, `.warns`, `.parse`.
    #[rhai_fn(return_raw)]
    pub fn prints(context: NativeCallContext, double: Given, text: &str) -> Result<Given, Fault> {
        change(&context, double, |reply| (reply.said, reply.printed) = (true, Some(text.to_owned())))
    }

    /// The step fails: with a message, or with a map of `message`, `code` (the exit code; 1), `kind` ("exit", "timeout", "http",
    /// "connection", …), `class` ("transient", "resource", "configuration", "agent", …) and `retry_after`.
    ///
    /// Whether it is tried again depends on the class, as in a real run: exit code 75 is transient, for instance.
    ///
    /// - `what`: the message, or a map
    ///
    /// ```rhai,test
    /// given("push").fails(#{ code: 75, message: "the registry is busy" }).then_returns("pushed");
    /// let run = simulate(|| { sh("push", "./push.sh").retry(3); });
    /// assert_eq(run.step("push").attempts, 2);
    /// ```
    ///
    /// Errors: `flow::lang::unknown_option`, `flow::lang::option`.
    /// See: `.then_fails`, `.warns`, `.takes`.
    #[rhai_fn(return_raw)]
    pub fn fails(context: NativeCallContext, double: Given, what: Dynamic) -> Result<Given, Fault> {
        let (failure, code) = failure(&what, here(&context))?;
        change(&context, double, |reply| (reply.said, reply.error, reply.code) = (true, Some(failure), code))
    }

    /// What the process writes to standard error.
    ///
    /// - `text`: what the process writes to standard error
    ///
    /// ```rhai,test
    /// given("build").fails("no compiler").warns("cc: not found");
    /// let run = simulate(|| { sh("build", "make"); });
    /// assert_eq(run.step("build").stderr, "cc: not found");
    /// ```
    ///
    /// Errors: `flow::test::outside`.
    /// See: `.prints`, `.fails`.
    #[rhai_fn(return_raw)]
    pub fn warns(context: NativeCallContext, double: Given, text: &str) -> Result<Given, Fault> {
        change(&context, double, |reply| reply.stderr = Some(text.to_owned()))
    }

    /// How long the attempt takes by the clock of the simulation, and those after it. It passes at once.
    ///
    /// - `duration` (duration): how long
    ///
    /// ```rhai,test
    /// given("import").takes("2h");
    /// let run = simulate(|| { sh("import", "./import.sh").timeout("1h"); });
    /// assert_eq(run.step("import").class, "transient");
    /// assert_eq(run.duration_ms, 3600000);
    /// ```
    ///
    /// Errors: `flow::lang::option`.
    /// See: `.answers`, `simulate`.
    #[rhai_fn(return_raw)]
    pub fn takes(context: NativeCallContext, double: Given, duration: Dynamic) -> Result<Given, Fault> {
        let ms = options::duration(&duration, "the duration of `takes`", here(&context))?;
        change(&context, double, |reply| reply.takes_ms = ms)
    }

    /// What the agent uses for its answer: an amount of US dollars, or a map with `usd`, `tokens`, `turns` and `minutes`. Budgets count it.
    ///
    /// - `used` (number, or map): what is used
    ///
    /// ```rhai,test
    /// given("plan").returns("first this, then that").costs(#{ usd: 0.5, tokens: 1200, turns: 3 });
    /// let run = simulate(|| {
    ///     let plan = agent("planner", #{}).ask("plan", "Plan it");
    ///     sh("cheap", "true").when(|| plan.cost_usd < 1.0);
    /// });
    /// assert_eq(run.step("cheap").status, "success");
    /// ```
    ///
    /// Errors: `flow::lang::option`, `flow::lang::unknown_option`.
    /// See: `.returns`, `agent`, `.ask`.
    #[rhai_fn(return_raw)]
    pub fn costs(context: NativeCallContext, double: Given, used: Dynamic) -> Result<Given, Fault> {
        let usage = agents::used(&used, here(&context))?;
        change(&context, double, |reply| reply.usage = Some(usage))
    }

    /// The next attempt succeeds with this output.
    ///
    /// - `value`: the output
    ///
    /// ```rhai,test
    /// given("push").fails("503").then_fails("503").then_returns("ok");
    /// let run = simulate(|| { sh("push", "./push.sh").retry(#{ max_attempts: 3, delay: "10m" }); });
    /// assert_eq(run.step("push").attempts, 3);
    /// assert_eq(run.duration_ms, 20 * 60 * 1000);
    /// ```
    ///
    /// Errors: `flow::lang::type`.
    /// See: `.returns`, `.then_fails`.
    #[rhai_fn(return_raw)]
    pub fn then_returns(context: NativeCallContext, double: Given, value: Dynamic) -> Result<Given, Fault> {
        then(&context, double)?;
        returns(context, double, value)
    }

    /// The process of the next attempt prints this text.
    ///
    /// - `text`: what the process writes to standard output
    ///
    /// ```rhai,test
    /// given("health").fails("refused").then_prints("{\"version\": \"1.2\"}");
    /// let run = simulate(|| { sh("health", "./health.sh").retry(2); });
    /// assert_eq(run.step("health").output.version, "1.2");
    /// ```
    ///
    /// Errors: `flow::test::outside`.
    /// See: `.prints`, `.then_returns`.
    #[rhai_fn(return_raw)]
    pub fn then_prints(context: NativeCallContext, double: Given, text: &str) -> Result<Given, Fault> {
        then(&context, double)?;
        prints(context, double, text)
    }

    /// The next attempt fails, as `fails` says.
    ///
    /// - `what`: the message, or a map as for `fails`
    ///
    /// ```rhai,test
    /// given("push").fails("503").then_fails("404");
    /// let run = simulate(|| { sh("push", "./push.sh").retry(2); });
    /// assert_eq(run.step("push").error, "404");
    /// ```
    ///
    /// Errors: `flow::lang::unknown_option`, `flow::lang::option`.
    /// See: `.fails`, `.then_returns`.
    #[rhai_fn(return_raw)]
    pub fn then_fails(context: NativeCallContext, double: Given, what: Dynamic) -> Result<Given, Fault> {
        then(&context, double)?;
        fails(context, double, what)
    }

    /// What comes for a step that waits: the answer to an `approve`, the value of a `signal`; for a `wait_for`, whatever is said, the
    /// file is there. With `takes`, so long after the step began to wait. What is not said never comes.
    ///
    /// - `value`: the answer, or the value of the signal
    ///
    /// ```rhai,test
    /// given("go").answers("yes").takes("3h");
    /// let run = simulate(|| { approve("go", "Deploy?") -> sh("deploy", "./deploy.sh"); });
    /// assert(run.passed);
    /// ```
    ///
    /// Errors: `flow::test::double`.
    /// See: `approve`, `signal`, `wait_for`, `.takes`.
    #[rhai_fn(return_raw)]
    pub fn answers(context: NativeCallContext, double: Given, value: Dynamic) -> Result<Given, Fault> {
        answer(&context, double, &value, &Map::new())
    }

    /// The answer to an `approve`, with the values of its form.
    ///
    /// - `value`: the answer, or the value of the signal
    /// - `form`: the values that the person gives, by name
    ///
    /// ```rhai,test
    /// given("go").answers("yes", #{ reason: "it is well" });
    /// let run = simulate(|| { approve("go", #{ prompt: "Deploy?", form: #{ reason: "string" } }); });
    /// assert_eq(run.step("go").reason, "it is well");
    /// ```
    ///
    /// Errors: `flow::test::double`.
    /// See: `approve`, `signal`, `wait_for`, `.takes`.
    #[rhai_fn(name = "answers", return_raw)]
    pub fn answers_with(context: NativeCallContext, double: Given, value: Dynamic, form: Map) -> Result<Given, Fault> {
        answer(&context, double, &value, &form)
    }

    /// From here on a process without a double is an error, instead of succeeding with output `()`.
    ///
    /// ```rhai,test
    /// strict();
    /// assert_fails(|| simulate(|| { sh("build", "make"); }), "nothing was said of `build`");
    /// ```
    ///
    /// Errors: `flow::test::double`, `flow::test::outside`.
    /// See: `given`, `simulate`.
    #[rhai_fn(return_raw)]
    pub fn strict(context: NativeCallContext) -> Result<(), Fault> {
        trial::with(&context, |trial, _| trial.strict = true)
    }

    /// Lets a workflow run in the head: the real plan and the real engine, but no process, no request, no waiting.
    ///
    /// `workflow`: a file, named from the folder of the test; or a closure that declares the steps. `args`: its parameters. Processes
    /// and requests end as their doubles say (`given`); closures (conditions, `call`, `each`, `validate`) are really called. The clock
    /// is moved by hand, so retries, timeouts and waits of hours take no time. What is wrong with the workflow is told as `flow check`
    /// does.
    ///
    /// The run has the properties `status`, `passed`, `failed`, `order` (the paths of its steps as they began), `paths` (of all steps of
    /// its plan), `error`, `printed` and `duration_ms`.
    ///
    /// - `workflow`: a file, named from the folder of the test, or a closure that declares the steps
    /// - `args`: the parameters of the workflow, by name
    ///
    /// ```rhai,no_run
    /// given("push").fails("no connection");
    /// let run = simulate("deploy.rhai", #{ env: "staging" });
    /// assert_eq(run.status, "failed");
    /// ```
    ///
    /// In Airflow: `dag.test()` really runs the tasks. In GitHub Actions: nothing like it.
    ///
    /// Errors: `flow::test::double`, `flow::test::endless`, `flow::file::missing`.
    /// See: `given`, `execute`, `.step`, `assert_eq`.
    #[rhai_fn(return_raw)]
    pub fn simulate(context: NativeCallContext, workflow: Dynamic, args: Map) -> Result<Played, Fault> {
        trial::play(&context, &workflow, pairs(args), &Where::InTheHead)
    }

    /// Lets a workflow run in the head, without parameters.
    ///
    /// - `workflow`: a file, named from the folder of the test, or a closure that declares the steps
    ///
    /// ```rhai,test
    /// let run = simulate(|| { sh("a", "true") -> wait("settle", "1h") -> sh("b", "true"); });
    /// assert_eq(run.order, ["a", "settle", "b"]);
    /// assert_eq(run.duration_ms, 3600000);
    /// ```
    ///
    /// Errors: `flow::test::double`, `flow::test::endless`, `flow::file::missing`.
    /// See: `given`, `execute`, `.step`, `assert_eq`.
    #[rhai_fn(name = "simulate", return_raw)]
    pub fn simulate_plain(context: NativeCallContext, workflow: Dynamic) -> Result<Played, Fault> {
        trial::play(&context, &workflow, Vec::new(), &Where::InTheHead)
    }

    /// Really runs a workflow: in an empty folder of its own, with a folder of runs of its own, both gone afterwards. Doubles do not
    /// count there.
    ///
    /// - `workflow`: a file, named from the folder of the test, or a closure that declares the steps
    /// - `args`: the parameters of the workflow, by name
    ///
    /// ```rhai,test
    /// let run = execute(|| { sh("hello", "echo hello > greeting; cat greeting"); }, #{});
    /// assert_eq(run.step("hello").output, "hello");
    /// ```
    ///
    /// Errors: `flow::test::endless`, `flow::test::folder`, `flow::file::missing`.
    /// See: `simulate`, `.step`.
    #[rhai_fn(return_raw)]
    pub fn execute(context: NativeCallContext, workflow: Dynamic, args: Map) -> Result<Played, Fault> {
        trial::play(&context, &workflow, pairs(args), &Where::ForReal(Vec::new()))
    }

    /// Really runs a workflow, without parameters.
    ///
    /// - `workflow`: a file, named from the folder of the test, or a closure that declares the steps
    ///
    /// ```rhai,test
    /// let run = execute(|| { sh("one", "echo 1"); });
    /// assert_eq(run.step("one").number, 1);
    /// ```
    ///
    /// Errors: `flow::test::endless`, `flow::test::folder`, `flow::file::missing`.
    /// See: `simulate`, `.step`.
    #[rhai_fn(name = "execute", return_raw)]
    pub fn execute_plain(context: NativeCallContext, workflow: Dynamic) -> Result<Played, Fault> {
        trial::play(&context, &workflow, Vec::new(), &Where::ForReal(Vec::new()))
    }

    /// Really runs a workflow, in a folder that holds these files.
    ///
    /// - `workflow`: a file, named from the folder of the test, or a closure that declares the steps
    /// - `args`: the parameters of the workflow, by name
    /// - `files`: the texts of files by their paths, which begin in that folder
    ///
    /// ```rhai,test
    /// let run = execute(|| { sh("sort", "sort in/words.txt > sorted"); }, #{}, #{ "in/words.txt": "two\none\n" });
    /// assert_eq(run.file("sorted"), "one\ntwo\n");
    /// ```
    #[rhai_fn(name = "execute", return_raw)]
    pub fn execute_with(context: NativeCallContext, workflow: Dynamic, args: Map, files: Map) -> Result<Played, Fault> {
        let span = here(&context);
        let text = |(path, text): (rhai::Identifier, Dynamic)| {
            options::text(&text, &format!("the text of `{path}`"), span).map(|text| (path.to_string(), text))
        };
        let files = files.into_iter().map(text).collect::<Result<_, _>>()?;
        trial::play(&context, &workflow, pairs(args), &Where::ForReal(files))
    }

    /// The text of a file that a run left in its folder, if it really ran.
    ///
    /// - `path`: where it is, from the folder that the run began in
    ///
    /// ```rhai,test
    /// let run = execute(|| { sh("greet", "echo hello > greeting"); });
    /// assert_eq(run.file("greeting"), "hello\n");
    /// ```
    ///
    /// Errors: `flow::test::file`.
    /// See: `execute`, `.step`.
    #[rhai_fn(return_raw)]
    pub fn file(run: Played, path: &str) -> Result<String, Fault> {
        run.0.file(path).map_err(raise)
    }

    /// A step of a run under test, by its path or the unique end of it. It has the properties of a step's result, and `path`,
    /// `why`, `started_ms` and `finished_ms`.
    ///
    /// - `path`: the path of the step, or the unique end of it
    ///
    /// ```rhai,test
    /// given("test").fails("2 of 40 tests fail");
    /// let run = simulate(|| { sh("test", "make test") -> sh("push", "./push.sh"); });
    /// assert_eq(run.step("test").error, "2 of 40 tests fail");
    /// assert(run.step("push").why.contains("`test` failed"));
    /// ```
    ///
    /// Errors: `flow::test::no_step`, `flow::test::value`.
    /// See: `simulate`, `.started`.
    #[rhai_fn(return_raw)]
    pub fn step(run: Played, path: &str) -> Result<PlayedStep, Fault> {
        run.0.find(path).map(|id| PlayedStep(run.0.clone(), id)).map_err(raise)
    }

    /// Did a step of the run begin? An iteration that a `repeat` or an `each` of the run did not make has not.
    ///
    /// - `path`: the path of the step, or the unique end of it
    ///
    /// ```rhai,test
    /// let run = simulate(|| { sh("a", "true").when(|| 1 > 2); });
    /// assert(!run.started("a"));
    /// ```
    ///
    /// Errors: `flow::test::no_step`.
    /// See: `.before`, `.together`.
    #[rhai_fn(return_raw)]
    pub fn started(run: Played, path: &str) -> Result<bool, Fault> {
        run.0.began(path).map_err(raise)
    }

    /// Had one step of the run ended when another began?
    ///
    /// - `first`: the step that was to end first
    /// - `second`: the step that was to begin then
    ///
    /// ```rhai,test
    /// let run = simulate(|| { sh("a", "true") -> sh("b", "true"); });
    /// assert(run.before("a", "b"));
    /// ```
    ///
    /// Errors: `flow::test::no_step`.
    /// See: `.together`, `.started`.
    #[rhai_fn(return_raw)]
    pub fn before(run: Played, first: &str, second: &str) -> Result<bool, Fault> {
        run.0.before(first, second).map_err(raise)
    }

    /// Were two steps of the run going on at the same time?
    ///
    /// - `one`: a step
    /// - `other`: another one
    ///
    /// ```rhai,test
    /// let run = simulate(|| { sh("a", "true"); sh("b", "true"); });
    /// assert(run.together("a", "b"));
    /// ```
    ///
    /// Errors: `flow::test::no_step`.
    /// See: `.before`, `.started`.
    #[rhai_fn(return_raw)]
    pub fn together(run: Played, one: &str, other: &str) -> Result<bool, Fault> {
        run.0.together(one, other).map_err(raise)
    }
}
