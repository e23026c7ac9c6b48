//! Values of a script, as they are written in one.

use std::fmt::Write;

use super::look::{columns, lines};
use super::{Look, MASK, Tone};
use crate::plan::wording::{self, clean};
use crate::plan::{Json, Plan, Value};

/// Items of an array or a map that are shown.
const ITEMS: usize = 100;
/// Lines of a text that are shown.
const LINES: usize = 200;
/// Columns that are filled where the place has no width.
const WIDTH: usize = 100;

/// A value for people. What is not known yet is named: `build.output`.
pub fn value(plan: &Plan, value: &Value, look: Look) -> String {
    let mut text = Text { plan, look, text: String::new() };
    text.value(value, 0);
    text.text
}

struct Text<'a> {
    plan: &'a Plan,
    look: Look,
    text: String,
}

impl Text<'_> {
    fn value(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Plain(json) => self.json(json, indent),
            Value::Ref(reference) => self.open(&wording::reference(self.plan, reference)),
            Value::Text(_) | Value::Expr(_) => {
                self.paint(Tone::Warn, &format!("`{}`", wording::value(self.plan, value)));
            }
            Value::Step(id) => self.paint(Tone::Busy, &wording::name(self.plan, *id)),
            Value::Closure(closure) => self.text.push_str(&clean(&closure.text)),
            Value::Agent(agent) => self.paint(Tone::Busy, &clean(&agent.name)),
            Value::Secret(_) => self.text.push_str(MASK),
            Value::List(items) => self.list("[", "]", items.len(), indent, |text, n, indent| {
                text.value(&items[n], indent);
            }),
            Value::Map(entries) => self.list("#{", "}", entries.len(), indent, |text, n, indent| {
                text.key(&entries[n].0);
                text.value(&entries[n].1, indent);
            }),
        }
    }

    fn json(&mut self, json: &Json, indent: usize) {
        match json {
            Json::Null => self.paint(Tone::Faint, "()"),
            Json::Bool(_) | Json::Number(_) => self.paint(Tone::Warn, &json.to_string()),
            Json::String(text) => self.string(text, indent),
            Json::Array(items) => self.list("[", "]", items.len(), indent, |text, n, indent| {
                text.json(&items[n], indent);
            }),
            Json::Object(entries) => {
                let entries: Vec<_> = entries.iter().take(ITEMS + 1).collect();
                self.list("#{", "}", entries.len(), indent, |text, n, indent| {
                    text.key(entries[n].0);
                    text.json(entries[n].1, indent);
                });
            }
        }
    }

    /// Several lines stand in backticks, as they are; but within a list a text is one line.
    fn string(&mut self, string: &str, indent: usize) {
        if indent > 0 || !string.trim_end().contains('\n') {
            let line = clean(string);
            let line = line.replace('\\', "\\\\").replace('"', "\\\"");
            return self.paint(Tone::Good, &format!("\"{line}\""));
        }
        let all = lines(string);
        let mut text = all.iter().take(LINES).map(String::as_str).collect::<Vec<_>>().join("\n");
        if all.len() > LINES {
            let _ = write!(text, "\n{} and {} more lines", self.look.ellipsis(), all.len() - LINES);
        }
        self.paint(Tone::Good, &format!("`{text}`"));
    }

    fn key(&mut self, key: &str) {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let bare = !key.is_empty() && key.chars().all(is_word) && !key.starts_with(|c: char| c.is_ascii_digit());
        match bare {
            true => self.text.push_str(key),
            false => drop(write!(self.text, "{:?}", clean(key))),
        }
        self.text.push_str(": ");
    }

    /// On one line if it fits, else one item a line.
    fn list(
        &mut self,
        open: &str,
        close: &str,
        len: usize,
        indent: usize,
        mut item: impl FnMut(&mut Text, usize, usize),
    ) {
        let width = if self.look.width > 0 { self.look.width } else { WIDTH };
        let mut items = Vec::new();
        for n in 0..len.min(ITEMS) {
            let mut one = Text { plan: self.plan, look: self.look, text: String::new() };
            item(&mut one, n, indent + 2);
            items.push(one.text);
        }
        if len > items.len() {
            items.push(format!("{} and {} more", self.look.ellipsis(), len - items.len()));
        }
        let bare = |text: &str| columns(&lines(text).concat());
        let wide = items.iter().map(|item| bare(item) + 2).sum::<usize>() + indent + 4;
        let blank = if open == "#{" && !items.is_empty() { " " } else { "" };
        if wide <= width && !items.iter().any(|item| item.contains('\n')) {
            let _ = write!(self.text, "{open}{blank}{}{blank}{close}", items.join(", "));
            return;
        }
        let _ = writeln!(self.text, "{open}");
        for item in items {
            let _ = writeln!(self.text, "{}{item},", " ".repeat(indent + 2));
        }
        let _ = write!(self.text, "{}{close}", " ".repeat(indent));
    }

    fn open(&mut self, name: &str) {
        self.paint(Tone::Busy, name);
        self.paint(Tone::Faint, " (not known yet)");
    }

    fn paint(&mut self, tone: Tone, text: &str) {
        // A colour ends with its line, so that a pager can begin anywhere.
        let painted: Vec<String> = text.split('\n').map(|line| self.look.paint(tone, line)).collect();
        self.text.push_str(&painted.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(json: Json) -> String {
        value(&Plan::default(), &Value::Plain(json), Look { width: 40, ..Look::PLAIN })
    }

    #[test]
    fn values_are_written_as_in_scripts() {
        assert_eq!(shown(json!(null)), "()");
        assert_eq!(shown(json!([1, 2.5, true, "a \"b\""])), r#"[1, 2.5, true, "a \"b\""]"#);
        assert_eq!(shown(json!({"a": 1, "b c": [], "d": {}})), r##"#{ a: 1, "b c": [], d: #{} }"##);
        assert_eq!(shown(json!("one\ntwo\n")), "`one\ntwo`");
        assert_eq!(shown(json!("\u{1b}[31mred")), "\"·[31mred\"");
    }

    #[test]
    fn what_is_long_gets_lines() {
        let long = json!({"files": ["src/first.rs", "src/second.rs", "src/third.rs"]});
        assert_eq!(
            shown(long),
            "#{\n  files: [\n    \"src/first.rs\",\n    \"src/second.rs\",\n    \"src/third.rs\",\n  ],\n}"
        );
        let many: Vec<u32> = (0..150).collect();
        assert!(shown(json!(many)).ends_with("  99,\n  … and 50 more,\n]"));
    }
}
