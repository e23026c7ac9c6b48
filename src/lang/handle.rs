//! What scripts hold in their hands: steps, and values that are not known yet.

use std::sync::Arc;

use rhai::{Array, Dynamic, NativeCallContext};

use super::convert::is_marked;
use super::fault::{Fault, raise, raise_failure};
use super::{convert, session, untrusted};
use crate::diag::{Diagnostic, Span};
use crate::event::Saw;
use crate::plan::{self, Builder, Key, Piece, Reference, Sequence, StepId, Value};
use crate::state::Status;
use crate::state::result::{handles_failure, shorten};

/// A handle to a step of the plan, or to several in order (`a -> b`).
#[derive(Clone, Debug)]
pub enum Step {
    /// One step.
    One(StepId),
    /// Several, made by `->` or by a list without a name.
    Several(Arc<Sequence>),
    /// A stream, which `|>` may write on.
    Woven(Arc<Piece>),
}

impl Step {
    /// From a sequence.
    pub fn of(sequence: Sequence) -> Self {
        match sequence.members[..] {
            [one] => Step::One(one),
            _ => Step::Several(Arc::new(sequence)),
        }
    }

    /// A stream.
    pub fn woven(piece: Piece) -> Self {
        Step::Woven(Arc::new(piece))
    }

    /// As a sequence.
    pub fn sequence(&self, builder: &mut Builder) -> Sequence {
        match self {
            Step::One(id) => Sequence::one(*id, builder.step(*id).span),
            Step::Several(sequence) => (**sequence).clone(),
            Step::Woven(piece) => {
                let id = builder.stream_step(piece);
                Sequence::one(id, builder.step(id).span)
            }
        }
    }

    /// As one node of the plan; several become a group.
    pub fn id(&self, builder: &mut Builder) -> StepId {
        match self {
            Step::One(id) => *id,
            Step::Several(sequence) => builder.as_step((**sequence).clone()),
            Step::Woven(piece) => builder.stream_step(piece),
        }
    }

    /// As one node of the plan, outside of a builder: only a single step is one.
    pub fn single(&self) -> Option<StepId> {
        match self {
            Step::One(id) => Some(*id),
            Step::Several(_) | Step::Woven(_) => None,
        }
    }
}

/// An agent, which can be asked.
#[derive(Clone, Debug)]
pub struct Agent(pub Arc<plan::Agent>);

/// A value that is not known yet: a property of a step's result, or a text with such in it.
#[derive(Clone, Debug)]
pub struct Pending(pub Arc<Value>);

impl Pending {
    /// As text, for people.
    pub fn describe(&self) -> String {
        match &*self.0 {
            Value::Ref(reference) => {
                let name = session::with(|s| s.builder.as_ref().map(|b| b.step(reference.step).name.clone()));
                let mut text = format!("{}.{}", name.unwrap_or_else(|| "step".into()), reference.property);
                for key in &reference.path {
                    match key {
                        Key::Field(field) => text.push_str(&format!(".{field}")),
                        Key::Index(index) => text.push_str(&format!("[{index}]")),
                    }
                }
                text
            }
            _ => "a text with results in it".into(),
        }
    }
}

/// Reads a property of a step: its value if it is known, else a pending value.
pub fn property(context: &NativeCallContext, step: &Step, name: &str) -> Result<Dynamic, Fault> {
    let id = match step.single() {
        Some(id) => id,
        None => session::build(context, |builder, _| Ok(step.id(builder)))?,
    };
    let name = match name {
        "ok" => "passed",
        "results" => "output",
        name => name,
    };
    let read = session::with(|session| {
        let span = session.span(context);
        let Some(known) = session.known.as_ref() else { return Ok(None) };
        let Some(result) = known.get(id).cloned() else { return Ok(None) };
        let value = result.property(name, &*known.files).map_err(|mut failure| {
            failure.span = failure.span.or(span.is_known().then_some(span));
            failure
        })?;
        match session.builder.as_mut() {
            // The script looks at how a step of `run(…)` ended: that deals with its failure.
            Some(builder) if result.status == Status::Failed && handles_failure(name) => {
                if !builder.header.looked_at.contains(&id) {
                    builder.header.looked_at.push(id);
                }
            }
            // From here on the script holds it as a plain value.
            Some(_) => untrusted::remember(session, &value),
            None => {
                let shown = match &value {
                    serde_json::Value::String(text) if text.len() > 200 => shorten(text, 200).into(),
                    value => value.clone(),
                };
                session.saw.push(Saw { step: id, what: name.to_owned(), value: shown, handles: handles_failure(name) });
            }
        }
        Ok(Some(value))
    });
    match read.map_err(raise_failure)? {
        Some(value) => Ok(convert::to_dynamic(value)),
        None => {
            let building = session::with(|session| session.builder.is_some());
            if !building {
                return Err(raise(Diagnostic::new(
                    "flow::lang::not_captured",
                    "this step's result is not at hand here",
                )
                .help("a closure can read the steps it names itself; a step that comes in by another way is not waited for")));
            }
            Ok(Dynamic::from(Pending(Arc::new(Value::Ref(Reference {
                step: id,
                property: name.into(),
                path: Vec::new(),
            })))))
        }
    }
}

/// Reads further into a pending value.
pub fn further(value: &Pending, key: Key) -> Result<Dynamic, Fault> {
    match &*value.0 {
        Value::Ref(reference) => {
            let mut reference = reference.clone();
            reference.path.push(key);
            Ok(Dynamic::from(Pending(Arc::new(Value::Ref(reference)))))
        }
        _ => Err(raise(
            Diagnostic::new("flow::lang::pending", "a text with results in it has no keys or items")
                .help("read the key from the step's result itself: `build.output.files[0]`"),
        )),
    }
}

/// A step, or a list of steps (side by side), as a sequence.
pub fn sequence(context: &NativeCallContext, value: &Dynamic) -> Result<Sequence, Fault> {
    if let Some(step) = value.read_lock::<Step>() {
        return session::build(context, |builder, _| Ok(step.sequence(builder)));
    }
    if let Some(items) = value.read_lock::<Array>() {
        let span = session::with(|s| s.span(context));
        let parts = items.iter().map(|item| sequence(context, item)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Sequence::side_by_side(parts, span));
    }
    Err(raise(not_a_step(value, session::with(|s| s.span(context)))))
}

/// Something else stands where a step is needed.
pub fn not_a_step(value: &Dynamic, span: Span) -> Diagnostic {
    if let Some(name) = super::secret::within(value) {
        return super::secret::refused(Some(&name), span);
    }
    let help = if value.is::<Pending>() {
        "this is a result of a step; name the step itself, without the property"
    } else if value.is_string() {
        "a text is not a step; make one with `sh(name, script)`, or use the arrow form: `chain(\"a -> b\")`"
    } else if value.is::<Agent>() {
        "an agent is no step by itself; a question to it is one: `agent.ask(\"…\")`"
    } else if value.is_fnptr() {
        "a closure is not a step; make one with `call(name, || …)`"
    } else {
        "make a step with `sh`, `exec`, `call`, `task`, … or a group with `chain`, `parallel`, `flow`"
    };
    let text = value.read_lock::<rhai::ImmutableString>().map(|text| text.to_string()).filter(|text| !is_marked(text));
    let found = match &text {
        Some(text) => format!("the text \"{}\"", shorten(text, 40)),
        None => super::fault::readable_type(value.type_name()),
    };
    Diagnostic::new("flow::lang::not_a_step", format!("a step is needed here, but this is {found}"))
        .label_word(span, text.unwrap_or_default(), "here")
        .help(help)
}
