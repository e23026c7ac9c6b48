//! What is driven letter by letter: the language server, over its protocol.

mod lsp;
