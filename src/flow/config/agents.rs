//! `[agents]` and `[backends.NAME]` of `flow.toml`.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diag::{Result, did_you_mean};
use crate::plan::{AgentInput, BACKENDS, Backend, BackendSpec, Speaks};

use super::keys::{AGENTS, BACKEND};
use super::{Config, Reader};

/// What holds for agents where a script does not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentDefaults {
    /// What drives them: one of the built-in backends, or of the file.
    pub backend: Option<String>,
    /// The model of those that take that backend.
    pub model: Option<String>,
    /// Folders with files of agents (`*.md`), which are known by name. Absolute.
    pub folders: Vec<PathBuf>,
}

const FORM: &str =
    "program and arguments: `command = [\"aider\", \"--yes\", \"--model\", \"{model}\", \"--message\", \"{prompt}\"]`";

impl Reader {
    pub(super) fn agents(&self, table: &DeTable<'_>) -> Result<AgentDefaults> {
        let mut agents = AgentDefaults::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "backend" => {
                    let name = self.text("backend", value, "the name of a backend: `backend = \"claude\"`")?;
                    agents.backend = Some(name.to_owned());
                }
                "model" => {
                    let name = self.text("model", value, "the name of a model: `model = \"sonnet\"`")?;
                    agents.model = Some(name.to_owned());
                }
                "folders" => {
                    let folders = self.texts("folders", value, "a list of folders: `folders = [\"team\"]`")?;
                    agents.folders = folders.iter().map(|folder| self.path(folder)).collect();
                }
                name => return Err(self.unknown(name, key.span(), "key", &AGENTS.names())),
            }
        }
        Ok(agents)
    }

    /// Whatever comes first in the file: the backend that agents have is there.
    pub(super) fn default_backend(&self, document: &Spanned<DeTable<'_>>, config: &Config) -> Result<()> {
        let Some(name) = &config.agents.backend else { return Ok(()) };
        if Backend::named(name).is_some() || config.backends.contains_key(name) {
            return Ok(());
        }
        let place = document.get_ref().get("agents").and_then(|agents| agents.get_ref().get("backend"));
        let known = BACKENDS.iter().map(|backend| backend.name).chain(config.backends.keys().map(String::as_str));
        let help = did_you_mean(name, known).unwrap_or_else(|| format!("declare it: `[backends.{name}]`"));
        Err(self.wrong(format!("no backend is called `{name}`"), place.map(Spanned::span).unwrap_or_default(), help))
    }

    pub(super) fn backend(&self, name: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) -> Result<BackendSpec> {
        if Backend::named(name.get_ref()).is_some() {
            let message = format!("the backend `{}` is built in", name.get_ref());
            return Err(self.wrong(
                message,
                name.span(),
                "give yours another name, or name its program where the agent is declared: `command: […]`",
            ));
        }
        let section = format!("backends.{}", name.get_ref());
        let mut spec = BackendSpec::default();
        for (key, value) in self.table(&section, value)? {
            match &**key.get_ref() {
                "command" => spec.command = self.command(value)?,
                "input" => spec.input = self.choice("input", value, &AgentInput::ALL)?,
                "speaks" => spec.speaks = Some(self.choice("speaks", value, &Speaks::ALL)?),
                "pass_env" => {
                    spec.pass_env = self.texts("pass_env", value, "names of variables: `pass_env = [\"AIDER_*\"]`")?;
                }
                "version" => {
                    let form = "program and arguments: `version = [\"aider\", \"--version\"]`";
                    spec.version = self.words("version", value, form)?;
                }
                "install" => {
                    spec.install = self
                        .text("install", value, "how to get it: `install = \"pip install aider-chat\"`")?
                        .to_owned();
                }
                other => return Err(self.unknown(other, key.span(), "key", &BACKEND.names())),
            }
        }
        if spec.command.is_empty() {
            return Err(self.wrong(format!("the backend `{}` has no `command`", name.get_ref()), value.span(), FORM));
        }
        Ok(spec)
    }

    /// A program with its arguments, in which names in braces stand for what an agent says.
    fn command(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>> {
        let words = self.words("command", value, FORM)?;
        let DeValue::Array(items) = value.get_ref() else { return Ok(words) };
        for (number, (word, item)) in words.iter().zip(items.iter()).enumerate() {
            for name in BackendSpec::places(word) {
                if !BackendSpec::PLACES.contains(&name) {
                    let known = || BackendSpec::PLACES.map(|name| format!("`{name}`")).join(", ");
                    let help =
                        did_you_mean(name, BackendSpec::PLACES).unwrap_or_else(|| format!("there are {}", known()));
                    return Err(self.wrong(format!("nothing is called `{{{name}}}`"), item.span(), help));
                }
                if number == 0 {
                    return Err(self.wrong("the program's name cannot depend on the agent", item.span(), FORM));
                }
            }
        }
        Ok(words)
    }

    fn choice<T: Copy>(&self, key: &str, value: &Spanned<DeValue<'_>>, all: &[(&'static str, T)]) -> Result<T> {
        let names = || all.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let text = self.text(key, value, &format!("one of {}", names()))?;
        let span: Range<usize> = value.span();
        all.iter().find(|(name, _)| *name == text).map(|(_, one)| *one).ok_or_else(|| {
            let help =
                did_you_mean(text, all.iter().map(|(name, _)| *name)).unwrap_or_else(|| format!("one of {}", names()));
            self.wrong(format!("`{key}` cannot be `{text}`"), span, help)
        })
    }
}
