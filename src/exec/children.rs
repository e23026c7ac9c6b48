//! The children of this process: those that flow has started, and those that have been given to it.
//!
//! Where [`adopt`] is in force, flow is a child subreaper (prctl(2), `PR_SET_CHILD_SUBREAPER`): a process whose parent has
//! ended becomes a child of flow instead of init, so that what a step has left behind can be found even if it has a
//! session of its own and nothing in its environment. Such children are reaped here when they end; those that flow has
//! started are left to the threads that wait for them.
//!
//! This concerns the whole process. So only a program that says so adopts, while its runs have processes: the `flow`
//! command does. What it starts itself beside runs must go through [`spawn`], or stay in its own process group.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use rustix::io::retry_on_intr;
use rustix::process::{
    Pid, WaitId, WaitIdOptions, WaitOptions, child_subreaper, getpgrp, getpid, set_child_subreaper, waitid, waitpid,
};
use wait4::{ResUse, Wait4};

use super::tree::{Process, stat};

/// Held for reading while a child of flow's own is not in [`OWN`] or not any more: whoever holds it for writing sees
/// every child as what it is.
static GATE: RwLock<()> = RwLock::new(());

/// Children that flow has started and that are not reaped. A number may be there twice for a moment: reaped, and that of
/// a new one.
static OWN: Mutex<Option<HashMap<Pid, u32>>> = Mutex::new(None);

/// How many adopt now, and what was so before the first.
static ADOPTING: Mutex<(u32, Option<Pid>)> = Mutex::new((0, None));

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_own(pid: Pid) -> bool {
    lock(&OWN).as_ref().is_some_and(|own| own.contains_key(&pid))
}

/// The number of a child.
pub(super) fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Starts a child. It must be reaped by [`reap`].
pub(super) fn spawn(command: &mut Command) -> io::Result<Child> {
    let _gate = GATE.read().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn()?;
    if let Some(pid) = pid_of(&child) {
        *lock(&OWN).get_or_insert_default().entry(pid).or_default() += 1;
    }
    Ok(child)
}

/// Waits for the end of a child.
pub(super) fn reap(child: Child) -> io::Result<ResUse> {
    let pid = pid_of(&child);
    if let Some(pid) = pid {
        // Without the gate, since it may take long. If this fails, so does what follows.
        let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
    }
    let _gate = GATE.read().unwrap_or_else(PoisonError::into_inner);
    let used = child.wait4();
    let mut own = lock(&OWN);
    if let (Some(pid), Some(own)) = (pid, own.as_mut())
        && let Some(count) = own.get_mut(&pid)
    {
        *count -= 1;
        if *count == 0 {
            own.remove(&pid);
        }
    }
    used
}

/// As long as this is there, flow adopts.
pub(super) struct Adoption(());

/// Adopts from now on. Nothing if the system refuses.
pub(super) fn adopt() -> Option<Adoption> {
    let mut adopting = lock(&ADOPTING);
    if adopting.0 == 0 {
        adopting.1 = child_subreaper().ok()?;
        set_child_subreaper(Some(getpid())).ok()?;
    }
    adopting.0 += 1;
    Some(Adoption(()))
}

impl Adoption {
    /// Does nobody else adopt?
    pub fn is_alone(&self) -> bool {
        lock(&ADOPTING).0 == 1
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        let mut adopting = lock(&ADOPTING);
        adopting.0 -= 1;
        if adopting.0 == 0 {
            // It has been granted before.
            let _ = set_child_subreaper(adopting.1);
        }
    }
}

/// Reaps the adopted children that have ended, and gives those that live.
pub(super) fn adopted() -> Vec<Process> {
    let _gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    // Those of flow's own group are no descendants of a step: each step has a group, and its children inherit it.
    let group = getpgrp();
    let mut living = Vec::new();
    for pid in children().into_iter().filter(|pid| !is_own(*pid)) {
        match stat(pid) {
            Some(stat)
                if stat.group == group.as_raw_nonzero().get() || stat.parent != getpid().as_raw_nonzero().get() => {}
            Some(stat) if stat.is_dead => {
                // Nobody else does, and there is nothing to be learned from it.
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
            Some(stat) => living.push(Process { pid, began: stat.began }),
            None => {}
        }
    }
    living
}

/// All children of this process, of whichever thread.
fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().filter_map(Result::ok);
    // A thread may have ended meanwhile; its children have then been given to another.
    let texts = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let numbers = |text: String| -> Vec<Pid> {
        text.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)).collect()
    };
    let found: Vec<Pid> = texts.flat_map(numbers).collect();
    if !found.is_empty() || fs::exists("/proc/thread-self/children").unwrap_or(false) {
        return found;
    }
    // Not every kernel has these files.
    let own = getpid().as_raw_nonzero().get();
    super::tree::all().into_iter().filter(|(_, stat)| stat.parent == own).map(|(pid, _)| pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn own_children_are_known_until_they_are_reaped() {
        let child = spawn(Command::new("true").stdin(Stdio::null())).expect("it starts");
        let pid = pid_of(&child).expect("a number");
        assert!(is_own(pid) && children().contains(&pid));
        assert!(!adopted().iter().any(|process| process.pid == pid));
        assert!(reap(child).expect("its end").status.success());
        assert!(!is_own(pid));
    }
}
