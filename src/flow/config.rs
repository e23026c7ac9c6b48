//! `flow.toml`: what holds for all workflows of a project. It stands beside the folder of the runs.
//!
//! ```toml
//! [secrets]                                # where secrets come from, if not from the variable of their name
//! NPM_TOKEN = { env = "NODE_AUTH_TOKEN" }
//! SIGNING_KEY = { file = "keys/signing" }
//! DEPLOY_TOKEN = { command = ["pass", "show", "deploy"] }
//!
//! [retention]                              # what `flow gc` keeps
//! keep = "30d"
//! keep_runs = 100
//! auto = true
//!
//! [receipts]                               # an ed25519 key that signs receipts
//! key = "keys/receipts.pem"
//!
//! [agents]                                 # what holds for agents where a script does not say otherwise
//! backend = "claude"
//! model = "sonnet"
//! folders = ["team"]
//!
//! [backends.aider]                         # a further backend: how its program is called, and understood
//! command = ["aider", "--yes", "--model", "{model}", "--message", "{prompt}"]
//! ```
//!
//! Paths are taken from the folder of the file; `~/` is the home of the user.

mod agents;
mod keys;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diag::{Diagnostic, Result, Sources, did_you_mean};
use crate::exec::Provider;
use crate::plan::{BackendSpec, unit};
use keys::{PROVIDER, RECEIPTS, RETENTION};

pub use agents::AgentDefaults;
pub use keys::PROJECT_KEYS;

/// The settings of a project. Without a `flow.toml`: the defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// Where the values of secrets come from, by name; of those that are not here, from the environment variable of
    /// their name.
    pub secrets: BTreeMap<String, Provider>,
    /// Which runs are kept.
    pub retention: Retention,
    /// How receipts are made.
    pub receipts: Receipts,
    /// What holds for agents where a script does not say otherwise.
    pub agents: AgentDefaults,
    /// Further backends of agents, by name.
    pub backends: BTreeMap<String, Arc<BackendSpec>>,
}

/// Which runs are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Those that ended less than so many milliseconds ago.
    pub keep_ms: Option<u64>,
    /// The newest ones, so many of them.
    pub keep_runs: Option<u64>,
    /// Are others removed whenever a run ends?
    pub auto: bool,
}

/// How receipts are made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipts {
    /// The file with the key that signs them.
    pub key: Option<PathBuf>,
}

