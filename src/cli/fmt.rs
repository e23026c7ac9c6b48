//! `flow fmt [PATH]…`

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::{Done, End, input, out, report};
use crate::diag::{Diagnostic, Result};
use crate::flow::{Script, format};
use crate::plan::wording::plural;

/// Write scripts in the common form
///
/// One way to indent, to space and to end lists; where lines end is the author's choice, unless they are too long. Comments
/// and blank lines stay, and what a script means does not change: its plan is the same, and so are the steps that a
/// resumed run takes as done.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow fmt                          all scripts below this folder
  flow fmt deploy.rhai lib          a file, and all below a folder
  flow fmt --check                  change nothing; exit code 1 if something would be changed
  flow fmt --diff deploy.rhai       show what would be changed
  flow fmt - < deploy.rhai          from standard input to standard output

Exit codes: 0 all is in form; 1 with --check or --diff: something is not; 2 a script cannot be read.")]
pub struct Args {
    /// Scripts, or folders with scripts; `-` is standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<String>,
    /// Change nothing, and tell by the exit code whether something would be changed
    #[arg(long)]
    check: bool,
    /// Change nothing, and print what would be changed
    #[arg(long)]
    diff: bool,
}

impl Args {
    pub fn run(self) -> Done {
        if self.paths == ["-"] {
            return self.standard_input();
        }
        let (mut files, mut changed, mut wrong) = (0, 0, 0);
        for path in self.scripts()? {
            files += 1;
            match self.one(&path) {
                Ok(differs) => changed += usize::from(differs),
                Err(End::Wrong(problem)) => {
                    wrong += 1;
                    out::tell(&report::text(&problem));
                }
                Err(unread) => return Err(unread),
            }
        }
        let (verb, only_looks) = if self.only_looks() { ("would be changed", true) } else { ("changed", false) };
        out::tell(&format!(
            "{}: {changed} {verb}{}\n",
            plural(files, "script"),
            match wrong {
                0 => String::new(),
                wrong => format!(", {wrong} cannot be read"),
            }
        ));
        Ok(match (wrong, changed) {
            (0, 1..) if only_looks => 1,
            (0, _) => 0,
            _ => 2,
        })
    }

    fn only_looks(&self) -> bool {
        self.check || self.diff
    }

    fn standard_input(&self) -> Done {
        let script = input::script("-")?;
        let formed = format(&script)?;
        if !self.only_looks() {
            out::print(&formed)?;
            return Ok(0);
        }
        if self.diff {
            out::print(&difference("-", &script.text, &formed))?;
        }
        Ok(u8::from(*script.text != *formed))
    }

    /// Brings one script into form. Was it not?
    fn one(&self, path: &Path) -> std::result::Result<bool, End> {
        let script = Script::read(path)?;
        let formed = format(&script)?;
        if *script.text == *formed {
            return Ok(false);
        }
        if self.diff {
            out::print(&difference(&script.name, &script.text, &formed))?;
        } else {
            out::print(&format!("{}\n", script.name))?;
        }
        if !self.only_looks() {
            replace(path, &formed).map_err(|error| {
                Diagnostic::new("flow::file::unwritable", format!("`{}` cannot be written: {error}", path.display()))
                    .help("it is as it was; check the permissions of the file and of its folder")
            })?;
        }
        Ok(true)
    }

    /// The scripts that are meant, each once.
    fn scripts(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for path in &self.paths {
            let path = Path::new(path);
            if path.is_dir() {
                below(path, &mut found)?;
            } else {
                found.push(path.to_owned());
            }
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|path| seen.insert(path.clone()));
        Ok(found)
    }
}

/// All scripts below a folder, in order: not those of hidden folders and of what others have made.
fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Diagnostic::new("flow::file::unreadable", format!("`{}` cannot be read: {error}", folder.display()))
            .help("check its permissions")
    };
    let mut entries: Vec<_> = fs::read_dir(folder).map_err(unreadable)?.filter_map(std::result::Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder == Path::new(".") { PathBuf::from(&name) } else { entry.path() };
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() && !name.starts_with('.') && !matches!(&*name, "target" | "node_modules") {
            below(&path, found)?;
        } else if kind.is_file() && name.ends_with(".rhai") && !name.ends_with(".d.rhai") {
            found.push(path);
        }
    }
    Ok(())
}

/// What would change, as `diff -u` shows it.
fn difference(name: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after).unified_diff().header(name, name).to_string()
}

/// Writes a file anew, so that it is there whole at any moment. A link stays one.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = path.canonicalize()?;
    let part = path.with_extension(format!("rhai.{}", std::process::id()));
    let written = fs::File::create(&part).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::metadata(&path)?.permissions())?;
        fs::rename(&part, &path)
    });
    if written.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&part);
    }
    written
}
