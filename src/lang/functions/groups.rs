//! The combinators: chain, parallel, flow, and the arrow.

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Map, NativeCallContext};

use crate::diag::Diagnostic;
use crate::lang::combine;
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::{Step, sequence};
use crate::lang::options::{self, Options, here};
use crate::lang::weave::truth;
use crate::lang::{keys, policies, session};
use crate::plan::{self, Quorum, Sequence, Task};

/// Steps of a list one after the other.
pub fn in_order(context: &NativeCallContext, items: &Array) -> Result<Sequence, Fault> {
    let mut all: Option<Sequence> = None;
    for item in items {
        let next = sequence(context, item)?;
        all = Some(match all {
            None => next,
            Some(before) => session::build(context, |builder, _| Ok(builder.then(before, next)))?,
        });
    }
    all.ok_or_else(|| {
        raise(
            Diagnostic::new("flow::lang::option", "the list of steps is empty")
                .label(here(context), "here")
                .help("give at least one step"),
        )
    })
}

fn connect(context: &NativeCallContext, left: &Dynamic, right: &Dynamic) -> Result<Step, Fault> {
    let left = sequence(context, left)?;
    let right = sequence(context, right)?;
    session::build(context, |builder, _| Ok(Step::of(builder.then(left, right))))
}

fn branch(context: &NativeCallContext, flow: &Step, when: Option<&Dynamic>, then: &Dynamic) -> Result<Step, Fault> {
    combine::add_branch(context, flow, when, then).map(|()| flow.clone())
}

/// How many of a group have to succeed.
enum Need {
    All,
    First,
    Some(Dynamic),
}

/// `fail_fast` of `parallel`.
fn fail_fast(context: &NativeCallContext, map: &Map) -> Result<bool, Fault> {
    let span = here(context);
    let mut options = Options::of(&keys::PARALLEL, map, span);
    let given = options.take("fail_fast");
    options.done()?;
    given.map_or(Ok(false), |value| truth(&value, "`fail_fast` of parallel", span))
}

/// Steps of which some have to succeed.
fn some(context: &NativeCallContext, name: Option<&str>, word: &str, need: Need, steps: &Array) -> Result<Step, Fault> {
    let span = here(context);
    let name = name.map(|name| options::name(context, name)).transpose()?;
    let parts = steps.iter().map(|item| sequence(context, item)).collect::<Result<Vec<_>, _>>()?;
    let refuse = |message: String, help: String| {
        Err(raise(Diagnostic::new("flow::plan::quorum", message).label(span, "here").help(help)))
    };
    if parts.is_empty() {
        return refuse(format!("`{word}` has no steps"), format!("give at least one: `{word}(…, [a, b])`"));
    }
    let need = match need {
        Need::All => parts.len(),
        Need::First => 1,
        Need::Some(value) => options::count(&value, "the number of `quorum`", 1, span)? as usize,
    };
    if need > parts.len() {
        let steps = if parts.len() == 1 { "step is".into() } else { format!("{} steps are", parts.len()) };
        return refuse(
            format!("{need} have to succeed, but only {steps} there"),
            format!("ask for {} at most, or add steps", parts.len()),
        );
    }
    session::build(context, |builder, _| {
        let children: Vec<_> = parts.into_iter().map(|part| builder.as_step(part)).collect();
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = children.iter().find(|child| !seen.insert(**child)) {
            let step = builder.step(*twice);
            return Err(Diagnostic::new("flow::plan::quorum", format!("`{}` stands twice in `{word}`", step.name))
                .label(span, "here")
                .label(step.span, "declared here")
                .help("a step runs once: declare another one"));
        }
        let shown = name.map_or_else(|| builder.nameless(word), Into::into);
        let task = Task::Quorum(Quorum { need: need as u32, race: word == "race", children: children.clone() });
        let mut step = plan::Step::new(shown, task, span);
        step.anonymous = name.is_none();
        let id = builder.add(step);
        children.into_iter().try_for_each(|child| builder.take(id, child))?;
        Ok(Step::One(id))
    })
}

