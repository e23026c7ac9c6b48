//! What stands in for the world: the doubles of steps, and what comes for those that wait.

use super::Scene;
use super::play::{Coming, Play};
use crate::diag::{Diagnostic, Result, did_you_mean};
use crate::engine::drive::Message;
use crate::event::{Answer, Double, Event, Reply, WaitFor};
use crate::exec::{Job, Work};
use crate::plan::{StepId, Task};
use crate::state::form::filled;
use crate::store::{Addressee, Letter};

impl Play {
    /// The double of a step: the last one that fits, where one with the whole path of another step does not.
    fn double(&self, scene: &Scene, step: StepId) -> Option<usize> {
        let path = self.paths.get(step.index())?;
        scene.doubles.iter().rposition(|double| {
            double.fits(path)
                && (double.is_pattern() || *path == double.pattern || !self.known.contains(&double.pattern))
        })
    }

    fn reply<'a>(&self, scene: &'a Scene, step: StepId, attempt: u32) -> Option<(&'a Double, &'a Reply)> {
        let double = &scene.doubles[self.double(scene, step)?];
        double.reply(attempt).map(|reply| (double, reply))
    }

    /// Begins a piece of work: as its double says, or for real where it stays inside the process.
    pub fn begin_work(&mut self, scene: &Scene, work: Work) {
        let job = match work {
            Work::Attempt(job) if !job.task.waits() => job,
            work => {
                let done = self.executor.perform(work, self.wall());
                return self.inbox.send(Message::Done(done));
            }
        };
        let mut job = Job { path: self.paths.get(job.step.index()).cloned().unwrap_or_default(), ..job };
        let key = (job.step, job.attempt);
        if let Some(past) = &scene.past {
            return self.begin_again(&**past, job);
        }
        let reply = self.reply(scene, job.step, job.attempt);
        let process = job.task.leaves_process();
        let (done, takes_ms) = match reply {
            Some((double, Reply { answer: Some(_), .. })) => {
                let problem = wrong(double, &format!("`{}` asks nobody: it is a `{}`", job.path, job.task.kind()));
                self.problem = Some(problem.help(
                    "`answers` is for `approve`, `signal` and `wait_for`; say what it gives with `returns` or `prints`",
                ));
                return;
            }
            Some((_, reply)) if !process && !reply.said => {
                let done = self.executor.perform(Work::Attempt(Job { path: String::new(), ..job }), self.wall());
                (done, reply.takes_ms)
            }
            Some((_, reply)) => {
                let blank = |step| self.blank.contains(&step);
                let failed = if process { self.executor.unreadable(&job, blank) } else { None };
                match failed {
                    Some(done) => (done, 0),
                    None => (self.executor.reply(&job, reply), reply.takes_ms),
                }
            }
            // What a closure gives for lines that nobody writes is nothing.
            None if process && scene.strict && !matches!(*job.task, Task::Filter(_)) => {
                let would = match *job.task {
                    Task::Pipeline(_) => "is a pipeline",
                    _ => "would start a process",
                };
                let message = format!("nothing was said of `{}`, which {would}", job.path);
                let help = format!("say what it gives: `given(\"{}\").returns(…)`; or leave out `strict()`", job.path);
                self.problem = Some(Diagnostic::new("flow::test::double", message).help(help));
                return;
            }
            None if process => {
                let failed = self.executor.unreadable(&job, |step| self.blank.contains(&step));
                self.blank.insert(job.step);
                (failed.unwrap_or_else(|| self.executor.reply(&job, &Reply::default())), 0)
            }
            None => {
                job.path.clear();
                (self.executor.perform(Work::Attempt(job), self.wall()), 0)
            }
        };
        match takes_ms {
            0 => self.inbox.send(Message::Done(done)),
            takes => {
                let number = self.later(takes, Coming::Done(done));
                self.going.insert(key, number);
            }
        }
    }

    /// Steps that have begun to wait: what was said of them comes.
    pub fn look_at_log(&mut self, scene: &Scene) {
        let waiting: Vec<(StepId, WaitFor)> = {
            let records = self.log.records();
            records.iter().skip(self.seen).for_each(|record| self.executor.circuits().count(record));
            let new = records.iter().skip(self.seen).filter_map(|record| match &*record.event {
                Event::Waiting { step, what, .. } if *what != WaitFor::Time => Some((*step, what.clone())),
                _ => None,
            });
            let new = new.collect();
            self.seen = records.len();
            new
        };
        for (step, what) in waiting {
            let attempt = self.driver.state().step(step).attempt;
            if let Some(past) = &scene.past {
                self.comes_again(&**past, step, attempt, &what);
                continue;
            }
            let Some((double, reply)) = self.reply(scene, step, attempt) else { continue };
            let path = self.paths[step.index()].clone();
            match self.comes(double, reply, &path, &what, attempt) {
                Ok(Some(coming)) => drop(self.later(reply.takes_ms, coming)),
                Ok(None) => {}
                Err(problem) => self.problem = Some(problem),
            }
        }
    }

    /// What comes from outside for a step that waits.
    fn comes(
        &self,
        double: &Double,
        reply: &Reply,
        path: &str,
        what: &WaitFor,
        attempt: u32,
    ) -> Result<Option<Coming>> {
        let kind = match what {
            WaitFor::Answer { .. } => "an answer",
            WaitFor::Signal { .. } => "a signal",
            _ => "a file",
        };
        if reply.error.is_some() || reply.printed.is_some() || !reply.value.is_null() {
            return Err(wrong(
                double,
                &format!("`{path}` waits for {kind}, so it neither returns nor fails by itself"),
            )
            .help("say what comes: `.answers(\"yes\")`; or nothing, and its timeout passes"));
        }
        let Some(answer) = &reply.answer else { return Ok(None) };
        let letter = self.number + 1;
        let answer = Answer { letter, at: self.wall(), by: "test".into(), ..answer.clone() };
        match what {
            WaitFor::Answer { choices, form, refusable, .. } => {
                let given = answer.value.as_str().unwrap_or_default();
                if !choices.iter().any(|choice| choice == given) {
                    let list = choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ");
                    let near = did_you_mean(given, choices.iter().map(|choice| choice.as_str()));
                    let problem = wrong(double, &format!("`{}` is no answer to `{path}`", answer.value));
                    return Err(problem.help(near.unwrap_or_else(|| format!("one of: {list}"))));
                }
                let to = Addressee::Step { path: path.to_owned(), attempt };
                let refused = *refusable && given == "no";
                let form = filled(path, form, &answer.form, !refused).map_err(|problem| {
                    wrong(double, problem.message())
                        .help("the values of a form: `.answers(\"yes\", #{ name: \"value\" })`")
                })?;
                let answer = Answer { form, ..answer };
                Ok(Some(Coming::Letter(Letter { to, answer })))
            }
            WaitFor::Signal { name, .. } => {
                Ok(Some(Coming::Letter(Letter { to: Addressee::Signal(name.to_string()), answer })))
            }
            WaitFor::File { path, .. } => Ok(Some(Coming::File(path.clone()))),
            WaitFor::Time => Ok(None),
        }
    }

    /// Which doubles stand for steps of the run, or for children that a group would have had if it had come to that.
    pub fn met(&self, scene: &Scene) -> Vec<bool> {
        let plan = &self.driver.state().plan;
        let steps: Vec<(&String, StepId)> = self.paths.iter().zip(plan.ids()).collect();
        let met = |double: &Double| {
            let begin = double.pattern.split(['[', '*', '?']).next().unwrap_or_default().trim_end_matches('/');
            let open = |path: &str, id: StepId| {
                begin.len() < double.pattern.len()
                    && (path == begin || path.strip_suffix(begin).is_some_and(|before| before.ends_with('/')))
                    && plan.gets_steps_at_run_time(id)
                    && plan.members(id).is_empty()
            };
            let fits = |(path, id): &(&String, StepId)| {
                double.fits(path) && !plan.step(*id).task.is_group() || open(path, *id)
            };
            steps.iter().any(fits)
        };
        scene.doubles.iter().map(met).collect()
    }
}

/// Something is wrong with a double.
fn wrong(double: &Double, message: &str) -> Diagnostic {
    Diagnostic::new("flow::test::double", message).label(double.span, "given here")
}
