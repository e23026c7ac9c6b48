//! Functions of expression strings.

use std::cmp::Ordering;
use std::fmt;

use super::super::Json;
use super::operator::{Number, contains, described, finite, needed, order};
use super::{Error, excerpt};

/// One function: what it is called, what it takes, what it does. The reference is made from these.
pub struct Function {
    /// Its name, without `fn:`.
    pub name: &'static str,
    /// Its parameters as written; those in brackets may be left out, `…` stands for any number more.
    pub params: &'static str,
    /// What it gives, in a sentence without a full stop.
    pub doc: &'static str,
    /// An example that needs no names, and what it gives.
    pub example: (&'static str, &'static str),
    run: fn(&Args) -> Result<Json, Error>,
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Function {
    /// The function of a name.
    pub fn find(name: &str) -> Option<&'static Function> {
        FUNCTIONS.iter().find(|function| function.name == name)
    }

    /// As it is called: `default(x, y)`.
    pub fn signature(&self) -> String {
        format!("{}({})", self.name, self.params)
    }

    /// Fewest and most arguments.
    pub fn arity(&self) -> (usize, usize) {
        let params = self.params.split(", ");
        let least = params.clone().filter(|param| !param.starts_with('[') && *param != "…").count();
        (least, if self.params.contains('…') { usize::MAX } else { params.count() })
    }

    /// Calls it with evaluated arguments and how they are written.
    pub(super) fn call(&self, values: Vec<Json>, written: &dyn Fn(usize) -> String) -> Result<Json, Error> {
        (self.run)(&Args { function: self, values, written })
    }
}

macro_rules! functions {
    ($($name:literal ($params:literal) $doc:literal, $example:literal => $result:literal, $run:expr;)*) => {
        /// All functions, in the order of the reference.
        pub const FUNCTIONS: &[Function] =
            &[$(Function { name: $name, params: $params, doc: $doc, example: ($example, $result), run: $run },)*];
    };
}

functions! {
    "uppercase"("x") "the text in capital letters", "uppercase('ok')" => "\"OK\"", |a| Ok(a.text(0)?.to_uppercase().into());
    "lowercase"("x") "the text in small letters", "lowercase('OK')" => "\"ok\"", |a| Ok(a.text(0)?.to_lowercase().into());
    "trim"("x") "the text without white space at its ends", "trim(' a ')" => "\"a\"", |a| Ok(a.text(0)?.trim().into());
    "length"("x") "how many characters, items or keys", "length([1, 2])" => "2", length;
    "default"("x, y") "x, or y where x has no value or cannot be read", "default(null, 3)" => "3",
        |a| Ok(if a.values[0].is_null() { a.values[1].clone() } else { a.values[0].clone() });
    "json"("x") "the text read as JSON", "json('{\"a\": 1}').a" => "1", json;
    "text"("x") "the value as text; arrays and maps as JSON", "text([1, true])" => "\"[1,true]\"", |a| Ok(text(&a.values[0]).into());
    "number"("x") "the text read as a number", "number('1.5') * 2" => "3.0", |a| Ok(a.number(0)?.json());
    "round"("x, [digits]") "the nearest number with so many digits after the point (0)", "round(87.46, 1)" => "87.5", round;
    "floor"("x") "the next whole number below", "floor(1.7)" => "1", |a| whole(a.number(0)?, f64::floor);
    "ceil"("x") "the next whole number above", "ceil(1.2)" => "2", |a| whole(a.number(0)?, f64::ceil);
    "abs"("x") "the number without its sign", "abs(-2)" => "2", |a| Ok(match a.number(0)? {
        Number::Whole(n) => n.checked_abs().map_or_else(|| (n as f64).abs().into(), Json::from),
        Number::Float(n) => n.abs().into(),
    });
    "min"("x, …") "the smallest of the numbers, or of those in one array", "min(3, 1, 2)" => "1", |a| extreme(a, Ordering::Less);
    "max"("x, …") "the largest of the numbers, or of those in one array", "max([3, 1, 2])" => "3", |a| extreme(a, Ordering::Greater);
    "join"("list, sep") "the items of an array as one text", "join([1, 2], '-')" => "\"1-2\"",
        |a| Ok(a.list(0)?.iter().map(text).collect::<Vec<_>>().join(&a.text(1)?).into());
    "split"("text, sep") "the parts of a text, as an array", "split('a,b', ',')" => "[\"a\",\"b\"]", split;
    "contains"("x, y") "is y an item of the array, a part of the text, a key of the map x?", "contains('abc', 'b')" => "true",
        |a| Ok(contains(&a.values[0], &a.values[1], &(a.written)(0))?.into());
    "starts_with"("x, y") "does the text x begin with y?", "starts_with('v1.2', 'v')" => "true",
        |a| Ok(a.text(0)?.starts_with(&a.text(1)?).into());
    "ends_with"("x, y") "does the text x end with y?", "ends_with('a.rs', '.rs')" => "true",
        |a| Ok(a.text(0)?.ends_with(&a.text(1)?).into());
    "mentions"("text, words") "does one of the words, divided by bars, begin a word of the text? Those of three letters or fewer must be the whole word; capital or small is the same", "mentions('Two LEAKS in it', 'leak')" => "true",
        |a| Ok(mentions(&a.text(0)?, &a.text(1)?).into());
    "first"("list") "the first item; nothing if there is none", "first([1, 2])" => "1",
        |a| Ok(a.list(0)?.first().cloned().unwrap_or_default());
    "last"("list") "the last item; nothing if there is none", "last([1, 2])" => "2",
        |a| Ok(a.list(0)?.last().cloned().unwrap_or_default());
    "keys"("map") "the keys of a map, as an array", "keys(json('{\"a\": 1}'))" => "[\"a\"]",
        |a| Ok(a.map(0)?.keys().map(|key| Json::from(key.as_str())).collect());
    "values"("map") "the values of a map, as an array", "values(json('{\"a\": 1}'))" => "[1]",
        |a| Ok(a.map(0)?.values().cloned().collect());
    "sum"("list") "all numbers of an array together", "sum([1, 2.5])" => "3.5", sum;
}

