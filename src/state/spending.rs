//! What agents have spent, and what budgets leave: in whole units, so that sums are exact whatever their order.

use crate::event::Usage;
use crate::plan::{Bounds, Json, Unit};

/// So much of each unit, each in its smallest part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount([u64; 4]);

impl Amount {
    /// What was used.
    pub fn of(usage: &Usage) -> Self {
        Amount([Unit::Usd.parts_of(usage.cost_usd.unwrap_or(0.0)), usage.tokens.total(), usage.turns, usage.time_ms])
    }

    /// So much of a unit.
    pub fn get(&self, unit: Unit) -> u64 {
        self.0[unit as usize]
    }

    /// Sets how much of a unit.
    pub fn set(&mut self, unit: Unit, parts: u64) {
        self.0[unit as usize] = parts;
    }

    /// More of each.
    pub fn add(&mut self, more: &Amount) {
        for unit in Unit::ALL {
            self.set(unit, self.get(unit).saturating_add(more.get(unit)));
        }
    }

    /// Less of each, but nothing below nothing.
    pub fn take(&mut self, less: &Amount) {
        for unit in Unit::ALL {
            self.set(unit, self.get(unit).saturating_sub(less.get(unit)));
        }
    }

    /// As a map: `#{ usd, tokens, turns, minutes }`.
    pub fn to_json(&self) -> Json {
        Json::Object(Unit::ALL.iter().map(|unit| (unit.name().to_owned(), unit.number(self.get(*unit)))).collect())
    }
}

/// What was spent in a step or a group, or of a budget; and what may be, where that is bounded.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spending {
    /// What was spent.
    pub used: Usage,
    /// The most that may be.
    pub bounds: Option<Bounds>,
    /// Is it a budget itself? Else a step, or a group, that may have one.
    pub is_budget: bool,
}

impl Spending {
    /// The properties that are read of it, with what they mean.
    pub const PROPERTIES: [(&'static str, &'static str); 7] = [
        ("cost_usd", "what its agents cost, in US dollars, where their backends say it"),
        ("tokens", "the tokens that its agents used"),
        ("turns", "the turns that its agents took"),
        (
            "spent",
            "what its agents used: a map of `usd`, `tokens`, `turns` and `minutes`; of a budget: what was spent of it",
        ),
        ("budget", "of a step or group with `.budget(…)`: a map of `limits`, `spent` and `remaining`"),
        ("remaining", "of a budget: what is left of each unit that it bounds"),
        ("limits", "of a budget: the most of each unit that it bounds"),
    ];

    /// One of them. Nothing: it has no such property.
    pub fn property(&self, name: &str) -> Option<Json> {
        let spent = Amount::of(&self.used);
        Some(match name {
            "cost_usd" => Unit::Usd.number(spent.get(Unit::Usd)),
            "tokens" => spent.get(Unit::Tokens).into(),
            "turns" => spent.get(Unit::Turns).into(),
            "spent" => spent.to_json(),
            "budget" if !self.is_budget => {
                let bounds = self.bounds?;
                serde_json::json!({
                    "limits": bounds.to_json(),
                    "spent": spent.to_json(),
                    "remaining": self.remaining()?.to_json(),
                })
            }
            "remaining" if self.is_budget => self.remaining()?.to_json(),
            "limits" if self.is_budget => self.bounds?.to_json(),
            _ => return None,
        })
    }

    /// What is left of each unit that is bounded.
    pub fn remaining(&self) -> Option<Bounds> {
        let spent = Amount::of(&self.used);
        let mut left = Bounds::default();
        for (unit, most) in self.bounds?.each() {
            left.tighten(unit, most.saturating_sub(spent.get(unit)));
        }
        Some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Budget;

    #[test]
    fn ten_dimes_are_a_dollar() {
        let mut sum = Amount::default();
        for _ in 0..10 {
            sum.add(&Amount::of(&Usage { cost_usd: Some(0.1), ..Usage::default() }));
        }
        let dollar = Bounds::of(&Budget { usd: Some(1.0), ..Budget::default() });
        assert_eq!(Some(sum.get(Unit::Usd)), dollar.get(Unit::Usd));
        assert_eq!(dollar.get(Unit::Tokens), None);
        assert_eq!(dollar.budget(), Budget { usd: Some(1.0), ..Budget::default() });
    }

    #[test]
    fn what_is_left_names_only_what_is_bounded() {
        let used = Usage { cost_usd: Some(1.2), turns: 7, ..Usage::default() };
        let bounds = Bounds::of(&Budget { usd: Some(1.5), turns: Some(5), ..Budget::default() });
        let spending = Spending { used, bounds: Some(bounds), is_budget: true };
        assert_eq!(spending.property("remaining"), Some(serde_json::json!({ "usd": 0.3, "turns": 0 })));
        assert_eq!(spending.property("limits"), Some(serde_json::json!({ "usd": 1.5, "turns": 5 })));
        assert_eq!(spending.property("budget"), None);
        let group = Spending { is_budget: false, ..spending };
        assert_eq!(group.property("remaining"), None);
        assert_eq!(group.property("budget").map(|budget| budget["remaining"]["usd"].clone()), Some(0.3.into()));
        assert_eq!(Spending::default().property("cost_usd"), Some(0.0.into()));
    }
}
