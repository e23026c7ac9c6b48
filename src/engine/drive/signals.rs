//! The signals that ask a process to end.

use tokio::signal::unix::{SignalKind, signal};

use super::Inbox;
use crate::event::Stop;

/// Turns the signals that ask a process to end into messages.
pub(super) fn listen(meaning: Box<dyn Fn() -> Stop + Send>, inbox: &Inbox) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let inbox = inbox.clone();
    tokio::spawn(async move {
        loop {
            let reason = tokio::select! {
                _ = interrupt.recv() => Stop::Interrupted,
                _ = hangup.recv() => Stop::Interrupted,
                _ = terminate.recv() => meaning(),
            };
            inbox.stop(reason);
        }
    });
    Ok(())
}
