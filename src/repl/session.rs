//! A session: the entries so far, which together are a script, and what is known of it.
//!
//! - An entry is evaluated together with all before it, which only describes work and takes no time to speak of.
//! - One that is wrong is not added, so nothing can spoil a session. One that only looks is not added either.
//! - Where it asks for results with `run(…)`, the script is executed: a run is begun, or taken up with the script as it is
//!   now, which keeps all results that still hold. Then the entry is evaluated again, with these results.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::answer::Answer;
use super::entry::{self, Entry};
use super::execute::Execution;
use super::interrupts::Interrupts;
use super::undo::Before;
use crate::diag::{Diagnostic, Result};
use crate::event::RunStatus;
use crate::flow::{Flow, Results, Script, Sight};
use crate::plan::{Plan, StepId, Value};
use crate::state::Status;

/// See the module's page.
pub struct Session {
    pub flow: Flow,
    pub interrupts: Interrupts,
    /// Parameters of the command line.
    pub given: Vec<(String, String)>,
    /// Parameters of the script: those of the run that was taken up, else those of the command line.
    pub args: Vec<(String, String)>,
    /// Nothing is shown of a run that goes on.
    pub quiet: bool,
    /// Is somebody there who can be asked?
    pub asks: bool,
    pub entries: Vec<Entry>,
    /// What it was before each of its latest changes.
    pub befores: VecDeque<Before>,
    /// Its run, once something was executed.
    pub run: Option<String>,
    /// What the run gave.
    pub results: Option<Results>,
    /// What there is to see of all entries.
    pub sight: Option<Sight>,
    /// An entry that was interrupted while it waited for results.
    pub waiting: Option<String>,
    /// Where modules are looked for: that of the script that it began with, or the working directory.
    pub folder: PathBuf,
    /// Files that the session was loaded from or saved to.
    pub files: Vec<String>,
}

/// What is to be executed for an entry.
#[derive(Default)]
pub struct Wish {
    /// Everything, to the end of the script.
    pub all: bool,
    /// What failed is tried again.
    pub failed: bool,
}

impl Session {
    /// What secret steps gave: it is not to be shown, whatever an entry makes of it.
    pub fn hidden(&self) -> Vec<String> {
        let Some(results) = &self.results else { return Vec::new() };
        let plan = self.plan();
        let secret = plan.ids().filter(|id| plan.is_secret(*id));
        let texts = secret.flat_map(|id| ["text", "stderr"].map(|name| results.property(id, name)));
        let texts = texts.flatten().filter_map(|value| value.as_str().map(|text| text.trim().to_owned()));
        texts.filter(|text| !text.is_empty()).collect()
    }

    /// The plan of all entries.
    pub fn plan(&self) -> &Plan {
        static EMPTY: std::sync::LazyLock<Plan> = std::sync::LazyLock::new(Plan::default);
        self.sight.as_ref().map_or(&EMPTY, |sight| &sight.plan)
    }

    /// How many times `run(…)` was answered so far.
    fn answered(&self) -> usize {
        self.entries.last().map_or(0, |entry| entry.answered)
    }

    fn script(&self, entries: &[Entry]) -> Script {
        let script = Script::from_text("repl", entry::script(entries));
        // Modules are looked for there; and it is not standard input, whose runs others may want to go on with.
        Script { path: Some(self.folder.join("repl")), ..script }
    }

    /// Parameters that the script may declare: others would be an error.
    fn args_of(&self, script: &Script) -> Vec<(String, String)> {
        let named = |name: &str| script.text.contains(&format!("\"{name}\""));
        self.args.iter().filter(|(name, _)| named(name)).cloned().collect()
    }

    /// Evaluates entries. The first `trusted` results of `run(…)` are known.
    pub fn see(&self, entries: &[Entry], trusted: usize) -> Result<Sight> {
        let script = self.script(entries);
        let args = self.args_of(&script);
        self.flow.see(&script, &args, self.results.as_ref(), trusted, self.interrupts.stop())
    }

    /// Takes an entry.
    ///
    /// # Errors
    /// What is wrong with it; the session is then as it was.
    pub fn take(&mut self, text: &str) -> Result<Answer> {
        let text = text.trim_end();
        if entry::is_empty(text) {
            return Ok(Answer::default());
        }
        let (typed, mut entries, mut text) = (text, self.entries.clone(), text.to_owned());
        if entry::goes_on(&text)
            && let Some(at) = entries.iter().rposition(|entry| !entry.by_run)
        {
            entries.truncate(at + 1);
            let before = entries.pop().map_or(String::new(), |entry| entry.text);
            text = format!("{}\n{text}", before.trim_end().trim_end_matches(';'));
        }
        let answer = self.add(entries, &text, &Wish::default())?;
        // It is what was typed that `:undo` takes away.
        if let Some(before) = self.befores.back_mut().filter(|before| before.text == text) {
            before.text = typed.to_owned();
        }
        Ok(answer)
    }

