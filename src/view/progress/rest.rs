//! How long the rest of a run will probably take.

use crate::plan::{StepId, Task};
use crate::state::RunState;

/// No duration is known.
pub(super) const UNKNOWN: u64 = u64::MAX;

/// With more steps than this, only the amount of work counts, not the way through the graph.
const WALKED: usize = 2_000;

/// Milliseconds until the end, from expected durations by step; nothing if they are known for less than half of the
/// steps that are open. The longer of two bounds: the work left over the steps that may run at once, and the
/// longest way through the graph that is left (Graham 1966 shows that no list schedule takes longer than their sum).
pub(super) fn rest(state: &RunState, expected: &[u64], parallel: usize, now: u64) -> Option<u64> {
    let left = |id: StepId| {
        let step = state.step(id);
        let known = expected.get(id.index()).copied().filter(|ms| *ms != UNKNOWN).unwrap_or(0);
        match step.status {
            status if status.is_final() => 0,
            crate::state::Status::Running => known.saturating_sub(now.saturating_sub(step.started_at)),
            _ => known,
        }
    };
    let (mut open, mut known, mut work) = (0, 0, 0u64);
    let ids = || state.plan.ids().filter(|id| !state.plan.step(*id).task.is_group() && state.is_listed(*id));
    for id in ids().filter(|id| !state.step(*id).status.is_final()) {
        open += 1;
        known += usize::from(expected.get(id.index()).is_some_and(|ms| *ms != UNKNOWN));
        work = work.saturating_add(left(id));
    }
    if open == 0 || known * 2 < open {
        return None;
    }
    let by_work = work / parallel.max(1) as u64;
    if state.plan.steps.len() > WALKED {
        return Some(by_work);
    }
    let mut way = Way { state, left: &left, ends: vec![None; state.plan.steps.len()] };
    let by_way = ids().map(|id| way.end(id)).max().unwrap_or(0);
    Some(by_work.max(by_way))
}

struct Way<'a> {
    state: &'a RunState,
    left: &'a dyn Fn(StepId) -> u64,
    ends: Vec<Option<u64>>,
}

impl Way<'_> {
    /// When the step will be over, if places to run are no matter.
    fn end(&mut self, id: StepId) -> u64 {
        if let Some(end) = self.ends[id.index()] {
            return end;
        }
        // Also an answer for the case that a plan goes in a circle, which checks rule out.
        self.ends[id.index()] = Some(0);
        let end = if self.state.plan.step(id).task.is_group() {
            let children = self.state.plan.members(id);
            let inner = children.into_iter().map(|child| self.end(child)).max().unwrap_or(0);
            inner.max(self.start(id))
        } else {
            self.start(id) + (self.left)(id)
        };
        self.ends[id.index()] = Some(end);
        end
    }

    fn start(&mut self, id: StepId) -> u64 {
        let state = self.state;
        let step = state.plan.step(id);
        let before = step.after.iter().map(|edge| self.end(edge.from)).max().unwrap_or(0);
        let Some(parent) = step.parent else { return before };
        let outer = self.start(parent);
        let read = match &*state.plan.step(parent).task {
            Task::Flow(branches) => {
                let steps: Vec<_> = branches.iter().flat_map(|b| b.when.iter().flat_map(|w| w.steps())).collect();
                steps.into_iter().map(|step| self.end(step)).max().unwrap_or(0)
            }
            _ => 0,
        };
        before.max(outer).max(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diag::Span;
    use crate::event::Event;
    use crate::plan::{EdgeKind, Growth, Json, Step, Value};

    /// `a -> b`, and `c` beside them.
    fn state() -> RunState {
        let step = |name: &str| Step::new(name, Task::Const(Value::Plain(Json::Null)), Span::default());
        let mut steps = vec![step("a"), step("b"), step("c")];
        steps[1].add_edge(StepId(0), EdgeKind::Order);
        let mut state = RunState::default();
        let growth = Growth { steps, complete: true, ..Growth::default() };
        state.apply(0, &Event::Planned { of: None, growth: Box::new(growth) });
        state
    }

    #[test]
    fn the_longer_of_work_and_way_counts() {
        let state = state();
        assert_eq!(rest(&state, &[1_000, 2_000, 2_000], 1, 0), Some(5_000));
        assert_eq!(rest(&state, &[1_000, 2_000, 2_000], 8, 0), Some(3_000));
        assert_eq!(rest(&state, &[1_000, UNKNOWN, UNKNOWN], 8, 0), None);
    }

    #[test]
    fn what_has_been_done_counts_no_more() {
        let mut state = state();
        state.apply(1_000, &Event::Started { step: StepId(0), attempt: 1 });
        assert_eq!(rest(&state, &[1_000, 2_000, 0], 8, 1_400), Some(2_600));
        state.apply(2_000, &Event::Finished { step: StepId(0), attempt: 1, outcome: Arc::default() });
        assert_eq!(rest(&state, &[1_000, 2_000, 0], 8, 2_000), Some(2_000));
    }
}
