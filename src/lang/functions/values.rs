//! What scripts ask of texts and maps and could not, or only slowly, work out by themselves.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonschema::Validator;
use rhai::plugin::*;
use rhai::{Dynamic, ImmutableString, Map, NativeCallContext};
use sha2::{Digest, Sha256};

use crate::diag::Diagnostic;
use crate::lang::convert::{Steps, is_marked, to_value};
use crate::lang::fault::{Fault, raise};
use crate::lang::options::{here, unknown_key};
use crate::lang::session;
use crate::lang::texts::marked_fault;
use crate::plan::{Json, Value};

/// Most patterns that are kept ready.
const KEPT: usize = 64;

thread_local! {
    /// Patterns that were used lately, the latest at the end.
    static PATTERNS: RefCell<Vec<(String, Validator)>> = const { RefCell::new(Vec::new()) };
}

fn known(context: &NativeCallContext, texts: &[&str]) -> Result<(), Fault> {
    if texts.iter().any(|text| is_marked(text)) { Err(marked_fault(context)) } else { Ok(()) }
}

fn refuse(context: &NativeCallContext, message: String, help: &str) -> Fault {
    raise(Diagnostic::new("flow::lang::value", message).label(here(context), "here").help(help))
}

#[export_module]
pub mod functions {
    /// The SHA-256 of a text's bytes, as 64 hexadecimal digits.
    ///
    /// - `text`: any text; of a file: `files::sha256`
    ///
    /// ```rhai
    /// let key = sha256("app 1.4.0 linux");
    /// sh("build", "make").cache(#{ key: key });
    /// ```
    ///
    /// In a shell: `sha256sum`.
    ///
    /// Errors: `flow::lang::pending`
    /// See: `.cache`, `std/files`
    #[rhai_fn(return_raw)]
    pub fn sha256(context: NativeCallContext, text: &str) -> Result<ImmutableString, Fault> {
        known(&context, &[text])?;
        Ok(Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// A text's bytes in base64 (with padding).
    ///
    /// - `text`: any text
    ///
    /// ```rhai
    /// sh("show", `echo ${to_base64("it's")} | base64 -d`);
    /// ```
    ///
    /// Errors: `flow::lang::pending`
    /// See: `from_base64`
    #[rhai_fn(return_raw)]
    pub fn to_base64(context: NativeCallContext, text: &str) -> Result<ImmutableString, Fault> {
        known(&context, &[text])?;
        Ok(STANDARD.encode(text).into())
    }

    /// The text whose bytes in base64 these are. It must be UTF-8; blanks and line ends do not count.
    ///
    /// - `text`: base64, with padding
    ///
    /// ```rhai
    /// let greeting = from_base64("aGVsbG8=");
    /// ```
    ///
    /// Errors: `flow::lang::value`, `flow::lang::pending`
    /// See: `to_base64`
    #[rhai_fn(return_raw)]
    pub fn from_base64(context: NativeCallContext, text: &str) -> Result<ImmutableString, Fault> {
        known(&context, &[text])?;
        let dense: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes = STANDARD.decode(dense).map_err(|error| {
            let help = "base64 has letters, digits, `+`, `/`, and `=` at the end, four for every three bytes";
            refuse(&context, format!("the text is not base64: {error}"), help)
        })?;
        String::from_utf8(bytes).map(ImmutableString::from).map_err(|_| {
            let help = "let a step decode it into a file: `base64 -d`";
            refuse(&context, "what is encoded is no text: its bytes are not UTF-8".into(), help)
        })
    }

    /// A text as part of a URL: all but letters, digits, `-`, `_`, `.` and `~` becomes `%…` of its bytes.
    ///
    /// - `text`: any text
    ///
    /// ```rhai
    /// let branch = "feature/a b";
    /// http("ask", `https://example.org/branches/${url_encode(branch)}`);
    /// ```
    ///
    /// Errors: `flow::lang::pending`
    /// See: `std/http`
    #[rhai_fn(return_raw)]
    pub fn url_encode(context: NativeCallContext, text: &str) -> Result<ImmutableString, Fault> {
        known(&context, &[text])?;
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(byte as char),
                _ => encoded.push_str(&format!("%{byte:02X}")),
            }
        }
        Ok(encoded.into())
    }

    /// Does a regular expression fit anywhere in a text? `^` and `$` are its beginning and its end.
    ///
    /// - `text`: what is looked at
    /// - `pattern` (text): as in JavaScript, and in the word `pattern` of JSON Schema; in backticks a backslash needs no other: `` `^v\d+\.\d+$` ``
    ///
    /// ```rhai
    /// let tag = sh("tag", "git describe --tags");
    /// sh("publish", "make publish").when(|| matches(tag.text, `^v\d+\.\d+\.\d+$`));
    /// ```
    ///
    /// In a shell: `grep -E`.
    ///
    /// Errors: `flow::lang::value`, `flow::lang::pending`
    /// See: `matches_glob`
    #[rhai_fn(return_raw)]
    pub fn matches(context: NativeCallContext, text: &str, pattern: &str) -> Result<bool, Fault> {
        known(&context, &[text, pattern])?;
        let text = Json::from(text);
        PATTERNS.with_borrow_mut(|kept| {
            let at = kept.iter().position(|(known, _)| known == pattern);
            let ready = match at {
                Some(at) => kept.remove(at),
                None => {
                    let schema = serde_json::json!({ "pattern": pattern });
                    let validator = jsonschema::validator_for(&schema).map_err(|_| {
                        let help = "brackets come in pairs; a sign that is meant as it is stands after a backslash, as in `\\.`";
                        refuse(&context, format!("`{pattern}` is no regular expression"), help)
                    })?;
                    (pattern.to_owned(), validator)
                }
            };
            let fits = ready.1.is_valid(&text);
            if kept.len() >= KEPT {
                kept.remove(0);
            }
            kept.push(ready);
            Ok(fits)
        })
    }

