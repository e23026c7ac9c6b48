//! `min` and `max` of a parameter.

use std::fmt;

use super::convert::to_json;
use super::fault::{Fault, raise};
use super::options::{Options, wrong};
use super::session;
use crate::diag::{Diagnostic, Span};
use crate::plan::Json;
use crate::state::result::plain_text;

/// The least and the most that a number may be.
#[derive(Default)]
pub struct Bounds {
    /// The least.
    pub min: Option<Json>,
    /// The most.
    pub max: Option<Json>,
}

impl Bounds {
    /// Takes `min` and `max` of the parameter `name`.
    pub fn take(options: &mut Options, name: &str, span: Span) -> Result<Bounds, Fault> {
        let mut bound = |key: &'static str| match options.take(key) {
            None => Ok(None),
            Some(value) => match session::with(|session| to_json(session, &value, span))? {
                number @ Json::Number(_) => Ok(Some(number)),
                _ => Err(wrong(&format!("`{key}` of the parameter `{name}`"), "a number", &value, span)),
            },
        };
        Ok(Bounds { min: bound("min")?, max: bound("max")? })
    }

    /// One of them, if there is any.
    pub fn any(&self) -> Option<&Json> {
        self.min.as_ref().or(self.max.as_ref())
    }

    /// Refuses bounds that a parameter of this type cannot have, or no value could hold.
    pub fn check(&self, name: &str, kind: &str, span: Span) -> Result<(), Fault> {
        let refused = |key: &str, message: String, help: &str| {
            Err(raise(Diagnostic::new("flow::lang::option", message).label_word(span, key, "given here").help(help)))
        };
        if self.any().is_some() && kind != "int" && kind != "float" {
            let key = if self.min.is_some() { "min" } else { "max" };
            let message = format!("`{key}` of the parameter `{name}` is for numbers, but its type is {kind}");
            return refused(key, message, "leave it out, or give `type: \"int\"` or `type: \"float\"`");
        }
        match (&self.min, &self.max) {
            (Some(min), Some(max)) if number(min) > number(max) => {
                let message = format!("no value of the parameter `{name}` could be at least {min} and at most {max}");
                refused("max", message, "`min` is the smaller one")
            }
            _ => Ok(()),
        }
    }

    /// Is a value within them?
    pub fn hold(&self, value: &Json) -> bool {
        self.min.as_ref().is_none_or(|min| number(value) >= number(min))
            && self.max.as_ref().is_none_or(|max| number(value) <= number(max))
    }

    /// How to give a value that would do.
    pub fn way_out(&self) -> String {
        format!("a number such as {}", self.any().map_or_else(|| "1".to_owned(), plain_text))
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => write!(f, "from {min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => write!(f, "any number"),
        }
    }
}

/// A number for comparing; what is none is neither smaller nor larger than anything.
fn number(value: &Json) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_belong_to_what_may_be() {
        let bounds = Bounds { min: Some(1.into()), max: Some(2.5.into()) };
        let held = [0.into(), 1.into(), 2.5.into(), 3.into()].map(|value: Json| bounds.hold(&value));
        assert_eq!(held, [false, true, true, false]);
        assert_eq!((bounds.to_string(), bounds.way_out()), ("from 1 to 2.5".into(), "a number such as 1".into()));
        assert!(Bounds::default().hold(&"text".into()));
    }
}
