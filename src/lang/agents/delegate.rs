//! `delegate(prompt, #{…})`: the agent that fits a task is asked.
//!
//! The first rule whose words the prompt holds decides; then the first agent whose capabilities, role or name it holds; then the
//! first agent. A prompt that is known is decided about at once. One with results in it becomes a `flow`: a branch for each rule and
//! for each agent, so that the plan shows what can happen and `flow why` what decided.

use std::sync::Arc;

use rhai::{Array, Dynamic, Map, NativeCallContext};
use smol_str::{SmolStr, format_smolstr};

use super::{ask, named, text_value};
use crate::diag::{Diagnostic, Span};
use crate::lang::combine::new_flow;
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::{self, Step};
use crate::lang::options::{self, Options, here, unknown_key, wrong};
use crate::lang::{keys, session};
use crate::plan::expression::mentions;
use crate::plan::{self, Agent, Branch, Condition, Expression, StepId, Task};

/// What decides for an agent: words, and what they are.
struct Choice {
    words: String,
    agent: Arc<Agent>,
    why: String,
}

/// Asks the agent that fits.
///
/// # Errors
/// No agents, rules that are none, and whatever is wrong with the question.
pub fn delegate(context: &NativeCallContext, name: Option<&str>, prompt: &Dynamic, said: &Map) -> Result<Step, Fault> {
    session::build(context, |_, _| Ok(()))?;
    let span = here(context);
    let mut options = Options::of(&keys::DELEGATE, said, span);
    let rules = options.take("rules").map(|given| rules(&given, span)).transpose()?.unwrap_or_default();
    let mut to = match options.take("to") {
        Some(given) => agents_of(&given, span)?,
        None => Vec::new(),
    };
    for (_, agent) in &rules {
        if !to.iter().any(|known| known.name == agent.name) {
            to.push(agent.clone());
        }
    }
    let mut further = Map::new();
    let mut own = None;
    for (key, value) in options.rest() {
        if keys::DELEGATE.key(&key).is_none() {
            return Err(unknown_key(&key, "delegate", &keys::DELEGATE.names(), span));
        }
        match key.as_str() {
            "name" => own = Some(options::text(&value, "`name` of delegate", span)?),
            _ => drop(further.insert(key.as_str().into(), value)),
        }
    }
    let Some(first) = to.first().cloned() else {
        return Err(raise(
            Diagnostic::new("flow::lang::agent", "there is no agent to delegate to")
                .label_word(span, "delegate", "here")
                .help("name those that can be asked: `delegate(\"…\", #{ to: [coder, tester] })`"),
        ));
    };
    let name = name.map(str::to_owned).or(own);
    let choices = choices(rules, &to);
    let question = |name: &str, agent: &Arc<Agent>| {
        ask(context, &handle::Agent(agent.clone()), Some(name), prompt, Some(&further))
    };
    let value = text_value(prompt, "what is delegated", span)?;
    if let Some(text) = value.as_text() {
        let fits = choices.iter().find(|choice| mentions(text, &choice.words));
        let (agent, why) = fits.map_or((&first, "no rule and no capability fits, so the first".into()), |choice| {
            (&choice.agent, choice.why.clone())
        });
        let name = name.unwrap_or_else(|| ask::next_name(&agent.name).to_string());
        let step = question(&name, agent)?;
        return explained(context, step, format!("delegated to {}: {why}", agent.name));
    }
    let name = name.unwrap_or_else(|| ask::next_name("delegate").to_string());
    // What decides is read once, by all conditions.
    let asked = plan::Step::new(format_smolstr!("{name}-prompt"), Task::Const(value), span);
    let asked = session::build(context, |builder, _| Ok(builder.add(asked)))?;
    let flow = new_flow(context, &name)?;
    let mut used: Vec<SmolStr> = Vec::new();
    let mut own_name = |agent: &Agent| {
        let name = ask::step_name(&agent.name);
        used.push(name.clone());
        match used.iter().filter(|known| **known == name).count() {
            1 => name,
            times => format_smolstr!("{name}-{times}"),
        }
    };
    for choice in &choices {
        let step = question(&own_name(&choice.agent), &choice.agent)?;
        let step = explained(context, step, format!("delegated to {}: {}", choice.agent.name, choice.why))?;
        branch(context, &flow, &step, Some((asked, choice.words.as_str())), span)?;
    }
    let step = question(&own_name(&first), &first)?;
    let why = format!("delegated to {}: no rule and no capability fits, so the first", first.name);
    let step = explained(context, step, why)?;
    branch(context, &flow, &step, None, span)?;
    session::build(context, |builder, _| {
        if let Some(id) = flow.single() {
            builder.step_mut(id).shape = Some("delegate".into());
        }
        Ok(())
    })?;
    Ok(flow)
}

fn branch(
    context: &NativeCallContext,
    flow: &Step,
    then: &Step,
    words: Option<(StepId, &str)>,
    span: Span,
) -> Result<(), Fault> {
    session::build(context, |builder, _| {
        let (Some(flow), child) = (flow.single(), then.id(builder)) else { return Ok(()) };
        builder.take(flow, child)?;
        let when = words.map(|(asked, words)| {
            let text = format!("mentions(prompt.output, '{words}')");
            Condition::Expr(Expression { text, steps: vec![("prompt".into(), asked)], span })
        });
        if let Task::Flow(branches) = Arc::make_mut(&mut builder.step_mut(flow).task) {
            branches.push(Branch { when, step: child });
        }
        builder.connect(flow);
        Ok(())
    })
}