    /// Does a whole text fit a pattern as shells have them for file names?
    ///
    /// - `text`: what is looked at, such as the name of a file
    /// - `pattern` (text): `*` is any text without `/`, `**/` any folders, `?` a letter, `[a-z]` one of some
    ///
    /// ```rhai
    /// let sources = ["src/main.rs", "README.md"].filter(|file| matches_glob(file, "src/**/*.rs"));
    /// ```
    ///
    /// In a shell: `case`.
    ///
    /// Errors: `flow::lang::value`, `flow::lang::pending`
    /// See: `matches`
    #[rhai_fn(return_raw)]
    pub fn matches_glob(context: NativeCallContext, text: &str, pattern: &str) -> Result<bool, Fault> {
        known(&context, &[text, pattern])?;
        let pattern = glob::Pattern::new(pattern).map_err(|error| {
            refuse(
                &context,
                format!("`{pattern}` is no pattern: {}", error.msg),
                "brackets come in pairs; `**` stands between slashes",
            )
        })?;
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        Ok(pattern.matches_with(text, options))
    }

    /// Is a value known while the plan is made? It is not if a result of a step is in it.
    ///
    /// - `value`: any value
    ///
    /// ```rhai
    /// fn fetch(name, place) {
    ///     let step = exec(name, ["cp", place, "."]);
    ///     if is_known(place) { step.desc(`copies ${place}`) } else { step }
    /// }
    /// fetch("take", "a.txt");
    /// ```
    ///
    /// Errors: `flow::lang::type`
    /// See: `with_defaults`
    #[rhai_fn(return_raw)]
    pub fn is_known(context: NativeCallContext, value: Dynamic) -> Result<bool, Fault> {
        let span = here(&context);
        let value = session::with(|session| to_value(session, &value, Steps::OrSecrets, span))?;
        Ok(matches!(value, Value::Plain(_)))
    }

    /// Options that were given to a function of a module, with its defaults for what was not. A name that is not among the defaults is
    /// refused, with the nearest one.
    ///
    /// - `options` (map): what was given
    /// - `defaults` (map): a value for every option that there is
    /// - `what` (text): what the options are of, for the message
    ///
    /// ```rhai
    /// fn deploy(place, options) {
    ///     let o = with_defaults(options, #{ replicas: 1, wait: true }, "deploy");
    ///     sh(`deploy-${place}`, `echo ${o.replicas}`)
    /// }
    /// deploy("berlin", #{ replicas: 3 });
    /// ```
    ///
    /// Errors: `flow::lang::unknown_option`
    /// See: `is_known`
    #[rhai_fn(return_raw)]
    pub fn with_defaults(context: NativeCallContext, options: Map, defaults: Map, what: &str) -> Result<Map, Fault> {
        let mut all = defaults;
        for (key, value) in options {
            match all.get_mut(&key) {
                Some(place) => *place = value,
                None => {
                    let known: Vec<&str> = all.keys().map(|key| key.as_str()).collect();
                    return Err(unknown_key(&key, &format!("`{what}`"), &known, here(&context)));
                }
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tried::{refused, value};

    #[test]
    fn texts_are_hashed_and_encoded() {
        assert_eq!(value("sha256(\"\")"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(value("from_base64(to_base64(\"it's ä\"))"), "it's ä");
        assert_eq!(value("url_encode(\"a b/ä~\")"), "a%20b%2F%C3%A4~");
        assert!(refused("from_base64(\"#\")").contains("not base64"));
        assert!(refused("from_base64(\"/w==\")").contains("not UTF-8"));
    }

    #[test]
    fn patterns_fit_or_do_not() {
        assert_eq!(value("matches(\"v1.2.3\", `^v\\d+(\\.\\d+){2}$`)"), true);
        assert_eq!(value("matches(\"xv1\", \"^v\")"), false);
        assert!(refused("matches(\"a\", \"(\")").contains("no regular expression"));
        assert_eq!(value("matches_glob(\"src/a/b.rs\", \"src/**/*.rs\")"), true);
        assert_eq!(value("matches_glob(\"src/a/b.rs\", \"src/*.rs\")"), false);
        assert!(refused("matches_glob(\"a\", \"a**\")").contains("no pattern"));
    }

    #[test]
    fn options_are_filled_in_and_checked() {
        assert_eq!(value("to_json(with_defaults(#{ a: 1 }, #{ a: 0, b: 2 }, \"f\"))"), "{\"a\":1,\"b\":2}");
        assert!(refused("with_defaults(#{ aa: 1 }, #{ a: 0 }, \"f\")").contains("no option `aa`"));
        assert_eq!(value("is_known([1, #{ a: \"b\" }])"), true);
        assert_eq!(value("is_known(#{ a: `x ${sh(\"s\", \"true\").output}` })"), false);
    }

    #[test]
    fn results_that_are_not_known_are_refused() {
        for call in
            ["sha256(s.output)", "sha256(`x ${s.output}`)", "matches(`${s.output}`, \"x\")", "url_encode(s.text)"]
        {
            let said = refused(&format!("{{ let s = sh(\"s\", \"true\"); {call} }}"));
            assert!(said.contains("not known"), "{call}: {said}");
        }
    }
}
