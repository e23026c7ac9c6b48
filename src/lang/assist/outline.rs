//! What a text declares: variables, functions, imports, steps, parameters.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::OnceLock;

use super::document::Document;
use super::is_keyword;
use crate::diag::tokens::Kind;
use crate::lang::reference::{self, items};

/// See the module's page. Everything in the order of the text; numbers are those of tokens.
#[derive(Debug, Default)]
pub struct Outline {
    pub variables: Vec<Variable>,
    pub functions: Vec<Function>,
    pub imports: Vec<Import>,
    pub steps: Vec<Step>,
    /// Texts that name parameters of the workflow.
    pub parameters: Vec<Step>,
    /// Keys `name` of maps, with the text behind each: steps of a chain as data.
    pub named: Vec<usize>,
    /// Which step has a name: the first one.
    by_name: HashMap<String, usize>,
    /// Functions of the script that declare a step which is called what their first argument says.
    makers: HashSet<String>,
}

/// A name that stands for a value.
#[derive(Debug)]
pub struct Variable {
    pub name: usize,
    /// Where the value begins that it is given at first.
    pub value: Option<usize>,
    /// The bytes in which it is known.
    pub scope: Range<usize>,
    /// What declares it: `let`, `const`, `for`, `|`, `fn`, `catch`.
    pub by: &'static str,
}

/// A function of the script.
#[derive(Debug)]
pub struct Function {
    pub name: usize,
    pub parameters: Vec<usize>,
    /// The token that it begins with.
    pub begin: usize,
    /// The brackets of its body.
    pub body: Option<(usize, usize)>,
}

/// `import "path" as alias`
#[derive(Debug)]
pub struct Import {
    pub path: usize,
    pub alias: Option<usize>,
}

/// A call that declares something, by the literal text that is its first argument.
#[derive(Debug)]
pub struct Step {
    /// The text with its name.
    pub text: usize,
    /// The name of the function that is called.
    pub call: usize,
    /// The bracket behind it.
    pub open: usize,
}

/// Functions that declare a step with the name that is their first argument.
pub fn constructors() -> &'static HashSet<&'static str> {
    static CONSTRUCTORS: OnceLock<HashSet<&'static str>> = OnceLock::new();
    CONSTRUCTORS.get_or_init(|| {
        let functions = items().iter().filter(|item| item.kind == reference::Kind::Function);
        let constructs = |signature: &String| signature.contains("(name: text") && signature.ends_with("-> step");
        functions.filter(|item| item.signatures.iter().any(constructs)).map(|item| item.name.as_str()).collect()
    })
}

impl Outline {
    pub fn of(document: &Document) -> Outline {
        let mut outline = Outline::default();
        let mut calls = Vec::new();
        for at in 0..document.tokens.len() {
            match document.kind(at) {
                Some(Kind::Word) => outline.word(document, at, &mut calls),
                Some(Kind::Sign) if document.at(at).starts_with('|') => outline.closure(document, at),
                _ => {}
            }
        }
        // A function may call one that is declared later.
        for _ in 0..2 {
            for (call, open) in &calls {
                let Some(argument) = document.name(open + 1) else { continue };
                let name = document.at(*call);
                if !constructors().contains(name) && !outline.makers.contains(name) {
                    continue;
                }
                let maker = outline
                    .function_at(*call)
                    .filter(|f| f.parameters.first().is_some_and(|p| document.is(*p, argument)));
                if let Some(maker) = maker.map(|maker| document.at(maker.name).to_owned()) {
                    outline.makers.insert(maker);
                }
            }
        }
        for (call, open) in calls {
            let text = open + 1;
            if document.literal(text).is_none() || document.is_member(call) {
                continue;
            }
            let step = Step { text, call, open };
            if document.is(call, "param") {
                outline.parameters.push(step);
            } else if outline.constructs(document, call) && outline.is_named(document, &step) {
                if let Some((_, name)) = document.literal(text) {
                    outline.by_name.entry(name.to_owned()).or_insert(outline.steps.len());
                }
                outline.steps.push(step);
            }
        }
        outline
    }

    /// Does the call at this name declare a step by the text that is its first argument?
    fn constructs(&self, document: &Document, call: usize) -> bool {
        let name = document.at(call);
        match document.alias_of(call) {
            None => constructors().contains(name) || self.makers.contains(name),
            Some(alias) => self
                .import(document, document.at(alias))
                .and_then(|import| document.literal(import.path))
                .and_then(|(_, path)| super::builtin::module(path))
                .is_some_and(|module| module.outline().makers.contains(name)),
        }
    }

