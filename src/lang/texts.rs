//! Texts with results in them.
//!
//! A backtick text is always a text for Rhai, so a value that is not known yet stands in it as a mark. Such a text can be
//! put together with others and handed on; asking it anything is an error, since it is not yet what it will be.

use std::any::TypeId;
use std::sync::OnceLock;

use rhai::packages::{Package, StandardPackage};
use rhai::{Blob, Dynamic, Engine, INT, ImmutableString, Map, NativeCallContext};

use super::convert::is_marked;
use super::fault::{Fault, Need, not_known_yet, raise};
use super::session;

/// Rhai's functions that read or change a text, with the kinds of their parameters; those in [`common`] aside. A test
/// compares them with what Rhai has.
#[rustfmt::skip]
const READERS: [(&str, &str); 66] = [
    ("append", "blob text"),
    ("bytes", "text"),
    ("chars", "text"),
    ("chars", "text range"),
    ("chars", "text range="),
    ("chars", "text int"),
    ("chars", "text int int"),
    ("clear", "text"),
    ("contains", "map text"),
    ("contains", "text char"),
    ("crop", "text range"),
    ("crop", "text range="),
    ("crop", "text int"),
    ("crop", "text int int"),
    ("ends_with", "text char"),
    ("get", "map text"),
    ("get", "text int"),
    ("index_of", "text char"),
    ("index_of", "text char int"),
    ("index_of", "text text"),
    ("index_of", "text text int"),
    ("make_lower", "text"),
    ("make_upper", "text"),
    ("max", "text text"),
    ("min", "text text"),
    ("pad", "text int char"),
    ("pad", "text int text"),
    ("parse_float", "text"),
    ("parse_int", "text"),
    ("parse_int", "text int"),
    ("pop", "text"),
    ("pop", "text int"),
    ("remove", "map text"),
    ("remove", "text char"),
    ("remove", "text text"),
    ("replace", "text char char"),
    ("replace", "text char text"),
    ("replace", "text text char"),
    ("replace", "text text text"),
    ("set", "text int char"),
    ("set", "map text any"),
    ("split", "text"),
    ("split", "text text"),
    ("split", "text text int"),
    ("split", "text char"),
    ("split", "text char int"),
    ("split", "text int"),
    ("split_rev", "text text"),
    ("split_rev", "text text int"),
    ("split_rev", "text char"),
    ("split_rev", "text char int"),
    ("starts_with", "text char"),
    ("sub_string", "text range"),
    ("sub_string", "text range="),
    ("sub_string", "text int"),
    ("sub_string", "text int int"),
    ("to_blob", "text"),
    ("to_chars", "text"),
    ("trim", "text"),
    ("truncate", "text int"),
    ("write_ascii", "blob range text"),
    ("write_ascii", "blob range= text"),
    ("write_ascii", "blob int int text"),
    ("write_utf8", "blob range text"),
    ("write_utf8", "blob range= text"),
    ("write_utf8", "blob int int text"),
];

/// Such a text stands where it would be read.
pub fn marked_fault(context: &NativeCallContext) -> Fault {
    let (span, refused) = session::with(|session| (session.span(context), session.refused.clone()));
    if let Some(refused) = refused {
        return raise(refused);
    }
    raise(not_known_yet(Some("a text with results in it"), Need::Compute, span))
}

fn holds_mark(value: &Dynamic) -> bool {
    value.read_lock::<ImmutableString>().is_some_and(|text| is_marked(&text))
}

/// Rhai with its standard functions and nothing of ours.
fn plain() -> &'static Engine {
    static PLAIN: OnceLock<Engine> = OnceLock::new();
    PLAIN.get_or_init(|| {
        let mut engine = Engine::new_raw();
        engine.set_fast_operators(false);
        StandardPackage::new().register_into_engine(&mut engine);
        engine
    })
}

/// Lets every function of Rhai that takes a text look for marks first.
pub fn register(engine: &mut Engine) {
    for (name, kinds) in READERS {
        let types: Vec<TypeId> = kinds.split(' ').map(type_of).collect();
        engine.register_raw_fn(name, types, move |context: NativeCallContext, arguments| {
            if arguments.iter().any(|argument| holds_mark(argument)) {
                return Err(marked_fault(&context));
            }
            let (global, place) = (context.global_runtime_state(), context.call_position());
            let own = NativeCallContext::new_with_all_fields(plain(), name, context.call_source(), global, place);
            own.call_native_fn_raw(name, true, arguments)
        });
    }
    for (property, count) in [("is_empty", false), ("len", true), ("bytes", true)] {
        engine.register_get(
            property,
            move |context: NativeCallContext, text: &mut ImmutableString| -> Result<Dynamic, Fault> {
                match property {
                    _ if is_marked(text) => Err(marked_fault(&context)),
                    "bytes" => Ok((text.len() as INT).into()),
                    _ if count => Ok((text.chars().count() as INT).into()),
                    _ => Ok(text.is_empty().into()),
                }
            },
        );
    }
    compare(engine);
    common(engine);
}

