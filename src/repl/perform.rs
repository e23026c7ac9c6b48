//! What the commands of the prompt do.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::answer::{Answer, step_line};
use super::command::{COMMANDS, What, find, read, usage};
use super::entry;
use super::pictures;
use super::session::{Session, Wish, first_line};
use crate::diag::{Diagnostic, Result};
use crate::event::Log;
use crate::flow::reference::{self, Found};
use crate::flow::{Flow, RunFilter, Script};
use crate::plan::analysis::Analysis;
use crate::plan::render;
use crate::plan::wording::plural;
use crate::plan::{Json, Value};
use crate::state::{RunState, Status};
use crate::term::{log_path, now};
use crate::view::docs;
use crate::view::time::Clock;
use crate::view::{self, Look, Why};

/// Runs that `:runs` lists.
const RUNS: usize = 10;

/// Does what a command says.
///
/// # Errors
/// There is no such command, or it cannot be done.
pub fn perform(session: &mut Session, line: &str, look: Look) -> Result<Answer> {
    let (command, insists, rest) = read(line)?;
    match command.what {
        What::Run => run(session),
        What::Plan => plan(session, look),
        What::Graph => pictures::graph(session.plan(), rest, look),
        What::Steps => Ok(steps(session, look)),
        What::Show => show(session, rest, look),
        What::Why => why(session, rest, look),
        What::Logs => super::logs::logs(session, rest, look),
        What::Undo => {
            let undone = session.undo()?;
            let mut answer = Answer::default();
            answer.note(format!("took away: {}", first_line(&undone)));
            goes_on_with(session, &mut answer);
            Ok(answer)
        }
        What::Reset => {
            let run = session.run.clone();
            session.reset();
            let note = run.map_or("nothing is declared".to_owned(), |run| {
                format!("nothing is declared; what was run is kept as run {run}")
            });
            Ok(Answer { notes: vec![note], ..Answer::default() })
        }
        What::Load => load(session, rest),
        What::Save => save(session, rest, insists),
        What::Help => help(rest, look),
        What::Type => kind(session, rest),
        What::Time => time(session, rest),
        What::Runs => runs(session, look),
        What::Resume => resume(session, rest),
        What::Quit => Ok(Answer { quits: true, ..Answer::default() }),
    }
}

fn empty(message: &str, help: &str) -> Diagnostic {
    Diagnostic::new("flow::repl::empty", message).help(help)
}

/// Everything that is new, to the end of the script.
fn run(session: &mut Session) -> Result<Answer> {
    let wish = Wish { all: true, failed: true };
    if let Some(text) = session.waiting.clone() {
        let (entries, before) = (session.entries.clone(), session.entries.len());
        let answer = session.add(entries, &text, &wish)?;
        if session.entries.len() == before || session.waiting.is_some() {
            return Ok(answer);
        }
        session.split_last();
    }
    if session.plan().steps.is_empty() {
        return Err(empty("there is nothing to run", "declare a step first: `sh(\"hello\", \"echo hello\")`"));
    }
    let mut entries = session.entries.clone();
    let results = session.results.clone();
    let is_done =
        |id| results.as_ref().and_then(|results| results.get(id)).is_some_and(|result| result.status != Status::Failed);
    let run_before = entries.last().is_some_and(|entry| entry.by_run);
    let all_done = session.plan().ids().all(is_done);
    if run_before && all_done && results.as_ref().is_some_and(|results| results.state.status.is_final()) {
        return Ok(Answer { notes: vec!["nothing is new since the last run".to_owned()], ..Answer::default() });
    }
    if run_before {
        entries.pop();
    }
    let before = session.entries.clone();
    let entries = session.without_failed_runs(entries);
    session.entries = entries.clone();
    let answer = session.add_run(entries, &wish);
    if answer.is_err() {
        session.entries = before;
    }
    answer
}

fn plan(session: &Session, look: Look) -> Result<Answer> {
    let plan = session.plan();
    let analysis = Analysis::of(plan, &session.flow.durations(&plan.header.name).unwrap_or_default());
    let default = render::Options::default();
    let options = render::Options {
        width: if look.width > 0 { look.width } else { default.width },
        ascii: !look.unicode,
        color: look.color,
        full: false,
        max_parallel: std::thread::available_parallelism().map_or(2, usize::from).max(2) as u32,
    };
    let mut answer = Answer::of_text(render::text(plan, &analysis, &options));
    answer.data = Some(json!({ "steps": plan.ids().map(|id| plan.path(id)).collect::<Vec<_>>() }));
    Ok(answer)
}

