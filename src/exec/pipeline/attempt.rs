//! For tests: an attempt of a pipeline in a folder of its own, in which sources, sinks and workers can be opened.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::source::{Mark, Next, Source, Sourced};
use super::{Around, Opening, Outside};
use crate::event::{Failure, Log, Reached};
use crate::exec::http::Requests;
use crate::exec::process::Room;
use crate::exec::running::Running;
use crate::exec::{Job, Keep, Site};
use crate::lang::{Program, Script};
use crate::plan::{Closure, Json, Pipeline, Policy, Settings, Shell, StepId, Task};
use crate::state::{Files, Inputs};

/// See the module's page.
pub struct Attempt {
    folder: TempDir,
    job: Job,
    keep: Keep,
    running: Arc<Running>,
    room: Room,
    program: Program,
    closure: Option<Closure>,
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, log: &Log) -> std::io::Result<Vec<u8>> {
        Err(std::io::Error::new(std::io::ErrorKind::NotFound, log.file.clone()))
    }
}

impl Attempt {
    /// In a new folder, which is where it runs, too.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let site = Site::new("run", folder.path(), &folder.path().join("runs/run"), Settings::default());
        let pipeline = Pipeline::of(crate::plan::Source::Interval(1));
        let job = Job {
            step: StepId(3),
            attempt: 1,
            path: "p".into(),
            task: Arc::new(Task::Pipeline(Box::new(pipeline))),
            policy: None,
            input: Vec::new(),
            inputs: Inputs { results: Vec::new(), files: Arc::new(NoFiles) },
            site: Arc::new(site),
            missed: None,
            stream: None,
            reached: None,
            allowance: None,
            undone: Vec::new(),
        };
        let program = Program::compile(&Script::from_text("test.rhai", "")).expect("nothing is in order");
        let closure = None;
        let running = Running::new(Duration::from_secs(2), false);
        Attempt { folder, job, keep: Keep::default(), running, room: Room::default(), program, closure }
    }

    /// With a closure of a script.
    pub fn calling(mut self, closure: &str) -> Self {
        let script = Script::from_text("test.rhai", format!("call(\"c\", {closure});"));
        self.program = Program::compile(&script).expect("it is in order");
        let steps = self.program.build(&[], None).expect("it is in order").growth.steps;
        self.closure = steps.iter().find_map(|step| match &*step.task {
            Task::Call(closure) => Some(closure.clone()),
            _ => None,
        });
        self
    }

    /// That closure.
    pub fn closure(&self) -> Closure {
        self.closure.clone().expect("there is one")
    }

    /// With policies of the step.
    pub fn with(mut self, policy: Policy) -> Self {
        self.job.policy = Some(Arc::new(policy));
        self
    }

    /// Where it runs.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file there.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path().join(name), bytes).expect("it can be written");
    }

    /// Reads one.
    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&std::fs::read(self.path().join(name)).expect("it is there")).into_owned()
    }

    /// Goes on from there, and looks.
    pub fn at<T>(&self, reached: &Reached, look: impl FnOnce(&Opening) -> T) -> T {
        let requests = Requests::with(Arc::default());
        let report: crate::exec::Report = Arc::new(|_| {});
        let around = Around {
            closures: &self.program,
            running: &self.running,
            room: &self.room,
            keep: &self.keep,
            requests: &requests,
            report: &report,
        };
        let outside = Outside::of(&self.job, &self.running, &self.room).expect("the folder can be written");
        let result = look(&Opening { job: &self.job, around: &around, reached, outside: &outside });
        self.running.close();
        requests.close();
        result
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.room.close();
    }
}

/// An item as tests compare it: its offset, where it begins, and what it is, or why it is none.
pub type Seen = (u64, Mark, Result<Json, String>);

/// What tests compare of an item.
pub fn seen(sourced: Sourced) -> Seen {
    (sourced.offset, sourced.mark, sourced.item.map(|item| item.to_json().expect("plain")).map_err(|bad| bad.why))
}

/// Everything that a source gives, `most` at once; and what it failed with in the end.
pub fn all(source: &mut dyn Source, most: usize) -> (Vec<Seen>, Option<Failure>) {
    let mut items = Vec::new();
    loop {
        let mut some = Vec::new();
        let mark = source.mark();
        let next = source.next(most, &mut some);
        assert!(some.len() <= most, "no more than is wanted");
        if let Some(first) = some.first() {
            assert!(mark.from <= first.mark.from && mark.place <= first.mark.place, "{mark:?}, {:?}", first.mark);
        }
        items.extend(some.into_iter().map(seen));
        match next {
            Ok(Next::More) => {}
            Ok(Next::End) => return (items, None),
            Err(failure) => return (items, Some(failure)),
        }
    }
}

/// So many items are done with; the next one begins there.
pub fn reached(upto: u64, mark: Mark) -> Reached {
    Reached { upto, place: serde_json::json!([mark.from, mark.place]), ..Reached::default() }
}

/// A program of a shell.
pub fn sh(script: &str) -> crate::plan::Command {
    crate::plan::Command::Shell(Shell { script: script.into(), vars: Vec::new(), shell: None, direct: None })
}
