//! Evaluates expressions.

use std::fmt::Display;

use super::super::{Json, Key};
use super::operator::{described, spelled_truth};
use super::{Error, Expr, Kind, Operand};

/// Gives the value of a name: the name, and what is read of it (nothing if the name stands alone).
pub type Lookup<'a> = dyn FnMut(&str, &[Key]) -> Result<Json, Error> + 'a;

/// Evaluates an expression to its value.
///
/// # Errors
/// What `lookup` refuses, and values that do not fit their operator or function; the error's place is that of the
/// part that could not be evaluated.
pub fn eval(expr: &Expr, lookup: &mut Lookup) -> Result<Json, Error> {
    value(expr, lookup).map_err(|error| error.at(expr.at))
}

/// Evaluates an expression that is to be true or false: a condition.
///
/// # Errors
/// As [`eval`]; and a value that is neither.
pub fn holds(expr: &Expr, lookup: &mut Lookup) -> Result<bool, Error> {
    let found = eval(expr, lookup)?;
    if let Json::Bool(truth) = found {
        return Ok(truth);
    }
    if let Some(truth) = found.as_str().and_then(spelled_truth) {
        return Ok(truth);
    }
    if let Kind::Name(name, path) = &expr.kind
        && path.is_empty()
        && let Ok(Json::Bool(passed)) = lookup(name, &[Key::Field("passed".into())])
    {
        return Ok(passed);
    }
    if found.is_null() {
        return Ok(false);
    }
    Err(Error::new(format!("`{expr}` is {}, neither true nor false", described(&found)))
        .help(match &found {
            Json::Number(_) => format!("compare it: `{expr} > 0`"),
            Json::String(_) => {
                format!("compare it: `{expr} == '…'`, or ask a step whether it went well: `tests.passed`")
            }
            _ => format!("ask for a part of it, or `length({expr}) > 0`"),
        })
        .at(expr.at))
}

fn value(expr: &Expr, lookup: &mut Lookup) -> Result<Json, Error> {
    match &expr.kind {
        Kind::Literal(value) => Ok(value.clone()),
        Kind::List(items) => items.iter().map(|item| eval(item, lookup)).collect(),
        Kind::Name(name, path) => lookup(name, path),
        Kind::Access(of, path) => walk(eval(of, lookup)?, path, of),
        // `default` is there for values that may be missing, so what cannot be read is no error in it.
        Kind::Call(function, args) if function.name == "default" => match eval(&args[0], lookup) {
            Ok(Json::Null) | Err(_) => eval(&args[1], lookup),
            found => found,
        },
        Kind::Call(function, args) => {
            let values = args.iter().map(|arg| eval(arg, lookup)).collect::<Result<_, _>>()?;
            function.call(values, &|n| args.get(n).map_or_else(String::new, Expr::to_string))
        }
        Kind::Minus(of) => super::Arithmetic::Minus.apply(&0.into(), &eval(of, lookup)?, &"0", of),
        Kind::Arithmetic(first, terms) => {
            let mut total = eval(first, lookup)?;
            for (n, (operator, term)) in terms.iter().enumerate() {
                let right = eval(term, lookup)?;
                // What has been added up so far has no better name than its beginning.
                let part = |part| Operand(part, expr.rank());
                let left: &dyn Display = if n == 0 { &part(first) } else { &format_args!("({} …)", part(first)) };
                total = operator.apply(&total, &right, left, &part(term)).map_err(|error| error.at(term.at))?;
            }
            Ok(total)
        }
        Kind::Compare(left, comparator, right) => {
            let (a, b) = (eval(left, lookup)?, eval(right, lookup)?);
            Ok(comparator.apply(&a, &b, &**left, &**right)?.into())
        }
        Kind::Not(of) => Ok((!holds(of, lookup)?).into()),
        Kind::And(parts) => {
            for part in parts {
                if !holds(part, lookup)? {
                    return Ok(false.into());
                }
            }
            Ok(true.into())
        }
        Kind::Or(parts) => {
            for part in parts {
                if holds(part, lookup)? {
                    return Ok(true.into());
                }
            }
            Ok(false.into())
        }
        Kind::Choice(parts) => {
            let [condition, yes, no] = &**parts;
            if holds(condition, lookup)? { eval(yes, lookup) } else { eval(no, lookup) }
        }
    }
}

/// Reads further in a value that has no name.
fn walk(mut at: Json, path: &[Key], of: &Expr) -> Result<Json, Error> {
    for key in path {
        let found = match (key, &mut at) {
            (_, Json::Null) => Some(Json::Null),
            (Key::Field(field), Json::Object(map)) => map.remove(field.as_str()),
            (Key::Index(index), Json::Array(items)) => {
                let place = if *index < 0 { index + items.len() as i64 } else { *index };
                usize::try_from(place).ok().filter(|place| *place < items.len()).map(|place| items.swap_remove(place))
            }
            _ => None,
        };
        at = found.ok_or_else(|| {
            let (what, help) = match (key, &at) {
                (Key::Field(field), Json::Object(map)) => (
                    format!("no key `{field}`"),
                    crate::diag::did_you_mean(field, map.keys().map(String::as_str))
                        .unwrap_or_else(|| format!("it has {} other keys", map.len())),
                ),
                (Key::Field(field), _) => (format!("no key `{field}`"), "only a map has keys".into()),
                (Key::Index(index), Json::Array(items)) => {
                    (format!("no item at index {index}"), format!("it has {} items, counted from 0", items.len()))
                }
                (Key::Index(index), _) => (format!("no item at index {index}"), "only an array has items".into()),
            };
            Error::new(format!("`{of}` is {} with {what}", described(&at))).help(help)
        })?;
    }
    Ok(at)
}
