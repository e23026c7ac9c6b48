//! What a text declares, as a tree: steps within groups, functions with the steps that they declare.

use super::document::Document;
use super::{Symbol, SymbolKind};

impl Document {
    /// Steps, functions, parameters and imports, in the order of the text.
    pub fn symbols(&self) -> Vec<Symbol> {
        let outline = self.outline();
        let mut flat: Vec<Symbol> = Vec::new();
        for step in &outline.steps {
            let detail = self.at(step.call);
            flat.extend(self.symbol(step, SymbolKind::Step, detail));
        }
        for step in &outline.parameters {
            flat.extend(self.symbol(step, SymbolKind::Parameter, "param"));
        }
        for function in &outline.functions {
            let name = self.tokens[function.name];
            let end = function.body.map_or(name.end, |(_, close)| self.tokens[close].end.max(name.end));
            flat.push(Symbol {
                name: self.signature_of(function),
                detail: "fn".to_owned(),
                kind: SymbolKind::Function,
                range: self.tokens[function.begin].start..end,
                name_range: name.start..name.end,
                children: Vec::new(),
            });
        }
        for import in &outline.imports {
            let path = self.tokens[import.path];
            let end = import.alias.map_or(path.end, |alias| self.tokens[alias].end);
            flat.push(Symbol {
                name: self.literal(import.path).map_or("", |(_, path)| path).to_owned(),
                detail: import.alias.map_or("", |alias| self.at(alias)).to_owned(),
                kind: SymbolKind::Module,
                range: path.start..end,
                name_range: path.start..path.end,
                children: Vec::new(),
            });
        }
        flat.sort_by_key(|symbol| (symbol.range.start, std::cmp::Reverse(symbol.range.end)));
        nested(flat)
    }

    fn symbol(&self, step: &super::outline::Step, kind: SymbolKind, detail: &str) -> Option<Symbol> {
        let (start, name) = self.literal(step.text)?;
        let name_range = start..start + name.len();
        let begin = self.tokens[step.call].start;
        Some(Symbol {
            name: name.to_owned(),
            detail: detail.to_owned(),
            kind,
            range: begin..self.end_of_chain(step.open).max(name_range.end),
            name_range,
            children: Vec::new(),
        })
    }
}

/// What lies within something becomes a child of it. Sorted by their beginnings, the longer first.
fn nested(flat: Vec<Symbol>) -> Vec<Symbol> {
    let mut open: Vec<Symbol> = Vec::new();
    let mut top = Vec::new();
    let close = |open: &mut Vec<Symbol>, top: &mut Vec<Symbol>| {
        if let Some(symbol) = open.pop() {
            match open.last_mut() {
                Some(outer) => outer.children.push(symbol),
                None => top.push(symbol),
            }
        }
    };
    for symbol in flat {
        while open
            .last()
            .is_some_and(|outer| outer.range.end < symbol.range.end || outer.range.end <= symbol.range.start)
        {
            close(&mut open, &mut top);
        }
        open.push(symbol);
    }
    while !open.is_empty() {
        close(&mut open, &mut top);
    }
    top
}
