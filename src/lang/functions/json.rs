//! JSON texts and values.

use rhai::plugin::*;
use rhai::{Dynamic, ImmutableString, Map, NativeCallContext};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::diag::Diagnostic;
use crate::lang::convert::{is_marked, to_dynamic, to_json as json_of};
use crate::lang::fault::{Fault, raise};
use crate::lang::options::{here, wrong};
use crate::lang::session;
use crate::lang::texts::marked_fault;
use crate::plan::Json;
use crate::state::result::shorten;

fn text_of(context: &NativeCallContext, value: &Dynamic, indent: i64) -> Result<ImmutableString, Fault> {
    let span = here(context);
    if !(0..=16).contains(&indent) {
        return Err(wrong("the indent of JSON", "0 to 16 blanks", &indent.into(), span));
    }
    let value = session::with(|session| json_of(session, value, span))?;
    if indent == 0 {
        return Ok(value.to_string().into());
    }
    let (blanks, mut text) = (" ".repeat(indent as usize), Vec::new());
    // Writing into memory does not fail, and JSON is UTF-8.
    let _ =
        value.serialize(&mut Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(blanks.as_bytes())));
    Ok(String::from_utf8_lossy(&text).into_owned().into())
}

#[export_module]
pub mod functions {
    /// The value of a JSON text. `null` is `()`, and a whole number too large for 64 bits is decimal.
    ///
    /// Outputs that are JSON are values already: `step.output.key`, or `step.json`. This reads JSON that stands within something else.
    ///
    /// - `text`: any JSON value
    ///
    /// ```rhai
    /// let image = parse_json(`{"name": "app", "tags": ["1.4", "latest"]}`);
    /// sh("pull", `echo pulling ${image.name}:${image.tags[0]}`);
    /// ```
    ///
    /// In a shell: `jq`. In GitHub Actions: `fromJSON(…)`.
    ///
    /// Errors: `flow::lang::value`, `flow::lang::pending`
    /// See: `to_json`, `.parse`
    #[rhai_fn(return_raw)]
    pub fn parse_json(context: NativeCallContext, text: &str) -> Result<Dynamic, Fault> {
        if is_marked(text) {
            return Err(marked_fault(&context));
        }
        serde_json::from_str::<Json>(text).map(to_dynamic).map_err(|error| {
            let found = shorten(text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default().trim(), 60);
            let found = if found.is_empty() { String::new() } else { format!(", found `{found}`") };
            raise(
                Diagnostic::new("flow::lang::value", format!("the text is not JSON: {error}{found}"))
                    .label(here(&context), "read here")
                    .help("keys and texts stand in double quotes, and after the last item there is no comma"),
            )
        })
    }

    /// A value as JSON text, on one line. The keys of maps are in the order of the alphabet, so equal values give equal texts.
    ///
    /// - `value`: a map, or any other value
    ///
    /// ```rhai
    /// sh("show", `echo ${quote(to_json(#{ replicas: 3, tags: ["a", "b"] }))}`);
    /// ```
    ///
    /// In GitHub Actions: `toJSON(…)`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::pending`
    /// See: `parse_json`
    #[rhai_fn(name = "to_json", return_raw)]
    pub fn to_json_map(context: NativeCallContext, value: Map) -> Result<ImmutableString, Fault> {
        text_of(&context, &value.into(), 0)
    }

    /// Any value as JSON text, on one line.
    ///
    /// - `value`: a list, a text, a number, anything
    ///
    /// ```rhai
    /// let ports = to_json([80, 443]);
    /// ```
    #[rhai_fn(name = "to_json", return_raw)]
    pub fn to_json(context: NativeCallContext, value: Dynamic) -> Result<ImmutableString, Fault> {
        text_of(&context, &value, 0)
    }

    /// A value as JSON text on several lines, for people.
    ///
    /// - `value`: any value
    /// - `indent` (number): how many blanks a level is indented by, 0 to 16; with 0 all is on one line
    ///
    /// ```rhai
    /// sh("save", "cat > config.json").stdin(to_json(#{ port: 8080, workers: 4 }, 2));
    /// ```
    #[rhai_fn(name = "to_json", return_raw)]
    pub fn to_json_indented(context: NativeCallContext, value: Dynamic, indent: i64) -> Result<ImmutableString, Fault> {
        text_of(&context, &value, indent)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tried::{refused, value};

    #[test]
    fn values_and_texts() {
        assert_eq!(value("parse_json(\"[1, null, 2.5, {\\\"a\\\": true}]\")[3].a"), true);
        assert_eq!(value("parse_json(\"18446744073709551615\") > 1e19"), true);
        assert_eq!(value("to_json(#{ b: 1, a: [()] })"), "{\"a\":[null],\"b\":1}");
        assert_eq!(value("to_json([1], 2)"), "[\n  1\n]");
        assert!(refused("parse_json(\"{\\\"a\\\": }\")").contains("not JSON"));
        assert!(refused("to_json(#{ a: sh(\"s\", \"true\").output })").contains("not run yet"));
    }
}
