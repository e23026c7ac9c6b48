//! `flow lsp`

use std::io::IsTerminal;

use super::{Done, End, out};
use crate::diag::Diagnostic;
use crate::lsp;

/// Serve an editor: a language server over standard input and output
///
/// Speaks the Language Server Protocol: what is wrong while you type, completion, documentation, definitions, symbols,
/// formatting and the plan. Editors start it themselves; docs/editors.md says how.
#[derive(clap::Args)]
pub struct Args {
    /// Over standard input and output, which is the only way; editors like to say it
    #[arg(long, hide = true)]
    stdio: bool,
    /// The process of the editor; its end is seen by that of the input
    #[arg(long = "clientProcessId", value_name = "PID", hide = true)]
    client: Option<u32>,
}

impl Args {
    pub fn run(self) -> Done {
        let Args { stdio: _, client: _ } = self;
        if std::io::stdin().is_terminal() {
            out::tell(
                "flow lsp waits for an editor to speak to it; docs/editors.md says how one is set up. Ctrl-C ends it.\n",
            );
        }
        lsp::serve().map_err(|error| match error.kind() {
            std::io::ErrorKind::BrokenPipe => End::Unread,
            _ => End::Wrong(
                Diagnostic::new("flow::cli::protocol", format!("the editor cannot be served any longer: {error}"))
                    .help("`flow lsp` is started by an editor, which speaks the Language Server Protocol with it; docs/editors.md says how"),
            ),
        })
    }
}
