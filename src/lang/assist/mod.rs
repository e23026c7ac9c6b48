//! What helps while a script is written: completion, documentation, signatures, definitions, symbols, colours.
//!
//! All of it is read off the text, which may be broken anywhere, off the catalogue of functions and off the keys of
//! option maps. Nothing is evaluated. Offsets are in bytes. A [`Document`] is read once and asked as often as one likes.

mod builtin;
mod chain;
mod colours;
mod complete;
mod definition;
mod document;
mod hover;
mod members;
mod named;
mod outline;
mod place;
mod references;
mod rename;
mod roles;
mod shared;
mod signature;
mod strings;
mod symbols;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

pub use builtin::{Builtin, functions, standard};
pub use document::{Document, Link};
pub use shared::Shared;

/// What is known beyond the text itself. [`Known::NOTHING`] where there is nothing.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Names of steps that the text need not declare.
    pub steps: &'a [String],
    /// Names of variables and functions that the text need not declare, with what they hold.
    pub names: &'a [(String, Shape)],
    /// What there is in the folder that a beginning of a path names, as it would be written: `parts/checks.rhai`,
    /// `parts/deep/`.
    pub files: &'a dyn Fn(&str) -> Vec<String>,
    /// What the value of `x`, `x.output` or `x.output.items[0]` is, where that is known.
    pub values: &'a dyn Fn(&str) -> Option<Shape>,
    /// The text of a module or a script by its path, as an `import` in this text names it.
    pub module: &'a dyn Fn(&str) -> Option<Arc<str>>,
}

impl Known<'static> {
    /// Nothing is known but the text and the standard library.
    pub const NOTHING: Known<'static> =
        Known { steps: &[], names: &[], files: &|_| Vec::new(), values: &|_| None, module: &|_| None };
}

/// What a value is, roughly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Its kind.
    pub sort: Sort,
    /// The keys of a map (or of a step's output), with a word about what is there.
    pub keys: Vec<(String, String)>,
}

impl Shape {
    /// A value without keys.
    pub fn of(sort: Sort) -> Self {
        Shape { sort, keys: Vec::new() }
    }
}

/// Kinds of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// A step, or several in a row.
    Step,
    /// A pipeline, which is a step.
    Pipeline,
    /// A secret.
    Secret,
    /// An agent.
    Agent,
    /// A run under test.
    Run,
    /// A step of a run under test.
    RunStep,
    /// What stands in for a step in tests.
    Double,
    /// A text.
    Text,
    /// A list.
    Array,
    /// A map.
    Map,
    /// A closure.
    Closure,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// A result of a step, or a part of one.
    Result,
    /// What cannot be told from the text.
    #[default]
    Unknown,
}

impl Sort {
    /// What a function gives, by the end of its signature.
    fn given_by(signature: &str) -> Option<Sort> {
        let (_, gives) = signature.rsplit_once(" -> ")?;
        [Sort::Step, Sort::Secret, Sort::Agent, Sort::Run, Sort::RunStep, Sort::Double, Sort::Text]
            .into_iter()
            .find(|sort| sort.name() == gives)
    }

    /// Is it a step, of whatever kind?
    pub fn is_step(self) -> bool {
        matches!(self, Sort::Step | Sort::Pipeline)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Step => "step",
            Sort::Pipeline => "pipeline",
            Sort::Secret => "secret",
            Sort::Agent => "agent",
            Sort::Run => "run",
            Sort::RunStep => "step of a run",
            Sort::Double => "double",
            Sort::Text => "text",
            Sort::Array => "array",
            Sort::Map => "map",
            Sort::Closure => "closure",
            Sort::Number => "number",
            Sort::Bool => "true or false",
            Sort::Result => "result of a step",
            Sort::Unknown => "value",
        }
    }
}

/// What could stand at a place.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// Where the word begins that a candidate replaces; it ends at the place itself.
    pub start: usize,
    /// The candidates, those that fit best first. All begin with what is written, whatever its case.
    pub candidates: Vec<Candidate>,
}

