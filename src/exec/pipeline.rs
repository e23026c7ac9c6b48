//! Pipelines: items from a source through stages into a sink.

use std::sync::Arc;

use super::http::Requests;
use super::process::Room;
use super::running::Running;
use super::workers::Keep;
use super::{Closures, Job, Report};
use crate::event::{Failure, FailureKind, Outcome};
use crate::plan::Pipeline;

/// What an attempt of a pipeline needs.
pub(super) struct Around<'a> {
    pub closures: &'a dyn Closures,
    pub running: &'a Arc<Running>,
    pub room: &'a Room,
    pub keep: &'a Keep,
    pub requests: &'a Requests,
    pub report: &'a Report,
}

/// Runs a pipeline to its end. Blocks.
pub(super) fn run(_pipeline: &Pipeline, _job: &Job, around: &Around) -> Result<Outcome, Failure> {
    let _ = (around.closures, around.running, around.room, around.keep, around.requests, around.report);
    Err(Failure::new(FailureKind::Spawn, "pipelines are not there yet"))
}
