//! The reference: every host function with its meaning and example, read off the functions themselves.

use rhai::Engine;
use serde::Deserialize;

use super::fault::short_type;
use crate::state::result::PROPERTIES;

/// Something that can be looked up.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// How it is called, one line for each form.
    pub signatures: Vec<String>,
    /// What it means, with examples, as Markdown.
    pub text: String,
}

/// Kinds of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A function.
    Function,
    /// A method of a step, or of a secret.
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
    doc_comments: Vec<String>,
}

#[derive(Deserialize)]
pub struct Parameter {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
}

impl Catalogue {
    /// Reads off an engine with flow's functions alone, and one with Rhai's as well.
    pub fn of(flow: &Engine, whole: &Engine) -> Self {
        let mut items: Vec<Item> = Vec::new();
        let all = functions_of(whole)
            .iter()
            .map(|function| (function.name.clone(), signature(function, is_method(function))))
            .collect();
        for function in functions_of(flow) {
            let operator = !function.name.starts_with(|c: char| c.is_alphabetic() || c == '_');
            let method = is_method(&function);
            let signature = signature(&function, method);
            let kind = match (operator, method) {
                (true, _) => Kind::Operator,
                (_, true) => Kind::Method,
                _ => Kind::Function,
            };
            let text = text_of(&function.doc_comments);
            match items.iter_mut().find(|item| item.name == function.name && item.kind == kind) {
                // An operator has one form, whatever stands beside it; one of its functions is explained.
                Some(item) if kind == Kind::Operator => item.text.push_str(&text),
                Some(item) => {
                    // The form that says most comes first.
                    if text.len() > item.text.len() {
                        item.signatures.insert(0, signature);
                        item.text = [text, std::mem::take(&mut item.text)].join("\n\n").trim_end().to_owned();
                    } else {
                        item.signatures.push(signature);
                        item.text = [std::mem::take(&mut item.text), text].join("\n\n").trim_end().to_owned();
                    }
                }
                None => items.push(Item { name: function.name, kind, signatures: vec![signature], text }),
            }
        }
        for (name, meaning) in PROPERTIES {
            items.push(Item {
                name: name.into(),
                kind: Kind::Property,
                signatures: vec![format!("step.{name}")],
                text: format!(
                    "{}{}{}",
                    meaning[..1].to_uppercase(),
                    &meaning[1..],
                    if meaning.ends_with('?') { "" } else { "." }
                ),
            });
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
        let ours: Vec<String> = self
            .items
            .iter()
            .filter(wanted)
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
        let mut names: Vec<String> = match method {
            true => self.items.iter().filter(|i| i.kind == Kind::Method).map(|i| i.name.clone()).collect(),
            false => self.items.iter().filter(|i| i.kind == Kind::Function).map(|i| i.name.clone()).collect(),
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
        Some("secret") => p.kind.as_deref().is_some_and(|kind| short_type(kind) == "secret"),
        _ => false,
    };
    function.name.starts_with(char::is_alphabetic) && function.params.first().is_some_and(of)
}

fn signature(function: &Function, method: bool) -> String {
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
    let result = match function.return_type.as_str() {
        "" | "()" => String::new(),
        kind if kind.contains("Step") => " -> step".into(),
        kind if kind.contains("SecretRef") => " -> secret".into(),
        _ => String::new(),
    };
    if function.name == "->" || function.name == "|>" {
        return format!("a {} b", function.name);
    }
    let dot = match function.params.first().and_then(|first| first.name.as_deref()) {
        Some("secret") if method => "secret.",
        _ if method => "step.",
        _ => "",
    };
    format!("{dot}{}({}){result}", function.name, params.join(", "))
}

fn text_of(comments: &[String]) -> String {
    let mut text = String::new();
    for line in comments.iter().flat_map(|comment| comment.lines()) {
        let line = line.trim_start().strip_prefix("///").unwrap_or(line);
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
    }
    text.trim().to_owned()
}
