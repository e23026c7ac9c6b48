//! What if: how long a plan would take under other settings.
//!
//! Each variation is rehearsed (see [`super::schedule`]) with the same durations, so the figures can be compared with each
//! other, and with what a run has really taken.

use std::collections::HashMap;

use serde::Serialize;

use super::analysis::Analysis;
use super::schedule::{Schedule, schedule};
use super::{Limit, Order, Plan, StepId, unit};
use crate::diag::{Diagnostic, Result, did_you_mean};

/// Most variations of one text.
const MOST: usize = 100;

/// Settings that differ from those of a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variation {
    /// As it was written: `max_parallel=8, order=critical_path`.
    pub text: String,
    /// Steps at the same time.
    pub max_parallel: Option<u32>,
    /// Which of the ready steps comes first.
    pub order: Option<Order>,
    /// Shares of named limits.
    pub limits: Vec<(String, u32)>,
    /// How long steps take, in milliseconds.
    pub times: Vec<(StepId, u64)>,
}

/// What a variation comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// The variation, as it was written; of the plan as it is, nothing.
    pub settings: String,
    /// Which of the ready steps comes first.
    pub order: Order,
    /// The rehearsal.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// The longest way, which nothing can make shorter, in milliseconds.
    pub critical_ms: u64,
    /// How much of the slots' time is used, in percent.
    pub busy_percent: f64,
}

impl Variation {
    /// Reads `max_parallel=2/4/8,order=fifo`: settings divided by commas, alternatives by `/`. Gives a variation for each
    /// combination.
    ///
    /// # Errors
    /// `flow::plan::what_if`: a setting, an order, a limit or a step that does not exist, with the nearest; what is no
    /// number or no time; too many combinations.
    pub fn read(text: &str, plan: &Plan) -> Result<Vec<Variation>> {
        let mut all = vec![Variation::default()];
        for setting in text.split(',').map(str::trim).filter(|setting| !setting.is_empty()) {
            let Some((key, values)) = setting.split_once('=') else {
                return Err(wrong(format!("`{setting}` does not name a setting and its value"))
                    .help("write `max_parallel=8`, or `max_parallel=2/4/8` for several"));
            };
            let (key, values): (&str, Vec<&str>) = (key.trim(), values.split('/').map(str::trim).collect());
            if all.len() * values.len() > MOST {
                return Err(wrong(format!("`{text}` has more than {MOST} combinations"))
                    .help("give fewer alternatives, or several `--what-if` with one each"));
            }
            let with = |before: &Variation, value: &&str| before.with(key, value, plan);
            all = all
                .iter()
                .flat_map(|before| values.iter().map(move |value| with(before, value)))
                .collect::<Result<_>>()?;
        }
        Ok(all)
    }

    fn with(&self, key: &str, value: &str, plan: &Plan) -> Result<Variation> {
        let mut new = self.clone();
        new.text = format!("{}{}{key}={value}", self.text, if self.text.is_empty() { "" } else { ", " });
        match key.split_once('.').unwrap_or((key, "")) {
            ("max_parallel", "") => new.max_parallel = Some(number(key, value)?),
            ("order", "") => {
                let found = Order::ALL.iter().find(|(name, _)| *name == value);
                new.order = Some(found.map(|(_, order)| *order).ok_or_else(|| {
                    let names = Order::ALL.map(|(name, _)| name);
                    let help = did_you_mean(value, names).unwrap_or_else(|| format!("orders are {}", names.join(", ")));
                    wrong(format!("there is no order `{value}`")).help(help)
                })?);
            }
            ("limit", name) => {
                if !plan.header.limits.contains_key(name) {
                    let help = did_you_mean(name, plan.header.limits.keys().map(|name| &**name));
                    return Err(wrong(format!("the plan has no limit `{name}`")).help(
                        help.unwrap_or_else(|| "limits are declared with `limit(name, …)` or `.limit(name, …)`".into()),
                    ));
                }
                new.limits.push((name.to_owned(), number(key, value)?));
            }
            ("time", name) => {
                let step = match plan.find(name).as_slice() {
                    [one] => *one,
                    found => {
                        let paths: Vec<String> = plan.ids().map(|id| plan.path(id)).collect();
                        let help = did_you_mean(name, paths.iter().map(String::as_str));
                        let (message, help) = match found.len() {
                            0 => (
                                format!("the plan has no step `{name}`"),
                                help.unwrap_or_else(|| "`flow plan` shows the steps".into()),
                            ),
                            several => (
                                format!("{several} steps are called `{name}`"),
                                "write the whole path, `group/step`".into(),
                            ),
                        };
                        return Err(wrong(message).help(help));
                    }
                };
                let is_whole =
                    |id: &StepId| plan.steps.iter().any(|step| step.parent == Some(*id) && step.undoes.is_none());
                if is_whole(&step) {
                    return Err(wrong(format!("`{name}` is a group: it takes as long as its steps"))
                        .help("name one of its steps, `time.GROUP/STEP=30s`; `flow plan` shows them"));
                }
                let ms = unit::parse_duration_ms(value).map_err(|error| {
                    wrong(format!("`{value}` is no time: {error}")).help("write `30s`, `5m`, `200ms`")
                })?;
                new.times.push((step, ms));
            }
            _ => {
                let known = ["max_parallel", "order", "limit.NAME", "time.STEP"];
                let help = did_you_mean(key, known).unwrap_or_else(|| format!("there are {}", known.join(", ")));
                return Err(wrong(format!("there is no setting `{key}` that could be another")).help(help));
            }
        }
        Ok(new)
    }

