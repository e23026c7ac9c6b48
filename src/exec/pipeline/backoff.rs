//! How long an item waits before its next attempt.

use std::time::Duration;

use crate::plan::{Backoff, Retry};

/// The wait after so many failed attempts (at least 1). `draw`: a number from 0 up to but not 1, for the jitter.
pub(super) fn delay(retry: &Retry, failures: u32, draw: f64) -> Duration {
    let times = match retry.backoff {
        Backoff::Fixed => 1,
        Backoff::Linear => u64::from(failures),
        Backoff::Exponential => 1u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX),
    };
    let whole = retry.delay_ms.saturating_mul(times).min(retry.max_delay_ms);
    let jitter = retry.jitter.clamp(0.0, 1.0);
    Duration::from_millis(whole - (whole as f64 * jitter * draw) as u64)
}

/// A number from 0 up to but not 1 that differs from item to item and from attempt to attempt (SplitMix64).
pub(super) fn draw(offset: u64, attempt: u32) -> f64 {
    let mut z = (offset ^ u64::from(attempt) << 48).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_up_to_its_limit() {
        let retry =
            Retry { max_attempts: 9, delay_ms: 10, backoff: Backoff::Exponential, max_delay_ms: 50, jitter: 0.0 };
        let delays: Vec<_> = (1..5).map(|failures| delay(&retry, failures, 0.9).as_millis()).collect();
        assert_eq!(delays, [10, 20, 40, 50]);
        let half = Retry { jitter: 1.0, ..retry };
        assert_eq!(delay(&half, 1, 0.5).as_millis(), 5);
        assert!((0..100).all(|offset| (0.0..1.0).contains(&draw(offset, 2))));
    }
}
