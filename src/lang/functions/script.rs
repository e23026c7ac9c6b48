//! What holds for the whole script: parameters, settings, limits, hooks, commands.

use rhai::plugin::*;
use rhai::{Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};

use crate::diag::{Diagnostic, Span};
use crate::lang::bounds::Bounds;
use crate::lang::convert::{Steps, is_marked, to_dynamic, to_json, to_value};
use crate::lang::fault::{Fault, raise};
use crate::lang::options::{self, Options, here, wrong};
use crate::lang::session::{self, Purpose};
use crate::lang::{combine, keys, policies, shares};
use crate::plan::{Json, Limit, Moment, Param, Value};
use crate::state::result::{parse_number, plain_text};

pub const KINDS: [(&str, &str); 7] = [
    ("string", "string"),
    ("int", "int"),
    ("float", "float"),
    ("bool", "bool"),
    ("list", "list"),
    ("map", "map"),
    ("path", "path"),
];

/// Moments of a run at which hooks run.
pub const MOMENTS: [(&str, Moment); 4] = [
    ("start", Moment::Start),
    ("success", Moment::Success),
    ("failure", Moment::Failure),
    ("complete", Moment::Complete),
];

fn kind_of_default(default: &Json) -> &'static str {
    match default {
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "float",
        Json::Number(_) => "int",
        Json::Array(_) => "list",
        Json::Object(_) => "map",
        Json::Null | Json::String(_) => "string",
    }
}

/// A given value read as the parameter's type.
fn read(kind: &str, given: &Json) -> Option<Json> {
    let Json::String(text) = given else {
        let fits = match kind {
            "string" | "path" => false,
            "int" => given.is_i64(),
            "float" => given.is_number(),
            "bool" => given.is_boolean(),
            "list" => given.is_array(),
            "map" => given.is_object(),
            _ => false,
        };
        return fits.then(|| given.clone());
    };
    match kind {
        "string" | "path" => Some(given.clone()),
        "int" => parse_number(text).filter(Json::is_i64),
        "float" => parse_number(text).and_then(|n| n.as_f64()).map(Json::from),
        "bool" => match text.as_str() {
            "true" | "yes" | "1" | "on" => Some(true.into()),
            "false" | "no" | "0" | "off" => Some(false.into()),
            _ => None,
        },
        "list" if text.trim_start().starts_with('[') => serde_json::from_str::<Json>(text).ok().filter(Json::is_array),
        "list" => Some(text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(Json::from).collect()),
        "map" => serde_json::from_str::<Json>(text).ok().filter(Json::is_object),
        _ => None,
    }
}

fn how_to_write(kind: &str) -> &'static str {
    match kind {
        "int" => "a whole number such as 3",
        "float" => "a number such as 1.5",
        "bool" => "true or false",
        "list" => "a list such as a,b,c or [\"a\", \"b\"]",
        "map" => "a JSON object such as {\"a\": 1}",
        _ => "a text",
    }
}

fn empty(kind: &str) -> Json {
    match kind {
        "int" => 0.into(),
        "float" => 0.0.into(),
        "bool" => false.into(),
        "list" => Json::Array(Vec::new()),
        "map" => Json::Object(serde_json::Map::new()),
        _ => "".into(),
    }
}

fn declare_param(context: &NativeCallContext, name: &str, map: &Map) -> Result<Dynamic, Fault> {
    declared(options::name(context, name)?, map, here(context))
}

