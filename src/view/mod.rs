//! Events and state to text: what a person or another program gets to see of a run.
//!
//! Everything here is a function of events and state, and of a [`Look`]. It knows no clock and no store, and but
//! for [`progress`] no terminal: the doors say how wide the screen is, what time it is, and where the text goes.

mod agents;
mod breakers;
mod checkpoints;
mod collected;
mod counts;
mod coverage;
mod dead;
mod diagnostic;
pub mod docs;
pub mod doctor;
mod flowed;
mod forecast;
pub mod json;
mod junit;
pub mod logs;
mod look;
mod markdown;
mod memory;
mod params;
mod place;
pub mod progress;
mod reason;
mod receipts;
mod roster;
mod runs;
mod show;
mod summary;
mod table;
mod takeup;
mod templates;
pub mod time;
mod transcript;
mod value;
mod verdicts;
mod waits;
mod ways;
mod why;

pub use agents::{dollars, usage};
pub use breakers::{breakers, not_closed};
pub use checkpoints::{checkpoints, way_back};
pub use collected::{CollectedLine, Outcome, collected};
pub use coverage::{coverage, percent};
pub use dead::{dead_letters, dead_letters_json};
pub use diagnostic::{diagnostic, printed};
pub use flowed::partly_kept;
pub use forecast::forecast;
pub use junit::junit;
pub use look::{Look, Tone, lines};
pub use markdown::{Colours, markdown};
pub use memory::{MemoryLine, memory};
pub use params::parameters;
pub use place::{is_secret, place};
pub use receipts::{EvidenceLine, receipt, receipts};
pub use roster::{AgentLine, FileRemark, roster};
pub use runs::{RunLine, runs};
pub use show::show;
pub use summary::{LogPaths, Summary};
pub use takeup::{takeup, takeup_json};
pub use templates::{TemplateLine, templates};
pub use transcript::Transcript;
pub use value::value;
pub use verdicts::{TestCounts, TestLine, TestVerdict, test_failure, test_line, test_summary, went_again};
pub use waits::command;
pub use ways::{ways, ways_json};
pub use why::Why;

/// What stands in the place of something that is not to be shown.
pub const MASK: &str = "***";
