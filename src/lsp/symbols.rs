//! What a text declares, as the protocol tells it.

use lsp_types::{DocumentSymbol, SymbolKind as Kind};

use super::lines::Encoding;
use super::texts::Text;
use crate::lang::assist::{Symbol, SymbolKind};

/// Steps, functions, parameters and imports, as a tree.
pub fn of(text: &Text, encoding: Encoding) -> Vec<DocumentSymbol> {
    text.document().symbols().into_iter().map(|symbol| one(text, symbol, encoding)).collect()
}

#[allow(deprecated)] // the protocol's own word for `tags`, which must be named all the same
fn one(text: &Text, symbol: Symbol, encoding: Encoding) -> DocumentSymbol {
    let span = |range| text.lines().span(&text.text, range, encoding);
    let children: Vec<DocumentSymbol> = symbol.children.into_iter().map(|child| one(text, child, encoding)).collect();
    DocumentSymbol {
        range: span(&symbol.range),
        selection_range: span(&symbol.name_range),
        // An empty name is refused by editors.
        name: if symbol.name.trim().is_empty() { "(no name)".to_owned() } else { symbol.name },
        detail: Some(symbol.detail).filter(|detail| !detail.is_empty()),
        kind: match symbol.kind {
            SymbolKind::Step => Kind::EVENT,
            SymbolKind::Function => Kind::FUNCTION,
            SymbolKind::Parameter => Kind::CONSTANT,
            SymbolKind::Module => Kind::MODULE,
        },
        tags: None,
        deprecated: None,
        children: (!children.is_empty()).then_some(children),
    }
}