fn declared(name: &str, map: &Map, span: Span) -> Result<Dynamic, Fault> {
    let mut options = Options::named(&keys::PARAM, format!("the parameter `{name}`"), map, span);
    let default = options.take("default").map(|value| session::with(|s| to_json(s, &value, span))).transpose()?;
    let bounds = Bounds::take(&mut options, name, span)?;
    let of_bounds = || bounds.any().map_or("string", kind_of_default);
    let given = options.choice("type", &KINDS)?;
    let kind = given.unwrap_or_else(|| default.as_ref().map_or_else(of_bounds, kind_of_default));
    bounds.check(name, kind, span)?;
    let one_of = match options.take("one_of") {
        None => Vec::new(),
        Some(value) => match session::with(|s| to_json(s, &value, span))? {
            Json::Array(items) => items,
            _ => return Err(wrong(&format!("`one_of` of the parameter `{name}`"), "an array", &value, span)),
        },
    };
    let help = options.text("help")?.unwrap_or_default();
    options.done()?;
    if let Some(default) = default.as_ref().filter(|d| read(kind, d).is_none()) {
        return Err(raise(
            Diagnostic::new(
                "flow::param::default",
                format!("the default of the parameter `{name}` cannot be {default}: its type is {kind}"),
            )
            .label_word(span, "default", "declared here")
            .help(format!("give {} as default, or another `type`", how_to_write(kind))),
        ));
    }
    if let Some(default) = default.as_ref().filter(|d| !one_of.is_empty() && !one_of.contains(d)) {
        let choices: Vec<String> = one_of.iter().map(|choice| format!("`{}`", plain_text(choice))).collect();
        return Err(raise(
            Diagnostic::new(
                "flow::param::default",
                format!("the default of the parameter `{name}` is {default}, which is none of its choices"),
            )
            .label_word(span, "default", "declared here")
            .help(format!("one of: {}; or add it to `one_of`", choices.join(", "))),
        ));
    }
    if let Some(default) = default.as_ref().filter(|d| !bounds.hold(d)) {
        return Err(raise(
            Diagnostic::new(
                "flow::param::default",
                format!("the default of the parameter `{name}` is {default}, but it must be {bounds}"),
            )
            .label_word(span, "default", "declared here")
            .help("give another default, or change `min` or `max`"),
        ));
    }
    session::with(|session| {
        let describe = session.purpose == Purpose::Describe;
        let Some(frame) = session.frames.last_mut() else { return Ok(Dynamic::UNIT) };
        let nested = frame.nested;
        let at = frame.args.iter().rposition(|(given, _)| given == name);
        let given = at.map(|at| frame.args.remove(at).1);
        frame.args.retain(|(other, _)| other != name);
        let value = match given {
            Some(given) => {
                let given = to_json(session, &given, span)?;
                let value = read(kind, &given).ok_or_else(|| {
                    let shown = plain_text(&given);
                    raise(
                        Diagnostic::new(
                            "flow::param::value",
                            format!("the parameter `{name}` cannot be `{shown}`: its type is {kind}"),
                        )
                        .label(span, "declared here")
                        .help(format!("give {}: `--arg {name}=…`", how_to_write(kind))),
                    )
                });
                match (value, describe) {
                    (Ok(value), _) => value,
                    (Err(_), true) => empty(kind),
                    (Err(fault), false) => return Err(fault),
                }
            }
            None => match (&default, describe) {
                (Some(default), _) => default.clone(),
                (None, true) => one_of.first().cloned().unwrap_or_else(|| empty(kind)),
                (None, false) => {
                    return Err(raise(
                        Diagnostic::new("flow::param::missing", format!("the parameter `{name}` must be given"))
                            .label(span, "declared here, without a default")
                            .help(format!(
                                "add `--arg {name}=…`{}",
                                if help.is_empty() { String::new() } else { format!(": {help}") }
                            )),
                    ));
                }
            },
        };
        if !one_of.is_empty() && !one_of.contains(&value) && !describe {
            let shown = plain_text(&value);
            let choices: Vec<String> = one_of.iter().map(plain_text).collect();
            let list = choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
            let near = crate::diag::nearest(&shown, choices.iter().map(String::as_str));
            let help = near.map_or_else(
                || format!("one of: {list}"),
                |near| format!("did you mean `{near}`? It is one of: {list}"),
            );
            return Err(raise(
                Diagnostic::new("flow::param::value", format!("the parameter `{name}` cannot be `{shown}`"))
                    .label(span, "declared here")
                    .help(help),
            ));
        }
        let nowhere = kind == "path" && value == "" && default.as_ref() != Some(&value);
        if nowhere && !describe {
            return Err(raise(
                Diagnostic::new("flow::param::value", format!("the parameter `{name}` is a path, and cannot be empty"))
                    .label(span, "declared here")
                    .help(format!("give a file or a folder: `--arg {name}=…`; `.` is this folder")),
            ));
        }
        if !bounds.hold(&value) && !describe {
            return Err(raise(
                Diagnostic::new(
                    "flow::param::value",
                    format!("the parameter `{name}` cannot be `{}`: it must be {bounds}", plain_text(&value)),
                )
                .label(span, "declared here")
                .help(format!("give {}: `--arg {name}=…`", bounds.way_out())),
            ));
        }
        if !nested && let Some(builder) = session.builder.as_mut() {
            if let Some(before) = builder.header.params.iter().find(|param| param.name == name) {
                return Err(raise(
                    Diagnostic::new("flow::param::duplicate", format!("the parameter `{name}` is declared twice"))
                        .label(span, "again here")
                        .label(before.span, "first here")
                        .help("keep its value in a variable: `let x = param(…);`"),
                ));
            }
            builder.header.params.push(Param {
                name: name.into(),
                kind: kind.into(),
                default,
                one_of,
                min: bounds.min,
                max: bounds.max,
                help,
                value: value.clone(),
                span,
            });
        }
        Ok(to_dynamic(value))
    })
}

