//! `--agents`: who answers, in words.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::answers::Answers;
use super::{Recorded, gather, read};
use crate::diag::{Diagnostic, Result};
use crate::exec::agent::Recordings;
use crate::flow::Flow;

/// What `--agents` takes, in a line.
pub const WHAT_ANSWERS: &str =
    "`live`, `recorded:RUN` or `recorded:FILE`; `,timing` behind a recording keeps its pauses";

const RECORDED: &str = "recorded:";
const TIMING: &str = ",timing";

/// A recording that is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// A run, or a file.
    pub what: String,
    /// With the original timing.
    pub timing: bool,
}

impl Named {
    /// What is meant by a text. Nothing: the agents themselves.
    ///
    /// # Errors
    /// `flow::run::agents` if it means nothing.
    pub fn parse(text: &str) -> Result<Option<Named>> {
        let wrong = |help: String| {
            let message = format!("`--agents {text}` does not say who answers");
            Err(Diagnostic::new("flow::run::agents", message).help(help))
        };
        if text == "live" {
            return Ok(None);
        }
        let Some(what) = text.strip_prefix(RECORDED) else {
            let word = text.split(':').next().unwrap_or(text);
            let near = match word {
                "recorded" => Some("recorded:"),
                word => crate::diag::nearest(word, ["live", "recorded"]),
            };
            let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
            return wrong(format!("{near}It takes {WHAT_ANSWERS}"));
        };
        let (what, timing) = match what.strip_suffix(TIMING) {
            Some(what) => (what, true),
            None => (what, false),
        };
        if what.is_empty() {
            return wrong("name a run or a file behind the colon: `--agents recorded:last`".into());
        }
        Ok(Some(Named { what: what.to_owned(), timing }))
    }

    /// The text that stands for it in the log of a run.
    fn text(&self) -> String {
        format!("{RECORDED}{}{}", self.what, if self.timing { TIMING } else { "" })
    }
}

impl Flow {
    /// A recorded run: a file, or a run of the store (an id, a unique beginning of one, or `last`).
    ///
    /// # Errors
    /// That there is neither; or what is wrong in the file.
    pub fn recorded_run(&self, what: &str) -> Result<Recorded> {
        let path = Path::new(what);
        if path.is_file() || what.contains(['/', '.']) {
            return read::read_file(path);
        }
        let run = match self.find(what) {
            Ok(run) => run,
            Err(problem) => {
                let help = problem.help_text().map_or(String::new(), |help| format!("{help}; "));
                let message = format!("{}, and there is no file `{what}`", problem.message());
                return Err(Diagnostic::new("flow::run::unknown", message)
                    .help(format!("{help}`flow agents record RUN -o FILE` writes a file")));
            }
        };
        let records = self.records(&run, 0)?;
        Ok(gather::gather(&format!("run {run}"), &records, self.files(&run)?))
    }

    /// Who is to answer in place of agents, so that it means the same later and elsewhere: a whole id, an absolute path.
    /// Nothing: nobody, they answer themselves.
    ///
    /// # Errors
    /// What is wrong with what was named. Then nothing was executed.
    pub(in crate::flow) fn who_answers(&self, agents: Option<&str>) -> Result<Option<String>> {
        let Some(named) = agents.map(Named::parse).transpose()?.flatten() else { return Ok(None) };
        let recorded = self.recorded_run(&named.what)?;
        if recorded.asked().next().is_none() {
            let message = format!("no agent was asked in {}", recorded.name);
            return Err(Diagnostic::new("flow::run::agents", message)
                .help("name a run in which agents answered; `flow runs` lists the runs, `flow show RUN` their steps"));
        }
        let what = match recorded.head.file.is_empty() {
            true => {
                std::path::absolute(&named.what).unwrap_or_else(|_| PathBuf::from(&named.what)).display().to_string()
            }
            false => recorded.head.run.clone(),
        };
        Ok(Some(Named { what, ..named }.text()))
    }

    /// Is a run that is to go on one whose agents are answered for like this? (`live`, where nothing was said, fits any.)
    ///
    /// # Errors
    /// `flow::run::other` if it began otherwise; what is wrong with what was named.
    pub fn answered_as(&self, run: &str, agents: &str) -> Result<()> {
        let Some(wanted) = self.who_answers(Some(agents))? else { return Ok(()) };
        let began = self.state(run)?.created.agents;
        if began.as_ref() == Some(&wanted) {
            return Ok(());
        }
        let began =
            began.map_or("with agents that answer themselves".to_owned(), |began| format!("with `--agents {began}`"));
        let run = self.find(run)?;
        Err(Diagnostic::new("flow::run::other", format!("run `{run}` began {began}, not with `--agents {wanted}`"))
            .help(format!(
                "`flow resume {run}` goes on with it as it began; once it is cancelled, a new one can begin"
            )))
    }

    /// What answers in place of agents, as the log of a run says.
    ///
    /// # Errors
    /// As [`Flow::who_answers`]: the file, or the run, may be gone since.
    pub(in crate::flow) fn recordings(&self, agents: Option<&str>) -> Result<Option<Arc<dyn Recordings>>> {
        let Some(named) = agents.map(Named::parse).transpose()?.flatten() else { return Ok(None) };
        let recorded = Arc::new(self.recorded_run(&named.what)?);
        Ok(Some(Arc::new(Answers { recorded, timing: named.timing, without_files: false })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_understood_or_refused_with_a_way_out() {
        let named = |what: &str, timing| Some(Named { what: what.into(), timing });
        for (text, is) in [
            ("live", None),
            ("recorded:last", named("last", false)),
            ("recorded:a/b.ndjson", named("a/b.ndjson", false)),
            ("recorded:a,b,timing", named("a,b", true)),
        ] {
            let parsed = Named::parse(text).expect("it is understood");
            assert_eq!(parsed, is);
            assert!(parsed.is_none_or(|named| named.text() == text));
        }
        for (text, helps) in [
            ("recorded", "did you mean `recorded:`?"),
            ("recoded:last", "did you mean `recorded`?"),
            ("recorded:", "name a run or a file"),
            ("lve", "did you mean `live`?"),
            ("", "It takes `live`"),
        ] {
            let problem = Named::parse(text).expect_err("it is refused");
            assert!(problem.help_text().is_some_and(|help| help.contains(helps)), "{text}: {:?}", problem.help_text());
        }
    }
}
