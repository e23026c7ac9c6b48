//! Agents that stand in files: those of a folder, and those that are known by name wherever a script stands.
//!
//! Known by name are, the first of a name counts: `.claude/agents/*.md` beside the script and upwards to the project's folder; the
//! folders that `flow.toml` names; the user's own `~/.claude/agents`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::{Dynamic, Map};

use super::file::{self, Definition, Remark};
use super::{complete, lay_over};
use crate::diag::{Result, Span};
use crate::lang::convert::to_dynamic;
use crate::lang::fault::failure;
use crate::lang::keys;
use crate::lang::options::Options;
use crate::lang::session::{self, Purpose, Session};
use crate::lang::surroundings::Surroundings;
use crate::lang::{Program, Script};
use crate::plan::{Agent, Json, SecretRef, Value};

/// Whose agents stand in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The project's: `.claude/agents`.
    Project,
    /// The project's: a folder that `flow.toml` names, or the script.
    Named,
    /// The user's.
    User,
}

impl Origin {
    /// Its name, as `flow agents` tells it.
    pub fn name(self) -> &'static str {
        match self {
            Origin::Project => "project",
            Origin::Named => "flow.toml",
            Origin::User => "user",
        }
    }
}

/// A file of an agent.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it is.
    pub file: PathBuf,
    /// Whose it is.
    pub origin: Origin,
    /// The agent, or why it is not loaded.
    pub agent: std::result::Result<Arc<Agent>, Remark>,
    /// What could be better in the file.
    pub warnings: Vec<Remark>,
    /// The file that is taken for this name in its place.
    pub hidden_by: Option<PathBuf>,
}

/// The folders whose agents are known by name to a script in `folder`.
pub fn folders(folder: &Path, surroundings: &Surroundings) -> Vec<(PathBuf, Origin)> {
    let claude = |folder: &Path| folder.join(".claude").join("agents");
    let user = surroundings.home.as_deref().map(claude);
    let by_git = || folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned);
    let project = surroundings.project.clone().filter(|project| folder.starts_with(project)).or_else(by_git);
    let upward = match &project {
        Some(project) => folder.ancestors().take_while(|at| at.starts_with(project)).collect(),
        None => vec![folder],
    };
    let mut all: Vec<(PathBuf, Origin)> = upward.into_iter().map(|at| (claude(at), Origin::Project)).collect();
    all.extend(surroundings.folders.iter().map(|folder| (folder.clone(), Origin::Named)));
    all.extend(user.map(|folder| (folder, Origin::User)));
    let mut seen = std::collections::HashSet::new();
    // The user's folder is the project's, too, where a script stands in the home itself: it counts once.
    all.retain(|(folder, _)| seen.insert(folder.clone()));
    all
}

/// All agents that are known by name to a script in `folder`, those that are hidden or not loaded included.
///
/// # Errors
/// None for what is wrong in a file: that stands in what is found.
pub fn known(folder: &Path, surroundings: &Surroundings) -> Result<Vec<Found>> {
    let folders = folders(folder, surroundings);
    let program = Program::compile(&Script::from_text("agents", ""))?;
    Ok(Session::new(&program, Purpose::Call).enter(|| of_folders(&program, &folders, surroundings)).0)
}

/// The agents of folders, the first of a name before the others.
pub(super) fn of_folders(program: &Program, folders: &[(PathBuf, Origin)], surroundings: &Surroundings) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for (folder, origin) in folders {
        for (file, text) in program.agent_files(folder) {
            let mut found = read(&file, &text, *origin, surroundings);
            // What a folder is for stands in such a file; nobody takes it for an agent.
            let is_readme = file.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("readme"));
            if is_readme && found.agent.is_err() {
                continue;
            }
            if let Ok(agent) = &found.agent {
                let before =
                    all.iter().find(|before| before.agent.as_ref().is_ok_and(|other| other.name == agent.name));
                found.hidden_by = before.map(|before| before.file.clone());
            }
            all.push(found);
        }
    }
    all
}

/// Reads a file.
fn read(path: &Path, text: &str, origin: Origin, surroundings: &Surroundings) -> Found {
    let mut warnings = Vec::new();
    let agent = file::read(text).and_then(|definition| {
        warnings.extend(definition.warning.clone());
        agent_of(definition, text, path, surroundings, &mut warnings)
    });
    Found { file: path.to_owned(), origin, agent: agent.map(Arc::new), warnings, hidden_by: None }
}

