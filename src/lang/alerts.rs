//! Alerts: what is watched of a stream or a pipeline while it runs, and what runs when it is out of bounds.

use rhai::{Dynamic, Map, NativeCallContext};

use super::fault::{Fault, raise};
use super::handle::Step;
use super::options::{Options, here, wrong};
use super::{combine, keys, session};
use crate::diag::{Diagnostic, Span};
use crate::plan::{Alert, Metric, OnAlert, Severity, Task};

/// `alert(#{ of: step, … })`
pub fn of(context: &NativeCallContext, map: &Map) -> Result<Step, Fault> {
    let span = here(context);
    let mut rest = map.clone();
    let Some(of) = rest.remove("of") else {
        return Err(raise(
            Diagnostic::new("flow::lang::option", "`alert` does not say what it watches")
                .label(span, "here")
                .help("`alert(#{ of: step, metric: \"error_rate\", above: 0.1 })`, or `step.alert(#{ … })`"),
        ));
    };
    let step = combine::target(context, &of)?;
    add(context, &step, &rest.into())
}

/// `step.alert(#{…})`
pub fn add(context: &NativeCallContext, step: &Step, given: &Dynamic) -> Result<Step, Fault> {
    let span = here(context);
    let map = given
        .read_lock::<Map>()
        .map(|map| map.clone())
        .ok_or_else(|| wrong("`alert`", "a map such as `#{ metric: \"error_rate\", above: 0.1 }`", given, span))?;
    let mut options = Options::of(&keys::ALERT, &map, span);
    let metric = options.choice("metric", &Metric::ALL)?;
    let (above, below) = (number(&mut options, "above", span)?, number(&mut options, "below", span)?);
    let for_ms = options.duration("for")?.unwrap_or(0);
    let stage = options.text("stage")?.map(Into::into);
    let severity = options.choice("severity", &Severity::ALL)?.unwrap_or_default();
    let action = options.take("do");
    options.done()?;
    let Some(metric) = metric else {
        let all = Metric::ALL.map(|(name, _)| name).join(", ");
        return Err(raise(
            Diagnostic::new("flow::lang::option", "`alert` does not say which figure it watches")
                .label(span, "here")
                .help(format!("give a `metric`, one of: {all}")),
        ));
    };
    bounds(metric, above, below, span)?;
    let action = action.map(|action| combine::target(context, &action)).transpose()?;
    session::build(context, |builder, span| {
        let id = step.id(builder);
        let id = builder.worker(id);
        let watched = builder.step(id);
        if !matches!(&*watched.task, Task::Stream(_) | Task::Pipeline(_)) {
            return Err(Diagnostic::new(
                "flow::plan::alert",
                format!("`{}` has no figures that an alert could watch", watched.name),
            )
            .label(span, format!("this is a step of kind `{}`", watched.task.kind()))
            .help("alerts watch a stream, `(a |> b).alert(…)`, or a `pipeline`; to be told of a failure: `.on_failure(step)`; of a step that takes too long: `.timeout(…)`"));
        }
        let number = watched.policy().alerts.len() as u32;
        let action = match action {
            None => None,
            Some(action) => {
                let action = action.id(builder);
                acts(builder, action, id, span)?;
                builder.step_mut(action).on_alert = Some(OnAlert { step: id, alert: number });
                Some(action)
            }
        };
        builder.step_mut(id).policy_mut().alerts.push(Alert {
            metric,
            stage,
            above,
            below,
            for_ms,
            severity,
            action,
            span,
        });
        Ok(())
    })?;
    Ok(step.clone())
}

/// Can a step be what an alert starts?
fn acts(
    builder: &crate::plan::Builder,
    action: crate::plan::StepId,
    watched: crate::plan::StepId,
    span: Span,
) -> Result<(), Diagnostic> {
    let step = builder.step(action);
    let problem = |message: String| {
        Diagnostic::new("flow::plan::alert", message).label(span, "asked for here").label(step.span, "declared here")
    };
    if action == watched {
        return Err(problem(format!("`{}` cannot be started by its own alert", step.name))
            .help("declare a step of its own: `do: sh(\"page\", \"./page.sh\")`"));
    }
    if let Some(on) = step.on_alert {
        return Err(problem(format!(
            "`{}` is started by an alert of `{}` already",
            step.name,
            builder.step(on.step).name
        ))
        .help("declare a step for each alert"));
    }
    if let Some(owner) = step.parent.map(|owner| builder.step(owner)) {
        return Err(problem(format!(
            "`{}` belongs to `{}` already, so an alert cannot start it",
            step.name, owner.name
        ))
        .label(owner.span, "it belongs to this")
        .help("declare a step of its own for the alert"));
    }
    Ok(())
}

fn number(options: &mut Options, key: &'static str, span: Span) -> Result<Option<f64>, Fault> {
    let Some(value) = options.take(key) else { return Ok(None) };
    let number = value.as_float().ok().or_else(|| value.as_int().ok().map(|whole| whole as f64));
    let number = number.filter(|number| number.is_finite());
    number.map(Some).ok_or_else(|| wrong(&format!("`{key}` of alert"), "a number", &value, span))
}

/// Bounds that say something.
fn bounds(metric: Metric, above: Option<f64>, below: Option<f64>, span: Span) -> Result<(), Fault> {
    let name = metric.name();
    let refuse = |message: String, word: &str, help: String| {
        Err(raise(Diagnostic::new("flow::lang::option", message).label_word(span, word, "given here").help(help)))
    };
    match (above, below) {
        (None, None) => refuse(
            format!("the alert for `{name}` has no bound"),
            name,
            "say when it is raised: `above: …`, or `below: …`".into(),
        ),
        (Some(above), Some(below)) if above <= below => refuse(
            format!("the alert for `{name}` is always raised: every figure is above {above} or below {below}"),
            "above",
            format!("what is between the two is well: `below: {above}, above: {below}`"),
        ),
        (Some(above), _) if metric == Metric::ErrorRate && above >= 1.0 => refuse(
            format!("an error rate is never above {above}: it is a share, from 0 to 1"),
            "above",
            "a tenth is `0.1`".into(),
        ),
        (_, Some(below)) if below <= 0.0 => {
            refuse(format!("`{name}` is never below {below}"), "below", "give a bound greater than 0".into())
        }
        _ => Ok(()),
    }
}