#[export_module]
pub mod functions {
    /// Steps one after the other, as one step; each one's output is the input of the next.
    ///
    /// Input is the standard input of a process, or the argument of a closure. A list within the list runs side by side.
    ///
    /// The name becomes part of its steps' paths: `deploy/pack`. The chain's output is that of its last step. An arrow to the chain
    /// goes to the steps it begins with, an arrow from it waits for its end, and policies such as `.timeout` hold for the whole.
    ///
    /// - `name`: the chain's name
    /// - `steps`: the steps, in order
    /// - `arrows` (text): names of steps, as in `"a → b → [c, d] → e"`
    /// - `spec` (map): the whole chain as data: see the table below
    ///
    /// ```rhai
    /// chain("deploy", [
    ///     sh("pack", "echo packed"),
    ///     [sh("push-a", "cat"), sh("push-b", "cat")],
    ///     sh("announce", "cat"),
    /// ]);
    /// ```
    ///
    /// In make: a target's recipe. In a shell: `a | b | c`, one after the other. In Airflow: `a >> b >> c`. In GitHub Actions: the `steps:` of a job.
    ///
    /// Errors: `flow::lang::not_a_step`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::plan::arrow`, `flow::plan::unknown_name`, `flow::plan::cycle`, `flow::plan::duplicate`
    /// See: `->`, `parallel`, `flow`, `command`
    #[rhai_fn(name = "chain", return_raw)]
    pub fn chain_named(context: NativeCallContext, name: &str, steps: Array) -> Result<Step, Fault> {
        let name = options::name(&context, name)?;
        let sequence = in_order(&context, &steps)?;
        session::build(&context, |builder, span| Ok(Step::One(builder.chain(name.into(), sequence, span))))
    }

    /// Steps one after the other, without a name of their own.
    ///
    /// ```rhai
    /// chain([sh("a", "echo one"), sh("b", "cat")]);
    /// ```
    #[rhai_fn(name = "chain", return_raw)]
    pub fn chain(context: NativeCallContext, steps: Array) -> Result<Step, Fault> {
        in_order(&context, &steps).map(Step::of)
    }

    /// A chain as a text of names: `"a → b → [c, d] → e"` (or `->`). Names are, in this order: steps of the script, functions of the
    /// script, what `command` declared.
    ///
    /// ```rhai
    /// let build = sh("build", "echo built");
    /// fn summary(input) { `got: ${input}` }
    /// chain("build → summary");
    /// ```
    #[rhai_fn(name = "chain", return_raw)]
    pub fn chain_text(context: NativeCallContext, arrows: &str) -> Result<Step, Fault> {
        combine::arrows(&context, arrows).map(Step::of)
    }

    /// A chain with a name, as a text of names.
    ///
    /// ```rhai
    /// sh("a", "true");
    /// sh("b", "true");
    /// chain("both", "a -> b");
    /// ```
    #[rhai_fn(name = "chain", return_raw)]
    pub fn chain_named_text(context: NativeCallContext, name: &str, arrows: &str) -> Result<Step, Fault> {
        let name = options::name(&context, name)?;
        let sequence = combine::arrows(&context, arrows)?;
        session::build(&context, |builder, span| Ok(Step::One(builder.chain(name.into(), sequence, span))))
    }

    /// A chain as data: what a generator, or a program in another language, would write. Each step is a map with `name`, one of the kinds
    /// of tasks, and any policy.
    ///
    /// ```rhai
    /// chain(#{
    ///     name: "release",
    ///     steps: [
    ///         #{ name: "build", sh: "echo built", timeout: "5m" },
    ///         #{ name: "test", sh: "echo tested", retry: 2 },
    ///         #{ name: "docs", sh: "echo written", depends_on: "build" },
    ///     ],
    /// });
    /// ```
    #[rhai_fn(name = "chain", return_raw)]
    pub fn chain_map(context: NativeCallContext, spec: Map) -> Result<Step, Fault> {
        combine::chain_from_map(&context, &spec)
    }

