//! Operators of expression strings, and what they do with values.

use std::cmp::Ordering;
use std::fmt::Display;

use super::super::Json;
use super::{Error, excerpt};

/// Operators that calculate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`
    Times,
    /// `/`
    Divided,
    /// `%`, with the sign of the left side
    Modulo,
}

impl Arithmetic {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Arithmetic::Plus => "+",
            Arithmetic::Minus => "-",
            Arithmetic::Times => "*",
            Arithmetic::Divided => "/",
            Arithmetic::Modulo => "%",
        }
    }

    /// Calculates. `left` and `right` are how the two sides are written.
    pub(super) fn apply(self, a: &Json, b: &Json, left: &dyn Display, right: &dyn Display) -> Result<Json, Error> {
        if self == Arithmetic::Plus
            && (a.is_string() || b.is_string())
            && !(number(a).is_some() && number(b).is_some() && !(a.is_string() && b.is_string()))
        {
            return Ok(Json::String(joined(a, left)? + joined(b, right)?.as_str()));
        }
        let (x, y) = (needed(a, left, self.sign())?, needed(b, right, self.sign())?);
        if matches!(self, Arithmetic::Divided | Arithmetic::Modulo) && y.float() == 0.0 {
            return Err(Error::new(format!("`{left} {} {right}` divides by zero", self.sign()))
                .help(format!("ask first: `{right} != 0 and …`")));
        }
        if let (Number::Whole(x), Number::Whole(y)) = (x, y) {
            let whole = match self {
                Arithmetic::Plus => x.checked_add(y),
                Arithmetic::Minus => x.checked_sub(y),
                Arithmetic::Times => x.checked_mul(y),
                Arithmetic::Divided => x.checked_rem(y).filter(|rest| *rest == 0).and_then(|_| x.checked_div(y)),
                Arithmetic::Modulo => x.checked_rem(y),
            };
            if let Some(whole) = whole {
                return Ok(whole.into());
            }
        }
        let (x, y) = (x.float(), y.float());
        let result = match self {
            Arithmetic::Plus => x + y,
            Arithmetic::Minus => x - y,
            Arithmetic::Times => x * y,
            Arithmetic::Divided => x / y,
            Arithmetic::Modulo => x % y,
        };
        finite(result, || format!("{left} {} {right}", self.sign()))
    }
}

/// Operators that compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparator {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `in`
    In,
}

impl Comparator {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Comparator::Equal => "==",
            Comparator::Unequal => "!=",
            Comparator::Less => "<",
            Comparator::AtMost => "<=",
            Comparator::More => ">",
            Comparator::AtLeast => ">=",
            Comparator::In => "in",
        }
    }

    /// Compares. `left` and `right` are how the two sides are written.
    pub(super) fn apply(self, a: &Json, b: &Json, left: &dyn Display, right: &dyn Display) -> Result<bool, Error> {
        let wanted: fn(Ordering) -> bool = match self {
            Comparator::Equal => return Ok(equal(a, b)),
            Comparator::Unequal => return Ok(!equal(a, b)),
            Comparator::In => return contains(b, a, right),
            Comparator::Less => Ordering::is_lt,
            Comparator::AtMost => Ordering::is_le,
            Comparator::More => Ordering::is_gt,
            Comparator::AtLeast => Ordering::is_ge,
        };
        if let (Some(x), Some(y)) = (number(a), number(b)) {
            return Ok(wanted(order(x, y)));
        }
        if let (Json::String(x), Json::String(y)) = (a, b) {
            return Ok(wanted(x.cmp(y)));
        }
        // One of the two is at fault: what is neither number nor text, or text that is no number.
        let at_fault = |value: &Json| !value.is_string() && !value.is_number();
        let (value, written): (_, &dyn Display) = match (at_fault(a), at_fault(b)) {
            (true, _) => (a, left),
            (_, true) => (b, right),
            _ if number(a).is_none() => (a, left),
            _ => (b, right),
        };
        Err(not_a_number(value, written, self.sign()))
    }
}

/// A number of an expression: whole as long as it can be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(i64),
    Float(f64),
}

impl Number {
    pub(super) fn float(self) -> f64 {
        match self {
            Number::Whole(whole) => whole as f64,
            Number::Float(float) => float,
        }
    }

    pub(super) fn json(self) -> Json {
        match self {
            Number::Whole(whole) => whole.into(),
            Number::Float(float) => float.into(),
        }
    }
}

