//! A process for each item, or batch: it has the item on its standard input and in `$ITEM`, and its output goes on.

use std::sync::Arc;
use std::time::Duration;

use super::{Given, Input, Opening, Stop, Which, Worker};
use crate::event::{Failure, FailureKind};
use crate::exec::command::LONGEST_WORD;
use crate::exec::exit;
use crate::exec::output::of_text;
use crate::exec::pipeline::exchange::{Talk, Until, Wait};
use crate::exec::pipeline::outside::{Outside, Process, Template};
use crate::lang::item::Item;
use crate::plan::{self, Parse, Stream, unit};

/// See the module's page.
pub(super) struct Command<'a> {
    template: Template,
    outside: &'a Outside<'a>,
    stop: Arc<Stop>,
    parse: Parse,
    /// Most bytes of an output.
    most: u64,
    quiet: bool,
}

impl<'a> Command<'a> {
    pub fn open(command: &plan::Command, at: &Opening<'a>, stop: &Arc<Stop>) -> Result<Self, Failure> {
        let policy = at.job.policy.as_deref();
        let limit = policy.and_then(|policy| policy.output_limit).or(at.job.site.settings.output_limit);
        Ok(Command {
            template: Template::of(command, at.outside)?,
            outside: at.outside,
            stop: stop.clone(),
            parse: policy.map_or(Parse::Auto, |policy| policy.parse),
            most: limit.unwrap_or(Stream::MAX_LINE),
            quiet: policy.is_some_and(|policy| policy.secret),
        })
    }
}

impl Worker for Command<'_> {
    fn work(&mut self, input: Input, _: Which) -> Result<Given, Failure> {
        let batch = matches!(input, Input::Batch(_));
        let (lines, word) = given(input)?;
        let program = &self.template.program;
        // What does not fit into an environment is on standard input.
        let word = (word.len() <= LONGEST_WORD && !word.contains(&0)).then_some(word);
        let word = word.and_then(|word| String::from_utf8(word).ok());
        let mut process = Process::start(&self.template, self.outside, word.as_deref().map(|word| ("ITEM", word)))?;
        let mut talk = Talk::with(&mut process).map_err(|error| exit::not_started(program, &error))?;
        let mut until = talk.until(&process, &lines, self.most, &self.stop, Wait::End);
        if until != Until::Closed {
            process.kill(false);
        }
        // Its streams are read on, so that it can come to its end.
        while !process.ends_within(Duration::ZERO) {
            talk.out.clear();
            if talk.until(&process, &[], self.most, &Stop::default(), Wait::End) == Until::Closed {
                break;
            }
        }
        let ended = process.wait()?;
        self.outside.errors.add(&talk.complaint);
        if self.stop.is_set() {
            until = Until::Stopped;
        }
        match until {
            Until::Stopped => return Err(exit::by_us(program)),
            Until::TooMuch => {
                let most = unit::show_bytes(self.most);
                let message = format!("`{}` wrote more than {most} for one item", program.shown);
                return Err(Failure::new(FailureKind::TooMuch, message)
                    .help("`.output_limit(\"…\")` on the pipeline says how much it may write; a file holds more"));
            }
            Until::Closed | Until::Done => {}
        }
        if !ended.is_well() {
            return Err(ended.failure(program, &talk.tail, self.outside));
        }
        let out = match self.outside.masked() {
            Some(secrets) => secrets.mask().bytes(&talk.out).into_owned(),
            None => talk.out,
        };
        let text =
            String::from_utf8(out).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let value = of_text(text, self.parse, |text| if self.quiet { "" } else { text })?;
        Ok(Given::of(Item::of(value), batch))
    }
}

/// What a process gets on its standard input, and in `$ITEM`.
fn given(input: Input) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let (mut lines, mut word) = (Vec::new(), Vec::new());
    match input {
        Input::One(item) => {
            item.write_line(&mut word)?;
            lines.extend_from_slice(&word);
            lines.push(b'\n');
        }
        Input::Batch(items) => {
            for item in &items {
                item.write_line(&mut lines)?;
                lines.push(b'\n');
            }
            Item::list(items).write_json(&mut word)?;
        }
    }
    Ok((lines, word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(input: Input) -> (String, String) {
        let (lines, word) = given(input).expect("it can be written");
        (String::from_utf8(lines).expect("text"), String::from_utf8(word).expect("text"))
    }

    #[test]
    fn texts_are_given_as_they_are_and_all_else_as_json() {
        assert_eq!(text(Input::One(Item::text("a b"))), ("a b\n".into(), "a b".into()));
        assert_eq!(text(Input::One(Item::of(json!({"a": [1]})))), ("{\"a\":[1]}\n".into(), "{\"a\":[1]}".into()));
        let batch = Input::Batch(vec![Item::text("a"), Item::of(json!({"b": 2}))]);
        assert_eq!(text(batch), ("a\n{\"b\":2}\n".into(), "[\"a\",{\"b\":2}]".into()));
    }
}