    /// Adds an entry behind others, and executes what it asks for.
    pub fn add(&mut self, mut entries: Vec<Entry>, text: &str, wish: &Wish) -> Result<Answer> {
        if entry::is_run(text) {
            entries = self.without_failed_runs(entries);
        }
        let trusted = entries.last().map_or(0, |entry| entry.answered);
        let repeated = entries.len() == self.entries.len() && self.is_tried_again(text);
        if !repeated {
            entries.push(Entry::new(text));
        }
        let mut answer = Answer::default();
        let mut sight = match self.see(&entries, if repeated { trusted.saturating_sub(1) } else { trusted }) {
            Ok(sight) => sight,
            Err(problem) => return self.in_its_place(text, problem),
        };
        let executes = sight.waits_for.clone();
        if let Some(wanted) = &executes {
            let all = wish.all || (entry::is_run(text) && covers(&sight.plan, wanted, self.results.as_ref()));
            let from = self.failed_of(&sight.plan, wanted);
            sight = self.execute(&entries, text, Execution { all, failed: wish.failed, from }, &mut answer)?;
            if sight.waits_for.is_some() {
                return Ok(answer);
            }
        }
        self.waiting = None;
        answer.printed = self.news(&sight);
        answer.value(&sight, self.results.as_ref(), executes.is_some());
        let looks = executes.is_none() && self.only_looks(&sight, text, entries.len());
        if !looks {
            answer.steps = new_steps(self.plan(), &sight.plan);
            if let Some(last) = entries.last_mut() {
                last.answered = sight.answered;
                last.wanted = executes.unwrap_or_default();
            }
            if !repeated {
                self.remember(text);
            }
            (self.entries, self.sight) = (entries, Some(sight));
        }
        Ok(answer)
    }

    /// Entries without each `run(step)` of which something failed and whose result nothing needs. Otherwise what stands behind it would
    /// be evaluated, and run, again when that is tried again.
    pub fn without_failed_runs(&self, mut entries: Vec<Entry>) -> Vec<Entry> {
        let plan = self.plan();
        for at in (0..entries.len()).rev() {
            let entry = &entries[at];
            let is_alone = entry::is_run(&entry.text) && entry.text.trim_start().starts_with("run");
            if !(is_alone || entry.by_run) || entry.wanted.is_empty() || self.failed_of(plan, &entry.wanted).is_empty()
            {
                continue;
            }
            let mut fewer = entries.clone();
            fewer.remove(at);
            fewer[at..].iter_mut().for_each(|entry| entry.answered = entry.answered.saturating_sub(1));
            let same = |sight: &Sight| sight.waits_for.is_none() && sight.plan.steps.len() == plan.steps.len();
            if self.see(&fewer, usize::MAX).is_ok_and(|sight| same(&sight)) {
                entries = fewer;
            }
        }
        entries
    }

    /// Adds `run();` and executes everything, to the end of the script.
    ///
    /// # Errors
    /// What is wrong, or why it cannot be executed.
    pub fn add_run(&mut self, mut entries: Vec<Entry>, wish: &Wish) -> Result<Answer> {
        let trusted = entries.last().map_or(0, |entry| entry.answered);
        entries.push(Entry::run_all());
        let mut answer = Answer::default();
        let execution = Execution { all: wish.all, failed: wish.failed, from: Vec::new() };
        let sight = self.execute(&entries, "", execution, &mut answer)?;
        if sight.waits_for.is_some() {
            // It is taken up by the next `:run`; what is known now is what was known before.
            entries.pop();
            self.waiting = None;
            self.sight = Some(self.see(&entries, trusted)?);
            self.entries = entries;
            return Ok(answer);
        }
        answer.printed = self.news(&sight);
        if let Some(last) = entries.last_mut() {
            last.answered = sight.answered;
            last.wanted = sight.plan.ids().collect();
        }
        (self.entries, self.sight) = (entries, Some(sight));
        Ok(answer)
    }

    /// The entries without those `run();` that `:run` has added and nothing needs.
    pub fn without_needless_runs(&self) -> Vec<Entry> {
        let mut entries = self.entries.clone();
        for at in (0..entries.len()).rev() {
            if !entries[at].by_run {
                continue;
            }
            let mut fewer = entries.clone();
            fewer.remove(at);
            // Whatever needs a value now says so, if the value is not known.
            if self.see(&fewer, usize::MAX).is_ok_and(|sight| sight.waits_for.is_none()) {
                entries = fewer;
            }
        }
        entries
    }

