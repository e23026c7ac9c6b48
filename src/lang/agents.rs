//! Agents of scripts: what is said of them, and what they are asked.

mod ask;
mod delegate;
mod file;
mod folder;
mod named;
mod schema;

use std::sync::Arc;

use rhai::{Array, Dynamic, Map, NativeCallContext};
use smol_str::SmolStr;

use super::convert::{Steps, to_json, to_value};
use super::fault::{Fault, raise};
use super::handle::{self, Pending, Step};
use super::keys;
use super::options::{self, Options, here, texts, wrong};
use super::session;
use super::surroundings::Surroundings;
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::event::{Tokens, Usage};
use crate::plan::{
    Agent, AgentConfig, AgentInput, BACKENDS, Backend, BackendSpec, Budget, Json, Permission, SecretRef, Speaks, Value,
    check_url,
};

pub use ask::{CONTEXT_WORDS, ask, asked_by_input};
pub use delegate::delegate;
pub use file::{Remark, text_of};
pub use folder::{Found, Origin, known};
pub use named::{find, names, of_folder, of_name};

/// Whose settings an agent uses, by the names in scripts.
pub const CONFIG: [(&str, AgentConfig); 2] = [("own", AgentConfig::Own), ("user", AgentConfig::User)];

/// How a program gets its task, by the names in scripts.
pub const INPUT: [(&str, AgentInput); 3] =
    [("stdin", AgentInput::Stdin), ("argument", AgentInput::Argument), ("ndjson", AgentInput::Ndjson)];

/// The backend where nothing says another one.
const USUAL: &str = "claude";

/// `agent(name, #{…})`
pub fn declare(context: &NativeCallContext, name: &str, said: &Map) -> Result<handle::Agent, Fault> {
    session::build(context, |_, _| Ok(()))?;
    let (span, name) = (here(context), options::name(context, name)?);
    if name.trim().is_empty() {
        return Err(raise(
            Diagnostic::new("flow::lang::agent", "an agent needs a name")
                .label(span, "here")
                .help("`agent(\"coder\", #{ … })`"),
        ));
    }
    let mut agent = Agent { name: name.into(), ..Agent::default() };
    let mut options = Options::named(&keys::AGENT, format!("the agent `{name}`"), said, span);
    let surroundings = session::with(|session| session.program.clone()).surroundings();
    lay_over(&mut agent, &mut options, span, &surroundings)?;
    options.done()?;
    complete(&mut agent, &surroundings);
    let agent = Arc::new(agent);
    // One of a file is no other declaration: what the script says counts.
    let known = session::with(|session| match session.agents.get(&agent.name).filter(|known| known.file.is_none()) {
        Some(known) => known.clone(),
        None => {
            session.agents.insert(agent.name.clone(), agent.clone());
            agent.clone()
        }
    });
    if known != agent {
        return Err(raise(
            Diagnostic::new("flow::lang::agent", format!("the agent `{name}` is declared already, in another way"))
                .label_word(span, name, "declared again here")
                .help("give it another name; or say what is different with the question: `agent.ask(\"…\", #{ model: \"…\" })`"),
        ));
    }
    Ok(handle::Agent(known))
}

/// Fills in what the surroundings say of agents that say nothing of it themselves.
fn complete(agent: &mut Agent, around: &Surroundings) {
    let usual = around.backend.as_deref().unwrap_or(USUAL);
    if agent.backend.is_empty() {
        agent.backend = if agent.command.is_empty() { usual.into() } else { "command".into() };
        agent.via = around.backends.get(agent.backend.as_str()).cloned();
    }
    if agent.model.is_none() && agent.backend == usual {
        agent.model = around.model.clone().map(|model| Value::Plain(model.into()));
    }
}

