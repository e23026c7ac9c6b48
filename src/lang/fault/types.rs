//! Names of types, for people.

/// The name of a type, short, as in signatures.
pub fn short_type(name: &str) -> String {
    match name.trim() {
        "&str | ImmutableString | String" | "ImmutableString" | "&str" | "String" | "string" => "text".into(),
        "i64" | "INT" => "number".into(),
        "f64" | "FLOAT" => "decimal".into(),
        "bool" => "bool".into(),
        "()" => "()".into(),
        "Array" | "array" => "array".into(),
        "Map" | "map" => "map".into(),
        "FnPtr" | "Fn" => "closure".into(),
        "Dynamic" | "?" => "any".into(),
        "char" => "letter".into(),
        other => match other.rsplit("::").next().unwrap_or(other) {
            "Range<i64>" | "RangeInclusive<i64>" | "range" | "range=" => "range".into(),
            "StepRange<i64>" => "range with steps".into(),
            "Step" => "step".into(),
            "Agent" => "agent".into(),
            "End" => "source or sink".into(),
            "Secret" | "SecretRef" => "secret".into(),
            "Double" | "Given" => "double".into(),
            "Run" | "Played" => "run".into(),
            "StepOfRun" | "PlayedStep" => "step of a run".into(),
            last => last.to_owned(),
        },
    }
}

/// The name of a type, in words.
pub fn readable_type(name: &str) -> String {
    match short_type(name).as_str() {
        "text" => "a text".into(),
        "letter" => "a letter".into(),
        "number" => "a whole number".into(),
        "decimal" => "a decimal number".into(),
        "bool" => "true or false".into(),
        "()" => "nothing: `()`".into(),
        "array" => "an array".into(),
        "map" => "a map".into(),
        "closure" => "a closure".into(),
        "any" => "any value".into(),
        "Pending" => "a result that is not known yet".into(),
        "agent" => "an agent".into(),
        other => format!("a {other}"),
    }
}
