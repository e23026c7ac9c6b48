//! What a thread has to do the work of one stage with.

use std::sync::Arc;

use super::shared::Shared;
use super::stop::Stop;
use super::work::{self, Given, Input, Which, Worker};
use crate::event::{Failure, FailureKind};
use crate::lang::item::{Item, Mapper};
use crate::plan::{Closure, Stage, StageWork};

/// See the module's page.
pub(super) enum Hand<'a> {
    Map(Box<dyn Mapper + 'a>),
    Filter(Box<dyn Mapper + 'a>),
    FlatMap(Box<dyn Mapper + 'a>),
    Worker(Box<dyn Worker + 'a>),
    /// Each of them gets the item.
    Each(Vec<Hand<'a>>),
}

impl<'a> Hand<'a> {
    /// For the `nth` thread of a stage, which is ended by `stop`.
    pub fn open(shared: &Shared<'a>, stage: &'a Stage, stop: &Arc<Stop>, nth: u32) -> Result<Self, Failure> {
        let opening = shared.opening;
        let mapper = |closure: &'a Closure| opening.mapper(closure, stop);
        Ok(match &stage.work {
            StageWork::Map(closure) => Hand::Map(mapper(closure)?),
            StageWork::Filter(closure) => Hand::Filter(mapper(closure)?),
            StageWork::FlatMap(closure) => Hand::FlatMap(mapper(closure)?),
            StageWork::Each(stages) => {
                Hand::Each(stages.iter().map(|stage| Hand::open(shared, stage, stop, nth)).collect::<Result<_, _>>()?)
            }
            _ => Hand::Worker(work::open(stage, opening, stop, nth)?),
        })
    }

    /// Does the work for an item, or a batch.
    pub fn call(&mut self, input: Input, which: Which) -> Result<Given, Failure> {
        let batch = matches!(input, Input::Batch(_));
        match self {
            Hand::Map(mapper) => Ok(Given::of(mapper.call(input.into_item())?, batch)),
            Hand::Filter(mapper) => {
                let passes = mapper.call(input.clone().into_item())?;
                match (passes.as_bool(), input) {
                    (Some(true), Input::One(item)) => Ok(Given::One(item)),
                    (Some(true), Input::Batch(items)) => Ok(Given::Many(items)),
                    (Some(false), _) => Ok(Given::Nothing),
                    (None, _) => Err(Failure::new(
                        FailureKind::Script,
                        format!("the closure of a filter gave {}, not true or false", shown(&passes)),
                    )),
                }
            }
            Hand::FlatMap(mapper) => {
                let value = mapper.call(input.into_item())?;
                if value.is_nothing() {
                    return Ok(Given::Nothing);
                }
                value.into_list().map(Given::Many).map_err(|value| {
                    let message = format!("the closure of a flat_map gave {}, not an array", shown(&value));
                    Failure::new(FailureKind::Script, message)
                })
            }
            Hand::Worker(worker) => worker.work(input, which),
            Hand::Each(hands) => {
                let mut given = Vec::with_capacity(hands.len());
                for hand in hands {
                    given.push(match hand.call(input.clone(), which)? {
                        Given::Nothing => Item::of(crate::plan::Json::Null),
                        Given::One(item) => item,
                        Given::Many(items) => Item::list(items),
                    });
                }
                Ok(Given::One(Item::list(given)))
            }
        }
    }

    /// Nothing more comes.
    pub fn finish(self) -> Result<(), Failure> {
        match self {
            Hand::Worker(worker) => worker.finish(),
            Hand::Each(hands) => hands.into_iter().try_for_each(Hand::finish),
            Hand::Map(_) | Hand::Filter(_) | Hand::FlatMap(_) => Ok(()),
        }
    }
}

/// A value for a message.
fn shown(item: &Item) -> String {
    let text = item.to_json().map_or_else(|_| "something else".into(), |value| value.to_string());
    format!("`{}`", crate::state::result::shorten(&text, 60))
}
