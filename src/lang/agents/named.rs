//! Agents by name: those that the script declares, and those that stand in files.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rhai::{Dynamic, Map, NativeCallContext};
use smol_str::SmolStr;

use super::Remark;
use super::folder::{Found, Origin, folders, of_folders};
use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::lang::fault::{Fault, raise};
use crate::lang::handle;
use crate::lang::options::{self, here};
use crate::lang::session;
use crate::plan::Agent;

/// `agent(name)`: one that the script has declared, or that stands in a file.
///
/// # Errors
/// There is none of this name, or its file is not loaded.
pub fn find(context: &NativeCallContext, name: &str) -> Result<handle::Agent, Fault> {
    known(options::name(context, name)?, here(context)).map(handle::Agent)
}

/// The agent of a name.
///
/// # Errors
/// There is none of this name, or its file is not loaded.
pub fn known(name: &str, span: Span) -> Result<Arc<Agent>, Fault> {
    if let Some(known) = of_name(name) {
        return Ok(known);
    }
    let found = in_files();
    let refused = found.iter().find_map(|found| {
        let stem = found.file.file_stem().is_some_and(|stem| stem.to_string_lossy() == name);
        found.agent.as_ref().err().filter(|_| stem).map(|remark| (&found.file, remark))
    });
    if let Some((file, remark)) = refused {
        let message = format!("the agent `{name}` is not loaded: {}:{}: {}", shown(file), remark.line, remark.message);
        return Err(raise(
            Diagnostic::new("flow::lang::agent_file", message)
                .label_word(span, name, "named here")
                .help(remark.help.clone()),
        ));
    }
    let names = names();
    let help = did_you_mean(name, names.iter().map(SmolStr::as_str)).unwrap_or_else(|| match names.is_empty() {
        true => {
            format!("declare it: `agent(\"{name}\", #{{ backend: \"claude\" }})`; or write `.claude/agents/{name}.md`")
        }
        false => format!("there are: {}; `flow agents` tells where they come from", names.join(", ")),
    });
    Err(raise(
        Diagnostic::new("flow::lang::agent", format!("there is no agent `{name}`"))
            .label_word(span, name, "named here")
            .help(help),
    ))
}

/// The agent of a name, if there is one.
pub fn of_name(name: &str) -> Option<Arc<Agent>> {
    if let Some(known) = session::with(|session| session.agents.get(name).cloned()) {
        return Some(known);
    }
    let found = in_files();
    let one = found.iter().find(|found| found.agent.as_ref().is_ok_and(|agent| agent.name == name))?;
    warn(one);
    let agent = one.agent.as_ref().ok()?.clone();
    Some(remember(agent))
}

/// The names of all agents, each once.
pub fn names() -> Vec<SmolStr> {
    let mut names: Vec<SmolStr> = session::with(|session| session.agents.keys().cloned().collect());
    names.extend(in_files().iter().filter_map(|found| found.agent.as_ref().ok()).map(|agent| agent.name.clone()));
    names.sort();
    names.dedup();
    names
}

/// `agents(folder)`: all agents of a folder, by name.
///
/// # Errors
/// There is no such folder, or no agent in it that can be loaded.
pub fn of_folder(context: &NativeCallContext, given: &str) -> Result<Map, Fault> {
    session::build(context, |_, _| Ok(()))?;
    let (span, given) = (here(context), options::name(context, given)?);
    let program = session::with(|session| session.program.clone());
    let surroundings = program.surroundings();
    let base = program.folder().unwrap_or_default();
    let folder = within(&base, given, surroundings.project.as_deref()).ok_or_else(|| {
        raise(
            Diagnostic::new("flow::lang::import_outside", format!("the folder `{given}` is outside of the project"))
                .label_word(span, given, "named here")
                .help("name a folder beside the script, or below the folder of flow.toml; others stand in flow.toml: `[agents] folders = [\"…\"]`"),
        )
    })?;
    let found = of_folders(&program, &[(folder.clone(), Origin::Named)], &surroundings);
    if found.is_empty() {
        let message = match folder.is_dir() {
            true => format!("there is no agent in the folder `{given}`"),
            false => format!("there is no folder `{given}`"),
        };
        return Err(raise(
            Diagnostic::new("flow::lang::agent_file", message).label_word(span, given, "named here").help(format!(
                "agents are files `*.md` in `{}`: {}",
                shown(&folder),
                super::file::FORM
            )),
        ));
    }
    let mut map = Map::new();
    for one in &found {
        warn(one);
        match &one.agent {
            Ok(agent) if one.hidden_by.is_none() => {
                remember(agent.clone());
                map.insert(agent.name.as_str().into(), Dynamic::from(handle::Agent(agent.clone())));
            }
            Ok(agent) => {
                let other = one.hidden_by.as_deref().map(shown).unwrap_or_default();
                let remark = Remark {
                    line: 1,
                    message: format!("there are two agents `{}`; that of `{other}` counts", agent.name),
                    help: "give one of them another name".into(),
                };
                tell(&one.file, "the agent of a file is passed over", &remark);
            }
            Err(remark) => tell(&one.file, "a file of an agent is not loaded", remark),
        }
    }
    if map.is_empty() {
        let first = found.iter().find_map(|one| Some((&one.file, one.agent.as_ref().err()?)));
        let (file, remark) = first.map_or((String::new(), None), |(file, remark)| (shown(file), Some(remark)));
        let (line, why) = remark.map_or((1, ""), |remark| (remark.line, remark.message.as_str()));
        return Err(raise(
            Diagnostic::new(
                "flow::lang::agent_file",
                format!("no agent of the folder `{given}` is loaded: {file}:{line}: {why}"),
            )
            .label_word(span, given, "named here")
            .help(remark.map_or(String::new(), |remark| remark.help.clone())),
        ));
    }
    Ok(map)
}

/// What stands in files that are known by name. Read once in a session.
fn in_files() -> Arc<Vec<Found>> {
    let (known, program) = session::with(|session| (session.found.clone(), session.program.clone()));
    if let Some(known) = known {
        return known;
    }
    let surroundings = program.surroundings();
    let folders = program.folder().map(|folder| folders(&folder, &surroundings)).unwrap_or_default();
    let found = Arc::new(of_folders(&program, &folders, &surroundings));
    session::with(|session| session.found = Some(found.clone()));
    found
}

/// So that it is found by name from now on, and what it needs is known of the plan.
fn remember(agent: Arc<Agent>) -> Arc<Agent> {
    session::with(|session| session.agents.entry(agent.name.clone()).or_insert_with(|| agent.clone()).clone())
}

/// Tells what could be better in a file that is used.
fn warn(found: &Found) {
    found.warnings.iter().for_each(|remark| tell(&found.file, "a file of an agent is not quite in order", remark));
}

fn tell(file: &Path, what: &str, remark: &Remark) {
    let message = format!("{what}: {}:{}: {}", shown(file), remark.line, remark.message);
    let warning = Diagnostic::new("flow::lang::agent_file", message).help(remark.help.clone()).as_warning();
    session::with(|session| session.program.warn(warning));
}

/// A path as a person would name it, who is where flow was called.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// A folder below `base`, or elsewhere in the project.
fn within(base: &Path, given: &str, project: Option<&Path>) -> Option<PathBuf> {
    let mut path = base.to_owned();
    for part in Path::new(given).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                path.pop();
            }
            Component::RootDir | Component::Prefix(_) => path = PathBuf::from(part.as_os_str()),
        }
    }
    let root = project.filter(|project| base.starts_with(project)).unwrap_or(base);
    path.starts_with(root).then_some(path)
}
