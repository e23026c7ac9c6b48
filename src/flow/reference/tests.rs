use super::*;

fn names(found: Found) -> Vec<String> {
    match found {
        Found::Entries(entries) | Found::Several(entries) => entries.iter().map(|entry| entry.name.clone()).collect(),
        Found::Part(part) => vec![format!("part {}", part.name)],
        Found::Nothing(meant) => vec![format!("meant {meant:?}")],
    }
}

#[test]
fn names_are_looked_up_as_people_write_them() {
    for (name, first) in [
        ("retry", ".retry"),
        (".retry", ".retry"),
        ("retry(3)", ".retry"),
        ("step.output", "output"),
        ("retry.backoff", "retry.backoff"),
        ("flow::plan::cycle", "flow::plan::cycle"),
        ("plan::cycle", "flow::plan::cycle"),
        ("settings.max_parallel", "settings.max_parallel"),
        ("retention.keep", "retention.keep"),
        ("retention", "[retention]"),
        ("std/checks", "std/checks"),
        ("checks", "std/checks"),
        ("policies", "part policies"),
        ("Waits and people", "part waits"),
        ("max_attempts", "retry.max_attempts"),
        ("uppercase", "uppercase"),
        ("->", "->"),
        ("arrow", "->"),
        ("Retry", ".retry"),
        ("retyr", "meant Some(\"retry\")"),
        ("bakoff", "meant Some(\"retry.backoff\")"),
        ("qqqqqqqq", "meant None"),
        ("", "meant None"),
    ] {
        assert_eq!(names(look_up(name)).first().map(String::as_str), Some(first), "{name}");
    }
    assert_eq!(names(look_up("limit")), ["limit", ".limit"]);
    assert!(names(look_up("flow::plan")).contains(&"flow::plan::cycle".to_owned()));
    assert!(names(look_up("to_upper")).contains(&"to_upper".to_owned()));
}

#[test]
fn words_find_entries_the_best_first() {
    let found = search(&["backoff".into()]);
    assert_eq!(found[0].name, "retry.backoff");
    assert!(found.iter().any(|entry| entry.name == ".retry"));
    assert!(search(&["file".into(), "wait".into()]).iter().any(|entry| entry.name == "wait_for"));
    assert!(search(&[]).is_empty());
    assert!(search(&["qqqq qqq".into()]).is_empty());
}

#[test]
fn every_entry_says_what_it_is() {
    for entry in entries() {
        assert!(!entry.text.trim().is_empty(), "{} {}", entry.kind, entry.name);
        assert!(!entry.summary.trim().is_empty(), "{} {}", entry.kind, entry.name);
        assert!(parts().iter().any(|part| part.name == entry.topic), "{} {}", entry.kind, entry.name);
    }
}
