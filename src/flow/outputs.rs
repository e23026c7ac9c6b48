//! Where the output of a step's attempt stands.

use crate::exec::log_stem;
use crate::plan::{StepId, Task};

/// The name of the file, below `logs` in the folder of the run. Of a pipeline it holds the items that it collected, and is the
/// same for all attempts.
pub fn output_file(task: &Task, step: StepId, path: &str, attempt: u32) -> String {
    match task {
        Task::Pipeline(_) => format!("{}.items.ndjson", log_stem(step, path, 1)),
        _ => format!("{}.out", log_stem(step, path, attempt)),
    }
}
