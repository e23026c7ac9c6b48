//! Values that are there: the elements of an array, the lines of a text, a range of numbers.

use super::{Failure, FailureKind, Item, Mark, Next, Opening, Places, Source, Sourced};
use crate::plan::{Json, Value};
use crate::state::resolve;

/// The elements of an array, or the lines of a text.
pub(super) struct Items {
    items: std::vec::IntoIter<Json>,
    offset: u64,
    lines: bool,
}

impl Items {
    pub fn open(value: &Value, at: &Opening) -> Result<Self, Failure> {
        let (items, lines) = match resolve(value, &at.job.inputs)? {
            Json::Array(items) => (items, false),
            Json::String(text) => (text.lines().map(Json::from).collect(), true),
            Json::Null => (Vec::new(), false),
            other => {
                let message = format!("the pipeline's source is {}, not an array", word(&other));
                return Err(Failure::new(FailureKind::Input, message).help(
                    "a source is an array, a text (its lines), a range, a file, a command, …: see `flow docs pipeline`",
                ));
            }
        };
        let mut items = items.into_iter();
        let offset = at.reached.upto;
        if let Some(last) = usize::try_from(offset).unwrap_or(usize::MAX).checked_sub(1) {
            items.nth(last);
        }
        Ok(Items { items, offset, lines })
    }
}

fn word(value: &Json) -> &'static str {
    match value {
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::Object(_) => "a map",
        Json::Null | Json::String(_) | Json::Array(_) => "something else",
    }
}

impl Source for Items {
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        let first = self.offset;
        let lines = self.lines;
        into.extend(self.items.by_ref().take(most).zip(first..).map(|(item, offset)| {
            let mark = Mark { from: offset, place: if lines { offset + 1 } else { 0 } };
            Sourced { offset, mark, item: Ok(Item::of(item)) }
        }));
        self.offset = into.last().map_or(first, |last| last.offset + 1).max(first);
        Ok(if self.items.len() == 0 { Next::End } else { Next::More })
    }

    fn mark(&self) -> Mark {
        Mark { from: self.offset, place: 0 }
    }

    fn places(&self) -> Places {
        Places { unit: if self.lines { "line" } else { "" }, of: String::new() }
    }
}

/// Whole numbers.
pub(super) struct Range {
    next: Option<i64>,
    to: i64,
    step: i64,
    offset: u64,
}

impl Range {
    pub fn open(from: i64, to: i64, step: i64, at: &Opening) -> Self {
        let offset = at.reached.upto;
        let passed = i128::from(from) + i128::from(step) * i128::from(offset);
        Range { next: i64::try_from(passed).ok(), to, step, offset }
    }

    fn is_over(&self) -> bool {
        match self.next {
            None => true,
            Some(next) if self.step > 0 => next >= self.to,
            Some(next) => next <= self.to || self.step == 0,
        }
    }
}

impl Source for Range {
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        for _ in 0..most {
            let Some(next) = self.next.filter(|_| !self.is_over()) else { break };
            let mark = Mark { from: self.offset, place: 0 };
            into.push(Sourced { offset: self.offset, mark, item: Ok(Item::whole(next)) });
            self.offset += 1;
            self.next = next.checked_add(self.step);
        }
        Ok(if self.is_over() { Next::End } else { Next::More })
    }

    fn mark(&self) -> Mark {
        Mark { from: self.offset, place: 0 }
    }
}
