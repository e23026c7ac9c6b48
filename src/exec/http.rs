//! `http`: requests. All of them are made by one thread, which a run without requests never has.
//!
//! A request that is killed, or takes too long, is dropped, and with it its connection. What had come by then is kept.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use crate::event::{Failure, FailureKind, Outcome};
use crate::plan::{Class, Http, Parse, Task};

use super::capture::Logs;
use super::running::Running;
use super::{Done, Job, Report};
use answer::Answer;
use client::Clients;
use request::Request;

mod answer;
mod client;
mod exchange;
mod pulse;
mod redirect;
mod request;
mod retry_after;
mod trouble;
mod upload;
mod value;

/// A request to be made, and what tells that it is to be ended.
type Order = (Job, oneshot::Receiver<()>);

/// The requests of a run.
pub(super) struct Requests {
    running: Arc<Running>,
    report: Report,
    /// The way to the thread that makes them.
    send: Mutex<Option<mpsc::UnboundedSender<Order>>>,
}

impl Requests {
    pub fn new(running: Arc<Running>, report: Report) -> Self {
        Requests { running, report, send: Mutex::default() }
    }

    /// Begins to make requests, and returns at once.
    pub fn start(&self, jobs: impl IntoIterator<Item = Job>) {
        let mut jobs = jobs.into_iter().peekable();
        if jobs.peek().is_none() {
            return;
        }
        let mut send = self.send.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = match send.take() {
            Some(send) => Ok(send),
            None => begin(self.running.clone(), self.report.clone()),
        };
        match begun {
            Ok(begun) => {
                for job in jobs {
                    let killed = self.running.request_begun((job.step, job.attempt));
                    if let Err(mpsc::error::SendError((job, _))) = begun.send((job, killed)) {
                        // The thread is gone, which it is only after a panic of its own.
                        self.refuse(&job, "the thread that makes requests has ended");
                    }
                }
                *send = Some(begun);
            }
            Err(error) => jobs.for_each(|job| self.refuse(&job, &error.to_string())),
        }
    }

    fn refuse(&self, job: &Job, why: &str) {
        self.running.request_ended((job.step, job.attempt));
        let mut failure = Failure::new(FailureKind::Connection, format!("no request can be made: {why}"))
            .help("the system refused a thread or a file; `--max-parallel` lowers the need");
        failure.class = Class::Resource;
        let outcome = Arc::new(Outcome { error: Some(failure), ..Outcome::default() });
        (self.report)(Done::Finished { step: job.step, attempt: job.attempt, outcome });
    }

    /// Lets the thread end, after the requests that are under way.
    pub fn close(&self) {
        self.send.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Begins the thread.
fn begin(running: Arc<Running>, report: Report) -> std::io::Result<mpsc::UnboundedSender<Order>> {
    let runtime = Builder::new_current_thread().enable_all().thread_name("flow-http").build()?;
    let (send, orders) = mpsc::unbounded_channel();
    thread::Builder::new().name("flow-http".into()).spawn(move || make_all(runtime, orders, &running, &report))?;
    Ok(send)
}

fn make_all(runtime: Runtime, mut orders: mpsc::UnboundedReceiver<Order>, running: &Arc<Running>, report: &Report) {
    let clients = Arc::new(Clients::default());
    runtime.block_on(async {
        let mut requests = JoinSet::new();
        while let Some((job, killed)) = orders.recv().await {
            // What has ended is forgotten as we go.
            while requests.try_join_next().is_some() {}
            let (running, report, clients) = (running.clone(), report.clone(), clients.clone());
            requests.spawn(async move {
                let (step, attempt) = (job.step, job.attempt);
                let begun = Instant::now();
                // A task of its own, so that a panic ends one step and not the run.
                let made = tokio::spawn(attempt_of(Arc::new(job), killed, clients)).await;
                let mut outcome = made
                    .unwrap_or_else(|_| Err(panicked()))
                    .unwrap_or_else(|failure| Outcome { error: Some(failure), ..Outcome::default() });
                outcome.duration_ms = begun.elapsed().as_millis() as u64;
                running.request_ended((step, attempt));
                report(Done::Finished { step, attempt, outcome: Arc::new(outcome) });
            });
        }
        while requests.join_next().await.is_some() {}
    });
    // A name that is still being looked up is nobody's any more.
    runtime.shutdown_background();
}

/// Makes the attempt: values are filled in, the request is sent, the answer is read.
async fn attempt_of(job: Arc<Job>, killed: oneshot::Receiver<()>, clients: Arc<Clients>) -> Result<Outcome, Failure> {
    let asked = job.clone();
    let (request, logs) =
        apart(move || Ok::<_, Failure>((Request::of(http_of(&asked)?, &asked)?, Logs::of(&asked)?))).await?;
    let http = http_of(&job)?;
    let shown = shown(&request);
    let client = clients.get(http.connect_ms)?;
    let mut answer = Answer::new(logs);
    let secrets = request.secrets.clone();
    let total = http.total_ms.map_or(Duration::MAX, Duration::from_millis);
    let result = tokio::select! {
        biased;
        // An end without a word is none: what tells it lives as long as the request.
        Ok(()) = killed => Err(ended_by_us(&shown)),
        result = timeout(total, exchange::exchange(request, http, &shown, &client, &mut answer)) => {
            result.unwrap_or_else(|_| Err(trouble::too_slow(&shown, http.total_ms.unwrap_or_default())))
        }
    };
    apart(move || {
        let parse = job.policy.as_ref().map_or(Parse::Auto, |policy| policy.parse);
        let mask = |text: &str| value::without(&secrets, text);
        Ok(answer.outcome(http_of(&job)?, parse, &shown, result.err(), &mask))
    })
    .await
}

fn http_of(job: &Job) -> Result<&Http, Failure> {
    match &*job.task {
        Task::Http(http) => Ok(http),
        other => Err(Failure::new(FailureKind::Script, format!("`{}` is not a request", other.kind()))
            .help("this is a mistake in flow; please report it")),
    }
}

/// Does what reads files on another thread, so that other requests need not wait for a disk.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    spawn_blocking(work).await.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => Err(panicked()),
    })
}

fn panicked() -> Failure {
    Failure::new(FailureKind::Script, "the code that makes requests panicked")
        .help("this is a mistake in flow; please report it")
}

/// `GET https://example.org/path`: without the query, in which there may be keys.
fn shown(request: &Request) -> String {
    let url = &request.url;
    let path = crate::state::result::shorten(url.path(), 100);
    format!("{} {}://{}{path}", request.method, url.scheme(), trouble::address(url))
}

fn ended_by_us(shown: &str) -> Failure {
    Failure::new(FailureKind::Cancelled, format!("`{shown}` was ended before it was done"))
        .help("it was cancelled, or the run was")
}
