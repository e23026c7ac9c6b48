//! `flow completions SHELL`

use clap::CommandFactory;

use super::{Cli, Done, out};

/// Print the completions of a shell
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow completions bash > ~/.local/share/bash-completion/completions/flow
  flow completions zsh > ~/.zfunc/_flow
  flow completions fish > ~/.config/fish/completions/flow.fish")]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl Args {
    pub fn run(self) -> Done {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "flow", &mut text);
        out::print(&String::from_utf8_lossy(&text))?;
        Ok(0)
    }
}
