//! What the machine keeps of each step beside its state.

use crate::plan::Moment;

/// In the ready queue.
pub const QUEUED: u32 = 1;
/// Waits for shares of a limit.
pub const PARKED: u32 = 1 << 1;
/// A condition of it is being evaluated.
pub const DECIDING: u32 = 1 << 2;
/// Its fan-out is being evaluated.
pub const EXPANDING: u32 = 1 << 3;
/// A timer will go on with it (`Retry` or `Wait`).
pub const ARMED: u32 = 1 << 4;
/// Something will come in for it without anything else being done.
pub const PENDING: u32 = DECIDING | EXPANDING | ARMED | JUDGING;
/// The branch of its flow that was chosen.
pub const CHOSEN: u32 = 1 << 5;
/// A group that gets no further children: branch chosen, fan-out done, loop at its end.
pub const COMPLETE: u32 = 1 << 6;
/// Its rule has said yes.
pub const RULE_MET: u32 = 1 << 7;
/// It took longer than its timeout and is being ended.
pub const TIMED_OUT: u32 = 1 << 8;
/// It is being ended because its run or a group above is.
pub const ABORTED: u32 = 1 << 9;
/// Its attempt has been told to end.
pub const KILLED: u32 = 1 << 10;
/// Its failure was looked at by a condition in the same group.
pub const HANDLED: u32 = 1 << 11;
/// `run(step)` waits for it, or needs it; the script is not at its end.
pub const NEEDED: u32 = 1 << 12;
/// As `NEEDED`, with everything in it.
pub const WHOLE: u32 = 1 << 13;
/// `run(step)` waits for this very step.
pub const WANTED: u32 = 1 << 14;
/// On the work list.
pub const IN_WORK: u32 = 1 << 15;
/// How its attempt (or the group) ended is being judged.
pub const JUDGING: u32 = 1 << 16;

/// A stream whose members were started: it holds a slot, and is still to be closed.
pub const FLOWING: u32 = 1 << 17;
/// A group that knows how it will end: the children that go on have been told to end.
pub const DECIDED: u32 = 1 << 18;
/// It is being ended because enough of its group have succeeded, or not enough can.
pub const UNNEEDED: u32 = 1 << 19;

/// A member of a stream whose readers have seen the end of what it wrote.
pub const READ: u32 = 1 << 20;

/// It is being ended because more was spent of a budget than that allows.
pub const OVERSPENT: u32 = 1 << 21;

/// Key of a step's own condition, as against those of its branches.
pub const OWN: u32 = u32::MAX;

/// Which part of the run a step belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The graph itself.
    #[default]
    Main,
    /// Hooks, with what is in them.
    Start,
    /// See `Start`.
    Success,
    /// See `Start`.
    Failure,
    /// See `Start`.
    Complete,
    /// What undoes the effects of other steps.
    Undo,
}

impl Part {
    pub fn of(moment: Option<Moment>) -> Self {
        match moment {
            None => Part::Main,
            Some(Moment::Start) => Part::Start,
            Some(Moment::Success) => Part::Success,
            Some(Moment::Failure) => Part::Failure,
            Some(Moment::Complete) => Part::Complete,
        }
    }

    pub fn moment(self) -> Option<Moment> {
        match self {
            Part::Main | Part::Undo => None,
            Part::Start => Some(Moment::Start),
            Part::Success => Some(Moment::Success),
            Part::Failure => Some(Moment::Failure),
            Part::Complete => Some(Moment::Complete),
        }
    }
}

/// See the module's page. 32 bytes a step.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Order and data predecessors that are not final.
    pub waits: u32,
    /// Steps read by its condition that are not final; for a flow, those of its branches too.
    pub reads: u32,
    /// Children that are not final.
    pub open: u32,
    /// In a flow: the branch whose condition is next. Among alternatives: the one that runs.
    pub cursor: u32,
    /// Its latest place among the ready ones (`Place::seq`).
    pub seq: u64,
    flags: u32,
    /// Is it a flow, or a group of alternatives: does it choose which of its children may run?
    pub flow: bool,
    /// Which part of the run it belongs to.
    pub part: Part,
}

impl Node {
    /// As if nothing had happened to it. That `run(step)` needs it holds all the same.
    pub fn anew(&self) -> Self {
        Node { part: self.part, flags: self.flags & (NEEDED | WHOLE | WANTED), ..Node::default() }
    }

    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags != 0
    }

    pub fn set(&mut self, flags: u32) {
        self.flags |= flags;
    }

    pub fn clear(&mut self, flags: u32) {
        self.flags &= !flags;
    }

    /// Clears flags and says which of them were set.
    pub fn take(&mut self, flags: u32) -> u32 {
        let were = self.flags & flags;
        self.flags &= !flags;
        were
    }
}
