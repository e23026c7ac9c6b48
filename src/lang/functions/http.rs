//! Requests.

use rhai::plugin::*;
use rhai::{Dynamic, NativeCallContext};

use super::declare;
use crate::lang::fault::Fault;
use crate::lang::handle::Step;
use crate::lang::requests;
use crate::plan::Task;

#[export_module]
pub mod functions {
    /// A step that makes an HTTP request. What the server answers is the step's output.
    ///
    /// A URL alone is asked with `GET`; a map says more. Values in it may be results of steps, and all but `file` may be secrets; where a
    /// result is `()`, the header or the field is left out. There is at most one body: `json`, `body`, `form` or `file`.
    ///
    /// `output` is the body: JSON if the server says that it is, else as that of a process, and `.parse` says otherwise. `code` is
    /// the status. Further properties: `http_status`, `headers` (with names in small letters) and `url`, the last one after
    /// redirects.
    ///
    /// Proxies come from the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`). Credentials and secrets are not sent on to other
    /// hosts. Where `.retry` makes another attempt, it waits for as long as the server asks with `Retry-After`.
    ///
    /// - `request` (text, or map): the URL, or a map: see the table below
    ///
    /// ```rhai
    /// let build = sh("build", "echo 1.4.0");
    /// let health = http("health", "https://example.org/health").retry(3).timeout("1m");
    /// let deploy = http("deploy", #{
    ///     url: "https://example.org/api/deploys",
    ///     headers: #{ Authorization: secret("DEPLOY_TOKEN").prefix("Bearer ") },
    ///     json: #{ version: build.output, replicas: 3 },
    ///     expect: [200, 202, 409],
    ///     idempotency_key: true,
    /// });
    /// health -> deploy;
    /// flow("result").when(|| deploy.code != 409, sh("tell", `echo ${deploy.output.id}`));
    /// ```
    ///
    /// In a shell: `curl -f`. In Airflow: an `HttpOperator`.
    ///
    /// Errors: `flow::lang::url`, `flow::lang::option`, `flow::lang::choice`, `flow::lang::unknown_option`, `flow::lang::pending`
    /// See: `secret`, `.retry`, `.validate`, `.parse`
    #[rhai_fn(return_raw)]
    pub fn http(context: NativeCallContext, name: &str, request: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| {
            requests::read(session, &request, span).map(|http| Task::Http(Box::new(http)))
        })
    }
}
