//! Values of a request. Here, and nowhere else of a request, a secret becomes text.

use crate::event::Failure;
use crate::exec::Job;
use crate::exec::secrets::Secrets;
use crate::plan::{Json, Value};
use crate::state::resolve;

/// Makes values plain.
pub(super) struct Values<'a> {
    pub job: &'a Job,
    pub secrets: &'a Secrets,
    /// What is the same in all attempts, and belongs to no other request.
    pub key: String,
}

impl Values<'_> {
    /// The value, with results and secrets filled in.
    pub fn json(&self, value: &Value) -> Result<Json, Failure> {
        resolve(&*self.secrets.reveal(value)?, &self.job.inputs)
    }
}

/// Does a value hold a secret?
pub(super) fn is_secret(value: &Value) -> bool {
    let mut is = false;
    value.each_secret(&mut |_| is = true);
    is
}
