//! Which stages share a thread.
//!
//! Neighbours that are nothing but closures, one item at a time, work on a chunk one after the other on the same thread: no
//! queue stands between them, and items stay what the script made of them.

use std::time::Duration;

use super::queue::Queue;
use super::reorder::Reorder;
use crate::plan::{Pipeline, Stage, StageWork};

/// Stages that share threads.
pub(super) struct Group<'a> {
    /// The place of the first in the pipeline.
    pub first: usize,
    pub stages: &'a [Stage],
    /// How many threads.
    pub threads: u32,
    /// How many items make a batch, and how long the first of them waits.
    pub batch: Option<(usize, Option<Duration>)>,
    /// Brings what several threads have done back into order.
    pub reorder: Option<Reorder>,
}

impl<'a> Group<'a> {
    /// The groups of a pipeline, in order.
    pub fn all(pipeline: &'a Pipeline) -> Vec<Self> {
        let stages = &pipeline.stages;
        let mut groups = Vec::new();
        let mut first = 0;
        while first < stages.len() {
            let mut end = first + 1;
            if is_light(&stages[first]) {
                end += stages[end..].iter().take_while(|stage| is_light(stage) && is_without_queue(stage)).count();
            }
            groups.push(Group::of(first, &stages[first..end], pipeline.buffer_size));
            first = end;
        }
        groups
    }

    fn of(first: usize, stages: &'a [Stage], buffer: u32) -> Self {
        let stage = &stages[0];
        let threads = stage.parallelism.max(1);
        // Without a size, a batch is what came in its time, as far as the buffer reaches.
        let is_batch = stage.batch_timeout_ms.is_some() || matches!(stage.work, StageWork::Batch);
        let size = stage.batch_size.or(is_batch.then_some(stage.buffer_size.unwrap_or(buffer)));
        let batch = size.map(|size| (size.max(1) as usize, stage.batch_timeout_ms.map(Duration::from_millis)));
        let reorder = (threads > 1 && stage.ordered).then(|| Reorder::new(threads));
        Group { first, stages, threads, batch, reorder }
    }

    /// The first stage.
    fn head(&self) -> &'a Stage {
        &self.stages[0]
    }

    fn capacity(&self, pipeline: &Pipeline) -> usize {
        let size = self.head().buffer_size.unwrap_or(pipeline.buffer_size) as usize;
        // A batch has to fit.
        size.max(self.batch.map_or(1, |(batch, _)| batch))
    }

    /// The queue before it.
    pub fn queue(&self, pipeline: &Pipeline) -> Queue {
        let overflow = self.head().overflow.unwrap_or(pipeline.overflow);
        Queue::new(self.capacity(pipeline), overflow, self.batch.is_some_and(|(_, timeout)| timeout.is_some()))
    }

    /// How many items may be in it and before it.
    pub fn room(&self, pipeline: &Pipeline) -> u64 {
        self.capacity(pipeline) as u64 * (2 + u64::from(self.threads))
    }
}

/// Can it share a thread?
fn is_light(stage: &Stage) -> bool {
    stage.work.is_closure()
        && stage.parallelism <= 1
        && stage.batch_size.is_none()
        && stage.batch_timeout_ms.is_none()
        && stage.retry.is_none()
        && stage.timeout_ms.is_none()
}

/// Was nothing said about the queue before it?
fn is_without_queue(stage: &Stage) -> bool {
    stage.buffer_size.is_none() && stage.overflow.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;
    use crate::plan::{Closure, Overflow, Source};

    #[test]
    fn closures_that_follow_each_other_share_a_thread() {
        let closure =
            || Closure { function: "f".into(), captured: Vec::new(), text: String::new(), span: Span::default() };
        let map = |name: &str| Stage::new(name, StageWork::Map(closure()), Span::default());
        let mut pipeline = Pipeline::of(Source::Range { from: 0, to: 1, step: 1 });
        pipeline.stages = vec![
            map("a"),
            map("b"),
            Stage { parallelism: 2, ..map("c") },
            map("d"),
            Stage { overflow: Some(Overflow::DropOldest), ..map("e") },
            map("f"),
            Stage { batch_size: Some(10), ..map("g") },
        ];
        let groups: Vec<_> = Group::all(&pipeline).iter().map(|group| (group.first, group.stages.len())).collect();
        assert_eq!(groups, [(0, 2), (2, 1), (3, 1), (4, 2), (6, 1)]);
    }
}
