//! `flow plan`: a plan as a page that is read from top to bottom.
//!
//! What it is called and set to; its steps as a tree; what is not known before the run; how long it will take.

use super::page::{Ink, Page};
use super::times::times;
use super::tree::Tree;
use crate::plan::analysis::{Analysis, is_pending};
use crate::plan::wording::{self, Names, clean, count, list, plural, shorten};
use crate::plan::{Order, Param, Plan, StepId, Task};

/// How a plan is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// Columns of the terminal.
    pub width: usize,
    /// Only signs of ASCII, apart from names.
    pub ascii: bool,
    /// Nothing is shortened, however long it gets.
    pub full: bool,
    /// With colours (ANSI escape codes).
    pub color: bool,
    /// How many steps will run at the same time where the plan says nothing, for the estimate.
    pub max_parallel: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options { width: 100, ascii: false, full: false, color: false, max_parallel: 2 }
    }
}

/// Most waves, steps of a wave and steps of the critical path that are listed, unless in full.
pub(super) const LISTED: usize = 12;

/// The page of a plan. `analysis` must be of the same plan.
pub fn text(plan: &Plan, analysis: &Analysis, options: &Options) -> String {
    let mut page = Page::new(options);
    header(&mut page, plan);
    let names = Names::of(plan);
    let tree = Tree::new(plan, analysis, &names, options.full);
    if plan.steps.is_empty() {
        page.row(&[(Ink::Dim, "no steps")], "");
        page.end();
    } else {
        page.row(&[(Ink::Bold, "steps")], "");
        tree.steps(&mut page);
        page.end();
    }
    if !plan.header.hooks.is_empty() {
        page.row(&[(Ink::Bold, "hooks")], "");
        tree.hooks(&mut page);
        page.end();
    }
    unknown(&mut page, plan, &names);
    times(&mut page, plan, analysis, &names);
    page.text
}

fn header(page: &mut Page, plan: &Plan) {
    let shown = plan.steps.iter().filter(|step| !step.retired && step.undoes.is_none());
    let (groups, tasks): (Vec<_>, Vec<_>) = shown.partition(|step| step.task.is_group());
    let mut what = plural(tasks.len(), "task");
    if !groups.is_empty() {
        what.push_str(&format!(" in {}", plural(groups.len(), "group")));
    }
    let undos = plan.steps.iter().filter(|step| step.undoes.is_some() && !step.retired).count();
    if undos > 0 {
        what.push_str(&format!(", {undos} can be undone"));
    }
    let file = plan.header.files.first().map(|file| format!("{} · ", clean(&file.name))).unwrap_or_default();
    page.row(&[(Ink::Bold, &clean(&plan.header.name)), (Ink::Dim, &format!("  {file}{what}"))], "");
    page.end();
    parameters(page, plan);
    settings(page, plan);
}

fn parameters(page: &mut Page, plan: &Plan) {
    if plan.header.params.is_empty() {
        return;
    }
    page.row(&[(Ink::Bold, "parameters")], "");
    let value = |param: &Param| shorten(&clean(&param.value.to_string()), 40);
    let widest = |of: &dyn Fn(&Param) -> usize| plan.header.params.iter().map(of).max().unwrap_or(0);
    let names = widest(&|param| wording::width(&param.name)).min(28);
    let values = widest(&|param| wording::width(&value(param)));
    for param in &plan.header.params {
        let mut notes = vec![param.kind.to_string()];
        if !param.one_of.is_empty() {
            let choices: Vec<_> = param.one_of.iter().map(plain).collect();
            notes.push(format!("one of {}", list(&choices, LISTED)));
        }
        match &param.default {
            Some(default) if *default != param.value => notes.push(format!("by default {}", plain(default))),
            Some(_) => {}
            None => notes.push("must be given".to_owned()),
        }
        if !param.help.is_empty() {
            notes.push(param.help.clone());
        }
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(wording::width(text)));
        let (name, value) = (clean(&param.name), value(param));
        let (gap, notes) = (format!("{} = ", pad(&name, names)), clean(&notes.join(" · ")));
        let end = format!("{}   ", pad(&value, values));
        let parts =
            [(Ink::Plain, "  "), (Ink::Name, &*name), (Ink::Plain, &*gap), (Ink::Plain, &*value), (Ink::Plain, &*end)];
        page.row(&[&parts[..], &[(Ink::Dim, &*notes)]].concat(), "");
    }
    page.end();
}

