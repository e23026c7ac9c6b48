//! When an attempt is to be ended: silence, time, what it has used, its memory. Pure: the time is given, in milliseconds since
//! the attempt began.

use super::seen::Seen;
use super::verdict::Why;
use crate::event::Usage;
use crate::plan::{Agent, Budget};

/// How long a program may take to end after it has said that it is done.
pub(super) const LINGERS_MS: u64 = 5_000;

/// By how much clocks that began at different moments may differ.
const SLACK_MS: u64 = 250;

/// How often what is told of it, and its memory, are looked at.
const LOOK_MS: u64 = 500;

/// See the module's page.
pub(super) struct Watch {
    /// 0: any silence.
    idle_ms: u64,
    total_ms: Option<u64>,
    allowance: Option<Budget>,
    /// In bytes.
    most_memory: Option<u64>,
    /// When the last byte came.
    heard: u64,
    /// When it said that it is done.
    closed: Option<u64>,
}

impl Watch {
    /// For an attempt that may use so much.
    pub fn of(agent: &Agent, allowance: Option<Budget>) -> Self {
        // Some programs know no such limit.
        let turns = [allowance.and_then(|may| may.turns), agent.max_turns.map(u64::from)].into_iter().flatten().min();
        let allowance = turns.map(|_| Budget { turns, ..allowance.unwrap_or_default() }).or(allowance);
        Watch {
            idle_ms: agent.idle_timeout_ms.unwrap_or(Agent::IDLE_MS),
            total_ms: agent.timeout_ms.filter(|ms| *ms > 0),
            allowance,
            most_memory: agent.max_memory,
            heard: 0,
            closed: None,
        }
    }

    /// Something came, or it is being told something.
    pub fn heard(&mut self, now: u64) {
        self.heard = now;
    }

    /// Why it is to be ended now, if it is. `memory_kib`: what its processes have.
    pub fn due(&mut self, now: u64, seen: &Seen, memory_kib: u64) -> Option<Why> {
        match (&seen.closing, self.closed) {
            (Some(_), None) => self.closed = Some(now),
            (None, Some(_)) => self.closed = None,
            _ => {}
        }
        if let Some(closed) = self.closed {
            return (now >= closed + LINGERS_MS).then_some(Why::Lingered);
        }
        if let (Some(most), true) = (self.most_memory, memory_kib > 0)
            && memory_kib.saturating_mul(1024) > most
        {
            return Some(Why::Memory(memory_kib * 1024, most));
        }
        if let Some(what) = self.allowance.as_ref().and_then(|allowance| over(allowance, &seen.usage, now)) {
            return Some(Why::Budget(what));
        }
        if let Some(total) = self.total_ms.filter(|total| now >= *total) {
            return Some(Why::Total(total));
        }
        (self.idle_ms > 0 && now >= self.heard + self.idle_ms).then_some(Why::Idle(self.idle_ms))
    }

    /// Is its time over, or nearly?
    pub fn too_long(&self, now: u64) -> Option<Why> {
        self.total_ms.filter(|total| now + SLACK_MS >= *total).map(Why::Total)
    }

    /// Milliseconds until it has to be looked at again, if nothing comes.
    pub fn wait(&self, now: u64) -> u64 {
        let minutes = self.allowance.and_then(|allowance| allowance.minutes).map(|minutes| (minutes * 60_000.0) as u64);
        let idle = (self.idle_ms > 0).then(|| self.heard + self.idle_ms);
        let ends = [self.closed.map(|closed| closed + LINGERS_MS), self.total_ms, idle, minutes, Some(now + LOOK_MS)];
        ends.into_iter().flatten().map(|end| end.saturating_sub(now)).min().unwrap_or(LOOK_MS)
    }
}