fn steps(session: &Session, look: Look) -> Answer {
    let plan = session.plan();
    let ids = plan.ids().filter(|id| !plan.step(*id).anonymous);
    let result = |id| session.results.as_ref().and_then(|results| results.get(id));
    let lines: Vec<String> = ids.clone().map(|id| step_line(plan, result(id).as_deref(), id, look)).collect();
    let mut answer = match lines.is_empty() {
        true => Answer { notes: vec!["no steps yet".to_owned()], ..Answer::default() },
        false => Answer::of_text(lines.join("\n")),
    };
    let step = |id| {
        let status = result(id).map_or(Status::Pending, |result| result.status);
        json!({ "step": plan.path(id), "kind": plan.step(id).task.kind(), "status": status.name() })
    };
    answer.data = Some(ids.map(step).collect());
    answer
}

/// The session's run, for questions about it.
pub fn ran(session: &Session) -> Result<(&str, &RunState)> {
    match (&session.run, &session.results) {
        (Some(run), Some(results)) => Ok((run, &results.state)),
        _ => Err(empty("nothing has run yet", "`:run` runs all steps, `run(step)` one; `:runs` lists earlier runs")),
    }
}

fn show(session: &Session, name: &str, look: Look) -> Result<Answer> {
    let clock = Clock::local(now());
    if name.is_empty() {
        let (_, state) = ran(session)?;
        return Ok(Answer::of_text(view::show(state, state.status, &clock, look, false)));
    }
    let results = session.results.as_ref();
    let (plan, id, result) = match (session.step(name), results) {
        (Ok(id), _) => (session.plan(), id, results.and_then(|results| results.get(id))),
        // One that the run itself has made: an item of a fan-out.
        (Err(problem), Some(results)) => {
            let state = &results.state;
            let id = session.flow.find_step(state, name.trim_matches('"')).map_err(|_| problem)?;
            (&*state.plan, id, Some(Arc::new(state.result(id))).filter(|result| result.status.is_final()))
        }
        (Err(problem), None) => return Err(problem),
    };
    let step = plan.step(id);
    let mut text = step_line(plan, result.as_deref(), id, look) + "\n";
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {} {value}\n", look.paint(view::Tone::Faint, &format!("{name:<9}"))));
        }
    };
    row("about", step.policy().desc.as_deref().unwrap_or_default());
    row("runs", &crate::plan::wording::command(plan, step));
    let after: Vec<String> = step.after.iter().map(|edge| plan.path(edge.from)).collect();
    row("after", &after.join(", "));
    row("policies", &crate::plan::wording::policies(plan, step).join(", "));
    if let Some((results, result)) = results.zip(result) {
        let mut property = |name: &str| {
            let value = results.of(&result, name).filter(|value| !value.is_null())?;
            let shown = match &value {
                Json::String(text) if name != "output" => view::lines(text).join("\n"),
                value => view::value(plan, &Value::Plain(value.clone()), look),
            };
            row(name, &shown.replace('\n', "\n            "));
            Some(())
        };
        property("status");
        property("code");
        property("error");
        if view::is_secret(plan, id) {
            row("output", view::MASK);
        } else {
            property("output");
        }
        if result.attempts > 1 {
            row("attempts", &result.attempts.to_string());
        }
    } else {
        row("status", "has not run");
    }
    Ok(Answer::of_text(text))
}

fn why(session: &Session, name: &str, look: Look) -> Result<Answer> {
    let (run, _) = ran(session)?;
    let flow = &session.flow;
    let records = flow.records(run, 0)?;
    let state = RunState::of(&records);
    let (sources, folder) = (flow.sources(&state)?, flow.run_folder(run)?);
    let paths = |log: &Log| log_path(&folder, log);
    let (status, clock) = (flow.summary(run)?.status, Clock::local(now()));
    let why = Why { state: &state, status, records: &records, sources: &sources, paths: &paths, clock: &clock, look };
    Ok(Answer::of_text(match name {
        "" => why.run(),
        name => why.step(step_of_run(session, &state, name)?),
    }))
}

/// The step of the run that somebody means: also one that the run itself has made.
pub fn step_of_run(session: &Session, state: &RunState, name: &str) -> Result<crate::plan::StepId> {
    let name = name.trim().trim_matches('"');
    let path = session.step(name).map(|id| session.plan().path(id));
    session.flow.find_step(state, path.as_deref().unwrap_or(name))
}

