//! What follows when something was said to a run: the process that works on the run takes it, or this one takes the run up.

use std::time::Duration;

use serde_json::json;

use super::options::Options;
use super::{Done, End, follow, out};
use crate::diag::Diagnostic;
use crate::flow::{Addressee, Flow, Posted, Taken};
use crate::plan::Json;
use crate::state::Status;
use crate::state::result::plain_text;

/// How long a process that works on the run may take until it looks.
const PATIENCE: Duration = Duration::from_secs(5);

/// How it is said.
#[derive(clap::Args)]
pub struct Deliver {
    /// Who says it. Default: FLOW_USER, else the user and the machine
    #[arg(long, value_name = "NAME")]
    pub by: Option<String>,
    /// Do not take the run up if no process works on it
    #[arg(long)]
    no_resume: bool,
}

/// Sees to it that what was said is taken. Gives the exit code.
pub fn deliver(flow: &Flow, posted: &Posted, how: &Deliver, options: &Options) -> Done {
    loop {
        let (taken, said) = match flow.taken(posted, PATIENCE)? {
            Taken::By(path) => (true, format!("`{path}` goes on")),
            Taken::Kept if posted.early => (false, "no step of the plan waits for it so far; it is kept".to_owned()),
            Taken::Kept => (false, "no step waits for it yet; it is kept until one does".to_owned()),
            Taken::NotYet => (false, "the process that works on the run has not taken it yet".to_owned()),
            Taken::TooLate(status) => return Err(End::Wrong(too_late(posted, status))),
            Taken::Nobody if flow.summary(&posted.run)?.status.is_final() => {
                return Err(End::Wrong(too_late(posted, Status::Cancelled)));
            }
            Taken::Nobody if how.no_resume => (false, format!("kept; go on with: flow resume {}", posted.run)),
            Taken::Nobody => match follow::resume(flow, &posted.run, None, Vec::new(), options) {
                // Somebody else was faster: it is told to them.
                Err(End::Wrong(problem)) if problem.code() == "flow::run::busy" => continue,
                other => return other,
            },
        };
        if options.wait && taken {
            return follow::watch(flow, &posted.run, options);
        }
        if options.json {
            out::print(&format!("{}\n", object(posted, taken)))?;
        } else if !options.quiet {
            out::tell(&format!("run {}: {}: {said}\n", posted.run, words(posted)));
        }
        return Ok(0);
    }
}

/// ``gate` is answered `yes` by ann``
fn words(posted: &Posted) -> String {
    let answer = &posted.letter.answer;
    let value = match plain_text(&answer.value) {
        value if value.is_empty() => String::new(),
        value => format!(" `{value}`"),
    };
    match &posted.letter.to {
        Addressee::Step { path, .. } => format!("`{path}` is answered{value} by {}", answer.by),
        Addressee::Signal(name) => {
            let with = if value.is_empty() { "" } else { " with" };
            format!("the signal `{name}`{with}{value} is sent by {}", answer.by)
        }
    }
}

fn object(posted: &Posted, taken: bool) -> Json {
    let answer = &posted.letter.answer;
    let mut object = json!({ "run": posted.run });
    match &posted.letter.to {
        Addressee::Step { path, .. } => object["step"] = path.as_str().into(),
        Addressee::Signal(name) => object["signal"] = name.as_str().into(),
    }
    object["value"] = answer.value.clone();
    if !answer.form.is_empty() {
        object["form"] = answer.form.clone().into();
    }
    object["by"] = answer.by.as_str().into();
    object["at"] = answer.at.into();
    object["taken"] = taken.into();
    object
}

/// The step or the run ended before it was taken.
fn too_late(posted: &Posted, status: Status) -> Diagnostic {
    let what = match &posted.letter.to {
        Addressee::Step { path, .. } => format!("`{path}` was {} before the answer came", status.name()),
        Addressee::Signal(name) => format!("the run ended before the signal `{name}` came"),
    };
    Diagnostic::new("flow::answer::late", what).help(format!("`flow show {}` shows what happened", posted.run))
}
