//! A pool of threads that grows as far as it is needed: a job wakes one of its threads directly.
//!
//! To wake a thread costs more than a short job. So a thread that has done a job may look for the next one for a moment
//! before it sleeps.

use std::collections::VecDeque;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// See the module's page. Its threads end when it is dropped and all jobs are done.
pub(super) struct Pool<J: Send + 'static> {
    shared: Arc<Shared<J>>,
    name: &'static str,
    stack: usize,
    max: usize,
}

struct Shared<J> {
    queue: Mutex<Queue<J>>,
    wake: Condvar,
    /// Number of jobs in the queue, for those who look without the lock.
    waiting: AtomicUsize,
    /// Threads that look for a job now. Each will take the lock once more before it sleeps.
    looking: AtomicUsize,
    /// How long they look.
    look: Duration,
    run: Box<dyn Fn(J) + Send + Sync>,
}

struct Queue<J> {
    jobs: VecDeque<J>,
    idle: usize,
    threads: usize,
    closed: bool,
}

impl<J> Shared<J> {
    fn queue(&self) -> MutexGuard<'_, Queue<J>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Shared<J> {
    /// Waits a moment for a job without sleeping.
    fn look(&self) {
        if self.look.is_zero() || self.waiting.load(Ordering::SeqCst) > 0 {
            return;
        }
        self.looking.fetch_add(1, Ordering::SeqCst);
        let begun = Instant::now();
        while self.waiting.load(Ordering::SeqCst) == 0 && begun.elapsed() < self.look {
            spin_loop();
        }
        self.looking.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<J: Send + 'static> Pool<J> {
    /// A pool of at most `max` threads, none of which exists yet, with so many bytes of stack. After a job they look for
    /// the next one for a moment (`look`). `run` does one job and does not panic.
    pub fn new(
        name: &'static str,
        stack: usize,
        max: usize,
        look: Duration,
        run: impl Fn(J) + Send + Sync + 'static,
    ) -> Self {
        let queue = Queue { jobs: VecDeque::new(), idle: 0, threads: 0, closed: false };
        let shared = Shared {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            waiting: AtomicUsize::new(0),
            looking: AtomicUsize::new(0),
            look,
            run: Box::new(run),
        };
        Pool { shared: Arc::new(shared), name, stack, max }
    }

    /// Queues jobs.
    pub fn start(&self, jobs: impl IntoIterator<Item = J>) {
        let mut queue = self.shared.queue();
        queue.jobs.extend(jobs);
        self.shared.waiting.store(queue.jobs.len(), Ordering::SeqCst);
        let open = queue.jobs.len().saturating_sub(self.shared.looking.load(Ordering::SeqCst));
        let wake = open.min(queue.idle);
        let mut missing = (open - wake).min(self.max - queue.threads);
        while missing > 0 {
            let shared = self.shared.clone();
            let begun =
                thread::Builder::new().name(self.name.into()).stack_size(self.stack).spawn(move || work(&shared));
            if begun.is_err() {
                // No more threads to be had: those that exist take the jobs, one after the other.
                break;
            }
            queue.threads += 1;
            missing -= 1;
        }
        // Without any thread the caller does them: slow, but they are done.
        let orphans = if queue.threads == 0 { std::mem::take(&mut queue.jobs) } else { VecDeque::new() };
        drop(queue);
        for _ in 0..wake {
            self.shared.wake.notify_one();
        }
        orphans.into_iter().for_each(&*self.shared.run);
    }
}

impl<J: Send + 'static> Drop for Pool<J> {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.wake.notify_all();
    }
}

fn work<J>(shared: &Shared<J>) {
    let mut queue = shared.queue();
    loop {
        match queue.jobs.pop_front() {
            Some(job) => {
                shared.waiting.store(queue.jobs.len(), Ordering::SeqCst);
                drop(queue);
                (shared.run)(job);
                shared.look();
                queue = shared.queue();
            }
            None if queue.closed => return,
            None => {
                queue.idle += 1;
                queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_jobs_are_done_also_after_the_drop() {
        let (send, receive) = crossbeam_channel::unbounded();
        let pool =
            Pool::new("test", 1 << 20, 3, Duration::from_micros(20), move |n: u32| send.send(n).unwrap_or_default());
        pool.start(0..50);
        pool.start(50..100);
        drop(pool);
        let mut done: Vec<u32> = receive.iter().collect();
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }
}
