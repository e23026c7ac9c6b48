//! Backends of `flow.toml`: how a program is called and understood is data.

use std::sync::Arc;

use crate::event::{AgentEvent, Failure};
use crate::plan::BackendSpec;

use super::command::{as_argument, event_line, give_task, live_task, plain_task, surroundings};
use super::driver::dialect_of;
use super::{Brief, Dialect, Driver, Errand, Launch};

/// A program of `flow.toml`.
pub(super) struct Program {
    /// How it is called.
    pub spec: Arc<BackendSpec>,
}

impl Driver for Program {
    fn errand(&self, brief: &Brief<'_>) -> Result<Errand, Failure> {
        let mut launch = Launch { pass_env: self.spec.pass_env.clone(), ..Launch::default() };
        surroundings(brief, &mut launch);
        launch.words = self.words(brief)?;
        if !brief.command.is_empty() {
            launch.words.splice(..1, brief.command.iter().cloned());
        }
        launch.words.extend(brief.args.iter().cloned());
        if !self.spec.has_prompt() {
            give_task(brief, self.untold_system(brief), self.spec.input, &mut launch)?;
        }
        Ok(Errand::Program(launch))
    }

    fn dialect(&self) -> Box<dyn Dialect> {
        dialect_of(self.spec.speaks)
    }

    fn tell_live(&self, from: &str, event: &AgentEvent) -> Option<Vec<u8>> {
        event_line(from, event)
    }

    fn task_live(&self, brief: &Brief<'_>) -> Vec<u8> {
        live_task(brief, self.untold_system(brief), self.spec.input)
    }
}

impl Program {
    /// What it is told before any task, where its command does not say that.
    fn untold_system<'b>(&self, brief: &'b Brief<'_>) -> Option<&'b str> {
        let told = self.spec.command.iter().any(|word| word.contains("{system}"));
        brief.system.as_deref().filter(|_| !told)
    }

    /// Its command with what the agent says. An argument with something in it that the agent does not say is left out, and the flag
    /// before it.
    fn words(&self, brief: &Brief<'_>) -> Result<Vec<String>, Failure> {
        let mut words: Vec<String> = Vec::with_capacity(self.spec.command.len());
        for word in &self.spec.command {
            match self.filled(word, brief) {
                Some(filled) if word.contains("{prompt}") => words.push(as_argument(filled)?),
                Some(filled) => words.push(filled),
                None if words.len() > 1 && words.last().is_some_and(|last| is_flag(last)) && word.starts_with('{') => {
                    words.pop();
                }
                None => {}
            }
        }
        Ok(words)
    }

    /// An argument with what the agent says; nothing, if it does not say something that stands in it.
    fn filled(&self, word: &str, brief: &Brief<'_>) -> Option<String> {
        let (mut filled, mut rest) = (String::new(), word);
        for name in BackendSpec::places(word).filter(|name| BackendSpec::PLACES.contains(name)) {
            let Some((before, behind)) = rest.split_once(&format!("{{{name}}}")) else { continue };
            filled.push_str(before);
            filled.push_str(&self.value(name, brief)?);
            rest = behind;
        }
        Some(filled + rest)
    }

    fn value(&self, name: &str, brief: &Brief<'_>) -> Option<String> {
        match name {
            "model" => brief.model.clone(),
            "system" => brief.system.clone(),
            "session" => brief.session.clone(),
            "prompt" => Some(plain_task(brief, self.untold_system(brief))),
            "max_turns" => brief.agent.max_turns.map(|turns| turns.to_string()),
            "schema_file" => brief.schema.map(|_| brief.folder.join("schema.json").display().to_string()),
            _ => None,
        }
    }
}

/// `-m`, `--model`: with its value it goes, too.
fn is_flag(word: &str) -> bool {
    word.starts_with('-') && !word.contains('=')
}

#[cfg(test)]
mod tests;
