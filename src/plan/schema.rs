//! The published JSON Schema of a plan: `docs/plan.schema.json`.

use super::{Json, Plan};

/// The schema of what `flow plan --format json` writes (JSON Schema 2020-12), made from the types themselves.
pub fn schema() -> Json {
    let mut schema = schemars::schema_for!(Plan).to_value();
    let mut ordered = serde_json::Map::new();
    if let Some(fields) = schema.as_object_mut() {
        ordered.extend(fields.remove_entry("$schema"));
        ordered.insert("title".to_owned(), "A plan of flow".into());
        ordered.insert("description".to_owned(), fields.remove("description").unwrap_or_default());
        fields.remove("title");
        ordered.append(fields);
    }
    let mut schema = Json::Object(ordered);
    unlink(&mut schema);
    schema
}

/// The schema as the text of `docs/plan.schema.json`.
pub fn schema_text() -> String {
    let mut text = format!("{:#}", schema());
    text.push('\n');
    text
}

/// Descriptions come from the documentation of the types: links within it lead nowhere here.
fn unlink(value: &mut Json) {
    match value {
        Json::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                match field {
                    Json::String(text) if key == "description" => *text = text.replace("[`", "`").replace("`]", "`"),
                    field => unlink(field),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(unlink),
        _ => {}
    }
}
