//! Items: values of a script on their way through a stream or a pipeline.
//!
//! An item stays what the script made of it from closure to closure; it becomes JSON, or a line, where it leaves them.

mod json;

use std::fmt;

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::convert::to_dynamic;
use crate::event::{Failure, FailureKind};
use crate::plan::Json;

/// See the module's page.
#[derive(Clone)]
pub struct Item(pub(super) Dynamic);

/// A closure that is called many times, by one thread.
pub trait Mapper: Send {
    /// Calls it.
    ///
    /// # Errors
    /// What went wrong in it.
    fn call(&mut self, item: Item) -> Result<Item, Failure>;

    /// What it has printed since this was asked: lines, most often none.
    fn take_printed(&mut self) -> String {
        String::new()
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Item {
    /// A plain value.
    pub fn of(value: Json) -> Self {
        Item(to_dynamic(value))
    }

    /// A text.
    pub fn text(text: &str) -> Self {
        Item(text.into())
    }

    /// A whole number.
    pub fn whole(number: i64) -> Self {
        Item(number.into())
    }

    /// An array of items.
    pub fn list(items: Vec<Item>) -> Self {
        Item(items.into_iter().map(|item| item.0).collect::<Array>().into())
    }

    /// The elements, if it is an array.
    ///
    /// # Errors
    /// The item itself, if it is none.
    pub fn into_list(self) -> Result<Vec<Item>, Item> {
        match self.0.is_array() {
            true => Ok(self.0.into_array().unwrap_or_default().into_iter().map(Item).collect()),
            false => Err(self),
        }
    }

    /// Is it `()`?
    pub fn is_nothing(&self) -> bool {
        self.0.is_unit()
    }

    /// True or false, if it is that.
    pub fn as_bool(&self) -> Option<bool> {
        self.0.as_bool().ok()
    }

    /// As JSON.
    ///
    /// # Errors
    /// It holds what cannot be handed on: a closure, a step, a number that is none.
    pub fn to_json(&self) -> Result<Json, Failure> {
        plain(&self.0).ok_or_else(unfit)
    }

    /// Writes it as it stands on a line, without the newline: a text as it is, anything else as JSON, `()` as nothing.
    ///
    /// # Errors
    /// As [`Item::to_json`].
    pub fn write_line(&self, line: &mut Vec<u8>) -> Result<(), Failure> {
        if let Some(text) = self.0.read_lock::<ImmutableString>() {
            line.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        if self.is_nothing() {
            return Ok(());
        }
        self.write_json(line)
    }

    /// Writes it as JSON, without a newline.
    ///
    /// # Errors
    /// As [`Item::to_json`].
    pub fn write_json(&self, line: &mut Vec<u8>) -> Result<(), Failure> {
        json::write(&self.0, line).ok_or_else(unfit)
    }

    /// Reads a JSON value.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub fn read_json(bytes: &[u8]) -> Result<Self, String> {
        json::read(bytes).map(Item).map_err(|error| error.to_string())
    }
}

/// A value that is no item.
fn unfit() -> Failure {
    Failure::new(FailureKind::Script, "the closure gave a value that cannot be handed on")
        .help("it can give texts, numbers, true and false, arrays, maps, or nothing")
}

/// The value as JSON, if it is plain.
fn plain(value: &Dynamic) -> Option<Json> {
    if value.is_unit() {
        return Some(Json::Null);
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Some(text.as_str().into());
    }
    if let Ok(whole) = value.as_int() {
        return Some(whole.into());
    }
    if let Ok(truth) = value.as_bool() {
        return Some(truth.into());
    }
    if let Ok(number) = value.as_float() {
        return serde_json::Number::from_f64(number).map(Json::Number);
    }
    if let Ok(character) = value.as_char() {
        return Some(character.to_string().into());
    }
    if let Some(items) = value.read_lock::<Array>() {
        return items.iter().map(plain).collect::<Option<Vec<_>>>().map(Json::Array);
    }
    let entries = value.read_lock::<Map>()?;
    let entries = entries.iter().map(|(key, value)| Some((key.to_string(), plain(value)?)));
    entries.collect::<Option<serde_json::Map<_, _>>>().map(Json::Object)
}
