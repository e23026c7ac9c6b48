//! Agents that cannot work as they are described.

use super::Findings;
use crate::diag::{Diagnostic, did_you_mean};
use crate::plan::{Agent, Ask, BACKENDS, Backend, Permission, Plan, Reference, Step, StepId, Task, Value, wording};

const AGENT: &str = "flow::plan::agent";

/// What is wrong with questions to agents.
pub(super) fn agents(plan: &Plan, found: &mut Findings) {
    for id in plan.ids() {
        if found.full() {
            return;
        }
        let step = plan.step(id);
        let Task::Agent(ask) = &*step.task else { continue };
        let mut add = |message: String, word: &str, help: String| {
            let message = format!("`{}`: {message}", wording::name(plan, id));
            found.add(Diagnostic::new(AGENT, message).label_word(step.span, word, "this question").help(help));
        };
        match (Backend::named(&ask.agent.backend), &ask.agent.via) {
            (None, None) => {
                let known = BACKENDS.iter().map(|backend| backend.name);
                let help = did_you_mean(&ask.agent.backend, known.clone());
                let help = help.unwrap_or_else(|| format!("there are: {}", known.collect::<Vec<_>>().join(", ")));
                add(format!("there is no backend `{}`", ask.agent.backend), &ask.agent.backend, help);
            }
            (None, Some(_)) => {}
            (Some(backend), _) => {
                of_backend(backend, &ask.agent, step, &mut add);
                lacks(backend, ask, &mut add);
            }
        }
        for (name, _) in &ask.agent.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                let help =
                    "a name has letters, digits and `_`, and the value stands behind it: `env: #{ NAME: \"value\" }`";
                add(format!("{name:?} cannot be the name of an environment variable"), name, help.to_owned());
            }
        }
        for tool in ask.agent.tools.iter().flatten().filter(|tool| ask.agent.deny_tools.contains(tool)) {
            let help = "take it out of one of them".to_owned();
            add(format!("the tool `{tool}` stands in `tools` and in `deny_tools`"), tool, help);
        }
        if let Some(key) = ask.agent.api_key.as_ref().filter(|key| !matches!(key, Value::Secret(_))) {
            let known = matches!(key, Value::Plain(_));
            let what =
                if known { "a key itself stands in the plan" } else { "the key comes from the result of a step" };
            add(what.to_owned(), "api_key", "a key is a secret: `api_key: secret(\"ANTHROPIC_API_KEY\")`".to_owned());
        }
        if let Some(Value::Ref(reference)) = &ask.session {
            session(plan, ask, reference, &mut add);
        }
    }
}

/// What a run would refuse, said by the same words. What [`of_backend`] says better is left to it.
fn lacks(backend: &Backend, ask: &Ask, add: &mut dyn FnMut(String, &str, String)) {
    let over_http = backend.program.is_none() && backend.name != "command";
    for lack in backend.lacks(&ask.agent, ask.session.is_some()) {
        let said = match lack.key {
            "command" => true,
            "tools" | "mcp_servers" | "args" => over_http,
            _ => false,
        };
        if !said {
            add(lack.message(&ask.agent), lack.key, lack.help.to_owned());
        }
    }
}

/// What a built-in backend does not have, or needs.
fn of_backend(backend: &Backend, agent: &Agent, step: &Step, add: &mut dyn FnMut(String, &str, String)) {
    let name = backend.name;
    let own = name == "command";
    if own && agent.command.is_empty() {
        let help = "name the program: `command: [\"./my-agent\", \"--quiet\"]`".to_owned();
        add("the backend `command` needs a `command`".to_owned(), "command", help);
    }
    if !own {
        for (key, given) in [("input", agent.input.is_some()), ("speaks", agent.speaks.is_some())] {
            if given {
                let help =
                    format!("leave it out: flow knows how `{name}` is talked to; or use the backend `\"command\"`");
                add(format!("`{key}` is for programs that flow does not know, and `{name}` it knows"), key, help);
            }
        }
    }
    let over_http = backend.program.is_none() && !own;
    if !over_http {
        if agent.max_tokens.is_some() && !own {
            let help = "use `max_turns`, or `budget: #{ tokens: 50000 }`".to_owned();
            add(format!("`max_tokens` is for backends over HTTP, and `{name}` is a program"), "max_tokens", help);
        }
        return;
    }
    let policy = step.policy();
    let given = [
        ("tools", agent.tools.as_ref().is_some_and(|tools| !tools.is_empty())),
        ("deny_tools", !agent.deny_tools.is_empty()),
        ("mcp_servers", agent.mcp_servers.is_some()),
        ("permission", agent.permission != Permission::Default),
        ("command", !agent.command.is_empty()),
        ("args", !agent.args.is_empty()),
        ("cwd", agent.cwd.is_some() || policy.cwd.is_some()),
        ("env", !agent.env.is_empty() || !policy.env.is_empty()),
        ("max_memory", agent.max_memory.is_some()),
        ("config", agent.config.is_some()),
    ];
    for (key, _) in given.into_iter().filter(|(_, given)| *given) {
        let help = "leave it out, or use a backend that is a program: `\"claude\"`, `\"codex\"`".to_owned();
        let what = match key {
            "tools" | "deny_tools" | "mcp_servers" | "permission" => "it has no tools",
            _ => "no program is started for it",
        };
        add(format!("`{key}` means nothing to the backend `{name}`: {what}"), key, help);
    }
}

/// The conversation that a question goes on with.
fn session(plan: &Plan, ask: &Ask, reference: &Reference, add: &mut dyn FnMut(String, &str, String)) {
    let from: StepId = reference.step;
    let other = wording::name(plan, from);
    let giver = plan.step(from);
    let Task::Agent(before) = &*giver.task else {
        // A group's result may be that of an agent in it.
        if !giver.task.is_group() && reference.property == "session" {
            let help = "a conversation is that of a question to an agent: `earlier.session`".to_owned();
            add(format!("it goes on with the session of `{other}`, which asks no agent"), "session", help);
        }
        return;
    };
    if reference.property != "session" {
        let help = format!("`session: {other}.session`");
        add(format!("`session` is `{other}.{}`, which is no conversation", reference.property), "session", help);
    } else if before.agent.backend != ask.agent.backend {
        let (one, two) = (&before.agent.backend, &ask.agent.backend);
        let help = format!("use the same backend; or hand over what was said: `${{{other}.text}}` in the prompt");
        add(format!("`{two}` cannot go on with a conversation of `{one}`"), "session", help);
    }
}
