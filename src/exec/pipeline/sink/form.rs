//! How items stand in a file, or go to a program: lines, JSON values, rows.

use super::{Failure, Item};
use crate::event::FailureKind;
use crate::plan::{Format, Json};
use crate::state::result::{kind_of, shorten};

/// See the module's page.
pub(super) struct Form {
    format: Format,
    /// The names of the columns, once they are known.
    columns: Option<Vec<String>>,
    /// Do they stand there already?
    headed: bool,
}

impl Form {
    /// `columns`: those that stand at the beginning of the file.
    pub fn new(format: &Format, columns: Option<Vec<String>>) -> Self {
        Form { format: format.clone(), headed: columns.is_some(), columns }
    }

    /// Writes an item as it stands there, without the last newline.
    pub fn write(&mut self, item: &Item, text: &mut Vec<u8>) -> Result<(), Failure> {
        match self.format {
            Format::Lines => {
                let begin = text.len();
                item.write_line(text)?;
                match text[begin..].contains(&b'\n') {
                    false => Ok(()),
                    true => Err(Failure::new(
                        FailureKind::Input,
                        "the item has several lines, and each would be one by itself",
                    )
                    .help("`ndjson(…)` writes any item as one line; or split it with a `flat_map`")),
                }
            }
            Format::Ndjson => item.write_json(text),
            Format::Csv { header, delimiter } => self.row(item.to_json()?, header, delimiter, text),
        }
    }

    fn row(&mut self, item: Json, header: bool, delimiter: char, text: &mut Vec<u8>) -> Result<(), Failure> {
        let map = match item {
            Json::Object(map) => map,
            Json::Array(fields) if !header => {
                write_row(fields.iter().map(field), delimiter, text);
                return Ok(());
            }
            item if header => {
                let message = format!("the item is {}, and rows under names need maps", kind_of(&item));
                return Err(Failure::new(FailureKind::Input, message)
                    .help("give maps, or write `header: false`: then an array is a row"));
            }
            item => {
                write_row(std::iter::once(field(&item)), delimiter, text);
                return Ok(());
            }
        };
        let columns = self.columns.get_or_insert_with(|| map.keys().cloned().collect());
        let missing = columns.iter().filter(|name| !map.contains_key(*name)).map(|name| format!("`{name}` is missing"));
        let more = map.keys().filter(|key| !columns.contains(key)).map(|key| format!("`{key}` is no column"));
        let wrong: Vec<String> = missing.chain(more).collect();
        if !wrong.is_empty() {
            let message = format!("the item does not fit the columns of the file: {}", shorten(&wrong.join(", "), 300));
            return Err(Failure::new(FailureKind::Input, message)
                .help("all items need the keys of the first one; `()` as a value leaves a field empty"));
        }
        if header && !self.headed {
            self.headed = true;
            write_row(columns.iter().map(|name| name.as_str().into()), delimiter, text);
            text.push(b'\n');
        }
        write_row(columns.iter().map(|name| map.get(name).map_or_else(String::new, field)), delimiter, text);
        Ok(())
    }
}

fn field(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        value => value.to_string(),
    }
}

/// A row as RFC 4180 has it: quotes only where they are needed.
fn write_row(fields: impl Iterator<Item = String>, delimiter: char, text: &mut Vec<u8>) {
    let begin = text.len();
    let (mut first, mut count) = (true, 0);
    for field in fields {
        if !std::mem::take(&mut first) {
            text.extend_from_slice(delimiter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        count += 1;
        if field.contains(['"', '\n', '\r', delimiter]) {
            text.push(b'"');
            text.extend_from_slice(field.replace('"', "\"\"").as_bytes());
            text.push(b'"');
        } else {
            text.extend_from_slice(field.as_bytes());
        }
    }
    // A row with one empty field would be no row.
    if count == 1 && text.len() == begin {
        text.extend_from_slice(b"\"\"");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows(header: bool, delimiter: char, items: &[Json]) -> Result<String, Failure> {
        let mut form = Form::new(&Format::Csv { header, delimiter }, None);
        let mut text = Vec::new();
        for item in items {
            form.write(&Item::of(item.clone()), &mut text)?;
            text.push(b'\n');
        }
        Ok(String::from_utf8(text).expect("it is text"))
    }

    #[test]
    fn rows_are_quoted_where_they_must_be() {
        let items =
            [json!({"a": "x,y", "b": 1}), json!({"b": null, "a": "say \"hi\"\nnow"}), json!({"a": [1], "b": true})];
        assert_eq!(rows(true, ',', &items).expect("rows"), "a,b\n\"x,y\",1\n\"say \"\"hi\"\"\nnow\",\n[1],true\n");
        assert_eq!(
            rows(false, ';', &[json!(["a;b", "c,d"]), json!("x"), json!("")]).expect("rows"),
            "\"a;b\";c,d\nx\n\"\"\n"
        );
    }

    #[test]
    fn an_item_is_one_line() {
        let mut form = Form::new(&Format::Lines, None);
        let failure = form.write(&Item::text("a\nb"), &mut Vec::new()).expect_err("two lines");
        assert!(failure.help.is_some_and(|help| help.contains("`ndjson(…)`")));
        assert!(form.write(&Item::of(json!(["a\nb"])), &mut Vec::new()).is_ok(), "JSON has it on one");
    }

    #[test]
    fn what_fits_no_row_says_why() {
        let failure = rows(true, ',', &[json!({"a": 1, "b": 2}), json!({"a": 1, "c": 2})]).expect_err("other keys");
        assert!(failure.message.ends_with("`b` is missing, `c` is no column"), "{}", failure.message);
        let failure = rows(true, ',', &[json!("text")]).expect_err("no map");
        assert!(failure.message.contains("the item is text"), "{}", failure.message);
    }
}
