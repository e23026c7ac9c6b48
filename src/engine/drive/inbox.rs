//! A driver from outside: what it needs to begin, how it is told something, how one waits for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::Sender;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Lookout;
use crate::diag::{Diagnostic, Result};
use crate::engine::bus::Bus;
use crate::engine::numbering::Numbering;
use crate::event::{Event, Record, Stop};
use crate::exec::{Done, Executor, Report};
use crate::plan::{Growth, Step, StepId};
use crate::state::{Files, RunState, StepResult};
use crate::store::RunLog;

/// What is told of an append, on the log's thread.
pub type Committed = Box<dyn FnOnce(Result<()>) + Send>;

/// A log that can be appended to.
pub trait Journal: Send {
    /// Queues records and returns at once; `committed` is called when they are safe, or cannot be written, in the order
    /// of the appends. After a failure all later appends fail too.
    fn append(&self, records: Vec<Record>, committed: Committed);
}

impl Journal for RunLog {
    fn append(&self, records: Vec<Record>, committed: Committed) {
        RunLog::append(self, records, committed);
    }
}

/// What a driver needs to begin.
pub struct Setup {
    /// The state after the events that are in the log.
    pub state: RunState,
    /// The events that come first now: `Opened`, and what is known of the plan beforehand.
    pub opening: Vec<Event>,
    /// Most steps at the same time, where neither the run nor its script says so.
    pub default_parallel: u32,
    /// How the script's ids of steps became those of the plan, in the processes before this one.
    pub numbering: Numbering,
    /// Where events go. Their numbers go on from those in `state`.
    pub journal: Box<dyn Journal>,
    /// Reads the files of steps.
    pub files: Arc<dyn Files>,
    /// The run's folder.
    pub folder: PathBuf,
    /// Makes the executors, given the way back.
    pub executor: Box<dyn FnOnce(Report) -> Arc<dyn Executor> + Send>,
    /// React to the signals that ask a process to end? Says what SIGTERM stands for.
    pub signals: Option<Box<dyn Fn() -> Stop + Send>>,
    /// What comes from outside to steps that wait.
    pub lookout: Lookout,
    /// Called with the final state, before those who listen are told of the end.
    pub at_end: Box<dyn FnOnce(&RunState) + Send>,
}

/// What comes into the inbox.
pub enum Message {
    /// See [`Inbox::begin`].
    Begin,
    /// See [`Inbox::grow`].
    Grow(Growth),
    /// See [`Inbox::fail_script`].
    FailScript(Step),
    /// See [`Inbox::stop`].
    Stop(Stop),
    /// See [`Inbox::note`].
    Note(Event),
    /// See [`Inbox::want`].
    Want(StepId, Sender<Arc<StepResult>>),
    /// See [`Inbox::look`].
    Look,
    /// See [`Inbox::decline`].
    Decline(StepId, u32),
    /// A piece of work is done.
    Done(Done),
    /// The log failed; these attempts never began.
    Failed(Diagnostic, Vec<(StepId, u32)>),
    /// All is committed and there is nothing more to do.
    Closed,
}

/// A run that goes on, on a thread of its own.
pub struct Driving {
    inbox: Inbox,
    bus: Bus,
    thread: JoinHandle<Result<RunState>>,
}

/// The way to tell a driver something. Whatever comes after its end is dropped.
#[derive(Clone)]
pub struct Inbox(UnboundedSender<Message>);

impl Inbox {
    /// An inbox, and where its messages come out.
    pub fn open() -> (Inbox, UnboundedReceiver<Message>) {
        let (send, receive) = unbounded_channel();
        (Inbox(send), receive)
    }

    /// The script added to its plan. Ids count as the script counts them; what the log has already is left out.
    pub fn grow(&self, growth: Growth) {
        self.send(Message::Grow(growth));
    }

    /// The script went wrong after it had begun to run things: the run fails by this step.
    pub fn fail_script(&self, step: Step) {
        self.send(Message::FailScript(step));
    }

    /// All that there is to know beforehand has been said: begin.
    pub fn begin(&self) {
        self.send(Message::Begin);
    }

    /// Stops the run; a second time ends what is still running.
    pub fn stop(&self, reason: Stop) {
        self.send(Message::Stop(reason));
    }

    /// Writes down an event that the machine has nothing to do with.
    pub fn note(&self, event: Event) {
        self.send(Message::Note(event));
    }

    /// Waits until steps (by the script's ids) are final. Nothing: the run ended before.
    pub fn want(&self, steps: &[StepId]) -> Option<Vec<Arc<StepResult>>> {
        let ask = |step: &StepId| {
            let (send, receive) = crossbeam_channel::bounded(1);
            self.send(Message::Want(*step, send));
            receive
        };
        // All are asked for before one is waited for: they run side by side.
        let asked: Vec<_> = steps.iter().map(ask).collect();
        asked.into_iter().map(|receive| receive.recv().ok()).collect()
    }

    /// Something may have come from outside for a step that waits.
    pub fn look(&self) {
        self.send(Message::Look);
    }

    /// This attempt of a step that asks for an answer will get none now (see [`super::Attended::ByAPerson`]).
    pub fn decline(&self, step: StepId, attempt: u32) {
        self.send(Message::Decline(step, attempt));
    }

    /// Tells it anything.
    pub fn send(&self, message: Message) {
        // The driver is gone if nobody receives: the run is over, whatever is said.
        let _ = self.0.send(message);
    }
}

impl Driving {
    /// Starts the thread. Nothing happens until [`Inbox::begin`].
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub fn start(setup: Setup) -> Result<Driving> {
        let (inbox, receive) = Inbox::open();
        let bus = Bus::starting_at(setup.state.events);
        let (to_drive, on_bus) = (inbox.clone(), bus.clone());
        let thread = thread::Builder::new()
            .name("flow-drive".into())
            .spawn(move || super::drive(setup, to_drive, receive, on_bus))
            .map_err(|error| no_driver(&error))?;
        Ok(Driving { inbox, bus, thread })
    }

    /// The way to tell it something.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// Its events.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// Waits for the end and gives the state then.
    ///
    /// # Errors
    /// If the log could not be written; then everything was stopped.
    pub fn wait(self) -> Result<RunState> {
        self.thread.join().unwrap_or_else(|_| {
            Err(Diagnostic::new("flow::run::driver", "the driver of the run panicked")
                .help("this is a mistake in flow; the run can be resumed with `flow resume`"))
        })
    }
}

pub(super) fn no_driver(error: &std::io::Error) -> Diagnostic {
    Diagnostic::new("flow::run::driver", format!("the run cannot begin: {error}"))
        .help("the system refuses another thread; fewer processes or a higher `ulimit -u` may help")
}
