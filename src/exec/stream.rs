//! Streams: members that run at the same time, connected by what flows between them.
//!
//! flow stands between any two members, never a bare pipe: so the end of what a failed member wrote can be kept from its
//! readers, who would take it for the whole; a reader can be started again; and what flows is kept as a log, up to a limit.
//!
//! `docs/streams.md` says what is promised.

mod agent;
mod emit;
mod filter;
mod heard;
mod hub;
mod inlet;
mod junction;
mod kept;
mod lines;
mod member;
mod meters;
mod orders;
mod outlet;
mod pipes;
mod seat;
mod spool;
mod telling;
mod transcript;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::hub::Hub;
use super::agent::Recordings;
use super::http::Requests;
use super::process::Room;
use super::running::Running;
use super::{Closures, Job, Report};
use crate::event::{Failure, FailureKind, Outcome};
use crate::plan::StepId;

/// The streams of a run that are open: each attempt of a group has one.
#[derive(Default)]
pub(super) struct Streams(Mutex<HashMap<(StepId, u32), Arc<Hub>>>);

/// What an attempt of a member needs.
pub(super) struct Around<'a> {
    pub closures: &'a dyn Closures,
    pub running: &'a Arc<Running>,
    pub room: &'a Room,
    pub report: &'a Report,
    pub requests: &'a Requests,
    /// Answers in place of agents.
    pub recordings: Option<&'a dyn Recordings>,
}

impl Streams {
    fn open(&self) -> MutexGuard<'_, HashMap<(StepId, u32), Arc<Hub>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an attempt of a member and waits for its end. Blocks. The first of a stream's members to come opens it.
    pub fn run(&self, job: &Job, around: &Around) -> Result<Outcome, Failure> {
        let Some(place) = &job.stream else {
            return Err(Failure::new(FailureKind::Input, "it does not stand in a stream")
                .help("this is a mistake in flow; please report it"));
        };
        let key = (place.group, place.attempt);
        let hub = {
            let mut open = self.open();
            match open.get(&key) {
                Some(hub) => hub.clone(),
                None => {
                    let hub = Arc::new(Hub::open(place, job, around)?);
                    open.insert(key, hub.clone());
                    hub
                }
            }
        };
        hub.run(job, around)
    }

    /// See [`super::Executor::let_end`].
    pub fn let_end(&self, member: StepId) {
        self.open().values().for_each(|hub| hub.let_end(member));
    }

    /// See [`super::Executor::close_stream`].
    pub fn close(&self, group: StepId, attempt: u32) {
        let hub = self.open().remove(&(group, attempt));
        if let Some(hub) = hub {
            hub.close();
        }
    }
}