    /// Evaluates as many of these entries as can be with what is known. Gives them, and those that follow: these would have to run.
    ///
    /// # Errors
    /// What is wrong with a session without entries.
    pub fn as_far_as_known(&self, mut entries: Vec<Entry>) -> Result<(Vec<Entry>, Sight, Vec<Entry>)> {
        let mut rest = Vec::new();
        loop {
            let seen = self.see(&entries, usize::MAX);
            if seen.as_ref().is_ok_and(|sight| sight.waits_for.is_none()) || entries.is_empty() {
                rest.reverse();
                return Ok((entries, seen?, rest));
            }
            rest.extend(entries.pop());
        }
    }

    /// What was waiting has become an entry: it is several again, so that each can be changed.
    pub fn split_last(&mut self) {
        if let Some(last) = self.entries.pop() {
            let mut pieces = entry::entries(&last.text);
            let trusted = self.answered();
            pieces.iter_mut().for_each(|piece| piece.answered = trusted);
            if let Some(end) = pieces.last_mut() {
                (end.answered, end.wanted) = (last.answered, last.wanted);
            }
            self.entries.extend(pieces);
        }
    }

    /// Another run becomes that of the session. Gives the one before.
    pub fn exchange(&mut self, run: String, results: Results) -> (Option<String>, Option<Results>) {
        (self.run.replace(run), self.results.replace(results))
    }

    /// The run that was there before is that of the session again.
    pub fn bring_back(&mut self, before: (Option<String>, Option<Results>)) {
        (self.run, self.results) = before;
    }

    /// Other entries become those of the session.
    pub fn adopt(&mut self, mut entries: Vec<Entry>, sight: Sight) {
        if let Some(last) = entries.last_mut() {
            last.answered = sight.answered;
        }
        (self.entries, self.sight, self.waiting) = (entries, Some(sight), None);
    }

    /// Executes what the last entry waits for, and looks again.
    fn execute(&mut self, entries: &[Entry], text: &str, execution: Execution, answer: &mut Answer) -> Result<Sight> {
        let script = self.script(entries);
        let executed = super::execute::execute(self, &script, &execution)?;
        self.run = Some(executed.run.clone());
        let results = self.flow.results(&executed.run)?;
        self.results = Some(results.clone());
        let seen = match &executed.problem {
            Some(problem) => Err(problem.clone()),
            None => self.see(entries, usize::MAX),
        };
        let looked_at = seen.iter().flat_map(|sight| &sight.plan.header.looked_at);
        let handled: Vec<StepId> = looked_at.filter_map(|id| results.step(*id)).collect();
        answer.run(&self.flow, &executed, &handled, execution.failed, self.quiet)?;
        let sight = seen?;
        if sight.waits_for.is_some() {
            self.waiting = Some(text.to_owned());
            answer.is_waiting = true;
            answer.is_paused = executed.state.status == RunStatus::Paused && self.interrupts.pressed() == 0;
        }
        Ok(sight)
    }

    /// The same `run(…)` as the last entry, whose step failed: it is to be tried again.
    fn is_tried_again(&self, text: &str) -> bool {
        let same = |entry: &Entry| entry.text.trim_end_matches(';').trim() == text.trim_end_matches(';').trim();
        entry::is_run(text) && self.entries.last().is_some_and(|entry| same(entry) && !entry.by_run)
    }

    /// The paths of what failed of these steps and of all they need: whoever asks for them wants it tried again.
    fn failed_of(&self, plan: &Plan, wanted: &[StepId]) -> Vec<String> {
        let Some(results) = &self.results else { return Vec::new() };
        let needed = needed(plan, wanted);
        let failed = |id: &StepId| {
            let result = results.get(*id).filter(|_| needed[id.index()] && !plan.step(*id).task.is_group());
            result.is_some_and(|result| matches!(result.status, Status::Failed | Status::Cancelled))
        };
        plan.ids().filter(failed).map(|id| plan.path(id)).collect()
    }

    /// What the entry has printed: those before it print the same as then.
    fn news(&self, sight: &Sight) -> String {
        let before = self.sight.as_ref().map_or("", |sight| &sight.printed);
        sight.printed.strip_prefix(before).unwrap_or(&sight.printed).to_owned()
    }