/// Takes the keys of an agent out of a map, and lays what they say over it.
fn lay_over(agent: &mut Agent, options: &mut Options, span: Span, around: &Surroundings) -> Result<(), Fault> {
    let what = |key: &str| format!("`{key}` of agent");
    if let Some(name) = options.text("backend")? {
        let (name, via) = backend(&name, span, around)?;
        if agent.backend != name {
            // A model belongs to its backend.
            agent.model = None;
        }
        (agent.backend, agent.via) = (name, via);
    }
    for (key, slot) in [("model", &mut agent.model), ("system", &mut agent.system), ("cwd", &mut agent.cwd)] {
        if let Some(given) = options.take(key) {
            *slot = Some(text_value(&given, &what(key), span)?);
        }
    }
    if let Some(given) = options.take("base_url") {
        agent.base_url = Some(address(&given, &what("base_url"), span)?);
    }
    for (key, slot) in [("role", &mut agent.role), ("description", &mut agent.description)] {
        if let Some(text) = options.text(key)? {
            *slot = Some(text);
        }
    }
    if let Some(given) = options.take("tools") {
        agent.tools = Some(tools(&given, &what("tools"), span)?);
    }
    if let Some(given) = options.take("deny_tools") {
        agent.deny_tools = tools(&given, &what("deny_tools"), span)?;
    }
    if let Some(given) = options.take("mcp_servers") {
        agent.mcp_servers = Some(servers(&given, &what("mcp_servers"), span)?);
    }
    if let Some(given) = options.take("capabilities") {
        agent.capabilities = texts(&given, &what("capabilities"), span)?.into_iter().map(SmolStr::from).collect();
    }
    set(&mut agent.permission, options.choice("permission", &Permission::ALL)?);
    set_some(&mut agent.max_turns, options.count("max_turns", 1)?);
    if let Some(given) = options.take("budget") {
        agent.budget = Some(budget(&given, &what("budget"), span)?);
    }
    set_some(&mut agent.timeout_ms, options.time("timeout")?);
    set_some(&mut agent.idle_timeout_ms, options.duration("idle_timeout")?);
    set_some(&mut agent.max_retries, options.count("retries", 0)?);
    set_some(&mut agent.max_memory, options.bytes("max_memory")?);
    if let Some(given) = options.take("env") {
        agent.env = environment(&given, &what("env"), span)?;
    }
    set(&mut agent.inherit_env, truth(options, "inherit_env", span)?);
    set_some(&mut agent.config, options.choice("config", &CONFIG)?);
    for (key, slot) in [("command", &mut agent.command), ("args", &mut agent.args)] {
        if let Some(given) = options.take(key) {
            *slot = words(&given, &what(key), span)?;
            if key == "command" && slot.is_empty() {
                return Err(wrong(&what(key), "a list: the program and its first arguments", &given, span));
            }
        }
    }
    set_some(&mut agent.input, options.choice("input", &INPUT)?);
    set_some(&mut agent.speaks, options.choice("speaks", &Speaks::ALL)?);
    if let Some(given) = options.take("api_key") {
        agent.api_key = Some(key_of(&given, span)?);
    }
    set_some(&mut agent.max_tokens, options.count("max_tokens", 1)?.map(u64::from));
    if let Some(given) = options.take("weight") {
        agent.weight = Some(amount(&given, &what("weight"), "a number greater than 0", span)?);
    }
    if let Some(given) = options.take("priority") {
        let number = given.as_int().ok().and_then(|number| i32::try_from(number).ok());
        agent.priority = number.ok_or_else(|| wrong(&what("priority"), "a whole number", &given, span))?;
    }
    Ok(())
}

fn set<T>(slot: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *slot = given;
    }
}

fn set_some<T>(slot: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *slot = given;
    }
}

fn truth(options: &mut Options, key: &'static str, span: Span) -> Result<Option<bool>, Fault> {
    let given = options.take(key);
    given
        .map(|given| given.as_bool().map_err(|_| wrong(&format!("`{key}` of agent"), "true or false", &given, span)))
        .transpose()
}

/// The name of a backend that there is.
fn backend(name: &str, span: Span, around: &Surroundings) -> Result<(SmolStr, Option<Arc<BackendSpec>>), Fault> {
    if Backend::named(name).is_some() {
        return Ok((name.into(), None));
    }
    if let Some(spec) = around.backends.get(name) {
        return Ok((name.into(), Some(spec.clone())));
    }
    let known = BACKENDS.iter().map(|backend| backend.name).chain(around.backends.keys().map(String::as_str));
    let known: Vec<&str> = known.collect();
    let help = did_you_mean(name, known.iter().copied()).unwrap_or_else(|| {
        format!("there are: {}; another program is described in flow.toml under `[backends.{name}]`, or named with `command: [\"{name}\"]`", known.join(", "))
    });
    Err(raise(
        Diagnostic::new("flow::lang::agent", format!("there is no backend `{name}` for agents"))
            .label_word(span, name, "given here")
            .help(help),
    ))
}

/// A text, which may hold results.
fn text_value(given: &Dynamic, what: &str, span: Span) -> Result<Value, Fault> {
    if !(given.is_string() || given.is::<Pending>() || given.is::<Step>()) {
        return Err(wrong(what, "a text", given, span));
    }
    session::with(|session| to_value(session, given, Steps::AsOutput, span))
}

/// An address, which may hold results.
fn address(given: &Dynamic, what: &str, span: Span) -> Result<Value, Fault> {
    let value = text_value(given, what, span)?;
    match value.as_text().map(|text| check_url(text.trim()).map_err(|error| (text.to_owned(), error))) {
        Some(Err((text, error))) => Err(raise(
            Diagnostic::new("flow::lang::url", error.message)
                .label_word(span, text, "given here")
                .help(error.help.unwrap_or_else(|| "a URL looks like `https://example.org/path`".into())),
        )),
        _ => Ok(value),
    }
}

/// Names of tools: a list, or a text with commas. A comma in brackets divides nothing: `Bash(git add, git commit)`.
fn tools(given: &Dynamic, what: &str, span: Span) -> Result<Vec<String>, Fault> {
    if !given.is_array() {
        return Ok(divided(&options::text(given, what, span)?));
    }
    texts(given, what, span)
}