    /// What the plan comes to under these settings. `durations` as for [`Analysis::of`]; `max_parallel` where neither the
    /// variation nor the plan says it.
    pub fn forecast(&self, plan: &Plan, durations: &HashMap<String, u64>, max_parallel: u32) -> Forecast {
        let (mut plan, mut durations) = (plan.clone(), durations.clone());
        let settings = &mut plan.header.settings;
        let slots = self.max_parallel.or(settings.max_parallel).unwrap_or(max_parallel).max(1);
        settings.order = self.order.unwrap_or(settings.order);
        for (name, max) in &self.limits {
            plan.header.limits.insert(name.as_str().into(), Limit { max: Some(*max), per_minute: None, scale: None });
        }
        durations.extend(self.times.iter().map(|(step, ms)| (plan.path(*step), *ms)));
        let analysis = Analysis::of(&plan, &durations);
        let schedule = schedule(&plan, &analysis, slots);
        let busy_percent = match schedule.makespan_ms {
            0 => 0.0,
            makespan => analysis.total_ms as f64 / (makespan as f64 * f64::from(slots)) * 100.0,
        };
        Forecast {
            settings: self.text.clone(),
            order: plan.header.settings.order,
            schedule,
            critical_ms: analysis.critical_ms,
            busy_percent,
        }
    }
}

/// The fewest steps at the same time with which a plan takes no longer than with any number of them. `None` for an empty plan.
pub fn enough(plan: &Plan, durations: &HashMap<String, u64>) -> Option<u32> {
    let analysis = Analysis::of(plan, durations);
    let most = u32::try_from(analysis.parallelism.greatest).ok().filter(|most| *most > 0)?;
    let makespan = |slots| schedule(plan, &analysis, slots).makespan_ms;
    let best = makespan(most);
    // With more slots a schedule may get longer (Graham 1969), but hardly ever: the smallest is looked for by halves.
    let (mut low, mut high) = (1, most);
    while low < high {
        let middle = low + (high - low) / 2;
        if makespan(middle) <= best { high = middle } else { low = middle + 1 }
    }
    Some(high)
}

fn wrong(message: String) -> Diagnostic {
    Diagnostic::new("flow::plan::what_if", message)
}

fn number(key: &str, value: &str) -> Result<u32> {
    value.parse().ok().filter(|number| (1..=100_000).contains(number)).ok_or_else(|| {
        wrong(format!("`{key}` must be a number from 1 to 100000, not `{value}`"))
            .help(format!("for instance `{key}=8`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::plan::{EdgeKind, Step, Task, Value};

    /// Four steps of 1, 2, 3, 4 s, and one of 5 s after the first.
    fn sample() -> (Plan, HashMap<String, u64>) {
        let mut plan = Plan::default();
        for name in ["a", "b", "c", "d", "e"] {
            plan.steps.push(Step::new(name, Task::Exec(vec![Value::Plain("true".into())]), Span::default()));
        }
        plan.steps[4].add_edge(StepId(0), EdgeKind::Order);
        plan.header.limits.insert("db".into(), Limit { max: Some(1), per_minute: None, scale: None });
        let durations = [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 5)];
        (plan, durations.map(|(name, s)| (name.to_owned(), s * 1_000)).into())
    }

    fn makespans(text: &str) -> Vec<(String, u64)> {
        let (plan, durations) = sample();
        let all = Variation::read(text, &plan).expect("it is well written");
        all.iter()
            .map(|variation| variation.forecast(&plan, &durations, 2))
            .map(|f| (f.settings, f.schedule.makespan_ms))
            .collect()
    }

    #[test]
    fn every_combination_is_rehearsed() {
        assert_eq!(makespans(""), [(String::new(), 9_000)]);
        let all = makespans("max_parallel=1/2/8, order=fifo/critical_path");
        let expected = [
            ("max_parallel=1, order=fifo", 15_000),
            ("max_parallel=1, order=critical_path", 15_000),
            ("max_parallel=2, order=fifo", 9_000),
            ("max_parallel=2, order=critical_path", 8_000),
            ("max_parallel=8, order=fifo", 6_000),
            ("max_parallel=8, order=critical_path", 6_000),
        ];
        assert_eq!(all, expected.map(|(text, ms)| (text.to_owned(), ms)));
        assert_eq!(makespans("time.e=1s,max_parallel=8"), [("time.e=1s, max_parallel=8".to_owned(), 4_000)]);
    }

    #[test]
    fn enough_is_no_more_than_needed() {
        let (plan, durations) = sample();
        let slots = enough(&plan, &durations).expect("it has steps");
        let makespan = |slots| Variation::default().forecast(&plan, &durations, slots).schedule.makespan_ms;
        assert_eq!(makespan(slots), 6_000);
        assert!(makespan(slots - 1) > 6_000);
        assert_eq!(enough(&Plan::default(), &durations), None);
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let (plan, _) = sample();
        for (text, said) in [
            ("max_paralel=2", "did you mean `max_parallel`"),
            ("max_parallel=0", "max_parallel=8"),
            ("order=crit", "critical_path"),
            ("limit.dbs=2", "did you mean `db`"),
            ("time.f=2s", "step"),
            ("time.a=fast", "30s"),
            ("fast", "max_parallel=8"),
            (
                "max_parallel=1/2/3/4/5/6/7/8/9/10/11,order=fifo/shortest/priority/critical_path,time.a=1s/2s/3s",
                "fewer",
            ),
        ] {
            let problem = Variation::read(text, &plan).expect_err(text);
            assert_eq!(problem.code(), "flow::plan::what_if");
            let help = format!("{} {}", problem.message(), problem.help_text().unwrap_or_default());
            assert!(help.contains(said), "{text}: {help}");
        }
    }
}
