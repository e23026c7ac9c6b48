//! The values of an approval's form, as a person gives them.

use serde_json::Map;

use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::plan::wording::list;
use crate::plan::{Field, Json};
use crate::state::result::{parse_number, plain_text};

/// Names that are listed in a message.
const LISTED: usize = 12;

/// The form from what was given and the defaults, in the order of its fields. `whole`: none may be missing; otherwise it
/// holds what was given.
///
/// # Errors
/// `flow::answer::form`: a value is missing, unknown, or not what its field takes.
pub fn filled(path: &str, fields: &[Field], given: &Map<String, Json>, whole: bool) -> Result<Map<String, Json>> {
    let wrong = |message: String| Diagnostic::new("flow::answer::form", message);
    if let Some((unknown, _)) = given.iter().find(|(key, _)| fields.iter().all(|field| field.name != **key)) {
        let problem = wrong(format!("the form of `{path}` has no field `{unknown}`"));
        let names = fields.iter().map(|field| field.name.as_str());
        return Err(problem.help(match did_you_mean(unknown, names) {
            Some(help) => help,
            None if fields.is_empty() => "it has no fields at all: leave `--set` away".to_owned(),
            None => "`flow show` tells what it asks for".to_owned(),
        }));
    }
    let missing = |field: &&Field| whole && !given.contains_key(&*field.name) && field.default.is_none();
    let missing: Vec<_> = fields.iter().filter(missing).collect();
    if let Some(first) = missing.first() {
        let names: Vec<_> = missing.iter().map(|field| format!("`{}`", field.name)).collect();
        return Err(wrong(format!("the form of `{path}` needs a value for {}", list(&names, LISTED))).help(format!(
            "add `--set {}=…`, {}",
            first.name,
            expected(first)
        )));
    }
    let mut values = Map::new();
    for field in fields {
        let value = match given.get(&*field.name) {
            Some(value) => read_field(field, value).map_err(|expected| {
                let value = plain_text(value);
                wrong(format!("in the form of `{path}`, `{}` cannot be `{value}`", field.name))
                    .help(format!("it is {expected}"))
            })?,
            None if whole => field.default.clone().unwrap_or_default(),
            None => continue,
        };
        values.insert(field.name.to_string(), value);
    }
    Ok(values)
}

/// A value for a field; a text is read as the field's kind.
///
/// # Errors
/// What the field takes, as the rest of a sentence "it is …".
pub fn read_field(field: &Field, given: &Json) -> std::result::Result<Json, String> {
    let text = given.as_str();
    let value = match (&*field.kind, text) {
        ("int", Some(text)) => parse_number(text).filter(Json::is_i64),
        ("int", None) => Some(given.clone()).filter(Json::is_i64),
        ("float", Some(text)) => parse_number(text).and_then(|n| n.as_f64()).map(Json::from),
        ("float", None) => given.as_f64().map(Json::from),
        ("bool", Some(text)) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "y" | "1" | "on" => Some(true.into()),
            "false" | "no" | "n" | "0" | "off" => Some(false.into()),
            _ => None,
        },
        ("bool", None) => Some(given.clone()).filter(Json::is_boolean),
        (_, Some(text)) => Some(text.into()),
        (_, None) => Some(plain_text(given).into()).filter(|_| !given.is_array() && !given.is_object()),
    };
    let same = |one: &Json, other: &Json| one == other || one.is_number() && one.as_f64() == other.as_f64();
    let fits = |value: &Json| field.one_of.is_empty() || field.one_of.iter().any(|one| same(one, value));
    value.filter(fits).ok_or_else(|| expected(field))
}

/// What a field takes.
pub fn expected(field: &Field) -> String {
    if !field.one_of.is_empty() {
        let values: Vec<_> = field.one_of.iter().map(|value| format!("`{}`", plain_text(value))).collect();
        return format!("one of {}", list(&values, LISTED));
    }
    match &*field.kind {
        "int" => "a whole number such as 3",
        "float" => "a number such as 1.5",
        "bool" => "true or false",
        _ => "a text",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(kind: &str, default: Option<Json>, one_of: &[Json]) -> Field {
        let (name, kind) = (format!("f-{kind}").into(), kind.into());
        Field { name, kind, default, one_of: one_of.to_vec(), help: String::new() }
    }

    fn given(pairs: &[(&str, Json)]) -> Map<String, Json> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn texts_become_the_kind_of_the_field() {
        let read = |kind: &str, value: Json| read_field(&field(kind, None, &[]), &value);
        assert_eq!(read("int", json!("3")), Ok(json!(3)));
        assert_eq!(read("int", json!(3)), Ok(json!(3)));
        assert!(read("int", json!("3.5")).is_err() && read("int", json!(true)).is_err());
        assert_eq!(read("float", json!("3")), Ok(json!(3.0)));
        assert_eq!(read("bool", json!("Yes")), Ok(json!(true)));
        assert_eq!(read("bool", json!("maybe")), Err("true or false".into()));
        assert_eq!(read("string", json!("1.10")), Ok(json!("1.10")));
        assert_eq!(read("string", json!(7)), Ok(json!("7")));
        assert!(read("string", json!([1])).is_err());
        let one_of = field("int", None, &[json!(1), json!(2)]);
        assert_eq!(read_field(&one_of, &json!("2")), Ok(json!(2)));
        assert_eq!(read_field(&one_of, &json!("3")), Err("one of `1` and `2`".into()));
    }

    #[test]
    fn defaults_fill_what_is_not_given_and_the_rest_is_named() {
        let fields = [field("string", None, &[]), field("int", Some(json!(7)), &[])];
        let form = filled("gate", &fields, &given(&[("f-string", json!("x"))]), true).expect("complete");
        assert_eq!(Json::Object(form), json!({ "f-string": "x", "f-int": 7 }));
        let missing = filled("gate", &fields, &given(&[]), true).expect_err("missing");
        assert_eq!(missing.message(), "the form of `gate` needs a value for `f-string`");
        assert!(filled("gate", &fields, &given(&[]), false).expect("not whole").is_empty());
        let unknown = filled("gate", &fields, &given(&[("f-strng", json!("x"))]), true).expect_err("unknown");
        assert_eq!(unknown.help_text(), Some("did you mean `f-string`?"));
        let wrong = given(&[("f-string", json!("x")), ("f-int", json!("many"))]);
        let wrong = filled("gate", &fields, &wrong, true).expect_err("wrong");
        assert_eq!(wrong.message(), "in the form of `gate`, `f-int` cannot be `many`");
        assert_eq!(wrong.help_text(), Some("it is a whole number such as 3"));
    }
}