    /// Is the text its name: not the only argument of a `chain` or a `flow`, which is then a text of arrows?
    fn is_named(&self, document: &Document, step: &Step) -> bool {
        let alone = document.is(step.text + 1, ")");
        let text = document.literal(step.text).map_or("", |(_, text)| text);
        match document.at(step.call) {
            "chain" | "parallel" => !alone,
            "flow" => !text.trim_start().starts_with("if ") && !text.trim_start().starts_with("if("),
            _ => true,
        }
    }

    fn word(&mut self, document: &Document, at: usize, calls: &mut Vec<(usize, usize)>) {
        let member = document.is_member(at);
        let is_key = document.is(at + 1, ":") && !document.is_scope(at + 1);
        match document.at(at) {
            "name" if is_key && document.kind(at + 2) == Some(Kind::Text) => self.named.push(at + 2),
            _ if member => {}
            _ if is_key => {}
            word @ ("let" | "const") => {
                let name = at + 1;
                if document.name(name).is_some() {
                    let value = document.is(name + 1, "=").then_some(name + 2);
                    // It is known behind its own value; that its name is not offered within is left to those who ask.
                    let start = document.tokens[name].end;
                    let by = if word == "let" { "let" } else { "const" };
                    self.variables.push(Variable { name, value, scope: start..block_end(document, at), by });
                }
            }
            "for" => self.looped(document, at),
            "fn" => self.function(document, at),
            "catch" if document.is(at + 1, "(") && document.name(at + 2).is_some() => {
                let scope = body_scope(document, document.close_of(at + 1) + 1);
                self.variables.push(Variable { name: at + 2, value: None, scope, by: "catch" });
            }
            "import" if document.kind(at + 1) == Some(Kind::Text) => {
                let alias = (document.is(at + 2, "as") && document.name(at + 3).is_some()).then_some(at + 3);
                self.imports.push(Import { path: at + 1, alias });
            }
            word if document.is(at + 1, "(") && !is_keyword(word) && !(at > 0 && document.is(at - 1, "fn")) => {
                calls.push((at, at + 1));
            }
            _ => {}
        }
    }

    /// `for x in`, `for (x, i) in`
    fn looped(&mut self, document: &Document, at: usize) {
        let names: Vec<usize> = match document.is(at + 1, "(") {
            true => (at + 2..document.close_of(at + 1)).take(8).filter(|at| document.name(*at).is_some()).collect(),
            false => vec![at + 1],
        };
        let mut body = at + 2;
        let parent = document.parent(at);
        // The first block behind it that is no part of what is gone through.
        while body < document.tokens.len() && !document.is(body, "{") {
            if document.is(body, ";") || document.parent(body) != parent && document.kind(body) == Some(Kind::Close) {
                return;
            }
            body = match document.kind(body) {
                Some(Kind::Open) => document.close_of(body).max(body) + 1,
                _ => body + 1,
            };
        }
        let scope = body_scope(document, body);
        for name in names.into_iter().filter(|name| document.name(*name).is_some_and(|name| !is_keyword(name))) {
            self.variables.push(Variable { name, value: None, scope: scope.clone(), by: "for" });
        }
    }

    fn function(&mut self, document: &Document, at: usize) {
        let name = at + 1;
        if document.name(name).is_none() {
            return;
        }
        let open = name + 1;
        let mut parameters = Vec::new();
        let mut body = None;
        if document.is(open, "(") {
            let close = document.close_of(open);
            parameters.extend((open + 1..close).take(64).filter(|at| document.name(*at).is_some()));
            if document.is(close + 1, "{") {
                body = Some((close + 1, document.close_of(close + 1)));
            }
            let scope = body_scope(document, close + 1);
            for parameter in &parameters {
                self.variables.push(Variable { name: *parameter, value: None, scope: scope.clone(), by: "fn" });
            }
        }
        let begin = if at > 0 && document.is(at - 1, "private") { at - 1 } else { at };
        self.functions.push(Function { name, parameters, begin, body });
    }

