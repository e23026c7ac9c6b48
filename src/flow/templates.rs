//! The templates: ready workflows inside the binary, to be copied and owned. They stand in `scripts/templates/`: `NAME.rhai`, a
//! test of it (`NAME_test.rhai`), and a small project that it can be tried on (`samples/NAME/`).

use std::path::PathBuf;

use include_dir::{Dir, DirEntry, include_dir};

use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::lang::{Program, Script};
use crate::plan::Param;

static TEMPLATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/scripts/templates");

/// A workflow to begin with.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// Its name.
    pub name: &'static str,
    /// The script.
    pub text: &'static str,
}

/// All templates, by name.
pub fn templates() -> Vec<Template> {
    let mut all: Vec<_> = TEMPLATES
        .files()
        .filter_map(|file| {
            let name = file.path().to_str()?.strip_suffix(".rhai")?;
            let text = file.contents_utf8()?;
            (!name.ends_with("_test")).then_some(Template { name, text })
        })
        .collect();
    all.sort_by_key(|template| template.name);
    all
}

/// The template of a name.
///
/// # Errors
/// `flow::template::unknown`, with the nearest name.
pub fn template(name: &str) -> Result<Template> {
    let all = templates();
    if let Some(found) = all.iter().find(|template| template.name == name.trim_end_matches(".rhai")) {
        return Ok(*found);
    }
    let problem = Diagnostic::new("flow::template::unknown", format!("there is no template `{name}`"));
    let near = did_you_mean(name, all.iter().map(|template| template.name));
    Err(problem.help(near.unwrap_or_else(|| "`flow template list` shows all of them".to_owned())))
}

impl Template {
    /// What it is for, in a sentence: the first of its comment, without the full stop.
    pub fn summary(&self) -> String {
        let lines = self.text.lines().skip_while(|line| line.starts_with("#!"));
        let comment = lines.map_while(|line| line.strip_prefix("//").map(str::trim));
        let paragraph: Vec<_> = comment.take_while(|line| !line.is_empty()).collect();
        let paragraph = paragraph.join(" ");
        paragraph.split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
    }

    /// Its parameters, in the order in which it declares them.
    ///
    /// # Errors
    /// What is wrong in its text.
    pub fn parameters(&self) -> Result<Vec<Param>> {
        let script = Script::from_text(format!("{}.rhai", self.name), self.text);
        Ok(Program::compile(&script)?.parameters(&[]))
    }

    /// The script for a file of this name: its comment shows how it is called.
    pub fn script_for(&self, file: &str) -> String {
        self.text.replace(&format!("{}.rhai", self.name), file)
    }

    /// Its test, for a script in a file of this name.
    pub fn test_for(&self, file: &str) -> Option<String> {
        let test = TEMPLATES.get_file(format!("{}_test.rhai", self.name))?.contents_utf8()?;
        Some(test.replace(&format!("{}.rhai", self.name), file))
    }

    /// A small project on which it can be tried: files with their contents. (A manifest is called `Cargo.toml.sample` among
    /// the sources, where it would be one of them.)
    pub fn sample(&self) -> Vec<(PathBuf, &'static [u8])> {
        let root = format!("samples/{}", self.name);
        let mut files = Vec::new();
        let mut folders: Vec<_> = TEMPLATES.get_dir(&root).into_iter().collect();
        while let Some(folder) = folders.pop() {
            for entry in folder.entries() {
                match entry {
                    DirEntry::Dir(inner) => folders.push(inner),
                    DirEntry::File(file) => {
                        let path = file.path().strip_prefix(&root).unwrap_or(file.path());
                        let name = path.file_name().unwrap_or_default().to_string_lossy();
                        let path = path.with_file_name(name.trim_end_matches(".sample"));
                        files.push((path, file.contents()));
                    }
                }
            }
        }
        files.sort();
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_tells_what_it_is_for() {
        let template = |text| Template { name: "a", text };
        assert_eq!(template("// One thing, done\n// well. More.\n//\n// Other.\n").summary(), "One thing, done well");
        assert_eq!(template("#!/bin/flow\n// One thing.\nlet a = 1;\n").summary(), "One thing");
        assert_eq!(template("").summary(), "");
    }

    #[test]
    fn each_has_a_comment_parameters_and_a_test() {
        let all = templates();
        assert!(!all.is_empty());
        for template in all {
            let name = template.name;
            assert!((20..=110).contains(&template.summary().len()), "{name}: {}", template.summary());
            for section in ["//\n// Needs ", "//\n// To adapt it"] {
                assert!(
                    template.text.contains(section),
                    "{name}: its comment has no paragraph that begins `{section}`"
                );
            }
            assert!(template.text.contains(&format!("flow script {name}.rhai")), "{name}: how is it called?");
            let parameters = template.parameters().expect("it compiles");
            assert!(!parameters.is_empty(), "{name}");
            for parameter in parameters {
                assert!(!parameter.help.is_empty(), "{name}: {} has no help", parameter.name);
            }
            assert!(template.test_for("x.rhai").is_some_and(|test| test.contains("\"x.rhai\"")), "{name}: no test");
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
        let help = |name| template(name).expect_err("there is none").help_text().unwrap_or_default().to_owned();
        assert_eq!(help("blue-gren"), "did you mean `blue-green`?");
        assert_eq!(help("x"), "`flow template list` shows all of them");
        assert_eq!(template("backup.rhai").expect("there is one").name, "backup");
    }
}
