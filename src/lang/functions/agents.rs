//! AI agents, and what they are asked.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use crate::lang::agents;
use crate::lang::fault::Fault;
use crate::lang::handle::{Agent, Step};

#[export_module]
pub mod functions {
    /// Declares an AI agent: a program such as Claude Code or Codex, or a model behind an address.
    ///
    /// It starts nothing: each question to it is a step, made by `.ask`. What is said here holds for all its questions; a question can
    /// say otherwise. Its name also stands for it in arrow texts: `chain("plan -> coder")` asks it what comes before it.
    ///
    /// The backend says what drives it: the command lines `claude`, `codex`, `gemini` and `opencode`, the addresses of `anthropic` and
    /// `openai` (or others that speak like them: `base_url`), or `command`, any program. `flow doctor` tells which are installed. A program
    /// gets only those variables of the environment that it needs, and its own settings apart from the user's where there is an `api_key`.
    ///
    /// - `name` (text): its name
    ///
    /// ```rhai,no_run
    /// let coder = agent("coder", #{
    ///     backend: "claude", model: "sonnet", role: "developer",
    ///     system: "You write small changes, each with a test.",
    ///     tools: ["Read", "Edit", "Bash"], permission: "edit",
    ///     max_turns: 20, budget: #{ usd: 1.0 }, timeout: "20m", retries: 2,
    /// });
    /// coder.ask("Mend the failing test");
    /// ```
    ///
    /// ```rhai,no_run
    /// let local = agent("local", #{ backend: "openai", base_url: "http://localhost:11434/v1", model: "llama3" });
    /// let own = agent("own", #{ command: ["./my-agent", "--quiet"], speaks: "text" });
    /// local.ask("Say hello") -> own.ask("Translate it");
    /// ```
    ///
    /// In a shell: `claude -p`. In Airflow: a `BashOperator` around such a program.
    ///
    /// Errors: `flow::lang::agent`, `flow::lang::agent_file`, `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`, `flow::lang::url`, `flow::lang::pending`
    /// See: `.ask`, `agents`, `secret`, `sh`
    #[rhai_fn(name = "agent", return_raw)]
    pub fn agent_with(context: NativeCallContext, name: &str, options: Map) -> Result<Agent, Fault> {
        agents::declare(&context, name, &options)
    }

