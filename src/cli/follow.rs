//! A run that goes on in this process: shows it until it ends, and says what came of it.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::time::Duration;

use super::options::{Options, log_path, now};
use super::{Done, End, out, report};
use crate::diag::Diagnostic;
use crate::event::{Event, Log, Record, RunStatus, Stop};
use crate::flow::{Events, Flow, ReplayOptions, ResumeOptions, RunOptions, Running, Script};
use crate::state::RunState;
use crate::term::{self, Desk};
use crate::view::progress::Progress;
use crate::view::time::Clock;
use crate::view::{self, Summary, json};

/// Longest time without a drawing.
const TICK: Duration = Duration::from_millis(100);
/// The same while a person types.
const ASKING: Duration = Duration::from_millis(30);

/// Goes on with a run and shows it until it ends. Gives the exit code. `script`, `args`: what the run is thought to be of.
pub fn resume(flow: &Flow, run: &str, script: Option<&Script>, args: Vec<(String, String)>, options: &Options) -> Done {
    take_up(flow, run, ResumeOptions { script: script.cloned(), args, ..ResumeOptions::default() }, options)
}

/// As [`resume`], also at an earlier step, or with another script.
pub fn take_up(flow: &Flow, run: &str, resume: ResumeOptions, options: &Options) -> Done {
    let resume = ResumeOptions { signals: true, attended: options.attended(), ..resume };
    let lines = options.events.as_deref().map(Lines::open).transpose()?;
    let earlier = flow.summary(run)?.events;
    let resumed = flow.resume_told(run, resume, |takeup| {
        if !options.quiet {
            out::tell(&view::takeup(takeup, out::messages_look()));
        }
    })?;
    if resumed.0.script_has_changed() && !options.quiet {
        out::tell(&format!(
            "the script has changed since this run began; the run goes on with the script of then \
             (`flow resume {} --with FILE` takes the new one)\n",
            resumed.0.id()
        ));
    }
    to_its_end(flow, resumed, earlier, lines, options)
}

/// Rolls a run back and shows that until it is done. Gives the exit code.
pub fn roll_back(flow: &Flow, run: &str, to: &str, options: &Options) -> Done {
    let lines = options.events.as_deref().map(Lines::open).transpose()?;
    let earlier = flow.summary(run)?.events;
    to_its_end(flow, flow.roll_back(run, to, true)?, earlier, lines, options)
}

/// Starts a run and shows it until it ends. Gives the exit code.
pub fn start(flow: &Flow, script: &Script, start: RunOptions, options: &Options) -> Done {
    // Opened first: if they cannot be written, nothing is to be executed.
    let lines = options.events.as_deref().map(Lines::open).transpose()?;
    to_its_end(flow, flow.run_watched(script, start)?, 0, lines, options)
}

/// Starts a run that takes up dead letters and shows it until it ends. Gives the exit code.
pub fn replay(flow: &Flow, run: &str, step: Option<&str>, replay: &ReplayOptions, options: &Options) -> Done {
    let lines = options.events.as_deref().map(Lines::open).transpose()?;
    to_its_end(flow, flow.replay(run, step, replay)?, 0, lines, options)
}

/// Shows a run that another process works on, and takes it up when that lets go of it before the end. Gives the exit code.
pub fn watch(flow: &Flow, run: &str, options: &Options) -> Done {
    let earlier = flow.summary(run)?.events;
    let mut events = flow.watch(run)?;
    let mut progress = progress(options);
    let mut state = RunState::default();
    loop {
        // Asked before the log is read: what its process wrote before it went is then seen.
        let goes_on = events.goes_on();
        match events.next_now()? {
            Some(record) => {
                state.apply(record.at, &record.event);
                match record.seq + 1 {
                    next if next < earlier => {}
                    next if next == earlier => progress.take_up(&state),
                    _ => progress.record(&state, &record),
                }
            }
            None if !goes_on => break,
            None => std::thread::sleep(TICK),
        }
        progress.tick(&state, now());
    }
    progress.finish(&state, now());
    if state.status.is_final() || state.stopping.is_some() {
        return ended(flow, run, &state, options);
    }
    match resume(flow, run, None, Vec::new(), options) {
        // Somebody else was faster.
        Err(End::Wrong(problem)) if problem.code() == "flow::run::busy" => watch(flow, run, options),
        done => done,
    }
}

