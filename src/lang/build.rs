//! Evaluating a script: it makes its plan.

use std::path::Path;
use std::sync::Arc;

use rhai::{Dynamic, Scope};

use super::fault::{self, Fault};
use super::program::{Program, on_large_stack};
use super::session::{self, Frame, Purpose, Session};
use super::swarm;
use crate::diag::{Diagnostic, Result, did_you_mean, nearest};
use crate::plan::{self, Builder, Growth, Param, StepId};
use crate::state::{Files, StepResult};

/// Does what `run(step)` in a script asks for.
pub trait Runner: Send {
    /// Adds `growth` to the plan, waits until `steps` are final and gives their results, in this order. While it waits, only
    /// what these steps need may run. `printed`: what the script has printed since the last time.
    fn run(&mut self, growth: Growth, printed: String, steps: &[StepId]) -> Result<Vec<Arc<StepResult>>>;

    /// Where the run keeps the files of long outputs.
    fn files(&self) -> Arc<dyn Files>;
}

/// What evaluating a script gave.
#[derive(Clone, Debug)]
pub struct Built {
    /// The plan, or what has come to it since the last `run(…)`.
    pub growth: Growth,
}

impl Program {
    /// Evaluates the script: makes its plan. `args`: parameters as given on the command line.
    ///
    /// Without a runner, `run(…)` ends the evaluation there (`Header::stopped_at`). Blocks; uses a thread of its own.
    pub fn build(&self, args: &[(String, String)], runner: Option<Box<dyn Runner>>) -> Result<Built> {
        self.evaluate(dynamic(args), Purpose::Build, runner, |_, _, _| ()).0
    }

    /// As [`Program::build`], and gives also what the script has printed since the last `run(…)`, wrong or not.
    pub fn build_and_tell(
        &self,
        args: &[(String, String)],
        runner: Option<Box<dyn Runner>>,
    ) -> (Result<Built>, String) {
        self.build_with(dynamic(args), runner)
    }

    /// The same, with parameters that are values of a script.
    pub(super) fn build_with(
        &self,
        args: Vec<(String, Dynamic)>,
        runner: Option<Box<dyn Runner>>,
    ) -> (Result<Built>, String) {
        let (built, _, _, printed) = self.evaluate(args, Purpose::Build, runner, |_, _, _| ());
        (built, printed)
    }

    /// The parameters that the script declares, as far as it can be evaluated without their values.
    pub fn parameters(&self, args: &[(String, String)]) -> Vec<Param> {
        self.evaluate(dynamic(args), Purpose::Describe, None, |_, _, _| ()).2
    }

    /// `look`: what else is to be seen at the end, when the script went well: its scope, and its value if it has one.
    pub(super) fn evaluate<T: Send>(
        &self,
        args: Vec<(String, Dynamic)>,
        purpose: Purpose,
        runner: Option<Box<dyn Runner>>,
        look: impl FnOnce(&mut Session, &Scope, Option<&Dynamic>) -> T + Send,
    ) -> (Result<Built>, Option<T>, Vec<Param>, String) {
        let interrupt = session::interrupt();
        on_large_stack(|| {
            session::set_interrupt(interrupt);
            let mut session = Session::new(self, purpose);
            let mut builder = Builder::default();
            builder.header.version = plan::VERSION;
            builder.header.name = workflow_name(&self.0.script.name);
            builder.header.add_secrets(self.secrets());
            session.builder = Some(builder);
            session.runner = runner;
            session.frames.push(Frame { args, nested: false });
            let main = self.files()[0].clone();
            let ((result, looked), mut session) = session.enter(|| {
                let mut scope = self.scope();
                let result = self.0.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &main.ast);
                let result = result.and_then(|value| swarm::finish_all().map(|()| value));
                session::with(|session| match &result {
                    Err(_) => {
                        session.keys = fault::keys_of_scope(&scope);
                        (result, None)
                    }
                    Ok(value) => {
                        let looked = look(session, &scope, Some(value).filter(|value| !value.is_unit()));
                        (result, Some(looked))
                    }
                })
            });
            let params = session.builder.as_ref().map(|b| b.header.params.clone()).unwrap_or_default();
            let built = self.finish(result, &mut session);
            (built, looked, params, std::mem::take(&mut session.printed))
        })
    }

    pub(super) fn finish(&self, result: std::result::Result<Dynamic, Fault>, session: &mut Session) -> Result<Built> {
        if let Some(refused) = session.refused.take() {
            return Err(refused.with_sources(&self.texts()));
        }
        if let Err(error) = result
            && session.stopped_at.is_none()
        {
            return Err(fault::diagnose(&error, session));
        }
        let stopped_at = session.stopped_at;
        let unused = session.frames.first().and_then(|frame| frame.args.first()).map(|(name, _)| name.clone());
        let builder = session.builder.as_mut().expect("a session that evaluates a script has a builder");
        if let Some(name) = unused
            && stopped_at.is_none()
        {
            let known: Vec<&str> = builder.header.params.iter().map(|param| param.name.as_str()).collect();
            let problem = Diagnostic::new("flow::param::unknown", format!("the script has no parameter `{name}`"));
            let meant = nearest(&name, known.iter().copied())
                .and_then(|near| builder.header.params.iter().find(|param| param.name == near));
            let problem = meant.iter().fold(problem, |problem, meant| problem.label(meant.span, "declared here"));
            return Err(match did_you_mean(&name, known) {
                Some(help) => problem.help(help),
                None => problem.help("it declares none; a parameter is declared with `param(\"name\", #{…})`"),
            });
        }
        builder.header.stopped_at = stopped_at;
        builder.header.add_secrets(self.secrets());
        builder.header.files = self.sources().iter().map(|(name, text)| plan::File::of(name, text)).collect();
        builder.settle().map_err(|problem| problem.with_sources(&self.texts()))?;
        if let Some(problem) = as_one(builder.check()) {
            return Err(problem.with_sources(&self.texts()));
        }
        let growth = session.builder.take().map(Builder::last_growth).unwrap_or_default();
        Ok(Built { growth })
    }

    /// The variables that every script sees.
    pub(super) fn scope(&self) -> Scope<'static> {
        let mut scope = Scope::new();
        let folder = self.folder().map(|folder| folder.display().to_string()).unwrap_or_default();
        scope.push_constant("script_dir", folder);
        scope
    }
}

/// Parameters as values of a script.
pub(super) fn dynamic(args: &[(String, String)]) -> Vec<(String, Dynamic)> {
    args.iter().map(|(name, value)| (name.clone(), Dynamic::from(value.clone()))).collect()
}

/// Several problems as one: the first, with the others beside it.
pub(super) fn as_one(problems: Vec<Diagnostic>) -> Option<Diagnostic> {
    let mut problems = problems.into_iter();
    let first = problems.next()?;
    Some(first.with_related(problems.collect()))
}

/// The name of a workflow: its file's, without folder and ending.
fn workflow_name(script: &str) -> String {
    let name = Path::new(script).file_stem().map(|name| name.to_string_lossy().into_owned());
    name.filter(|name| !name.is_empty() && name != "-").unwrap_or_else(|| "script".to_owned())
}
