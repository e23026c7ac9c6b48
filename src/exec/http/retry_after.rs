//! `Retry-After`: how long a server asks to be left alone (RFC 9110, section 10.2.3).

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Longest wait that is believed, in milliseconds: 30 days.
const LONGEST: u64 = 30 * 24 * 3_600_000;

/// The wait in milliseconds. A date is compared with the server's own (`date`), or else with our clock: the two may
/// differ. What cannot be read is nothing.
pub(super) fn wait_ms(retry_after: &str, date: Option<&str>) -> Option<u64> {
    let text = retry_after.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000).min(LONGEST));
    }
    let then = moment(text)?;
    let now = date.and_then(moment).unwrap_or_else(Timestamp::now);
    Some(u64::try_from(then.as_millisecond() - now.as_millisecond()).unwrap_or(0).min(LONGEST))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`. A wrong name of the day is forgiven.
fn moment(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: Option<&str> = Some("Sun, 06 Nov 1994 08:49:37 GMT");

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(wait_ms("120", None), Some(120_000));
        assert_eq!(wait_ms("0", None), Some(0));
        assert_eq!(wait_ms("99999999999999999999999", None), Some(LONGEST));
        assert_eq!(wait_ms("Sun, 06 Nov 1994 08:50:07 GMT", DATE), Some(30_000));
        assert_eq!(wait_ms("Sun, 06 Nov 1994 08:00:00 GMT", DATE), Some(0));
        assert_eq!(wait_ms("Sun, 06 Nov 1994 08:50:07 GMT", None), Some(0));
    }

    #[test]
    fn what_cannot_be_read_asks_for_nothing() {
        for text in ["", "soon", "-1", "1.5"] {
            assert_eq!(wait_ms(text, DATE), None, "{text}");
        }
    }
}