/// Is one of the `words`, which are divided by `|`, the begin of a word of `text`? Those of three letters or fewer are whole words
/// only: `c` does not stand in `cat`. Capital or small is the same.
pub fn mentions(text: &str, words: &str) -> bool {
    let text = text.to_lowercase();
    let stands = |word: &str, at: usize| {
        let short = word.chars().count() <= 3;
        let ends = !text[at + word.len()..].starts_with(char::is_alphanumeric);
        !text[..at].ends_with(char::is_alphanumeric) && (ends || !short)
    };
    let mut words = words.split('|').map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty());
    words.any(|word| text.match_indices(word.as_str()).any(|(at, _)| stands(&word, at)))
}

/// Evaluated arguments, with how they are written.
struct Args<'a> {
    function: &'a Function,
    values: Vec<Json>,
    written: &'a dyn Fn(usize) -> String,
}

impl Args<'_> {
    fn unfit(&self, n: usize, wanted: &str) -> Error {
        let written = (self.written)(n);
        let error = Error::new(match &self.values[n] {
            Json::Null => format!("`{written}` had no value, so `{}` cannot use it", self.function.name),
            value => format!("`{}` takes {wanted}, but `{written}` is {}", self.function.signature(), described(value)),
        });
        error.help(match &self.values[n] {
            Json::Null => format!("a skipped step has no values; `default({written}, …)` gives another one"),
            _ => format!("`{}`: {}", self.function.signature(), self.function.doc),
        })
    }

    fn text(&self, n: usize) -> Result<String, Error> {
        match &self.values[n] {
            Json::String(text) => Ok(text.clone()),
            value @ (Json::Number(_) | Json::Bool(_)) => Ok(value.to_string()),
            _ => Err(self.unfit(n, "text")),
        }
    }

    fn number(&self, n: usize) -> Result<Number, Error> {
        needed(&self.values[n], &(self.written)(n), self.function.name)
    }

    fn list(&self, n: usize) -> Result<&Vec<Json>, Error> {
        self.values[n].as_array().ok_or_else(|| self.unfit(n, "an array"))
    }

    fn map(&self, n: usize) -> Result<&serde_json::Map<String, Json>, Error> {
        self.values[n].as_object().ok_or_else(|| self.unfit(n, "a map"))
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        value => value.to_string(),
    }
}

fn length(a: &Args) -> Result<Json, Error> {
    Ok(match &a.values[0] {
        Json::String(text) => text.chars().count(),
        Json::Array(items) => items.len(),
        Json::Object(map) => map.len(),
        _ => return Err(a.unfit(0, "text, an array or a map")),
    }
    .into())
}

fn json(a: &Args) -> Result<Json, Error> {
    match &a.values[0] {
        Json::String(text) => serde_json::from_str(text).map_err(|error| {
            Error::new(format!("`{}` is not JSON: {error}", (a.written)(0)))
                .help(format!("it is the text '{}'", excerpt(text, 60)))
        }),
        // What a program printed as JSON has been read already.
        value => Ok(value.clone()),
    }
}

