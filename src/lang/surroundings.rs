//! What a script finds around it, and does not say itself: handed in by whoever evaluates it, so that this room reads no settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plan::BackendSpec;

/// See the module's page.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Surroundings {
    /// The backend of agents that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// The model of agents that name none and have this backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Further backends, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub backends: BTreeMap<String, Arc<BackendSpec>>,
    /// Further folders with files of agents, absolute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<PathBuf>,
    /// The project's folder. Nothing: the nearest one upwards from the script that holds a `.git`.
    #[serde(skip)]
    pub project: Option<PathBuf>,
    /// The user's home.
    #[serde(skip)]
    pub home: Option<PathBuf>,
}

impl Surroundings {
    /// The name by which they are kept with a run.
    pub(super) const NAME: &str = "flow.toml [agents]";

    /// Does a project say something about agents?
    pub(super) fn say_something(&self) -> bool {
        self.backend.is_some() || self.model.is_some() || !self.backends.is_empty() || !self.folders.is_empty()
    }
}
