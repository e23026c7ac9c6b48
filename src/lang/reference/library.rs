//! The standard library, read off its sources: modules, and functions with their comments.

use std::sync::OnceLock;

use super::{Doc, markdown};
use crate::lang::library::NAMELESS;
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
    /// As it is called, one for each form: `text::slug(text)`.
    pub signatures: Vec<String>,
    /// What the comments of its forms say.
    pub docs: Vec<Doc>,
}

impl LibraryFunction {
    /// What is to be said about it, below its signatures. `link` writes the name of a code or of another item.
    pub fn markdown(&self, link: &dyn Fn(&str) -> String) -> String {
        let mut text = String::new();
        for (signature, doc) in self.signatures.iter().zip(&self.docs).filter(|(_, doc)| !doc.meaning.is_empty()) {
            if !text.is_empty() {
                text.push_str(&format!("\n\n**`{signature}`**: "));
            }
            text.push_str(&markdown::of_doc(doc, link));
        }
        text
    }

    /// What it is, in a few words.
    pub fn summary(&self) -> String {
        self.docs.first().map(Doc::summary).unwrap_or_default()
    }
}

impl LibraryModule {
    /// The name that scripts usually give it: `text`.
    pub fn alias(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// The statement that imports it.
    pub fn import(&self) -> String {
        match self.name == NAMELESS {
            true => format!("import \"{}\";", self.name),
            false => format!("import \"{}\" as {};", self.name, self.alias()),
        }
    }

    /// What stands before the names of its functions.
    fn prefix(&self) -> String {
        if self.name == NAMELESS { String::new() } else { format!("{}::", self.alias()) }
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
            let signature = format!("{}{name}({})", module.prefix(), parameters.join(", "));
            match module.functions.iter_mut().find(|known| known.name == name) {
                Some(known) => {
                    known.signatures.push(signature);
                    known.docs.push(doc);
                }
                None => {
                    module.functions.push(LibraryFunction { name, signatures: vec![signature], docs: vec![doc] });
                }
            }
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
            "// About x.\n//\n// More.\n\n/// Gives a.\n///\n/// ```rhai\n/// x::a(1, 2);\n/// ```\nfn a(b, c) {\n}\n\n/// Inside.\nprivate fn d() {}\nfn e() { 1 }\n/// More of a.\nfn a(b) {}\n",
        );
        assert_eq!(module.doc.meaning, "About x.\n\nMore.");
        let found: Vec<_> = module.functions.iter().map(|f| (f.signatures.join(" "), f.summary())).collect();
        assert_eq!(found, [("x::a(b, c) x::a(b)".into(), "Gives a".into()), ("x::e()".to_owned(), String::new())]);
        assert_eq!(module.functions[0].docs[0].examples[0].1, "x::a(1, 2);\n");
        assert!(module.functions[0].markdown(&|_| String::new()).ends_with("**`x::a(b)`**: More of a."));
    }
}