fn round(a: &Args) -> Result<Json, Error> {
    let x = a.number(0)?;
    let digits = if a.values.len() > 1 { a.number(1)?.float() } else { 0.0 };
    if !(0.0..=15.0).contains(&digits) || digits.fract() != 0.0 {
        return Err(Error::new(format!("`round` cannot round to {digits} digits"))
            .help("digits after the point: a whole number from 0 to 15"));
    }
    if digits == 0.0 {
        return whole(x, f64::round);
    }
    // By way of the decimal form, which is correctly rounded where `x * 10^digits` may not be.
    let digits = digits as usize;
    Ok(format!("{:.digits$}", x.float()).parse::<f64>().unwrap_or(x.float()).into())
}

fn whole(x: Number, how: fn(f64) -> f64) -> Result<Json, Error> {
    // 2^53: up to here every whole number is a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    Ok(match x {
        Number::Whole(n) => n.into(),
        Number::Float(n) if n.abs() <= EXACT => (how(n) as i64).into(),
        Number::Float(n) => how(n).into(),
    })
}

fn extreme(a: &Args, wanted: Ordering) -> Result<Json, Error> {
    let items = match &a.values[..] {
        [Json::Array(items)] => items,
        values => values,
    };
    let mut best: Option<Number> = None;
    for item in items {
        let n = needed(item, &(a.written)(0), a.function.name)?;
        if best.is_none_or(|best| order(n, best) == wanted) {
            best = Some(n);
        }
    }
    Ok(best.map_or(Json::Null, Number::json))
}

fn split(a: &Args) -> Result<Json, Error> {
    let (text, separator) = (a.text(0)?, a.text(1)?);
    if separator.is_empty() {
        return Err(Error::new("`split` needs something to split at").help("`split(text, ',')`, `split(text, '\\n')`"));
    }
    Ok(text.split(&separator).map(Json::from).collect())
}

fn sum(a: &Args) -> Result<Json, Error> {
    let mut whole = Some(0_i64);
    let mut float = 0.0;
    for item in a.list(0)? {
        let n = needed(item, &format!("an item of {}", (a.written)(0)), "sum")?;
        float += n.float();
        whole = match n {
            Number::Whole(n) => whole.and_then(|sum| sum.checked_add(n)),
            Number::Float(_) => None,
        };
    }
    whole.map_or_else(|| finite(float, || "sum".into()), |whole| Ok(whole.into()))
}

/// A help line for a name that is no function.
pub(super) fn unknown(name: &str) -> Error {
    let known = FUNCTIONS.iter().map(|function| function.name);
    let help = crate::diag::did_you_mean(name, known.clone())
        .unwrap_or_else(|| format!("functions are {}", known.map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")));
    Error::new(format!("there is no function `{name}`")).help(help)
}

/// Are there as many arguments as the function takes?
pub(super) fn check_count(function: &Function, count: usize) -> Result<(), Error> {
    let (least, most) = function.arity();
    if (least..=most).contains(&count) {
        return Ok(());
    }
    let wanted = match (least, most) {
        (least, usize::MAX) => format!("at least {least}"),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} or {most}"),
    };
    let plural = if wanted == "1" || wanted.ends_with(" 1") { "" } else { "s" };
    Err(Error::new(format!("`{}` takes {wanted} argument{plural}, not {count}", function.name)).help(format!(
        "`{}`: {}",
        function.signature(),
        function.doc
    )))
}

#[cfg(test)]
mod tests {
    use super::super::{eval, parse};
    use super::*;

    #[test]
    fn every_example_gives_what_it_says() {
        for function in FUNCTIONS {
            let (example, result) = function.example;
            let expr = parse(example).unwrap_or_else(|error| panic!("{example}: {error}"));
            let value = eval(&expr, &mut |name, _| Err(Error::new(name))).unwrap_or_else(|e| panic!("{example}: {e}"));
            assert_eq!(value.to_string(), result, "{example}");
        }
    }

    #[test]
    fn the_page_lists_every_function() {
        let page = include_str!("../../../docs/expressions.md");
        let listed = page.lines().filter(|line| line.starts_with("| `") && line.contains("` is `"));
        let rows: Vec<String> = FUNCTIONS
            .iter()
            .map(|f| format!("| `{}` | {} | `{}` is `{}` |", f.signature(), f.doc, f.example.0, f.example.1))
            .collect();
        assert_eq!(listed.collect::<Vec<_>>(), rows, "write these rows into docs/expressions.md");
    }

    #[test]
    fn arguments_are_counted() {
        let count = |name| Function::find(name).map(Function::arity);
        assert_eq!(count("round"), Some((1, 2)));
        assert_eq!(count("min"), Some((1, usize::MAX)));
        assert_eq!(count("default"), Some((2, 2)));
    }
}
