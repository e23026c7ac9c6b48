//! An agent that is asked over HTTP.

use std::sync::Arc;
use std::time::Duration;

use super::Call;
use super::supervise::{Supervised, Supervision};
use super::verdict::End;
use crate::event::Outcome;
use crate::exec::Job;
use crate::exec::http::{Listener, Post, Requests, Streamed};
use crate::exec::running::Running;

impl Listener for Supervision<'_> {
    fn heard(&mut self, bytes: &[u8]) {
        self.heard(bytes);
        self.pause();
    }

    fn is_enough(&mut self) -> bool {
        self.look()
    }

    fn wait(&self) -> Duration {
        self.wait()
    }
}

/// Sends a request and hears the answer to its end. Blocks.
pub(super) fn run(
    call: &Call,
    name: &str,
    job: &Job,
    (running, requests): (&Arc<Running>, &Requests),
    mut supervision: Supervision<'_>,
) -> (Outcome, End, Supervised) {
    let key = (job.step, job.attempt);
    let post = Post { url: &call.url, headers: &call.headers, body: &call.body, whose: format!("agent `{name}`") };
    let mut outcome = Outcome::default();
    let (end, killed) = match running.may_begin(key) {
        false => (End::Answered, true),
        true => match requests.stream(&post, key.into(), running, &mut supervision) {
            Streamed::Whole | Streamed::Enough => (End::Answered, false),
            Streamed::Killed => (End::Answered, true),
            Streamed::Failed(status, failure) => {
                outcome.code = status.map(i32::from);
                (End::Failed(failure), false)
            }
        },
    };
    (outcome, end, supervision.end(killed))
}
