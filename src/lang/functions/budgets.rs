//! Budgets: what agents may use up.

use rhai::plugin::*;
use rhai::{Map, NativeCallContext};

use super::declare;
use crate::lang::agents;
use crate::lang::fault::Fault;
use crate::lang::handle::Step;
use crate::plan::Task;

fn declared(context: &NativeCallContext, name: &str, most: Map) -> Result<Step, Fault> {
    declare(context, name, |_, span| {
        agents::budget(&most.into(), &format!("the budget `{name}`"), span).map(Task::Budget)
    })
}

#[export_module]
pub mod functions {
    /// A budget: the most that the agents of the script may use up in all. In a chain or another group, the agents in that group.
    ///
    /// What an agent may use itself is reserved before it starts: it starts only if that is still left. Agents that run are ended when
    /// more was used than the budget allows. Attempts that failed count, and so does what was used before a crash.
    ///
    /// What is left is read at the moment when somebody asks: `remaining`, `spent` and `limits` are maps of `usd`, `tokens`, `turns`
    /// and `minutes`.
    ///
    /// - `most` (map): see the table below
    ///
    /// ```rhai
    /// let money = budget(#{ usd: 5.0, turns: 200 });
    /// let more = sh("more", "true");
    /// let stop = sh("stop", `echo ${money.spent.usd} USD were spent`);
    /// flow("go").when(|| money.remaining.usd > 1.0, more).otherwise(stop);
    /// ```
    ///
    /// In a shell: `ulimit`, for money. In Claude Code: `--max-budget-usd`, for one question.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::unknown_option`, `flow::plan::budget`, `flow::plan::duplicate`
    /// See: `.budget`, `limit`, `flow`
    #[rhai_fn(return_raw)]
    pub fn budget(context: NativeCallContext, most: Map) -> Result<Step, Fault> {
        declared(&context, "budget", most)
    }

    /// A budget with a name of its own.
    ///
    /// ```rhai
    /// let money = budget("money", #{ usd: 2.5 });
    /// sh("tell", "echo ${money.remaining.usd}").when("money.remaining.usd > 1");
    /// ```
    #[rhai_fn(name = "budget", return_raw)]
    pub fn budget_named(context: NativeCallContext, name: &str, most: Map) -> Result<Step, Fault> {
        declared(&context, name, most)
    }
}
