//! A question to the person at the terminal: what is asked, line by line, and what the lines mean.

use serde_json::Map;

use crate::event::WaitFor;
use crate::flow::{Answering, Waits, expected, read_field};
use crate::plan::{Field, Json};

/// See the module's page.
pub struct Question {
    /// The step that asks.
    pub waits: Waits,
    choices: Vec<String>,
    fields: Vec<Field>,
    /// Does who says `no` leave the form empty?
    refusable: bool,
    choice: Option<String>,
    form: Map<String, Json>,
}

/// What a line means.
#[derive(Debug)]
pub enum Said {
    /// It cannot be taken, for this reason: the same is asked again.
    Again(String),
    /// The next line is asked for.
    Next,
    /// That is all.
    Done(Answering),
    /// Not now.
    NotNow,
}

impl Question {
    /// The question of a step that asks for an answer.
    pub fn new(waits: Waits) -> Option<Self> {
        let WaitFor::Answer { choices, form, refusable, .. } = &*waits.what else { return None };
        let (choices, fields) = (choices.iter().map(|choice| choice.to_string()).collect(), form.clone());
        let refusable = *refusable;
        Some(Question { waits, choices, fields, refusable, choice: None, form: Map::new() })
    }

    /// The answers to choose from, in a line.
    pub fn choices(&self) -> String {
        match self.is_numbered() {
            true => (1..).zip(&self.choices).map(|(n, choice)| format!("{n} {choice}")).collect::<Vec<_>>().join("   "),
            false => self.choices.join("   "),
        }
    }

    /// Numbers would only confuse where an answer is one itself.
    fn is_numbered(&self) -> bool {
        self.choices.iter().all(|choice| choice.parse::<f64>().is_err())
    }

    fn field(&self) -> Option<&Field> {
        let refused = self.refusable && self.choice.as_deref() == Some("no");
        self.fields.get(self.form.len()).filter(|_| !refused)
    }

    /// What stands before the line that is asked for now.
    pub fn prompt(&self) -> String {
        if self.choice.is_none() {
            return "answer".to_owned();
        }
        let Some(field) = self.field() else { return "comment".to_owned() };
        let help = if field.help.is_empty() { expected(field) } else { field.help.clone() };
        let default = field.default.as_ref().map(crate::state::result::plain_text);
        let default = default.map_or(String::new(), |default| format!(" [{default}]"));
        format!("{} ({help}){default}", field.name)
    }

    /// Takes a line; nothing: the end of input (Ctrl-D).
    pub fn take(&mut self, line: Option<&str>) -> Said {
        let Some(line) = line.map(str::trim) else { return Said::NotNow };
        if self.choice.is_none() {
            return self.choose(line);
        }
        match self.field().cloned() {
            Some(field) => self.fill(&field, line),
            None => Said::Done(Answering {
                choice: self.choice.take(),
                form: std::mem::take(&mut self.form),
                by: None,
                comment: line.to_owned(),
            }),
        }
    }

    /// An answer, its number, or the beginning of one only.
    fn choose(&mut self, line: &str) -> Said {
        if line.is_empty() {
            return Said::NotNow;
        }
        let number = line.parse::<usize>().ok().filter(|_| self.is_numbered());
        let begins = |choice: &&String| choice.to_lowercase().starts_with(&line.to_lowercase());
        let same = |choice: &&String| choice.to_lowercase() == line.to_lowercase();
        let mut beginning = self.choices.iter().filter(begins);
        let found = match (self.choices.iter().find(|choice| **choice == line), number) {
            (Some(choice), _) => Some(choice),
            (None, Some(n)) => n.checked_sub(1).and_then(|n| self.choices.get(n)),
            (None, None) => match (self.choices.iter().find(same), beginning.next(), beginning.next()) {
                (Some(choice), ..) | (None, Some(choice), None) => Some(choice),
                _ => None,
            },
        };
        match found.cloned() {
            Some(choice) => {
                self.choice = Some(choice);
                Said::Next
            }
            None => {
                let several: Vec<_> = self.choices.iter().filter(begins).map(|choice| format!("`{choice}`")).collect();
                Said::Again(match several.is_empty() {
                    true => format!("`{line}` is none of: {}", self.choices()),
                    false => format!("`{line}` could be {}", several.join(" or ")),
                })
            }
        }
    }

