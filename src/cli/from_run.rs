//! `flow test FILE --from-run RUN`

use std::path::PathBuf;

use super::options::look;
use super::{Done, End, input, out};
use crate::diag::Diagnostic;
use crate::flow::{Again, AgainOptions};
use crate::view::{self, diagnostic};

/// Most differences that are shown: those behind them mostly follow from them.
const SHOWN: usize = 10;

/// Replays a run, and says how the ways differ.
pub fn run(paths: &[PathBuf], options: AgainOptions, json: bool) -> Done {
    let [path] = paths else {
        let message = match paths {
            [] => "`--from-run` needs the workflow that is to go the way of the run again",
            _ => "`--from-run` replays one workflow, and several files are named",
        };
        return Err(End::Wrong(Diagnostic::new("flow::cli::usage", message).help(format!(
            "write `flow test FILE --from-run {}`, FILE being the script of the workflow",
            options.recorded
        ))));
    };
    let file = path.display().to_string();
    let script = input::script(&file)?;
    let again = look()?.test_again(&script, &options)?;
    out::print(&if json { format!("{}\n", object(&file, &again)) } else { text(&file, &again) })?;
    Ok(u8::from(!again.differences.is_empty()))
}

fn text(file: &str, again: &Again) -> String {
    let look = out::results_look();
    let mut text = String::new();
    for (_, problem) in again.differences.iter().take(SHOWN) {
        text.push_str(&diagnostic(problem, look));
        text.push('\n');
    }
    if again.differences.len() > SHOWN {
        text.push_str(&format!("… and {} more; `--json` has all\n\n", again.differences.len() - SHOWN));
    }
    for hint in &again.hints {
        text.push_str(&format!("note: {hint}\n"));
    }
    text.push_str(&view::went_again(file, again.differences.len(), &counts(again), &again.recorded, again.took, look));
    text
}

/// What was compared, in words.
fn counts(again: &Again) -> String {
    let count = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let mut parts = vec![count(again.steps, "step", "steps"), count(again.decisions, "decision", "decisions")];
    if again.retries > 0 {
        parts.push(count(again.retries, "retry", "retries"));
    }
    if again.agents > 0 {
        parts.push(count(again.agents, "answer of an agent", "answers of agents"));
    }
    parts.join(", ")
}

fn object(file: &str, again: &Again) -> serde_json::Value {
    let difference = |(one, problem): &(crate::flow::WayDifference, Diagnostic)| {
        let error = problem.to_json();
        serde_json::json!({
            "step": one.step,
            "what": one.what,
            "recorded": one.recorded,
            "now": one.now,
            "place": error["labels"].get(0),
        })
    };
    serde_json::json!({
        "file": file,
        "recorded": again.recorded,
        "same": again.differences.is_empty(),
        "steps": again.steps,
        "decisions": again.decisions,
        "retries": again.retries,
        "agents": again.agents,
        "duration_ms": again.took.as_millis() as u64,
        "differences": again.differences.iter().map(difference).collect::<Vec<_>>(),
        "hints": again.hints,
    })
}