/// `earlier`: the number of the run's events that are no news.
fn to_its_end(
    flow: &Flow,
    (run, mut feed): (Running, Events),
    earlier: u64,
    mut events: Option<Lines>,
    options: &Options,
) -> Done {
    let mut progress = progress(options);
    let mut desk = options.asks().then(Desk::default);
    let mut state = RunState::default();
    let folds = events.is_some() || !progress.is_quiet() || desk.is_some();
    let mut caught_up = false;
    loop {
        let asking = desk.as_ref().is_some_and(Desk::is_open);
        match feed.next_within(if asking { ASKING } else { TICK }) {
            Ok(Some(record)) => {
                if folds {
                    state.apply(record.at, &record.event);
                }
                if let Some(lines) = &mut events
                    && let Err(end) = lines.write(run.id(), &state, &record)
                {
                    // Nobody reads the events: the run is not worth less for it.
                    events = None;
                    tell(&mut progress, &end, "no more of them are written, the run goes on");
                }
                if let Event::Created(created) = &*record.event
                    && progress.is_drawn()
                {
                    // An estimate is no matter of life: without it the rest is simply not told.
                    progress.expect(flow.durations(&created.workflow).unwrap_or_default());
                }
                if let Some(desk) = &mut desk {
                    desk.note(&state, &record);
                }
                caught_up = record.seq + 1 > earlier;
                match record.seq + 1 {
                    next if next < earlier => continue,
                    next if next == earlier => progress.take_up(&state),
                    _ => progress.record(&state, &record),
                }
                notice(&mut progress, options, flow.is_kept().then_some(run.id()), &record);
            }
            Ok(None) => {}
            Err(_) => break,
        }
        if let Some(desk) = desk.as_mut().filter(|_| caught_up) {
            desk.turn(flow, &run, &state, &mut progress);
        }
        progress.tick(&state, now());
    }
    progress.finish(&state, now());
    if let Some(lines) = &mut events
        && let Err(end) = lines.flush()
    {
        tell(&mut progress, &end, "the last of them are missing");
    }
    let (run_id, problem) = (run.id().to_owned(), run.problem());
    let (state, warnings) = run.warnings_at_end();
    let state = state?;
    for said in problem.iter().chain(&warnings) {
        out::tell(&report::text(said));
    }
    let done = ended(flow, &run_id, &state, options);
    // Last of all: whoever waits for the result has it.
    flow.tidy();
    done
}

fn progress(options: &Options) -> Progress {
    term::progress(options.quiet)
}

/// Says what a person must know at once. `run`: its id, if it can be resumed.
fn notice(progress: &mut Progress, options: &Options, run: Option<&str>, record: &Record) {
    if let Event::Stopping { reason: Stop::Interrupted } = &*record.event
        && !(options.quiet && options.json)
    {
        let resume = run.map_or(String::new(), |run| format!("; resume with `flow resume {run}`"));
        say(progress, &format!("stopping; press Ctrl-C again to kill what still runs{resume}"));
    }
}

fn say(progress: &mut Progress, line: &str) {
    match progress.is_quiet() {
        true => out::tell(&format!("{line}\n")),
        false => progress.say(line),
    }
}

fn tell(progress: &mut Progress, end: &End, what: &str) {
    if let End::Wrong(diagnostic) = end {
        say(progress, &format!("{diagnostic}; {what}"));
    }
}

/// What came of the run.
fn ended(flow: &Flow, run: &str, state: &RunState, options: &Options) -> Done {
    let files = flow.files(run)?;
    if options.json {
        out::print(&format!("{}\n", json::run(state, state.status, &*files)))?;
    } else if !(options.quiet && (state.status == RunStatus::Success || state.rolled_back.is_some())) {
        let folder = flow.run_folder(run)?;
        let paths = |log: &Log| log_path(&folder, log);
        let (look, clock, kept) = (out::messages_look(), &Clock::local(now()), flow.is_kept());
        let summary = Summary { state, status: state.status, files: &*files, paths: &paths, kept, clock, look };
        out::tell(&summary.text());
    }
    Ok(match state.status {
        RunStatus::Success => 0,
        RunStatus::Paused if state.stopping == Some(Stop::Interrupted) => 130,
        RunStatus::Paused if state.rolling_back.is_some() => 1,
        RunStatus::Paused if state.rolled_back.is_some() => 0,
        RunStatus::Paused => 3,
        _ => 1,
    })
}

/// Events as lines of JSON.
struct Lines {
    out: BufWriter<Box<dyn Write>>,
    name: String,
}

impl Lines {
    fn open(name: &str) -> Result<Self, End> {
        let out: Box<dyn Write> = match name {
            "-" => Box::new(io::stdout()),
            file => Box::new(File::create(file).map_err(|error| {
                Diagnostic::new("flow::cli::usage", format!("`{file}` cannot be written: {error}"))
                    .help("`--events` takes a file in a folder that exists and is writable, or `-` for standard output")
            })?),
        };
        Ok(Lines { out: BufWriter::new(out), name: name.to_owned() })
    }

    /// Writes an event that has been applied to the state.
    fn write(&mut self, run: &str, state: &RunState, record: &Record) -> Result<(), End> {
        let line = json::event(run, &state.plan, record);
        let written = writeln!(self.out, "{line}");
        // Whoever reads along wants to see it soon; a file can wait.
        let flushed = if self.name == "-" { written.and_then(|()| self.out.flush()) } else { written };
        flushed.map_err(|error| self.unwritten(error))
    }

    fn flush(&mut self) -> Result<(), End> {
        self.out.flush().map_err(|error| self.unwritten(error))
    }

    fn unwritten(&self, error: io::Error) -> End {
        match error.kind() {
            io::ErrorKind::BrokenPipe => End::Unread,
            _ => End::Wrong(
                Diagnostic::new("flow::cli::output", format!("cannot write events to `{}`: {error}", self.name))
                    .help("is the disk full? `flow logs` and `flow show` tell what happened as well"),
            ),
        }
    }
}
