//! Pipelines: items from a source through stages into a sink.

use std::sync::Arc;

use super::http::Requests;
use super::process::Room;
use super::running::Running;
use super::workers::Keep;
use super::{Closures, Job, Report};
use crate::event::{Failure, FailureKind, Outcome, Reached};
use crate::plan::Pipeline;

#[cfg(test)]
mod attempt;
mod exchange;
mod lines;
mod outside;
mod sink;
mod source;
mod steplog;
mod stop;
mod work;

pub(super) use outside::Outside;
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

impl Opening<'_> {
    /// The beginning of the names of the pipeline's files in the run's folder: the same for all attempts.
    pub fn stem(&self) -> String {
        format!("logs/{}", super::log_stem(self.job.step, &self.job.path, 1))
    }

    /// The name of the file of collected items.
    pub fn collected(&self) -> String {
        self.stem() + ".items.ndjson"
    }
}

/// Runs a pipeline to its end. Blocks.
pub(super) fn run(pipeline: &Pipeline, job: &Job, around: &Around) -> Result<Outcome, Failure> {
    let _ = (around.closures, around.running, around.room, around.keep, around.requests, around.report);
    let reached = job.reached.as_deref().cloned().unwrap_or_default();
    let outside = Outside::of(job, around.running, around.room)?;
    let opening = Opening { job, around, reached: &reached, outside: &outside };
    let _ = opening.stem();
    let stop = Arc::new(Stop::default());
    let _ = source::open(&pipeline.source, &opening, &stop)?;
    let _ = sink::open(&pipeline.sink, &opening, &stop)?;
    for stage in &pipeline.stages {
        let _ = work::open(stage, &opening, &stop, 0)?;
    }
    Err(Failure::new(FailureKind::Spawn, "pipelines are not there yet"))
}
