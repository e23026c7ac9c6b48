//! Moments and durations. Nothing here knows what time it is: a moment is given, or comes from a step.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use rhai::plugin::*;
use rhai::{ImmutableString, NativeCallContext};

use crate::diag::Diagnostic;
use crate::lang::convert::is_marked;
use crate::lang::fault::{Fault, raise};
use crate::lang::options::here;
use crate::lang::texts::marked_fault;
use crate::plan::unit;

fn refuse(context: &NativeCallContext, message: String, help: &str) -> Fault {
    raise(Diagnostic::new("flow::lang::value", message).label(here(context), "here").help(help))
}

fn known(context: &NativeCallContext, texts: &[&str]) -> Result<(), Fault> {
    if texts.iter().any(|text| is_marked(text)) { Err(marked_fault(context)) } else { Ok(()) }
}

fn zone_of(context: &NativeCallContext, name: &str) -> Result<TimeZone, Fault> {
    TimeZone::get(name).map_err(|_| {
        let help = "write it as the tz database does: \"UTC\", \"Europe/Berlin\", \"America/New_York\"";
        refuse(context, format!("there is no time zone `{name}` on this machine"), help)
    })
}

fn at(context: &NativeCallContext, ms: i64, zone: &str) -> Result<Zoned, Fault> {
    let moment = Timestamp::from_millisecond(ms).map_err(|_| {
        refuse(
            context,
            format!("{ms} milliseconds since 1970 are in no year from -9999 to 9999"),
            "check what the number counts",
        )
    })?;
    Ok(moment.to_zoned(zone_of(context, zone)?))
}

