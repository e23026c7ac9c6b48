//! Values of a request. Here, and nowhere else of a request, a secret becomes text.

use url::form_urlencoded;

use crate::event::Failure;
use crate::exec::Job;
use crate::plan::{Json, SecretRef, Value};
use crate::state::resolve;
use crate::state::result::plain_text;

/// Makes values plain, and remembers the secrets among them.
pub(super) struct Values<'a> {
    job: &'a Job,
    /// The secrets that became text: nothing that holds one is shown.
    pub revealed: Vec<String>,
}

impl<'a> Values<'a> {
    pub fn of(job: &'a Job) -> Self {
        Values { job, revealed: Vec::new() }
    }

    /// The value as JSON.
    pub fn json(&mut self, value: &Value) -> Result<Json, Failure> {
        let mut secret = false;
        value.each_secret(&mut |_| secret = true);
        if !secret {
            return resolve(value, &self.job.inputs);
        }
        Ok(match value {
            Value::Secret(secret) => self.reveal(secret)?.into(),
            Value::Text(parts) => {
                let texts: Vec<String> =
                    parts.iter().map(|part| self.json(part).map(|part| plain_text(&part))).collect::<Result<_, _>>()?;
                texts.concat().into()
            }
            Value::List(items) => items.iter().map(|item| self.json(item)).collect::<Result<_, _>>()?,
            Value::Map(entries) => {
                Json::Object(entries.iter().map(|(key, value)| Ok((key.clone(), self.json(value)?))).collect::<Result<
                    _,
                    Failure,
                >>(
                )?)
            }
            other => resolve(other, &self.job.inputs)?,
        })
    }

    fn reveal(&mut self, secret: &SecretRef) -> Result<String, Failure> {
        resolve(&Value::Secret(secret.clone()), &self.job.inputs).map(|value| plain_text(&value))
    }
}

/// A text without these secrets, neither as they are nor as a URL spells them.
pub(super) fn without(secrets: &[String], text: &str) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        let in_url: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        text = text.replace(secret.as_str(), "***").replace(&in_url, "***");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let secrets = ["a b&c".to_owned()];
        assert_eq!(without(&secrets, "http://example.org/?x=a+b%26c and a b&c"), "http://example.org/?x=*** and ***");
    }
}
