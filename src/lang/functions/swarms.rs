//! Teams of agents on one goal, and pools of them.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use crate::diag::Diagnostic;
use crate::lang::fault::{Fault, raise};
use crate::lang::handle::Step;
use crate::lang::options::here;
use crate::lang::{session, swarm};
use crate::plan::Task;

#[export_module]
pub mod functions {
    /// A team of agents on one goal, as one step.
    ///
    /// It becomes ordinary steps: questions to agents, fan-outs, repeated rounds, votes. So `flow plan` shows it, a resume goes on in the middle of it,
    /// `flow why` explains it, and whatever can be said of a step can be said of it. Its output is the final answer. In a chain its agents get what the step before
    /// it gave.
    ///
    /// - `hierarchical`: the `coordinator` breaks the goal into tasks (step `plan`), each goes to an agent by capability and load (`assign`, `work`), the
    ///   `aggregator` merges (`merge`).
    /// - `star`: all get the goal; the `aggregator` in the middle merges their answers (`merge`), or a vote decides (`tally`, `decide`). With `rounds` the
    ///   aggregator says after each what is still to be done.
    /// - `mesh`: all get the goal, and in each further round what the others said, until they agree or `rounds` are over.
    /// - `pipeline`: one after the other, each with what the one before came to.
    ///
    /// It can be said as a map, as methods (`.goal`, `.agents`, `.topology`, …: those of the table), or as a text of roles.
    ///
    /// - `name` (text): the swarm's name; or all of it as a text of roles
    /// - `spec` (map): what it is: see the table below
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{ capabilities: ["rust"] });
    /// let bob = agent("bob", #{ capabilities: ["sql"] });
    /// let chief = agent("chief", #{ model: "opus" });
    /// let found = swarm("audit", #{
    ///     goal: "Find what makes the import slow",
    ///     coordinator: chief, agents: [ann, bob],
    ///     parallel_limit: 2, failover: true, timeout: "1h",
    /// });
    /// sh("tell", `echo ${found.output}`);
    /// ```
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob", "cy"].map(|name| agent(name, #{}));
    /// let verdict = swarm("verdict")
    ///     .topology("mesh")
    ///     .goal("May this be merged? Look at the diff.")
    ///     .agents(judges)
    ///     .schema(#{ verdict: "string", why: "string" })
    ///     .vote("verdict")
    ///     .conflict("majority");
    /// flow("gate").when(|| verdict.output.verdict == "yes", sh("merge", "git merge topic"));
    /// ```
    ///
    /// In a company: a team.
    ///
    /// Errors: `flow::lang::swarm`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`, `flow::plan::arrow`
    /// See: `agent`, `.ask`, `pool`, `parallel`, `repeat`
    #[rhai_fn(return_raw)]
    pub fn swarm(context: NativeCallContext, name: &str) -> Result<Step, Fault> {
        match swarm::is_one(name) {
            true => swarm::new(&context, None, swarm::read(name, here(&context))?),
            false => swarm::new(&context, Some(name), Map::new()),
        }
    }

    /// A swarm as data.
    ///
    /// ```rhai,no_run
    /// agent("ann", #{});
    /// agent("bob", #{});
    /// swarm(#{ name: "names", goal: "Name this product", topology: "pipeline", agents: ["ann", "bob"] });
    /// ```
    #[rhai_fn(name = "swarm", return_raw)]
    pub fn swarm_map(context: NativeCallContext, spec: Map) -> Result<Step, Fault> {
        swarm::new(&context, None, spec)
    }

    /// A swarm with a name, as data; or as a text of roles with what else is said.
    ///
    /// ```rhai,no_run
    /// agent("ann", #{});
    /// agent("chief", #{});
    /// swarm("coordinator: chief → specialists: [ann] → aggregator: chief", #{ goal: "Mend the build", max_tasks: 3 });
    /// ```
    #[rhai_fn(name = "swarm", return_raw)]
    pub fn swarm_named_map(context: NativeCallContext, name: &str, spec: Map) -> Result<Step, Fault> {
        if !swarm::is_one(name) {
            return swarm::new(&context, Some(name), spec);
        }
        let span = here(&context);
        let mut said = swarm::read(name, span)?;
        for (key, value) in spec {
            if said.insert(key.clone(), value).is_some() {
                return Err(raise(
                    Diagnostic::new("flow::lang::option", format!("the text says who is `{key}` already"))
                        .label_word(span, key.as_str(), "given again here")
                        .help("say it once, in the text or in the map"),
                ));
            }
        }
        swarm::new(&context, None, said)
    }

    /// A swarm as a text of roles, with its goal: `"coordinator: chief → specialists: [a, b] → aggregator: chief"`. With a name and a text the goal is said by
    /// `.goal`, or is what the step before it gave.
    ///
    /// - `first` (text): the text of roles, or the swarm's name
    /// - `second` (text): the goal, or the text of roles
    ///
    /// ```rhai,no_run
    /// agent("ann", #{});
    /// agent("bob", #{});
    /// agent("chief", #{});
    /// swarm("specialists: [ann, bob] → hub: chief", "Find a name for this product");
    /// ```
    #[rhai_fn(name = "swarm", return_raw)]
    pub fn swarm_text(context: NativeCallContext, first: &str, second: Dynamic) -> Result<Step, Fault> {
        let span = here(&context);
        let roles =
            second.read_lock::<rhai::ImmutableString>().filter(|_| !swarm::is_one(first)).map(|text| text.to_string());
        if let Some(roles) = roles {
            return swarm::new(&context, Some(first), swarm::read(&roles, span)?);
        }
        let mut said = swarm::read(first, span)?;
        said.insert("goal".into(), second);
        swarm::new(&context, None, said)
    }

    /// What a swarm is to come to.
    ///
    /// - `goal` (text): the goal; results of steps can stand in it
    ///
    /// ```rhai,no_run
    /// let log = sh("log", "tail build.log");
    /// let ann = agent("ann", #{});
    /// swarm("look").goal(`Why did this fail? ${log.output}`).agents([ann]).aggregator(ann);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`
    /// See: `swarm`
    #[rhai_fn(return_raw)]
    pub fn goal(context: NativeCallContext, step: Step, goal: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "goal", goal)
    }

    /// How the agents of a swarm stand to each other: `"hierarchical"`, `"star"`, `"mesh"` or `"pipeline"`.
    ///
    /// - `topology` (text): which
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{});
    /// let bob = agent("bob", #{});
    /// swarm("text").topology("pipeline").goal("Write a poem").agents([ann, bob]);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::choice`
    /// See: `swarm`
    #[rhai_fn(return_raw)]
    pub fn topology(context: NativeCallContext, step: Step, topology: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "topology", topology)
    }

    /// Those who do the work of a swarm.
    ///
    /// - `agents` (list, map or pool): agents, or their names
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{});
    /// swarm("look").goal("Look for mistakes").agents([ann, "ben"]).conflict("majority");
    /// agent("ben", #{});
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::swarm`
    /// See: `swarm`, `pool`
    #[rhai_fn(return_raw)]
    pub fn agents(context: NativeCallContext, step: Step, agents: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "agents", agents)
    }

    /// The agent that breaks the goal of a swarm into tasks. The swarm is hierarchical then.
    ///
    /// - `agent` (agent or text): who
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{});
    /// swarm("mend").goal("Mend all warnings").coordinator(agent("chief", #{})).agents([ann]);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::swarm`
    /// See: `swarm`, `.aggregator`
    #[rhai_fn(return_raw)]
    pub fn coordinator(context: NativeCallContext, step: Step, agent: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "coordinator", agent)
    }

    /// The agent that makes one answer of all answers of a swarm.
    ///
    /// - `agent` (agent or text): who
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{});
    /// let bob = agent("bob", #{});
    /// swarm("ideas").goal("Collect ideas").agents([ann, bob]).aggregator(ann).rounds(2);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::swarm`
    /// See: `swarm`, `.conflict`
    #[rhai_fn(return_raw)]
    pub fn aggregator(context: NativeCallContext, step: Step, agent: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "aggregator", agent)
    }

    /// Does a swarm wait for all its agents, `"synchronous"`, go on with each, `"asynchronous"`, or with what they publish, `"event_driven"`?
    ///
    /// - `communication` (text): which
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{});
    /// let bob = agent("bob", #{});
    /// swarm("text").topology("pipeline").goal("Write a poem").agents([ann, bob]).communication("asynchronous");
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::swarm`
    /// See: `swarm`, `|>`
    #[rhai_fn(return_raw)]
    pub fn communication(context: NativeCallContext, step: Step, communication: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "communication", communication)
    }

    /// What the agents of a swarm see of what was said: a board of all, `"global"`, one of each, `"local"`, or one of each that shows that of the team,
    /// `"hierarchical"`.
    ///
    /// - `state` (text): which
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob"].map(|name| agent(name, #{}));
    /// swarm("agree").topology("mesh").goal("Which name is best?").agents(judges).state("local").conflict("consensus");
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::choice`
    /// See: `swarm`, `board`
    #[rhai_fn(return_raw)]
    pub fn state(context: NativeCallContext, step: Step, state: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "state", state)
    }

    /// How it is decided between the answers of a swarm: `"consensus"`, `"majority"`, `"weighted"` or `"priority"`.
    ///
    /// - `conflict` (text): which
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob", "cy"].map(|name| agent(name, #{}));
    /// swarm("judge").goal("Is this well? Answer yes or no.").agents(judges).conflict("majority");
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::choice`
    /// See: `swarm`, `.vote`, `.on_conflict`
    #[rhai_fn(return_raw)]
    pub fn conflict(context: NativeCallContext, step: Step, conflict: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "conflict", conflict)
    }

    /// What of the answers of a swarm is compared: a key of them, or what a closure gives for one.
    ///
    /// - `vote` (text or closure): the key, or `|answer| …`
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob", "cy"].map(|name| agent(name, #{}));
    /// swarm("judge").goal("Is this well?").agents(judges).conflict("majority").vote(|answer| answer.to_lower().contains("yes"));
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::option`
    /// See: `swarm`, `.conflict`
    #[rhai_fn(return_raw)]
    pub fn vote(context: NativeCallContext, step: Step, vote: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "vote", vote)
    }

    /// The agent that decides when the vote of a swarm does not.
    ///
    /// - `agent` (agent or text): who
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob"].map(|name| agent(name, #{}));
    /// swarm("judge").goal("Is this well?").agents(judges).conflict("consensus").on_conflict(agent("chief", #{}));
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::swarm`
    /// See: `swarm`, `.conflict`
    #[rhai_fn(return_raw)]
    pub fn on_conflict(context: NativeCallContext, step: Step, agent: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "on_conflict", agent)
    }

    /// How many rounds a swarm has, at most.
    ///
    /// - `rounds` (number): 1 or more
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob"].map(|name| agent(name, #{}));
    /// swarm("agree").topology("mesh").goal("Which name is best?").agents(judges).rounds(5).conflict("consensus");
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::option`
    /// See: `swarm`
    #[rhai_fn(return_raw)]
    pub fn rounds(context: NativeCallContext, step: Step, rounds: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "rounds", rounds)
    }

    /// How many tasks the coordinator of a swarm may give, at most.
    ///
    /// - `tasks` (number): 1 or more
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{});
    /// swarm("mend").goal("Mend all warnings").coordinator(ann).agents([ann]).max_tasks(20);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::option`
    /// See: `swarm`, `.coordinator`
    #[rhai_fn(return_raw)]
    pub fn max_tasks(context: NativeCallContext, step: Step, tasks: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "max_tasks", tasks)
    }

    /// How many agents of a star have to answer; the others may fail.
    ///
    /// - `needed` (number): 1 or more
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob", "cy"].map(|name| agent(name, #{}));
    /// swarm("judge").goal("Is this well? Answer yes or no.").agents(judges).conflict("majority").needed(2);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::swarm`
    /// See: `swarm`, `quorum`
    #[rhai_fn(return_raw)]
    pub fn needed(context: NativeCallContext, step: Step, needed: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "needed", needed)
    }

    /// What single agents of a swarm are told beside the goal.
    ///
    /// - `parts` (map): texts, by the names of agents
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{});
    /// let bob = agent("bob", #{});
    /// swarm("feature").goal("Build the search").agents([ann, bob]).aggregator(ann).parts(#{ ann: "the page", bob: "the server" });
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::swarm`
    /// See: `swarm`
    #[rhai_fn(return_raw)]
    pub fn parts(context: NativeCallContext, step: Step, parts: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "parts", parts)
    }

    /// What the answers of a swarm's agents must be like, as in `.ask`.
    ///
    /// - `schema` (map): a JSON Schema, or an example of types
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob"].map(|name| agent(name, #{}));
    /// swarm("judge").goal("Is this well?").agents(judges).schema(#{ well: "boolean" }).vote("well").conflict("consensus");
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::schema`
    /// See: `swarm`, `.ask`
    #[rhai_fn(return_raw)]
    pub fn schema(context: NativeCallContext, step: Step, schema: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "schema", schema)
    }

    /// How many agents of a swarm work at the same time, at most.
    ///
    /// - `limit` (number): 1 or more
    ///
    /// ```rhai,no_run
    /// let judges = ["ann", "bob", "cy"].map(|name| agent(name, #{}));
    /// swarm("judge").goal("Is this well?").agents(judges).conflict("majority").parallel_limit(2);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::option`
    /// See: `swarm`, `limit`, `pool`
    #[rhai_fn(return_raw)]
    pub fn parallel_limit(context: NativeCallContext, step: Step, limit: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "parallel_limit", limit)
    }

    /// Lets another agent of a swarm take over where one has failed for good.
    ///
    /// - `failover` (true or false): whether
    ///
    /// ```rhai,no_run
    /// let ann = agent("ann", #{ role: "reviewer" });
    /// let bob = agent("bob", #{ role: "reviewer" });
    /// swarm("review").goal("Review the change").agents([ann, bob]).aggregator(ann).failover(true);
    /// ```
    ///
    /// Errors: `flow::lang::not_a_swarm`, `flow::lang::swarm`
    /// See: `swarm`, `.takes_over`, `.fallback`
    #[rhai_fn(return_raw)]
    pub fn failover(context: NativeCallContext, step: Step, failover: Dynamic) -> Result<Step, Fault> {
        swarm::say(&context, &step, "failover", failover)
    }

    /// An agent goes on where another one failed: it is told what that one had come to.
    ///
    /// Without it a fallback begins from the start.
    ///
    /// - `other` (step): the question that may fail
    ///
    /// ```rhai,no_run
    /// let first = agent("quick", #{}).ask("Mend the build");
    /// let second = agent("sure", #{ backend: "codex" }).ask("Mend the build");
    /// first.fallback(second.takes_over(first));
    /// ```
    ///
    /// Errors: `flow::lang::option`
    /// See: `.fallback`, `swarm`
    #[rhai_fn(return_raw)]
    pub fn takes_over(context: NativeCallContext, step: Step, other: Step) -> Result<Step, Fault> {
        session::build(&context, |builder, span| {
            let failed = other.id(builder);
            let id = step.single().map(|id| builder.worker(id));
            let id = id.filter(|id| matches!(&*builder.step(*id).task, Task::Agent(_)));
            let Some(id) = id.filter(|id| *id != failed) else {
                return Err(Diagnostic::new(
                    "flow::lang::option",
                    "only an agent can take over, and from another step",
                )
                .label(span, "here")
                .help("`first.fallback(second.takes_over(first))`, where `second` is a question to an agent"));
            };
            if let Task::Agent(ask) = std::sync::Arc::make_mut(&mut builder.step_mut(id).task) {
                ask.takes_over = Some(failed);
            }
            builder.connect(id);
            Ok(())
        })?;
        Ok(step)
    }

    /// A pool of agents: how many of each work at the same time.
    ///
    /// Whatever is asked of a pool waits until one of the kind is free. `pool.ask("coder", "…")` asks one of a kind, `pool.ask("…")` the one that was asked
    /// least so far, for how many there are; with `capability` one of those that have it. As `agents` of a swarm it says who they are and how many.
    ///
    /// With `min`, `max` and `scale` there are in all only as many as the work needs: `"queue.length / 100"` is one more for each 100 questions that wait, and one that nobody
    /// needed for the `idle_timeout` goes away.
    ///
    /// - `name` (text): the pool's name, and that of its limits
    /// - `workers` (map): how many there are of each agent, by its name
    /// - `options` (map): see the table below
    ///
    /// ```rhai,no_run
    /// agent("coder", #{ capabilities: ["rust"] });
    /// agent("tester", #{ model: "haiku" });
    /// let crew = pool("crew", #{ coder: 5, tester: 3 }, #{ min: 1, max: 6, scale: "queue.length / 10", idle_timeout: "2m" });
    /// each("mend", ["a.rs", "b.rs"], |file| crew.ask("coder", `Mend ${file}`));
    /// ```
    ///
    /// In Kubernetes: a deployment with a horizontal autoscaler.
    ///
    /// Errors: `flow::lang::swarm`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `swarm`, `limit`, `agent`
    #[rhai_fn(name = "pool", return_raw)]
    pub fn pool_with(context: NativeCallContext, name: &str, workers: Map, options: Map) -> Result<Map, Fault> {
        swarm::declare_pool(&context, name, &workers, &options)
    }

    /// A pool of agents of which there are always as many.
    ///
    /// ```rhai,no_run
    /// agent("coder", #{});
    /// pool("crew", #{ coder: 5 }).ask("Mend the build");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn pool(context: NativeCallContext, name: &str, workers: Map) -> Result<Map, Fault> {
        swarm::declare_pool(&context, name, &workers, &Map::new())
    }

    /// A question to one of a pool: of a kind, or to the one that was asked least so far.
    ///
    /// - `worker` (text): which kind
    /// - `prompt` (text): the task
    /// - `options` (map): as in `.ask` of an agent; also `capability`, which the agent must have
    ///
    /// ```rhai,no_run
    /// agent("coder", #{ capabilities: ["rust"] });
    /// let crew = pool("crew", #{ coder: 5 });
    /// crew.ask("coder", "Mend the build");
    /// crew.ask("Write a test", #{ capability: "rust", name: "test" });
    /// ```
    ///
    /// Errors: `flow::lang::swarm`, `flow::lang::unknown_option`
    /// See: `pool`
    #[rhai_fn(name = "ask", return_raw)]
    pub fn ask_kind_with(
        context: NativeCallContext,
        pool: Map,
        worker: &str,
        prompt: Dynamic,
        options: Map,
    ) -> Result<Step, Fault> {
        swarm::ask_pool(&context, &pool, Some(worker), &prompt, &options)
    }

    /// A question to one of a kind in a pool; or, with options instead of a second text, to the one that was asked least so far.
    ///
    /// - `worker` (text): which kind; or the task
    /// - `prompt` (text or map): the task; or the options
    ///
    /// ```rhai,no_run
    /// agent("coder", #{});
    /// pool("crew", #{ coder: 5 }).ask("coder", "Mend the build");
    /// ```
    #[rhai_fn(name = "ask", return_raw)]
    pub fn ask_kind(context: NativeCallContext, pool: Map, worker: &str, prompt: Dynamic) -> Result<Step, Fault> {
        match prompt.read_lock::<Map>().map(|map| map.clone()) {
            Some(options) => swarm::ask_pool(&context, &pool, None, &worker.to_owned().into(), &options),
            None => swarm::ask_pool(&context, &pool, Some(worker), &prompt, &Map::new()),
        }
    }

    /// A question to the one of a pool that was asked least so far, for how many there are.
    ///
    /// ```rhai,no_run
    /// agent("coder", #{});
    /// agent("tester", #{});
    /// let crew = pool("crew", #{ coder: 5, tester: 1 });
    /// for file in ["a.rs", "b.rs"] { crew.ask(`Look at ${file}`); }
    /// ```
    #[rhai_fn(name = "ask", return_raw)]
    pub fn ask_any(context: NativeCallContext, pool: Map, prompt: Dynamic) -> Result<Step, Fault> {
        swarm::ask_pool(&context, &pool, None, &prompt, &Map::new())
    }
}

/// A text as it is: nothing in it is an expression, though it may look like one. It is for texts that agents wrote. Not a function of the
/// language.
pub fn as_is(context: &NativeCallContext, text: &str) -> Result<String, Fault> {
    session::build(context, |_, _| Ok(()))?;
    Ok(session::with(|session| match crate::lang::convert::is_marked(text) {
        true => text.to_owned(),
        false => crate::lang::convert::mark(session, &crate::plan::Value::Plain(text.into())),
    }))
}
