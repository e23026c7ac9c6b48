//! Durations and times as a person says them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::plan::unit::parse_duration_ms;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A duration, exact enough to compare: `345ms`, `1.2s`, `3m04s`, `2h05m`, `3d04h`.
pub fn duration(ms: u64) -> String {
    match ms {
        0..SECOND => format!("{ms}ms"),
        _ => since(ms),
    }
}

/// A duration that is still growing, in whole seconds: `12s`, `3m04s`, `2h05m`.
pub fn elapsed(ms: u64) -> String {
    match ms {
        0..MINUTE => format!("{}s", ms / SECOND),
        MINUTE..HOUR => format!("{}m{:02}s", ms / MINUTE, ms % MINUTE / SECOND),
        HOUR..DAY => format!("{}h{:02}m", ms / HOUR, ms % HOUR / MINUTE),
        _ => format!("{}d{:02}h", ms / DAY, ms % DAY / HOUR),
    }
}

/// Time since the beginning of something, in tenths of a second while they matter: `0.3s`, `3m04s`.
pub fn since(ms: u64) -> String {
    if ms < MINUTE { format!("{}.{}s", ms / SECOND, ms % SECOND / 100) } else { elapsed(ms) }
}

/// Times of one zone, seen from one moment.
#[derive(Clone, Debug)]
pub struct Clock {
    now: u64,
    zone: TimeZone,
}

impl Clock {
    /// Local time, seen from `now`, in milliseconds since 1970.
    pub fn local(now: u64) -> Self {
        Clock { now, zone: TimeZone::system() }
    }

    /// UTC, seen from `now`, in milliseconds since 1970.
    pub fn utc(now: u64) -> Self {
        Clock { now, zone: TimeZone::UTC }
    }

    /// The moment it is seen from, in milliseconds since 1970.
    pub fn now(&self) -> u64 {
        self.now
    }

    fn zoned(&self, at: u64) -> Zoned {
        let at = i64::try_from(at).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        at.unwrap_or(Timestamp::MAX).to_zoned(self.zone.clone())
    }

    /// A time: `12:03:44` on the same day, `2026-08-01 12:03:44` on another.
    pub fn time(&self, at: u64) -> String {
        let time = self.zoned(at);
        let same_day = time.date() == self.zoned(self.now).date();
        time.strftime(if same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
    }

    /// A time as a person types it: how long ago (`7d`), a date, or a date and a time (`2026-08-01T12:00`). In milliseconds
    /// since 1970; nothing if it is none.
    pub fn read(&self, text: &str) -> Option<u64> {
        if let Ok(ago) = parse_duration_ms(text) {
            return Some(self.now.saturating_sub(ago));
        }
        let exact = text.parse::<Timestamp>().ok();
        let civil = || text.parse::<DateTime>().ok()?.to_zoned(self.zone.clone()).ok().map(|time| time.timestamp());
        u64::try_from(exact.or_else(civil)?.as_millisecond()).ok()
    }

    /// A time in full, whatever the day: `2026-08-01 12:03:44`.
    pub fn full(&self, at: u64) -> String {
        self.zoned(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// How long ago: `just now`, `40 s ago`, `5 min ago`, `3 h ago`, `4 days ago`, and after a month the date.
    pub fn ago(&self, at: u64) -> String {
        match self.now.saturating_sub(at) {
            0..5_000 => "just now".to_owned(),
            ms @ 5_000..MINUTE => format!("{} s ago", ms / SECOND),
            ms @ MINUTE..HOUR => format!("{} min ago", ms / MINUTE),
            ms @ HOUR..DAY => format!("{} h ago", ms / HOUR),
            ms if ms < 2 * DAY => "yesterday".to_owned(),
            ms if ms < 31 * DAY => format!("{} days ago", ms / DAY),
            _ => self.zoned(at).strftime("%Y-%m-%d").to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_grow_coarser() {
        let said = [0, 345, 1_000, 1_299, 59_999, 60_000, 184_000, 7_500_000, 273_600_000].map(duration);
        assert_eq!(said, ["0ms", "345ms", "1.0s", "1.2s", "59.9s", "1m00s", "3m04s", "2h05m", "3d04h"]);
        assert_eq!(elapsed(999), "0s");
    }

    #[test]
    fn times_are_said_from_now() {
        let noon = 1_785_585_600_000; // 2026-08-01 12:00:00 UTC
        let clock = Clock::utc(noon);
        assert_eq!(clock.time(noon - 61_000), "11:58:59");
        assert_eq!(clock.time(noon - 86_400_000), "2026-07-31 12:00:00");
        let said = [1_000, 40_000, 300_000, 3 * HOUR, 30 * HOUR, 5 * DAY, 40 * DAY].map(|ms| clock.ago(noon - ms));
        assert_eq!(said, ["just now", "40 s ago", "5 min ago", "3 h ago", "yesterday", "5 days ago", "2026-06-22"]);
        assert_eq!(clock.ago(noon + 10), "just now");
    }
    #[test]
    fn times_are_read_as_they_are_typed() {
        let noon = 1_785_585_600_000;
        let clock = Clock::utc(noon);
        let read =
            ["1d", "2026-08-01", "2026-08-01T11:00", "2026-08-01 11:00:00", "2026-08-01T13:00+02:00", "1970-01-01"]
                .map(|text| clock.read(text).unwrap());
        assert_eq!(read, [noon - DAY, noon - 12 * HOUR, noon - HOUR, noon - HOUR, noon - HOUR, 0]);
        assert_eq!(clock.full(noon), "2026-08-01 12:00:00");
        for text in ["", "7", "yesterday", "2026-13-01", "1969-01-01"] {
            assert_eq!(clock.read(text), None, "{text}");
        }
    }
}
