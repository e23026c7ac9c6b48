//! `flow verify RUN|FILE`

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::options::{look, now};
use super::{Done, End, out, report};
use crate::diag::Diagnostic;
use crate::flow::{Difference, Fault, PublicKey, Signature, Unverified, VerifiedExport, verify_export};
use crate::view::time::Clock;

/// Verify that the log of a run, or an exported one, is as it was written
///
/// Each event carries the SHA-256 of the one before. Of a run: names the first event that is not what was written, and files of the run that have changed. Of a file that
/// `flow export` wrote: names the first line that is not what was written, and how it differs; no folder of runs is needed.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow verify last
  flow verify 20260102-1504 --json
  flow verify run.jsonl                              an exported run
  flow verify run.jsonl --key pub.pem                and signed with this key

A name with a dot or a slash in it is a file, `-` is standard input.
Exit codes: 0 it is as it was written; 1 it is not, or not signed as asked.")]
pub struct Args {
    /// An id, a unique beginning of one, or `last`; or a file that `flow export` wrote
    #[arg(value_name = "RUN|FILE")]
    what: String,
    /// Check that it is signed with this key: a public key in PEM
    #[arg(long, value_name = "PUB.pem")]
    key: Option<PathBuf>,
    /// Print the result as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let key = self.key.as_deref().map(PublicKey::read).transpose()?;
        let is_file = self.what == "-" || self.what.contains(['.', '/']);
        if is_file {
            return self.file(key.as_ref());
        }
        let flow = look()?;
        let run = match flow.find(&self.what) {
            // A file that is called like a run.
            Err(_) if Path::new(&self.what).is_file() => return self.file(key.as_ref()),
            found => found?,
        };
        let verified = flow.verify(&run)?;
        let signatures = &verified.signatures;
        let covers = |signed: &&Signature| key.as_ref().is_none_or(|key| signed.key == *key);
        let signed = signatures.iter().find(covers);
        if let (Some(key), None) = (&key, signed) {
            let others = signatures.iter().map(|signed| signed.key).collect::<Vec<_>>();
            return Err(End::Wrong(not_by(&format!("run `{run}`"), key, &others)));
        }
        if self.json {
            let object = json!({
                "run": run,
                "events": verified.events,
                "head": verified.head,
                "files": verified.files,
                "missing": verified.missing,
                "signatures": signatures,
            });
            out::print(&format!("{object}\n"))?;
            return Ok(0);
        }
        let (events, files) = (verified.events, verified.files);
        let mut text = format!("run {run}: each of its {events} events is as it was written");
        if files > 0 {
            text.push_str(&format!(", and so are its scripts and long outputs ({files})"));
        }
        text.push_str(&format!("\nhead of the chain: {}\n", verified.head));
        for file in &verified.missing {
            text.push_str(&format!("no longer there: {file}\n"));
        }
        let clock = Clock::local(now());
        for signed in signatures.iter().filter(covers) {
            let part =
                if signed.events == events { String::new() } else { format!("its first {} events ", signed.events) };
            let (when, key) = (clock.full(signed.at), signed.key.fingerprint());
            text.push_str(&format!("{part}signed {when} with the key {key}\n"));
        }
        out::print(&text)?;
        Ok(0)
    }

    fn file(&self, key: Option<&PublicKey>) -> Done {
        let verified = match verify_export(self.open()?) {
            Ok(verified) => verified,
            Err(Unverified::Fault(fault)) => return self.differs(&fault),
            Err(Unverified::Io(error)) => return Err(End::Wrong(self.unreadable(&error))),
        };
        let name = self.name();
        if let Some(key) = key.filter(|key| verified.key != Some(**key)) {
            return Err(End::Wrong(not_by(&name, key, verified.key.as_slice())));
        }
        match self.json {
            true => out::print(&format!("{}\n", data(&name, &verified)))?,
            false => out::print(&text(&name, &verified, key.is_some()))?,
        }
        Ok(0)
    }

    fn open(&self) -> Result<Box<dyn BufRead>, End> {
        if self.what == "-" {
            return Ok(Box::new(io::stdin().lock()));
        }
        let opened = File::open(&self.what).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => Ok(file),
        });
        match opened {
            Ok(file) => Ok(Box::new(BufReader::with_capacity(256 * 1024, file))),
            Err(error) => Err(End::Wrong(self.unreadable(&error))),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Diagnostic {
        let (code, what) = match error.kind() {
            io::ErrorKind::NotFound => ("flow::file::missing", "there is no file".to_owned()),
            _ => ("flow::file::unreadable", format!("cannot read ({error}) the file")),
        };
        Diagnostic::new(code, format!("{what} `{}`", self.what))
            .help("`flow export RUN -o FILE` writes one; a RUN is an id, a beginning of one, or `last`")
    }

    fn differs(&self, fault: &Fault) -> Done {
        let message = format!("{}, line {}: {}", self.name(), fault.line, fault.message);
        let problem = match fault.what {
            Difference::Newer => Diagnostic::new("flow::store::newer", message).help("verify it with that newer flow"),
            Difference::Foreign => Diagnostic::new("flow::export::changed", message)
                .help("`flow export RUN -o FILE` writes what can be verified"),
            _ => Diagnostic::new("flow::export::changed", message)
                .help("nothing in the file from this line on is proved; ask for it again where it comes from"),
        };
        if !self.json {
            return Ok(report::diagnostic(&problem, false));
        }
        let (line, what) = (fault.line, fault.what.name());
        out::print(&format!("{}\n", json!({ "line": line, "difference": what, "error": problem.to_json() })))?;
        Ok(1)
    }

    fn name(&self) -> String {
        if self.what == "-" { "standard input".into() } else { format!("`{}`", self.what) }
    }
}

