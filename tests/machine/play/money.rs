//! Budgets, read naively: everything is added up anew each time, from the events alone.

use std::collections::BTreeMap;

use flow::event::{Event, FailureKind, Usage};
use flow::plan::{Budget, StepId, Task};
use flow::state::Status;

use super::Play;

/// What a budget covers, and what it allows: turns and tokens.
struct Around {
    scope: Option<StepId>,
    most: [Option<u64>; 2],
}

fn figures(usage: &Usage) -> [u64; 2] {
    [usage.turns, usage.tokens.total()]
}

fn bounds(budget: &Budget) -> [Option<u64>; 2] {
    [budget.turns, budget.tokens]
}

impl Play {
    fn is_agent(&self, id: StepId) -> bool {
        matches!(*self.shadow.plan.step(id).task, Task::Agent(_))
    }

    fn is_under(&self, id: StepId, scope: Option<StepId>) -> bool {
        let plan = &self.shadow.plan;
        scope.is_none_or(|scope| std::iter::successors(Some(id), |id| plan.step(*id).parent).any(|id| id == scope))
    }

    /// What each attempt has used: by its end, or else by what it told last.
    fn books(&self) -> BTreeMap<(StepId, u32), Usage> {
        let mut books = BTreeMap::new();
        for record in &self.records {
            match &*record.event {
                Event::Used(used) => {
                    books.insert((used.step, used.attempt), used.usage);
                }
                Event::Finished { step, attempt, outcome } | Event::Retrying { step, attempt, outcome, .. } => {
                    if let Some(report) = &outcome.agent {
                        books.insert((*step, *attempt), report.usage);
                    }
                }
                _ => {}
            }
        }
        books
    }

    fn spent(&self, scope: Option<StepId>) -> [u64; 2] {
        let mut sum = [0, 0];
        for ((step, _), usage) in self.books() {
            if self.is_under(step, scope) {
                let [turns, tokens] = figures(&usage);
                sum = [sum[0] + turns, sum[1] + tokens];
            }
        }
        sum
    }

    /// What an agent says itself, less what it has used.
    fn own_left(&self, id: StepId) -> [Option<u64>; 2] {
        let step = self.shadow.plan.step(id);
        let Task::Agent(ask) = &*step.task else { return [None, None] };
        let both = [ask.agent.budget, step.policy().budget];
        let spent = self.spent(Some(id));
        [0, 1].map(|unit| {
            let most = both.iter().flatten().filter_map(|budget| bounds(budget)[unit]).min()?;
            Some(most.saturating_sub(spent[unit]))
        })
    }

    /// What those that run may still use.
    fn reserved(&self, scope: Option<StepId>) -> [u64; 2] {
        let plan = &self.shadow.plan;
        let runs = |id: &StepId| self.is_agent(*id) && self.shadow.step(*id).status == Status::Running;
        let all: Vec<[Option<u64>; 2]> =
            plan.ids().filter(runs).filter(|id| self.is_under(*id, scope)).map(|id| self.own_left(id)).collect();
        [0, 1].map(|unit| all.iter().filter_map(|left| left[unit]).sum())
    }

    fn around(&self, id: StepId) -> Vec<Around> {
        let plan = &self.shadow.plan;
        let mut all = Vec::new();
        for other in plan.ids().filter(|other| !plan.step(*other).retired) {
            let step = plan.step(other);
            match &*step.task {
                Task::Budget(budget) => all.push(Around { scope: step.parent, most: bounds(budget) }),
                Task::Agent(ask) => {
                    all.extend(ask.agent.budget.map(|budget| Around { scope: Some(other), most: bounds(&budget) }));
                }
                _ => {}
            }
            let policy = step.policy().budget.filter(|_| !matches!(*step.task, Task::Budget(_)));
            all.extend(policy.map(|budget| Around { scope: Some(other), most: bounds(&budget) }));
        }
        all.retain(|around| self.is_under(id, around.scope));
        all
    }

    /// The agents that begin with a step.
    fn begin_with(&self, id: StepId) -> Vec<StepId> {
        let members = self.shadow.plan.members(id).into_iter().filter(|member| self.is_agent(*member));
        if self.is_agent(id) { vec![id] } else { members.collect() }
    }

    /// Would these agents never fit, even if all others gave back what they have reserved?
    fn never_fit(&self, ids: &[StepId]) -> bool {
        ids.iter().flat_map(|id| self.around(*id)).any(|around| {
            let under: Vec<StepId> = ids.iter().copied().filter(|id| self.is_under(*id, around.scope)).collect();
            let spent = self.spent(around.scope);
            [0, 1].into_iter().any(|unit| {
                let left: Vec<Option<u64>> = under.iter().map(|id| self.own_left(*id)[unit]).collect();
                let free = u64::from(left.iter().any(|left| matches!(left, None | Some(0))));
                let need = left.into_iter().flatten().sum::<u64>() + free;
                around.most[unit].is_some_and(|most| spent[unit] + need > most)
            })
        })
    }

    /// Before an event is written down: may it be, by the budgets?
    pub(super) fn check_money(&self, event: &Event) {
        match event {
            Event::Started { step, .. } if self.is_agent(*step) => {
                let own = self.own_left(*step);
                for around in self.around(*step) {
                    let (spent, reserved) = (self.spent(around.scope), self.reserved(around.scope));
                    for unit in [0, 1] {
                        let Some(most) = around.most[unit] else { continue };
                        let need = own[unit].unwrap_or(0).max(1);
                        let taken = spent[unit] + reserved[unit];
                        let (path, story) = (self.path(*step), self.story());
                        assert!(taken + need <= most, "`{path}` starts: {taken} of {most}, needs {need}\n{story}");
                    }
                }
            }
            Event::Finished { step, outcome, .. } => {
                let over = outcome.error.as_ref().is_some_and(|error| error.kind == FailureKind::OverBudget);
                let ids = self.begin_with(*step);
                match self.shadow.step(*step).status {
                    _ if !over => {}
                    Status::Running => {
                        let used = outcome.agent.as_ref().map(|report| figures(&report.usage)).unwrap_or_default();
                        let told = figures(&self.told_before(*step));
                        let passed = self.around(*step).into_iter().any(|around| {
                            let spent = self.spent(around.scope);
                            let passed = |unit: usize| {
                                let now = spent[unit] - told[unit] + used[unit].max(told[unit]);
                                around.most[unit].is_some_and(|most| now > most)
                            };
                            passed(0) || passed(1)
                        });
                        assert!(passed, "`{}` is ended without need\n{}", self.path(*step), self.story());
                    }
                    // A member of a stream cannot wait.
                    _ if self.shadow.plan.stream_of(*step).is_some() => {}
                    _ => assert!(self.never_fit(&ids), "`{}` is refused\n{}", self.path(*step), self.story()),
                }
            }
            _ => {}
        }
    }

    fn told_before(&self, step: StepId) -> Usage {
        let consumed = self.shadow.step(step).consumed.as_ref();
        consumed.and_then(|consumed| consumed.now.as_ref()).map(|now| now.usage).unwrap_or_default()
    }

    /// Nothing that was used is lost, whatever became of the attempts and of the steps.
    pub(super) fn check_books(&self) {
        let plan = &self.shadow.plan;
        for scope in plan.ids().filter(|id| !plan.step(*id).retired).map(Some).chain([None]) {
            let found = match scope {
                Some(id) => self.state().consumed(id),
                None => self.state().consumed_within(None),
            };
            assert_eq!(figures(&found), self.spent(scope), "what {scope:?} has used\n{}", self.story());
        }
    }
}