fn type_of(kind: &str) -> TypeId {
    match kind {
        "text" => TypeId::of::<ImmutableString>(),
        "char" => TypeId::of::<char>(),
        "int" => TypeId::of::<INT>(),
        "map" => TypeId::of::<Map>(),
        "blob" => TypeId::of::<Blob>(),
        "range" => TypeId::of::<std::ops::Range<INT>>(),
        "range=" => TypeId::of::<std::ops::RangeInclusive<INT>>(),
        _ => TypeId::of::<Dynamic>(),
    }
}

fn compare(engine: &mut Engine) {
    macro_rules! compare {
        ($($op:literal $apply:tt),*) => {$(
            engine.register_fn($op, |c: NativeCallContext, a: ImmutableString, b: ImmutableString| -> Result<bool, Fault> {
                if is_marked(&a) || is_marked(&b) { Err(marked_fault(&c)) } else { Ok(a.as_str() $apply b.as_str()) }
            });
        )*};
    }
    compare!("==" ==, "!=" !=, "<" <, "<=" <=, ">" >, ">=" >=);
    engine.register_fn("-", |c: NativeCallContext, a: ImmutableString, b: ImmutableString| -> Result<String, Fault> {
        if is_marked(&a) || is_marked(&b) { Err(marked_fault(&c)) } else { Ok(a.replace(b.as_str(), "")) }
    });
    engine.register_fn(
        "-=",
        |c: NativeCallContext, a: &mut ImmutableString, b: ImmutableString| -> Result<(), Fault> {
            if is_marked(a) || is_marked(&b) {
                return Err(marked_fault(&c));
            }
            *a = a.replace(b.as_str(), "").into();
            Ok(())
        },
    );
}

/// Those that closures call most, without the way over the other engine.
fn common(engine: &mut Engine) {
    macro_rules! plain {
        ($($name:literal ($($extra:ident),*) -> $out:ty = $body:expr;)*) => {$(
            engine.register_fn($name, |c: NativeCallContext, text: ImmutableString $(, $extra: ImmutableString)*| -> Result<$out, Fault> {
                if is_marked(&text) $(|| is_marked(&$extra))* {
                    return Err(marked_fault(&c));
                }
                let body: fn(&str $(, plain!(@text $extra))*) -> $out = $body;
                Ok(body(&text $(, &$extra)*))
            });
        )*};
        (@text $extra:ident) => { &str };
    }
    plain! {
        "len"() -> INT = |text| text.chars().count() as INT;
        "is_empty"() -> bool = |text| text.is_empty();
        "to_upper"() -> String = |text| text.to_uppercase();
        "to_lower"() -> String = |text| text.to_lowercase();
        "contains"(part) -> bool = |text, part| text.contains(part);
        "starts_with"(part) -> bool = |text, part| text.starts_with(part);
        "ends_with"(part) -> bool = |text, part| text.ends_with(part);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::reference::functions_of;
    use super::*;

    /// Functions that only put texts together or show them, those for which a text is the name of a function, and one that is
    /// replaced by a better one.
    const OTHERS: [&str; 22] = [
        "+",
        "+=",
        "all",
        "append",
        "debug",
        "dedup",
        "drain",
        "filter",
        "get_fn_metadata_list",
        "index_of",
        "map",
        "name",
        "parse_json",
        "print",
        "reduce",
        "reduce_rev",
        "retain",
        "some",
        "sort",
        "to_debug",
        "to_string",
        "as_string",
    ];

    #[test]
    fn every_function_of_rhai_that_reads_a_text_is_known() {
        let mut missing = BTreeSet::new();
        for function in functions_of(plain()) {
            let mut kinds = Vec::new();
            for parameter in &function.params {
                kinds.push(match parameter.kind.as_deref().unwrap_or("any").trim_start_matches("&mut ") {
                    "&str" | "ImmutableString" => "text",
                    "i64" => "int",
                    "char" => "char",
                    "Map" => "map",
                    "Blob" => "blob",
                    "Range<i64>" => "range",
                    "RangeInclusive<i64>" => "range=",
                    _ => "any",
                });
            }
            let kinds = kinds.join(" ");
            let name = function.name.as_str();
            let own = ["len", "is_empty", "to_upper", "to_lower"].contains(&name)
                || kinds == "text text" && ["contains", "starts_with", "ends_with"].contains(&name);
            if kinds.contains("text") && !own && !OTHERS.contains(&name) && !READERS.contains(&(name, kinds.as_str())) {
                missing.insert(format!("{name}({kinds})"));
            }
        }
        assert!(missing.is_empty(), "{missing:?}");
    }
}
