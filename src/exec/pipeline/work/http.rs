//! A request for each item. The closure gives it; the body of the answer goes on.

use std::sync::Arc;

use super::{Given, Input, Opening, Stop, Which, Worker};
use crate::event::Failure;
use crate::exec::Job;
use crate::exec::http::{Asking, Requests};
use crate::exec::pipeline::outside::Outside;
use crate::lang::item::{Item, Mapper};
use crate::lang::request_of;
use crate::plan::Closure;

/// See the module's page.
pub(super) struct Http<'a> {
    closure: Box<dyn Mapper + 'a>,
    requests: &'a Requests,
    job: &'a Job,
    outside: &'a Outside<'a>,
    stop: Arc<Stop>,
    stage: &'a str,
}

impl<'a> Http<'a> {
    pub fn open(closure: &'a Closure, stage: &'a str, at: &Opening<'a>, stop: &Arc<Stop>) -> Result<Self, Failure> {
        Ok(Http {
            closure: at.mapper(closure, stop)?,
            requests: at.around.requests,
            job: at.job,
            outside: at.outside,
            stop: stop.clone(),
            stage,
        })
    }
}

impl Worker for Http<'_> {
    fn work(&mut self, input: Input, which: Which) -> Result<Given, Failure> {
        let batch = matches!(input, Input::Batch(_));
        let http = request_of(&self.closure.call(input.into_item())?)?;
        let (key, part) = self.outside.next_part();
        // The same in all attempts for the item, and in no other.
        let idempotency = format!("{}/{}/{}", self.job.key(), self.stage, which.offset);
        let running = self.outside.running.clone();
        self.stop.when_set(move || running.kill(key, false));
        let asking = Asking { job: self.job, key, part, idempotency };
        let answer = self.requests.ask(&http, &asking, self.outside.running);
        self.stop.forget();
        // An end that came too late is for nobody.
        self.outside.running.may_begin(key);
        answer.map(|body| Given::of(Item::of(body), batch))
    }
}
