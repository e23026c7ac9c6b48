//! Nearest names: what the user probably meant.

/// The known name nearest to `name`, if one is near enough to be meant.
///
/// Measured by the Damerau-Levenshtein distance (Damerau 1964), ignoring case; at most a third of the
/// letters may differ, and no more than three, or one name must begin with the other.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    let allowed = (wanted.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|known| *known != name)
        .filter_map(|known| {
            let candidate = known.to_lowercase();
            let distance = strsim::damerau_levenshtein(&wanted, &candidate);
            let prefix = wanted.len() >= 3 && (candidate.starts_with(&wanted) || wanted.starts_with(&candidate));
            // Of several names of which only the beginning was written, the first.
            let cost = if distance <= allowed { distance } else { usize::MAX };
            (distance <= allowed || prefix && candidate.len() >= 3).then_some((cost, known))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// A help line: the nearest name, or else the list of all that can stand there (at most twelve).
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(name, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<_> = known.into_iter().collect();
    if all.is_empty() || all.len() > 12 {
        return None;
    }
    Some(format!("one of: {}", all.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_found() {
        assert_eq!(nearest("retyr", ["retry", "timeout"]), Some("retry"));
        assert_eq!(nearest("max_paralel", ["max_parallel", "timeout"]), Some("max_parallel"));
        assert_eq!(nearest("zebra", ["retry", "timeout"]), None);
        assert_eq!(nearest("max", ["max_attempts", "delay", "max_delay"]), Some("max_attempts"));
    }

    #[test]
    fn with_nothing_near_the_choices_are_listed() {
        assert_eq!(did_you_mean("x", ["red", "blue"]).as_deref(), Some("one of: `red`, `blue`"));
        assert_eq!(did_you_mean("x", []), None);
    }
}
