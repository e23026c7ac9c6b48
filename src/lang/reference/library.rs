//! The standard library, read off its sources: modules, and functions with their comments.

use std::sync::OnceLock;

use super::{Doc, markdown};
use crate::lang::modules;

/// A module of the standard library.
#[derive(Clone, Debug)]
pub struct LibraryModule {
    /// As it is imported: `std/text`.
    pub name: String,
    /// What it is about, from the comment that it begins with.
    pub doc: Doc,
    /// Its functions, in the order of the source.
    pub functions: Vec<LibraryFunction>,
}

/// A function of the standard library.
#[derive(Clone, Debug)]
pub struct LibraryFunction {
    /// Its name.
    pub name: String,
    /// Names of its parameters.
    pub parameters: Vec<String>,
    /// As it is called: `text::slug(text)`.
    pub signature: String,
    /// What its comment says.
    pub doc: Doc,
}

impl LibraryFunction {
    /// What is to be said about it, below its signature. `link` writes the name of a code or of another item.
    pub fn markdown(&self, link: &dyn Fn(&str) -> String) -> String {
        markdown::of_doc(&self.doc, link)
    }
}

impl LibraryModule {
    /// The name that scripts usually give it: `text`.
    pub fn alias(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

/// All modules of the standard library, in the order of their names.
pub fn library() -> &'static [LibraryModule] {
    static LIBRARY: OnceLock<Vec<LibraryModule>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let mut names = modules::standard_names();
        names.sort();
        names.iter().filter_map(|name| Some(read(name, modules::standard(name)?))).collect()
    })
}

/// Reads a module's source.
fn read(name: &str, source: &str) -> LibraryModule {
    let alias = name.rsplit('/').next().unwrap_or(name);
    let mut module = LibraryModule { name: name.to_owned(), doc: Doc::default(), functions: Vec::new() };
    let head: Vec<&str> = source.lines().take_while(|line| line.starts_with("//") && !is_doc(line)).collect();
    let head = head.iter().map(|line| comment(line.trim_start_matches('/').trim_start_matches('!')));
    module.doc = Doc::of(&head.collect::<Vec<_>>().join("\n"));
    let mut comments: Vec<&str> = Vec::new();
    for line in source.lines() {
        if is_doc(line) {
            comments.push(comment(line.strip_prefix("///").unwrap_or(line)));
            continue;
        }
        if let Some((name, parameters)) = function(line) {
            let doc = Doc::of(&comments.join("\n"));
            let signature = format!("{alias}::{name}({})", parameters.join(", "));
            module.functions.push(LibraryFunction { name, parameters, signature, doc });
        }
        comments.clear();
    }
    module
}

fn is_doc(line: &str) -> bool {
    line.starts_with("///")
}

fn comment(line: &str) -> &str {
    line.strip_prefix(' ').unwrap_or(line)
}

/// The function that begins on a line, if it is one that others can call.
fn function(line: &str) -> Option<(String, Vec<String>)> {
    let (name, rest) = line.strip_prefix("fn ")?.split_once('(')?;
    let (parameters, _) = rest.split_once(')')?;
    let parameters = parameters.split(',').map(str::trim).filter(|word| !word.is_empty());
    Some((name.trim().to_owned(), parameters.map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_read() {
        let module = read(
            "std/x",
            "// About x.\n//\n// More.\n\n/// Gives a.\n///\n/// ```rhai\n/// x::a(1, 2);\n/// ```\nfn a(b, c) {\n}\n\n/// Inside.\nprivate fn d() {}\nfn e() { 1 }\n",
        );
        assert_eq!(module.doc.meaning, "About x.\n\nMore.");
        let found: Vec<_> = module.functions.iter().map(|f| (f.signature.as_str(), f.doc.meaning.as_str())).collect();
        assert_eq!(found, [("x::a(b, c)", "Gives a."), ("x::e()", "")]);
        assert_eq!(module.functions[0].doc.examples[0].1, "x::a(1, 2);\n");
    }
}
