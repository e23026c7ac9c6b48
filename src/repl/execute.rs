//! Executing a session's script: its run begins, or is taken up with the script as it is now.

use std::time::Duration;

use super::interrupts::Interrupts;
use super::session::Session;
use crate::diag::{Diagnostic, Result};
use crate::event::{Event, Stop};
use crate::flow::{Attended, Events, Flow, ResumeOptions, RunOptions, Running, Script};
use crate::state::{RunState, Status};
use crate::term::{self, Desk, now};

/// Longest time without a drawing.
const TICK: Duration = Duration::from_millis(100);
/// The same while a person types.
const ASKING: Duration = Duration::from_millis(30);

/// What is to be executed.
pub struct Execution {
    /// The script to its end, and not only what it asks for with `run(…)`.
    pub all: bool,
    /// What failed is tried again.
    pub failed: bool,
    /// So are these steps.
    pub from: Vec<String>,
}

/// What came of it.
pub struct Executed {
    pub run: String,
    pub state: RunState,
    /// The number of its events before.
    pub earlier: u64,
    /// What the script failed with after it had results.
    pub problem: Option<Diagnostic>,
}

/// Executes a script.
///
/// # Errors
/// The run cannot begin, go on or be written.
pub fn execute(session: &Session, script: &Script, execution: &Execution) -> Result<Executed> {
    let flow = &session.flow;
    let (open, attended) = (!execution.all, if session.asks { Attended::ByAPerson } else { Attended::No });
    let args = session.args_of(script);
    if let Some(results) = &session.results {
        // Its run cannot get them any more; without them it would not do what the prompt shows.
        Flow::has_parameters(&results.state, &args).map_err(|problem| {
            problem.help(
                "declare parameters before anything runs: `:save FILE`, `:reset` and `:load FILE` begin a new run",
            )
        })?;
    }
    let (earlier, (running, events)) = match &session.run {
        None => {
            let options = RunOptions { args, attended, open, ..RunOptions::default() };
            (0, flow.run_watched(script, options)?)
        }
        Some(run) => {
            let options = ResumeOptions {
                attended,
                open,
                keep_failures: !execution.failed,
                with: Some(script.clone()),
                from: execution.from.clone(),
                failed: execution.failed,
                ..ResumeOptions::default()
            };
            (flow.summary(run)?.events, flow.resume_watched(run, options)?)
        }
    };
    let run = running.id().to_owned();
    let follow = || follow(flow, &running, events, earlier, session.quiet, session.asks, &session.interrupts);
    session.interrupts.during(&running, follow);
    let problem = running.problem();
    let (state, warnings) = running.warnings_at_end();
    let state = state?;
    warnings.iter().for_each(|warning| term::tell(&term::diagnostic(warning)));
    Ok(Executed { run, state, earlier, problem })
}

/// Shows a run until it ends or is let go of. `earlier`: the number of its events that are no news.
fn follow(
    flow: &Flow,
    run: &Running,
    mut feed: Events,
    earlier: u64,
    quiet: bool,
    asks: bool,
    interrupts: &Interrupts,
) {
    let mut progress = term::progress(quiet);
    let mut desk = asks.then(Desk::default);
    let mut state = RunState::default();
    let mut told = false;
    loop {
        let asking = desk.as_ref().is_some_and(Desk::is_open);
        match feed.next_within(if asking { ASKING } else { TICK }) {
            Ok(Some(record)) => {
                state.apply(record.at, &record.event);
                if let Event::Created(created) = &*record.event
                    && progress.is_drawn()
                {
                    progress.expect(flow.durations(&created.workflow).unwrap_or_default());
                }
                if let Some(desk) = &mut desk {
                    desk.note(&state, &record);
                }
                // The script has no more to ask for: that is no news.
                let lets_go = matches!(&*record.event, Event::Stopping { reason: Stop::Interrupted });
                match record.seq + 1 {
                    next if next < earlier => continue,
                    next if next == earlier => progress.take_up(&state),
                    _ if lets_go && interrupts.pressed() == 0 => {}
                    _ => progress.record(&state, &record),
                }
            }
            Ok(None) => {}
            Err(_) => break,
        }
        if interrupts.pressed() == 1 && !told && is_running(&state) {
            told = true;
            let line = "stopping; press Ctrl-C again to kill what still runs";
            match progress.is_quiet() {
                true => term::tell(&format!("{line}\n")),
                false => progress.say(line),
            }
        }
        if let Some(desk) = desk.as_mut().filter(|_| state.events >= earlier) {
            desk.turn(flow, run, &state, &mut progress);
        }
        progress.tick(&state, now());
    }
    progress.finish(&state, now());
}

fn is_running(state: &RunState) -> bool {
    state.steps.iter().any(|step| step.status == Status::Running)
}
