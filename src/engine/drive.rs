//! The driver's loop: it waits, reads the clocks, and lets the [`Driver`] perform what the machine decides.
//!
//! - It sleeps until something is in its inbox or a timer is due, and then takes all that is there: one round.
//! - Each message goes to the driver, which asks the machine and does what it says; see the [`Driver`]'s page.
//! - The end of a round sends its events to the log. The loop does not wait for it.
//! - Results come back through the inbox, the only way back.
//!
//! All that knows threads, tokio and clocks is here. The driver itself is told what time it is.

mod driver;
mod inbox;
mod lookout;
mod perform;
mod signals;
pub mod simulation;
mod timers;

use std::hint::spin_loop;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::UnboundedReceiver;

use self::inbox::no_driver;
use super::bus::Bus;
use crate::diag::Result;
use crate::state::RunState;

pub use self::driver::{Driver, Time};
pub use self::inbox::{Committed, Driving, Inbox, Journal, Message, Setup};
pub use self::lookout::{Attended, Lookout, Outside};

/// Most messages taken in one round, so that their effects begin soon.
const ROUND: usize = 256;

/// How long the loop looks for a message before it sleeps while closures are being called: about what a wake-up costs,
/// which is more than most closures take.
const LOOK: Duration = Duration::from_micros(20);

fn drive(mut setup: Setup, inbox: Inbox, receive: UnboundedReceiver<Message>, bus: Bus) -> Result<RunState> {
    // Whatever happens, those who listen are told of the end.
    struct Close(Bus);
    impl Drop for Close {
        fn drop(&mut self) {
            self.0.close();
        }
    }
    let _close = Close(bus.clone());
    let signals = setup.signals.take();
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time();
    if signals.is_some() {
        runtime.enable_io();
    }
    let runtime = runtime.build().map_err(|error| no_driver(&error))?;
    runtime.block_on(async {
        if let Some(meaning) = signals {
            signals::listen(meaning, &inbox).map_err(|error| no_driver(&error))?;
        }
        run(Driver::new(setup, inbox, bus, now()), receive).await
    })
}

async fn run(mut driver: Driver, mut receive: UnboundedReceiver<Message>) -> Result<RunState> {
    let begun = Instant::now();
    let mut messages = Vec::with_capacity(ROUND);
    loop {
        if driver.waits_for_closures() {
            let looking = Instant::now();
            while receive.is_empty() && looking.elapsed() < LOOK {
                spin_loop();
            }
        }
        // A delay beyond what the clock can tell is one without an end.
        match driver.next_moment().and_then(|moment| begun.checked_add(moment)) {
            Some(at) => tokio::select! {
                biased;
                _ = receive.recv_many(&mut messages, ROUND) => {}
                () = tokio::time::sleep_until(at.into()) => {}
            },
            None => {
                receive.recv_many(&mut messages, ROUND).await;
            }
        }
        let wall = now();
        for message in messages.drain(..) {
            driver.take(wall, message);
        }
        driver.fire(Time { wall, passed: begun.elapsed() });
        // What was decided may have taken its time: timers count from now.
        driver.finish(Time { wall, passed: begun.elapsed() });
        if driver.is_done() {
            return driver.end();
        }
    }
}

/// The wall clock, in milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