fn load(session: &mut Session, file: &str) -> Result<Answer> {
    let path = file.trim_matches('"');
    let script = Script::read(Path::new(path))?;
    let text = script.text.strip_prefix('\u{feff}').unwrap_or(&script.text);
    let text = match text.strip_prefix("#!") {
        Some(rest) => rest.split_once('\n').map_or("", |(_, rest)| rest),
        None => text,
    };
    if entry::is_empty(text) {
        return Err(empty(&format!("there is nothing in `{path}`"), "name a script with steps in it"));
    }
    session.begins_with(script.path.as_deref());
    let mut answer = session.take(text)?;
    answer.notes.insert(0, format!("{path}: {}", plural(answer.steps.len(), "step")));
    session.files.push(path.to_owned());
    Ok(answer)
}

fn save(session: &mut Session, file: &str, insists: bool) -> Result<Answer> {
    let path = file.trim_matches('"');
    if session.entries.is_empty() {
        return Err(empty("there is nothing to save", "declare something first"));
    }
    let known = session.files.iter().any(|file| file == path);
    if Path::new(path).exists() && !insists && !known {
        return Err(Diagnostic::new("flow::repl::command", format!("there is a file `{path}` already"))
            .help(format!("`:save! {path}` writes over it")));
    }
    let entries = session.without_needless_runs();
    let text = entry::clean_script(&entries);
    std::fs::write(path, &text).map_err(|error| {
        Diagnostic::new("flow::cli::output", format!("`{path}` cannot be written: {error}"))
            .help("name a file in a folder that exists and is writable")
    })?;
    session.files.push(path.to_owned());
    let lines = plural(text.lines().count(), "line");
    Ok(Answer { notes: vec![format!("{path}: {lines}; run it with `flow script {path}`")], ..Answer::default() })
}

fn help(name: &str, look: Look) -> Result<Answer> {
    if name.is_empty() {
        return Ok(Answer::of_text(commands(look)));
    }
    if let Some(name) = name.strip_prefix(':') {
        let command = find(name)?;
        return Ok(Answer::of_text(format!("{}  {}", usage(command), command.help)));
    }
    let text = match reference::look_up(name) {
        Found::Entries(entries) => {
            entries.into_iter().map(|entry| reference::shown(entry, look)).collect::<Vec<_>>().join("\n")
        }
        Found::Several(entries) => docs::found(&entries, look),
        Found::Part(part) => docs::part(&part, reference::entries(), look),
        Found::Nothing(near) => {
            if let Ok(command) = find(name) {
                return Ok(Answer::of_text(format!("{}  {}", usage(command), command.help)));
            }
            return Err(Diagnostic::new("flow::repl::command", format!("there is no `{name}` in the language")).help(
                match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`flow docs` lists everything there is".to_owned(),
                },
            ));
        }
    };
    Ok(Answer::of_text(text))
}

fn commands(look: Look) -> String {
    let wide = COMMANDS.iter().map(|command| usage(command).len()).max().unwrap_or(0);
    let mut text = String::new();
    for command in &COMMANDS {
        let name = format!("{:<wide$}", usage(command));
        let short = if command.short.is_empty() { String::new() } else { format!(" (:{})", command.short) };
        text.push_str(&format!("  {}  {}{short}\n", look.paint(view::Tone::Busy, &name), command.help));
    }
    text.push_str(
        "\nEverything else is the language: steps are built as you type, `run(step)` runs one and gives its result.\n\
         `:help sh` explains `sh`; Tab completes; a line that is not finished goes on in the next.\n",
    );
    text
}

fn kind(session: &Session, text: &str) -> Result<Answer> {
    let sight = session.look_at(text)?;
    let kind = match &sight.value {
        _ if sight.waits_for.is_some() => "known when it has run".to_owned(),
        Value::Plain(value) if value.is_null() => "nothing: `()`".to_owned(),
        Value::Step(id) => {
            let kind = sight.plan.step(*id).task.kind();
            format!("a step: {kind} `{}`", sight.plan.path(*id))
        }
        Value::Ref(_) => match session.results.as_ref().and_then(|results| results.resolve(&sight.value)) {
            Some(value) => crate::state::result::kind_of(&value).to_owned(),
            None => "a result that is not known yet".to_owned(),
        },
        _ => sight.kind.clone(),
    };
    let mut answer = Answer::of_text(kind.clone());
    answer.data = Some(kind.into());
    Ok(answer)
}