/// What of it is used up, in words. What it used exactly is not more than it may.
fn over(may: &Budget, used: &Usage, now: u64) -> Option<String> {
    if let (Some(may), Some(cost)) = (may.usd, used.cost_usd)
        && cost > may
    {
        return Some(format!("it cost ${cost:.4}, and might cost ${may:.4}"));
    }
    if let Some(may) = may.tokens.filter(|may| used.tokens.total() > *may) {
        return Some(format!("it used {} tokens, and might use {may}", used.tokens.total()));
    }
    if let Some(may) = may.turns.filter(|may| used.turns > *may) {
        return Some(format!("it took {} turns, and might take {may}", used.turns));
    }
    let minutes = may.minutes.filter(|minutes| now as f64 >= minutes * 60_000.0)?;
    Some(format!("it worked for the {minutes} minutes that it might"))
}

#[cfg(test)]
mod tests {
    use super::super::seen::Closing;
    use super::*;
    use crate::event::Tokens;

    fn watch(agent: Agent, allowance: Budget) -> Watch {
        Watch::of(&agent, Some(allowance))
    }

    fn used(usage: Usage) -> Seen {
        Seen { usage, ..Seen::default() }
    }

    #[test]
    fn silence_counts_from_the_last_byte() {
        let mut watch = watch(Agent { idle_timeout_ms: Some(100), ..Agent::default() }, Budget::default());
        let seen = Seen::default();
        assert_eq!((watch.due(99, &seen, 0), watch.wait(99)), (None, 1));
        watch.heard(99);
        assert_eq!((watch.due(198, &seen, 0), watch.wait(150)), (None, 49));
        assert_eq!(watch.due(199, &seen, 0), Some(Why::Idle(100)));
    }

    #[test]
    fn without_a_limit_silence_may_last() {
        let mut watch = watch(Agent { idle_timeout_ms: Some(0), ..Agent::default() }, Budget::default());
        assert_eq!(watch.due(u64::MAX / 2, &Seen::default(), 0), None);
        let mut watch = Watch::of(&Agent::default(), None);
        assert_eq!(watch.due(Agent::IDLE_MS - 1, &Seen::default(), 0), None);
        assert_eq!(watch.due(Agent::IDLE_MS, &Seen::default(), 0), Some(Why::Idle(Agent::IDLE_MS)));
    }

    #[test]
    fn who_is_done_has_five_seconds() {
        let agent = Agent { timeout_ms: Some(2_000), idle_timeout_ms: Some(100), ..Agent::default() };
        let mut watch = watch(agent, Budget::default());
        let done = Seen { closing: Some(Closing::default()), ..Seen::default() };
        assert_eq!(watch.due(50, &done, 0), None);
        assert_eq!(watch.due(5_049, &done, 0), None);
        assert_eq!(watch.due(5_050, &done, 0), Some(Why::Lingered));
        // One that begins anew is not done.
        assert_eq!(watch.due(5_051, &Seen::default(), 0), Some(Why::Total(2_000)));
    }

    #[test]
    fn what_is_used_is_held_against_what_may_be() {
        let may = Budget { usd: Some(1.0), tokens: Some(100), turns: Some(2), minutes: Some(0.01) };
        let mut watch = watch(Agent { idle_timeout_ms: Some(0), ..Agent::default() }, may);
        let tokens = |output| Tokens { output, ..Tokens::default() };
        let exactly = Usage { cost_usd: Some(1.0), tokens: tokens(100), turns: 2, time_ms: 0 };
        assert_eq!(watch.due(599, &used(exactly), 0), None);
        for (usage, now, word) in [
            (Usage { cost_usd: Some(1.1), ..exactly }, 0, "cost"),
            (Usage { tokens: tokens(101), ..exactly }, 0, "tokens"),
            (Usage { turns: 3, ..exactly }, 0, "turns"),
            (exactly, 600, "minutes"),
        ] {
            match watch.due(now, &used(usage), 0) {
                Some(Why::Budget(what)) => assert!(what.contains(word), "{what}"),
                other => panic!("{word}: {other:?}"),
            }
        }
    }

    #[test]
    fn memory_has_a_limit() {
        let mut watch = watch(Agent { max_memory: Some(1 << 20), ..Agent::default() }, Budget::default());
        assert_eq!(watch.due(0, &Seen::default(), 1024), None);
        assert_eq!(watch.due(0, &Seen::default(), 1025), Some(Why::Memory(1025 * 1024, 1 << 20)));
    }
}
