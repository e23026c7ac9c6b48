//! Events between steps: what is published on a topic, and what is done for each.

use rhai::plugin::*;
use rhai::{Dynamic, FnPtr, Map, NativeCallContext};
use smol_str::SmolStr;

use super::declare;
use crate::diag::Diagnostic;
use crate::lang::closures;
use crate::lang::convert::{Steps, to_value};
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::Step;
use crate::lang::options::{Options, here, name as known_name};
use crate::lang::{keys, session};
use crate::plan::{OnEvent, Publish, Task};

/// A topic; `several`: one that may end in `*`.
fn topic_of(context: &NativeCallContext, topic: &str, several: bool) -> Result<SmolStr, Fault> {
    let topic = known_name(context, topic)?;
    let bare = if several { topic.strip_suffix('*').unwrap_or(topic) } else { topic };
    let fits = !topic.is_empty() && !bare.contains('*') && !bare.chars().any(|c| c.is_control() || c.is_whitespace());
    if fits {
        return Ok(topic.into());
    }
    let help = match several {
        true => {
            "a topic is a word such as `found` or `review.done`; `review.*` stands for all that begin so, and `*` for all"
        }
        false => "a topic is a word such as `found` or `review.done`",
    };
    Err(raise(
        Diagnostic::new("flow::lang::option", format!("`{topic}` is no topic"))
            .label_word(here(context), topic, "given here")
            .help(help),
    ))
}

fn published(context: &NativeCallContext, name: &str, topic: &str, value: &Dynamic) -> Result<Step, Fault> {
    let topic = topic_of(context, topic, false)?;
    declare(context, name, |session, span| {
        let value = to_value(session, value, Steps::AsOutput, span)?;
        Ok(Task::Publish(Box::new(Publish { topic, value })))
    })
}

fn listening(
    context: &NativeCallContext,
    name: &str,
    topic: &str,
    closure: &FnPtr,
    options: &Map,
) -> Result<Step, Fault> {
    let topic = topic_of(context, topic, true)?;
    declare(context, name, |session, span| {
        let body = closures::freeze(session, closure, span)?;
        let mut map = Options::of(&keys::ON_EVENT, options, span);
        let max = map.count("max", 1)?.unwrap_or(OnEvent::MAX);
        map.done()?;
        Ok(Task::OnEvent(Box::new(OnEvent { topic, body, max, children: Vec::new(), of: Vec::new() })))
    })
}

fn nameless(context: &NativeCallContext, word: &str) -> Result<SmolStr, Fault> {
    session::build(context, |builder, _| Ok(builder.nameless(word)))
}

#[export_module]
pub mod functions {
    /// A step that tells something to those who wait for it (`on_event`), on a topic. It ends at once; what it told is its output.
    ///
    /// - `name`: the step's name
    /// - `topic`: what it is about, a word
    /// - `value` (any value): what is told; may hold results of steps
    ///
    /// ```rhai
    /// let scan = sh("scan", "echo parser.c");
    /// publish("report", "found", scan.output);
    /// on_event("look", "found", |event| sh("look", `echo looking into ${quote(event.value)}`));
    /// ```
    ///
    /// In a message broker: `publish`. In GitHub Actions: `repository_dispatch`.
    ///
    /// Errors: `flow::lang::option`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `on_event`, `board`
    #[rhai_fn(return_raw)]
    pub fn publish(context: NativeCallContext, name: &str, topic: &str, value: Dynamic) -> Result<Step, Fault> {
        published(&context, name, topic, &value)
    }

    /// A step that tells something on a topic, named by itself.
    ///
    /// ```rhai
    /// publish("found", "parser.c");
    /// ```
    #[rhai_fn(name = "publish", return_raw)]
    pub fn publish_nameless(context: NativeCallContext, topic: &str, value: Dynamic) -> Result<Step, Fault> {
        let name = nameless(&context, "publish")?;
        published(&context, &name, topic, &value)
    }

    /// One step for each thing that is published on a topic, in the order of publication.
    ///
    /// The closure gets a map of `topic`, `value`, `from` (the path of the step that published it) and `number` (from 1), and returns the
    /// step. It begins while others go on, and ends when nothing more can be published on the topic and all its steps have ended. The output is the
    /// list of their outputs. What was published before it began is heard as well; each is heard once, also over crashes.
    ///
    /// Its steps may publish, too, also on the topic itself: `max` bounds that.
    ///
    /// - `name`: the name of the whole; its steps are `name[1]`, `name[2]`, …
    /// - `topic`: what is listened to; `"review.*"` stands for all that begin so, `"*"` for all
    /// - `closure`: `|event| …`: gives the step
    ///
    /// ```rhai
    /// on_event("look", "found", |event| sh("look", `echo looking into ${quote(event.value)}`));
    /// each("scan", ["a.c", "b.c"], |file| publish("tell", "found", file));
    /// ```
    ///
    /// In a message broker: a subscription. In Airflow: an asset, and the tasks that are scheduled by it.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::not_a_step`, `flow::lang::outside_step`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `publish`, `each`, `board`
    #[rhai_fn(return_raw)]
    pub fn on_event(context: NativeCallContext, name: &str, topic: &str, closure: FnPtr) -> Result<Step, Fault> {
        listening(&context, name, topic, &closure, &Map::new())
    }

    /// One step for each thing that is published on a topic, with more to say about all of them.
    ///
    /// - `options`: see the table below
    ///
    /// ```rhai
    /// on_event("count", "tick", |event| publish("again", "tick", event.number), #{ max: 3 }).on_error("continue");
    /// publish("begin", "tick", 0);
    /// ```
    #[rhai_fn(name = "on_event", return_raw)]
    pub fn on_event_with(
        context: NativeCallContext,
        name: &str,
        topic: &str,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        listening(&context, name, topic, &closure, &options)
    }

    /// One step for each thing that is published on a topic, named by itself.
    ///
    /// ```rhai
    /// on_event("found", |event| sh("look", `echo looking into ${quote(event.value)}`));
    /// ```
    #[rhai_fn(name = "on_event", return_raw)]
    pub fn on_event_nameless(context: NativeCallContext, topic: &str, closure: FnPtr) -> Result<Step, Fault> {
        let name = nameless(&context, "on_event")?;
        listening(&context, &name, topic, &closure, &Map::new())
    }

    /// One step for each thing that is published on a topic, named by itself, with more to say.
    ///
    /// ```rhai
    /// on_event("found", |event| sh("look", `echo looking into ${quote(event.value)}`), #{ max: 20 });
    /// ```
    #[rhai_fn(name = "on_event", return_raw)]
    pub fn on_event_nameless_with(
        context: NativeCallContext,
        topic: &str,
        closure: FnPtr,
        options: Map,
    ) -> Result<Step, Fault> {
        let name = nameless(&context, "on_event")?;
        listening(&context, &name, topic, &closure, &options)
    }
}