fn plain(value: &crate::plan::Json) -> String {
    clean(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn settings(page: &mut Page, plan: &Plan) {
    let header = &plan.header;
    let mut words = Vec::new();
    if let Some(max) = header.settings.max_parallel {
        words.push(format!("at most {max} at once"));
    }
    if header.settings.order != Order::default() {
        let name = Order::ALL.iter().find(|(_, order)| *order == header.settings.order).map_or("", |(name, _)| name);
        words.push(format!("order {name}"));
    }
    if let Some(ms) = header.settings.timeout_ms {
        words.push(format!("timeout {}", wording::duration(ms)));
    }
    if let Some(on_failure) = header.settings.on_failure {
        words.push(format!("on failure {}", wording::on_error_name(on_failure)));
    }
    if let Some(shell) = &header.settings.shell {
        words.push(format!("shell {shell}"));
    }
    if let Some(cwd) = &header.settings.cwd {
        words.push(format!("in {cwd}"));
    }
    if let Some(most) = header.settings.output_limit {
        words.push(format!("output up to {}", wording::size(most)));
    }
    words.extend(wording::strategies(&header.settings));
    if !header.settings.env.is_empty() {
        let names: Vec<_> = header.settings.env.iter().map(|(name, _)| name.as_str()).collect();
        words.push(format!("env {}", list(&names, LISTED)));
    }
    let limits: Vec<_> = header
        .limits
        .iter()
        .map(|(name, limit)| format!("{name}: {}", wording::limit(limit, header.sizes.contains(name))))
        .collect();
    let breakers: Vec<_> =
        header.breakers.iter().map(|(name, breaker)| format!("{name}: {}", wording::breaker(breaker))).collect();
    let mut any = false;
    for (title, words) in [("settings", words), ("limits", limits), ("breakers", breakers)] {
        if !words.is_empty() {
            any = true;
            page.put(Ink::Bold, &format!("{title:<9}"));
            let words: Vec<_> = words.iter().map(|word| (Ink::Plain, clean(word))).collect();
            page.pieces("", &words);
        }
    }
    if any {
        page.end();
    }
}

/// What only the run will show: fan-outs, results that are used, the rest of a script that waits for one.
fn unknown(page: &mut Page, plan: &Plan, names: &Names) {
    let most = if page.options.full { usize::MAX } else { LISTED };
    let shown = |id: &StepId| !plan.step(*id).retired;
    let pending: Vec<StepId> = plan.ids().filter(shown).filter(|id| is_pending(&plan.step(*id).task)).collect();
    let mut used: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for step in plan.steps.iter().filter(|step| !step.retired) {
        if used.len() > most {
            break;
        }
        wording::each_reference(step, &mut |reference| {
            if used.len() <= most && seen.insert(reference.clone()) {
                used.push(wording::reference(plan, reference));
            }
        });
    }
    if pending.is_empty() && used.is_empty() && plan.header.stopped_at.is_none() {
        return;
    }
    page.row(&[(Ink::Bold, "not known before the run")], "");
    for id in pending.iter().take(most) {
        let step = plan.step(*id);
        let what = match &*step.task {
            Task::Each(_) => "how many steps it has depends on",
            Task::Repeat(_) => "how often it runs:",
            _ => "its steps depend on",
        };
        let name = names.get(*id);
        let on = match &*step.task {
            Task::Each(each) => {
                each.items.as_ref().map(|items| wording::bare(wording::value(plan, items))).unwrap_or_default()
            }
            Task::Workflow(workflow) => {
                let args: Vec<_> = workflow.args.iter().map(|(key, _)| key.as_str()).collect();
                format!("{} and its parameters {}", workflow.file, list(&args, LISTED))
            }
            Task::Repeat(repeat) => match &repeat.until {
                Some(until) => format!("until {}, at most {} times", until.text.trim(), count(repeat.max as usize)),
                None => format!("{} times", count(repeat.max as usize)),
            },
            _ => String::new(),
        };
        let on = clean(&format!("  {what} {on}"));
        page.row(&[(Ink::Plain, "  "), (Ink::Name, &name), (Ink::Plain, &format!("  {}", on.trim()))], "");
    }
    if pending.len() > most {
        let more = format!("  and {} more of this kind", count(pending.len() - most));
        page.row(&[(Ink::Dim, &more)], "");
    }
    if !used.is_empty() {
        let more = used.len() > most;
        used.truncate(most);
        if let Some(first) = used.first_mut() {
            *first = format!("results that are used: {first}");
        }
        used.extend(more.then(|| "and more".to_owned()));
        let pieces: Vec<_> = used.into_iter().map(|piece| (Ink::Plain, piece)).collect();
        page.pieces("  ", &pieces);
    }
    if let Some(span) = plan.header.stopped_at {
        let text = format!("what follows line {}: the script waits there for a result", span.line);
        page.row(&[(Ink::Plain, "  "), (Ink::Plain, &text)], "");
    }
    page.end();
}
