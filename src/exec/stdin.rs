//! What a process reads from its standard input: never ours.

use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::event::{Failure, Log, Output};
use crate::plan::{Json, StepId, Value};
use crate::state::result::plain_text;
use crate::state::{Body, StepResult, resolve};

use super::Job;
use super::capture::{Logs, store_failure};
use super::secrets::Secrets;

/// What fits into any pipe at once, whatever the system's limits: so it can be written before anybody reads.
const FITS_A_PIPE: usize = 4096;

/// The standard input of a job: `.stdin(…)`, else the chain's input, else nothing.
///
/// The output of one process goes to the next as the bytes that it wrote, straight from its log.
pub(super) fn open(job: &Job, logs: &Logs, secrets: &Secrets) -> Result<Option<OwnedFd>, Failure> {
    let given = job.policy.as_ref().and_then(|policy| policy.stdin.as_ref());
    let given = given.map(|value| secrets.reveal(value)).transpose()?;
    let given = given.as_deref();
    let step = match given {
        Some(value) => whole_output(value),
        None => match job.input.as_slice() {
            [] => return Ok(None),
            [one] => Some(*one),
            _ => None,
        },
    };
    if let Some(file) = step.and_then(|step| job.inputs.get(step)).and_then(|result| written(result))
        // A log may have been removed since; then the output in the event must do.
        && let Ok(file) = File::open(job.site.folder.join(&file.file))
    {
        return Ok(Some(file.into()));
    }
    let text = match given {
        // A value is given as it is; what comes from a step ends its last line, as a program's output does.
        Some(value) if step.is_none() => plain_text(&resolve(value, &job.inputs)?),
        Some(value) => as_lines(resolve(value, &job.inputs)?),
        None => as_lines(job.input()?.unwrap_or(Json::Null)),
    };
    bytes(text.as_bytes(), logs, job.site.hides())
}

/// The step whose whole output a value is.
pub(super) fn whole_output(value: &Value) -> Option<StepId> {
    match value {
        Value::Step(step) => Some(*step),
        Value::Ref(reference) if reference.path.is_empty() && matches!(&*reference.property, "output" | "text") => {
            Some(reference.step)
        }
        _ => None,
    }
}

/// The file in which a process, or the last one of a group, wrote its output.
pub(super) fn written(result: &StepResult) -> Option<&Log> {
    match &result.body {
        Body::Task => {
            let outcome = result.outcome.as_ref()?;
            if outcome.agent.is_some() {
                // What its program printed is not what it said.
                return None;
            }
            match (&outcome.stdout, &outcome.output) {
                // What an agent's program printed is not its answer.
                (Some(_), Output::File { log, .. }) if outcome.agent.is_some() => Some(log),
                (Some(_), _) if outcome.agent.is_some() => None,
                (Some(log), _) | (None, Output::File { log, .. }) => Some(log),
                _ => None,
            }
        }
        Body::Same(result) => written(result),
        Body::Nothing | Body::Board(_) | Body::List(_) | Body::Map(_) | Body::Value(..) => None,
    }
}

fn as_lines(value: Json) -> String {
    let mut text = plain_text(&value);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// A stream of these bytes. No thread writes them and nothing can block: they are all there when the process begins.
pub(super) fn bytes(bytes: &[u8], logs: &Logs, hidden: bool) -> Result<Option<OwnedFd>, Failure> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.len() <= FITS_A_PIPE {
        let pipe = || {
            let (reader, mut writer) = io::pipe()?;
            writer.write_all(bytes)?;
            io::Result::Ok(reader)
        };
        if let Ok(reader) = pipe() {
            return Ok(Some(reader.into()));
        }
    }
    let path = logs.path("in");
    let file = || {
        if hidden {
            // What may hold a secret never is in a file, not even for a moment.
            let mut memory = File::from(memfd_create("flow-input", MemfdFlags::CLOEXEC)?);
            memory.write_all(bytes)?;
            memory.rewind()?;
            return Ok(memory);
        }
        fs::write(&path, bytes)?;
        let file = File::open(&path)?;
        // The open file stays readable without a name.
        fs::remove_file(&path)?;
        Ok(file)
    };
    file().map(|file| Some(file.into())).map_err(|error| store_failure("write", &path, &error))
}