    /// Is everything as it was without the entry?
    fn only_looks(&self, sight: &Sight, text: &str, entries: usize) -> bool {
        let words = entry::words(text);
        let Some(before) = &self.sight else {
            let nothing = sight.plan.steps.is_empty() && sight.variables.names().next().is_none();
            return nothing && !entry::declares(text) && same_header(&Plan::default(), &sight.plan);
        };
        entries == self.entries.len() + 1
            && !entry::declares(text)
            && before.plan.steps == sight.plan.steps
            && same_header(&before.plan, &sight.plan)
            && !sight.variables.differ(&before.variables, words.into_iter())
    }

    /// Modules are looked for where this script is, if it is the first of the session.
    pub fn begins_with(&mut self, file: Option<&Path>) {
        if let Some(folder) = file.and_then(Path::parent).filter(|_| self.entries.is_empty()) {
            self.folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        }
    }

    /// Forgets everything. The run stays in the list of runs.
    pub fn reset(&mut self) {
        self.entries.clear();
        self.befores.clear();
        self.args = self.given.clone();
        (self.run, self.results, self.sight, self.waiting) = (None, None, None, None);
        self.files.clear();
        self.folder = std::env::current_dir().unwrap_or_default();
    }

    /// Evaluates an expression behind all entries, changing nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn look_at(&self, text: &str) -> Result<Sight> {
        let mut entries = self.entries.clone();
        entries.push(Entry::new(text));
        self.see(&entries, self.answered())
    }

    /// The step that somebody means: by a variable that holds it, its path, or the end of one.
    pub fn step(&self, name: &str) -> Result<StepId> {
        let plan = self.plan();
        let held = held_by(self.sight.as_ref(), name);
        let found = plan.find(name.trim().trim_matches('"'));
        match (held, found.as_slice()) {
            (Some(id), _) | (None, &[id]) => Ok(id),
            (None, several) => {
                let problem = Diagnostic::new(
                    "flow::run::no_step",
                    match several.len() {
                        0 => format!("the session has no step `{name}`"),
                        n => format!("{n} steps are called `{name}`"),
                    },
                );
                let paths: Vec<String> = plan.ids().map(|id| plan.path(id)).collect();
                let is_step = |name: &&str| held_by(self.sight.as_ref(), name).is_some();
                let names = self.sight.iter().flat_map(|sight| sight.variables.names()).filter(is_step);
                let known: BTreeSet<&str> = paths.iter().map(String::as_str).chain(names).collect();
                Err(match several.len() {
                    0 => problem.help(
                        crate::diag::did_you_mean(name, known).unwrap_or_else(|| "`:steps` lists them".to_owned()),
                    ),
                    _ => problem.help("write more of its path; `:steps` lists all paths"),
                })
            }
        }
    }
}

/// The step that a variable holds.
fn held_by(sight: Option<&Sight>, name: &str) -> Option<StepId> {
    match sight?.variables.get(name)?.0 {
        Value::Step(id) => Some(id),
        _ => None,
    }
}

fn same_header(before: &Plan, after: &Plan) -> bool {
    let (a, b) = (&before.header, &after.header);
    // Who looks at a failure at the prompt has not dealt with it: that does not count.
    (&a.params, &a.settings, &a.limits, &a.breakers, &a.secrets, &a.hooks)
        == (&b.params, &b.settings, &b.limits, &b.breakers, &b.secrets, &b.hooks)
}

/// Steps that have come.
fn new_steps(before: &Plan, after: &Plan) -> Vec<StepId> {
    let known = before.steps.len().min(after.steps.len()) as u32;
    let changed = |id: &StepId| id.0 >= known || before.step(*id).name != after.step(*id).name;
    after.ids().filter(changed).collect()
}

/// Would these steps, with all they need, be everything that is still to be done?
fn covers(plan: &Plan, wanted: &[StepId], results: Option<&Results>) -> bool {
    if !plan.header.hooks.is_empty() {
        return false;
    }
    let needed = needed(plan, wanted);
    let done = |id: StepId| results.is_some_and(|results| results.get(id).is_some_and(|r| r.status == Status::Success));
    plan.ids()
        .all(|id| needed[id.index()] || done(id) || plan.step(id).undoes.is_some() || plan.step(id).parent.is_some())
}

/// These steps, what they need, and what is in them.
fn needed(plan: &Plan, wanted: &[StepId]) -> Vec<bool> {
    let mut needed = vec![false; plan.steps.len()];
    let mut open: Vec<StepId> = wanted.to_vec();
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut needed[id.index()], true) {
            continue;
        }
        open.extend(plan.step(id).after.iter().map(|edge| edge.from));
        open.extend(plan.members(id));
    }
    needed
}

/// The first line of a text, for a message.
pub fn first_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default().to_owned();
    if lines.next().is_some() { format!("{first} …") } else { first }
}