    /// The agent of a name: one that the script has declared, or one of a file.
    ///
    /// Files of agents are Markdown with front matter, as Claude Code keeps them: `name`, `description`, and any key of `agent`; what stands
    /// below is what the agent is told before any task. Known by name are `.claude/agents/*.md` beside the script and upwards to the
    /// folder of flow.toml (or `.git`), the folders that `[agents]` in flow.toml names, and the user's `~/.claude/agents`; the
    /// nearest one of a name counts. `flow agents` lists them all. A run keeps what it read.
    ///
    /// ```rhai,no_run
    /// agent("coder", #{ backend: "codex" });
    /// agent("coder").ask("Mend the failing test");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn agent(context: NativeCallContext, name: &str) -> Result<Agent, Fault> {
        agents::find(&context, name)
    }

    /// All agents of a folder, as a map by name. They are known by name from then on, too.
    ///
    /// Each file `*.md` with front matter is one: see `agent`. A file that is not loaded is told with its line, as a warning.
    ///
    /// - `folder` (text): the folder, relative to the script's; it must be within the project
    ///
    /// ```rhai,no_run
    /// let team = agents("team/");
    /// team.coder.ask("Mend the failing test") -> team.reviewer.ask("Review what was done");
    /// ```
    ///
    /// Errors: `flow::lang::agent_file`, `flow::lang::import_outside`, `flow::lang::pending`
    /// See: `agent`, `.ask`
    #[rhai_fn(name = "agents", return_raw)]
    pub fn agents_of(context: NativeCallContext, folder: &str) -> Result<Map, Fault> {
        agents::of_folder(&context, folder)
    }

    /// Asks the agent that fits a task: by rules, then by what the agents are good for.
    ///
    /// The first rule of which a word stands in the prompt decides (at the begin of a word: `leak` fits `leaking`, but words of three
    /// letters or fewer must be whole; capital or small is the same). Else the first agent of which a capability, the role or the name stands there; else the first of all. A prompt that is known
    /// while the plan is made is decided about at once, and the step says why. One with results in it becomes a `flow` with a branch for each
    /// rule and each agent: the plan shows them, and `flow why` tells what decided.
    ///
    /// - `name`: the step's name; without one, that of the agent
    /// - `prompt` (text): what is to be done; results of steps may stand in it
    /// - `options`: whom to ask, see the table below; and any key of `.ask` and of `agent`
    ///
    /// ```rhai,no_run
    /// let coder = agent("coder", #{ capabilities: ["rust", "c"] });
    /// let tester = agent("tester", #{ role: "tester" });
    /// delegate("Find the leak in parser.c", #{ to: [coder, tester], rules: #{ "leak|valgrind": tester } });
    ///
    /// let issue = sh("issue", "cat issue.md");
    /// delegate("mend", `Do this: ${issue.output}`, #{ to: [coder, tester] });
    /// ```
    ///
    /// Errors: `flow::lang::agent`, `flow::lang::agent_file`, `flow::lang::option`, `flow::lang::unknown_option`
    /// See: `agent`, `agents`, `.ask`, `flow`
    #[rhai_fn(name = "delegate", return_raw)]
    pub fn delegate_named(
        context: NativeCallContext,
        name: &str,
        prompt: Dynamic,
        options: Map,
    ) -> Result<Step, Fault> {
        agents::delegate(&context, Some(name), &prompt, &options)
    }

    /// Asks the agent that fits a task.
    ///
    /// ```rhai,no_run
    /// let team = agents("team");
    /// delegate("Mend the failing test", #{ to: team });
    /// ```
    #[rhai_fn(return_raw)]
    pub fn delegate(context: NativeCallContext, prompt: Dynamic, options: Map) -> Result<Step, Fault> {
        agents::delegate(&context, None, &prompt, &options)
    }

    /// A question to an agent, as a step. Its output is the answer: the agent's last text, or with a `schema` the JSON value.
    ///
    /// Results of other steps can stand in the prompt, and what comes before the step in a chain is handed over as data, labelled with
    /// where it comes from. Without a name the step is called after the agent: `coder`, then `coder-2`.
    ///
    /// A question has succeeded when the agent said that it is done, without an error, its program ended well, and the answer fits the
    /// `schema`. Whatever else happens is a failure with a verdict: `failed`, `cut_off`, `silent`, `hung`, `over_budget` or `denied`.
    /// Further results: `cost_usd`, `tokens`, `turns`, `session`, `tools_used`, `denials`, `verdict`.
    ///
    /// - `name`: the step's name
    /// - `prompt` (text): what the agent is to do; results of steps may stand in it
    /// - `options`: what holds for this question: see the table below; and any key of `agent`, for this question alone
    ///
    /// ```rhai,no_run
    /// let coder = agent("coder", #{ backend: "claude" });
    /// let issue = sh("issue", "cat issue.md");
    /// let plan = coder.ask("plan", `Plan how to mend this: ${issue.output}`, #{
    ///     schema: #{ tasks: [#{ title: "string", file: "string", kind: "bug | feature" }] },
    ///     model: "opus",
    /// });
    /// each("tasks", plan.json.tasks, |task| coder.ask(`Do this: ${task.title}, in ${task.file}`));
    /// ```
    ///
    /// Errors: `flow::lang::option`, `flow::lang::unknown_option`, `flow::lang::choice`, `flow::lang::schema`, `flow::lang::agent`, `flow::plan::duplicate`
    /// See: `agent`, `->`, `|>`, `.retry`, `.timeout`, `.validate`
    #[rhai_fn(name = "ask", return_raw)]
    pub fn ask_named_with(
        context: NativeCallContext,
        agent: Agent,
        name: &str,
        prompt: Dynamic,
        options: Map,
    ) -> Result<Step, Fault> {
        agents::ask(&context, &agent, Some(name), &prompt, Some(&options))
    }

    /// A question to an agent, named after it, with options.
    ///
    /// ```rhai,no_run
    /// let coder = agent("coder", #{});
    /// coder.ask("Mend the failing test", #{ budget: #{ usd: 0.5 } });
    /// ```
    #[rhai_fn(name = "ask", return_raw)]
    pub fn ask_with(context: NativeCallContext, agent: Agent, prompt: Dynamic, options: Map) -> Result<Step, Fault> {
        agents::ask(&context, &agent, None, &prompt, Some(&options))
    }

    /// A question to an agent, with a name.
    ///
    /// ```rhai,no_run
    /// let coder = agent("coder", #{});
    /// coder.ask("mend", "Mend the failing test");
    /// ```
    #[rhai_fn(name = "ask", return_raw)]
    pub fn ask_named(context: NativeCallContext, agent: Agent, name: &str, prompt: Dynamic) -> Result<Step, Fault> {
        // Rhai comes here, too, for a prompt and options.
        match prompt.read_lock::<Map>().map(|options| options.clone()) {
            Some(options) => agents::ask(&context, &agent, None, &name.into(), Some(&options)),
            None => agents::ask(&context, &agent, Some(name), &prompt, None),
        }
    }

    /// A question to an agent, named after it.
    ///
    /// ```rhai,no_run
    /// let coder = agent("coder", #{});
    /// coder.ask("Mend the failing test");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn ask(context: NativeCallContext, agent: Agent, prompt: Dynamic) -> Result<Step, Fault> {
        agents::ask(&context, &agent, None, &prompt, None)
    }
}
