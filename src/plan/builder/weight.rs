//! Agents that say how much memory they may have count against the limit `memory`, if the script has one of sizes.

use super::Builder;
use crate::plan::{StepId, Task};

/// The limit's name.
const MEMORY: &str = "memory";

impl Builder {
    /// Gives new agents their shares of the limit, unless they say themselves how many they want.
    pub(super) fn weigh_agents(&mut self) {
        if ![&self.header, &self.base.header].iter().any(|header| header.sizes.contains(MEMORY)) {
            return;
        }
        let new = (self.base.steps.len() + self.sent..self.len()).map(|id| StepId(id as u32));
        let weight = |id: StepId| match &*self.step(id).task {
            Task::Agent(ask) => ask.agent.max_memory.map(|bytes| (id, bytes)),
            _ => None,
        };
        let weights: Vec<(StepId, u64)> = new.filter_map(weight).collect();
        for (id, bytes) in weights {
            let limits = &mut self.step_mut(id).policy_mut().limits;
            if !limits.iter().any(|(name, _)| name == MEMORY) {
                limits.push((MEMORY.into(), u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX)));
            }
        }
    }
}