#[export_module]
pub mod functions {
    /// A parameter of the workflow, given by `--arg name=value`; it appears in `flow script FILE --help`.
    ///
    /// Its value is known while the script is evaluated: plain `if` and `for` work on it. A value that does not fit is refused before anything
    /// runs.
    ///
    /// - `name`: the parameter's name
    ///
    /// ```rhai
    /// let env = param("env", #{ default: "staging", one_of: ["staging", "production"], help: "target environment" });
    /// let count = param("count", #{ default: 3, min: 1, help: "how many workers" });
    /// ```
    ///
    /// In make: a variable, `make ENV=staging`. In GitHub Actions: `inputs:`. In Airflow: `params`. In just: a recipe's parameter.
    ///
    /// Errors: `flow::param::missing`, `flow::param::unknown`, `flow::param::value`, `flow::param::default`, `flow::param::duplicate`, `flow::lang::unknown_option`
    /// See: `settings`, `workflow`, `secret`
    #[rhai_fn(name = "param", return_raw)]
    pub fn param_with(context: NativeCallContext, name: &str, options: Map) -> Result<Dynamic, Fault> {
        declare_param(&context, name, &options)
    }

    /// A parameter of the workflow: a text that must be given.
    ///
    /// ```rhai,no_run
    /// let version = param("version");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn param(context: NativeCallContext, name: &str) -> Result<Dynamic, Fault> {
        declare_param(&context, name, &Map::new())
    }

    /// A command by which chains can name a piece of work: the closure gets the params and returns a step.
    ///
    /// - `name`: as chains name it: `"/greet"`
    /// - `closure`: `|params| …`: gives the step; `params` is the map that the chain's step has
    ///
    /// ```rhai
    /// command("/greet", |params| sh("greet", `echo hello ${params.name}`));
    /// chain(#{ steps: [#{ name: "hello", command: "/greet", params: #{ name: "world" } }] });
    /// ```
    ///
    /// In GitHub Actions: a composite action. In make: `define`. In Nextflow: a process.
    ///
    /// Errors: `flow::plan::unknown_name`, `flow::lang::not_a_step`
    /// See: `chain`, `workflow`
    #[rhai_fn(return_raw)]
    pub fn command(context: NativeCallContext, name: &str, closure: FnPtr) -> Result<(), Fault> {
        let (name, mut closure) = (options::name(&context, name)?, closure);
        // Frozen like every closure: captured variables keep the value that they have now.
        closure.iter_curry_mut().for_each(|value| *value = value.clone().flatten());
        session::build(&context, |_, _| Ok(()))?;
        session::with(|session| session.commands.insert(name.into(), closure));
        Ok(())
    }

    /// A named limit: how many steps may do something at the same time, or how often within a minute.
    ///
    /// A number is the most shares held at the same time; a map says more. Steps take shares with `.limit(name)`. With a size in the
    /// place of a number the shares are sizes, too: a limit of memory. What agents say as their `max_memory` counts against the limit
    /// `memory`, if there is one of sizes.
    ///
    /// With `min` and `scale` the number of shares follows what waits: it grows at once, up to `max`, and shares that nobody held for
    /// `idle_timeout` go away again.
    ///
    /// - `name`: the limit's name
    /// - `limit` (whole number, size, or map): how many shares there are, or a map: see the table below
    ///
    /// ```rhai
    /// limit("api", #{ max: 3, per_minute: 60 });
    /// sh("ask", "true").limit("api");
    /// limit("memory", "8 GiB");
    /// sh("train", "true").limit("memory", "500 MiB");
    /// limit("workers", #{ min: 1, max: 8, scale: "queue.length / 100", idle_timeout: "1m" });
    /// sh("work", "true").limit("workers");
    /// ```
    ///
    /// In Airflow: a pool. In GitHub Actions: a concurrency group. In ninja: a `pool`.
    ///
    /// Errors: `flow::plan::limit`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `.limit`, `lock`, `settings`
    #[rhai_fn(name = "limit", return_raw)]
    pub fn declare_limit(context: NativeCallContext, name: &str, limit: Dynamic) -> Result<(), Fault> {
        let (span, name) = (here(&context), options::name(&context, name)?);
        let mut declared = Limit::default();
        let mut sized = false;
        if let Some(map) = limit.read_lock::<Map>() {
            let mut options = Options::named(&keys::LIMIT, format!("the limit `{name}`"), &map, span);
            if let Some(max) = options.take("max") {
                let (most, is_size) = shares::read(&max, &format!("`max` of the limit `{name}`"), span)?;
                (declared.max, sized) = (Some(most), is_size);
            }
            declared.per_minute = options.count("per_minute", 1)?;
            declared.scale = shares::scale(&mut options, name, declared.max, span)?;
            options.done()?;
        } else {
            let (most, is_size) = shares::read(&limit, &format!("the limit `{name}`"), span)?;
            (declared.max, sized) = (Some(most), is_size);
        }
        shares::one_kind(name, sized, span)?;
        session::build(&context, |builder, _| {
            if sized {
                builder.header.sizes.insert(name.into());
            }
            builder.header.limits.insert(name.into(), declared);
            Ok(())
        })
    }

    /// A named lock: steps with `.lock(name)` never run at the same time. Declaring it is optional.
    ///
    /// - `name`: the lock's name
    ///
    /// ```rhai
    /// lock("schema");
    /// sh("migrate", "true").lock("schema");
    /// ```
    ///
    /// In a shell: `flock`. In GitHub Actions: a `concurrency` group.
    ///
    /// Errors: `flow::lang::pending`
    /// See: `.lock`, `limit`
    #[rhai_fn(name = "lock", return_raw)]
    pub fn declare_lock(context: NativeCallContext, name: &str) -> Result<(), Fault> {
        let name = options::name(&context, name)?;
        session::build(&context, |builder, _| {
            builder.header.limits.insert(name.into(), Limit { max: Some(1), per_minute: None, scale: None });
            Ok(())
        })
    }

    /// A named breaker: after some failures in a row, further attempts are refused at once, as failures of kind `breaker`. When a time has
    /// passed, one attempt may try: if it goes well, all may again.
    ///
    /// Steps pass through it with `.breaker(name)`. Its state outlives the run: what is down in one run is not asked again by
    /// the next one. `flow breakers` shows all of them.
    ///
    /// - `name`: the breaker's name
    ///
    /// ```rhai
    /// breaker("api", #{ threshold: 5, window: "1m", reset: "30s" });
    /// sh("ask", "true").breaker("api");
    /// ```
    ///
    /// In other languages: a circuit breaker.
    ///
    /// Errors: `flow::plan::breaker`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::run::no_breaker`
    /// See: `.breaker`, `.retry`, `limit`
    #[rhai_fn(name = "breaker", return_raw)]
    pub fn declare_breaker(context: NativeCallContext, name: &str, options: Map) -> Result<(), Fault> {
        let (span, name) = (here(&context), options::name(&context, name)?);
        let breaker =
            policies::breaker_of(Options::named(&keys::BREAKER, format!("the breaker `{name}`"), &options, span))?;
        policies::declare_breaker(&context, name, breaker, span)
    }

    /// A named breaker that opens after 5 failures within a minute, for 30 seconds.
    ///
    /// ```rhai
    /// breaker("api");
    /// sh("ask", "true").breaker("api");
    /// ```
    #[rhai_fn(name = "breaker", return_raw)]
    pub fn declare_usual_breaker(context: NativeCallContext, name: &str) -> Result<(), Fault> {
        declare_breaker(context, name, Map::new())
    }

    /// A step that runs at a moment of the run: `"start"` (before all others), `"success"`, `"failure"`, `"complete"` (at the end in any case).
    ///
    /// A hook tells somebody: its failure does not change how the run ends. What cleans up after one step says `.finally`.
    ///
    /// - `moment`: one of these words
    /// - `step` (step, or a list of steps): what runs then; also a step's name
    ///
    /// ```rhai
    /// sh("work", "true");
    /// on("failure", sh("page", "echo help"));
    /// ```
    ///
    /// In GitHub Actions: a last job with `if: failure()`. In Airflow: callbacks of the DAG. In Nextflow: `workflow.onComplete`.
    ///
    /// Errors: `flow::lang::choice`, `flow::lang::nested_hook`, `flow::plan::hook`
    /// See: `.on_failure`, `.finally`
    #[rhai_fn(return_raw)]
    pub fn on(context: NativeCallContext, moment: &str, step: Dynamic) -> Result<(), Fault> {
        let span = here(&context);
        let moment = options::choice(&moment.into(), "the moment of a hook", &MOMENTS, span)?;
        if session::with(|s| s.frames.last().is_some_and(|frame| frame.nested)) {
            return Err(raise(
                Diagnostic::new("flow::lang::nested_hook", "a sub-workflow cannot have hooks of the run")
                    .label(span, "here")
                    .help("declare the hook in the script that is run, or use `.on_failure(step)` on a step"),
            ));
        }
        let step = combine::target(&context, &step)?;
        session::build(&context, |builder, _| {
            let id = step.id(builder);
            builder.header.hooks.push((moment, id));
            Ok(())
        })
    }

    /// A text as one word of a shell script, for values that are known while the script is evaluated.
    ///
    /// Results of steps that are not known yet need no quotes: they reach the shell as variables.
    ///
    /// - `value` (any value): what is to be one word
    ///
    /// ```rhai
    /// let name = "it's";
    /// sh("greet", `echo ${quote(name)}`);
    /// ```
    ///
    /// In a shell: `printf %q`. In just: `quote()`. In Python: `shlex.quote`.
    ///
    /// Errors: `flow::lang::pending`, `flow::plan::shell`, `flow::lang::option`
    /// See: `sh`, `exec`, `each`
    #[rhai_fn(return_raw)]
    pub fn quote(context: NativeCallContext, value: Dynamic) -> Result<ImmutableString, Fault> {
        let span = here(&context);
        let marked = value.read_lock::<ImmutableString>().is_some_and(|text| is_marked(&text));
        if marked || value.is::<crate::lang::handle::Pending>() {
            return Err(raise(
                Diagnostic::new("flow::lang::pending", "a result of a step needs no quotes")
                    .label(span, "quoted here")
                    .help("put it into the script as it is: results reach the shell as variables, never as text"),
            ));
        }
        let text = session::with(|s| to_value(s, &value, Steps::AsOutput, span))?;
        let text = match text {
            Value::Plain(value) => plain_text(&value),
            _ => return Err(wrong("what is quoted", "a known value", &value, span)),
        };
        Ok(crate::lang::untrusted::quoted(&text).into())
    }
}
