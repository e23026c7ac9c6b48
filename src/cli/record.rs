//! `flow agents record RUN`

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use super::options::look;
use super::{Done, End, out};
use crate::diag::Diagnostic;
use crate::flow::Written;

/// Write what the agents of a run said as a file
///
/// JSON lines, fit for git: each answer as it came, with its times. `flow script FILE --agents recorded:FILE` lets them say
/// it again, without any of them. With `--all` everything else that came from outside is in it, too, and the way that the
/// run took: then `flow test FILE --from-run FILE` tells whether the workflow still goes that way. Secrets are masked.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow agents record last -o plan.ndjson
  flow script plan.rhai --agents recorded:plan.ndjson
  flow agents record last --all -o plan.ndjson
  flow test plan.rhai --from-run plan.ndjson")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`; or a file, to write it otherwise
    #[arg(value_name = "RUN")]
    run: String,
    /// The file to write. Default: standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With what became of all other steps, and the way that the run took
    #[arg(long)]
    all: bool,
    /// What readers of the file are to know
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Args {
    pub fn run(self) -> Done {
        let recorded = look()?.recorded_run(&self.run)?;
        if recorded.asked().next().is_none() && !self.all {
            let message = format!("no agent was asked in {}", recorded.name);
            return Err(End::Wrong(
                Diagnostic::new("flow::run::agents", message)
                    .help("`--all` records what became of the other steps; `flow runs` lists the runs"),
            ));
        }
        let note = self.note.as_deref();
        let Some(file) = &self.output else {
            let written = recorded.write(self.all, note, &mut out::results())?;
            out::tell(&summary(&recorded.name, &written, None));
            return Ok(0);
        };
        let failed = |error: std::io::Error| {
            End::Wrong(
                Diagnostic::new("flow::cli::output", format!("`{}` cannot be written: {error}", file.display()))
                    .help("`-o` takes a file in a folder that exists and is writable; the files of the run must be there, too"),
            )
        };
        // Written beside it and exchanged at the end: there is never half of one, and it may be the one that is read.
        let mut part = file.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let write = || {
            let mut to = BufWriter::new(std::fs::File::create(&part)?);
            let written = recorded.write(self.all, note, &mut to)?;
            to.flush()?;
            std::fs::rename(&part, file)?;
            Ok(written)
        };
        let written = write().map_err(|error| {
            // What is wrong is told already.
            let _ = std::fs::remove_file(&part);
            failed(error)
        })?;
        out::tell(&summary(&recorded.name, &written, Some(&file.display().to_string())));
        Ok(0)
    }
}

fn summary(name: &str, written: &Written, file: Option<&str>) -> String {
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut parts = vec![count(written.answers, "answer of an agent", "answers of agents")];
    if written.steps > 0 {
        parts.push(count(written.outcomes, "other outcome", "other outcomes"));
        parts.push(format!("the way of {}", count(written.steps, "step", "steps")));
    }
    let to = file.map_or(String::new(), |file| format!(" to {file}"));
    let mut text = format!("{name} was recorded{to}: {}\n", parts.join(", "));
    for step in &written.left_out {
        text.push_str(&format!("left out, since it is secret: {step}\n"));
    }
    for (step, file) in &written.lost {
        text.push_str(&format!("left out, since it was too long or no plain file: {file}, which {step} changed\n"));
    }
    text
}
