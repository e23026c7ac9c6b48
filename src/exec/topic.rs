//! `on_event`: what its closure gets, and whose publication each of its children is for.

use std::sync::Arc;

use crate::plan::{Growth, Json, Plan, StepId, Task};

/// What a closure gets to know of a publication.
pub(super) fn event(plan: &Plan, from: StepId, number: u32, value: Json) -> Json {
    let topic = match &*plan.step(from).task {
        Task::Publish(publish) => publish.topic.as_str(),
        _ => "",
    };
    serde_json::json!({ "topic": topic, "value": value, "from": plan.path(from), "number": number })
}

/// Writes down who published what the new child of a group is for.
pub(super) fn heard(growth: &mut Growth, group: StepId, from: Option<StepId>) {
    let changed = growth.changed.iter_mut().find(|(id, _)| *id == group);
    if let (Some((_, step)), Some(from)) = (changed, from)
        && let Task::OnEvent(on) = Arc::make_mut(&mut step.task)
    {
        on.of.push(from);
    }
}
