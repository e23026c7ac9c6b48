//! `flow new NAME`

use std::fmt::Write;
use std::path::PathBuf;

use super::template::shown;
use super::{Done, out};
use crate::flow::{Project, template};

/// Make a new project: a folder with a script, a test, settings and a CI file
///
/// All of it works at once. The folder must not exist, or be empty.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow new nightly-report
  flow new shop --template blue-green      begin with a template; `flow template list` shows them
  flow new .                               in this folder, if it is empty")]
pub struct Args {
    /// The folder. Its last part is the name of the project
    #[arg(value_name = "NAME")]
    name: PathBuf,
    /// Begin with a template instead of a small example
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
}

impl Args {
    pub fn run(self) -> Done {
        let template = self.template.as_deref().map(template).transpose()?;
        let project = Project::new(&self.name, template)?;
        let written = project.create()?;
        let mut text = format!("made {}:\n", self.name.display());
        for path in &written {
            let _ = writeln!(text, "  {}", path.display());
        }
        text.push_str("\nnext:\n");
        if self.name.canonicalize().ok() != std::env::current_dir().ok() {
            let _ = writeln!(text, "  cd {}", shown(&self.name.display().to_string()));
        }
        let script = shown(&project.script());
        let _ = writeln!(text, "  flow script {script}\n  flow test\n  flow plan {script}");
        out::print(&text)?;
        Ok(0)
    }
}
