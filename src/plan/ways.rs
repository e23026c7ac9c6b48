//! The ways through a plan, as data. They are found by `engine::ways`.

use super::StepId;

/// All ways, or as many as were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ways {
    /// In the order in which they were found: the first answers every condition with yes.
    pub ways: Vec<Way>,
    /// There are more than these.
    pub more: bool,
}

/// One way through a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Way {
    /// The answers that lead to it, in the order in which they are asked for.
    pub choices: Vec<Choice>,
    /// The tasks that run, in the order in which they begin.
    pub steps: Vec<StepId>,
    /// From the start to the end, in milliseconds.
    pub ms: u64,
    /// Does the run fail, although all goes well that can?
    pub fails: bool,
}

/// The answer of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The flow, or the step with a condition of its own.
    pub step: StepId,
    /// The branch of the flow; nothing for a step's own condition.
    pub branch: Option<u32>,
    /// What it is.
    pub yes: bool,
}
