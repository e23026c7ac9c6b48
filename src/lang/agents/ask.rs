//! `agent.ask(…)`: a question to an agent is a step.

use std::sync::Arc;

use rhai::{Array, Dynamic, Map, NativeCallContext};
use smol_str::{SmolStr, format_smolstr};

use super::{complete, lay_over, schema, text_value, truth};
use crate::diag::{Diagnostic, Span};
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::{self, Pending, Step};
use crate::lang::options::{self, Options, choice, here, wrong};
use crate::lang::{keys, session};
use crate::plan::{self, Agent, Ask, Context, Emit, Retry, StepId, Task, Value};

/// What of the steps before it an agent can be told, by the names in scripts.
pub const CONTEXT_WORDS: [(&str, Context); 2] = [("last", Context::Last), ("all", Context::All)];

/// Adds the step that asks an agent. Without a name it is called after the agent.
///
/// # Errors
/// What is wrong with the question, or that nothing can be declared here.
pub fn ask(
    context: &NativeCallContext,
    agent: &handle::Agent,
    name: Option<&str>,
    prompt: &Dynamic,
    said: Option<&Map>,
) -> Result<Step, Fault> {
    session::build(context, |_, _| Ok(()))?;
    let span = here(context);
    let name = name.map(|name| options::name(context, name)).transpose()?;
    let prompt = task(&agent.0, prompt, span)?;
    let mut ask = plain(&agent.0, prompt);
    let mut named = None;
    if let Some(said) = said {
        let mut options = Options::of(&keys::ASK, said, span);
        named = options.text("name")?;
        if let Some(given) = options.take("schema") {
            ask.schema = Some(schema::read(&given, span)?);
        }
        if let Some(given) = options.take("context") {
            ask.context = told(&given, span)?;
        }
        if let Some(given) = options.take("session") {
            ask.session = Some(text_value(&given, "`session` of ask", span)?);
        }
        if let Some(emit) = options.choice("emit", &Emit::ALL)? {
            ask.emit = emit;
        }
        ask.strict = truth(&mut options, "strict", span)?.unwrap_or_default();
        if let Some(given) = options.take("board") {
            ask.boards = boards(context, &given, span)?;
        }
        let surroundings = session::with(|session| session.program.clone()).surroundings();
        let agent = Arc::make_mut(&mut ask.agent);
        lay_over(agent, &mut options, span, &surroundings)?;
        complete(agent, &surroundings);
        options.done()?;
    }
    if let (Some(name), Some(other)) = (name, &named) {
        let message = format!("the question has two names: `{name}` and `{other}`");
        return Err(raise(
            Diagnostic::new("flow::lang::option", message)
                .label_word(span, other.as_str(), "second name")
                .help("give one of them"),
        ));
    }
    let name = name.map(SmolStr::from).or(named.map(SmolStr::from));
    add(context, name, ask, span)
}

/// A step that asks an agent what it gets as input: a name of an agent in an arrow text.
///
/// # Errors
/// That nothing can be declared here.
pub fn asked_by_input(context: &NativeCallContext, agent: &Arc<Agent>, span: Span) -> Result<Step, Fault> {
    add(context, None, plain(agent, Value::Plain("".into())), span)
}

fn plain(agent: &Arc<Agent>, prompt: Value) -> Ask {
    Ask {
        agent: agent.clone(),
        prompt,
        schema: None,
        context: Context::default(),
        earlier: Vec::new(),
        session: None,
        takes_over: None,
        boards: Vec::new(),
        emit: Emit::default(),
        strict: false,
        readers: Vec::new(),
    }
}

fn add(context: &NativeCallContext, name: Option<SmolStr>, ask: Ask, span: Span) -> Result<Step, Fault> {
    let name = name.unwrap_or_else(|| next_name(&ask.agent.name));
    let (timeout, retries) = (ask.agent.timeout_ms, ask.agent.max_retries);
    let mut step = plan::Step::new(name, Task::Agent(Box::new(ask)), span);
    if timeout.is_some() || retries.is_some() {
        let policy = step.policy_mut();
        policy.timeout_ms = timeout;
        policy.retry = retries.map(|further| Retry { max_attempts: further.saturating_add(1), ..Retry::default() });
    }
    session::build(context, |builder, _| Ok(Step::One(builder.add(step))))
}

/// A name for a question that was given none: `coder`, then `coder-2`.
pub(super) fn next_name(agent: &str) -> SmolStr {
    let name = step_name(agent);
    session::with(|session| {
        let times = session.asked.entry(name.clone()).or_default();
        *times += 1;
        if *times == 1 { name } else { format_smolstr!("{name}-{times}") }
    })
}

/// The name of an agent, as a step can have it.
pub(super) fn step_name(agent: &str) -> SmolStr {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    agent.chars().map(|c| if fits(c) { c } else { '-' }).collect()
}

/// What the agent is to do.
fn task(agent: &Agent, given: &Dynamic, span: Span) -> Result<Value, Fault> {
    let value = text_value(given, &format!("what the agent `{}` is asked", agent.name), span)?;
    if value.as_text().is_some_and(|text| text.trim().is_empty()) {
        return Err(raise(
            Diagnostic::new("flow::lang::option", format!("the agent `{}` is asked nothing", agent.name))
                .label(span, "here")
                .help("say what it is to do: `agent.ask(\"Review the changes\")`"),
        ));
    }
    Ok(value)
}

fn told(given: &Dynamic, span: Span) -> Result<Context, Fault> {
    if let Some(map) = given.read_lock::<Map>().map(|map| map.clone()) {
        let mut options = Options::of(&keys::WINDOW, &map, span);
        let window = options.count("window", 1)?;
        options.done()?;
        let missing = || wrong("`context` of ask", "\"last\", \"all\" or `#{ window: 8000 }`", given, span);
        return window.map(|tokens| Context::Window(tokens.into())).ok_or_else(missing);
    }
    choice(given, "`context` of ask", &CONTEXT_WORDS, span)
}

/// Boards: steps, which were made by `board`.
fn boards(context: &NativeCallContext, given: &Dynamic, span: Span) -> Result<Vec<StepId>, Fault> {
    let list = given.read_lock::<Array>().map(|list| list.clone()).unwrap_or_else(|| vec![given.clone()]);
    let board = |given: &Dynamic| {
        let id = given.read_lock::<Step>().and_then(|step| step.single());
        let id = id.filter(|_| !given.is::<Pending>());
        let is_board =
            |id: StepId| session::build(context, |builder, _| Ok(matches!(&*builder.step(id).task, Task::Board(_))));
        match id {
            Some(id) if is_board(id)? => Ok(id),
            _ => Err(wrong("`board` of ask", "a board, or a list of boards: `board(\"facts\")`", given, span)),
        }
    };
    list.iter().map(board).collect()
}
