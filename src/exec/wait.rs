//! Tasks that wait for something from outside: what it is, with results filled in.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::{Done, Job};
use crate::event::{Failure, FailureKind, WaitFor};
use crate::plan::{Json, Task};
use crate::state::resolve;
use crate::state::result::{plain_text, shorten};

/// For what a task waits, as what is reported of its attempt.
pub(super) fn waits(job: &Job) -> Result<Done, Failure> {
    waits_at(job, Timestamp::now().as_millisecond().max(0) as u64)
}

/// The same, at a time in milliseconds since 1970.
pub(super) fn waits_at(job: &Job, now: u64) -> Result<Done, Failure> {
    let mut delay_ms = None;
    let what = match &*job.task {
        Task::Approve(approve) => {
            let prompt = approve.prompt.as_ref().map(|prompt| resolve(prompt, &job.inputs)).transpose()?;
            let refusable = approve.choices.is_empty();
            WaitFor::Answer {
                prompt: prompt.map(|prompt| plain_text(&prompt)).unwrap_or_default(),
                choices: if refusable { vec!["yes".into(), "no".into()] } else { approve.choices.clone() },
                form: approve.form.clone(),
                refusable,
                on_timeout: approve.on_timeout.clone(),
            }
        }
        Task::Signal(wait) => WaitFor::Signal { name: wait.signal.clone(), on_timeout: wait.on_timeout.clone() },
        Task::WaitFor(wait) => {
            let file = plain_text(&resolve(&wait.file, &job.inputs)?);
            let path = job.site.cwd.join(file).display().to_string();
            WaitFor::File { path, on_timeout: wait.on_timeout.clone() }
        }
        Task::WaitUntil(moment) => {
            let ms = until(&resolve(moment, &job.inputs)?)?.saturating_sub(now as i64);
            delay_ms = Some(ms.max(0) as u64);
            WaitFor::Time
        }
        task => {
            return Err(Failure::new(FailureKind::Script, format!("`{}` waits for nothing", task.kind()))
                .help("this is a mistake in flow; please report it"));
        }
    };
    Ok(Done::Waits { step: job.step, attempt: job.attempt, what, delay_ms })
}

/// A moment in milliseconds since 1970: a number of them, or a date and a time; without an offset, in local time.
fn until(moment: &Json) -> Result<i64, Failure> {
    if let Some(ms) = moment.as_i64() {
        return Ok(ms);
    }
    let text = plain_text(moment);
    let local = |at: DateTime| at.to_zoned(TimeZone::system()).map(|at| at.timestamp()).ok();
    let at = text
        .parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse::<Zoned>().ok().map(|at| at.timestamp()))
        .or_else(|| text.parse::<DateTime>().ok().and_then(local));
    at.map(Timestamp::as_millisecond).ok_or_else(|| {
        Failure::new(FailureKind::Input, format!("`{}` is no moment", shorten(&text, 40)))
            .help("write a date and a time: `2030-01-31 09:00`, or with an offset `2030-01-31T09:00+01:00`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        assert_eq!(until(&1_900_000_000_000u64.into()).expect("a number"), 1_900_000_000_000);
        assert_eq!(until(&"2030-01-31T09:00Z".into()).expect("with an offset"), 1_896_080_400_000);
        assert_eq!(until(&"2030-01-31T09:00:00+01:00".into()).expect("with an offset"), 1_896_076_800_000);
        assert!(until(&"2030-01-31 09:00".into()).is_ok());
        assert!(until(&"2030-01-31".into()).is_ok());
        assert!(until(&"tomorrow".into()).is_err_and(|failure| failure.help.is_some()));
    }
}
