//! Values of a plan: plain data, mixed with references to results that are not known yet.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::{Agent, StepId};
use crate::diag::Span;

/// Plain data, as in JSON.
pub type Json = serde_json::Value;

/// Data in which some parts become known only while the plan runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Known already.
    Plain(Json),
    /// A property of a step's result.
    Ref(Reference),
    /// Text with such properties in it, in order.
    Text(Vec<Value>),
    /// An array.
    List(Vec<Value>),
    /// A map, in the order written.
    Map(Vec<(String, Value)>),
    /// An expression of the language of conditions, as in `"${build.output}"`.
    Expr(Expression),
    /// A closure, as data.
    Closure(Closure),
    /// A step itself (a captured handle), whose properties a closure reads.
    Step(StepId),
    /// A secret. Only executors learn its value, and only where it goes into an environment, a header or a standard input.
    Secret(SecretRef),
    /// An agent (a captured handle), whom a closure asks.
    Agent(Arc<Agent>),
}

impl Value {
    /// The text of a value that is plain text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Plain(Json::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Calls `visit` with every step that the value needs.
    pub fn each_step(&self, visit: &mut dyn FnMut(StepId)) {
        match self {
            Value::Plain(_) => {}
            Value::Ref(reference) => visit(reference.step),
            Value::Text(parts) | Value::List(parts) => parts.iter().for_each(|part| part.each_step(visit)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| value.each_step(visit)),
            Value::Expr(expression) => expression.steps.iter().for_each(|(_, step)| visit(*step)),
            Value::Closure(closure) => closure.captured.iter().for_each(|value| value.each_step(visit)),
            Value::Step(step) => visit(*step),
            Value::Agent(agent) => agent.each_value(&mut |value| value.each_step(visit)),
            Value::Secret(_) => {}
        }
    }

    /// Calls `visit` with every secret in it.
    pub fn each_secret<'a>(&'a self, visit: &mut dyn FnMut(&'a SecretRef)) {
        match self {
            Value::Secret(secret) => visit(secret),
            Value::Text(parts) | Value::List(parts) => parts.iter().for_each(|part| part.each_secret(visit)),
            Value::Map(entries) => entries.iter().for_each(|(_, value)| value.each_secret(visit)),
            Value::Closure(closure) => closure.captured.iter().for_each(|value| value.each_secret(visit)),
            Value::Agent(agent) => agent.each_value(&mut |value| value.each_secret(visit)),
            Value::Plain(_) | Value::Ref(_) | Value::Expr(_) | Value::Step(_) => {}
        }
    }
}

/// A secret by its name, with fixed text around it: `Bearer …`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretRef {
    /// Its name.
    #[schemars(with = "String")]
    pub name: SmolStr,
    /// Stands before the value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// Stands after the value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
}

/// A property of a step's result, dotted and indexed further: `build.output.files[0]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// Whose result.
    pub step: StepId,
    /// The property: `output`, `code`, … or a key of the output. `ok` is stored as `passed`, `results` as `output`.
    #[schemars(with = "String")]
    pub property: SmolStr,
    /// What is read from the property.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<Key>,
}

/// One step further into a value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Key {
    /// `[n]`; negative numbers count from the end.
    Index(i64),
    /// `.name` or `["name"]`.
    Field(#[schemars(with = "String")] SmolStr),
}

/// A closure: which function of the script, and what it captured when it was handed over.
///
/// The function's name is a hash of its source, so a changed closure has another name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Closure {
    /// The function's name in the compiled script.
    #[schemars(with = "String")]
    pub function: SmolStr,
    /// What it captured, in the order of its parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captured: Vec<Value>,
    /// Its source, for people. Empty if it could not be found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Where it was handed over.
    pub span: Span,
}

/// An expression string such as `tests.passed && coverage > 80`, with the steps its names stand for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expression {
    /// The text as written, without `${` and `}`.
    pub text: String,
    /// Names in it that are steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<(String, StepId)>")]
    pub steps: Vec<(SmolStr, StepId)>,
    /// Where it stands.
    pub span: Span,
}

/// What decides about a branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// `|| test.passed`
    Closure(Closure),
    /// `"test.passed && coverage > 80"`
    Expr(Expression),
    /// A value known while the plan was built.
    Known(bool),
}

impl Condition {
    /// The condition as a person wrote it.
    pub fn text(&self) -> String {
        match self {
            Condition::Closure(closure) if closure.text.is_empty() => format!("closure at {}", closure.span),
            Condition::Closure(closure) => {
                let text = closure.text.trim();
                text.strip_prefix("||").unwrap_or(text).trim().to_owned()
            }
            Condition::Expr(expression) => expression.text.clone(),
            Condition::Known(value) => value.to_string(),
        }
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        match self {
            Condition::Closure(closure) => closure.span,
            Condition::Expr(expression) => expression.span,
            Condition::Known(_) => Span::default(),
        }
    }

    /// Calls `visit` with every step whose result it reads, as often as it reads one.
    pub fn each_step(&self, visit: &mut dyn FnMut(StepId)) {
        match self {
            Condition::Closure(closure) => closure.captured.iter().for_each(|value| value.each_step(visit)),
            Condition::Expr(expression) => expression.steps.iter().for_each(|(_, step)| visit(*step)),
            Condition::Known(_) => {}
        }
    }

    /// The steps whose results it reads, each once, in the order of first use.
    pub fn steps(&self) -> Vec<StepId> {
        let mut seen = std::collections::HashSet::new();
        let mut steps = Vec::new();
        self.each_step(&mut |step| {
            if seen.insert(step) {
                steps.push(step);
            }
        });
        steps
    }
}
