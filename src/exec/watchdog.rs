//! The watchdog: a small process that outlives ours, however that ends, and then ends what a run has left behind.
//!
//! It waits at a pipe whose other end only we hold. When the pipe is closed we are gone (also by `kill -9`), and it ends
//! every process that bears the run's mark in its environment: SIGTERM, the grace time, SIGKILL. (A parent-death signal
//! would do for children only, and needs a hook that makes each start of a process half as slow again.)

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// `$1`: the mark, `$2`: the grace time in seconds. Its own environment has no mark.
const SCRIPT: &str = r#"
read -r _
end() {
    left=
    for file in /proc/[0-9]*/environ; do
        if grep -qzxF "$2" "$file" 2>/dev/null; then
            pid=${file#/proc/}
            kill -"$1" "${pid%/environ}" 2>/dev/null && left=1
        fi
    done
}
end TERM "$1"
tenths=$(($2 * 10))
while [ -n "$left" ] && [ "$tenths" -gt 0 ]; do
    sleep 0.1
    tenths=$((tenths - 1))
    end 0 "$1"
done
[ -z "$left" ] || end KILL "$1"
"#;

/// The watchdog of a run.
#[derive(Default)]
pub(super) struct Watchdog(Mutex<Option<Child>>);

impl Watchdog {
    /// Starts it if it is not there yet. `run`: the run's id.
    pub fn begin(&self, run: &str, grace: Duration) {
        let mut child = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if child.is_some() {
            return;
        }
        // Without it a run goes on as well: only what a kill leaves behind has then to wait for the resume.
        *child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "flow-watchdog", &format!("FLOW_RUN={run}")])
            .arg(grace.as_secs().max(1).to_string())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok();
    }

    /// The run is over, and what it has left behind is meant to stay.
    pub fn call_off(&self) {
        if let Some(mut child) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Before the pipe is closed, which `wait` does.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