/// What stands between commas, those in brackets left alone.
pub fn divided(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0usize);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match (c, parts.last_mut()) {
            (',', _) if depth == 0 => parts.push(String::new()),
            (c, Some(last)) => last.push(c),
            (_, None) => {}
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn servers(given: &Dynamic, what: &str, span: Span) -> Result<Json, Fault> {
    if given.is_map() {
        return session::with(|session| to_json(session, given, span));
    }
    if given.is_array() || given.is_string() {
        return tools(given, what, span).map(Json::from);
    }
    Err(wrong(what, "a list of names, or a map", given, span))
}

/// What may be used up: `#{ usd: 1.0, tokens: 200_000, turns: 50, minutes: 30 }`.
///
/// # Errors
/// No map, nothing in it, unknown keys, and numbers that are not greater than nothing.
pub fn budget(given: &Dynamic, what: &str, span: Span) -> Result<Budget, Fault> {
    let map = given.read_lock::<Map>().map(|map| map.clone());
    let map = map.ok_or_else(|| wrong(what, "a map such as `#{ usd: 1.0, turns: 20 }`", given, span))?;
    let mut options = Options::of(&keys::BUDGET, &map, span);
    let number = |options: &mut Options, key: &'static str| {
        options
            .take(key)
            .map(|given| amount(&given, &format!("`{key}` of budget"), "a number greater than 0", span))
            .transpose()
    };
    let whole = |options: &mut Options, key: &'static str| {
        let given = options.take(key);
        given
            .map(|given| {
                let number =
                    given.as_int().ok().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0);
                number.ok_or_else(|| wrong(&format!("`{key}` of budget"), "a whole number of at least 1", &given, span))
            })
            .transpose()
    };
    let budget = Budget {
        usd: number(&mut options, "usd")?,
        minutes: number(&mut options, "minutes")?,
        tokens: whole(&mut options, "tokens")?,
        turns: whole(&mut options, "turns")?,
    };
    options.done()?;
    if budget == Budget::default() {
        return Err(raise(
            Diagnostic::new("flow::lang::option", "the budget bounds nothing")
                .label_word(span, "budget", "given here")
                .help("say what may be used up: `#{ usd: 1.0 }`, `tokens`, `turns` or `minutes`"),
        ));
    }
    Ok(budget)
}

/// What was used: an amount of US dollars, or a map as that of a budget.
///
/// # Errors
/// As for a budget.
pub fn used(given: &Dynamic, span: Span) -> Result<Usage, Fault> {
    let what = "what is used";
    if !given.is_map() {
        let wanted = "an amount of US dollars, or a map such as `#{ usd: 0.5, tokens: 1200 }`";
        let amount = given.as_float().ok().or_else(|| given.as_int().ok().map(|number| number as f64));
        let amount = amount.filter(|amount| amount.is_finite() && *amount >= 0.0);
        let cost_usd = amount.ok_or_else(|| wrong(what, wanted, given, span))?;
        return Ok(Usage { cost_usd: Some(cost_usd), ..Usage::default() });
    }
    let Budget { usd, tokens, turns, minutes } = budget(given, what, span)?;
    Ok(Usage {
        cost_usd: usd,
        tokens: Tokens { output: tokens.unwrap_or_default(), ..Tokens::default() },
        turns: turns.unwrap_or_default(),
        time_ms: minutes.map_or(0, |minutes| (minutes * 60_000.0) as u64),
    })
}

/// A number greater than nothing.
fn amount(given: &Dynamic, what: &str, wanted: &str, span: Span) -> Result<f64, Fault> {
    let number = given.as_float().ok().or_else(|| given.as_int().ok().map(|number| number as f64));
    number.filter(|number| number.is_finite() && *number > 0.0).ok_or_else(|| wrong(what, wanted, given, span))
}

fn environment(given: &Dynamic, what: &str, span: Span) -> Result<Vec<(String, Value)>, Fault> {
    let map = given.read_lock::<Map>().map(|map| map.clone()).ok_or_else(|| wrong(what, "a map", given, span))?;
    let value = |value: &Dynamic| session::with(|session| to_value(session, value, Steps::OrSecrets, span));
    map.iter().map(|(name, given)| Ok((name.to_string(), value(given)?))).collect()
}

/// A program and its arguments, or further arguments.
fn words(given: &Dynamic, what: &str, span: Span) -> Result<Vec<Value>, Fault> {
    let list = given.read_lock::<Array>().map(|list| list.clone());
    let list = list.ok_or_else(|| wrong(what, "a list of texts: `[\"program\", \"argument\"]`", given, span))?;
    let value = |word: &Dynamic| session::with(|session| to_value(session, word, Steps::AsOutput, span));
    list.iter().map(value).collect()
}

/// A key to a model: a secret, never its text.
fn key_of(given: &Dynamic, span: Span) -> Result<Value, Fault> {
    match given.read_lock::<SecretRef>() {
        Some(secret) => Ok(Value::Secret(secret.clone())),
        None => Err(raise(
            Diagnostic::new(
                "flow::lang::agent",
                "`api_key` of agent must be a secret: a script never holds a key itself",
            )
            .label_word(span, "api_key", "given here")
            .help("name the environment variable that holds it: `api_key: secret(\"ANTHROPIC_API_KEY\")`"),
        )),
    }
}
