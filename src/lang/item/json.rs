//! JSON of items: read and written as it is, without a value of another kind between.

use std::cell::Cell;
use std::fmt;

use rhai::{Array, Dynamic, ImmutableString, Map};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Most elements of an array that room is made for before they are there.
const FORESEEN: usize = 1_024;

/// Reads one value.
pub(super) fn read(bytes: &[u8]) -> serde_json::Result<Dynamic> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let beyond = Cell::new(false);
    let value = Any(&beyond).deserialize(&mut from)?;
    from.end()?;
    match beyond.get().then(|| too_great(bytes)).flatten() {
        Some(number) => Err(serde_json::Error::custom(format!(
            "the whole number {number} does not fit into 64 bits; it can stand there as a text: \"{number}\""
        ))),
        None => Ok(value),
    }
}

/// The first whole number in a JSON value that is beyond 64 bits.
fn too_great(bytes: &[u8]) -> Option<&str> {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let from = at;
        match byte {
            b'"' => {
                at += 1;
                while *bytes.get(at)? != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &&u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
                at += bytes[at..].iter().take_while(is_part).count();
                let number = std::str::from_utf8(&bytes[from..at]).ok()?;
                if !number.contains(['.', 'e', 'E']) && number.parse::<i64>().is_err() {
                    return Some(number);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// Any value. Is told when there is a number that may be a whole one beyond 64 bits.
#[derive(Clone, Copy)]
struct Any<'a>(&'a Cell<bool>);

/// The name of an entry of a map.
struct Name;

/// As rhai names the entries of maps.
type NameOf = rhai::Identifier;

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Dynamic, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Dynamic, E> {
        Ok(i64::try_from(value).map_or_else(
            |_| {
                self.0.set(true);
                (value as f64).into()
            },
            Dynamic::from,
        ))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Dynamic, E> {
        if value.abs() >= i64::MAX as f64 {
            self.0.set(true);
        }
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Dynamic, A::Error> {
        let mut array = Array::with_capacity(elements.size_hint().unwrap_or(0).min(FORESEEN));
        while let Some(element) = elements.next_element_seed(self)? {
            array.push(element);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Dynamic, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key_seed(Name)? {
            map.insert(name, entries.next_value_seed(self)?);
        }
        Ok(map.into())
    }
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = NameOf;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<NameOf, D::Error> {
        from.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = NameOf;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<NameOf, E> {
        Ok(name.into())
    }
}

/// Writes one value; nothing if it cannot be.
pub(super) fn write(value: &Dynamic, line: &mut Vec<u8>) -> Option<()> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return serde_json::to_writer(line, text.as_str()).ok();
    }
    if let Ok(whole) = value.as_int() {
        return serde_json::to_writer(line, &whole).ok();
    }
    if let Some(entries) = value.read_lock::<Map>() {
        line.push(b'{');
        for (n, (name, value)) in entries.iter().enumerate() {
            if n > 0 {
                line.push(b',');
            }
            serde_json::to_writer(&mut *line, name.as_str()).ok()?;
            line.push(b':');
            write(value, line)?;
        }
        line.push(b'}');
        return Some(());
    }
    if let Ok(number) = value.as_float() {
        return number.is_finite().then(|| serde_json::to_writer(line, &number).ok())?;
    }
    if let Ok(truth) = value.as_bool() {
        line.extend_from_slice(if truth { b"true" } else { b"false" });
        return Some(());
    }
    if value.is_unit() {
        line.extend_from_slice(b"null");
        return Some(());
    }
    if let Some(items) = value.read_lock::<Array>() {
        line.push(b'[');
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                line.push(b',');
            }
            write(item, line)?;
        }
        line.push(b']');
        return Some(());
    }
    let character = value.as_char().ok()?;
    serde_json::to_writer(line, &character).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::item::Item;
    use crate::plan::Json;

    #[test]
    fn what_is_read_is_written_as_it_was() {
        for text in [
            "null",
            "true",
            "-7",
            "9223372036854775807",
            "0.1",
            "1e300",
            "\"\"",
            "\"a \\\"b\\\" \\n \\u0000 ö 🦀\"",
            "[]",
            "[1,[2,{}],null]",
            "{\"a\":1,\"b\":{\"c\":[false]},\"ö\":\"x\"}",
        ] {
            let item = Item::read_json(text.as_bytes()).expect(text);
            let mut line = Vec::new();
            item.write_json(&mut line).expect(text);
            let (read, written): (Json, Json) =
                (serde_json::from_str(text).expect(text), serde_json::from_slice(&line).expect(text));
            assert_eq!(read, written, "{text}");
            assert_eq!(item.to_json().expect(text), read, "{text}");
        }
    }

    #[test]
    fn a_whole_number_beyond_64_bits_is_refused_and_not_rounded() {
        for number in
            ["9223372036854775808", "18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"]
        {
            for text in [number.to_owned(), format!("{{\"a \\\" 1\":[1e300,{number}]}}")] {
                let error = Item::read_json(text.as_bytes()).expect_err(&text);
                assert!(error.contains(&format!("the whole number {number} does not fit")), "{error}");
            }
        }
        for text in [
            "9223372036854775807",
            "-9223372036854775808",
            "1e300",
            "9223372036854775808.5",
            "[1e19,\"9223372036854775808\"]",
        ] {
            assert!(Item::read_json(text.as_bytes()).is_ok(), "{text}");
        }
        let item = Item::read_json(b"1e3").expect("a number");
        assert!(item.0.is_float());
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in ["", "{", "nul", "1 2", "{\"a\":1,}", "[1", "\"\\x\"", "\u{1}", &"[".repeat(200)] {
            assert!(Item::read_json(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Item::read_json(b"\"\xff\"").is_err(), "no UTF-8");
        let mut line = Vec::new();
        assert!(write(&f64::NAN.into(), &mut line).is_none());
        assert!(write(&Dynamic::from(rhai::FnPtr::new("f").expect("a name")), &mut line).is_none());
    }
}
