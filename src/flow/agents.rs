//! Agents of a project: what its settings say of them, and the files in which they stand.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::config::Config;
use super::{Flow, home};
use crate::diag::Result;
use crate::lang::{self, FoundAgent, Surroundings};

impl Flow {
    /// What scripts find around them. Of settings that cannot be read, nothing: what is wrong with them is told by whoever
    /// needs them.
    pub(super) fn surroundings(&self) -> Arc<Surroundings> {
        let nothing = Config::default();
        Arc::new(of(self.config().unwrap_or(&nothing)))
    }

    /// All agents that stand in files and are known by name to scripts in `folder`, those that are hidden or not loaded
    /// included; in the order in which they are looked for.
    ///
    /// # Errors
    /// What is wrong with the project's settings.
    pub fn agents(&self, folder: &Path) -> Result<Vec<FoundAgent>> {
        let surroundings = of(self.config()?);
        lang::known_agents(folder, &surroundings)
    }
}

/// What a script finds around it that stands in `folder`, by the nearest `flow.toml` upwards.
pub fn surroundings_of(folder: Option<&Path>) -> Arc<Surroundings> {
    let file = folder.and_then(home::config_of);
    let config = file.and_then(|file| Config::read(&file).ok()).unwrap_or_default();
    Arc::new(of(&config))
}

fn of(config: &Config) -> Surroundings {
    Surroundings {
        backend: config.agents.backend.clone(),
        model: config.agents.model.clone(),
        backends: config.backends.clone(),
        folders: config.agents.folders.clone(),
        project: config.file.as_deref().and_then(Path::parent).map(Path::to_owned),
        home: std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()),
    }
}
