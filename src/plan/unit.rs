//! Units: durations (`1h30m`, `200ms`) and byte sizes (`2GiB`), in expression strings and in policies.

use super::expression::{Error, excerpt};
use crate::diag::did_you_mean;

/// A unit: how it is written, and how many of the smallest unit (milliseconds, bytes) it holds.
type Unit = (&'static str, u64);

/// Units of time, in milliseconds. Of several names for one length the first is the one that is printed.
pub const DURATIONS: [Unit; 19] = [
    ("d", 86_400_000),
    ("day", 86_400_000),
    ("days", 86_400_000),
    ("h", 3_600_000),
    ("hour", 3_600_000),
    ("hours", 3_600_000),
    ("m", 60_000),
    ("min", 60_000),
    ("mins", 60_000),
    ("minute", 60_000),
    ("minutes", 60_000),
    ("s", 1_000),
    ("sec", 1_000),
    ("secs", 1_000),
    ("second", 1_000),
    ("seconds", 1_000),
    ("ms", 1),
    ("millisecond", 1),
    ("milliseconds", 1),
];

/// Units of size, in bytes: `KiB`, `MiB`, … are powers of 1024, `kB`, `MB`, … powers of 1000 (IEC 80000-13).
pub const SIZES: [Unit; 10] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("KB", 1_000),
    ("B", 1),
];

/// What a unit stands for: milliseconds, bytes, or nothing if there is no such unit.
pub fn factor(unit: &str) -> Option<u64> {
    DURATIONS.iter().chain(&SIZES).find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}

/// Does the unit measure time?
pub fn is_duration(unit: &str) -> bool {
    DURATIONS.iter().any(|(name, _)| *name == unit)
}

/// The nearest unit, for a help line; or all of the short ones.
pub fn suggest(unit: &str) -> String {
    did_you_mean(unit, DURATIONS.iter().chain(&SIZES).map(|(name, _)| *name))
        .unwrap_or_else(|| "units are `ms`, `s`, `m`, `h`, `d` and `B`, `kB`, `KiB`, `MB`, `MiB`, `GB`, `GiB`".into())
}

/// Reads a duration such as `10m`, `1h30m`, `500ms`, `1.5s`, in milliseconds.
///
/// # Errors
/// Text without a unit, with an unknown one, with two units in the wrong order, or too long for 64 bits.
pub fn parse_duration_ms(text: &str) -> Result<u64, Error> {
    parse(text, &DURATIONS, "a duration", "write for instance `500ms`, `30s`, `10m` or `1h30m`", ("s", "m"))
}

/// Reads a size such as `10MB`, `2GiB`, `512B`, in bytes. Capitals do not matter: `10mb`.
///
/// # Errors
/// Text without a unit, with an unknown one, or too large for 64 bits.
pub fn parse_bytes(text: &str) -> Result<u64, Error> {
    parse(text, &SIZES, "a size", "write for instance `512B`, `10MB` or `2GiB`", ("MB", "MiB"))
}

fn parse(text: &str, units: &[Unit], what: &str, form: &str, usual: (&str, &str)) -> Result<u64, Error> {
    let fail = |message: String, help: &str| Error::new(message).help(help);
    let shown = excerpt(text, 40);
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fail(format!("{what} is missing: the text is empty"), form));
    }
    if rest.starts_with('-') {
        return Err(fail(format!("{what} cannot be negative: `{shown}`"), form));
    }
    let mut total: u64 = 0;
    let mut before: Option<u64> = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let tail = tail.trim_start();
        let letters = tail.find(|c: char| !c.is_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err(fail(format!("`{shown}` is not {what}"), form));
        }
        if unit.is_empty() && tail.is_empty() {
            let (first, second) = usual;
            return Err(fail(
                format!("`{shown}` has no unit"),
                &format!("write `{number}{first}` or `{number}{second}`"),
            ));
        }
        // Sizes are often written in small letters; of times, `m` and `M` could be different things.
        let small = |name: &str| units[0].0 == SIZES[0].0 && name.eq_ignore_ascii_case(unit);
        let found = units.iter().find(|(name, _)| *name == unit).or(units.iter().find(|(name, _)| small(name)));
        let Some((_, factor)) = found else {
            let help = did_you_mean(unit, units.iter().map(|(name, _)| *name));
            return Err(fail(format!("`{shown}` is not {what}"), help.as_deref().unwrap_or(form)));
        };
        if before.is_some_and(|larger| larger <= *factor) {
            return Err(fail(format!("the parts of `{shown}` are not in order"), "larger units come first: `1h30m`"));
        }
        before = Some(*factor);
        let part = scale(number, *factor).ok_or_else(|| fail(format!("`{shown}` is not {what}"), form))?;
        total = total.checked_add(part).ok_or_else(|| fail(format!("`{shown}` is too large"), form))?;
        rest = tail.trim_start();
    }
    Ok(total)
}

