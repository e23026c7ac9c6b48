//! Steps that wait for something from outside: what was asked and until when, who answered, and how to answer.

use super::Story;
use crate::event::{Answer, Event, Record, WaitFor};
use crate::plan::{StepId, Task};
use crate::state::result::{plain_text, shorten};
use crate::view::look::one_line;
use crate::view::{MASK, is_secret, reason, waits};

/// Longest value of a form that is shown.
const VALUE: usize = 60;

impl Story<'_> {
    /// It began to wait. (Of what it waits for now, `awaits` tells.)
    pub(super) fn asked(&mut self, id: StepId, record: &Record, what: &WaitFor) {
        let at = self.why.clock.time(record.at);
        let again = |record: &Record| matches!(&*record.event, Event::Waiting { step, .. } if *step == id);
        let is_over = self.why.state.waits_of(id).is_none();
        if *what != WaitFor::Time && (is_over || self.why.records.iter().any(|r| r.seq > record.seq && again(r))) {
            self.line(&format!("From {at} on it waited {}.", reason::awaited(what)));
        }
    }

    /// What came for it.
    pub(super) fn answered(&mut self, id: StepId, answer: &Answer) {
        let said = waits::answered(&self.why.state.plan, id, answer);
        self.line(&format!("At {} {said}.", self.why.clock.time(answer.at)));
        if !answer.form.is_empty() {
            let hidden = is_secret(&self.why.state.plan, id);
            let value = |value| if hidden { MASK.to_owned() } else { shorten(&one_line(&plain_text(value)), VALUE) };
            let form: Vec<_> = answer.form.iter().map(|(key, v)| format!("{key}: {}", value(v))).collect();
            self.within(|story| story.line(&form.join(", ")));
        }
    }

    /// What it waits for now.
    pub(super) fn awaits(&mut self, id: StepId) {
        let Some(waits) = self.why.state.waits_of(id) else { return };
        if matches!(*self.why.state.plan.step(id).task, Task::Wait(_)) {
            let at = self.why.clock.time(waits.until.unwrap_or_default());
            return self.line(&format!("It waits until {at}: {}.", self.now(id)));
        }
        let otherwise = waits.until.and_then(|_| waits::otherwise(&waits.what));
        let otherwise = otherwise.map_or(String::new(), |otherwise| format!("; {otherwise}"));
        self.line(&format!("It waits {}{otherwise}.", waits::waits_for(&waits, self.why.clock)));
        if let WaitFor::Answer { form, .. } = &*waits.what {
            for field in form {
                let default = field.default.as_ref().map_or(String::new(), |v| format!(", else `{}`", plain_text(v)));
                let help = if field.help.is_empty() { String::new() } else { format!(": {}", one_line(&field.help)) };
                self.within(|story| story.line(&format!("{} ({}{default}){help}", field.name, field.kind)));
            }
        }
        self.way_on(id);
    }

    /// How to answer.
    pub(super) fn way_on(&mut self, id: StepId) {
        let waits = self.why.state.waits_of(id).filter(|_| !self.why.status.is_final());
        let command = waits.and_then(|waits| waits::titled_command(&self.why.state.created.run, &waits));
        if let Some(command) = command {
            self.line(&command);
        }
    }
}