    /// Steps side by side, as one step; its output is the array of their outputs.
    ///
    /// How many really run at the same time is said by `max_parallel` in `settings`, and by limits. All of them run to their ends, also when one has
    /// failed; with `fail_fast` the first failure ends the others.
    ///
    /// - `name`: the group's name
    /// - `steps`: the steps
    /// - `options` (map): what else is said: see the table below
    ///
    /// ```rhai
    /// let checks = parallel("checks", [sh("lint", "true"), sh("test", "true")]);
    /// checks -> sh("ship", "true");
    /// ```
    ///
    /// In make: prerequisites, with `-j`. In GitHub Actions: jobs without `needs:`. In a shell: `a & b & wait`.
    ///
    /// Errors: `flow::lang::not_a_step`, `flow::lang::option`, `flow::plan::duplicate`
    /// See: `chain`, `each`, `race`, `quorum`, `settings`, `limit`
    #[rhai_fn(name = "parallel", return_raw)]
    pub fn parallel_named(context: NativeCallContext, name: &str, steps: Array) -> Result<Step, Fault> {
        let (span, name) = (here(&context), options::name(&context, name)?);
        let parts = steps.iter().map(|item| sequence(&context, item)).collect::<Result<Vec<_>, _>>()?;
        session::build(&context, |builder, _| {
            // Each part is one child, so that the output has one item for each.
            let ids: Vec<_> = parts.into_iter().map(|part| builder.as_step(part)).collect();
            let all = Sequence { entries: ids.clone(), exits: ids.clone(), members: ids, span };
            Ok(Step::One(builder.parallel(name.into(), all, span)))
        })
    }

