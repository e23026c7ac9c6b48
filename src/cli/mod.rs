//! The command line: one file a command. Each turns what a person wants into one call of [`Flow`](crate::flow::Flow)
//! and gives what comes of it to a view.
//!
//! Results go to standard output, all else to standard error. Exit codes: 0 success; 1 the run failed; 2 the command
//! line or the script is wrong and nothing was executed; 3 paused; 130 interrupted.

mod agents;
mod approve;
mod breakers;
mod cancel;
mod check;
mod checkpoints;
mod completions;
mod coverage;
mod deliver;
mod docs;
mod doctor;
mod export;
mod fmt;
mod follow;
mod from_run;
mod gc;
mod input;
mod logs;
mod lsp;
mod memory;
mod new;
mod options;
mod out;
mod pipeline;
mod plan;
mod receipts;
mod record;
mod repl;
mod report;
mod resume;
mod rollback;
mod run;
mod runs;
mod script;
mod show;
mod signal;
mod template;
mod test;
mod verify;
mod why;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Parser, Subcommand};

use crate::diag::Diagnostic;

/// Why a command ends early.
enum End {
    /// Something is wrong.
    Wrong(Diagnostic),
    /// Nobody reads the results any longer.
    Unread,
}

impl From<Diagnostic> for End {
    fn from(diagnostic: Diagnostic) -> Self {
        End::Wrong(diagnostic)
    }
}

/// What a command gives: its exit code.
type Done = Result<u8, End>;

/// Runs workflows that are Rhai scripts: durably, in parallel, and so that you can see why.
#[derive(Parser)]
#[command(
    name = "flow",
    version,
    after_help = EXAMPLES,
    max_term_width = 100,
    arg_required_else_help = true,
    infer_subcommands = false
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  flow script deploy.rhai                     run a script
  flow script deploy.rhai --arg env=staging   run it with a parameter
  flow script deploy.rhai --help              the parameters it takes
  flow plan deploy.rhai                       see every path it may take, running nothing
  flow runs                                   the runs so far
  flow show last                              what came of the newest one
  flow why last push                          why the step `push` ran, failed, waits, was skipped
  flow resume last                            take up a run that was interrupted
  flow approve last gate                      answer the step `gate`, which asks; the run goes on

`flow help COMMAND` says more about a command.
RUN is the id of a run, a unique beginning of one, or `last`.
State is kept in `.flow`, beside the nearest `flow.toml` or here; FLOW_HOME names another place.
Exit codes: 0 success; 1 the run failed; 2 command line or script are wrong, nothing ran; 3 paused;
130 interrupted.";

#[derive(Subcommand)]
enum Command {
    Script(script::Args),
    Run(run::Args),
    Check(check::Args),
    Fmt(fmt::Args),
    Plan(plan::Args),
    Test(test::Args),
    Repl(repl::Args),
    Runs(runs::Args),
    Show(show::Args),
    Logs(logs::Args),
    Why(why::Args),
    Resume(resume::Args),
    Approve(approve::Args),
    Signal(signal::Args),
    Cancel(cancel::Args),
    Checkpoints(checkpoints::Args),
    Rollback(rollback::Args),
    Agents(agents::Args),
    Breakers(breakers::Args),
    Memory(memory::Args),
    Pipeline(pipeline::Args),
    Receipts(receipts::Args),
    Export(export::Args),
    Verify(verify::Args),
    Gc(gc::Args),
    Template(template::Args),
    New(new::Args),
    Docs(docs::Args),
    Doctor(doctor::Args),
    Lsp(lsp::Args),
    Completions(completions::Args),
}