/// It is not signed with the key that was asked for.
fn not_by(what: &str, key: &PublicKey, others: &[PublicKey]) -> Diagnostic {
    let key = key.fingerprint();
    let (message, help) = match others.first() {
        None => (
            format!("{what} is not signed"),
            "`[receipts] key` in flow.toml names the key that signs runs at their end, and exports",
        ),
        Some(other) => (
            format!("{what} is signed with the key {}, not with the key {key}", other.fingerprint()),
            "is it the right public key? Otherwise somebody else has signed this",
        ),
    };
    Diagnostic::new("flow::key::other", message).help(help)
}

fn data(name: &str, verified: &VerifiedExport) -> serde_json::Value {
    json!({
        "file": name.trim_matches('`'),
        "run": verified.run,
        "workflow": verified.workflow,
        "status": verified.status.name(),
        "events": verified.events,
        "head": verified.head,
        "sources": verified.sources,
        "files": verified.files,
        "contents": verified.contents,
        "missing": verified.missing,
        "key": verified.key.map(PublicKey::fingerprint),
    })
}

/// `known`: is the key the one that was asked for?
fn text(name: &str, verified: &VerifiedExport, known: bool) -> String {
    let VerifiedExport { run, workflow, status, events, head, sources, files, contents, .. } = verified;
    let mut text = format!(
        "{name}: run {run} of {workflow} ({}): each of its {events} events is as it was written, and so are its \
         texts ({sources})",
        status.name()
    );
    text.push_str(&match (files, contents) {
        (0, _) => String::new(),
        (files, 0) => format!("; of files ({files}) it holds the hashes"),
        (files, contents) => format!("; of files ({files}) it holds the hashes and contents ({contents})"),
    });
    text.push_str(&format!("\nhead of the chain: {head}\n"));
    for file in &verified.missing {
        text.push_str(&format!("no longer there when it was exported: {file}\n"));
    }
    match verified.key.map(PublicKey::fingerprint) {
        Some(key) if known => text.push_str(&format!("signed with the key that was asked for, {key}\n")),
        Some(key) => text.push_str(&format!(
            "signed with the key {key}\n\
             That proves only that whoever has that key signed it; `--key PUB.pem` checks whether it is the one you trust.\n"
        )),
        None => text.push_str(
            "not signed: anybody can have written it. Compare the head of the chain with one that was noted elsewhere.\n",
        ),
    }
    text
}
