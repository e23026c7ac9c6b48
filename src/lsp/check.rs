//! Checks of what is written, on threads of their own: those of `flow check`. A newer text ends the check of an older one.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use lsp_types::{Diagnostic as Problem, Uri};

use super::lines::Encoding;
use super::problem::Teller;
use super::texts::Text;
use crate::diag::{Diagnostic, Result};
use crate::flow::{Checked, Flow, Script, surroundings_of};
use crate::lang::{Program, interruptible};
use crate::plan::Json;

/// How long a text must have been left alone before it is checked: keys that are held down and pastes in pieces are not
/// checked one by one.
const QUIET: Duration = Duration::from_millis(10);

/// How long others wait that only use the text that has changed.
const QUIET_FOR_OTHERS: Duration = Duration::from_millis(150);

/// How often values are made up for parameters that must be given: one may be declared only if another has a value.
const ROUNDS: usize = 4;

/// What came of a check.
pub struct Outcome {
    /// The text that was checked.
    pub uri: Uri,
    /// Its version.
    pub version: i32,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// How many steps its plan has, if it has one.
    pub steps: Option<usize>,
    /// The check that it comes from.
    running: Running,
}

/// Longest evaluation of a script that is being written: it is written anew every moment, and may loop meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// Texts that are to be checked, and those that are being checked.
#[derive(Default)]
pub struct Checks {
    due: HashMap<String, (Uri, Instant)>,
    running: HashMap<String, Running>,
}

/// What ends a check.
#[derive(Clone)]
pub struct Running {
    stop: Arc<AtomicBool>,
    /// Is it ended because it took too long?
    late: Arc<AtomicBool>,
    /// When it has taken too long; nothing if it was ended for that.
    until: Option<Instant>,
}

impl Running {
    fn new() -> Self {
        Running { stop: Arc::default(), late: Arc::default(), until: Some(Instant::now() + PATIENCE) }
    }

    fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Checks {
    /// A text has changed: what is known of an older one is of no use.
    pub fn changed(&mut self, uri: &Uri) {
        self.end(uri);
        self.due.insert(uri.as_str().to_owned(), (uri.clone(), Instant::now() + QUIET));
    }

    /// Something that a text uses has changed.
    pub fn concerned(&mut self, uri: &Uri) {
        let due = Instant::now() + QUIET_FOR_OTHERS;
        self.due.entry(uri.as_str().to_owned()).or_insert_with(|| (uri.clone(), due));
    }

    /// A text was closed.
    pub fn closed(&mut self, uri: &Uri) {
        self.due.remove(uri.as_str());
        self.end(uri);
    }

    fn end(&mut self, uri: &Uri) {
        if let Some(running) = self.running.remove(uri.as_str()) {
            running.end();
        }
    }

    /// A check has come to its end. Is it the one that was begun last?
    pub fn ended(&mut self, outcome: &Outcome) -> bool {
        let name = outcome.uri.as_str();
        let last = self.running.get(name).is_some_and(|running| Arc::ptr_eq(&running.stop, &outcome.running.stop));
        if last {
            self.running.remove(name);
        }
        last
    }

    /// How long until the next check begins or has taken too long, if there is one.
    pub fn next(&self) -> Option<Duration> {
        let due = self.due.values().map(|(_, due)| *due);
        let next = due.chain(self.running.values().filter_map(|running| running.until)).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// The texts whose checks begin now, each with what ends it. Those that take too long are ended.
    pub fn begin(&mut self) -> Vec<(Uri, Running)> {
        let now = Instant::now();
        for running in self.running.values_mut().filter(|running| running.until.is_some_and(|until| until <= now)) {
            running.late.store(true, Ordering::Relaxed);
            running.end();
            running.until = None;
        }
        let names: Vec<String> =
            self.due.iter().filter(|(_, (_, due))| *due <= now).map(|(name, _)| name.clone()).collect();
        let mut begun = Vec::new();
        for name in names {
            let Some((uri, _)) = self.due.remove(&name) else { continue };
            let running = Running::new();
            if let Some(older) = self.running.insert(name, running.clone()) {
                older.end();
            }
            begun.push((uri, running));
        }
        begun
    }
}

/// Checks a text. Nothing if it was ended, or went wrong in a way that says nothing about the text.
pub fn check(text: &Text, provided: Vec<(String, Arc<str>)>, encoding: Encoding, running: &Running) -> Option<Outcome> {
    let work = || interruptible(running.stop.clone(), || evaluate(text, provided));
    let (mut checked, assumed) = catch_unwind(AssertUnwindSafe(work)).ok()?;
    if running.late.load(Ordering::Relaxed) {
        let seconds = PATIENCE.as_secs();
        let message =
            format!("evaluating the script takes longer than {seconds} s: what is wrong with it cannot be said");
        checked = Err(Diagnostic::new("flow::lang::limit", message)
            .as_warning()
            .help("does a loop never end? `flow check` waits longer"));
    } else if running.stop.load(Ordering::Relaxed) {
        return None;
    }
    let teller = Teller { text, encoding, assumed: &assumed };
    let (problems, steps) = match &checked {
        Ok(checked) => {
            let warnings = checked.warnings.iter().flat_map(|warning| teller.tell(warning));
            (warnings.collect(), Some(checked.plan.steps.len()))
        }
        Err(diagnostic) => (teller.tell(diagnostic), None),
    };
    Some(Outcome { uri: text.uri.clone(), version: text.version, problems, steps, running: running.clone() })
}

/// What `flow check` says of a text, and the parameters for which a value was made up: those that must be given are no
/// mistake of the script.
pub fn evaluate(text: &Text, provided: Vec<(String, Arc<str>)>) -> (Result<Checked>, Vec<String>) {
    let mut args: Vec<(String, String)> = Vec::new();
    let checked = (|| {
        let program = compile(text, provided)?;
        for _ in 0..ROUNDS {
            match Flow::check_program(&program, &args) {
                Err(problem) if problem.code() == "flow::param::missing" => {
                    let known = args.len();
                    for param in program.parameters(&args) {
                        let given = args.iter().any(|(name, _)| *name == *param.name);
                        if param.default.is_none() && !given {
                            let value = match &param.value {
                                Json::String(text) => text.clone(),
                                value => value.to_string(),
                            };
                            args.push((param.name.to_string(), value));
                        }
                    }
                    if args.len() == known {
                        return Err(problem);
                    }
                }
                other => return other,
            }
        }
        Flow::check_program(&program, &args)
    })();
    (checked, args.into_iter().map(|(name, _)| name).collect())
}

fn compile(text: &Text, provided: Vec<(String, Arc<str>)>) -> Result<Program> {
    let program = Program::compile(&script(text))?;
    for (name, text) in provided {
        program.provide(&name, text)?;
    }
    Ok(program)
}

/// The text as a script.
pub fn script(text: &Text) -> Script {
    let name = match &text.path {
        Some(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        None => "untitled.rhai".to_owned(),
    };
    let surroundings = surroundings_of(text.path.as_deref().and_then(Path::parent));
    Script { path: text.path.clone(), surroundings, ..Script::from_text(name, text.text.clone()) }
}