/// The number that a value is, or that its text is.
pub(super) fn number(value: &Json) -> Option<Number> {
    match value {
        Json::Number(n) => n.as_i64().map(Number::Whole).or_else(|| n.as_f64().map(Number::Float)),
        Json::String(text) => {
            let text = text.trim();
            // As in expressions: `80%` is 80.
            let text = text.strip_suffix('%').unwrap_or(text);
            // Rust would also read `inf`, `nan` and `infinity`.
            if !text.bytes().any(|b| b.is_ascii_digit()) {
                return None;
            }
            let float = || text.parse::<f64>().ok().filter(|n| n.is_finite()).map(Number::Float);
            text.parse::<i64>().ok().map(Number::Whole).or_else(float)
        }
        _ => None,
    }
}

/// The number that a value is; else an error that says what to write.
pub(super) fn needed(value: &Json, written: &dyn Display, wanted_by: &str) -> Result<Number, Error> {
    number(value).ok_or_else(|| not_a_number(value, written, wanted_by))
}

fn not_a_number(value: &Json, written: &dyn Display, wanted_by: &str) -> Error {
    let error = Error::new(match value {
        Json::Null => format!("`{written}` had no value, so `{wanted_by}` cannot use it"),
        _ => format!("`{written}` is {}, not a number, so `{wanted_by}` cannot use it", described(value)),
    });
    error.help(match value {
        Json::Null => format!("a skipped step has no values; ask first, or write `default({written}, 0)`"),
        Json::String(_) => {
            "`.number` reads the output of a step as a number; pick the part you need with `.lines` or `.json` first"
                .into()
        }
        Json::Object(map) => match map.iter().find(|(_, value)| number(value).is_some()) {
            Some((key, _)) => format!("pick one of its keys, for instance `{written}.{key}`"),
            None => "pick one of its keys".into(),
        },
        Json::Array(_) => format!("pick one item, `{written}[0]`, or count them, `length({written})`"),
        _ => format!("true and false stand for themselves: `{written}` or `not {written}`"),
    })
}

/// A value in a few words, with the value itself where that is short.
pub(super) fn described(value: &Json) -> String {
    match value {
        Json::Null => "nothing".into(),
        Json::Bool(value) => value.to_string(),
        Json::Number(value) => format!("the number {value}"),
        Json::String(text) => format!("the text '{}'", excerpt(text.trim_end(), 60)),
        Json::Array(items) => format!("an array of {}", items.len()),
        Json::Object(_) => "a map".into(),
    }
}

/// Whole numbers are compared exactly.
pub(super) fn order(x: Number, y: Number) -> Ordering {
    match (x, y) {
        (Number::Whole(x), Number::Whole(y)) => x.cmp(&y),
        _ => x.float().partial_cmp(&y.float()).unwrap_or(Ordering::Equal),
    }
}

/// Equality: numbers by value, text that meets a number or true or false as what it says, everything else as it is.
pub(super) fn equal(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(_), Json::Number(_) | Json::String(_)) | (Json::String(_), Json::Number(_)) => {
            number(a).zip(number(b)).is_some_and(|(x, y)| order(x, y).is_eq())
        }
        (Json::Bool(truth), Json::String(text)) | (Json::String(text), Json::Bool(truth)) => {
            spelled_truth(text) == Some(*truth)
        }
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

/// Text that says true or false, as programs print it.
pub(super) fn spelled_truth(text: &str) -> Option<bool> {
    match text.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Is `item` in `whole`: an item of an array, a part of a text, a key of a map?
pub(super) fn contains(whole: &Json, item: &Json, written: &dyn Display) -> Result<bool, Error> {
    match whole {
        Json::Array(items) => Ok(items.iter().any(|one| equal(one, item))),
        Json::String(text) => Ok(text.contains(&joined(item, &"what is looked for")?)),
        Json::Object(map) => Ok(map.contains_key(&joined(item, &"what is looked for")?)),
        Json::Null => Ok(false),
        _ => Err(Error::new(format!("`{written}` is {}, so nothing can be in it", described(whole)))
            .help("`in` looks into an array, a text or the keys of a map")),
    }
}

/// A value as a part of text. Arrays, maps and nothing have no obvious one.
fn joined(value: &Json, written: &dyn Display) -> Result<String, Error> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(_) | Json::Bool(_) => Ok(value.to_string()),
        Json::Null => Err(Error::new(format!("`{written}` had no value"))
            .help(format!("a skipped step has no values; `default({written}, '')` gives empty text"))),
        _ => Err(Error::new(format!("`{written}` is {}, not text", described(value)))
            .help(format!("`text({written})` writes it as JSON, `join({written}, ', ')` joins the items of an array"))),
    }
}

/// A result that is a number, unless it is too large for one.
pub(super) fn finite(result: f64, written: impl Fn() -> String) -> Result<Json, Error> {
    if result.is_finite() {
        Ok(result.into())
    } else {
        Err(Error::new(format!("`{}` is too large for a number", written())).help("numbers reach up to about 1.8e308"))
    }
}
