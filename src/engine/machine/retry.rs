//! How long to wait before the next attempt.

use crate::plan::{Backoff, Retry, StepId};

/// Milliseconds before the next attempt of `step`, after `failures` failed ones (at least 1).
pub fn delay_ms(retry: &Retry, failures: u32, seed: u64, step: StepId) -> u64 {
    let times = match retry.backoff {
        Backoff::Fixed => 1,
        Backoff::Linear => u64::from(failures),
        Backoff::Exponential => 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX),
    };
    let whole = retry.delay_ms.saturating_mul(times).min(retry.max_delay_ms);
    let jitter = retry.jitter.clamp(0.0, 1.0);
    if jitter > 0.0 { whole - (whole as f64 * jitter * drawn(seed, step, failures)) as u64 } else { whole }
}

/// A number from 0 up to but not 1 that looks random and is always the same for the same step, attempt and run.
fn drawn(seed: u64, step: StepId, failures: u32) -> f64 {
    let place = u64::from(step.0) << 32 | u64::from(failures);
    let bits = splitmix64(splitmix64(seed) ^ place);
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// One step of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn splitmix64(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A time as a person would write it: `90s`, `20m`, `1500ms`.
pub fn spelled(ms: u64) -> String {
    match ms {
        0 => "0s".into(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(backoff: Backoff, jitter: f64) -> Vec<u64> {
        let retry = Retry { max_attempts: 9, delay_ms: 100, backoff, max_delay_ms: 450, jitter };
        (1..=4).map(|failures| delay_ms(&retry, failures, 7, StepId(3))).collect()
    }

    #[test]
    fn fixed_linear_exponential_up_to_the_longest() {
        assert_eq!(delays(Backoff::Fixed, 0.0), [100, 100, 100, 100]);
        assert_eq!(delays(Backoff::Linear, 0.0), [100, 200, 300, 400]);
        assert_eq!(delays(Backoff::Exponential, 0.0), [100, 200, 400, 450]);
    }

    #[test]
    fn jitter_draws_a_share_anew_and_always_the_same() {
        let drawn = delays(Backoff::Fixed, 0.5);
        assert!(drawn.iter().all(|delay| (50..=100).contains(delay)), "{drawn:?}");
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]), "{drawn:?}");
        assert_eq!(drawn, delays(Backoff::Fixed, 0.5));
    }

    #[test]
    fn a_thousand_failures_do_not_overflow() {
        let retry = Retry { delay_ms: u64::MAX, max_delay_ms: u64::MAX, jitter: 1.0, ..Retry::default() };
        delay_ms(&retry, 1_000, 1, StepId(1));
        delay_ms(&retry, u32::MAX, u64::MAX, StepId(u32::MAX));
    }

    #[test]
    fn times_are_spelled_in_whole_units() {
        let all = [0, 1, 1_500, 90_000, 1_200_000, 7_200_000].map(spelled);
        assert_eq!(all, ["0s", "1ms", "1500ms", "90s", "20m", "2h"]);
    }
}
