//! How the function is called in whose arguments a place is, and which of them it is in.

use super::document::Document;
use super::place::Place;
use super::{Form, Known, Signatures, builtin, is_keyword, roles};
use crate::diag::tokens::Kind;
use crate::lang::reference::{self, items};

/// Kinds of parameters that can be told from a literal.
const KINDS: [&str; 4] = ["text", "array", "map", "closure"];

impl Document {
    /// The forms of the call around a byte.
    pub fn signature(&self, offset: usize, known: &Known) -> Option<Signatures> {
        let offset = self.floor(offset);
        let at = match self.place(offset) {
            // A number is no place for completion, but an argument.
            Place::Comment => self.number_at(offset)?,
            Place::Text(at) | Place::Code { at, .. } => at,
        };
        // The bracket that is open at the byte: that of the token before it, or that token itself.
        let before = self.tokens[..at.min(self.tokens.len())].iter().rposition(|token| token.start < offset)?;
        let mut open = match self.kind(before) {
            Some(Kind::Open) if self.tokens[before].end <= offset => Some(before),
            _ => self.parent(before),
        };
        loop {
            let bracket = open?;
            match self.at(bracket) {
                "(" if self.is_call(bracket) => break,
                "{" | "${" => return None,
                _ => open = self.parent(bracket),
            }
        }
        let open = open?;
        let argument = roles::number_of(self, open, before + 1);
        let given: Vec<&str> = super::chain::arguments(self, open).map(|begin| self.kind_of_literal(begin)).collect();
        let forms = self.forms(open - 1, known);
        // The form with most of what is written; of several, one with as many parameters, else the first.
        let fit = |form: &Form| {
            let kinds = form.parameters.iter().map(|range| form.label[range.clone()].rsplit(": ").next().unwrap_or(""));
            let wrong = kinds
                .zip(&given)
                .filter(|(kind, given)| KINDS.contains(kind) && KINDS.contains(given) && kind != *given);
            let too_few = form.parameters.len() <= argument && argument > 0;
            (too_few, wrong.count(), form.parameters.len() != given.len())
        };
        let active = (0..forms.len()).min_by_key(|at| fit(&forms[*at])).unwrap_or(0);
        (!forms.is_empty()).then_some(Signatures { forms, active, argument })
    }

    /// What kind of literal an argument begins with, as signatures name it.
    fn kind_of_literal(&self, begin: usize) -> &str {
        match (self.kind(begin), self.at(begin)) {
            (Some(Kind::Text), _) => "text",
            (_, "[") => "array",
            (_, "#{") => "map",
            (_, sign) if sign.starts_with('|') => "closure",
            _ => "",
        }
    }

    /// Is this bracket that of a call?
    fn is_call(&self, open: usize) -> bool {
        let Some(call) = open.checked_sub(1) else { return false };
        self.name(call).is_some_and(|name| !is_keyword(name)) && !(call > 0 && self.is(call - 1, "fn"))
    }

    /// The number that a byte is in, or just behind.
    fn number_at(&self, offset: usize) -> Option<usize> {
        let at = self.token_at(offset);
        let is_number = |at: usize| self.at(at).starts_with(|c: char| c.is_ascii_digit());
        let found = [at, at + 1].into_iter().find(|at| is_number(*at))?;
        self.tokens.get(found).filter(|token| token.start <= offset && offset <= token.end).map(|_| found)
    }

    /// The functions of a name that the text declares: there is one for each number of parameters.
    fn declared_forms(&self, name: &str, public: bool) -> Vec<Form> {
        let functions = self.outline().functions.iter().filter(|function| self.is(function.name, name));
        functions
            .filter(|function| !(public && self.is(function.begin, "private")))
            .map(|function| Form::of(self.signature_of(function), self.docs_before(function.begin).into()))
            .collect()
    }

    fn forms(&self, call: usize, known: &Known) -> Vec<Form> {
        let name = self.at(call);
        let method = self.is_member(call);
        if let Some(alias) = self.alias_of(call) {
            let forms = self.in_module(self.at(alias), known, |module| Some(module.declared_forms(name, true)));
            return forms.unwrap_or_default();
        }
        let declared = if method { Vec::new() } else { self.declared_forms(name, false) };
        if !declared.is_empty() {
            return declared;
        }
        let kind = if method { reference::Kind::Method } else { reference::Kind::Function };
        if let Some(item) = items().iter().find(|item| item.kind == kind && item.name == name) {
            return item.signatures.iter().map(|form| Form::of(form.clone(), item.text.as_str().into())).collect();
        }
        let builtins = builtin::functions().iter().filter(|function| function.name == name).take(6);
        builtins
            .map(|function| {
                let form = Form::of(function.signature.clone(), function.docs.as_str().into());
                if method { form.without_first() } else { form }
            })
            .collect()
    }
}

impl Form {
    /// Finds the parameters in `name(a: text, b) -> step`.
    fn of(label: String, docs: std::borrow::Cow<'static, str>) -> Form {
        let mut parameters = Vec::new();
        if let (Some(open), Some(close)) = (label.find('('), label.rfind(')')) {
            let mut start = open + 1;
            for part in label.get(open + 1..close).unwrap_or_default().split(',') {
                let blank = part.len() - part.trim_start().len();
                if !part.trim().is_empty() {
                    parameters.push(start + blank..start + part.trim_end().len());
                }
                start += part.len() + 1;
            }
        }
        Form { label, parameters, docs }
    }

    /// As a method: what is before the dot is no argument.
    fn without_first(mut self) -> Form {
        if !self.parameters.is_empty() {
            self.parameters.remove(0);
        }
        self
    }
}
