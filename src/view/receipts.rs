//! Receipts: a table of many, or one in full.

use std::fmt::Write;

use super::look::one_line;
use super::table::table;
use super::time::{Clock, duration};
use super::{Look, Tone};
use crate::state::receipt::Receipt;
use crate::state::result::plain_text;

/// So much of a hash is shown in tables: enough to ask for it.
const HASH: usize = 12;

/// Longest message, in columns.
const MESSAGE: usize = 120;

/// A file that a receipt names.
pub struct EvidenceLine<'a> {
    /// Where it is.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its hash, where it is known.
    pub sha256: Option<&'a str>,
    /// What is wrong with it.
    pub state: Option<&'a str>,
}

/// A table, one line a receipt; nothing if there is none.
pub fn receipts(all: &[Receipt], clock: &Clock, look: Look) -> String {
    if all.is_empty() {
        return String::new();
    }
    let heading = ["RECEIPT", "RUN", "STEP", "STATUS", "OUTPUT", "FINISHED"].map(str::to_owned).to_vec();
    let rows = all.iter().map(|receipt| {
        vec![
            short(&receipt.hash).to_owned(),
            receipt.run.clone(),
            receipt.step.clone(),
            status(receipt),
            receipt.output.as_deref().map_or(String::new(), |hash| short(hash).to_owned()),
            clock.ago(receipt.at),
        ]
    });
    let rows: Vec<_> = std::iter::once(heading).chain(rows).collect();
    table(&rows, look, |row, column| (column == 3).then(|| tone(&all[row])))
}

/// One in full. `signed`: with which keys its run was signed after it, and when.
pub fn receipt(
    receipt: &Receipt,
    evidence: &[EvidenceLine<'_>],
    signed: &[(String, u64)],
    clock: &Clock,
    look: Look,
) -> String {
    let mut text = format!("receipt {}\n", look.paint(Tone::Strong, &receipt.hash));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {}{value}", look.paint(Tone::Faint, &format!("{name:<11}")));
    };
    line("step", &format!("{}, attempt {}", receipt.step, receipt.attempt));
    line("run", &format!("{} of {}", receipt.run, receipt.workflow));
    let code = receipt.code.map_or(String::new(), |code| format!(", code {code}"));
    line("status", &format!("{}{code}", look.paint(tone(receipt), &status(receipt))));
    if let Some(error) = &receipt.error {
        line("", &look.cut(&one_line(error), MESSAGE));
    }
    line("finished", &format!("{}, after {}", clock.full(receipt.at), duration(receipt.duration_ms)));
    line("event", &format!("{}, after {}", receipt.event, receipt.before));
    for (n, source) in receipt.sources.iter().enumerate() {
        line(if n == 0 { "script" } else { "" }, &format!("{}  {}", source.sha256, source.name));
    }
    line("parameters", &receipt.parameters.sha256);
    for (name, value) in &receipt.parameters.values {
        line("", &look.cut(&format!("{name} = {}", one_line(&plain_text(value))), MESSAGE));
    }
    if let Some(output) = &receipt.output {
        line("output", output);
    }
    for (n, file) in evidence.iter().enumerate() {
        let (path, bytes, hash) = (&file.path, file.bytes, file.sha256.unwrap_or("no hash"));
        let state = file.state.map_or(String::new(), |state| format!(", {}", look.paint(Tone::Bad, state)));
        line(if n == 0 { "evidence" } else { "" }, &format!("{hash}  {path}, {bytes} B{state}"));
    }
    if let Some(answer) = &receipt.answered {
        let by = if answer.by.is_empty() { "nobody" } else { &answer.by };
        let said = one_line(&plain_text(&answer.value));
        line("answered", &format!("{said}, by {}, at {}", one_line(by), clock.full(answer.at)));
        if !answer.comment.is_empty() {
            line("", &look.cut(&one_line(&answer.comment), MESSAGE));
        }
    }
    if let Some(note) = &receipt.cached {
        line("cached", &format!("from run {}, {}", note.run, clock.full(note.at)));
    }
    for (n, (key, at)) in signed.iter().enumerate() {
        line(if n == 0 { "signed" } else { "" }, &format!("with the key {key}, at {}", clock.full(*at)));
    }
    line("made by", &format!("flow {} on {}", receipt.flow, one_line(&receipt.host)));
    text
}