/// The agent that a file defines.
fn agent_of(
    definition: Definition,
    text: &str,
    path: &Path,
    surroundings: &Surroundings,
    warnings: &mut Vec<Remark>,
) -> std::result::Result<Agent, Remark> {
    let Definition { name, keys, body, .. } = definition;
    let mut agent = Agent { name: name.as_str().into(), file: Some(path.display().to_string()), ..Agent::default() };
    for (key, value) in &keys {
        if key != "orchestration" {
            take(&mut agent, key, value, text, surroundings, warnings)?;
            continue;
        }
        // What it says of the agent's place in a team; the rest is kept.
        for (key, value) in value.as_object().into_iter().flatten() {
            let ours = ["role", "capabilities", "priority", "weight", "max_turns", "backend", "budget"];
            if ours.contains(&key.as_str()) && !keys.contains_key(key) {
                take(&mut agent, key, value, text, surroundings, warnings)?;
            }
        }
        agent.further.insert(key.clone(), value.clone());
    }
    if !body.is_empty() {
        let system = match agent.system.as_ref().and_then(Value::as_text) {
            Some(said) => format!("{said}\n\n{body}"),
            None => body,
        };
        agent.system = Some(Value::Plain(system.into()));
    }
    // Files in such a folder are written for Claude Code.
    if agent.backend.is_empty()
        && agent.command.is_empty()
        && path.components().any(|part| part.as_os_str() == ".claude")
    {
        agent.backend = "claude".into();
    }
    complete(&mut agent, surroundings);
    Ok(agent)
}

