//! Reading from what gives its bytes when it likes: a pipe, a terminal. Whoever waits there can be told to stop.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;

use std::time::Duration;

use super::Stop;
use crate::exec::pipeline::outside::readable_within;

/// How often one looks whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// See the module's page.
pub(super) struct Patient<F> {
    file: F,
    stop: Arc<Stop>,
}

impl<F: Read + AsFd> Patient<F> {
    /// Reads until `stop` is true; then each read is [`stopped`].
    pub fn new(file: F, stop: Arc<Stop>) -> Self {
        Patient { file, stop }
    }
}

impl<F: Read + AsFd> Read for Patient<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.is_set() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, Stopped));
            }
            if readable_within(&self.file, LOOK) {
                match self.file.read(buffer) {
                    Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) => {}
                    // The other side of a terminal is gone: that is its end.
                    Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => return Ok(0),
                    result => return result,
                }
            }
        }
    }
}

#[derive(Debug)]
struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it was told to stop")
    }
}

impl std::error::Error for Stopped {}

/// Was a read given up because it was to stop?
pub(super) fn stopped(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}