    fn fill(&mut self, field: &Field, line: &str) -> Said {
        let value = match (line.is_empty(), &field.default) {
            (true, Some(default)) => Ok(default.clone()),
            (true, None) => return Said::NotNow,
            (false, _) => read_field(field, &line.into()),
        };
        match value {
            Ok(value) => {
                self.form.insert(field.name.to_string(), value);
                Said::Next
            }
            Err(expected) => Said::Again(format!("`{}` is {expected}", field.name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::plan::{OnTimeout, StepId};

    fn question(choices: &[&str], form: Vec<Field>, refusable: bool) -> Question {
        let choices = choices.iter().map(|choice| (*choice).into()).collect();
        let what = WaitFor::Answer { prompt: "Go?".into(), choices, form, refusable, on_timeout: OnTimeout::Fail };
        let (path, what) = ("gate".to_owned(), Arc::new(what));
        Question::new(Waits { step: StepId(0), path, attempt: 1, what, until: None }).expect("an approval")
    }

    fn chosen(choices: &[&str], line: &str) -> Option<String> {
        let mut question = question(choices, Vec::new(), false);
        question.take(Some(line));
        question.choice
    }

    #[test]
    fn an_answer_is_chosen_by_name_number_or_beginning() {
        let colours = ["blue", "green", "grey"];
        for (line, choice) in
            [("blue", "blue"), (" B ", "blue"), ("2", "green"), ("gre", ""), ("grey", "grey"), ("GREY", "grey")]
        {
            assert_eq!(chosen(&colours, line).unwrap_or_default(), choice, "{line}");
        }
        for wrong in ["red", "0", "4", "-1"] {
            assert_eq!(chosen(&colours, wrong), None, "{wrong}");
        }
        // Here a number is an answer.
        assert_eq!(chosen(&["2", "1"], "1").as_deref(), Some("1"));
        assert_eq!(chosen(&["2", "10"], "3"), None);
        assert!(matches!(question(&colours, Vec::new(), false).take(Some("")), Said::NotNow));
        assert!(matches!(question(&colours, Vec::new(), false).take(None), Said::NotNow));
    }

    fn form() -> Vec<Field> {
        let field = |name: &str, kind: &str, default: Option<Json>| Field {
            name: name.into(),
            kind: kind.into(),
            default,
            one_of: Vec::new(),
            help: String::new(),
        };
        vec![field("version", "string", None), field("hosts", "int", Some(json!(3)))]
    }

    #[test]
    fn then_the_form_and_a_comment() {
        let mut asked = question(&["yes", "no"], form(), true);
        assert_eq!(asked.prompt(), "answer");
        assert!(matches!(asked.take(Some("y")), Said::Next));
        assert_eq!(asked.prompt(), "version (a text)");
        assert!(matches!(asked.take(Some("1.10")), Said::Next));
        assert_eq!(asked.prompt(), "hosts (a whole number such as 3) [3]");
        assert!(matches!(asked.take(Some("many")), Said::Again(said) if said == "`hosts` is a whole number such as 3"));
        assert!(matches!(asked.take(Some("")), Said::Next));
        assert_eq!(asked.prompt(), "comment");
        let Said::Done(answering) = asked.take(Some("after lunch")) else { panic!("it is complete") };
        assert_eq!(answering.choice.as_deref(), Some("yes"));
        assert_eq!(Json::Object(answering.form), json!({ "version": "1.10", "hosts": 3 }));
        assert_eq!(answering.comment, "after lunch");
    }

    #[test]
    fn who_refuses_fills_in_no_form() {
        let mut asked = question(&["yes", "no"], form(), true);
        asked.take(Some("n"));
        assert!(matches!(asked.take(Some("")), Said::Done(answering) if answering.form.is_empty()));
        let mut chosen = question(&["yes", "no"], form(), false);
        chosen.take(Some("no"));
        assert_eq!(chosen.prompt(), "version (a text)");
        assert!(matches!(chosen.take(Some("")), Said::NotNow));
    }
}
