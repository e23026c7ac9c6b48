//! Are two values of a test the same, and how do they look?

use crate::plan::Json;

/// Are they the same? Numbers are compared by value: `1` is `1.0`.
pub fn equal(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Number(a), Json::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a == b,
            _ => a.as_f64() == b.as_f64(),
        },
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => left == right,
    }
}

/// A value as text that can be compared line by line: a text of several lines as it is, arrays and maps with one entry a
/// line where they are long, keys in their order.
pub fn shown(value: &Json) -> String {
    match value {
        Json::Null => "()".to_owned(),
        Json::String(text) if text.contains('\n') => text.clone(),
        _ => {
            let sorted = sorted(value);
            let short = sorted.to_string();
            if short.chars().count() <= 60 { short } else { format!("{sorted:#}") }
        }
    }
}

fn sorted(value: &Json) -> Json {
    match value {
        Json::Array(items) => items.iter().map(sorted).collect(),
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(entries.into_iter().collect())
        }
        value => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        assert!(equal(&json!({"a": [1, 2.0], "b": 1}), &json!({"b": 1.0, "a": [1.0, 2]})));
        assert!(!equal(&json!(1), &json!("1")));
        assert!(!equal(&json!([1]), &json!([1, 1])));
        assert!(!equal(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992_i64)));
        assert!(!equal(&json!({"a": 1}), &json!({"b": 1})));
    }

    #[test]
    fn values_are_shown_line_by_line() {
        assert_eq!(shown(&json!(null)), "()");
        assert_eq!(shown(&json!("one")), "\"one\"");
        assert_eq!(shown(&json!("one\ntwo")), "one\ntwo");
        assert_eq!(shown(&json!({"b": 1, "a": 2})), "{\"a\":2,\"b\":1}");
        assert!(shown(&json!({"a": "x".repeat(80)})).contains('\n'));
    }
}