/// The program: reads the command line and does what it says.
pub fn main() -> ExitCode {
    if std::env::var_os("RUST_LOG").is_some() {
        trace();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.command.wants_json();
    match cli.command.run() {
        Ok(code) => ExitCode::from(code),
        Err(End::Unread) => ExitCode::SUCCESS,
        Err(End::Wrong(diagnostic)) => ExitCode::from(report::diagnostic(&diagnostic, json)),
    }
}

impl Command {
    fn run(self) -> Done {
        match self {
            Command::Script(args) => args.run(),
            Command::Run(args) => args.run(),
            Command::Check(args) => args.run(),
            Command::Fmt(args) => args.run(),
            Command::Plan(args) => args.run(),
            Command::Repl(args) => args.run(),
            Command::Runs(args) => args.run(),
            Command::Show(args) => args.run(),
            Command::Logs(args) => args.run(),
            Command::Why(args) => args.run(),
            Command::Resume(args) => args.run(),
            Command::Approve(args) => args.run(),
            Command::Signal(args) => args.run(),
            Command::Cancel(args) => args.run(),
            Command::Checkpoints(args) => args.run(),
            Command::Rollback(args) => args.run(),
            Command::Agents(args) => args.run(),
            Command::Breakers(args) => args.run(),
            Command::Memory(args) => args.run(),
            Command::Pipeline(args) => args.run(),
            Command::Receipts(args) => args.run(),
            Command::Export(args) => args.run(),
            Command::Verify(args) => args.run(),
            Command::Gc(args) => args.run(),
            Command::Test(args) => args.run(),
            Command::Template(args) => args.run(),
            Command::New(args) => args.run(),
            Command::Docs(args) => args.run(),
            Command::Doctor(args) => args.run(),
            Command::Lsp(args) => args.run(),
            Command::Completions(args) => args.run(),
        }
    }

    /// Are diagnostics to be data too?
    fn wants_json(&self) -> bool {
        match self {
            Command::Script(args) => args.options.json,
            Command::Run(args) => args.options.json,
            Command::Resume(args) => args.options.json,
            Command::Approve(args) => args.options.json,
            Command::Signal(args) => args.options.json,
            Command::Checkpoints(args) => args.json,
            Command::Rollback(args) => args.options.json,
            Command::Check(args) => args.json,
            Command::Plan(args) => args.json(),
            Command::Repl(args) => args.json,
            Command::Template(args) => args.json(),
            Command::Runs(args) => args.json,
            Command::Doctor(args) => args.json,
            Command::Show(args) => args.json,
            Command::Pipeline(args) => args.json(),
            Command::Receipts(args) => args.json,
            Command::Verify(args) => args.json,
            Command::Gc(args) => args.json,
            Command::Test(args) => args.json,
            Command::Agents(args) => args.json,
            Command::Breakers(args) => args.json,
            Command::Memory(args) => args.json,
            Command::Docs(args) => args.json,
            Command::Logs(_)
            | Command::Why(_)
            | Command::Cancel(_)
            | Command::Export(_)
            | Command::New(_)
            | Command::Fmt(_)
            | Command::Lsp(_)
            | Command::Completions(_) => false,
        }
    }
}

/// A command line that does not fit, or that only asks for help.
fn usage(error: &clap::Error) -> ExitCode {
    if let Some(diagnostic) = parameter(error) {
        return ExitCode::from(report::diagnostic(&diagnostic, false));
    }
    // If help cannot be printed, nothing else can.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { 2 } else { 0 })
}

/// `flow script deploy.rhai --env staging`: a parameter of the script, given as if it were an option of flow.
fn parameter(error: &clap::Error) -> Option<Diagnostic> {
    let command = std::env::args().nth(1)?;
    let of_script = matches!(&*command, "script" | "run" | "check" | "plan");
    let given = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(given)) if error.kind() == ErrorKind::UnknownArgument && of_script => given,
        _ => return None,
    };
    let name = given.strip_prefix("--")?.split('=').next()?;
    let help = format!("a parameter of the script is given as `--arg {name}=…`; `flow script FILE --help` lists them");
    let diagnostic = Diagnostic::new("flow::cli::usage", format!("`flow {command}` has no option `{given}`"));
    Some(diagnostic.help(match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(near)) => format!("did you mean `{near}`? Or else: {help}"),
        _ => help,
    }))
}

/// The long help of a command, as clap prints it.
fn long_help(command: &str) -> String {
    let mut cli = Cli::command();
    cli.build();
    let help = cli.find_subcommand_mut(command).map(clap::Command::render_long_help);
    help.map_or(
        String::new(),
        |help| if out::results_look().color { help.ansi().to_string() } else { help.to_string() },
    )
}

/// What flow itself does, to standard error, as far as RUST_LOG asks for it.
fn trace() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).finish();
    // Only a second call could fail, and there is none.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