/// Something that could stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What is written.
    pub text: String,
    /// What is shown in a list.
    pub label: String,
    /// What it is.
    pub kind: CandidateKind,
    /// More of it in a line: a signature, what a key takes.
    pub detail: String,
    /// What it means, as Markdown.
    pub docs: Cow<'static, str>,
}

/// Kinds of candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    /// A function.
    Function,
    /// A method.
    Method,
    /// A property of a step or a key of a value.
    Property,
    /// A key of an option map.
    Key,
    /// A word that an option takes.
    Word,
    /// The name of a step.
    Step,
    /// A variable.
    Variable,
    /// A word of the language.
    Keyword,
    /// A module, or the name that one was given.
    Module,
    /// A file or a folder.
    File,
}

/// What is known of something in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// Markdown.
    pub text: String,
    /// What it is about.
    pub range: Range<usize>,
}

/// The forms of the call that the place is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// The forms; there is at least one.
    pub forms: Vec<Form>,
    /// The form that fits what is written so far.
    pub active: usize,
    /// The argument that the place is in, from 0.
    pub argument: usize,
}

/// A form of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// `sh(name: text, script) -> step`
    pub label: String,
    /// Where in the label each parameter stands.
    pub parameters: Vec<Range<usize>>,
    /// What it means, as Markdown.
    pub docs: Cow<'static, str>,
}

/// Where something is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The module or script, as the text names it; nothing for this text.
    pub module: Option<String>,
    /// All of it.
    pub range: Range<usize>,
    /// Its name.
    pub name: Range<usize>,
}

/// Something that a text declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// What it is, in a word: `sh`, `chain`.
    pub detail: String,
    /// What it is.
    pub kind: SymbolKind,
    /// All of it.
    pub range: Range<usize>,
    /// Its name.
    pub name_range: Range<usize>,
    /// What is declared within it.
    pub children: Vec<Symbol>,
}

/// Kinds of symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// A step.
    Step,
    /// A function.
    Function,
    /// A parameter of the workflow.
    Parameter,
    /// A module that is imported.
    Module,
}

/// What a piece of text is, for its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// A comment.
    Comment,
    /// A literal text.
    Text,
    /// A number.
    Number,
    /// A word of the language.
    Keyword,
    /// The name of a function or a method.
    Function,
    /// A step, or a reference to one.
    Step,
    /// An operator.
    Operator,
}

/// Words of the language, with a line about each.
pub const KEYWORDS: [(&str, &str); 29] = [
    ("let", "declares a variable: `let x = …;`"),
    ("const", "declares a variable that does not change"),
    ("if", "`if condition { … } else { … }`; it has a value"),
    ("else", "what is done if the condition of `if` is false"),
    ("switch", "`switch value { 1 => …, _ => … }`; it has a value"),
    ("for", "`for item in items { … }`"),
    ("in", "`for item in items`; also `\"key\" in map`"),
    ("while", "`while condition { … }`"),
    ("loop", "`loop { … break; }`"),
    ("do", "`do { … } while condition;`"),
    ("until", "`do { … } until condition;`"),
    ("break", "ends a loop"),
    ("continue", "goes on with the next turn of a loop"),
    ("return", "ends a function with a value"),
    ("fn", "declares a function: `fn name(a, b) { … }`; it sees its parameters only"),
    ("private", "a function that other files cannot call"),
    ("import", "`import \"std/checks\" as checks;`"),
    ("export", "gives a variable of a module to others"),
    ("as", "names an import"),
    ("throw", "ends the evaluation with an error"),
    ("try", "`try { … } catch (error) { … }`"),
    ("catch", "what is done about an error in `try`"),
    ("true", "true"),
    ("false", "false"),
    ("this", "the value that a method is called on"),
    ("global", "constants of the script, in functions: `global::NAME`"),
    ("is_def_fn", "is there such a function?"),
    ("is_def_var", "is there such a variable?"),
    ("is_shared", "is the value shared?"),
];

/// Is this a word of the language, which cannot be a name?
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS[..26].iter().any(|(keyword, _)| *keyword == word)
}
