//! What is driven letter by letter: the language server, over its protocol; the prompt, over pipes and in a terminal.

#[path = "../cli/golden.rs"]
mod golden;
mod lsp;
mod repl;
#[path = "../cli/transcript.rs"]
mod transcript;
