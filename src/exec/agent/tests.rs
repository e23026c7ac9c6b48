//! What the tests of all backends need.

use std::path::Path;

use crate::event::{AgentError, AgentEvent};
use crate::plan::Agent;

use super::{Brief, Call, Dialect, Driver, Errand, Launch};

/// A task for an agent that says nothing more.
pub(super) fn brief(agent: &Agent) -> Brief<'_> {
    Brief {
        agent,
        model: None,
        system: None,
        prompt: "Do it".to_owned(),
        schema: None,
        session: None,
        command: Vec::new(),
        args: Vec::new(),
        base_url: None,
        api_key: None,
        allowance: None,
        folder: Path::new("/attempt"),
        live: false,
    }
}

/// The program that is to be started.
pub(super) fn launch(driver: &dyn Driver, brief: &Brief<'_>) -> Launch {
    match driver.errand(brief).expect("it can be done") {
        Errand::Program(launch) => launch,
        Errand::Request(_) => panic!("it is a program"),
    }
}

/// The request that is to be sent.
pub(super) fn call(driver: &dyn Driver, brief: &Brief<'_>) -> Call {
    match driver.errand(brief).expect("it can be done") {
        Errand::Request(call) => call,
        Errand::Program(_) => panic!("it is a request"),
    }
}

/// The events of these lines.
pub(super) fn events(mut dialect: impl Dialect, lines: &[&str]) -> Vec<AgentEvent> {
    let mut out = Vec::new();
    lines.iter().for_each(|line| dialect.line(line.as_bytes(), &mut out));
    dialect.end(&mut out);
    out
}

/// Why these lines end without an answer.
pub(super) fn finished(dialect: impl Dialect, lines: &[&str]) -> AgentError {
    match events(dialect, lines).pop() {
        Some(AgentEvent::Finished { text: None, error: Some(error), structured: None }) => error,
        other => panic!("no failure: {other:?}"),
    }
}
