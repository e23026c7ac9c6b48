//! Places in the script, as a person writes them: `deploy.rhai:12`.

use crate::diag::{Sources, Span};
use crate::plan::{Plan, StepId};

/// `deploy.rhai:12`, or nothing where the place is not known.
pub fn place(plan: &Plan, span: Span) -> Option<String> {
    let file = plan.header.files.get(span.file as usize)?;
    span.is_known().then(|| format!("{}:{}", file.name, span.line))
}

/// The line of the script at a place, without the blanks around it.
pub(super) fn script_line(sources: &Sources, span: Span) -> Option<&str> {
    let (_, text) = sources.get(span.file)?;
    let line = text.lines().nth((span.line as usize).checked_sub(1)?)?.trim();
    (!line.is_empty()).then_some(line)
}

/// Is the output of this step, or of a group around it, not to be shown?
pub fn is_secret(plan: &Plan, id: StepId) -> bool {
    plan.is_secret(id)
}
