//! Units of budgets: whole numbers of their smallest parts, so that sums are exact whatever their order.

use super::{Budget, Json, Plan, Step, StepId, Task};

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Money, in US dollars.
    Usd,
    /// Tokens.
    Tokens,
    /// Turns.
    Turns,
    /// Minutes of work.
    Minutes,
}

impl Unit {
    /// All of them, in the order in which they are told.
    pub const ALL: [Unit; 4] = [Unit::Usd, Unit::Tokens, Unit::Turns, Unit::Minutes];

    /// Its name in scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Usd => "usd",
            Unit::Tokens => "tokens",
            Unit::Turns => "turns",
            Unit::Minutes => "minutes",
        }
    }

    /// How many of the smallest part make one: money is counted in billionths of a dollar, time in milliseconds.
    const fn parts(self) -> u64 {
        match self {
            Unit::Usd => 1_000_000_000,
            Unit::Tokens | Unit::Turns => 1,
            Unit::Minutes => 60_000,
        }
    }

    /// So many of it in its smallest part.
    pub fn parts_of(self, many: f64) -> u64 {
        (many * self.parts() as f64).round() as u64
    }

    /// So much of it, of the smallest part, as a number: dollars and minutes may have places after the point.
    pub fn number(self, parts: u64) -> Json {
        match self {
            Unit::Usd | Unit::Minutes => (parts as f64 / self.parts() as f64).into(),
            Unit::Tokens | Unit::Turns => parts.into(),
        }
    }

    /// So much of it, of the smallest part, in words: `1.25 USD`, `1 token`, `2.5 minutes`.
    pub fn spelled(self, parts: u64) -> String {
        let many = |one: &str| match parts == self.parts() {
            true => one.to_owned(),
            false => format!("{one}s"),
        };
        match self {
            Unit::Usd => {
                let dollars = parts as f64 / self.parts() as f64;
                // Below a cent the places that say something, and no more than four of them.
                match parts % 10_000_000 {
                    0 => format!("{dollars:.2} USD"),
                    _ => format!("{} USD", format!("{dollars:.4}").trim_end_matches('0')),
                }
            }
            Unit::Tokens => format!("{parts} {}", many("token")),
            Unit::Turns => format!("{parts} {}", many("turn")),
            Unit::Minutes => {
                let minutes = parts as f64 / self.parts() as f64;
                format!("{} {}", (minutes * 10.0).round() / 10.0, many("minute"))
            }
        }
    }
}

/// The most of each unit that is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds([Option<u64>; 4]);

impl Bounds {
    /// Of a budget.
    pub fn of(budget: &Budget) -> Self {
        Bounds([
            budget.usd.map(|usd| Unit::Usd.parts_of(usd)),
            budget.tokens,
            budget.turns,
            budget.minutes.map(|minutes| Unit::Minutes.parts_of(minutes)),
        ])
    }

    /// The most of a unit, if it is bounded.
    pub fn get(&self, unit: Unit) -> Option<u64> {
        self.0[unit as usize]
    }

    /// Is nothing bounded?
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Bounds a unit, unless it is bounded more tightly.
    pub fn tighten(&mut self, unit: Unit, parts: u64) {
        let bound = &mut self.0[unit as usize];
        *bound = Some(bound.map_or(parts, |bound| bound.min(parts)));
    }

    /// The tighter of both, unit by unit.
    pub fn and(mut self, other: &Bounds) -> Self {
        for (unit, most) in other.each() {
            self.tighten(unit, most);
        }
        self
    }

    /// The units that are bounded, with the most of each.
    pub fn each(&self) -> impl Iterator<Item = (Unit, u64)> + '_ {
        Unit::ALL.iter().filter_map(|unit| self.get(*unit).map(|most| (*unit, most)))
    }

    /// As a budget.
    pub fn budget(&self) -> Budget {
        let many = |unit: Unit| self.get(unit).map(|parts| parts as f64 / unit.parts() as f64);
        Budget {
            usd: many(Unit::Usd),
            tokens: self.get(Unit::Tokens),
            turns: self.get(Unit::Turns),
            minutes: many(Unit::Minutes),
        }
    }

    /// As a map of those that are bounded.
    pub fn to_json(&self) -> Json {
        Json::Object(self.each().map(|(unit, most)| (unit.name().to_owned(), unit.number(most))).collect())
    }

    /// In words: `5.00 USD, 200 turns`.
    pub fn spelled(&self) -> String {
        self.each().map(|(unit, most)| unit.spelled(most)).collect::<Vec<_>>().join(", ")
    }
}

/// The step and the groups whose budgets count what it uses. What undoes a step is not part of it, and so of no group with it.
pub fn covers(plan: &Plan, id: StepId) -> impl Iterator<Item = StepId> + '_ {
    std::iter::successors(Some(id), |id| {
        let step = plan.step(*id);
        match step.undoes {
            Some(undone) => plan.step(undone).parent,
            None => step.parent,
        }
    })
}

/// What bounds a step, or a group, by itself: the tighter of what it says and what its agent does; or a budget what it is for.
pub fn bounds_of(step: &Step) -> Option<Bounds> {
    let own = match &*step.task {
        Task::Budget(budget) => return Some(Bounds::of(budget)),
        Task::Agent(ask) => ask.agent.budget.as_ref(),
        _ => None,
    };
    let policy = step.policy.as_ref().and_then(|policy| policy.budget.as_ref());
    let bounds = own.into_iter().chain(policy).map(Bounds::of).fold(Bounds::default(), |all, bounds| all.and(&bounds));
    (!bounds.is_empty()).then_some(bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_spelled_as_people_write_them() {
        let usd = |dollars| Unit::Usd.spelled(Unit::Usd.parts_of(dollars));
        assert_eq!([usd(5.0), usd(0.5), usd(1.255), usd(0.00012)], ["5.00 USD", "0.50 USD", "1.255 USD", "0.0001 USD"]);
        assert_eq!([Unit::Tokens.spelled(1), Unit::Turns.spelled(20)], ["1 token", "20 turns"]);
        assert_eq!([Unit::Minutes.spelled(60_000), Unit::Minutes.spelled(90_000)], ["1 minute", "1.5 minutes"]);
    }

    #[test]
    fn the_tighter_bound_of_each_unit_holds() {
        let of = |usd, turns| Bounds::of(&Budget { usd, turns, ..Budget::default() });
        assert_eq!(of(Some(2.0), None).and(&of(Some(1.0), Some(7))), of(Some(1.0), Some(7)));
        assert_eq!(of(Some(2.0), Some(7)).spelled(), "2.00 USD, 7 turns");
    }
}
