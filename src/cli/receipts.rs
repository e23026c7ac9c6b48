//! `flow receipts`

use serde_json::json;

use super::options::{look, now, short_path};
use super::{Done, End, out};
use crate::diag::Diagnostic;
use crate::flow::{Flow, Kept, Receipt, ReceiptFilter};
use crate::view;
use crate::view::time::Clock;

/// List receipts: the proof of each finished step, the newest first
///
/// A receipt says which step finished, when and how, by which event of the run's log, from which script and with which
/// parameters, what it gave and which files it wrote. It is named by the hash of its event, which holds the hash of the
/// event before: with `--hash`, the whole chain of the run is checked and the receipt is shown in full.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  flow receipts                                      the newest
  flow receipts --run last --step push
  flow receipts --hash 3f2a91c0                      one of them in full
  flow receipts --since 7d --limit 1000 --json
  flow receipts --since 2026-01-31 --step deploy     those of a group, in all runs since then")]
pub struct Args {
    /// Only those of this run: an id, a unique beginning of one, or `last`
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only those of this step: its path, the end of one, or a group around it
    #[arg(long, value_name = "PATH")]
    step: Option<String>,
    /// Show the one whose hash begins so: at least 4 hexadecimal digits
    #[arg(long, value_name = "PREFIX")]
    hash: Option<String>,
    /// Only those since then: `7d`, `12h`, `2026-01-31`, `2026-01-31T15:04`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value = "20")]
    limit: usize,
    /// Print them as data
    #[arg(long)]
    pub json: bool,
}

impl Args {
    pub fn run(self) -> Done {
        let clock = Clock::local(now());
        let filter = ReceiptFilter {
            run: self.run.clone(),
            step: self.step.clone(),
            since: self.since.as_deref().map(|text| moment(text, &clock)).transpose()?,
            hash: self.hash.as_deref().map(digits).transpose()?,
            limit: Some(self.limit),
        };
        let flow = look()?;
        let found = flow.receipts(&filter)?;
        if let (Some(hash), [_, _, ..]) = (&filter.hash, found.receipts.as_slice()) {
            return Err(End::Wrong(several(hash, &found.receipts)));
        }
        if self.json {
            let all: Vec<_> = found.receipts.iter().map(|receipt| data(&flow, receipt)).collect::<Result<_, _>>()?;
            out::print(&format!("{}\n", serde_json::Value::Array(all)))?;
            return Ok(0);
        }
        if filter.hash.is_some() {
            for receipt in &found.receipts {
                out::print(&full(&flow, receipt, &clock)?)?;
            }
            return Ok(0);
        }
        if found.receipts.is_empty() {
            out::tell(match self.run.is_some() || self.since.is_some() {
                true => "no step has finished there\n",
                false => "no step has finished here yet; `flow script FILE` starts a run\n",
            });
            return Ok(0);
        }
        out::print(&view::receipts(&found.receipts, &clock, out::results_look()))?;
        if found.more {
            out::tell(&format!("the newest {} of them; `--limit N` shows more\n", self.limit));
        }
        Ok(0)
    }
}

fn data(flow: &Flow, receipt: &Receipt) -> Result<serde_json::Value, Diagnostic> {
    let mut data = json!(receipt);
    data["evidence"] = json!(flow.evidence(receipt)?);
    let signed = flow.signatures(&receipt.run)?.into_iter().filter(|signed| signed.events > receipt.event);
    data["signed"] = signed.map(|signed| json!(signed)).collect();
    Ok(data)
}

fn full(flow: &Flow, receipt: &Receipt, clock: &Clock) -> Result<String, Diagnostic> {
    let evidence = flow.evidence(receipt)?;
    let evidence: Vec<_> = evidence
        .iter()
        .map(|file| view::EvidenceLine {
            path: short_path(&file.path),
            bytes: file.bytes,
            sha256: file.sha256.as_deref(),
            state: match file.state {
                Kept::Written => None,
                Kept::Changed => Some("changed since"),
                Kept::Missing => Some("no longer there"),
            },
        })
        .collect();
    let signed = flow.signatures(&receipt.run)?.into_iter().filter(|signed| signed.events > receipt.event);
    let signed: Vec<_> = signed.map(|signed| (signed.key.fingerprint(), signed.at)).collect();
    Ok(view::receipt(receipt, &evidence, &signed, clock, out::results_look()))
}

fn moment(text: &str, clock: &Clock) -> Result<u64, Diagnostic> {
    clock.read(text).ok_or_else(|| {
        Diagnostic::new("flow::cli::usage", format!("`--since {text}` is no time"))
            .help("write how long ago (`7d`, `12h`, `1h30m`) or a date (`2026-01-31`, `2026-01-31T15:04`)")
    })
}

fn digits(text: &str) -> Result<String, Diagnostic> {
    let digits = text.to_ascii_lowercase();
    let wrong = |message: String| {
        Err(Diagnostic::new("flow::cli::usage", message)
            .help("a hash is 64 hexadecimal digits, its beginning at least 4 of them: `--hash 3f2a91c0`; `flow receipts` lists them"))
    };
    match digits.len() {
        _ if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            wrong(format!("`--hash {text}` is not hexadecimal"))
        }
        0..4 => wrong(format!("`--hash {text}` is too short to mean one receipt")),
        4..=64 => Ok(digits),
        _ => wrong(format!("`--hash {text}` is longer than a hash")),
    }
}

fn several(hash: &str, found: &[Receipt]) -> Diagnostic {
    let shown: Vec<_> = found.iter().take(5).map(|one| format!("`{}` ({})", &one.hash[..16], one.step)).collect();
    let more = if found.len() > shown.len() { ", …" } else { "" };
    Diagnostic::new("flow::run::no_receipt", format!("{} receipts have hashes that begin with `{hash}`", found.len()))
        .help(format!("type a few more digits: {}{more}", shown.join(", ")))
}
