//! A new project: a folder with a script, a test of it, settings, and what a CI service needs.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::templates::Template;
use crate::diag::{Diagnostic, Result};

const SETTINGS: &str = include_str!("../../scripts/project/flow.toml");
const SCRIPT: &str = include_str!("../../scripts/project/hello.rhai");
const TEST: &str = include_str!("../../scripts/project/hello_test.rhai");
const ACTIONS: &str = include_str!("../../scripts/project/actions.yml");
const IGNORED: &str = include_str!("../../scripts/project/gitignore");

/// Longest name of a project, in bytes.
const LONGEST: usize = 100;

/// A project to be made.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// Its name: that of the script, without `.rhai`.
    pub name: String,
    template: Option<Template>,
}

impl Project {
    /// A project in a folder, which need not exist; it has the folder's name. Nothing is written yet.
    ///
    /// # Errors
    /// `flow::project::name` if it cannot be the name of a script.
    pub fn new(folder: &Path, template: Option<Template>) -> Result<Project> {
        let folder = folder.to_owned();
        // `.` and `..` have names as well.
        let named = if folder.file_name().is_none() { folder.canonicalize().ok() } else { None };
        let name = named.as_deref().unwrap_or(&folder).file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        match wrong_with(&name) {
            None => Ok(Project { folder, name, template }),
            Some(why) => Err(Diagnostic::new(
                "flow::project::name",
                format!("`{name}` cannot be the name of a project: {why}"),
            )
            .help(
                "use letters, digits, `-`, `_` and `.`, beginning with a letter or a digit: `flow new nightly-report`",
            )),
        }
    }

    /// The name of its script.
    pub fn script(&self) -> String {
        format!("{}.rhai", self.name)
    }

    /// Its files with their contents, the script first.
    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let script = self.script();
        let test_file = format!("{}_test.rhai", self.name);
        let named = |text: &str| text.replace("hello.rhai", &script).replace("hello_test.rhai", &test_file);
        let (text, test) = match &self.template {
            Some(template) => (template.script_for(&script), template.test_for(&script)),
            None => (named(SCRIPT), Some(named(TEST))),
        };
        let mut files = vec![(PathBuf::from(&script), text)];
        files.extend(test.map(|test| (PathBuf::from(&test_file), test)));
        for (name, text) in [("flow.toml", SETTINGS), (".github/workflows/flow.yml", ACTIONS), (".gitignore", IGNORED)]
        {
            files.push((name.into(), named(text)));
        }
        let mut files: Vec<_> = files.into_iter().map(|(path, text)| (path, text.into_bytes())).collect();
        for (path, bytes) in self.template.map(|template| template.sample()).unwrap_or_default() {
            match files.iter_mut().find(|(known, _)| *known == path) {
                // What a template leaves behind is ignored as well.
                Some((_, text)) => text.extend(bytes),
                None => files.push((path, bytes.to_vec())),
            }
        }
        files
    }

    /// Makes the folder and writes its files; gives their paths in it.
    ///
    /// # Errors
    /// `flow::project::not_empty` if the folder holds anything; `flow::file::unwritable`.
    pub fn create(&self) -> Result<Vec<PathBuf>> {
        let folder = &self.folder;
        let taken = |what: String| {
            Diagnostic::new("flow::project::not_empty", what).help(
                "give another name; or `flow template use NAME` writes a single script into a folder that you have",
            )
        };
        match std::fs::read_dir(folder) {
            Ok(entries) => {
                let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
                if let Some(first) = names.min() {
                    return Err(taken(format!("the folder `{}` is not empty: it holds `{first}`", folder.display())));
                }
            }
            Err(_) if folder.symlink_metadata().is_ok() => {
                return Err(taken(format!("`{}` is there already, and no folder that can be read", folder.display())));
            }
            Err(_) => {}
        }
        let mut written = Vec::new();
        for (path, bytes) in self.files() {
            write(&folder.join(&path), &bytes, false)?;
            written.push(path);
        }
        Ok(written)
    }
}

/// Why something cannot be the name of a project, if it cannot.
fn wrong_with(name: &str) -> Option<String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if let Some(letter) = name.chars().find(|c| !fits(*c)) {
        return Some(format!("it holds {letter:?}"));
    }
    if !name.starts_with(char::is_alphanumeric) {
        return Some(format!("it begins with `{}`", &name[..1]));
    }
    if name.ends_with(".rhai") || name.ends_with("_test") || name.ends_with('.') {
        return Some(
            "the script is called like it, with `.rhai` at the end, and its test with `_test.rhai`".to_owned(),
        );
    }
    (name.len() > LONGEST).then(|| format!("it is longer than {LONGEST} bytes"))
}

/// Writes a file, and the folders it is in; over one that is there only if `over` says so.
///
/// # Errors
/// `flow::file::exists`; `flow::file::unwritable`.
pub fn write(path: &Path, bytes: &[u8], over: bool) -> Result<()> {
    let unwritable = |error: std::io::Error| {
        Diagnostic::new("flow::file::unwritable", format!("`{}` cannot be written: {error}", path.display()))
            .help("does its folder exist, may you write there, and is there room on the disk?")
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(unwritable)?;
    }
    let mut options = std::fs::OpenOptions::new();
    // What says how it is run can be run.
    let mode = if bytes.starts_with(b"#!") { 0o777 } else { 0o666 };
    let options = options.write(true).create(over).truncate(over).create_new(!over).mode(mode);
    let file = options.open(path);
    let mut file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Diagnostic::new("flow::file::exists", format!("`{}` is there already", path.display()))
                .help("give another name, or move it away")
        }
        _ => unwritable(error),
    })?;
    file.write_all(bytes).map_err(unwritable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_scripts() {
        for good in ["deploy", "nightly-report", "a_b.c", "7days", "übung"] {
            assert_eq!(wrong_with(good), None, "{good}");
        }
        for (bad, why) in [
            ("", "empty"),
            ("a b", "' '"),
            ("a/b", "'/'"),
            ("-x", "begins with `-`"),
            (".hidden", "begins with `.`"),
            ("a\nb", "'\\n'"),
            ("a.rhai", "`.rhai`"),
            ("a_test", "`_test.rhai`"),
            (&"x".repeat(101), "longer"),
        ] {
            assert!(wrong_with(bad).is_some_and(|text| text.contains(why)), "{bad}: {:?}", wrong_with(bad));
        }
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("report");
        let project = Project::new(&place, None).expect("a name");
        let written = project.create().expect("it can be written");
        assert_eq!(written.len(), 5);
        let problem = project.create().expect_err("it is there now");
        assert_eq!(problem.code(), "flow::project::not_empty");
        std::fs::write(folder.path().join("file"), "").expect("a file");
        let problem = Project::new(&folder.path().join("file"), None).expect("a name").create().expect_err("a file");
        assert_eq!(problem.code(), "flow::project::not_empty");
    }
}
