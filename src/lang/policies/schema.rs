//! JSON Schemas in scripts: read at once, so that a mistake in one is not found in the middle of a run.

use crate::diag::{Diagnostic, Span, did_you_mean};
use crate::lang::fault::{Fault, raise};
use crate::plan::Json;

/// Words of JSON Schema (draft 2020-12, with those of earlier ones that are still in use).
const WORDS: [&str; 55] = [
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "maxItems",
    "minItems",
    "uniqueItems",
    "maxContains",
    "minContains",
    "maxProperties",
    "minProperties",
    "required",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "prefixItems",
    "items",
    "additionalItems",
    "contains",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "format",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "title",
    "description",
    "default",
    "deprecated",
    "readOnly",
    "writeOnly",
    "examples",
    "definitions",
    "id",
    "$ref",
    "$defs",
    "$schema",
];

/// What `type` can be.
const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "null"];

/// Words under which there is a schema, a list of them, or a map of them.
const INNER: [&str; 13] = [
    "not",
    "if",
    "then",
    "else",
    "items",
    "contains",
    "additionalProperties",
    "additionalItems",
    "propertyNames",
    "allOf",
    "anyOf",
    "oneOf",
    "prefixItems",
];
const MAPS: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];

/// Is it a word of JSON Schema?
pub fn is_word(word: &str) -> bool {
    WORDS.contains(&word)
}

/// Refuses what is no schema, and words that are probably misspelt: a validator would ignore them without a word.
pub fn check(schema: &Json, what: &str, span: Span) -> Result<(), Fault> {
    misspelt(schema, span)?;
    match jsonschema::validator_for(schema) {
        Ok(_) => Ok(()),
        Err(error) => {
            let place = error.instance_path().as_str().to_owned();
            let word = place.rsplit('/').find(|word| !word.is_empty() && word.parse::<u32>().is_err());
            let at = if place.is_empty() { String::new() } else { format!(" (at `{place}`)") };
            Err(raise(
                Diagnostic::new("flow::lang::schema", format!("what `{what}` is given is no JSON Schema: {error}{at}"))
                    .label_word(span, word.unwrap_or(what), "given here")
                    .help(
                        "a schema says what the output must be like: `#{ type: \"object\", required: [\"percent\"] }`",
                    ),
            ))
        }
    }
}

fn misspelt(schema: &Json, span: Span) -> Result<(), Fault> {
    let Json::Object(entries) = schema else { return Ok(()) };
    for (word, value) in entries {
        if !WORDS.contains(&word.as_str())
            && let Some(help) = did_you_mean(word, WORDS)
        {
            return Err(raise(
                Diagnostic::new("flow::lang::schema", format!("JSON Schema has no word `{word}`"))
                    .label_word(span, word.as_str(), "it would say nothing")
                    .help(help),
            ));
        }
        let types = match value {
            Json::Array(types) => types.as_slice(),
            one => std::slice::from_ref(one),
        };
        let wrong = types.iter().filter_map(Json::as_str).find(|given| word == "type" && !TYPES.contains(given));
        if let Some(given) = wrong {
            let near = did_you_mean(given, TYPES);
            return Err(raise(
                Diagnostic::new("flow::lang::schema", format!("JSON Schema has no type `{given}`"))
                    .label_word(span, given, "given here")
                    .help(near.unwrap_or_else(|| format!("one of: {}", TYPES.join(", ")))),
            ));
        }
        match value {
            Json::Object(inner) if MAPS.contains(&word.as_str()) => {
                inner.values().try_for_each(|inner| misspelt(inner, span))?;
            }
            Json::Array(list) if INNER.contains(&word.as_str()) => {
                list.iter().try_for_each(|inner| misspelt(inner, span))?;
            }
            value if INNER.contains(&word.as_str()) => misspelt(value, span)?,
            _ => {}
        }
    }
    Ok(())
}
