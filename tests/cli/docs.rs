//! `flow docs`: by topic, by name, by words, as data.

use crate::transcript::Session;

#[test]
fn the_reference_in_the_terminal() {
    let mut session = Session::new();
    session
        .type_in("flow docs | head -4")
        .type_in("flow docs retry")
        .type_in("flow docs retry.backoff")
        .type_in("flow docs settings.undo retention.keep")
        .type_in("flow docs limit | grep -A2 limit")
        .type_in("flow docs step.degraded")
        .type_in("flow docs flow::plan::cycle")
        .type_in("flow docs flow::signal")
        .type_in("flow docs max_attempts | head -1")
        .type_in("flow docs text::slug | head -6")
        .type_in("flow docs std/text | head -3")
        .type_in("flow docs uppercase")
        .type_in("flow docs duration")
        .type_in("flow docs switch")
        .type_in("flow docs secrets")
        .type_in("flow docs --search idempotency")
        .type_in("flow docs bakoff")
        .type_in("flow docs plan::cylce")
        .type_in("flow docs qqqqqqqq")
        .type_in("flow docs --search xyzzy plugh")
        .type_in("flow docs retry.jitter --json")
        .type_in("flow docs bakoff --json")
        .check("docs");
}
