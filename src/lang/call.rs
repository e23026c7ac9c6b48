//! Calling a plan's closures while it runs: conditions, `call`, fan-outs.

use std::sync::Arc;

use rhai::{Dynamic, EvalAltResult, NativeCallContext};

use super::build::as_one;
use super::fault::{self, Fault};
use super::library::PREFIX;
use super::program::{File, Program, on_large_stack};
use super::session::{Frame, Purpose, Session};
use super::{closures, convert, functions, swarm};
use crate::diag::{Diagnostic, Span};
use crate::event::{Decision, Failure, FailureKind, Saw};
use crate::plan::{self, Builder, Closure, Condition, Growth, Json, Plan, StepId};
use crate::state::Inputs;
use crate::state::result::{holds, kind_of};

impl Program {
    /// Evaluates a condition. `saw` is what it read, also when it failed.
    pub fn decide(&self, condition: &Condition, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        match condition {
            Condition::Known(value) => (Decision::Is(*value), Vec::new()),
            Condition::Closure(closure) => self.truth(closure, Vec::new(), inputs),
            Condition::Expr(expression) => {
                let mut saw = Vec::new();
                let result =
                    holds(expression, &|step| inputs.get(step).cloned(), &*inputs.files, &mut |step, what, value| {
                        let property = what.split(['.', '[']).next().unwrap_or(what);
                        let handles = crate::state::result::handles_failure(property);
                        saw.push(Saw { step, what: what.to_owned(), value: value.clone(), handles });
                    });
                (result.map_or_else(Decision::Failed, Decision::Is), saw)
            }
        }
    }

    /// Evaluates the `until` of a `repeat` with the output of the last iteration.
    pub fn until(&self, closure: &Closure, last: Json, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        self.truth(closure, vec![convert::to_dynamic(last)], inputs)
    }

    fn truth(&self, closure: &Closure, given: Vec<Dynamic>, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        let (result, session) = self.invoke(closure, given, inputs);
        let result = result.and_then(|value| match value.as_bool() {
            Ok(value) => Ok(Json::Bool(value)),
            Err(_) => convert::to_json(&mut Session::new(self, Purpose::Call), &value, closure.span)
                .map_err(|error| fault::failure(&error, &session)),
        });
        let decision = as_decision(result, closure.span, &closure.text);
        (decision, dotted(session.saw, &closure.text))
    }

    /// Calls the closure of a `call`. `input`: what the chain gives it, if anything. Gives also what it has printed.
    pub fn call(
        &self,
        closure: &Closure,
        input: Option<Json>,
        inputs: &Inputs,
    ) -> (std::result::Result<Json, Failure>, String) {
        let given = vec![convert::to_dynamic(input.unwrap_or(Json::Null))];
        let (result, mut session) = self.invoke(closure, given, inputs);
        let printed = session.take_printed();
        let result = result.and_then(|value| {
            convert::to_json(&mut session, &value, closure.span).map_err(|error| fault::failure(&error, &session))
        });
        (result, printed)
    }

    /// Calls the closure of a `validate` with the step whose result it is about.
    pub fn validate(&self, closure: &Closure, step: StepId, inputs: &Inputs) -> std::result::Result<Json, Failure> {
        let given = vec![Dynamic::from(super::handle::Step::One(step))];
        let (result, mut session) = self.invoke(closure, given, inputs);
        let value = result?;
        convert::to_json(&mut session, &value, closure.span).map_err(|error| fault::failure(&error, &session))
    }

