//! What stands beside an agent in a stream: those before it, whom it reads, and those behind it, who read it.

use std::process::Stdio;
use std::sync::Arc;

use super::Driver;
use super::prompt::Streamed;
use crate::event::{AgentEvent, Failure};

/// See the module's page. An agent that stands alone has none.
pub(in crate::exec) trait Company: Send {
    /// What came from those before it, as its prompt tells that. May wait until they are done.
    ///
    /// # Errors
    /// It cannot be had.
    fn streamed(&mut self) -> Result<Streamed<'_>, Failure>;

    /// Does it read what they write while they write it?
    fn is_live(&self) -> bool;

    /// If it does: its standard input, on which they are told (see [`Driver::tell_live`]), and last its `task`.
    ///
    /// # Errors
    /// There can be none.
    fn input(&mut self, driver: Arc<dyn Driver>, task: Vec<u8>) -> Result<Stdio, Failure>;

    /// Is it still being told? Then its silence is none.
    fn tells(&self) -> bool;

    /// A line that it wrote, without its end, and what that says; without a line, what follows from its end, or flow's own words.
    /// May wait until those behind it have room.
    fn said(&mut self, line: Option<&[u8]>, events: &[AgentEvent]);

    /// What is called the moment its program has ended, from another thread: `true` if by us, and then `said` should not wait
    /// any more.
    fn at_exit(&self) -> Option<Arc<dyn Fn(bool) + Send + Sync>> {
        None
    }

    /// Its end, after all that it said; `killed`: by us. Did nobody read it any more? Then whatever its end is, it is a good
    /// one.
    fn ended(&mut self, killed: bool) -> bool;
}
