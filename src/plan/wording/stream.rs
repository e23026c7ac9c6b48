//! Streams, alerts and what they watch in a few words each.

use super::{clean, count, duration, plural, size};
use crate::plan::{Ack, Alert, ItemError, Merge, Slow, Stream};

/// What is said of a stream beyond its members: `merge raw`, `a slow reader loses all but 1,000 lines`.
pub fn stream(stream: &Stream) -> Vec<String> {
    let mut words = Vec::new();
    match stream.merge {
        Merge::Auto => {}
        Merge::Tagged => words.push("every line tagged with its source".to_owned()),
        Merge::Raw => words.push("lines merged raw".to_owned()),
    }
    match stream.slow {
        Slow::Block => {}
        Slow::DropOldest(lines) => {
            words.push(format!("a slow reader loses all but the last {}", plural(lines as usize, "line")));
        }
    }
    if stream.tee != Stream::TEE {
        words.push(format!("logs up to {}", size(stream.tee)));
    }
    if stream.linger_ms != Stream::LINGER_MS {
        words.push(format!("unread members end within {}", duration(stream.linger_ms)));
    }
    if stream.max_line != Stream::MAX_LINE {
        words.push(format!("lines up to {}", size(stream.max_line)));
    }
    words
}

/// Of a member that is tried again: `answers line by line`.
pub fn ack(ack: Ack) -> Option<&'static str> {
    match ack {
        Ack::End => None,
        Ack::Line => Some("answers line by line"),
    }
}

/// What happens with an item that fails, as in scripts.
pub fn item_error(on_error: ItemError) -> &'static str {
    ItemError::ALL.iter().find(|(_, one)| *one == on_error).map_or("stop", |(name, _)| name)
}

/// What raises an alert: `error_rate of parse is above 0.1 for 30s`.
pub fn alert(alert: &Alert) -> String {
    let mut text = alert.metric.name().to_owned();
    if let Some(stage) = &alert.stage {
        text.push_str(&format!(" of {}", clean(stage)));
    }
    let bound = |word: &str, bound: Option<f64>| bound.map(|bound| format!("{word} {}", number(bound)));
    let bounds: Vec<String> =
        [bound("above", alert.above), bound("below", alert.below)].into_iter().flatten().collect();
    text.push_str(&format!(" is {}", bounds.join(" or ")));
    if alert.for_ms > 0 {
        text.push_str(&format!(" for {}", duration(alert.for_ms)));
    }
    text
}

/// A figure as people write it: whole where it is whole, else with as many digits as it needs.
pub fn number(figure: f64) -> String {
    match figure.fract() == 0.0 && figure.abs() < 1e15 {
        true if figure >= 10_000.0 => count(figure as usize),
        true => format!("{figure:.0}"),
        false if figure.abs() < 10.0 => {
            let text = format!("{figure:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        false if figure.abs() < 1_000.0 => format!("{figure:.1}"),
        false => count(figure.abs().round() as usize),
    }
}
