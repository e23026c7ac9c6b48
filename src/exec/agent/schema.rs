//! Schemas of answers. Models' servers want that of an object: another one is put into one, and the answer is taken out of it again.

use std::borrow::Cow;

use serde_json::json;

use crate::plan::{Ask, Json};

/// The key of an answer that would be no object.
const ANSWER: &str = "flow_answer";

/// The key under which an answer that is JSON notes something on a board.
pub(super) const NOTES: &str = "notes";

/// Can who answers so note something beside it? Not if the answer is no object, or has a key of that name itself; nor for `codex`,
/// whose schemas have only keys that are always there.
pub(super) fn takes_notes(ask: &Ask) -> bool {
    let fits = |schema: &Json| {
        schema.get("type").and_then(Json::as_str) == Some("object")
            && schema.get("properties").is_none_or(|keys| keys.get(NOTES).is_none())
    };
    !ask.boards.is_empty() && ask.agent.backend != "codex" && ask.schema.as_ref().is_some_and(fits)
}

/// The schema that an answer has to fit before its notes are taken out of it.
pub(super) fn with_notes(ask: &Ask) -> Option<Cow<'_, Json>> {
    let schema = ask.schema.as_ref()?;
    if !takes_notes(ask) {
        return Some(Cow::Borrowed(schema));
    }
    let mut schema = schema.clone();
    let notes =
        json!({ "type": "object", "description": "what to note for others: a key for each thing; may be left out" });
    if let Some(keys) = schema
        .as_object_mut()
        .and_then(|schema| schema.entry("properties").or_insert_with(|| json!({})).as_object_mut())
    {
        keys.insert(NOTES.to_owned(), notes);
    }
    Some(Cow::Owned(schema))
}

/// A schema of objects: the schema itself if it is one, else one of objects whose only key fits it.
pub(super) fn of_object(schema: &Json) -> Cow<'_, Json> {
    if schema.get("type").and_then(Json::as_str) == Some("object") {
        return Cow::Borrowed(schema);
    }
    let mut inner = schema.clone();
    let mut outer = json!({ "type": "object", "properties": {}, "required": [ANSWER], "additionalProperties": false });
    // What it refers to by its place stays in its place.
    for key in ["$schema", "$defs", "definitions"] {
        if let Some(value) = inner.as_object_mut().and_then(|inner| inner.remove(key)) {
            outer[key] = value;
        }
    }
    outer["properties"][ANSWER] = inner;
    Cow::Owned(outer)
}

/// The answer itself.
pub(super) fn inside(value: Json) -> Json {
    match value {
        Json::Object(mut object) if object.len() == 1 && object.contains_key(ANSWER) => {
            object.remove(ANSWER).unwrap_or_default()
        }
        other => other,
    }
}

/// The answer itself, if a text is one that was put into an object.
pub(super) fn inside_text(text: &str) -> Option<Json> {
    // Most answers are not, and are not read for this.
    if !text.get(..40).unwrap_or(text).contains(ANSWER) {
        return None;
    }
    let value: Json = serde_json::from_str(text.trim()).ok()?;
    let is_one = value.as_object().is_some_and(|object| object.len() == 1 && object.contains_key(ANSWER));
    is_one.then(|| inside(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_is_put_into_one() {
        let object = json!({ "type": "object", "properties": { "a": {} } });
        assert_eq!(*of_object(&object), object);
        let list = json!({ "type": "array", "items": { "$ref": "#/$defs/n" }, "$defs": { "n": { "type": "number" } } });
        let outer = of_object(&list);
        assert_eq!(outer["properties"][ANSWER], json!({ "type": "array", "items": { "$ref": "#/$defs/n" } }));
        assert_eq!(outer["$defs"]["n"]["type"], "number");
        assert_eq!(of_object(&json!(true))["properties"][ANSWER], json!(true));
    }

    #[test]
    fn and_taken_out_of_it_again() {
        assert_eq!(inside(json!({ "flow_answer": [1] })), json!([1]));
        assert_eq!(inside(json!({ "flow_answer": 1, "b": 2 })), json!({ "flow_answer": 1, "b": 2 }));
        assert_eq!(inside_text(" {\"flow_answer\": [1]}\n"), Some(json!([1])));
        assert_eq!(inside_text("{\"a\": \"flow_answer\"}"), None);
        assert_eq!(inside_text("flow_answer"), None);
    }
}
