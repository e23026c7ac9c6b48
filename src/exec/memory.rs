//! How much memory a process has used, as far as that can be known.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

/// Per-thread counters of the kernel make its figures differ a little.
const SLACK_KIB: u64 = 1024;

/// The peak of a child in KiB, from what the kernel counts for it; 0 if that says nothing about the child.
///
/// A child that is started without a copy of our memory (posix_spawn) is counted with ours until it executes its
/// program, so no figure is below our own peak (Linux, `exec_mmap` in fs/exec.c).
pub(super) fn of_child(counted_kib: u64) -> u64 {
    static OWN: AtomicU64 = AtomicU64::new(0);
    if counted_kib <= OWN.load(Ordering::Relaxed) + SLACK_KIB {
        return 0;
    }
    // It is above what we had when we last looked; we may have grown.
    let own = own_peak().unwrap_or(0);
    OWN.fetch_max(own, Ordering::Relaxed);
    if counted_kib <= own + SLACK_KIB { 0 } else { counted_kib }
}

/// Our own peak, in KiB.
fn own_peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_above_our_own_says_nothing() {
        let own = own_peak().expect("the kernel tells it");
        assert_eq!(of_child(own), 0);
        assert_eq!(of_child(own + (1 << 30)), own + (1 << 30));
    }
}
