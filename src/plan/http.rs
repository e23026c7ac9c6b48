//! `http(name, #{…})`: a request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::Value;

/// An HTTP request, and what is expected of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Http {
    /// `GET`, `POST`, …
    #[schemars(with = "String")]
    pub method: SmolStr,
    /// Where to.
    pub url: Value,
    /// Further headers, in the order written. Values may be secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Value)>,
    /// Appended to the URL's query.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub query: Vec<(String, Value)>,
    /// What is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<HttpBody>,
    /// Ranges of status codes, both ends included, that are a success. Empty: 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<(u16, u16)>,
    /// Longest body of an answer, in bytes; a longer one is a failure.
    pub max_body: u64,
    /// Longest time until there is a connection, in milliseconds.
    pub connect_ms: u64,
    /// Longest time without a byte, in milliseconds.
    pub read_ms: u64,
    /// Longest time of the whole request, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_ms: Option<u64>,
    /// Most redirects that are followed.
    pub redirects: u32,
    /// Send `Idempotency-Key`, the same in all attempts of the step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotency_key: bool,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            method: "GET".into(),
            url: Value::Plain("".into()),
            headers: Vec::new(),
            query: Vec::new(),
            body: None,
            expect: Vec::new(),
            max_body: 100 * 1024 * 1024,
            connect_ms: 10_000,
            read_ms: 30_000,
            total_ms: None,
            redirects: 10,
            idempotency_key: false,
        }
    }
}

/// The body of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpBody {
    /// A value, sent as JSON.
    Json(Value),
    /// A text (or a secret), sent as it is.
    Text(Value),
    /// Fields, sent as a form.
    Form(Vec<(String, Value)>),
    /// The content of this file, relative to the step's working directory.
    File(Value),
}

impl Http {
    /// Calls `visit` with every value in it.
    pub fn each_value<'a>(&'a self, visit: &mut dyn FnMut(&'a Value)) {
        visit(&self.url);
        self.headers.iter().chain(&self.query).for_each(|(_, value)| visit(value));
        match &self.body {
            Some(HttpBody::Json(value) | HttpBody::Text(value) | HttpBody::File(value)) => visit(value),
            Some(HttpBody::Form(fields)) => fields.iter().for_each(|(_, value)| visit(value)),
            None => {}
        }
    }

    /// As [`Http::each_value`], to change them.
    pub fn each_value_mut(&mut self, visit: &mut dyn FnMut(&mut Value)) {
        visit(&mut self.url);
        self.headers.iter_mut().chain(&mut self.query).for_each(|(_, value)| visit(value));
        match &mut self.body {
            Some(HttpBody::Json(value) | HttpBody::Text(value) | HttpBody::File(value)) => visit(value),
            Some(HttpBody::Form(fields)) => fields.iter_mut().for_each(|(_, value)| visit(value)),
            None => {}
        }
    }
}
