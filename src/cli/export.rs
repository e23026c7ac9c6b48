//! `flow export RUN`

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::options::look;
use super::{Done, End, out};
use crate::diag::Diagnostic;
use crate::flow::{Exported, Flow, Halt};

/// Write a run as a file that can be verified anywhere
///
/// JSON lines: what it is, each event exactly as it was hashed, each text of the workflow, each file that a step wrote with
/// its length and its hash. `flow verify FILE` checks it without the folder of runs. It is signed if `flow.toml` names a
/// key. What is written is what the log holds: secrets are masked in it, outputs are not.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow export last -o run.jsonl
  flow export last --with-files | gzip > run.jsonl.gz
  flow verify run.jsonl
  zcat run.jsonl.gz | flow verify -

To sign what is exported, and each run at its end:
  openssl genpkey -algorithm ed25519 -out key.pem
  printf '[receipts]\\nkey = \"key.pem\"\\n' >> flow.toml
  openssl pkey -in key.pem -pubout -out pub.pem      for others: flow verify run.jsonl --key pub.pem")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`
    #[arg(value_name = "RUN")]
    run: String,
    /// The file to write. Default: standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// With the contents of files
    #[arg(long)]
    with_files: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let flow = look()?;
        let exported = match &self.output {
            Some(file) => self.to_file(&flow, file)?,
            None => self.write(&flow, &mut out::results())?,
        };
        out::tell(&summary(&exported, self.output.as_deref()));
        Ok(0)
    }

    fn write(&self, flow: &Flow, to: &mut dyn Write) -> Result<Exported, End> {
        flow.export(&self.run, self.with_files, to).map_err(|halt| match halt {
            Halt::Wrong(diagnostic) => End::Wrong(diagnostic),
            Halt::Io(error) => error.into(),
        })
    }

    /// Writes beside the file and exchanges it at the end: there is never half of one.
    fn to_file(&self, flow: &Flow, file: &Path) -> Result<Exported, End> {
        let failed = |error: &io::Error| {
            End::Wrong(
                Diagnostic::new("flow::cli::output", format!("`{}` cannot be written: {error}", file.display()))
                    .help("`-o` takes a file in a folder that exists and is writable, with space left on its disk"),
            )
        };
        // Into a device or a pipe there is only one way.
        let is_special = file.metadata().is_ok_and(|now| !now.is_file() && !now.is_dir());
        let part = match is_special {
            true => file.to_owned(),
            false => {
                let mut name = file.as_os_str().to_owned();
                name.push(format!(".{}.part", std::process::id()));
                name.into()
            }
        };
        let written = File::create(&part).map_err(|error| failed(&error)).and_then(|created| {
            let mut to = BufWriter::new(created);
            let exported = self.write(flow, &mut to)?;
            to.flush().map_err(|error| failed(&error))?;
            Ok(exported)
        });
        if is_special {
            return written;
        }
        let renamed = written.and_then(|exported| {
            fs::rename(&part, file).map_err(|error| failed(&error))?;
            Ok(exported)
        });
        if renamed.is_err() {
            // What is wrong is told already.
            let _ = fs::remove_file(&part);
        }
        renamed
    }
}

fn summary(exported: &Exported, file: Option<&Path>) -> String {
    let Exported { run, events, sources, files, missing, key, .. } = exported;
    let to = file.map_or(String::new(), |file| format!(" to {}", file.display()));
    let count = |n: &u64, what: &str| format!("{n} {what}{}", if *n == 1 { "" } else { "s" });
    let (events, sources, files) = (count(events, "event"), count(sources, "text"), count(files, "file"));
    let mut text = format!("run {run} was written{to}: {events}, {sources}, {files}\n");
    for file in missing {
        text.push_str(&format!("no longer there: {file}\n"));
    }
    if let Some(key) = key {
        text.push_str(&format!("signed with the key {}\n", key.fingerprint()));
    }
    text
}
