//! Alerts: figures of stages against the limits that a script has set for them.

use smol_str::SmolStr;

use crate::event::Meter;
use crate::plan::{Alert, Metric};

/// How long after the beginning a throughput says anything, in milliseconds.
const WARM: u64 = 1_000;

/// Watches the alerts of a stream or a pipeline. Knows no clock.
#[derive(Debug)]
pub(super) struct Alerts<'a> {
    alerts: &'a [Alert],
    states: Vec<State>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// All is well.
    Quiet,
    /// The figure is out of bounds since then.
    Since(u64),
    /// It was raised, which happens once.
    Raised,
}

/// An alert that is raised now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Raised {
    /// Which, from 0.
    pub alert: u32,
    /// Of which stage, or member.
    pub stage: SmolStr,
    /// The figure.
    pub value: f64,
}

impl<'a> Alerts<'a> {
    /// Watches these.
    pub fn new(alerts: &'a [Alert]) -> Self {
        Alerts { alerts, states: vec![State::Quiet; alerts.len()] }
    }

    /// May one still be raised?
    pub fn is_over(&self) -> bool {
        self.states.iter().all(|state| *state == State::Raised)
    }

    /// The figures are these now. `now`: milliseconds since the beginning; `dead`: the dead letters of each stage, by place
    /// (nothing: none). Gives the alerts that are raised by that.
    pub fn look(&mut self, now: u64, meters: &[Meter], dead: &[u64]) -> Vec<Raised> {
        let mut raised = Vec::new();
        for (place, (alert, state)) in self.alerts.iter().zip(&mut self.states).enumerate() {
            if *state == State::Raised {
                continue;
            }
            let Some((stage, value)) = worst(alert, now, meters, dead) else {
                *state = State::Quiet;
                continue;
            };
            let since = match *state {
                State::Since(since) => since,
                _ => now,
            };
            *state = State::Since(since);
            if now.saturating_sub(since) >= alert.for_ms {
                *state = State::Raised;
                raised.push(Raised { alert: place as u32, stage, value });
            }
        }
        raised
    }
}

/// The worst figure that is out of bounds, and whose it is.
fn worst(alert: &Alert, now: u64, meters: &[Meter], dead: &[u64]) -> Option<(SmolStr, f64)> {
    let figures = meters.iter().enumerate().filter(|(_, meter)| match &alert.stage {
        Some(stage) => meter.name == *stage,
        None => true,
    });
    let figures = figures.filter_map(|(place, meter)| {
        let value = figure(alert.metric, now, meter, dead.get(place).copied().unwrap_or(0))?;
        let above = alert.above.map_or(0.0, |limit| value - limit);
        let below = alert.below.map_or(0.0, |limit| limit - value);
        let excess = above.max(below);
        (excess > 0.0).then(|| (meter.name.clone(), value, excess))
    });
    figures.max_by(|a, b| a.2.total_cmp(&b.2)).map(|(name, value, _)| (name, value))
}

/// A figure of a stage; nothing if there is none (yet): a rate that is no number, a latency of nothing.
fn figure(metric: Metric, now: u64, meter: &Meter, dead: u64) -> Option<f64> {
    let latency = |us: u64| (meter.came > 0 && us > 0).then_some(us as f64 / 1_000.0);
    match metric {
        Metric::Throughput => (now >= WARM && !meter.per_second.is_nan()).then_some(meter.per_second),
        Metric::ErrorRate => (meter.came > 0).then_some(meter.error_rate),
        Metric::P50 => latency(meter.p50_us),
        Metric::P95 => latency(meter.p95_us),
        Metric::P99 => latency(meter.p99_us),
        Metric::QueueDepth => Some(meter.waiting as f64),
        Metric::Drops => Some(meter.dropped as f64),
        Metric::DeadLetters => Some(dead as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::plan::Severity;

    fn alert(metric: Metric) -> Alert {
        Alert {
            metric,
            stage: None,
            above: None,
            below: None,
            for_ms: 0,
            severity: Severity::Warning,
            action: None,
            span: Span::default(),
        }
    }

    fn meter(name: &str, error_rate: f64) -> Meter {
        Meter { name: name.into(), came: 10, error_rate, per_second: 100.0, p95_us: 1_500, ..Meter::default() }
    }

    #[test]
    fn it_has_to_be_so_for_a_while_without_a_break_and_is_told_once() {
        let watched = [Alert { above: Some(0.1), for_ms: 1_000, ..alert(Metric::ErrorRate) }];
        let mut alerts = Alerts::new(&watched);
        let (bad, good) = ([meter("a", 0.05), meter("b", 0.2)], [meter("a", 0.05), meter("b", 0.1)]);
        assert_eq!(alerts.look(0, &bad, &[]), []);
        assert_eq!(alerts.look(900, &bad, &[]), []);
        assert_eq!(alerts.look(950, &good, &[]), []);
        assert_eq!(alerts.look(1_000, &bad, &[]), []);
        assert_eq!(alerts.look(1_999, &bad, &[]), []);
        assert_eq!(alerts.look(2_000, &bad, &[]), [Raised { alert: 0, stage: "b".into(), value: 0.2 }]);
        assert!(alerts.is_over());
        assert_eq!(alerts.look(9_000, &bad, &[]), []);
    }

    #[test]
    fn what_is_not_known_raises_nothing() {
        let watched = [Metric::Throughput, Metric::P50, Metric::P95, Metric::P99]
            .map(|metric| Alert { below: Some(1_000.0), ..alert(metric) });
        let unknown = Meter { name: "a".into(), came: 10, per_second: f64::NAN, ..Meter::default() };
        assert_eq!(Alerts::new(&watched).look(5_000, &[unknown], &[]), []);
    }

    #[test]
    fn one_stage_or_the_worst_of_all() {
        let watched = [
            Alert { above: Some(1.0), stage: Some("a".into()), ..alert(Metric::P95) },
            Alert { above: Some(1.0), stage: Some("none".into()), ..alert(Metric::P95) },
            Alert { below: Some(200.0), ..alert(Metric::Throughput) },
            Alert { above: Some(2.0), ..alert(Metric::DeadLetters) },
        ];
        let mut alerts = Alerts::new(&watched);
        let slow = Meter { per_second: 50.0, ..meter("b", 0.0) };
        let raised = alerts.look(0, &[meter("a", 0.0), slow.clone()], &[1, 2]);
        assert_eq!(raised, [Raised { alert: 0, stage: "a".into(), value: 1.5 }]);
        let raised = alerts.look(WARM, &[meter("a", 0.0), slow], &[1, 3]);
        assert_eq!(
            raised,
            [Raised { alert: 2, stage: "b".into(), value: 50.0 }, Raised { alert: 3, stage: "b".into(), value: 3.0 }]
        );
    }

    #[test]
    fn what_was_not_measured_is_not_too_low() {
        let watched =
            [Alert { below: Some(1.0), ..alert(Metric::P50) }, Alert { below: Some(1.0), ..alert(Metric::Throughput) }];
        assert_eq!(Alerts::new(&watched).look(0, &[Meter::default()], &[]), []);
    }
}
