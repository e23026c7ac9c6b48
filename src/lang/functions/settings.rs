//! Settings of the whole script.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use crate::diag::{Diagnostic, Span};
use crate::lang::convert::{Steps, to_json, to_value};
use crate::lang::fault::{Fault, raise};
use crate::lang::options::{Options, here, wrong};
use crate::lang::{classes, keys, policies, session};
use crate::plan::{Order, SecretRef, UndoScope, Value};

/// Environment variables whose values are known, or secrets.
fn env_of(options: &mut Options, span: Span) -> Result<Vec<(String, Value)>, Fault> {
    let Some(value) = options.take("env") else { return Ok(Vec::new()) };
    let map =
        value.read_lock::<Map>().map(|m| m.clone()).ok_or_else(|| wrong("`env` of settings", "a map", &value, span))?;
    let known = |value: &Dynamic| match value.is::<SecretRef>() {
        true => session::with(|s| to_value(s, value, Steps::OrSecrets, span)),
        false => session::with(|s| to_json(s, value, span)).map(Value::Plain),
    };
    map.iter().map(|(key, value)| Ok((key.to_string(), known(value)?))).collect()
}

#[export_module]
pub mod functions {
    /// Settings of the whole script.
    ///
    /// A later call adds to an earlier one. In a sub-workflow they hold only when it runs alone.
    ///
    /// ```rhai
    /// settings(#{ max_parallel: 4, timeout: "1h", on_failure: "stop" });
    /// settings(#{
    ///     classes: #{ "exit 75": "transient", "/quota exceeded/": "resource" },
    ///     strategies: #{ transient: #{ retry: #{ max_attempts: 5, delay: "2s" } }, resource: #{ wait: "1m" } },
    /// });
    /// ```
    ///
    /// In make: `MAKEFLAGS`, `.SHELLFLAGS`. In GitHub Actions: `defaults:`, `concurrency:`. In Airflow: arguments of the DAG. In just: `set`.
    ///
    /// Errors: `flow::lang::option`, `flow::lang::choice`, `flow::lang::unknown_option`, `flow::lang::class`, `flow::plan::setting`
    /// See: `param`, `limit`, `.on_error`, `.undo`
    #[rhai_fn(return_raw)]
    pub fn settings(context: NativeCallContext, options: Map) -> Result<(), Fault> {
        let span = here(&context);
        let mut options = Options::of(&keys::SETTINGS, &options, span);
        let max_parallel = options.count("max_parallel", 1)?;
        let timeout = options.duration("timeout")?;
        if timeout == Some(0) {
            return Err(raise(
                Diagnostic::new("flow::plan::setting", "the timeout of the run is 0: it would end before it begins")
                    .label_word(span, "timeout", "given here")
                    .help("give a time such as \"30m\", or leave it out"),
            ));
        }
        let on_failure = options
            .take("on_failure")
            .map(|value| policies::on_error(&value, "`on_failure` of settings", span))
            .transpose()?;
        let order = options.choice("order", &Order::ALL)?;
        let undo = options.choice("undo", &UndoScope::ALL)?;
        let cwd = options.text("cwd")?;
        let shell = options.text("shell")?;
        let output_limit = options.bytes("output_limit")?;
        let rules = options.take("classes").map(|value| classes::rules(&value, span)).transpose()?;
        let strategies = options.take("strategies").map(|value| classes::strategies(&value, span)).transpose()?;
        let env = env_of(&mut options, span)?;
        options.done()?;
        let nested = session::with(|s| s.frames.last().is_some_and(|frame| frame.nested));
        session::build(&context, |builder, _| {
            if !nested {
                let settings = &mut builder.header.settings;
                settings.max_parallel = max_parallel.or(settings.max_parallel);
                settings.timeout_ms = timeout.or(settings.timeout_ms);
                settings.on_failure = on_failure.or(settings.on_failure);
                settings.order = order.unwrap_or(settings.order);
                settings.undo = undo.unwrap_or(settings.undo);
                settings.cwd = cwd.or(settings.cwd.take());
                settings.shell = shell.or(settings.shell.take());
                settings.output_limit = output_limit.or(settings.output_limit);
                settings.env.extend(env);
                settings.classes.extend(rules.unwrap_or_default());
                settings.strategies.extend(strategies.unwrap_or_default());
            }
            Ok(())
        })
    }
}