#[export_module]
pub mod functions {
    /// A moment, in milliseconds since 1970, of a date, or a date and a time.
    ///
    /// - `text`: `"2030-01-31T22:00:00Z"`, `"2030-01-31T22:00+01:00"`; without an offset `"2030-01-31 22:00"`, or `"2030-01-31"` for midnight
    /// - `zone` (text): the time zone of a text without an offset: `"UTC"`, `"Europe/Berlin"`
    ///
    /// ```rhai
    /// let begin = parse_time("2030-01-31 22:00", "Europe/Berlin");
    /// wait_until("window", begin) -> sh("maintain", "true");
    /// ```
    ///
    /// Errors: `flow::lang::value`, `flow::lang::pending`
    /// See: `format_time`, `shift_time`, `std/time`
    #[rhai_fn(return_raw)]
    pub fn parse_time(context: NativeCallContext, text: &str, zone: &str) -> Result<i64, Fault> {
        known(&context, &[text, zone])?;
        let text = text.trim();
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(moment.as_millisecond());
        }
        if let Ok(moment) = text.parse::<Zoned>() {
            return Ok(moment.timestamp().as_millisecond());
        }
        let moment = text.parse::<DateTime>().ok().map(|moment| {
            moment.to_zoned(zone_of(&context, zone)?).map_err(|_| {
                refuse(
                    &context,
                    format!("`{text}` is out of the years from -9999 to 9999"),
                    "give an earlier or a later one",
                )
            })
        });
        match moment {
            Some(moment) => Ok(moment?.timestamp().as_millisecond()),
            None => Err(refuse(
                &context,
                format!("`{text}` is no moment"),
                "write a date, or a date and a time: \"2030-01-31 22:00\", \"2030-01-31T22:00+01:00\"",
            )),
        }
    }

    /// A moment as text, in a time zone.
    ///
    /// - `moment` (number): milliseconds since 1970
    /// - `format` (text): as of the program `date`: `"%Y-%m-%d %H:%M:%S"`, `"%A"` (the day's name), `"%u"` (its number from Monday, 1),
    ///   `"%G-W%V"` (the week), `"%:z"` (the offset)
    /// - `zone` (text): the time zone: `"UTC"`, `"Europe/Berlin"`
    ///
    /// ```rhai
    /// let name = `backup-${format_time(1893448800000, "%Y%m%d", "UTC")}.tar.gz`;
    /// ```
    ///
    /// In a shell: `date -d`.
    ///
    /// Errors: `flow::lang::value`, `flow::lang::pending`
    /// See: `parse_time`, `std/time`
    #[rhai_fn(return_raw)]
    pub fn format_time(
        context: NativeCallContext,
        moment: i64,
        format: &str,
        zone: &str,
    ) -> Result<ImmutableString, Fault> {
        known(&context, &[format, zone])?;
        let moment = at(&context, moment, zone)?;
        let text = jiff::fmt::strtime::format(format, &moment).map_err(|error| {
            let help = "for instance \"%Y-%m-%d %H:%M:%S\"; a percent sign itself is \"%%\"";
            refuse(&context, format!("the format `{format}` cannot be used: {error}"), help)
        })?;
        Ok(text.into())
    }

    /// A moment that is later than another, or earlier, by the calendar of a time zone: a month later is the same day of the next
    /// month, or its last; a day later is the same time of the next day, also where the clocks change in between.
    ///
    /// - `moment` (number): milliseconds since 1970
    /// - `by` (text): how much later: `"1d"`, `"2h30m"`, `"1mo 15d"`, `"1y"`, or earlier: `"-2w"`
    /// - `zone` (text): the time zone whose calendar counts: `"UTC"`, `"Europe/Berlin"`
    ///
    /// ```rhai
    /// let next_month = shift_time(parse_time("2030-01-31", "UTC"), "1mo", "UTC");
    /// ```
    ///
    /// Errors: `flow::lang::value`, `flow::lang::pending`
    /// See: `parse_time`, `std/time`
    #[rhai_fn(return_raw)]
    pub fn shift_time(context: NativeCallContext, moment: i64, by: &str, zone: &str) -> Result<i64, Fault> {
        known(&context, &[by, zone])?;
        let moment = at(&context, moment, zone)?;
        let span: jiff::Span = by.parse().map_err(|_| {
            let help = "write for instance \"1d\", \"2h30m\", \"1mo\" or, to go back, \"-1d\"";
            refuse(&context, format!("`{by}` is no length of time"), help)
        })?;
        moment.checked_add(span).map(|moment| moment.timestamp().as_millisecond()).map_err(|_| {
            refuse(&context, format!("`{by}` later is out of the years from -9999 to 9999"), "give a shorter time")
        })
    }

    /// A duration in milliseconds, of a text as policies take it.
    ///
    /// - `text`: `"500ms"`, `"90s"`, `"1h30m"`
    ///
    /// ```rhai
    /// let slow = parse_duration("1m30s");
    /// let test = sh("test", "make test");
    /// sh("complain", "echo too slow").when(|| test.duration_ms > slow);
    /// ```
    ///
    /// Errors: `flow::lang::value`, `flow::lang::pending`
    /// See: `format_duration`
    #[rhai_fn(return_raw)]
    pub fn parse_duration(context: NativeCallContext, text: &str) -> Result<i64, Fault> {
        known(&context, &[text])?;
        match unit::parse_duration_ms(text) {
            Ok(ms) => Ok(i64::try_from(ms).unwrap_or(i64::MAX)),
            Err(error) => Err(refuse(&context, error.message, &error.help.unwrap_or_default())),
        }
    }

    /// A duration as text, as policies take it: `"1m30s"`.
    ///
    /// - `ms` (number): milliseconds; less than nothing is nothing
    ///
    /// ```rhai
    /// let test = sh("test", "make test");
    /// call("tell", || `the tests took ${format_duration(test.duration_ms)}`);
    /// ```
    ///
    /// Errors: `flow::lang::pending`
    /// See: `parse_duration`
    pub fn format_duration(ms: i64) -> ImmutableString {
        unit::show_duration(u64::try_from(ms).unwrap_or(0)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tried::{refused, value};

    #[test]
    fn moments_are_read_and_written() {
        assert_eq!(value("parse_time(\"2030-01-31T22:00+01:00\", \"UTC\")"), 1_896_123_600_000_i64);
        assert_eq!(value("parse_time(\"2030-01-31 22:00\", \"Europe/Berlin\")"), 1_896_123_600_000_i64);
        assert_eq!(value("format_time(0, \"%Y-%m-%d %H:%M\", \"Asia/Tokyo\")"), "1970-01-01 09:00");
        assert!(refused("parse_time(\"soon\", \"UTC\")").contains("no moment"));
        assert!(refused("format_time(0, \"%!\", \"UTC\")").contains("format"));
        assert!(refused("format_time(0, \"%Y\", \"Nowhere\")").contains("time zone"));
    }

    #[test]
    fn the_calendar_counts() {
        let day = |from: &str, by: &str, zone: &str| {
            value(&format!(
                "format_time(shift_time(parse_time(\"{from}\", \"{zone}\"), \"{by}\", \"{zone}\"), \"%F %R\", \"{zone}\")"
            ))
        };
        assert_eq!(day("2030-01-31", "1mo", "UTC"), "2030-02-28 00:00");
        assert_eq!(day("2030-03-30 12:00", "1d", "Europe/Berlin"), "2030-03-31 12:00");
        assert_eq!(day("2030-03-30 12:00", "24h", "Europe/Berlin"), "2030-03-31 13:00");
        assert_eq!(day("2030-01-01", "-1d", "UTC"), "2029-12-31 00:00");
        assert!(refused("shift_time(0, \"soon\", \"UTC\")").contains("no length of time"));
    }

    #[test]
    fn durations() {
        assert_eq!(value("parse_duration(\"1m30s\")"), 90_000);
        assert_eq!(value("format_duration(90000)"), "1m30s");
        assert_eq!(value("format_duration(-1)"), "0s");
        assert!(refused("parse_duration(\"90\")").contains("unit"));
    }
}
