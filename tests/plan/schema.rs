//! The published schema is current, and true of the plans we write.

use std::path::PathBuf;

use flow::plan::Plan;
use flow::plan::schema::{schema, schema_text};

use super::{golden, plans};

#[test]
fn the_published_schema_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/plan.schema.json");
    if std::env::var_os("FLOW_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder can be made");
        std::fs::write(&path, schema_text()).expect("the schema can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == schema_text(), "docs/plan.schema.json is not current; FLOW_BLESS=1 rewrites it");
}

#[test]
fn plans_are_as_the_schema_says() {
    let validator = jsonschema::validator_for(&schema()).expect("a valid schema");
    for (name, plan) in plans::all() {
        let json = serde_json::to_value(&plan).expect("a plan is data");
        let errors: Vec<_> =
            validator.iter_errors(&json).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        let read: Plan = serde_json::from_value(json).expect("a plan can be read back");
        assert_eq!(read, plan, "{name} is not the same after it was written and read");
        if name != "wide" {
            golden(&format!("{name}.json"), &format!("{:#}\n", serde_json::to_value(&plan).expect("a plan is data")));
        }
    }
}

#[test]
fn the_schema_refuses_what_is_no_plan() {
    let validator = jsonschema::validator_for(&schema()).expect("a valid schema");
    for wrong in [serde_json::json!({}), serde_json::json!({"steps": [{"name": 1}], "complete": true})] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}
