//! Bringing together what was done in work trees.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::declare;
use crate::lang::fault::Fault;
use crate::lang::handle::{Step, sequence};
use crate::lang::keys;
use crate::lang::options::{Options, here};
use crate::plan::{MergeTrees, OnConflict, Task};

#[export_module]
pub mod functions {
    /// Brings together what steps have done in work trees of their own (`.isolate("worktree")`): their branches are merged, one after the other, into the branch that the step's folder is on.
    ///
    /// Groups stand for the steps in them that have work trees. Where two have changed the same lines the step fails, names the files and both steps, and leaves everything as it was. Branches and work
    /// trees that are merged are removed. Files that are changed in the folder and not committed are left alone; one that a branch changes, too, is a failure. The output is a map of
    /// `merged` and `skipped`, lists of maps of `step`, `branch` and `files`, and of `files`, all that came in.
    ///
    /// - `steps`: the steps or groups, in the order in which they are merged
    ///
    /// ```rhai
    /// let parts = parallel("parts", [sh("one", "echo 1 > one.txt"), sh("two", "echo 2 > two.txt")]).isolate("worktree");
    /// let all = merge("all", [parts]);
    /// sh("tell", `echo ${all.output.files}`);
    /// ```
    ///
    /// In git: `git merge`, for each.
    ///
    /// Errors: `flow::lang::not_a_step`, `flow::plan::policy`, `flow::plan::name`, `flow::plan::duplicate`
    /// See: `.isolate`, `.writes`
    #[rhai_fn(return_raw)]
    pub fn merge(context: NativeCallContext, name: &str, steps: Dynamic) -> Result<Step, Fault> {
        merge_with(context, name, steps, Map::new())
    }

    /// Brings together what steps have done in work trees of their own, and says what happens where they do not fit.
    ///
    /// - `options`: see the table below
    ///
    /// ```rhai
    /// let one = sh("one", "echo 1 > n.txt").isolate("worktree");
    /// let two = sh("two", "echo 2 > n.txt").isolate("worktree");
    /// merge("all", [one, two], #{ on_conflict: "skip" });
    /// ```
    #[rhai_fn(name = "merge", return_raw)]
    pub fn merge_with(context: NativeCallContext, name: &str, steps: Dynamic, options: Map) -> Result<Step, Fault> {
        let mut map = Options::of(&keys::MERGE, &options, here(&context));
        let on_conflict = map.choice("on_conflict", &OnConflict::ALL)?.unwrap_or_default();
        map.done()?;
        let of = sequence(&context, &steps)?.members;
        declare(&context, name, |_, _| Ok(Task::Merge(Box::new(MergeTrees { of, on_conflict }))))
    }
}
