//! What completion knows of the session: what there was after the last entry. It evaluates nothing.

use std::sync::Arc;

use super::session::Session;
use crate::flow::{Results, Variables};
use crate::plan::Plan;

/// See the module's page.
#[derive(Clone, Default)]
pub struct Known {
    pub variables: Variables,
    pub results: Option<Results>,
    pub plan: Arc<Plan>,
    pub paths: Arc<Vec<String>>,
}

impl Known {
    /// Of a session as it is now.
    pub fn of(session: &Session) -> Self {
        let plan = session.plan();
        Known {
            variables: session.sight.as_ref().map(|sight| sight.variables.clone()).unwrap_or_default(),
            results: session.results.clone(),
            paths: Arc::new(plan.ids().filter(|id| !plan.step(*id).anonymous).map(|id| plan.path(id)).collect()),
            plan: Arc::new(plan.clone()),
        }
    }
}
