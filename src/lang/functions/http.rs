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
    /// A step that makes an HTTP request: a URL, which is then asked with `GET`, or a map.
    ///
    /// `request`: `url`; `method` (without one `GET`, with a body `POST`); `headers` and `query`, maps; at most one body:
    /// `json` (any value), `body` (a text), `form` (a map), `file` (a path); `expect`, the statuses that are a success: `200`,
    /// `"2xx"`, `"200-299"`, or a list of those (200 to 299 where nothing is said); `max_body`, the longest answer
    /// (`"100MiB"`); `connect_timeout` (`"10s"`), `read_timeout`, the longest time in which nothing moves (`"30s"`), `timeout`,
    /// that of the whole request; `redirects`, how many are followed (10); `idempotency_key: true` sends a header
    /// `Idempotency-Key` that is the same in all attempts of the step. Values may be results of steps, and all but `file` may be
    /// secrets; where a result is `()`, the header or the field is left out; a list in `query` or `form` is sent as a field for
    /// each item.
    ///
    /// `output` is the body: JSON if the server says that it is, else as that of a process, and `.parse` says otherwise. `code` is
    /// the status. Further properties: `http_status`, `headers` (with names in small letters) and `url`, the last one
    /// after redirects. Proxies come from the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`). Credentials and secrets are
    /// not sent on to other hosts. Where `.retry` makes another attempt, it waits for as long as the server asks with `Retry-After`.
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
    /// In a shell: `curl`.
    #[rhai_fn(return_raw)]
    pub fn http(context: NativeCallContext, name: &str, request: Dynamic) -> Result<Step, Fault> {
        declare(&context, name, |session, span| {
            requests::read(session, &request, span).map(|http| Task::Http(Box::new(http)))
        })
    }
}
