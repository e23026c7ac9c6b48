//! What happened, line by line, for those who want to read it.

/// Takes lines; made only if somebody reads them.
pub struct Trace(pub Option<Tell>);

/// Takes a line.
pub type Tell = Box<dyn FnMut(String)>;

impl Trace {
    /// Tells of something that happened at `now`, in microseconds.
    pub fn tell(&mut self, now: u64, what: impl FnOnce() -> String) {
        if let Some(tell) = &mut self.0 {
            tell(format!("{:>14.6}  {}", now as f64 / 1e6, what()));
        }
    }
}