/// Says with the step why it was chosen.
fn explained(context: &NativeCallContext, step: Step, why: String) -> Result<Step, Fault> {
    session::build(context, |builder, _| {
        let id = step.id(builder);
        builder.step_mut(id).policy_mut().desc.get_or_insert(why);
        Ok(step)
    })
}

/// In the order in which they are asked: rules, then what agents are good for.
fn choices(rules: Vec<(String, Arc<Agent>)>, to: &[Arc<Agent>]) -> Vec<Choice> {
    let of_rule =
        |(words, agent): (String, Arc<Agent>)| Choice { why: format!("the rule `{words}` fits"), words, agent };
    let of_agent = |agent: &Arc<Agent>| {
        let own =
            agent.capabilities.iter().map(SmolStr::as_str).chain(agent.role.as_deref()).chain([agent.name.as_str()]);
        let mut words: Vec<String> = Vec::new();
        for word in own.map(plain).filter(|word| !word.is_empty()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        let words = words.join("|");
        Choice { why: format!("it is good for one of `{words}`"), words, agent: agent.clone() }
    };
    let mut all: Vec<Choice> = rules.into_iter().map(of_rule).collect();
    all.extend(to.iter().map(of_agent).filter(|choice| !choice.words.is_empty()));
    all
}

/// A word as it can stand in an expression.
fn plain(word: &str) -> String {
    word.chars().filter(|c| fits(*c) && *c != '|').collect::<String>().trim().to_owned()
}

fn fits(c: char) -> bool {
    c.is_alphanumeric() || " |-_+#./:@".contains(c)
}

/// The agents that can be asked.
fn agents_of(given: &Dynamic, span: Span) -> Result<Vec<Arc<Agent>>, Fault> {
    if let Some(map) = given.read_lock::<Map>().map(|map| map.clone()) {
        return map.values().map(|agent| agent_of(agent, "`to` of delegate", span)).collect();
    }
    let list = given.read_lock::<Array>().map(|list| list.clone());
    let list = list.ok_or_else(|| wrong("`to` of delegate", "a list of agents, or a map of them", given, span))?;
    list.iter().map(|agent| agent_of(agent, "`to` of delegate", span)).collect()
}

/// An agent, or one by its name.
fn agent_of(given: &Dynamic, what: &str, span: Span) -> Result<Arc<Agent>, Fault> {
    if let Some(agent) = given.read_lock::<handle::Agent>() {
        return Ok(agent.0.clone());
    }
    if !given.is_string() {
        return Err(wrong(what, "an agent, or the name of one", given, span));
    }
    named::known(&options::text(given, what, span)?, span)
}

/// Words and the agent for them, in the order written.
fn rules(given: &Dynamic, span: Span) -> Result<Vec<(String, Arc<Agent>)>, Fault> {
    let wanted = "a map such as `#{ \"leak|valgrind\": tester }`, or a list of pairs";
    let mut pairs = Vec::new();
    if let Some(map) = given.read_lock::<Map>().map(|map| map.clone()) {
        pairs.extend(map.into_iter().map(|(words, agent)| (words.to_string(), agent)));
        in_written_order(&mut pairs, span);
    } else if let Some(list) = given.read_lock::<Array>().map(|list| list.clone()) {
        for pair in list {
            let pair = pair.read_lock::<Array>().map(|pair| pair.clone()).filter(|pair| pair.len() == 2);
            let pair = pair.ok_or_else(|| wrong("`rules` of delegate", wanted, given, span))?;
            pairs.push((options::text(&pair[0], "the words of a rule", span)?, pair[1].clone()));
        }
    } else {
        return Err(wrong("`rules` of delegate", wanted, given, span));
    }
    let rule = |(words, agent): (String, Dynamic)| {
        if plain(&words).is_empty() || !words.chars().all(fits) {
            return Err(raise(
                Diagnostic::new("flow::lang::option", format!("the rule `{words}` of delegate holds no words"))
                    .label_word(span, words.as_str(), "given here")
                    .help("a rule is words, divided by `|`: `\"leak|valgrind\"`; each fits where a word of the prompt begins so"),
            ));
        }
        let agent = agent_of(&agent, &format!("the agent of the rule `{words}`"), span)?;
        Ok((words, agent))
    };
    pairs.into_iter().map(rule).collect()
}

/// Maps of scripts do not know in which order they were written; the script's text does.
fn in_written_order(pairs: &mut [(String, Dynamic)], span: Span) {
    let program = session::with(|session| session.program.clone());
    let Some((_, text)) = program.sources().into_iter().nth(span.file as usize) else { return };
    let before: usize = text.split_inclusive('\n').take((span.line as usize).saturating_sub(1)).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let place = |words: &str| rest.find(&format!("\"{words}\"")).unwrap_or(usize::MAX);
    pairs.sort_by_key(|(words, _)| place(words));
}