    /// Calls a closure in a session without a builder.
    fn invoke(
        &self,
        closure: &Closure,
        given: Vec<Dynamic>,
        inputs: &Inputs,
    ) -> (std::result::Result<Dynamic, Failure>, Box<Session>) {
        let mut session = Session::new(self, Purpose::Call);
        let arguments = match closures::arguments(&session, closure, given, inputs) {
            Ok(arguments) => arguments,
            Err(failure) => return (Err(failure), session),
        };
        session.known = Some(inputs.clone());
        session.caller = Some(closure.span);
        let (result, mut session) = session.enter(|| self.call_by_name(closure, arguments));
        if let Some(problem) = session.refused.take() {
            return (Err(as_failure(problem, closure.span)), session);
        }
        let result = match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => Err(fault::failure(&fault, &session)),
            Err(failure) => Err(failure),
        };
        (result, session)
    }

    fn call_by_name(
        &self,
        closure: &Closure,
        mut arguments: Vec<Dynamic>,
    ) -> std::result::Result<std::result::Result<Dynamic, Fault>, Failure> {
        let file = self.function(&closure.function, |file, _| file.clone()).ok_or_else(|| closures::lost(closure))?;
        let context = self.context(&file).ok_or_else(|| closures::lost(closure))?;
        let mut arguments: Vec<&mut Dynamic> = arguments.iter_mut().collect();
        Ok(context.call_fn_raw(closure.function.as_str(), false, false, &mut arguments))
    }

    /// Calls a closure in the file where it stands, from a closure of another file: what a script hands to a module.
    pub(super) fn call_at_home(
        &self,
        from: &NativeCallContext,
        name: &str,
        arguments: &mut [&mut Dynamic],
    ) -> std::result::Result<Dynamic, Fault> {
        let not_found =
            || Fault::from(EvalAltResult::ErrorFunctionNotFound(from.fn_name().to_owned(), from.call_position()));
        let known = self.function(name, |file, function| (file.clone(), function.parameters));
        // Functions of lists try another number of arguments then.
        let (file, _) = known.filter(|(_, takes)| *takes == arguments.len()).ok_or_else(not_found)?;
        let context = self.context(&file).ok_or_else(not_found)?;
        context.call_fn_raw(name, false, false, arguments)
    }

    /// The state of an evaluation in which a function can be called.
    pub(super) fn evaluation(&self, function: &str) -> Option<rhai::GlobalRuntimeState> {
        let file = self.function(function, |file, _| file.clone())?;
        self.context(&file).map(|context| context.global_runtime_state().clone())
    }

    /// The context in which functions of a file are called: its functions and its imports.
    pub(super) fn context<'a>(&'a self, file: &'a File) -> Option<NativeCallContext<'a>> {
        let store = file.context.get_or_init(|| {
            let mut source = String::new();
            for statement in file.ast.statements() {
                if let rhai::Stmt::Import(parts, _) = statement
                    && let rhai::Expr::StringConstant(path, _) = &parts.0
                {
                    match parts.1.name.as_str() {
                        // Without a name only the library has anything to give.
                        "" if !path.starts_with(PREFIX) => {}
                        "" => source.push_str(&format!("import {:?};\n", path.as_str())),
                        name => source.push_str(&format!("import {:?} as {name};\n", path.as_str())),
                    }
                }
            }
            source.push_str("__context();");
            let mut ast = self.0.engine.compile(&source).ok()?.merge(&file.ast.clone_functions_only());
            ast.set_source(file.name.as_str());
            let mut session = Session::new(self, Purpose::Call);
            // Modules may declare steps when they are loaded; here that is for nobody.
            session.builder = Some(Builder::default());
            session.frames.push(Frame::default());
            let (_, session) = session.enter(|| self.0.engine.eval_ast::<Dynamic>(&ast));
            session.context
        });
        store.as_ref().map(|store| store.create_context(&self.0.engine))
    }

    /// Evaluates the closure of a fan-out while the plan runs: the children of an `each` or `workflow`, or the next
    /// iteration of a `repeat` (`iteration` counts from 1, `last` is the output of the one before), or that for an event of
    /// an `on_event` (`last` is the event). Ids in the growth
    /// count from the end of `plan`.
    pub fn expand(
        &self,
        plan: Arc<Plan>,
        step: StepId,
        iteration: u32,
        last: Json,
        inputs: &Inputs,
    ) -> std::result::Result<Growth, Failure> {
        on_large_stack(|| {
            let mut session = Session::new(self, Purpose::Build);
            let task = plan.step(step).task.clone();
            let span = plan.step(step).span;
            session.builder = Some(Builder::on(plan));
            // What the library makes later, too, has its place where it was called.
            session.caller = Some(span);
            session.known = Some(inputs.clone());
            // Two frames: this is not the script itself, so `run` and hooks are refused.
            session.frames.push(Frame::default());
            session.frames.push(Frame { nested: true, ..Frame::default() });
            let main = self.files()[0].clone();
            let file = match &*task {
                plan::Task::Each(plan::Each { body, .. }) | plan::Task::Repeat(plan::Repeat { body, .. }) => {
                    self.function(&body.function, |file, _| file.clone()).ok_or_else(|| closures::lost(body))?
                }
                plan::Task::OnEvent(on) => {
                    self.function(&on.body.function, |file, _| file.clone()).ok_or_else(|| closures::lost(&on.body))?
                }
                _ => main,
            };
            let context = self.context(&file).ok_or_else(|| {
                Failure::new(FailureKind::Script, "the recorded script cannot be loaded any more")
                    .help("start the workflow anew")
            })?;
            let (result, mut session) = session.enter(|| {
                let expanded = functions::expand(&context, &task, step, iteration, last, inputs);
                expanded.and_then(|()| swarm::finish_all())
            });
            if let Some(problem) = session.refused.take() {
                return Err(as_failure(problem, span));
            }
            if let Err(error) = result {
                return Err(fault::failure(&error, &session));
            }
            let builder = session.builder.as_mut().expect("it was given one");
            builder.settle().map_err(|problem| as_failure(problem, span))?;
            if let Some(problem) = as_one(builder.check()) {
                return Err(as_failure(problem, span));
            }
            builder.header.add_secrets(self.secrets());
            Ok(builder.fan_out())
        })
    }
}

