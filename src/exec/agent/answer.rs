//! The answer of an agent that was to be JSON: found in what it said, and checked.

use super::schema::NOTES;
use crate::event::{Failure, FailureKind};
use crate::plan::Json;
use crate::state::result::{kind_of, shorten};

/// The value that an answer holds and that fits the schema. `structured`: as its program says it; `quote`: what a message may
/// quote of it. Where it may note something, what stands under that key is no part of it, and given beside it.
///
/// Looked for in this order: what the program says, the whole text, what stands between fences (the last one first), from
/// the first brace or bracket to the last.
///
/// # Errors
/// There is none, or it does not fit: what is wrong and where.
pub(super) fn value(
    text: &str,
    structured: Option<&Json>,
    schema: &Json,
    agent: &str,
    takes_notes: bool,
    quote: impl Fn(&str) -> &str,
) -> Result<(Json, Option<Json>), Failure> {
    let validator = jsonschema::validator_for(schema).map_err(|error| {
        Failure::new(FailureKind::Script, format!("the `schema` of what agent `{agent}` is asked is none: {error}"))
            .help("it must be a JSON Schema, such as `#{ type: \"object\", required: [\"score\"] }`")
    })?;
    let found = structured.cloned().into_iter().chain(candidates(text).into_iter().filter_map(parsed));
    let mut first = None;
    for mut value in found {
        let notes = value.as_object_mut().filter(|_| takes_notes).and_then(|object| object.remove(NOTES));
        let wrong: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| match error.instance_path().as_str() {
                "" => error.to_string(),
                place => format!("{error} (at `{place}`)"),
            })
            .collect();
        match wrong.split_first() {
            None => return Ok((value, notes)),
            Some((one, more)) => {
                let more = if more.is_empty() { String::new() } else { format!(", and {} more", more.len()) };
                first.get_or_insert_with(|| (kind_of(&value), format!("{}{more}", shorten(one, 200))));
            }
        }
    }
    let help = "`retry` asks again; what it said is in `flow logs RUN STEP`";
    Err(match first {
        Some((kind, wrong)) => {
            let wrong = if quote("x").is_empty() { String::new() } else { format!(": {wrong}") };
            let message = format!("the answer of agent `{agent}` is {kind} that does not fit the schema{wrong}");
            Failure::new(FailureKind::Validation, message).help(help)
        }
        None => {
            let begin = shorten(quote(text.trim()), 80);
            let begin = if begin.is_empty() { String::new() } else { format!(": `{begin}`") };
            let message = format!("the answer of agent `{agent}` is to be JSON, and holds none{begin}");
            Failure::new(FailureKind::Validation, message).help(help)
        }
    })
}

fn parsed(text: &str) -> Option<Json> {
    serde_json::from_str(text.trim()).ok()
}

/// Texts that may be the value.
fn candidates(text: &str) -> Vec<&str> {
    let mut found = vec![text];
    let fenced: Vec<&str> = text.split("```").skip(1).step_by(2).collect();
    // `json` and the like stand on the line of the fence.
    found.extend(fenced.iter().rev().map(|block| block.split_once('\n').map_or(*block, |(_, inner)| inner)));
    for (open, close) in [('{', '}'), ('[', ']')] {
        if let (Some(from), Some(to)) = (text.find(open), text.rfind(close))
            && from < to
        {
            found.push(&text[from..=to]);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(text: &str, structured: Option<Json>) -> Result<Json, Failure> {
        let schema = json!({
            "type": "object", "required": ["score"], "properties": {"score": {"type": "number", "maximum": 10}}
        });
        value(text, structured.as_ref(), &schema, "judge", false, |text| text).map(|(value, _)| value)
    }

    #[test]
    fn it_is_found_wherever_it_stands() {
        let wanted = json!({"score": 7});
        for text in [
            "{\"score\": 7}",
            "\n {\"score\": 7}\n",
            "Here it is:\n```json\n{\"score\": 7}\n```\nGood?",
            "First ```{\"a\": 1}``` and then\n```\n{\"score\": 7}\n```",
            "I think {\"score\": 7} is right",
        ] {
            assert_eq!(of(text, None).expect(text), wanted);
        }
        assert_eq!(of("nothing", Some(wanted.clone())).expect("structured"), wanted);
        let whole = value("[1, 2]", None, &json!({"type": "array"}), "judge", false, |text| text);
        assert_eq!(whole.expect("an array").0, json!([1, 2]));
    }

    #[test]
    fn notes_are_no_part_of_it() {
        let schema = json!({"type": "object", "properties": {"v": {"type": "number"}}, "additionalProperties": false});
        let text = r#"{"v": 1, "notes": {"cause": "a leak"}}"#;
        let found = value(text, None, &schema, "judge", true, |text| text).expect("it fits");
        assert_eq!(found, (json!({"v": 1}), Some(json!({"cause": "a leak"}))));
        assert!(value(text, None, &schema, "judge", false, |text| text).is_err());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let failure = of("{\"score\": 70}", None).expect_err("too much");
        assert_eq!(failure.kind, FailureKind::Validation);
        assert!(failure.message.contains("at `/score`") && failure.message.contains("70"), "{failure:?}");
        let failure = of("I cannot say", None).expect_err("no JSON");
        assert!(failure.message.contains("holds none: `I cannot say`"), "{failure:?}");
        let failure = value("{}", None, &json!({"type": 5}), "judge", false, |text| text).expect_err("no schema");
        assert_eq!(failure.kind, FailureKind::Script);
    }
}