fn short(hash: &str) -> &str {
    hash.get(..HASH).unwrap_or(hash)
}

fn status(receipt: &Receipt) -> String {
    match receipt.class {
        Some(class) => format!("{} ({})", receipt.status, class.name()),
        None => receipt.status.to_owned(),
    }
}

fn tone(receipt: &Receipt) -> Tone {
    if receipt.error.is_none() { Tone::Good } else { Tone::Bad }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Class;
    use crate::state::receipt::{Approval, Parameters, Source};

    const NOW: u64 = 1_785_585_600_000;

    fn sample() -> Receipt {
        let mut values = serde_json::Map::new();
        values.insert("env".into(), "staging".into());
        Receipt {
            hash: "3f2a91c07b1e44".into(),
            before: "ab12".into(),
            event: 17,
            run: "r1".into(),
            workflow: "deploy".into(),
            step: "to-staging/push".into(),
            attempt: 2,
            status: "success",
            at: NOW - 61_000,
            duration_ms: 1200,
            output: Some("ba7816bf8f01cfea".into()),
            code: Some(0),
            sources: vec![
                Source { name: "deploy.rhai".into(), sha256: "s1".into() },
                Source { name: "parts/x.rhai".into(), sha256: "s2".into() },
            ],
            parameters: Parameters { sha256: "p1".into(), values },
            flow: "0.1.0".into(),
            host: "here".into(),
            ..Receipt::default()
        }
    }

    #[test]
    fn each_in_a_line() {
        let failed = Receipt {
            status: "failed",
            class: Some(Class::Transient),
            error: Some("no\nmore".into()),
            output: None,
            step: "b".into(),
            ..sample()
        };
        assert_eq!(
            receipts(&[sample(), failed], &Clock::utc(NOW), Look::PLAIN),
            "\
RECEIPT       RUN  STEP             STATUS              OUTPUT        FINISHED
3f2a91c07b1e  r1   to-staging/push  success             ba7816bf8f01  1 min ago
3f2a91c07b1e  r1   b                failed (transient)                1 min ago
"
        );
    }

    #[test]
    fn one_says_all_that_it_proves() {
        let answered = Approval { by: "ann".into(), at: NOW, value: "yes".into(), comment: "go".into() };
        let one = Receipt { answered: Some(answered), ..sample() };
        let file = EvidenceLine { path: "logs/3-push.2.out".into(), bytes: 3, sha256: Some("e1"), state: None };
        let gone =
            EvidenceLine { path: "logs/3-push.2.err".into(), bytes: 9, sha256: None, state: Some("no longer there") };
        assert_eq!(
            receipt(&one, &[file, gone], &[("k1".into(), NOW)], &Clock::utc(NOW), Look::PLAIN),
            "\
receipt 3f2a91c07b1e44
  step       to-staging/push, attempt 2
  run        r1 of deploy
  status     success, code 0
  finished   2026-08-01 11:58:59, after 1.2s
  event      17, after ab12
  script     s1  deploy.rhai
             s2  parts/x.rhai
  parameters p1
             env = staging
  output     ba7816bf8f01cfea
  evidence   e1  logs/3-push.2.out, 3 B
             no hash  logs/3-push.2.err, 9 B, no longer there
  answered   yes, by ann, at 2026-08-01 12:00:00
             go
  signed     with the key k1, at 2026-08-01 12:00:00
  made by    flow 0.1.0 on here
"
        );
    }
}