/// What is wrong with a script, as the failure of a step.
pub(super) fn as_failure(problem: Diagnostic, span: Span) -> Failure {
    Failure {
        help: problem.help_text().map(str::to_owned),
        span: problem.span().or(Some(span)),
        ..Failure::new(FailureKind::Script, problem.message())
    }
}

fn as_decision(result: std::result::Result<Json, Failure>, span: Span, text: &str) -> Decision {
    match result {
        Ok(Json::Bool(value)) => Decision::Is(value),
        Ok(other) => Decision::Failed(
            Failure {
                span: Some(span),
                ..Failure::new(
                    FailureKind::Script,
                    format!("the condition `{text}` must be true or false, but it is {}", kind_of(&other)),
                )
            }
            .help("write a comparison, for instance `x.output != ()`"),
        ),
        Err(failure) => Decision::Failed(failure),
    }
}

/// What a closure saw, as far as its text reads into a value: `output.percent` instead of the whole output.
fn dotted(mut saw: Vec<Saw>, text: &str) -> Vec<Saw> {
    for seen in saw.iter_mut().filter(|seen| seen.value.is_object() || seen.value.is_array()) {
        let reads = |at: &(usize, &str)| text[..at.0].ends_with('.') && text[at.0 + at.1.len()..].starts_with('.');
        let Some((at, name)) = text.match_indices(seen.what.as_str()).find(reads) else { continue };
        let rest = &text[at + name.len() + 1..];
        let mut value = &seen.value;
        let mut length = 0;
        for key in rest.split('.') {
            let word = key.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(key.len());
            let Some(inner) = value.get(&key[..word]) else { break };
            value = inner;
            length += word + usize::from(length > 0);
            if word < key.len() {
                break;
            }
        }
        if length > 0 {
            let value = value.clone();
            seen.what = format!("{name}.{}", &rest[..length]);
            seen.value = value;
        }
    }
    saw
}
