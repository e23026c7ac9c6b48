//! Text on one line, of a width that fits, and numbers as people write them.

/// Text of which more than this is never looked at: it is shown shortened anyway.
pub(super) const ENOUGH: usize = 2_000;

/// One line of harmless characters: a line break becomes ` ⏎ `, other control characters and direction marks `·`.
pub fn clean(text: &str) -> String {
    let text = match text.char_indices().nth(ENOUGH) {
        Some((at, _)) => &text[..at],
        None => text,
    };
    let mut line = String::with_capacity(text.len());
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        if !line.is_empty() {
            line.push_str(" ⏎ ");
        }
        line.extend(part.chars().map(|c| match c {
            '\t' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => '·',
            c if c.is_control() => '·',
            c => c,
        }));
    }
    line
}

/// At most `max` columns wide, with an ellipsis where something was left out.
pub fn shorten(text: &str, max: usize) -> String {
    use unicode_width::UnicodeWidthChar;
    let mut width = 0;
    let mut fits = 0;
    for (at, c) in text.char_indices() {
        width += c.width().unwrap_or(0);
        if width < max {
            fits = at + c.len_utf8();
        }
        if width > max {
            let mut short = text[..fits].trim_end().to_owned();
            short.push('…');
            return short;
        }
    }
    text.to_owned()
}

/// Columns that a text takes in a terminal.
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Names in a sentence: `a, b and c`, `a, b and 8 more`.
pub fn list(names: &[impl AsRef<str>], max: usize) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => (*only).to_owned(),
        Some((last, rest)) if names.len() <= max => format!("{} and {last}", rest.join(", ")),
        Some(_) => format!("{} and {} more", names[..max - 1].join(", "), count(names.len() - max + 1)),
    }
}

/// A duration in its two greatest units: `350ms`, `1.5s`, `2m 30s`, `1h`, `3d 4h`.
pub fn duration(ms: u64) -> String {
    let (seconds, minutes, hours, days) = (ms / 1_000, ms / 60_000, ms / 3_600_000, ms / 86_400_000);
    let two = |first: u64, unit: &str, rest: u64, small: &str| match rest {
        0 => format!("{first}{unit}"),
        rest => format!("{first}{unit} {rest}{small}"),
    };
    match () {
        () if ms < 1_000 => format!("{ms}ms"),
        () if seconds < 60 && ms % 1_000 >= 100 && seconds < 10 => format!("{seconds}.{}s", ms % 1_000 / 100),
        () if seconds < 60 => format!("{seconds}s"),
        () if minutes < 60 => two(minutes, "m", seconds % 60, "s"),
        () if hours < 24 => two(hours, "h", minutes % 60, "m"),
        () => two(days, "d", hours % 24, "h"),
    }
}

/// A size as it was probably written: `100MB`, `2GiB`, `1.5KiB`.
pub fn size(bytes: u64) -> String {
    for (unit, factor) in [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    crate::plan::unit::show_bytes(bytes)
}

/// A whole number with its thousands apart: `9,950`.
pub fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 step`, `3 steps`
pub fn plural(number: usize, word: &str) -> String {
    format!("{} {word}{}", count(number), if number == 1 { "" } else { "s" })
}