    /// Steps side by side, without a name of their own.
    ///
    /// ```rhai
    /// parallel([sh("lint", "true"), sh("test", "true")]) -> sh("ship", "true");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parallel(context: NativeCallContext, steps: Array) -> Result<Step, Fault> {
        sequence(&context, &steps.into()).map(Step::of)
    }

    /// Steps side by side, with a name and options.
    ///
    /// ```rhai
    /// parallel("shards", [sh("one", "./test.sh 1"), sh("two", "./test.sh 2")], #{ fail_fast: true });
    /// ```
    #[rhai_fn(name = "parallel", return_raw)]
    pub fn parallel_named_with(
        context: NativeCallContext,
        name: &str,
        steps: Array,
        options: Map,
    ) -> Result<Step, Fault> {
        match fail_fast(&context, &options)? {
            true => some(&context, Some(name), "parallel", Need::All, &steps),
            false => parallel_named(context, name, steps),
        }
    }

    /// Steps side by side, with options.
    ///
    /// ```rhai
    /// parallel([sh("one", "./test.sh 1"), sh("two", "./test.sh 2")], #{ fail_fast: true });
    /// ```
    #[rhai_fn(name = "parallel", return_raw)]
    pub fn parallel_with(context: NativeCallContext, steps: Array, options: Map) -> Result<Step, Fault> {
        match fail_fast(&context, &options)? {
            true => some(&context, None, "parallel", Need::All, &steps),
            false => parallel(context, steps),
        }
    }

    /// Steps side by side, of which the first to succeed decides: the others are ended, and its output is that of the whole.
    ///
    /// One that fails is out of the race; the race has failed when all have. Steps that had not begun are skipped. What was ended is skipped, too, and
    /// has not failed anything. If it may have left something half done, give it `.finally`: a clean-up step runs as soon as its step has ended, however that
    /// was, if it had begun. `.undo` is for what succeeded, and so never runs for what was ended.
    ///
    /// - `name`: the race's name: letters, digits, `-`, `_` and `.`
    /// - `steps`: the steps
    ///
    /// ```rhai
    /// let page = race("mirror", [
    ///     http("near", "https://mirror.example.org/index.json"),
    ///     http("far", "https://example.org/index.json"),
    /// ]).timeout("30s");
    /// sh("count", `echo ${page.output}`);
    /// ```
    ///
    /// In a shell: `a & b & wait -n; kill …`. In Airflow: a trigger rule `one_success`, without the end of the others.
    ///
    /// Errors: `flow::lang::not_a_step`, `flow::lang::option`, `flow::plan::quorum`, `flow::plan::two_owners`
    /// See: `quorum`, `parallel`, `.fallback`, `.rule`, `.finally`
    #[rhai_fn(name = "race", return_raw)]
    pub fn race_named(context: NativeCallContext, name: &str, steps: Array) -> Result<Step, Fault> {
        some(&context, Some(name), "race", Need::First, &steps)
    }

    /// A race without a name of its own.
    ///
    /// ```rhai
    /// race([sh("quick", "./guess.sh"), sh("sure", "./search.sh")]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn race(context: NativeCallContext, steps: Array) -> Result<Step, Fault> {
        some(&context, None, "race", Need::First, &steps)
    }

    /// Steps side by side, of which so many have to succeed. Its output is the array of the outputs of those that did, in the order written.
    ///
    /// When enough have succeeded, the others are ended, or skipped where they had not begun. When no longer enough can, it has failed at once, and the others are
    /// ended. What was ended may clean up after itself, with `.finally`; `.undo` is for what succeeded.
    ///
    /// - `name`: the group's name: letters, digits, `-`, `_` and `.`
    /// - `need` (number): how many have to succeed
    /// - `steps`: the steps
    ///
    /// ```rhai
    /// let votes = quorum("votes", 2, [sh("a", "./ask.sh a"), sh("b", "./ask.sh b"), sh("c", "./ask.sh c")]);
    /// call("count", || votes.output.len());
    /// ```
    ///
    /// In Airflow: a branch that counts. In databases: a write quorum.
    ///
    /// Errors: `flow::lang::not_a_step`, `flow::lang::option`, `flow::plan::quorum`, `flow::plan::two_owners`
    /// See: `race`, `parallel`, `.rule`, `.finally`
    #[rhai_fn(name = "quorum", return_raw)]
    pub fn quorum_named(context: NativeCallContext, name: &str, need: Dynamic, steps: Array) -> Result<Step, Fault> {
        some(&context, Some(name), "quorum", Need::Some(need), &steps)
    }

    /// Steps side by side, of which so many have to succeed, without a name of their own.
    ///
    /// ```rhai
    /// quorum(2, [sh("a", "./ask.sh a"), sh("b", "./ask.sh b"), sh("c", "./ask.sh c")]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn quorum(context: NativeCallContext, need: Dynamic, steps: Array) -> Result<Step, Fault> {
        some(&context, None, "quorum", Need::Some(need), &steps)
    }

    /// Branches: one of several steps, chosen while the workflow runs.
    ///
    /// Conditions are evaluated in order, each as soon as the steps it reads are at their end; the first true one decides. Steps of the other
    /// branches are skipped, and `flow why` says for which values. A condition is a closure, `|| test.passed`, or an expression,
    /// `"test.passed && coverage > 80"`. Branches may hold branches. The whole may be one text: `flow("if test.passed then ship else page")`.
    ///
    /// - `name`: the flow's name; or all of it as a text that begins with `if`
    /// - `condition` (closure or expression): when the branch is taken
    /// - `then` (step, or a list of steps): what runs then; also a step's name
    /// - `otherwise` (step, or a list of steps): what runs if the condition is false
    /// - `first` (text, closure or expression): the flow's name, or the condition
    /// - `second` (closure or expression, or step): the condition, or what runs if it is true
    /// - `third` (step, or a list of steps): what runs if the condition is true; behind a condition without a name, if it is false
    /// - `spec` (map): the whole flow as data: see the table below
    ///
    /// ```rhai
    /// let test = sh("test", "true");
    /// flow("gate")
    ///     .when(|| test.passed, sh("ship", "echo shipping"))
    ///     .otherwise(sh("page", "echo paging"));
    /// ```
    ///
    /// In GitHub Actions: `if:` on several jobs. In Airflow: a branch operator. In Nextflow: `branch`.
    ///
    /// Errors: `flow::lang::pending`, `flow::lang::step_value`, `flow::plan::expression`, `flow::plan::unknown_step`, `flow::plan::two_owners`, `flow::plan::unreachable`, `flow::lang::not_a_flow`
    /// See: `.when`, `.otherwise`, `fail`, `run`
    #[rhai_fn(return_raw)]
    pub fn flow(context: NativeCallContext, name: &str) -> Result<Step, Fault> {
        if name.trim_start().starts_with("if ") || name.trim_start().starts_with("if(") {
            return combine::flow_from_text(&context, name);
        }
        combine::new_flow(&context, name)
    }

    /// A flow as data.
    ///
    /// ```rhai
    /// let test = sh("test", "true");
    /// let ship = sh("ship", "true");
    /// flow(#{ name: "gate", conditions: [#{ when: "test.passed", then: ship }], otherwise: fail("stop", "no") });
    /// ```
    #[rhai_fn(name = "flow", return_raw)]
    pub fn flow_map(context: NativeCallContext, spec: Map) -> Result<Step, Fault> {
        combine::flow_from_map(&context, &spec)
    }

    /// A flow with a name and two branches.
    ///
    /// ```rhai
    /// let test = sh("test", "true");
    /// flow("gate", || test.passed, sh("ship", "true"), sh("page", "true"));
    /// ```
    #[rhai_fn(name = "flow", return_raw)]
    pub fn flow_four(
        context: NativeCallContext,
        name: &str,
        condition: Dynamic,
        then: Dynamic,
        otherwise: Dynamic,
    ) -> Result<Step, Fault> {
        let flow = combine::new_flow(&context, name)?;
        branch(&context, &flow, Some(&condition), &then)?;
        branch(&context, &flow, None, &otherwise)
    }

    /// A flow without a name and two branches; or with a name and one branch.
    ///
    /// ```rhai
    /// let test = sh("test", "true");
    /// flow(|| test.passed, sh("ship", "true"), sh("page", "true"));
    /// ```
    #[rhai_fn(name = "flow", return_raw)]
    pub fn flow_three(
        context: NativeCallContext,
        first: Dynamic,
        second: Dynamic,
        third: Dynamic,
    ) -> Result<Step, Fault> {
        let name = first
            .read_lock::<ImmutableString>()
            .filter(|_| !second.is::<Step>() && !second.is_array())
            .map(|n| n.to_string());
        match name {
            Some(name) => {
                let flow = combine::new_flow(&context, &name)?;
                branch(&context, &flow, Some(&second), &third)
            }
            None => {
                let flow = combine::new_flow(&context, "")?;
                branch(&context, &flow, Some(&first), &second)?;
                branch(&context, &flow, None, &third)
            }
        }
    }

    /// A flow without a name and one branch.
    ///
    /// ```rhai
    /// let test = sh("test", "true");
    /// flow(|| test.passed, sh("ship", "true"));
    /// ```
    #[rhai_fn(name = "flow", return_raw)]
    pub fn flow_two(context: NativeCallContext, condition: Dynamic, then: Dynamic) -> Result<Step, Fault> {
        let flow = combine::new_flow(&context, "")?;
        branch(&context, &flow, Some(&condition), &then)
    }

    /// A branch of a `flow`: the step runs if the condition is true and none before it was.
    ///
    /// - `step` (step, or a list of steps): what runs then; also a step's name
    ///
    /// ```rhai
    /// let test = sh("test", "true");
    /// flow("gate").when("test.passed", sh("ship", "true"));
    /// ```
    #[rhai_fn(name = "when", return_raw)]
    pub fn when_then(context: NativeCallContext, flow: Step, condition: Dynamic, step: Dynamic) -> Result<Step, Fault> {
        branch(&context, &flow, Some(&condition), &step)
    }

    /// The branch of a flow that runs if no condition was true.
    ///
    /// - `step` (step, or a list of steps): what runs then; also a step's name
    ///
    /// ```rhai
    /// let test = sh("test", "false");
    /// flow("gate").when(|| test.passed, sh("ship", "true")).otherwise(sh("page", "true"));
    /// ```
    ///
    /// In GitHub Actions: an `if:` with the opposite of all others. In plain Rhai: `else`.
    ///
    /// Errors: `flow::lang::not_a_flow`, `flow::plan::unreachable`, `flow::plan::two_owners`
    /// See: `flow`, `.when`
    #[rhai_fn(return_raw)]
    pub fn otherwise(context: NativeCallContext, flow: Step, step: Dynamic) -> Result<Step, Fault> {
        branch(&context, &flow, None, &step)
    }

    /// Runs a step only if a condition is true: a branch with nothing on the other side. On a `flow`, with a step behind the condition, it adds
    /// a branch.
    ///
    /// The condition is evaluated while the workflow runs, as soon as the steps it reads are at their end, in whatever way. A step that is not
    /// run is skipped as not taken, and others do not mind. A condition that looks at a failure has dealt with it: the run is not failed
    /// by it.
    ///
    /// - `condition` (closure or expression): `|| changes.number > 0`, or `"changes.number > 0"`
    ///
    /// ```rhai
    /// let changes = sh("changes", "echo 3");
    /// sh("publish", "echo publishing").when(|| changes.number > 0);
    /// ```
    ///
    /// In GitHub Actions: `if:`. In Airflow: a `ShortCircuitOperator`.
    ///
    /// Errors: `flow::lang::pending`, `flow::lang::step_value`, `flow::lang::option`, `flow::plan::expression`, `flow::plan::unknown_step`, `flow::plan::never`, `flow::lang::not_captured`
    /// See: `flow`, `.rule`, `run`
    #[rhai_fn(return_raw)]
    pub fn when(context: NativeCallContext, step: Step, condition: Dynamic) -> Result<Step, Fault> {
        policies::set(&context, &step, "when", &condition)
    }

    /// Order: `a -> b` runs b after a, and a's output is b's input. A list fans out or in.
    ///
    /// On both sides stands a step, or a list of steps. An arrow gives a step again, so arrows follow each other. What is only to wait, and not to
    /// get the output, says `.after`; what uses a result waits for it anyway.
    ///
    /// ```rhai
    /// let a = sh("a", "echo 1");
    /// let b = sh("b", "cat");
    /// let c = sh("c", "cat");
    /// a -> [b, c] -> sh("d", "cat");
    /// ```
    ///
    /// In make: `b: a`. In Airflow: `a >> b`. In GitHub Actions: `needs:`.
    ///
    /// Errors: `flow::plan::cycle`, `flow::lang::not_a_step`, `flow::plan::hook`
    /// See: `chain`, `.after`, `parallel`
    #[rhai_fn(name = "->", return_raw)]
    pub fn arrow(context: NativeCallContext, left: Step, right: Step) -> Result<Step, Fault> {
        connect(&context, &Dynamic::from(left), &Dynamic::from(right))
    }

    #[rhai_fn(name = "->", return_raw)]
    pub fn arrow_out(context: NativeCallContext, left: Step, right: Array) -> Result<Step, Fault> {
        connect(&context, &Dynamic::from(left), &right.into())
    }

    #[rhai_fn(name = "->", return_raw)]
    pub fn arrow_in(context: NativeCallContext, left: Array, right: Step) -> Result<Step, Fault> {
        connect(&context, &left.into(), &Dynamic::from(right))
    }

    #[rhai_fn(name = "->", return_raw)]
    pub fn arrow_all(context: NativeCallContext, left: Array, right: Array) -> Result<Step, Fault> {
        connect(&context, &left.into(), &right.into())
    }
}
