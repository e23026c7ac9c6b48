//! Secrets, by name.

use rhai::plugin::*;
use rhai::{Dynamic, NativeCallContext};

use crate::diag::Diagnostic;
use crate::lang::fault::{Fault, raise};
use crate::lang::{options, session};
use crate::plan::SecretRef;

/// A text that a script puts around a secret.
fn around(context: &NativeCallContext, text: &Dynamic, what: &str) -> Result<String, Fault> {
    options::text(text, what, options::here(context))
}

#[export_module]
pub mod functions {
    /// A secret, by its name: a token, a password, a key.
    ///
    /// The script never learns its value, nor does the plan. It can stand as a value of `.env(…)`, in `.stdin(…)`, in the `env` of
    /// settings, and in headers and bodies of `http`. It comes from the environment variable of its name, or from where `[secrets]`
    /// in `flow.toml` says. Whatever a step prints, it is replaced by `***` there, also in base64, hexadecimal or URL encoding.
    ///
    /// - `name`: the secret's name: letters, digits, `_`, `-` and `.`
    ///
    /// ```rhai
    /// sh("push", "curl -fsS -H \"Authorization: Bearer $TOKEN\" https://example.com")
    ///     .env(#{ TOKEN: secret("DEPLOY_TOKEN") });
    /// ```
    ///
    /// In GitHub Actions: `${{ secrets.NAME }}`. In Airflow: a connection. In Nextflow: `secret 'NAME'`.
    ///
    /// Errors: `flow::lang::secret`, `flow::lang::option`, `flow::config::value`
    /// See: `.prefix`, `.env`, `http`
    #[rhai_fn(return_raw)]
    pub fn secret(context: NativeCallContext, name: &str) -> Result<SecretRef, Fault> {
        let span = options::here(&context);
        let name = options::name(&context, name)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || !name.chars().all(fits) {
            return Err(raise(
                Diagnostic::new("flow::lang::option", "the name of a secret holds letters, digits, `_`, `-` and `.`")
                    .label(span, "named here")
                    .help("give its name, never its value: `secret(\"DEPLOY_TOKEN\")` is the environment variable DEPLOY_TOKEN, or what `flow.toml` says of it"),
            ));
        }
        session::with(|session| {
            if let Some(builder) = session.builder.as_mut() {
                builder.header.add_secrets([name.into()]);
            }
        });
        Ok(SecretRef { name: name.into(), before: String::new(), after: String::new() })
    }

    /// A secret with a text before it.
    ///
    /// - `text` (text): what stands before it
    ///
    /// ```rhai
    /// sh("push", "./push.sh").env(#{ AUTH: secret("TOKEN").prefix("Bearer ") });
    /// ```
    ///
    /// Errors: `flow::lang::pending`, `flow::lang::option`
    /// See: `secret`, `.suffix`
    #[rhai_fn(return_raw)]
    pub fn prefix(context: NativeCallContext, secret: SecretRef, text: Dynamic) -> Result<SecretRef, Fault> {
        let before = around(&context, &text, "the text before a secret")? + secret.before.as_str();
        Ok(SecretRef { before, ..secret })
    }

    /// A secret with a text after it.
    ///
    /// - `text` (text): what stands after it
    ///
    /// ```rhai
    /// sh("push", "./push.sh").env(#{ LOGIN: secret("PASSWORD").prefix("ada:").suffix("\n") });
    /// ```
    ///
    /// Errors: `flow::lang::pending`, `flow::lang::option`
    /// See: `secret`, `.prefix`
    #[rhai_fn(return_raw)]
    pub fn suffix(context: NativeCallContext, secret: SecretRef, text: Dynamic) -> Result<SecretRef, Fault> {
        let after = secret.after.clone() + around(&context, &text, "the text after a secret")?.as_str();
        Ok(SecretRef { after, ..secret })
    }
}
