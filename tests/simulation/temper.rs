//! What disturbs a run, and how much. Each seed has its own mixture, so that rare things also come together.

use super::dice::Dice;

/// See the module's page. Chances are one in so many events; 0: never. Times are in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Temper {
    /// The process dies.
    pub crash: u64,
    /// It dies in the midst of what follows from a commit.
    pub crash_in_commit: u64,
    /// The disk is full: a commit fails, and so do all others of this process.
    pub full: u64,
    /// The run is cancelled.
    pub cancel: u64,
    /// It is interrupted.
    pub interrupt: u64,
    /// The wall clock jumps.
    pub jump: u64,
    /// An end is reported a second time.
    pub twice: u64,
    /// Something is written down that the machine has nothing to do with.
    pub note: u64,
    /// Somebody answers twice, or somebody else; letters cannot be read for a while.
    pub confuse: u64,
    /// Somebody is there to answer: one in so many processes; 0: always.
    pub attended: u64,
    /// The longest time of a commit.
    pub commit: u64,
    /// The longest time that the driver does not look.
    pub lazy: u64,
    /// The longest time of an attempt.
    pub work: u64,
}

impl Temper {
    /// Nothing disturbs.
    pub fn calm() -> Self {
        Temper { commit: 50, lazy: 5, work: 1_000, ..Temper::default() }
    }

    /// Drawn by lot.
    pub fn drawn(dice: &mut Dice) -> Self {
        let mut chance = |percent: u64, often: &[u64]| if dice.percent(percent) { dice.pick(often) } else { 0 };
        Temper {
            crash: chance(60, &[12, 40, 40, 150]),
            crash_in_commit: chance(50, &[4, 12, 40]),
            full: chance(25, &[10, 40]),
            cancel: chance(25, &[30, 100, 300]),
            interrupt: chance(30, &[30, 100]),
            jump: chance(30, &[10, 50]),
            twice: chance(40, &[2, 8]),
            note: chance(15, &[20]),
            confuse: chance(40, &[2, 5]),
            attended: chance(60, &[1, 3]),
            commit: chance(100, &[10, 1_000, 20_000, 5_000_000]),
            lazy: chance(100, &[1, 100, 3_000, 1_000_000]),
            work: chance(100, &[10, 10_000, 10_000_000, 500_000_000]),
        }
    }
}