fn time(session: &mut Session, text: &str) -> Result<Answer> {
    let base = session.sight.as_ref().map_or(std::time::Duration::ZERO, |sight| sight.took);
    let began = std::time::Instant::now();
    let sight = session.look_at(text)?;
    if sight.waits_for.is_none() {
        let took = sight.took.saturating_sub(base);
        let mut answer = Answer::default();
        if sight.plan.steps.len() == session.plan().steps.len() {
            answer.value(&sight, session.results.as_ref(), false);
        }
        let steps = sight.plan.steps.len().saturating_sub(session.plan().steps.len());
        let declared = if steps > 0 {
            format!(", with {} that the session did not get", plural(steps, "step"))
        } else {
            String::new()
        };
        answer.note(format!("evaluated in {:.3} ms{declared}", took.as_secs_f64() * 1e3));
        answer.data = Some(json!({ "evaluated_us": took.as_micros() as u64 }));
        return Ok(answer);
    }
    let began = if began.elapsed().as_millis() > 100 { std::time::Instant::now() } else { began };
    let mut answer = session.take(text)?;
    let took = began.elapsed();
    answer.note(format!("ran for {}", crate::plan::wording::duration(took.as_millis() as u64)));
    answer.data = Some(json!({ "ran_ms": took.as_millis() as u64 }));
    Ok(answer)
}

fn runs(session: &Session, look: Look) -> Result<Answer> {
    let runs = session.flow.runs(&RunFilter { limit: Some(RUNS), ..RunFilter::default() })?;
    if runs.is_empty() {
        return Ok(Answer { notes: vec!["no runs here yet".to_owned()], ..Answer::default() });
    }
    let data = json!(runs);
    let lines: Vec<_> = runs
        .into_iter()
        .map(|run| view::RunLine {
            part_of: run.part_of,
            waits_for: Vec::new(),
            run: run.run,
            workflow: run.workflow,
            status: run.status,
            started_at: run.created_at,
            duration_ms: run.ended_at.unwrap_or(run.updated_at).saturating_sub(run.created_at),
            total: run.steps.total as usize,
            ended: run.steps.done() as usize,
            failed: run.steps.failed as usize,
        })
        .collect();
    let mut answer = Answer::of_text(view::runs(&lines, &Clock::local(now()), look));
    answer.data = Some(data);
    Ok(answer)
}

/// Another run becomes the session's: its script with its results.
fn resume(session: &mut Session, run: &str) -> Result<Answer> {
    let flow = session.flow.clone();
    let run = flow.find(run)?;
    let results = flow.results(&run)?;
    let sources = flow.sources(&results.state)?;
    let (_, text) = sources.get(0).ok_or_else(|| {
        Diagnostic::new("flow::store::corrupt", format!("the log of run `{run}` does not say from which script"))
            .help("the run cannot be taken up")
    })?;
    let text: Arc<str> =
        Arc::from(text.strip_prefix("#!").map_or(&**text, |rest| rest.split_once('\n').map_or("", |(_, rest)| rest)));
    Flow::has_parameters(&results.state, &session.given)?;
    let entries = entry::entries(&text);
    let args = std::mem::replace(&mut session.args, results.state.created.args.clone());
    let file = results.state.created.file.clone();
    let folder = session.folder.clone();
    let before = session.exchange(run.clone(), results);
    if let Some(of_run) = Path::new(&file).parent().filter(|_| file != "-") {
        session.folder = of_run.to_owned();
    }
    let taken_up = session.as_far_as_known(entries).and_then(|(entries, sight, rest)| {
        // `run();` that has not come to its end, and nothing is behind it that needs it: `:run` adds another.
        let without = || entries.iter().chain(rest.iter().filter(|entry| !entry.by_run)).cloned().collect();
        match rest.first() {
            Some(first) if first.by_run => {
                let (fewer, all, left) = session.as_far_as_known(without())?;
                Ok(if left.is_empty() { (fewer, all, left) } else { (entries, sight, rest) })
            }
            _ => Ok((entries, sight, rest)),
        }
    });
    let (entries, sight, rest) = match taken_up {
        Ok(taken_up) => taken_up,
        Err(problem) => {
            session.bring_back(before);
            (session.folder, session.args) = (folder, args);
            return Err(problem);
        }
    };
    session.befores.clear();
    let (steps, count) = (sight.plan.steps.len(), entries.len());
    session.adopt(entries, sight);
    let mut answer = Answer::default();
    answer.note(format!(
        "run {run}: {}, {}",
        plural(count, "entry").replace("entrys", "entries"),
        plural(steps, "step")
    ));
    if rest.iter().any(|entry| !entry.by_run) {
        session.waiting = Some(entry::clean_script(&rest).trim_end().to_owned());
    }
    goes_on_with(session, &mut answer);
    Ok(answer)
}

/// Tells what is to be run before the session is complete.
fn goes_on_with(session: &Session, answer: &mut Answer) {
    if let Some(waiting) = &session.waiting {
        let mut rest = entry::entries(waiting).into_iter().filter(|entry| !entry.by_run);
        let first = rest.next().map_or(String::new(), |entry| first_line(&entry.text));
        answer.note(format!("`:run` goes on with: {first}{}", if rest.next().is_some() { " …" } else { "" }));
    }
}