/// Takes one key of a front matter.
fn take(
    agent: &mut Agent,
    key: &str,
    value: &Json,
    text: &str,
    surroundings: &Surroundings,
    warnings: &mut Vec<Remark>,
) -> std::result::Result<(), Remark> {
    let line = || file::line_of(text, key);
    let nothing = value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
    let all_tools = value == "*" || value.as_array().is_some_and(|tools| tools.iter().any(|tool| tool == "*"));
    let name = match key {
        "name" => return Ok(()),
        "model" if value == "inherit" => return Ok(()),
        "tools" if all_tools => return Ok(()),
        "disallowedTools" | "disallowed_tools" => "deny_tools",
        "mcpServers" => "mcp_servers",
        "maxTurns" => "max_turns",
        "permissionMode" | "permission_mode" => "permission",
        "timeout_seconds" => "timeout",
        "max_retries" => "retries",
        key => key,
    };
    if keys::AGENT.key(name).is_none() {
        agent.further.insert(key.to_owned(), value.clone());
        return Ok(());
    }
    if nothing {
        return Ok(());
    }
    let given = match (name, value) {
        ("permission", Json::String(mode)) => match mode.as_str() {
            "acceptEdits" => Dynamic::from("edit"),
            "plan" => Dynamic::from("read"),
            "bypassPermissions" => Dynamic::from("full"),
            "dontAsk" | "auto" | "manual" => Dynamic::from("default"),
            other => Dynamic::from(other.to_owned()),
        },
        ("api_key", Json::String(name)) => {
            let fits = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            if !name.chars().all(fits) {
                let help = "name the environment variable that holds it: `api_key: ANTHROPIC_API_KEY`";
                return Err(Remark {
                    line: line(),
                    message: "a key itself stands in the file".into(),
                    help: help.into(),
                });
            }
            Dynamic::from(SecretRef { name: name.as_str().into(), before: String::new(), after: String::new() })
        }
        ("description" | "role", value) if !value.is_string() => Dynamic::from(value.to_string()),
        // Those that are written for Claude Code name their model in one word, whatever it is.
        ("model", value) if value.is_number() => Dynamic::from(value.to_string()),
        ("capabilities", Json::String(list)) => to_dynamic(super::divided(list).into()),
        (_, value) => to_dynamic(value.clone()),
    };
    let map: Map = [(name.into(), given)].into_iter().collect();
    let mut options = Options::named(&keys::AGENT, format!("the agent `{}`", agent.name), &map, Span::default());
    let Err(fault) = lay_over(agent, &mut options, Span::default(), surroundings) else { return Ok(()) };
    let problem = session::with(|session| failure(&fault, session));
    let help = problem.help.unwrap_or_else(|| format!("`flow docs agent` tells what `{name}` takes"));
    // What only Claude Code knows is no reason to do without the agent.
    if key == "permissionMode" {
        let message = format!("{}; the agent asks as it does by itself", problem.message);
        warnings.push(Remark { line: line(), message, help });
        agent.further.insert(key.to_owned(), value.clone());
        return Ok(());
    }
    Err(Remark { line: line(), message: problem.message, help })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join(name), text).expect("a file");
    }

    fn agent(front: &str) -> Found {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), "a.md", &format!("---\nname: a\ndescription: d\n{front}\n---\nBe good.\n"));
        let program = Program::compile(&Script::from_text("agents", "")).expect("nothing");
        let folders = [(folder.path().to_owned(), Origin::Named)];
        let read = || of_folders(&program, &folders, &Surroundings::default());
        Session::new(&program, Purpose::Call).enter(read).0.pop().expect("a file")
    }

    #[test]
    fn keys_of_files_are_those_of_agents() {
        let front = "model: sonnet\ntimeout_seconds: 90\nmax_retries: 2\ntools: Read, Bash(git add, git commit)\nmcp_servers: [github]\ncolor: red\nrole: reviewer\ncapabilities: rust, sql\npermissionMode: acceptEdits\nmaxTurns: 7\ndisallowedTools: [Write]\nbudget: { usd: 1.5 }\nidle_timeout: 3m\napi_key: SOME_KEY\norchestration:\n  priority: 3\n  can_delegate: true";
        let agent = agent(front).agent.expect("it is loaded");
        let Agent { model, timeout_ms, max_retries, tools, mcp_servers, further, .. } = &*agent;
        assert_eq!(model.as_ref().and_then(Value::as_text), Some("sonnet"));
        assert_eq!((*timeout_ms, *max_retries, agent.max_turns), (Some(90_000), Some(2), Some(7)));
        assert_eq!(tools.as_deref(), Some(&["Read".to_owned(), "Bash(git add, git commit)".to_owned()][..]));
        assert_eq!(mcp_servers, &Some(serde_json::json!(["github"])));
        assert_eq!((further.get("color"), agent.priority), (Some(&"red".into()), 3));
        assert!(further["orchestration"]["can_delegate"] == true);
        assert_eq!(agent.capabilities, ["rust", "sql"]);
        assert_eq!(agent.permission, crate::plan::Permission::Edit);
        assert_eq!(agent.deny_tools, ["Write"]);
        assert_eq!(agent.system.as_ref().and_then(Value::as_text), Some("Be good."));
        assert!(matches!(&agent.api_key, Some(Value::Secret(secret)) if secret.name == "SOME_KEY"));
        assert_eq!((agent.backend.as_str(), agent.idle_timeout_ms), ("claude", Some(180_000)));
    }

    #[test]
    fn models_and_tools_that_mean_all_are_left_to_the_program() {
        let loaded = agent("model: inherit\ntools: *").agent.expect("it is loaded");
        assert_eq!((&loaded.model, &loaded.tools), (&None, &None));
        let strange = agent("permissionMode: sometimes");
        assert!(strange.agent.is_ok());
        assert_eq!(strange.warnings.len(), 1);
    }

    #[test]
    fn values_that_make_no_sense_are_told_with_their_line() {
        for (front, message) in [
            ("max_turns: many", "max_turns"),
            ("backend: claud", "claud"),
            ("timeout_seconds: -3", "timeout"),
            ("budget: { usd: -1 }", "usd"),
            ("api_key: sk-ant-1234", "a key itself"),
        ] {
            let refused = agent(front).agent.expect_err(front);
            assert!(refused.line == 4 && refused.message.contains(message) && !refused.help.is_empty(), "{refused:?}");
            assert!(!refused.message.contains("1234"), "{refused:?}");
        }
    }

    #[test]
    fn the_nearest_of_a_name_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let (project, home) = (root.path().join("project"), root.path().join("home"));
        let inner = project.join("a/b");
        for (folder, what) in
            [(&inner, "inner"), (&project, "project"), (&home, "home"), (&root.path().to_owned(), "outside")]
        {
            write(&folder.join(".claude/agents"), "x.md", &format!("---\nname: x\ndescription: {what}\n---\n"));
        }
        write(&home.join(".claude/agents"), "y.md", "---\nname: y\ndescription: only there\n---\n");
        write(&project.join("team"), "z.md", "\n---\nname: z\n---\n");
        let surroundings = Surroundings {
            project: Some(project.clone()),
            home: Some(home),
            folders: vec![project.join("team")],
            ..Surroundings::default()
        };
        let found = known(&inner, &surroundings).expect("they are read");
        let told: Vec<_> = found
            .iter()
            .map(|found| match (&found.agent, &found.hidden_by) {
                (Ok(agent), None) => format!("{}: {}", agent.name, agent.description.as_deref().unwrap_or_default()),
                (Ok(agent), Some(_)) => format!("{} hidden", agent.name),
                (Err(remark), _) => format!("line {}", remark.line),
            })
            .collect();
        assert_eq!(told, ["x: inner", "x hidden", "line 1", "x hidden", "y: only there"]);
    }
}
