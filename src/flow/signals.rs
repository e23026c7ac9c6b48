//! The signals that ask a process to end, for a program that goes on after a run: it decides what they mean.

use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::diag::{Diagnostic, Result};

/// What somebody wants of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Ctrl-C: what is going on is to stop.
    Interrupt,
    /// SIGTERM or SIGHUP: the process is to end.
    End,
}

/// Calls `react` on each of these signals from now on, on a thread of its own. Handlers that were there before are called, too.
///
/// # Errors
/// If there is no thread to be had.
pub fn on_signals(react: impl Fn(Asked) + Send + 'static) -> Result<()> {
    let (ready, is_ready) = crossbeam_channel::bounded::<()>(1);
    let listen = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        // Without it the signals do what they always do.
        let Ok(runtime) = runtime else { return };
        let ready = ready;
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
            else {
                return;
            };
            let _ = ready.send(());
            loop {
                react(tokio::select! {
                    _ = interrupt.recv() => Asked::Interrupt,
                    _ = terminate.recv() => Asked::End,
                    _ = hangup.recv() => Asked::End,
                });
            }
        });
    };
    thread::Builder::new().name("flow-signals".into()).spawn(listen).map_err(|error| {
        Diagnostic::new("flow::run::driver", format!("signals cannot be listened to: {error}"))
            .help("the system refuses another thread; fewer processes or a higher `ulimit -u` may help")
    })?;
    // Nothing: the thread has given up.
    let _ = is_ready.recv();
    Ok(())
}
