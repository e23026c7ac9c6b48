//! The templates, in a terminal.

use super::table::table;
use super::{Look, Tone};

/// A template in a line.
#[derive(Clone, Debug)]
pub struct TemplateLine {
    /// Its name.
    pub name: String,
    /// How many parameters it has.
    pub parameters: usize,
    /// What it is for.
    pub summary: String,
}

/// All templates, a line each.
pub fn templates(all: &[TemplateLine], look: Look) -> String {
    let mut rows = vec![["NAME", "PARAMETERS", "WHAT IT DOES"].map(str::to_owned).to_vec()];
    rows.extend(all.iter().map(|line| vec![line.name.clone(), line.parameters.to_string(), line.summary.clone()]));
    table(&rows, look, |_, column| (column == 0).then_some(Tone::Strong))
}
