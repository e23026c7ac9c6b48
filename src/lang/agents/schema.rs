//! What an answer must be like: a JSON Schema, or an example of types.
//!
//! `#{ tasks: [#{ title: "string", done: "boolean?" }] }` is short for a schema of an object whose key `tasks` is an array of
//! objects. A map is read so where every value in it, at any depth, is the name of a type (a `?` behind it: may be left out), a
//! list with one such thing, or a map of such; and where no key is one by which only a schema is known, such as `type`.

use rhai::{Dynamic, Map};
use serde_json::json;

use crate::diag::Span;
use crate::lang::convert::to_json;
use crate::lang::fault::Fault;
use crate::lang::options::wrong;
use crate::lang::policies::schema;
use crate::lang::session;
use crate::plan::Json;

/// Names of types.
const TYPES: [&str; 6] = ["string", "number", "integer", "boolean", "object", "array"];

/// Keys of a schema whose values could look like examples of types.
const OF_SCHEMAS: [&str; 8] = ["type", "enum", "const", "$ref", "default", "examples", "format", "pattern"];

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
    Ok(schema)
}

/// The schema that an example stands for, if it is one.
fn expanded(example: &Json) -> Option<Json> {
    match example {
        Json::String(kind) => TYPES.contains(&kind.as_str()).then(|| json!({ "type": kind })),
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
    fn schemas_are_no_examples() {
        for schema in [
            json!({ "type": "string" }),
            json!({ "type": "object", "required": ["a"] }),
            json!({ "properties": { "a": { "type": "string" } } }),
            json!({ "required": ["a"] }),
            json!({ "items": { "type": "string" } }),
            json!({ "enum": ["string"] }),
            json!({ "a": "strin" }),
            json!({ "a": ["string", "number"] }),
            json!({ "a": {} }),
            json!({ "a": 1 }),
        ] {
            assert_eq!(expanded(&schema), None, "{schema}");
        }
    }
}
