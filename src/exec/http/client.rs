//! Connections: one client for each connect timeout, which keeps those that it has for the next request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, redirect};

use crate::event::{Failure, FailureKind};
use crate::plan::Class;

/// The clients of a run.
#[derive(Default)]
pub(super) struct Clients(Mutex<HashMap<u64, Client>>);

impl Clients {
    /// The client for requests with this connect timeout, in milliseconds.
    pub fn get(&self, connect_ms: u64) -> Result<Client, Failure> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&connect_ms) {
            return Ok(client.clone());
        }
        let client = make(connect_ms)?;
        clients.insert(connect_ms, client.clone());
        Ok(client)
    }
}

/// Proxies come from the environment of flow, as reqwest reads it. Redirects are followed by us (see `redirect`).
fn make(connect_ms: u64) -> Result<Client, Failure> {
    // Fails if there is one already, of an embedding program for instance: then that one does.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = || {
        let client = Client::builder().connect_timeout(Duration::from_millis(connect_ms));
        client.redirect(redirect::Policy::none()).referer(false)
    };
    // A system without a single certificate can still speak http.
    let client = builder().build().or_else(|error| {
        tracing::debug!(%error, "no certificates of the system");
        builder().tls_certs_only([]).build()
    });
    client.map_err(|error| {
        let mut failure = Failure::new(
            FailureKind::Connection,
            format!("no request can be made: {}", super::trouble::deepest(&error)),
        );
        failure.class = Class::Configuration;
        failure.help(
            "are the certificates of the system, and the variables `HTTPS_PROXY` and `HTTP_PROXY`, as they should be?",
        )
    })
}