    /// `|a, b| …`: where a value can begin.
    fn closure(&mut self, document: &Document, at: usize) {
        if !document.is(at, "|") || !begins_value(document, at) {
            return;
        }
        let mut names = Vec::new();
        let mut end = at + 1;
        while end < document.tokens.len() && !document.at(end).starts_with('|') {
            match document.name(end) {
                Some(_) => names.push(end),
                None if document.is(end, ",") => {}
                None => return,
            }
            end += 1;
        }
        let scope = closure_scope(document, end + 1, document.parent(at));
        for name in names {
            self.variables.push(Variable { name, value: None, scope: scope.clone(), by: "|" });
        }
    }

    /// The function whose body holds a token.
    pub fn function_at(&self, at: usize) -> Option<&Function> {
        let before = self.functions.partition_point(|function| function.begin <= at);
        let function = self.functions[..before].last()?;
        function.body.filter(|(open, close)| *open <= at && at <= *close).map(|_| function)
    }

    /// The step of a name.
    pub fn step_named(&self, name: &str) -> Option<&Step> {
        self.by_name.get(name).map(|at| &self.steps[*at])
    }

    /// The function of a name.
    pub fn function_named(&self, document: &Document, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| document.is(function.name, name))
    }

    /// The import with an alias.
    pub fn import(&self, document: &Document, alias: &str) -> Option<&Import> {
        self.imports.iter().rev().find(|import| import.alias.is_some_and(|at| document.is(at, alias)))
    }

    /// The variables that are known at a byte, the one that was declared last first. A function sees its own only.
    pub fn visible<'a>(&'a self, document: &'a Document, offset: usize) -> impl Iterator<Item = &'a Variable> {
        let function = self.function_at(document.token_at(offset));
        let from = function.map_or(0, |function| document.tokens[function.begin].start);
        let before = self.variables.partition_point(|variable| document.tokens[variable.name].start < offset);
        self.variables[..before].iter().rev().filter(move |variable| {
            document.tokens[variable.name].start >= from
                && variable.scope.start <= offset
                && offset <= variable.scope.end
        })
    }

    /// The variable that a name means at a byte, or one that is declared just there.
    pub fn variable<'a>(&'a self, document: &'a Document, name: &str, offset: usize) -> Option<&'a Variable> {
        let here = self.variables.iter().find(|variable| {
            let token = document.tokens[variable.name];
            token.start <= offset && offset <= token.end && document.is(variable.name, name)
        });
        here.or_else(|| self.visible(document, offset).find(|variable| document.is(variable.name, name)))
    }
}

/// Can a value begin at this token: is what is before it no value?
pub fn begins_value(document: &Document, at: usize) -> bool {
    let Some(before) = at.checked_sub(1) else { return true };
    match document.kind(before) {
        Some(Kind::Open) => true,
        Some(Kind::Close) => document.is(before, "}"),
        Some(Kind::Text) => document.at(before).is_empty(),
        Some(Kind::Word) => is_keyword(document.at(before)),
        Some(Kind::Sign) => !document.is(before, "."),
        None => true,
    }
}

/// The end of the block that a token stands in.
fn block_end(document: &Document, at: usize) -> usize {
    let mut parent = document.parent(at);
    while let Some(open) = parent {
        if matches!(document.at(open), "{" | "${") {
            return document.partner(open).map_or(document.text().len(), |close| document.tokens[close].start);
        }
        parent = document.parent(open);
    }
    document.text().len()
}

/// The bytes of a block that begins at this token; nothing if there is none.
fn body_scope(document: &Document, open: usize) -> Range<usize> {
    match document.tokens.get(open) {
        Some(token) if document.is(open, "{") => {
            token.end..document.partner(open).map_or(document.text().len(), |close| document.tokens[close].start)
        }
        _ => 0..0,
    }
}

/// The bytes of a closure's body.
fn closure_scope(document: &Document, body: usize, parent: Option<usize>) -> Range<usize> {
    let Some(first) = document.tokens.get(body) else {
        return document.text().len()..document.text().len();
    };
    let mut at = body;
    while at < document.tokens.len() {
        match document.kind(at) {
            Some(Kind::Open) => at = document.close_of(at).max(at),
            Some(Kind::Close) if document.parent(at) != parent || document.partner(at) == parent => break,
            Some(Kind::Sign) if matches!(document.at(at), "," | ";") => break,
            _ => {}
        }
        at += 1;
    }
    // Up to the token behind it, so that a body of which only blanks are written is one.
    let end = document.tokens.get(at).map_or(document.text().len(), |token| token.start);
    let start = if body > 0 { document.tokens[body - 1].end } else { first.start };
    start..end.max(start)
}
