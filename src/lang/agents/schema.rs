//! What an answer must be like: a JSON Schema, or an example of types.
//!
//! `#{ tasks: [#{ title: "string", done: "boolean?" }] }` is short for a schema of an object whose key `tasks` is an array of
//! objects. A map is read so where every value in it, at any depth, is the name of a type (a `?` behind it: may be left out), texts
//! of which it is one (`"pass | fail"`), a list with one such thing, or a map of such; and where no key is one by which only a schema
//! is known, such as `type`. Any other map is a JSON Schema, and refused where it would say nothing.

use rhai::{Dynamic, Map};
use serde_json::json;

use crate::diag::{Diagnostic, Span};
use crate::lang::convert::to_json;
use crate::lang::fault::{Fault, raise};
use crate::lang::options::wrong;
use crate::lang::policies::schema;
use crate::lang::session;
use crate::plan::Json;

/// Names of types.
const TYPES: [&str; 6] = ["string", "number", "integer", "boolean", "object", "array"];

/// Keys of a schema whose values could look like examples of types.
const OF_SCHEMAS: [&str; 8] = ["type", "enum", "const", "$ref", "default", "examples", "format", "pattern"];

/// Words of JSON Schema that say nothing of a value by themselves, or only where others do.
const SAY_NOTHING: [&str; 12] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "definitions",
    "id",
    "$defs",
    "then",
    "else",
];

/// The schema that a script gives.
///
/// # Errors
/// What is neither a schema nor an example.
pub(super) fn read(given: &Dynamic, span: Span) -> Result<Json, Fault> {
    if !given.is::<Map>() {
        return Err(wrong("`schema` of ask", "a map: a JSON Schema, or an example of types", given, span));
    }
    let said = session::with(|session| to_json(session, given, span))?;
    let schema = match said.as_object().is_some_and(|map| !map.is_empty()) {
        true => expanded(&said).unwrap_or(said),
        false => said,
    };
    schema::check(&schema, "schema", span)?;
    let says = |word: &String| schema::is_word(word) && !SAY_NOTHING.contains(&word.as_str());
    match schema.as_object().filter(|map| !map.is_empty()) {
        Some(map) if !map.keys().any(says) => Err(says_nothing(map, span)),
        _ => Ok(schema),
    }
}

/// A map that is no example of types, and would let any answer pass.
fn says_nothing(map: &serde_json::Map<String, Json>, span: Span) -> Fault {
    let odd = |(_, value): &(&String, &Json)| {
        let value =
            value.as_str().map_or_else(|| (*value).clone(), |text| text.strip_suffix('?').unwrap_or(text).into());
        expanded(&value).is_none()
    };
    let key = map.iter().find(odd).map_or("schema", |(key, _)| key.as_str());
    raise(
        Diagnostic::new("flow::lang::schema", "what `schema` is given checks nothing: it is neither an example of types nor a JSON Schema")
            .label_word(span, key, "what can this be?")
            .help(format!(
                "an example says the type of each value: `#{{ {key}: \"string\" }}`, one of {}; `\"a | b\"` for one of these texts, `[…]` around it for a list, `?` behind it if it may be missing; a JSON Schema begins as `#{{ type: \"object\", properties: #{{…}} }}`",
                TYPES.join(", ")
            )),
    )
}

/// The schema that an example stands for, if it is one.
fn expanded(example: &Json) -> Option<Json> {
    match example {
        Json::String(kind) if TYPES.contains(&kind.as_str()) => Some(json!({ "type": kind })),
        Json::String(texts) => one_of(texts),
        Json::Array(items) => match &items[..] {
            [item] => Some(json!({ "type": "array", "items": expanded(item)? })),
            _ => None,
        },
        Json::Object(fields) => {
            if fields.is_empty() || fields.keys().any(|key| OF_SCHEMAS.contains(&key.as_str())) {
                return None;
            }
            let (mut properties, mut required) = (serde_json::Map::new(), Vec::new());
            for (key, value) in fields {
                let (value, needed) = match value.as_str().and_then(|kind| kind.strip_suffix('?')) {
                    Some(kind) => (Json::from(kind), false),
                    None => (value.clone(), true),
                };
                properties.insert(key.clone(), expanded(&value)?);
                if needed {
                    required.push(key.clone());
                }
            }
            Some(
                json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false }),
            )
        }
        _ => None,
    }
}

/// Texts of which an answer is one: `"pass | fail"`.
fn one_of(texts: &str) -> Option<Json> {
    let texts: Vec<&str> = texts.split('|').map(str::trim).collect();
    let is_type = |text: &&str| TYPES.contains(text) || *text == "null";
    let fits = texts.len() > 1 && !texts.iter().any(|text| text.is_empty());
    match fits {
        false => None,
        true if texts.iter().all(is_type) => Some(json!({ "type": texts })),
        // A type among texts: which of both is meant?
        true if texts.iter().any(is_type) => None,
        true => Some(json!({ "type": "string", "enum": texts })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_short_for_schemas() {
        let schema = expanded(&json!({ "tasks": [{ "title": "string", "done": "boolean?" }] }));
        let inner = json!({
            "type": "object",
            "properties": { "title": { "type": "string" }, "done": { "type": "boolean" } },
            "required": ["title"],
            "additionalProperties": false,
        });
        let whole = json!({
            "type": "object",
            "properties": { "tasks": { "type": "array", "items": inner } },
            "required": ["tasks"],
            "additionalProperties": false,
        });
        assert_eq!(schema, Some(whole));
    }

    #[test]
    fn one_of_several_is_said_with_bars() {
        let schema =
            expanded(&json!({ "verdict": "pass | fail", "line": "integer | null?" })).expect("it is an example");
        let fields = json!({ "verdict": { "type": "string", "enum": ["pass", "fail"] }, "line": { "type": ["integer", "null"] } });
        assert_eq!((&schema["properties"], &schema["required"]), (&fields, &json!(["verdict"])));
    }

    #[test]
    fn schemas_are_no_examples() {
        for schema in [
            json!({ "type": "string" }),
            json!({ "type": "object", "required": ["a"] }),
            json!({ "properties": { "a": { "type": "string" } } }),
            json!({ "required": ["a"] }),
            json!({ "items": { "type": "string" } }),
            json!({ "enum": ["string"] }),
            json!({ "a": "strin" }),
            json!({ "a": "string | b" }),
            json!({ "a": "b | " }),
            json!("pass"),
            json!({ "a": ["string", "number"] }),
            json!({ "a": {} }),
            json!({ "a": 1 }),
        ] {
            assert_eq!(expanded(&schema), None, "{schema}");
        }
    }
}
