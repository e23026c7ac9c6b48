//! Streams: members that run at the same time, connected by what flows between them.

use std::sync::Arc;

use super::process::Room;
use super::running::Running;
use super::{Closures, Job, Report};
use crate::event::{Failure, FailureKind, Outcome};
use crate::plan::StepId;

/// The streams of a run that are open.
#[derive(Default)]
pub(super) struct Streams {}

/// What an attempt of a member needs.
pub(super) struct Around<'a> {
    pub closures: &'a dyn Closures,
    pub running: &'a Arc<Running>,
    pub room: &'a Room,
    pub report: &'a Report,
}

impl Streams {
    /// Makes an attempt of a member and waits for its end. Blocks. The first of a stream's members to come opens it.
    pub fn run(&self, _job: &Job, around: &Around) -> Result<Outcome, Failure> {
        let _ = (around.closures, around.running, around.room, around.report);
        Err(Failure::new(FailureKind::Spawn, "streams are not there yet"))
    }

    /// See [`super::Executor::let_end`].
    pub fn let_end(&self, _member: StepId) {}

    /// See [`super::Executor::close_stream`].
    pub fn close(&self, _group: StepId, _attempt: u32) {}
}
