//! The reference: every host function with its meaning and example, read off the functions themselves.

mod definitions;
mod doc;
mod library;
mod markdown;
mod property;
mod topic;

use rhai::Engine;
use serde::Deserialize;

use super::fault::short_type;
use super::keys::{self, Keys};

pub use definitions::definitions;
pub use doc::{Described, Doc, first_sentence};
pub use library::{LibraryFunction, LibraryModule, library};
pub use markdown::{body, options_table};
pub use topic::{Topic, VALUES};

/// Something that can be looked up.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The part of the reference in which it stands.
    pub topic: Topic,
    /// How it is called, one line for each form.
    pub signatures: Vec<String>,
    /// All that is to be said about it, with examples, as Markdown.
    pub text: String,
    /// Its forms, the one that says most first.
    pub forms: Vec<Form>,
    /// The keys of the map that it takes.
    pub keys: Option<&'static Keys>,
}

/// One way to call a function.
#[derive(Clone, Debug)]
pub struct Form {
    /// As it is called.
    pub signature: String,
    /// Its parameters, with what they mean.
    pub parameters: Vec<Described>,
    /// What it gives, in words; empty if that is nothing, or any value.
    pub gives: String,
    /// What its comment says.
    pub doc: Doc,
}

/// Kinds of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A function.
    Function,
    /// A method of a step, of an agent, of a pool, or of a secret.
    Method,
    /// A property of a step's result.
    Property,
    /// An operator.
    Operator,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Function => "function",
            Kind::Method => "method",
            Kind::Property => "property of a step",
            Kind::Operator => "operator",
        }
    }
}

impl Item {
    /// What it is, in a few words.
    pub fn summary(&self) -> String {
        self.forms.first().map(|form| form.doc.summary()).unwrap_or_default()
    }

    /// Codes of the errors that it can lead to.
    pub fn errors(&self) -> Vec<&str> {
        self.of_forms(|doc| &doc.errors)
    }

    /// Names of other items.
    pub fn see(&self) -> Vec<&str> {
        self.of_forms(|doc| &doc.see)
    }

    fn of_forms<'a>(&'a self, of: impl Fn(&'a Doc) -> &'a Vec<String>) -> Vec<&'a str> {
        let mut all: Vec<&str> = Vec::new();
        for word in self.forms.iter().flat_map(|form| of(&form.doc)) {
            if !all.contains(&word.as_str()) {
                all.push(word);
            }
        }
        all
    }
}

/// All items, in the order of kinds and names.
pub fn items() -> &'static [Item] {
    &super::functions::catalogue().items
}

/// All items, and the names of Rhai's own functions.
pub struct Catalogue {
    /// What flow adds.
    pub items: Vec<Item>,
    /// Names of all functions: (name, signature).
    all: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    functions: Vec<Function>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Function {
    pub name: String,
    #[serde(default)]
    pub params: Vec<Parameter>,
    #[serde(default)]
    return_type: String,
    #[serde(default)]
    pub doc_comments: Vec<String>,
}

#[derive(Deserialize)]
pub struct Parameter {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

impl Catalogue {
    /// Reads off engines with flow's functions, one for each topic, and one with all of Rhai's as well.
    pub fn of(flow: &[(Topic, Engine)], whole: &Engine) -> Self {
        let mut items: Vec<Item> = Vec::new();
        let all = functions_of(whole)
            .iter()
            .map(|function| (function.name.clone(), signature(function, is_method(function))))
            .collect();
        for (topic, engine) in flow {
            for function in functions_of(engine) {
                add(&mut items, *topic, &function);
            }
        }
        items.extend(property::properties());
        for item in &mut items {
            fill(&mut item.forms);
            let dot = if item.kind == Kind::Method { "." } else { "" };
            item.keys = keys::of(&format!("{dot}{}", item.name)).filter(|_| item.kind <= Kind::Method);
            item.text = markdown::body(item, &|name| format!("`{name}`"));
        }
        items.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        Catalogue { items, all }
    }

    /// The item of a name.
    pub fn by_name(&self, name: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.name == name)
    }