impl Config {
    /// Reads a file; one that does not exist says nothing.
    ///
    /// # Errors
    /// `flow::config::*`: what is wrong in it.
    pub fn read(file: &Path) -> Result<Config> {
        match std::fs::read_to_string(file) {
            Ok(text) => Config::parse(file, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(Diagnostic::new(
                "flow::config::unreadable",
                format!("`{}` cannot be read: {error}", file.display()),
            )
            .help("it must be a text file in UTF-8 that you may read")),
        }
    }

    /// Reads a text; `file` is where it comes from.
    ///
    /// # Errors
    /// See [`Config::read`].
    pub fn parse(file: &Path, text: &str) -> Result<Config> {
        let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
        let sources = Sources::one(file.display().to_string(), text);
        let reader = Reader { folder, sources };
        let mut config = Config { file: Some(file.to_owned()), ..Config::default() };
        let document = DeTable::parse(text).map_err(|error| reader.syntax(&error))?;
        for (key, value) in document.get_ref() {
            match &**key.get_ref() {
                "secrets" => {
                    for (name, value) in reader.table(key.get_ref(), value)? {
                        config.secrets.insert(name.get_ref().to_string(), reader.provider(name.get_ref(), value)?);
                    }
                }
                "retention" => config.retention = reader.retention(reader.table("retention", value)?)?,
                "receipts" => config.receipts = reader.receipts(reader.table("receipts", value)?)?,
                "agents" => config.agents = reader.agents(reader.table("agents", value)?)?,
                "backends" => {
                    for (name, value) in reader.table("backends", value)? {
                        config.backends.insert(name.get_ref().to_string(), Arc::new(reader.backend(name, value)?));
                    }
                }
                name => return Err(reader.unknown(name, key.span(), "section", &PROJECT_KEYS.map(|keys| keys.name))),
            }
        }
        reader.default_backend(&document, &config)?;
        Ok(config)
    }
}

/// Reads the parts of a file, and says where in it something is wrong.
struct Reader {
    folder: PathBuf,
    sources: Sources,
}

impl Reader {
    fn retention(&self, table: &DeTable<'_>) -> Result<Retention> {
        let mut retention = Retention::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "keep" => {
                    let text = self.text("keep", value, "a time: `keep = \"30d\"`")?;
                    let keep = unit::parse_duration_ms(text).map_err(|error| {
                        let help = error.help.unwrap_or_else(|| "write for instance `keep = \"30d\"`".into());
                        self.wrong(error.message, value.span(), help)
                    })?;
                    retention.keep_ms = Some(keep);
                }
                "keep_runs" => retention.keep_runs = Some(self.number("keep_runs", value)?),
                "auto" => match value.get_ref() {
                    DeValue::Boolean(auto) => retention.auto = *auto,
                    _ => return Err(self.kind("auto", value, "true or false: `auto = true`")),
                },
                name => return Err(self.unknown(name, key.span(), "key", &RETENTION.names())),
            }
        }
        Ok(retention)
    }

    fn receipts(&self, table: &DeTable<'_>) -> Result<Receipts> {
        let mut receipts = Receipts::default();
        for (key, value) in table {
            match &**key.get_ref() {
                "key" => {
                    receipts.key =
                        Some(self.path(self.text("key", value, "the path of a file: `key = \"keys/receipts.pem\"`")?))
                }
                name => return Err(self.unknown(name, key.span(), "key", &RECEIPTS.names())),
            }
        }
        Ok(receipts)
    }

    fn provider(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Provider> {
        const WAYS: &str =
            "one of `{ env = \"NAME\" }`, `{ file = \"path\" }`, `{ command = [\"program\", \"argument\"] }`";
        let DeValue::Table(table) = value.get_ref() else {
            // What stands there may well be the secret itself: its line is not shown.
            let place = self.sources.span_at(0, value.span().start).unwrap_or_default();
            let file = self.sources.get(0).map_or("flow.toml", |(name, _)| name);
            return Err(Diagnostic::new(
                "flow::config::value",
                format!("{file}:{place}: the secret `{name}` must be {WAYS}"),
            )
            .help("a secret's value never stands in flow.toml, only where it comes from"));
        };
        let mut found = None;
        for (key, value) in table {
            let provider = match &**key.get_ref() {
                "env" => Provider::Env(
                    self.text("env", value, "the name of an environment variable: `{ env = \"TOKEN\" }`")?.to_owned(),
                ),
                "file" => Provider::File(self.path(self.text(
                    "file",
                    value,
                    "the path of a file: `{ file = \"keys/token\" }`",
                )?)),
                "command" => {
                    let words = self.words(
                        "command",
                        value,
                        "program and arguments: `command = [\"pass\", \"show\", \"deploy\"]`",
                    )?;
                    Provider::Command { words, folder: self.folder.clone() }
                }
                other => return Err(self.unknown(other, key.span(), "key", &PROVIDER.names())),
            };
            if found.replace(provider).is_some() {
                let message = format!("the secret `{name}` comes from more than one place");
                return Err(self.wrong(message, key.span(), "keep one of `env`, `file` and `command`"));
            }
        }
        found.ok_or_else(|| self.wrong(format!("the secret `{name}` comes from nowhere"), value.span(), WAYS))
    }

    /// A program with its arguments.
    fn words(&self, key: &str, value: &Spanned<DeValue<'_>>, form: &str) -> Result<Vec<String>> {
        let words = self.texts(key, value, form)?;
        match words.first() {
            Some(program) if !program.is_empty() => Ok(words),
            _ => Err(self.wrong(format!("`{key}` names no program"), value.span(), form)),
        }
    }

    fn texts(&self, key: &str, value: &Spanned<DeValue<'_>>, form: &str) -> Result<Vec<String>> {
        let DeValue::Array(items) = value.get_ref() else { return Err(self.kind(key, value, form)) };
        items.iter().map(|item| self.text(key, item, form).map(str::to_owned)).collect()
    }

    fn table<'v, 'i>(&self, name: &str, value: &'v Spanned<DeValue<'i>>) -> Result<&'v DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(
                format!("`{name}` is a section, not a single value"),
                value.span(),
                format!("write `[{name}]` on a line of its own, and its keys below"),
            )),
        }
    }

    fn text<'v>(&self, key: &str, value: &'v Spanned<DeValue<'_>>, form: &str) -> Result<&'v str> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.kind(key, value, form)),
        }
    }

    fn number(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<u64> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.kind(key, value, "a whole number, 0 or more: `keep_runs = 100`"))
    }

    fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
            (Some(rest), Some(home)) => Path::new(&home).join(rest),
            _ => self.folder.join(text),
        }
    }

    fn syntax(&self, error: &toml::de::Error) -> Diagnostic {
        let problem = Diagnostic::new("flow::config::syntax", format!("flow.toml cannot be read: {}", error.message()));
        self.at(problem, error.span().unwrap_or_default(), "here")
            .help("it is TOML: `[section]` on a line, then `key = value` lines; see https://toml.io")
    }

    fn unknown(&self, name: &str, span: Range<usize>, what: &str, known: &[&str]) -> Diagnostic {
        let help = did_you_mean(name, known.iter().copied()).unwrap_or_default();
        let problem = Diagnostic::new("flow::config::unknown", format!("flow.toml has an unknown {what} `{name}`"));
        self.at(problem, span, format!("no such {what}")).help(help)
    }

    /// `what`: what it must be, and then perhaps a colon and how that is written.
    fn kind(&self, key: &str, value: &Spanned<DeValue<'_>>, what: &str) -> Diagnostic {
        let (what, form) = what.split_once(": ").unwrap_or((what, ""));
        let help = if form.is_empty() { "another kind of value stands there".into() } else { format!("write {form}") };
        self.wrong(format!("`{key}` must be {what}"), value.span(), help)
    }

    fn wrong(&self, message: impl Into<String>, span: Range<usize>, help: impl Into<String>) -> Diagnostic {
        self.at(Diagnostic::new("flow::config::value", message), span, "here").help(help)
    }

    fn at(&self, problem: Diagnostic, span: Range<usize>, label: impl Into<String>) -> Diagnostic {
        let place = self.sources.span_at(0, span.start).unwrap_or_default();
        problem.label(place, label).with_sources(&self.sources)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{AgentInput, Speaks};

    fn parse(text: &str) -> Result<Config> {
        Config::parse(Path::new("/project/flow.toml"), text)
    }

    #[test]
    fn all_that_can_be_said() {
        let config = parse(
            "[secrets]\nA = { env = \"B\" }\nC = { file = \"keys/c\" }\nD = { command = [\"pass\", \"show\"] }\n\
             [retention]\nkeep = \"30d\"\nkeep_runs = 100\nauto = true\n[receipts]\nkey = \"k.pem\"\n\
             [agents]\nbackend = \"mine\"\nmodel = \"m\"\nfolders = [\"team\", \"~/agents\"]\n\
             [backends.mine]\ncommand = [\"p\", \"-m\", \"{model}\"]\ninput = \"argument\"\nspeaks = \"codex\"\n\
             pass_env = [\"P_*\"]\nversion = [\"p\", \"-V\"]\ninstall = \"apt install p\"\n",
        )
        .expect("it is in order");
        assert_eq!(config.secrets["A"], Provider::Env("B".into()));
        assert_eq!(config.secrets["C"], Provider::File("/project/keys/c".into()));
        let words = vec!["pass".to_owned(), "show".to_owned()];
        assert_eq!(config.secrets["D"], Provider::Command { words, folder: "/project".into() });
        assert_eq!(config.retention, Retention { keep_ms: Some(30 * 86_400_000), keep_runs: Some(100), auto: true });
        assert_eq!(config.receipts.key, Some("/project/k.pem".into()));
        assert_eq!((config.agents.backend.as_deref(), config.agents.model.as_deref()), (Some("mine"), Some("m")));
        assert_eq!(config.agents.folders[0], Path::new("/project/team"));
        let mine = BackendSpec {
            command: ["p", "-m", "{model}"].map(str::to_owned).to_vec(),
            input: AgentInput::Argument,
            speaks: Some(Speaks::Codex),
            pass_env: vec!["P_*".to_owned()],
            version: ["p", "-V"].map(str::to_owned).to_vec(),
            install: "apt install p".to_owned(),
        };
        assert_eq!(*config.backends["mine"], mine);
    }

    #[test]
    fn what_is_wrong_is_shown_with_its_place() {
        for (text, code, place, message, help) in [
            ("[secrets\n", "syntax", (1, 9), "cannot be read", "TOML"),
            ("[retention]\nkep = \"1d\"\n", "unknown", (2, 1), "key `kep`", "did you mean `keep`?"),
            ("[secrts]\n", "unknown", (1, 2), "section `secrts`", "did you mean `secrets`?"),
            ("[retention]\nkeep = 30\n", "value", (2, 8), "`keep`", "keep = \"30d\""),
            ("[retention]\nkeep = \"30\"\n", "value", (2, 8), "no unit", "30"),
            ("[retention]\nkeep_runs = -1\n", "value", (2, 13), "0 or more", "keep_runs = 100"),
            ("secrets = 1\n", "value", (1, 11), "section", "[secrets]"),
            ("[secrets]\nA = {}\n", "value", (2, 5), "nowhere", "env"),
            ("[secrets]\nA = { env = \"B\", file = \"c\" }\n", "value", (2, 18), "more than one", "keep one"),
            ("[secrets]\nA = { command = [] }\n", "value", (2, 17), "no program", "pass"),
            ("[backends.x]\ncommand = []\n", "value", (2, 11), "no program", "aider"),
            ("[backends.x]\nspeaks = \"text\"\n", "value", (1, 1), "no `command`", "command ="),
            ("[backends.x]\ncommand = [\"x\", \"{propmt}\"]\n", "value", (2, 17), "`{propmt}`", "`prompt`"),
            ("[backends.x]\ncommand = [\"{model}\"]\n", "value", (2, 12), "program", "aider"),
            (
                "[backends.x]\ncommand = [\"x\"]\nspeaks = \"cloude\"\n",
                "value",
                (3, 10),
                "`cloude`",
                "did you mean `claude`?",
            ),
            ("[backends.claude]\ncommand = [\"x\"]\n", "value", (1, 11), "built in", "another name"),
            ("[agents]\nbackend = \"clod\"\n", "value", (2, 11), "`clod`", "`claude`"),
            ("[agents]\nfolders = \"team\"\n", "value", (2, 11), "folders", "[\"team\"]"),
            ("[agents]\nbakend = \"claude\"\n", "unknown", (2, 1), "`bakend`", "did you mean `backend`?"),
            ("[secrets]\nA = { comand = [] }\n", "unknown", (2, 7), "`comand`", "did you mean `command`?"),
        ] {
            let problem = parse(text).expect_err(text);
            assert_eq!(problem.code(), format!("flow::config::{code}"), "{text}");
            let span = problem.span().expect("a place");
            assert_eq!((span.line, span.column), place, "{text}");
            assert!(problem.message().contains(message), "{text}: {problem}");
            assert!(problem.help_text().is_some_and(|text| text.contains(help)), "{text}: {problem:?}");
        }
    }

    #[test]
    fn a_value_in_the_place_of_a_provider_is_not_repeated() {
        let problem = parse("[secrets]\nTOKEN = \"hunter2hunter2\"\n").expect_err("it is no provider");
        assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        assert!(problem.message().starts_with("/project/flow.toml:2:9: "), "{problem}");
        assert!(problem.help_text().is_some_and(|help| help.contains("only where it comes from")));
    }
}
