//! Conditions, names in arrow strings, and the map forms of the combinators.

use rhai::{Array, Dynamic, FnPtr, ImmutableString, Map, NativeCallContext};

use super::closures;
use super::fault::{Fault, raise};
use super::functions::in_order as groups_in_order;
use super::handle::{Pending, Step, sequence};
use super::keys;
use super::options::{self, Options, here, wrong};
use super::{agents, modules, policies, session};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::plan::arrow::{self, Branch, Node, Stage};
use crate::plan::{self, Condition, EdgeKind, Expression, Key, OnError, Sequence, Task, Value};

/// A condition: a closure, an expression, true or false, or a result (`test.passed`).
pub fn condition(value: &Dynamic, span: Span) -> Result<Condition, Fault> {
    if let Ok(value) = value.as_bool() {
        return Ok(Condition::Known(value));
    }
    if let Some(pointer) = value.read_lock::<FnPtr>() {
        return session::with(|session| closures::freeze(session, &pointer, span)).map(Condition::Closure);
    }
    if let Some(pending) = value.read_lock::<Pending>()
        && let Value::Ref(reference) = &*pending.0
    {
        // Written without a closure: the same as the expression of its name.
        let mut text = format!("step.{}", reference.property);
        for key in &reference.path {
            match key {
                Key::Field(field) => text.push_str(&format!(".{field}")),
                Key::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        let named =
            session::with(|s| s.builder.as_ref().map(|b| b.step(reference.step).name.clone())).unwrap_or_default();
        let simple = !named.is_empty()
            && named.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !named.starts_with(|c: char| c.is_ascii_digit());
        let name = if simple { named } else { "step".into() };
        let text = text.replacen("step", &name, 1);
        return Ok(Condition::Expr(Expression { text, steps: vec![(name, reference.step)], span }));
    }
    if value.is_string() {
        let text = options::text(value, "a condition", span)?;
        let expression = Expression { text, steps: Vec::new(), span };
        return match plan::expression::parse(&expression.text) {
            Ok(_) => Ok(Condition::Expr(expression)),
            Err(error) => Err(raise(plan::builder::expression_error(&expression, error))),
        };
    }
    if value.is::<Step>() {
        return Err(raise(
            Diagnostic::new("flow::lang::step_value", "a step is not a condition")
                .label(span, "given here")
                .help("say what of it decides: `|| test.passed`"),
        ));
    }
    Err(wrong("a condition", "a closure `|| …`, an expression text, or true or false", value, span))
}

/// A step where one is needed: itself, a list side by side, or its name.
pub fn target(context: &NativeCallContext, value: &Dynamic) -> Result<Step, Fault> {
    if let Some(name) = value.read_lock::<ImmutableString>() {
        return named(context, &name, &[], here(context)).map(Step::of);
    }
    sequence(context, value).map(Step::of)
}

/// The step that a name stands for.
pub fn named_step(context: &NativeCallContext, name: &str, span: Span) -> Result<Step, Fault> {
    named(context, name, &[], span).map(Step::of)
}

/// What a name in an arrow string or in `command:` stands for: a step of the script, a function of the script, a
/// command, an agent, a module of the standard library.
fn named(context: &NativeCallContext, name: &str, params: &[(String, Dynamic)], span: Span) -> Result<Sequence, Fault> {
    let step = session::build(context, |builder, _| {
        Ok(builder.named(name).first().map(|id| Sequence::one(*id, builder.step(*id).span)))
    })?;
    if let Some(step) = step {
        return Ok(step);
    }
    let (function, command) = session::with(|session| {
        let function = session.program.function(name, |_, function| function.parameters);
        let command = session.commands.get(name).or_else(|| session.commands.get(format!("/{name}").as_str())).cloned();
        (function, command)
    });
    if let Some(parameters) = function {
        return function_step(context, name, parameters, span);
    }
    if let Some(command) = command {
        let map: Map = params.iter().map(|(key, value)| (key.as_str().into(), value.clone())).collect();
        let takes = session::with(|s| s.program.function(command.fn_name(), |_, f| f.parameters))
            .unwrap_or(1)
            .saturating_sub(command.curry().len());
        let value = match takes {
            0 => command.call_within_context::<Dynamic>(context, ())?,
            _ => command.call_within_context::<Dynamic>(context, (map,))?,
        };
        return sequence(context, &value);
    }
    if let Some(agent) = agents::of_name(name) {
        let step = agents::asked_by_input(context, &agent, span)?;
        return sequence(context, &Dynamic::from(step));
    }
    let mut known: Vec<String> = session::with(|session| {
        let mut known: Vec<String> = session.commands.keys().map(ToString::to_string).collect();
        known.extend(session.program.function_names());
        known
    });
    known.extend(agents::names().iter().map(ToString::to_string));
    known.extend(session::build(context, |builder, _| {
        Ok(builder.names().iter().map(ToString::to_string).collect::<Vec<_>>())
    })?);
    if modules::standard(&format!("std/{name}")).is_some() {
        return Err(raise(
            Diagnostic::new(
                "flow::plan::unknown_name",
                format!("`{name}` is a module of the standard library, not a step"),
            )
            .label_word(span, name, "named here")
            .help(format!("import it and make a step: `import \"std/{name}\" as {name};`")),
        ));
    }
    let problem = Diagnostic::new(
        "flow::plan::unknown_name",
        format!("`{name}` is neither a step of this script nor a function nor a command nor an agent"),
    )
    .label_word(span, name, "named here");
    Err(raise(match did_you_mean(name, known.iter().map(String::as_str)) {
        _ if name.contains(char::is_whitespace) => problem
            .help(format!("a text here is the name of a step; to run a command, make a step of it: `sh(\"name\", \"{name}\")`")),
        Some(help) => problem.help(help),
        None => problem.help("declare it before this line: a step `sh(\"…\", …)`, a function `fn …(input)`, or `command(\"/…\", |params| …)`"),
    }))
}

/// A function of the script as a step: if it returns one, that; else a `call` of it.
fn function_step(context: &NativeCallContext, name: &str, parameters: usize, span: Span) -> Result<Sequence, Fault> {
    if parameters == 0 {
        let value: Dynamic = context.call_fn(name, ())?;
        if value.is::<Step>() || value.is_array() {
            return sequence(context, &value);
        }
    }
    if parameters > 1 {
        return Err(raise(
            Diagnostic::new(
                "flow::plan::unknown_name",
                format!("the function `{name}` takes {parameters} values; a step of a chain is given one: its input"),
            )
            .label_word(span, name, "named here")
            .help(format!("`fn {name}(input) {{ … }}`")),
        ));
    }
    session::build(context, |builder, _| {
        let closure = plan::Closure { function: name.into(), captured: Vec::new(), text: name.to_owned(), span };
        let id = builder.add(plan::Step::new(name, Task::Call(closure), span));
        Ok(Sequence::one(id, span))
    })
}

/// A text of arrows that cannot be read.
pub fn arrow_error(text: &str, error: arrow::Error, span: Span) -> Fault {
    let problem = Diagnostic::new("flow::plan::arrow", format!("the text `{text}` cannot be read: {}", error.message))
        .label_word(span, text, "this text");
    raise(problem.help(error.help.unwrap_or_else(|| "an arrow text looks like `a -> b -> [c, d] -> e`".to_owned())))
}

/// The chain of an arrow text.
pub fn arrows(context: &NativeCallContext, text: &str) -> Result<Sequence, Fault> {
    let span = here(context);
    let stages = arrow::parse_chain(text).map_err(|error| arrow_error(text, error, span))?;
    stages_in_order(context, &stages, span)
}

fn stage_of(context: &NativeCallContext, stage: &Stage, span: Span) -> Result<Sequence, Fault> {
    let made = match &stage.node {
        Node::Name(name) => named(context, &name.text, &[], span)?,
        Node::Command(name, words) => {
            let params = [("args".to_owned(), Dynamic::from(words.join(" ")))];
            named(context, &name.text, &params, span)?
        }
        Node::Chain(stages) => stages_in_order(context, stages, span)?,
        Node::SideBySide(chains) => {
            let parts =
                chains.iter().map(|chain| stages_in_order(context, chain, span)).collect::<Result<Vec<_>, _>>()?;
            Sequence::side_by_side(parts, span)
        }
        Node::Flow(flow) => decision(context, flow, span)?.sequence_in(context)?,
    };
    if let Some(label) = &stage.label {
        // A role means something to a swarm; elsewhere it is a word to find the steps by.
        session::build(context, |builder, _| {
            made.members.iter().for_each(|id| builder.step_mut(*id).policy_mut().tags.push(label.text.clone()));
            Ok(())
        })?;
    }
    Ok(made)
}

/// `if C then a else if D then b else c`: one flow, a branch for each condition.
fn decision(context: &NativeCallContext, flow: &arrow::Flow, span: Span) -> Result<Step, Fault> {
    let group = new_flow(context, "")?;
    let mut next = Some(flow);
    while let Some(flow) = next {
        let then = branch_of(context, &flow.then, span)?;
        add_branch(context, &group, Some(&flow.condition.clone().into()), &Dynamic::from(then))?;
        next = None;
        match &flow.otherwise {
            None => {}
            Some(Branch::Flow(further)) => next = Some(further),
            Some(chain) => {
                let step = branch_of(context, chain, span)?;
                add_branch(context, &group, None, &Dynamic::from(step))?;
            }
        }
    }
    Ok(group)
}

fn branch_of(context: &NativeCallContext, branch: &Branch, span: Span) -> Result<Step, Fault> {
    match branch {
        Branch::Chain(stages) => stages_in_order(context, stages, span).map(Step::of),
        Branch::Flow(flow) => decision(context, flow, span),
    }
}

fn stages_in_order(context: &NativeCallContext, stages: &[Stage], span: Span) -> Result<Sequence, Fault> {
    let mut all: Option<Sequence> = None;
    for stage in stages {
        let next = stage_of(context, stage, span)?;
        all = Some(match all {
            None => next,
            Some(before) => session::build(context, |builder, _| Ok(builder.then(before, next)))?,
        });
    }
    all.ok_or_else(|| {
        raise(Diagnostic::new("flow::plan::arrow", "the text has no names").label(span, "here").help("`a -> b`"))
    })
}

/// A `flow` without branches. Without a name it adds nothing to the paths of its steps.
pub fn new_flow(context: &NativeCallContext, name: &str) -> Result<Step, Fault> {
    let name = options::name(context, name)?;
    session::build(context, |builder, span| {
        let anonymous = name.is_empty();
        let name = if anonymous { format!("flow-{}", builder.len() + 1) } else { name.to_owned() };
        let mut step = plan::Step::new(name, Task::Flow(Vec::new()), span);
        step.anonymous = anonymous;
        Ok(Step::One(builder.add(step)))
    })
}

/// Adds a branch to a `flow`: with a condition, or what runs otherwise.
pub fn add_branch(
    context: &NativeCallContext,
    flow: &Step,
    when: Option<&Dynamic>,
    then: &Dynamic,
) -> Result<(), Fault> {
    let span = here(context);
    let id = flow.single().filter(|id| {
        session::with(|s| s.builder.as_ref().is_some_and(|b| matches!(&*b.step(*id).task, Task::Flow(_))))
    });
    let Some(id) = id else {
        return Err(raise(
            Diagnostic::new("flow::lang::not_a_flow", "a condition with a step, or `otherwise`, belongs to a `flow`, but this is another step")
                .label(span, "here")
                .help("`flow(\"name\").when(|| …, step).otherwise(other)`; a condition of the step itself is `.when(|| …)` alone"),
        ));
    };
    let when = when.map(|when| condition(when, span)).transpose()?;
    let then = target(context, then)?;
    session::build(context, |builder, _| {
        let child = then.id(builder);
        builder.take(id, child)?;
        if let Task::Flow(branches) = std::sync::Arc::make_mut(&mut builder.step_mut(id).task) {
            branches.push(plan::Branch { when, step: child });
        }
        builder.connect(id);
        Ok(())
    })
}

/// `flow("if C then a else b")`.
pub fn flow_from_text(context: &NativeCallContext, text: &str) -> Result<Step, Fault> {
    let span = here(context);
    let parsed = arrow::parse_flow(text).map_err(|error| arrow_error(text, error, span))?;
    decision(context, &parsed, span)
}

/// Policies and other keys of a step's map; `name` has been taken.
fn step_from_map(context: &NativeCallContext, map: &Map, span: Span) -> Result<(Sequence, Vec<String>, String), Fault> {
    let mut options = Options::named(&keys::STEP, "a step", map, span);
    let name = options.text("name")?.ok_or_else(|| {
        raise(
            Diagnostic::new("flow::lang::option", "a step of the list has no `name`")
                .label(span, "in this list")
                .help("`#{ name: \"build\", sh: \"make\" }`"),
        )
    })?;
    let depends_on =
        options.take("depends_on").map(|v| options::texts(&v, "`depends_on`", span)).transpose()?.unwrap_or_default();
    let params: Vec<(String, Dynamic)> = match options.take("params") {
        None => Vec::new(),
        Some(value) => match value.read_lock::<Map>() {
            Some(map) => map.iter().map(|(key, value)| (key.to_string(), value.clone())).collect(),
            None => return Err(wrong("`params` of a step", "a map", &value, span)),
        },
    };
    let kinds = keys::TASKS;
    let given: Vec<(&'static str, Dynamic)> =
        kinds.into_iter().filter_map(|kind| options.take(kind).map(|value| (kind, value))).collect();
    let rest = options.rest();
    let [(kind, value)] = &given[..] else {
        let what = if given.is_empty() { "does not say what to run" } else { "says twice what to run" };
        let unknown = rest.iter().map(|(key, _)| key.as_str()).find(|key| keys::of_policy(key).is_none());
        if let (true, Some(unknown)) = (given.is_empty(), unknown) {
            let mut known: Vec<&'static str> = kinds.to_vec();
            known.extend(policies::names());
            return Err(options::unknown_key(unknown, &format!("the step `{name}`"), &known, span));
        }
        return Err(raise(
            Diagnostic::new("flow::lang::option", format!("the step `{name}` {what}"))
                .label(span, "in this list")
                .help(format!("give one of: `{}`", kinds.join("`, `"))),
        ));
    };
    let sequence = match *kind {
        "command" => {
            let command = options::text(value, "`command` of a step", span)?;
            let (command, words) = command.split_once(' ').map_or((command.as_str(), ""), |(c, w)| (c, w));
            let mut params = params;
            if !words.is_empty() {
                params.push(("args".into(), words.trim().to_owned().into()));
            }
            let made = named(context, command, &params, span)?;
            rename(context, &made, &name)?;
            made
        }
        "step" => target(context, value)?.sequence_in(context)?,
        "workflow" => {
            let args: Map = params.iter().map(|(key, value)| (key.as_str().into(), value.clone())).collect();
            let step: Step = context.call_fn("workflow", (name.clone(), value.clone(), args))?;
            step.sequence_in(context)?
        }
        kind => {
            let kind = if kind == "call" { super::functions::CALL } else { kind };
            let step: Step = context.call_fn(kind, (name.clone(), value.clone()))?;
            step.sequence_in(context)?
        }
    };
    let step = Step::of(sequence.clone());
    for (key, value) in &rest {
        if keys::of_policy(key).is_none() {
            let mut known: Vec<&'static str> = kinds.to_vec();
            known.extend(["name", "params", "depends_on"]);
            known.extend(policies::names());
            return Err(options::unknown_key(key, &format!("the step `{name}`"), &known, span));
        }
        policies::set(context, &step, key, value)?;
    }
    Ok((sequence, depends_on, name))
}

/// A command's step gets the name that the map gives it.
fn rename(context: &NativeCallContext, made: &Sequence, name: &str) -> Result<(), Fault> {
    session::build(context, |builder, _| {
        if let [one] = made.members[..] {
            builder.step_mut(one).name = name.into();
        }
        Ok(())
    })
}

/// `chain(#{ name, steps, options })`.
pub fn chain_from_map(context: &NativeCallContext, spec: &Map) -> Result<Step, Fault> {
    let span = here(context);
    let mut map = Options::of(&keys::CHAIN, spec, span);
    let name = map.text("name")?;
    let steps = map.take("steps");
    let options = map.take("options");
    map.done()?;
    let Some(steps) = steps.and_then(|steps| steps.try_cast::<Array>()) else {
        return Err(raise(
            Diagnostic::new("flow::lang::option", "`chain` needs `steps`, a list of maps")
                .label(span, "here")
                .help("`chain(#{ steps: [#{ name: \"build\", sh: \"make\" }] })`"),
        ));
    };
    let (mut on_error, mut parallel) = (None, false);
    if let Some(options) = options {
        let map = options
            .read_lock::<Map>()
            .map(|m| m.clone())
            .ok_or_else(|| wrong("`options` of chain", "a map", &options, span))?;
        let mut options = Options::named(&keys::CHAIN_OPTIONS, "`options` of chain", &map, span);
        options.take("save_state");
        if map.contains_key("resume_from") {
            return Err(raise(
                Diagnostic::new("flow::lang::option", "where to go on is not part of the script")
                    .label_word(span, "resume_from", "here")
                    .help("every run can be resumed: `flow resume RUN` goes on where it stopped"),
            ));
        }
        if let Some(value) = options.take("parallel_where_possible") {
            parallel =
                value.as_bool().map_err(|_| wrong("`parallel_where_possible`", "true or false", &value, span))?;
        }
        if let Some(value) = options.take("error_strategy") {
            on_error = Some(policies::on_error(&value, "`error_strategy`", span)?);
        }
        options.done()?;
    }
    let mut parts: Vec<(Sequence, Vec<String>, String)> = Vec::new();
    for item in &steps {
        match item.read_lock::<Map>() {
            Some(map) => parts.push(step_from_map(context, &map, span)?),
            None => {
                let one = target(context, item)?.sequence_in(context)?;
                let name = session::build(context, |b, _| Ok(b.step(one.members[0]).name.to_string()))?;
                parts.push((one, Vec::new(), name));
            }
        }
    }
    if let Some(on_error) = on_error {
        session::build(context, |builder, _| {
            for id in parts.iter().flat_map(|(part, ..)| &part.members) {
                let policy = builder.step_mut(*id).policy_mut();
                policy.on_error =
                    policy.on_error.or(Some(on_error).filter(|e| *e != OnError::Stop || policy.on_error.is_none()));
            }
            Ok(())
        })?;
    }
    let by_dependency = parallel || parts.iter().any(|(_, depends_on, _)| !depends_on.is_empty());
    let all = if by_dependency { by_names(context, parts, span)? } else { in_list_order(context, parts)? };
    match name {
        Some(name) => session::build(context, |builder, span| Ok(Step::One(builder.chain(name.into(), all, span)))),
        None => Ok(Step::of(all)),
    }
}

fn in_list_order(context: &NativeCallContext, parts: Vec<(Sequence, Vec<String>, String)>) -> Result<Sequence, Fault> {
    let items: Vec<Dynamic> = parts.into_iter().map(|(part, ..)| Dynamic::from(Step::of(part))).collect();
    groups_in_order(context, &items)
}

/// Ordered by `depends_on` alone.
fn by_names(
    context: &NativeCallContext,
    parts: Vec<(Sequence, Vec<String>, String)>,
    span: Span,
) -> Result<Sequence, Fault> {
    let mut needed = vec![false; parts.len()];
    let mut entries = Vec::new();
    let mut members = Vec::new();
    for (part, depends_on, name) in &parts {
        members.extend(part.members.iter().copied());
        if depends_on.is_empty() {
            entries.extend(part.entries.iter().copied());
        }
        for wanted in depends_on {
            let Some(at) = parts.iter().position(|(_, _, other)| other == wanted) else {
                let names: Vec<&str> = parts.iter().map(|(_, _, n)| n.as_str()).filter(|n| n != name).collect();
                let problem = Diagnostic::new(
                    "flow::plan::unknown_name",
                    format!("`{name}` depends on `{wanted}`, which is not a step of this chain"),
                )
                .label_word(span, wanted, "named here");
                return Err(raise(
                    problem.help(
                        did_you_mean(wanted, names.iter().copied())
                            .unwrap_or_else(|| format!("its steps: {}", names.join(", "))),
                    ),
                ));
            };
            needed[at] = true;
            session::build(context, |builder, _| {
                for entry in &part.entries {
                    let step = builder.step_mut(*entry);
                    for exit in &parts[at].0.exits {
                        step.add_edge(*exit, EdgeKind::Order);
                        step.input.push(*exit);
                    }
                }
                Ok(())
            })?;
        }
    }
    let exits = parts
        .iter()
        .zip(&needed)
        .filter(|(_, needed)| !**needed)
        .flat_map(|((part, ..), _)| part.exits.clone())
        .collect();
    Ok(Sequence { entries, exits, members, span })
}

/// `flow(#{ name, conditions: [#{ when, then }], otherwise })`.
pub fn flow_from_map(context: &NativeCallContext, spec: &Map) -> Result<Step, Fault> {
    let span = here(context);
    let mut map = Options::of(&keys::FLOW, spec, span);
    let name = map.text("name")?.unwrap_or_default();
    let conditions = map.take("conditions");
    let otherwise = map.take("otherwise").or_else(|| map.take("else"));
    map.take("else");
    map.done()?;
    let flow = new_flow(context, &name)?;
    let Some(conditions) = conditions.and_then(|value| value.try_cast::<Array>()) else {
        return Err(raise(
            Diagnostic::new("flow::lang::option", "`flow` needs `conditions`, a list of maps with `when` and `then`")
                .label(span, "here")
                .help("`flow(#{ conditions: [#{ when: \"test.passed\", then: ship }], otherwise: page })`"),
        ));
    };
    for item in conditions {
        let branch = item
            .read_lock::<Map>()
            .map(|m| m.clone())
            .ok_or_else(|| wrong("a condition of flow", "a map", &item, span))?;
        let mut branch = Options::named(&keys::CONDITION, "a condition of flow", &branch, span);
        let when = branch.take("when").or_else(|| branch.take("if"));
        branch.take("if");
        let then = branch.take("then");
        branch.done()?;
        match (when, then) {
            (Some(when), Some(then)) => add_branch(context, &flow, Some(&when), &then)?,
            _ => {
                return Err(raise(
                    Diagnostic::new("flow::lang::option", "a condition of `flow` needs both `when` and `then`")
                        .label(span, "here")
                        .help("`#{ when: \"test.passed\", then: ship }`"),
                ));
            }
        }
    }
    if let Some(otherwise) = otherwise {
        add_branch(context, &flow, None, &otherwise)?;
    }
    Ok(flow)
}

impl Step {
    /// As a sequence, within a call.
    fn sequence_in(&self, context: &NativeCallContext) -> Result<Sequence, Fault> {
        session::build(context, |builder, _| Ok(self.sequence(builder)))
    }
}
