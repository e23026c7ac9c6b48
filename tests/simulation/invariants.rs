//! What must always hold, by name.

use std::fmt;

/// An invariant. `ARCHITECTURE.md` lists them by these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// Nothing outside the process begins before its `Started` and the ends of all that it reads are committed; what it
    /// reads is what the log says.
    Committed,
    /// An attempt begins once, and a step that has ended never runs again, unless a `Reset` says so.
    Once,
    /// Slots, limits and locks hold at every moment, those by the minute in every minute.
    Limits,
    /// No event contradicts the ones before it: a step starts when its group, rule, condition and the run's part and
    /// stops let it, ends what runs, and so on.
    Fits,
    /// Nothing comes before its time: no attempt before its delay, no timeout and no end of a wait too early.
    Patience,
    /// The log, folded, is the state that the driver has.
    Replay,
    /// Every run ends, or waits for something that has a name.
    NotStuck,
    /// What succeeded is undone once, in the reverse order of its end, and only after a failure or on request.
    Undo,
    /// What cleans up ran if what it belongs to had begun, and not otherwise.
    CleanUp,
    /// After `Ended` nothing follows, and nothing is left running; after a cancellation it says so.
    LastWord,
    /// A process that goes on although its step has ended, or the other way round.
    NoOrphans,
    /// A run that was disturbed ends like one that was not.
    Undisturbed,
    /// No panic.
    Sound,
}

impl Invariant {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Invariant); 13] = [
        ("committed", Invariant::Committed),
        ("once", Invariant::Once),
        ("limits", Invariant::Limits),
        ("fits", Invariant::Fits),
        ("patience", Invariant::Patience),
        ("replay", Invariant::Replay),
        ("not-stuck", Invariant::NotStuck),
        ("undo", Invariant::Undo),
        ("clean-up", Invariant::CleanUp),
        ("last-word", Invariant::LastWord),
        ("no-orphans", Invariant::NoOrphans),
        ("undisturbed", Invariant::Undisturbed),
        ("sound", Invariant::Sound),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// An invariant that does not hold.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which.
    pub invariant: Invariant,
    /// What was seen.
    pub what: String,
}

impl Broken {
    /// This was seen.
    pub fn new(invariant: Invariant, what: impl Into<String>) -> Self {
        Broken { invariant, what: what.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant.name(), self.what)
    }
}

/// Breaks an invariant, unless something holds.
macro_rules! hold {
    ($holds:expr, $invariant:ident, $($what:tt)+) => {
        if !$holds {
            return Err(Broken::new(Invariant::$invariant, format!($($what)+)));
        }
    };
}
pub(crate) use hold;
