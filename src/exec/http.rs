//! `http`: one attempt is one request, with the redirects that follow.
//!
//! A request that is killed, or takes too long, is dropped, and with it its connection. What had come by then is kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::event::{Failure, FailureKind, Outcome, Output};
use crate::plan::{Class, Http, Json, Parse};

use super::Job;
use super::capture::{Logs, store_failure};
use super::running::{Key, Running};
use super::secrets::Secrets;
use answer::Answer;
use client::Clients;
use request::Request;
use value::Values;

pub(super) use stream::{Listener, Post, Streamed};

mod answer;
mod client;
mod exchange;
mod pulse;
mod redirect;
mod request;
mod retry_after;
mod stream;
mod trouble;
mod upload;
mod value;

/// What the requests of a run share: connections, and the thread that looks after them. A run without requests has none.
pub(super) struct Requests {
    secrets: Arc<Secrets>,
    runtime: Mutex<Option<Arc<Runtime>>>,
    clients: Clients,
}

/// One of many requests of an attempt.
pub(super) struct Asking<'a> {
    pub job: &'a Job,
    /// By which it can be ended.
    pub key: Key,
    /// Its number, which no other request or process of the attempt has.
    pub part: u32,
    /// Its `Idempotency-Key`, if it is to have one.
    pub idempotency: String,
}

impl Requests {
    /// With these secrets.
    pub fn with(secrets: Arc<Secrets>) -> Self {
        Requests { secrets, runtime: Mutex::default(), clients: Clients::default() }
    }

    /// Makes the attempt and waits for its end. Blocks.
    pub fn make(&self, http: &Http, job: &Job, running: &Running) -> Result<Outcome, Failure> {
        let values = Values { job, secrets: &self.secrets, key: job.key() };
        self.answer(http, &values, &Logs::of(job)?, running, (job.step, job.attempt).into())
    }

    /// Makes one of many requests of an attempt, and gives the body of the answer. Blocks.
    pub fn ask(&self, http: &Http, asking: &Asking, running: &Running) -> Result<Json, Failure> {
        let job = asking.job;
        let values = Values { job, secrets: &self.secrets, key: asking.idempotency.clone() };
        let logs = Logs::of_part(job, asking.part)?;
        let outcome = self.answer(http, &values, &logs, running, asking.key)?;
        let body = match (outcome.error, outcome.output) {
            (Some(failure), _) => Err(failure),
            (None, Output::None) => Ok(Json::Null),
            (None, Output::Value(value)) => Ok(value),
            (None, Output::File { log, json }) => {
                let path = logs.folder().join(&log.file);
                std::fs::read(&path).map_err(|error| store_failure("read", &path, &error)).map(|bytes| {
                    let text = || String::from_utf8_lossy(&bytes).into_owned();
                    let value = if json { serde_json::from_slice(&bytes).ok() } else { None };
                    value.unwrap_or_else(|| Json::from(text()))
                })
            }
        };
        for ending in ["out", "json"] {
            // Most of them are not there.
            let _ = std::fs::remove_file(logs.path(ending));
        }
        body
    }

    fn answer(
        &self,
        http: &Http,
        values: &Values,
        logs: &Logs,
        running: &Running,
        key: Key,
    ) -> Result<Outcome, Failure> {
        let job = values.job;
        let masked = self.secrets.of_run(&job.site.hidden);
        let mut request = Request::of(http, values)?;
        let (shown, mask) = (request.shown.clone(), std::mem::take(&mut request.mask));
        let mut answer = Answer::new(logs, masked, &mask);
        let runtime = self.runtime()?;
        let client = self.clients.get(http.connect_ms)?;
        let killed = running.request_begun(key);
        let total = http.total_ms.map_or(Duration::MAX, Duration::from_millis);
        let result = runtime.block_on(async {
            tokio::select! {
                biased;
                // What tells the end lives as long as the request, so an end without a word is none.
                Ok(()) = killed => Err(by_us(&shown)),
                result = timeout(total, exchange::exchange(request, http, &shown, &client, &mut answer)) => {
                    result.unwrap_or_else(|_| Err(trouble::too_slow(&shown, http.total_ms.unwrap_or_default())))
                }
            }
        });
        running.request_ended(key);
        let parse = job.policy.as_ref().map_or(Parse::Auto, |policy| policy.parse);
        let mut outcome = answer.outcome(http, parse, &shown, result.err());
        mask.outcome(&mut outcome);
        Ok(outcome)
    }

    fn runtime(&self) -> Result<Arc<Runtime>, Failure> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.clone());
        }
        let begun = Builder::new_multi_thread().worker_threads(1).thread_name("flow-http").enable_all().build();
        let begun = begun.map(Arc::new).map_err(|error| {
            let mut failure = Failure::new(FailureKind::Connection, format!("no request can be made: {error}"))
                .help("the system refused a thread or a file; `--max-parallel` lowers the need");
            failure.class = Class::Resource;
            failure
        })?;
        *runtime = Some(begun.clone());
        Ok(begun)
    }

    /// The run is over: nobody waits for an answer any more.
    pub fn close(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runtime) = runtime.and_then(Arc::into_inner) {
            // Does not wait for a name that is still being looked up.
            runtime.shutdown_background();
        }
    }
}

fn by_us(shown: &str) -> Failure {
    Failure::new(FailureKind::Cancelled, format!("`{shown}` was ended before it was done"))
        .help("it was cancelled, or the run was")
}
