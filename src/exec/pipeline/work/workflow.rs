//! A run of another workflow for each item; what its script returns goes on.

use std::sync::Arc;

use super::{Given, Input, Opening, Stop, Which, Worker};
use crate::event::{Failure, FailureKind, PartOf};
use crate::exec::Workflows;
use crate::lang::item::{Item, Mapper};
use crate::plan::{Closure, Json};
use crate::state::result::{kind_of, plain_text};

/// See the module's page.
pub(super) struct Workflow<'a> {
    workflows: &'a dyn Workflows,
    file: &'a str,
    args: Option<Box<dyn Mapper + 'a>>,
    part_of: PartOf,
    stop: Arc<Stop>,
}

impl<'a> Workflow<'a> {
    pub fn open(
        file: &'a str,
        args: Option<&'a Closure>,
        stage: &str,
        at: &Opening<'a>,
        stop: &Arc<Stop>,
    ) -> Result<Self, Failure> {
        let workflows = at.around.keep.workflows.as_deref().ok_or_else(|| {
            Failure::new(FailureKind::Spawn, format!("the workflow `{file}` cannot be run from here"))
                .help("an embedding program that runs plans by itself has to say how workflows are run")
        })?;
        let args = args.map(|args| at.around.closures.mapper(args, &at.job.inputs, stop.flag())).transpose()?;
        let part_of =
            PartOf { run: at.job.site.run.to_string(), step: at.job.path.to_string(), stage: stage.to_owned() };
        Ok(Workflow { workflows, file, args, part_of, stop: stop.clone() })
    }
}

impl Worker for Workflow<'_> {
    fn work(&mut self, input: Input, _: Which) -> Result<Given, Failure> {
        let batch = matches!(input, Input::Batch(_));
        let item = input.into_item();
        let args = match &mut self.args {
            Some(closure) => closure.call(item)?,
            None => item,
        };
        let args = parameters(self.file, args.to_json()?, self.args.is_some())?;
        let value = self.workflows.run(self.file, &args, &self.part_of, self.stop.flag())?;
        Ok(Given::of(Item::of(value), batch))
    }
}

/// The parameters, as texts. `()` is none: then the parameter has its default.
fn parameters(file: &str, args: Json, given: bool) -> Result<Vec<(String, String)>, Failure> {
    match args {
        Json::Object(map) => Ok(map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, plain_text(&value)))
            .collect()),
        other => {
            let who = if given { "the closure gave" } else { "the item is" };
            let message = format!("the parameters of `{file}` are a map, and {who} {}", kind_of(&other));
            Err(Failure::new(FailureKind::Input, message)
                .help("`.workflow(\"name\", \"file.rhai\", |item| #{ id: item.id })` makes one of each item"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn parameters_are_texts() {
        let args = parameters("f", json!({"a": "x", "b": 1, "c": null, "d": [1]}), true).expect("a map");
        assert_eq!(args, [("a", "x"), ("b", "1"), ("d", "[1]")].map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert!(parameters("f", json!(1), false).expect_err("no map").message.contains("the item is a number"));
    }
}
