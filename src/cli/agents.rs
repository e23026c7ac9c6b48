//! `flow agents`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::options::{look, short_path};
use super::{Done, out, record};
use crate::diag::Diagnostic;
use crate::flow::FoundAgent;
use crate::plan::{Agent, Json, Value};
use crate::view::{self, AgentLine, FileRemark};

/// List the agents that scripts here know by name, where they come from, and what was not loaded and why
///
/// Files of agents are Markdown with front matter. They are looked for in `.claude/agents` of this folder and of those above it, up to
/// the project's (with flow.toml or .git), in the folders that `[agents]` in flow.toml names, and in `~/.claude/agents`. Of two with
/// one name, the one that is found first counts.
#[derive(clap::Args)]
#[command(
    after_long_help = "\
Examples:
  flow agents
  flow agents --folder web            as a script in that folder knows them
  flow agents --json
  flow agents record last -o FILE     what those of a run said: `flow agents record --help`",
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    #[command(subcommand)]
    what: Option<What>,
    /// The folder of the script
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Print them as data
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Subcommand)]
enum What {
    Record(record::Args),
}

impl Args {
    pub fn run(self) -> Done {
        if let Some(What::Record(args)) = self.what {
            return args.run();
        }
        let folder = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        if !folder.is_dir() {
            let shown = self.folder.display();
            return Err(Diagnostic::new("flow::file::missing", format!("there is no folder `{shown}`"))
                .help("name the folder in which the script stands")
                .into());
        }
        let flow = look()?;
        let found = flow.agents(&folder)?;
        if self.json {
            out::print(&format!("{}\n", Json::from_iter(found.iter().map(data))))?;
        } else if found.is_empty() {
            out::tell(
                "no files of agents here; one is `.claude/agents/reviewer.md`: `flow docs agent` tells what stands in it\n",
            );
        } else {
            out::print(&text(&found))?;
        }
        Ok(0)
    }
}

fn shown(path: &Path) -> String {
    short_path(path)
}

fn text(found: &[FoundAgent]) -> String {
    let mut remarks = Vec::new();
    for found in found {
        let said = found.agent.as_ref().err().into_iter().map(|remark| (remark, true));
        for (remark, refused) in said.chain(found.warnings.iter().map(|remark| (remark, false))) {
            let place = format!("{}:{}", shown(&found.file), remark.line);
            remarks.push(FileRemark { place, message: remark.message.clone(), help: remark.help.clone(), refused });
        }
    }
    let line = |found: &FoundAgent| {
        let agent = found.agent.as_ref().ok()?;
        Some(AgentLine {
            name: agent.name.to_string(),
            backend: agent.backend.to_string(),
            model: model(agent),
            tools: agent.tools.as_deref().unwrap_or_default().join(", "),
            origin: found.origin.name().to_owned(),
            file: shown(&found.file),
            description: agent.description.clone().unwrap_or_default(),
            hidden_by: found.hidden_by.as_deref().map(shown),
        })
    };
    let lines: Vec<AgentLine> = found.iter().filter_map(line).collect();
    view::roster(&lines, &remarks, out::results_look())
}

fn model(agent: &Agent) -> String {
    agent.model.as_ref().and_then(Value::as_text).unwrap_or_default().to_owned()
}

fn data(found: &FoundAgent) -> Json {
    let remark =
        |remark: &crate::flow::Remark| json!({ "line": remark.line, "message": remark.message, "help": remark.help });
    let warnings: Vec<Json> = found.warnings.iter().map(remark).collect();
    let mut data = match &found.agent {
        Ok(agent) => json!({
            "name": agent.name,
            "loaded": true,
            "backend": agent.backend,
            "model": agent.model.as_ref().and_then(Value::as_text),
            "role": agent.role,
            "description": agent.description,
            "tools": agent.tools,
            "capabilities": agent.capabilities,
        }),
        Err(refused) => json!({ "loaded": false, "error": remark(refused) }),
    };
    data["file"] = found.file.display().to_string().into();
    data["from"] = found.origin.name().into();
    data["warnings"] = warnings.into();
    if let Some(other) = &found.hidden_by {
        data["hidden_by"] = other.display().to_string().into();
    }
    data
}