    /// How a function (or a method) of this name is called.
    pub fn signatures(&self, name: &str, method: bool) -> Vec<String> {
        let wanted = |item: &&Item| item.name == name && (item.kind == Kind::Method) == method;
        // A property is no help where there is a function of its name.
        let is_function = self.items.iter().any(|item| item.name == name && item.kind == Kind::Function);
        let ours: Vec<String> = self
            .items
            .iter()
            .filter(wanted)
            .filter(|item| !is_function || item.kind != Kind::Property)
            .flat_map(|item| item.signatures.iter().map(|s| format!("`{s}`")))
            .collect();
        if !ours.is_empty() {
            return ours;
        }
        let mut found: Vec<String> =
            self.all.iter().filter(|(known, _)| known == name).map(|(_, s)| format!("`{s}`")).collect();
        found.sort();
        found.dedup();
        found.truncate(4);
        found
    }

    /// Names of all functions (or methods) that can be meant.
    pub fn names(&self, method: bool) -> Vec<String> {
        let of_scripts = self.items.iter().filter(|item| item.topic != Topic::Testing);
        let mut names: Vec<String> = match method {
            true => of_scripts.filter(|i| i.kind == Kind::Method).map(|i| i.name.clone()).collect(),
            false => of_scripts.filter(|i| i.kind == Kind::Function).map(|i| i.name.clone()).collect(),
        };
        names.extend(
            self.all.iter().filter(|(name, _)| name.starts_with(char::is_alphabetic)).map(|(name, _)| name.clone()),
        );
        names.sort();
        names.dedup();
        names
    }
}

/// All functions of an engine that scripts can call.
pub fn functions_of(engine: &Engine) -> Vec<Function> {
    let json = engine.gen_fn_metadata_to_json(true).unwrap_or_default();
    let mut functions = serde_json::from_str::<Metadata>(&json).map_or(Vec::new(), |metadata| metadata.functions);
    functions.retain(|function| !function.name.contains('$') && !function.name.starts_with("__"));
    for function in &mut functions {
        if function.name == super::functions::CALL {
            function.name = "call".into();
        }
    }
    // Rhai gives them in the order of its hashes.
    let place = |function: &Function| {
        let kinds: Vec<String> = function.params.iter().map(|p| p.kind.clone().unwrap_or_default()).collect();
        (function.name.clone(), kinds.len(), kinds)
    };
    functions.sort_by_cached_key(place);
    functions
}

fn is_method(function: &Function) -> bool {
    let of = |p: &Parameter| match p.name.as_deref() {
        Some("step" | "flow") => p.kind.as_deref() == Some("Step"),
        Some("double") => p.kind.as_deref().is_some_and(|kind| short_type(kind) == "double"),
        Some("run") => p.kind.as_deref().is_some_and(|kind| short_type(kind) == "run"),
        Some("secret") => p.kind.as_deref().is_some_and(|kind| short_type(kind) == "secret"),
        Some("agent") => p.kind.as_deref().is_some_and(|kind| short_type(kind) == "agent"),
        Some("pool") => p.kind.as_deref().is_some_and(|kind| short_type(kind) == "map"),
        _ => false,
    };
    function.name.starts_with(char::is_alphabetic) && function.params.first().is_some_and(of)
}

pub fn signature(function: &Function, method: bool) -> String {
    let params: Vec<String> = function
        .params
        .iter()
        .skip(usize::from(method))
        .map(|p| {
            let kind = p.kind.as_deref().map_or("any".to_owned(), short_type);
            match p.name.as_deref() {
                // A value of several kinds: which, stands in the text.
                Some(name) if name != "_" && kind == "any" => name.to_owned(),
                Some(name) if name != "_" => format!("{name}: {kind}"),
                _ => kind,
            }
        })
        .collect();
    let result = match gives(function).as_str() {
        "" | "text" => String::new(),
        kind => format!(" -> {kind}"),
    };
    if function.name == "->" || function.name == "|>" {
        return format!("a {} b", function.name);
    }
    let dot = match function.params.first().and_then(|first| first.name.as_deref()) {
        Some("secret") if method => "secret.",
        Some("agent") if method => "agent.",
        Some("pool") if method => "pool.",
        Some("double") if method => "double.",
        Some("run") if method => "run.",
        _ if method => "step.",
        _ => "",
    };
    format!("{dot}{}({}){result}", function.name, params.join(", "))
}

pub fn text_of(comments: &[String]) -> String {
    let mut text = String::new();
    for line in comments.iter().flat_map(|comment| comment.lines()) {
        let line = line.trim_start().strip_prefix("///").unwrap_or(line);
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
    }
    text.trim().to_owned()
}

/// Adds a function to its item.
fn add(items: &mut Vec<Item>, topic: Topic, function: &Function) {
    let operator = !function.name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let method = is_method(function);
    let kind = match (operator, method) {
        (true, _) => Kind::Operator,
        (_, true) => Kind::Method,
        _ => Kind::Function,
    };
    let topic = match (kind, function.name.as_str()) {
        (Kind::Operator, _) => Topic::Operators,
        (_, "quote") => Topic::Values,
        (Kind::Function, "command") => Topic::Combinators,
        _ => topic,
    };
    let doc = Doc::of(&text_of(&function.doc_comments));
    let form = Form {
        signature: signature(function, method),
        parameters: described(function, method, &doc),
        gives: gives(function),
        doc,
    };
    match items.iter_mut().find(|item| item.name == function.name && item.kind == kind) {
        // An operator has one form, whatever stands beside it; one of its functions is explained.
        Some(item) if kind == Kind::Operator => {
            if item.forms.iter().all(|form| form.doc.meaning.is_empty()) {
                item.forms = vec![form];
            }
        }
        Some(item) => {
            // The form that says most comes first.
            let first = length(&form.doc) > item.forms.first().map_or(0, |first| length(&first.doc));
            let at = if first { 0 } else { item.forms.len() };
            item.signatures.insert(at, form.signature.clone());
            item.forms.insert(at, form);
        }
        None => items.push(Item {
            name: function.name.clone(),
            kind,
            topic,
            signatures: vec![form.signature.clone()],
            text: String::new(),
            forms: vec![form],
            keys: None,
        }),
    }
}

fn length(doc: &Doc) -> usize {
    doc.meaning.len() + doc.examples.iter().map(|(_, code)| code.len()).sum::<usize>()
}

/// The parameters of a function: what its comment says of them, else what they always mean.
fn described(function: &Function, method: bool, doc: &Doc) -> Vec<Described> {
    let parameters = function.params.iter().skip(usize::from(method));
    let describe = |parameter: &Parameter| {
        let name = parameter.name.clone().filter(|name| name != "_")?;
        let said = doc.parameters.iter().find(|described| described.name == name);
        let meaning =
            said.map(|said| said.meaning.clone()).or_else(|| usual(&name).filter(|_| !method)).unwrap_or_default();
        let typed = parameter.kind.as_deref().map_or("any".to_owned(), short_type);
        let policy = || keys::of_policy(&function.name).filter(|_| method).map(|key| key.kind.name());
        let kind = match said.map_or("", |said| said.kind.as_str()) {
            "" if typed != "any" => typed,
            "" => policy().unwrap_or(typed),
            kind => kind.to_owned(),
        };
        Some(Described { name, kind, meaning })
    };
    parameters.filter_map(describe).collect()
}

/// What one form says of a parameter holds for the others, too.
fn fill(forms: &mut [Form]) {
    let said: Vec<Described> = forms.iter().flat_map(|form| form.doc.parameters.clone()).collect();
    for parameter in forms.iter_mut().flat_map(|form| &mut form.parameters) {
        let Some(said) = said.iter().find(|said| said.name == parameter.name) else { continue };
        if parameter.meaning.is_empty() {
            parameter.meaning.clone_from(&said.meaning);
            if !said.kind.is_empty() {
                parameter.kind.clone_from(&said.kind);
            }
        }
    }
}

/// What parameters of these names mean everywhere.
fn usual(name: &str) -> Option<String> {
    let meaning = match name {
        "name" => "the step's name: letters, digits, `-`, `_` and `.`; no other step beside it has the same",
        "options" => "what else is to be said: see the table below",
        _ => return None,
    };
    Some(meaning.to_owned())
}

/// What a function gives, in words.
fn gives(function: &Function) -> String {
    match function.return_type.as_str() {
        kind if kind.contains("PlayedStep") => "step of a run".into(),
        kind if kind.contains("Played") => "run".into(),
        kind if kind.contains("Given") => "double".into(),
        kind if kind.contains("Step") => "step".into(),
        kind if kind.contains("End") => "source or sink".into(),
        kind if kind.contains("SecretRef") => "secret".into(),
        kind if kind.contains("Agent") => "agent".into(),
        kind if kind.contains("ImmutableString") => "text".into(),
        _ => String::new(),
    }
}
