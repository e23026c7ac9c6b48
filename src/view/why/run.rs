//! A whole run: what goes on, what waits for what, what failed and what was skipped.

use super::{SHOWN, Story};
use crate::event::{Because, RunStatus, Skip};
use crate::plan::StepId;
use crate::plan::wording::list;
use crate::state::Status;
use crate::view::summary::shell_word;
use crate::view::{Tone, place, reason};

impl Story<'_> {
    /// What is going on, and what waits for what.
    pub(super) fn open_steps(&mut self) {
        let (why, state) = (self.why, self.why.state);
        let leaf = |id: &StepId| !state.plan.step(*id).task.is_group();
        let (mut now, mut waiting) = (Vec::new(), Vec::new());
        for id in state.plan.ids().filter(leaf) {
            match state.step(id).status {
                Status::Running | Status::Retrying | Status::Waiting => now.push(id),
                Status::Pending | Status::Ready if !why.status.is_final() => waiting.push(id),
                _ => {}
            }
        }
        let title = match why.status {
            RunStatus::Interrupted => "Not finished",
            RunStatus::Paused => "Open",
            _ => "Going on",
        };
        self.section(title, &now, |story, id| {
            let (path, said) = (story.why.path(id), story.now(id));
            story.line(&format!("{path}: {said}"));
            story.within(|story| story.way_on(id));
        });
        self.section("Waiting", &waiting, |story, id| {
            let paths: Vec<_> = story.roots(id).iter().map(|id| format!("`{}`", story.why.path(*id))).collect();
            let path = story.why.path(id);
            let on_alert = story.why.state.plan.step(id).on_alert;
            match paths.len() {
                _ if on_alert.is_some() => {
                    let of = on_alert.map_or(String::new(), |on| format!(" of `{}`", story.why.path(on.step)));
                    story.line(&format!("{path}: runs if an alert{of} is raised"));
                }
                0 if story.why.state.plan.hook(id).is_some() => story.line(&format!("{path}: a hook, for later")),
                0 => story.line(&format!("{path}: {}", story.ready(id))),
                _ => story.line(&format!("{path}: waits for {}", list(&paths, 5))),
            }
        });
    }

    /// What failed.
    pub(super) fn failures(&mut self) {
        let state = self.why.state;
        let failed = |id: &StepId| state.step(*id).status == Status::Failed && !reason::is_child_failure(state, *id);
        let mut failed: Vec<_> = state.plan.ids().filter(failed).collect();
        failed.sort_by_key(|id| !state.fails_run(*id));
        self.section("Failed", &failed, |story, id| {
            let state = story.why.state;
            let at = place(&state.plan, state.plan.step(id).span);
            let at = at.map_or(String::new(), |at| story.why.look.paint(Tone::Faint, &format!("  {at}")));
            let said = reason::failed(state.step(id).outcome.as_deref());
            story.line(&format!("{}: {said}{at}", story.why.path(id)));
            if let Some(how) = reason::handled(state, id) {
                story.within(|story| story.line(&format!("the run does not fail by it: {how}")));
            }
        });
        if let Some(first) = failed.first() {
            let word = shell_word(&self.why.path(*first));
            self.line(&format!("More: flow why {} {word}", state.created.run));
        }
    }

    /// What was skipped, except where that only follows from another skip.
    pub(super) fn skips(&mut self) {
        let state = self.why.state;
        let root = |id: &StepId| match state.step(*id).skip.as_deref() {
            Some(Skip::NotTaken(because) | Skip::UpstreamFailed(because)) => match because {
                Because::Group(_) => false,
                Because::Predecessor(before) => state.step(*before).status != Status::Skipped,
                _ => true,
            },
            None => false,
        };
        let skipped: Vec<_> = state.plan.ids().filter(root).collect();
        self.section("Skipped", &skipped, |story, id| {
            let said = reason::skipped(story.why.state, id);
            story.line(&format!("{}: {said}", story.why.path(id)));
        });
    }

    fn section(&mut self, title: &str, ids: &[StepId], mut tell: impl FnMut(&mut Self, StepId)) {
        if ids.is_empty() {
            return;
        }
        self.gap();
        self.line(&self.why.look.paint(Tone::Strong, &format!("{title}:")));
        self.indent += 1;
        for id in ids.iter().take(SHOWN) {
            tell(self, *id);
        }
        if ids.len() > SHOWN {
            self.line(&format!("and {} more", ids.len() - SHOWN));
        }
        self.indent -= 1;
    }
}