/// `number` (digits with at most one point) times `factor`, rounded to a whole; nothing if it is no number or too large.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.contains('.') || fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()? };
    let fraction: f64 = format!("0.{fraction}").parse().ok()?;
    whole.checked_mul(factor)?.checked_add((fraction * factor as f64).round() as u64)
}

/// A duration as it can be read again by [`parse_duration_ms`]: `1h30m`, `1.5s`, `0s`.
pub fn show_duration(ms: u64) -> String {
    let mut text = String::new();
    let mut rest = ms;
    for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)] {
        if rest >= factor {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    if rest >= 1_000 && rest.is_multiple_of(1_000) {
        text.push_str(&format!("{}s", rest / 1_000));
    } else if rest >= 1_000 {
        let fraction = format!("{:03}", rest % 1_000);
        text.push_str(&format!("{}.{}s", rest / 1_000, fraction.trim_end_matches('0')));
    } else if rest > 0 {
        text.push_str(&format!("{rest}ms"));
    }
    if text.is_empty() { "0s".into() } else { text }
}

/// A size for people, in powers of 1024 with at most one decimal: `512B`, `1.5KiB`, `2GiB`.
pub fn show_bytes(bytes: u64) -> String {
    for (unit, factor) in SIZES.iter().filter(|(unit, _)| unit.ends_with("iB")) {
        if bytes >= *factor {
            let tenths = (bytes as f64 / *factor as f64 * 10.0).round() / 10.0;
            return format!("{tenths}{unit}");
        }
    }
    format!("{bytes}B")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("1h 30 min", 5_400_000),
            ("500ms", 500),
            ("1.5s", 1_500),
            (".5s", 500),
            ("0s", 0),
            ("2 days", 172_800_000),
        ] {
            assert_eq!(parse_duration_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn wrong_durations_say_what_to_write() {
        for (text, message, help) in [
            ("10", "`10` has no unit", "write `10s` or `10m`"),
            ("", "a duration is missing: the text is empty", "write for instance `500ms`, `30s`, `10m` or `1h30m`"),
            ("soon", "`soon` is not a duration", "write for instance `500ms`, `30s`, `10m` or `1h30m`"),
            ("-1s", "a duration cannot be negative: `-1s`", "write for instance `500ms`, `30s`, `10m` or `1h30m`"),
            ("10secnds", "`10secnds` is not a duration", "did you mean `seconds`?"),
            ("30m1h", "the parts of `30m1h` are not in order", "larger units come first: `1h30m`"),
            ("1.2.3s", "`1.2.3s` is not a duration", "write for instance `500ms`, `30s`, `10m` or `1h30m`"),
        ] {
            let error = parse_duration_ms(text).expect_err(text);
            assert_eq!((error.message.as_str(), error.help.as_deref()), (message, Some(help)));
        }
        assert!(parse_duration_ms("999999999999999999d").is_err());
    }

    #[test]
    fn sizes_are_read_and_shown() {
        assert_eq!(parse_bytes("2GiB"), Ok(2 << 30));
        assert_eq!(parse_bytes("1.5 kB"), Ok(1_500));
        assert_eq!(parse_bytes("100mb"), Ok(100_000_000));
        assert_eq!(parse_bytes("1gib"), Ok(1 << 30));
        assert!(parse_duration_ms("10M").is_err());
        assert_eq!(parse_bytes("10").expect_err("no unit").help.as_deref(), Some("write `10MB` or `10MiB`"));
        assert_eq!(show_bytes(0), "0B");
        assert_eq!(show_bytes(1_536), "1.5KiB");
        assert_eq!(show_bytes(2 << 30), "2GiB");
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read(ms in 0..1_000_000_000_000_u64) {
            prop_assert_eq!(parse_duration_ms(&show_duration(ms)), Ok(ms));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,20}") {
            let _ = parse_duration_ms(&text);
            let _ = parse_bytes(&text);
        }
    }
}
