//! A pool of threads that grows as far as it is needed: a job wakes one of its threads directly.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

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

impl<J: Send + 'static> Pool<J> {
    /// A pool of at most `max` threads, none of which exists yet, with so many bytes of stack. `run` does one job and
    /// does not panic.
    pub fn new(name: &'static str, stack: usize, max: usize, run: impl Fn(J) + Send + Sync + 'static) -> Self {
        let queue = Queue { jobs: VecDeque::new(), idle: 0, threads: 0, closed: false };
        Pool {
            shared: Arc::new(Shared { queue: Mutex::new(queue), wake: Condvar::new(), run: Box::new(run) }),
            name,
            stack,
            max,
        }
    }

    /// Queues jobs.
    pub fn start(&self, jobs: impl IntoIterator<Item = J>) {
        let mut queue = self.shared.queue();
        let before = queue.jobs.len();
        queue.jobs.extend(jobs);
        let new = queue.jobs.len() - before;
        let wake = new.min(queue.idle);
        let mut missing = queue.jobs.len().saturating_sub(queue.idle).min(self.max - queue.threads);
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
        drop(queue);
        for _ in 0..wake {
            self.shared.wake.notify_one();
        }
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
                drop(queue);
                (shared.run)(job);
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
        let pool = Pool::new("test", 1 << 20, 3, move |n: u32| send.send(n).unwrap_or_default());
        pool.start(0..50);
        pool.start(50..100);
        drop(pool);
        let mut done: Vec<u32> = receive.iter().collect();
        done.sort_unstable();
        assert_eq!(done, (0..100).collect::<Vec<_>>());
    }
}
