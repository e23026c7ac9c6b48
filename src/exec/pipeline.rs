//! Pipelines: items from a source through stages into a sink.
//!
//! A thread reads the source (`feed`), threads work on the items, one or more for each group of stages (`crew`), and a thread
//! hands them to the sink (`writer`). Between them are bounded queues. The books (`tracker`) say for each item of the source
//! what is still to come of it; an item of which nothing is to come any more is acknowledged. The thread that runs the pipeline
//! watches the others (`watch`), and tells from time to time what is acknowledged: from there it goes on after a crash.

use std::path::PathBuf;
use std::sync::Arc;

use super::http::Requests;
use super::mask::Mask;
use super::process::Room;
use super::running::{Key, Running};
use super::workers::Keep;
use super::{Closures, Job, Report};
use crate::event::{Failure, Outcome, Reached};
use crate::lang::item::Mapper;
use crate::plan::{Closure, Pipeline};

#[cfg(test)]
mod attempt;
mod backoff;
mod collected;
mod crew;
mod exchange;
mod feed;
mod gauge;
mod group;
mod halt;
mod hand;
mod ledger;
mod lines;
mod outside;
mod parcel;
mod queue;
mod reorder;
mod shared;
mod sink;
mod source;
mod steplog;
mod stop;
#[cfg(test)]
mod tests;
mod tracker;
mod watch;
mod work;
mod writer;

pub(in crate::exec) use halt::Halt;
pub(super) use outside::Outside;
pub(super) use steplog::{Heard, StepLog};
use stop::Stop;

/// What an attempt of a pipeline needs.
pub(super) struct Around<'a> {
    pub closures: &'a dyn Closures,
    pub running: &'a Arc<Running>,
    pub room: &'a Room,
    pub keep: &'a Keep,
    pub requests: &'a Requests,
    pub report: &'a Report,
}

/// What sources, sinks and workers are opened with.
pub(super) struct Opening<'a> {
    /// The attempt. Its files stand below `logs`, see [`Opening::stem`].
    pub job: &'a Job,
    /// What is outside.
    pub around: &'a Around<'a>,
    /// Where the pipeline goes on. All zero: at the beginning.
    pub reached: &'a Reached,
    /// What all its processes and requests have in common.
    pub outside: &'a Outside<'a>,
}

impl<'a> Opening<'a> {
    /// A closure, to be called until `stop` is set. What it prints goes into the log of the step's errors.
    pub fn mapper(&self, closure: &'a Closure, stop: &Stop) -> Result<Box<dyn Mapper + 'a>, Failure> {
        let mapper = self.around.closures.mapper(closure, &self.job.inputs, stop.flag())?;
        Ok(Heard::by(&self.outside.errors, mapper))
    }

    /// The beginning of the names of the pipeline's files in the run's folder: the same for all attempts.
    pub fn stem(&self) -> String {
        format!("logs/{}", super::log_stem(self.job.step, &self.job.path, 1))
    }

    /// The name of the file of collected items.
    pub fn collected(&self) -> String {
        self.stem() + ".items.ndjson"
    }

    /// The name of the file of dead letters.
    pub fn dead_letters(&self) -> String {
        self.stem() + ".dead.ndjson"
    }

    /// The path of a file of the run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.job.site.folder.join(name)
    }

    /// What takes secrets out of what is written, if there are any.
    pub fn mask(&self) -> Option<Arc<Mask>> {
        self.job.site.hides().then(|| self.around.keep.secrets.mask())
    }
}

/// Runs a pipeline to its end. Blocks.
pub(super) fn run(pipeline: &Pipeline, job: &Job, around: &Around) -> Result<Outcome, Failure> {
    job.site.prepare()?;
    let reached = job.reached.as_deref().cloned().unwrap_or_default();
    let key = Key::from((job.step, job.attempt));
    let halt = around.running.pipeline_begun(key);
    let outside = Outside::of(job, around.running, around.room);
    let outcome = outside.and_then(|outside| {
        let opening = Opening { job, around, reached: &reached, outside: &outside };
        watch::run(pipeline, &opening, &halt)
    });
    around.running.pipeline_ended(key);
    outcome
}
