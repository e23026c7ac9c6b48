//! The language: a script becomes a plan, and its closures are called while the plan runs.
//!
//! This is the only room that knows Rhai. A [`Program`] is a compiled script; [`Program::build`] evaluates it once, which
//! only describes work; [`Program::decide`], [`Program::call`] and [`Program::expand`] call its closures later.
//! Nothing here starts a process, writes a file or knows the engine.

#![allow(deprecated)] // rhai marks what is volatile in it as deprecated: its version is pinned by Cargo.lock

mod closures;
mod combine;
mod convert;
mod fault;
mod functions;
mod handle;
mod host;
mod modules;
mod operators;
mod options;
mod policies;
mod reference;
mod session;
mod texts;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};

use rhai::{AST, Dynamic, Engine, NativeCallContext, NativeCallContextStore, Scope};

use crate::diag::{Diagnostic, Result, Sources, Span, did_you_mean, nearest};
use crate::event::{Decision, Failure, FailureKind, Saw};
use crate::plan::{self, Builder, Closure, Condition, Growth, Json, Param, Plan, StepId, Value};
use crate::state::result::{holds, kind_of};
use crate::state::{Files, Inputs, StepResult};

use fault::Fault;
pub use host::{Host, SharedHost};
pub use modules::{LARGEST, text_of};
pub use reference::{Item, Kind as ItemKind, items};
pub use session::interruptible;
use session::{Frame, Purpose, Session};

/// A script that is to be compiled.
#[derive(Clone, Debug)]
pub struct Script {
    /// As the user named it; it stands in messages.
    pub name: String,
    /// Where it is; modules and sub-workflows are looked for below its folder. Nothing for standard input.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: Arc<str>,
    /// Texts of modules and sub-workflows as they were recorded, by name. If given, no file is read.
    pub pinned: Option<HashMap<String, Arc<str>>>,
}

impl Script {
    /// A script from a file. Errors: missing (with the nearest name in the folder), unreadable, not UTF-8, too large.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let length = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.len();
        if length > LARGEST as u64 {
            return Err(modules::too_large(&name, length));
        }
        let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
        let text = modules::text_of(&name, bytes)?;
        Ok(Script {
            name,
            path: Some(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
            text: text.into(),
            pinned: None,
        })
    }

    /// A script from a text.
    pub fn from_text(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Script { name: name.into(), path: None, text: text.into(), pinned: None }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    let shown = path.display();
    if path.is_dir() {
        return Diagnostic::new("flow::file::unreadable", format!("`{shown}` is a folder, not a script"))
            .help("name the script in it, for instance `flow script deploy.rhai`");
    }
    if error.kind() != std::io::ErrorKind::NotFound {
        return Diagnostic::new("flow::file::unreadable", format!("`{shown}` cannot be read: {error}"))
            .help("check its permissions");
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rhai"))
        .collect();
    let wanted = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let help = did_you_mean(&wanted, names.iter().map(String::as_str)).unwrap_or_else(|| {
        format!("there is no such file in `{}`", std::path::absolute(folder).unwrap_or_default().display())
    });
    Diagnostic::new("flow::file::missing", format!("there is no file `{shown}`")).help(help)
}

/// Does what `run(step)` in a script asks for.
pub trait Runner: Send {
    /// Adds `growth` to the plan, waits until `step` is final and gives its result. While it waits, only what the step
    /// needs may run. `printed`: what the script has printed since the last time.
    fn run(&mut self, growth: Growth, printed: String, step: StepId) -> Result<StepResult>;

    /// Where the run keeps the files of long outputs.
    fn files(&self) -> Arc<dyn Files>;
}

/// What evaluating a script gave.
#[derive(Clone, Debug)]
pub struct Built {
    /// The plan, or what has come to it since the last `run(…)`.
    pub growth: Growth,
}

/// A compiled script with everything it imports. Cheap to clone.
#[derive(Clone)]
pub struct Program(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    script: Script,
    files: RwLock<Vec<Arc<File>>>,
}

/// A compiled file of a program.
pub(crate) struct File {
    name: String,
    text: Arc<str>,
    ast: AST,
    functions: HashMap<String, closures::Function>,
    context: OnceLock<Option<NativeCallContextStore>>,
}

/// Why a module could not be loaded.
enum LoadProblem {
    Missing,
    Wrong(Diagnostic),
}

impl Program {
    /// Compiles a script. Errors: what is wrong in its text.
    pub fn compile(script: &Script) -> Result<Self> {
        Self::compile_on(host::standard(), script)
    }

    /// Compiles a script for an engine with functions of an embedding program.
    pub fn compile_with(host: &SharedHost, script: &Script) -> Result<Self> {
        Self::compile_on(host.0.clone(), script)
    }

    fn compile_on(engine: Arc<Engine>, script: &Script) -> Result<Self> {
        if script.text.len() > LARGEST {
            modules::text_of(&script.name, script.text.as_bytes().to_vec())?;
        }
        let program = Program(Arc::new(Inner { engine, script: script.clone(), files: RwLock::default() }));
        on_large_stack(|| program.add(script.name.clone(), script.text.clone()))?;
        Ok(program)
    }

    /// All files used so far: name and text, the script first.
    pub fn sources(&self) -> Vec<(String, Arc<str>)> {
        self.files().iter().map(|file| (file.name.clone(), file.text.clone())).collect()
    }

    /// The same, for diagnostics: modules by the names of their files.
    pub fn texts(&self) -> Sources {
        let files = self.sources().into_iter().enumerate();
        Sources::new(
            files.map(|(n, (name, text))| (if n == 0 { name } else { modules::file_name(&name) }, text)).collect(),
        )
    }

    fn files(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<File>>> {
        self.0.files.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn add(&self, name: String, text: Arc<str>) -> Result<Arc<File>> {
        let index = self.files().len() as u16;
        // A byte order mark is no part of the script; a first line `#!…` is for the system.
        let source = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let source = match source.strip_prefix("#!") {
            // With `/` or `!` after it, the `//` would begin a doc comment.
            Some(rest) => format!("//{}", rest.strip_prefix(['/', '!']).map_or(rest.into(), |rest| format!(" {rest}"))),
            None => source.to_owned(),
        };
        let compile = |source: &str| {
            words::begin();
            self.0.engine.compile(source)
        };
        let compiled = compile(&source).and_then(|ast| match words::asking(&source, &ast) {
            Some(asking) => compile(&asking),
            None => Ok(ast),
        });
        let mut ast = match compiled {
            Ok(ast) => ast,
            Err(error) => {
                let mut texts = self.sources();
                texts.push((if index == 0 { name } else { modules::file_name(&name) }, text));
                return Err(fault::parse_error(&error, index, &Sources::new(texts)));
            }
        };
        ast.set_source(name.as_str());
        let functions = closures::of_file(&ast, &source);
        let file = Arc::new(File { name, text, ast, functions, context: OnceLock::new() });
        self.0.files.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(file.clone());
        Ok(file)
    }

    /// The file of a module or sub-workflow, read and compiled if it was not yet.
    fn load(&self, name: &str) -> std::result::Result<Arc<File>, LoadProblem> {
        if let Some(file) = self.files().iter().skip(1).find(|file| file.name == name) {
            return Ok(file.clone());
        }
        let text: Arc<str> = match (&self.0.script.pinned, modules::standard(name), self.folder()) {
            (Some(pinned), ..) => pinned.get(name).cloned().ok_or(LoadProblem::Missing)?,
            (None, Some(text), _) => text.into(),
            (None, None, Some(folder)) => {
                let file = name.strip_suffix(".rhai").unwrap_or(name);
                modules::read(&folder, file).map_err(LoadProblem::Wrong)?.ok_or(LoadProblem::Missing)?.1.into()
            }
            (None, None, None) => return Err(LoadProblem::Missing),
        };
        self.add(name.to_owned(), text).map_err(LoadProblem::Wrong)
    }

    /// Loads modules and sub-workflows by name, in this order, so that places in them keep their numbers and closures
    /// in them are found: when a recorded plan is taken up without evaluating its script.
    ///
    /// # Errors
    /// What is wrong in the text of one. Those that are not there are left out.
    pub fn preload<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
        for name in names {
            if let Err(LoadProblem::Wrong(problem)) = on_large_stack(|| self.load(name)) {
                return Err(problem);
            }
        }
        Ok(())
    }

    /// The script's folder.
    pub fn folder(&self) -> Option<PathBuf> {
        match &self.0.script.path {
            Some(path) => path.parent().map(Path::to_owned),
            None => std::env::current_dir().ok(),
        }
    }

    /// Names of files that could be meant by `wanted`: those of the folder that it names, without `.rhai`.
    fn importable(&self, wanted: &str) -> Vec<String> {
        let Some(folder) = self.folder() else { return Vec::new() };
        let prefix = wanted.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        std::fs::read_dir(folder.join(&prefix))
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".rhai").map(|name| format!("{prefix}{name}")))
            .collect()
    }

    /// The name that imports in a file are relative to.
    fn importer<'a>(&self, source: &'a str) -> &'a str {
        if source == self.0.script.name { "" } else { source }
    }

    fn file_index(&self, name: &str) -> u16 {
        if name.is_empty() || name == self.0.script.name {
            return 0;
        }
        self.files().iter().position(|file| file.name == name).unwrap_or(0) as u16
    }

    /// Names of all functions that the script declares.
    fn function_names(&self) -> Vec<String> {
        let files = self.files();
        files.iter().flat_map(|file| file.functions.keys()).filter(|name| !name.contains('$')).cloned().collect()
    }

    /// Looks at a function of the script or of one of its modules.
    fn function<T>(&self, name: &str, look: impl FnOnce(&Arc<File>, &closures::Function) -> T) -> Option<T> {
        let files = self.files();
        files.iter().find_map(|file| file.functions.get(name).map(|f| (file, f))).map(|(file, f)| look(file, f))
    }

    /// Evaluates the script: makes its plan. `args`: parameters as given on the command line.
    ///
    /// Without a runner, `run(…)` ends the evaluation there (`Header::stopped_at`). Blocks; uses a thread of its own.
    pub fn build(&self, args: &[(String, String)], runner: Option<Box<dyn Runner>>) -> Result<Built> {
        self.evaluate(args, Purpose::Build, runner).0
    }

    /// As [`Program::build`], and gives also what the script has printed since the last `run(…)`, wrong or not.
    pub fn build_and_tell(
        &self,
        args: &[(String, String)],
        runner: Option<Box<dyn Runner>>,
    ) -> (Result<Built>, String) {
        let (built, _, printed) = self.evaluate(args, Purpose::Build, runner);
        (built, printed)
    }

    /// The parameters that the script declares, as far as it can be evaluated without their values.
    pub fn parameters(&self, args: &[(String, String)]) -> Vec<Param> {
        self.evaluate(args, Purpose::Describe, None).1
    }

    fn evaluate(
        &self,
        args: &[(String, String)],
        purpose: Purpose,
        runner: Option<Box<dyn Runner>>,
    ) -> (Result<Built>, Vec<Param>, String) {
        on_large_stack(|| {
            let mut session = Session::new(self, purpose);
            let mut builder = Builder::default();
            builder.header.version = plan::VERSION;
            builder.header.name = workflow_name(&self.0.script.name);
            session.builder = Some(builder);
            session.runner = runner;
            session.frames.push(Frame {
                args: args.iter().map(|(k, v)| (k.clone(), Dynamic::from(v.clone()))).collect(),
                nested: false,
            });
            let main = self.files()[0].clone();
            let (result, mut session) = session.enter(|| {
                let mut scope = self.scope();
                self.0.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &main.ast)
            });
            let params = session.builder.as_ref().map(|b| b.header.params.clone()).unwrap_or_default();
            let built = self.finish(result, &mut session);
            (built, params, std::mem::take(&mut session.printed))
        })
    }

    fn finish(&self, result: std::result::Result<Dynamic, Fault>, session: &mut Session) -> Result<Built> {
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
        builder.header.files = self.sources().iter().map(|(name, text)| plan::File::of(name, text)).collect();
        builder.settle().map_err(|problem| problem.with_sources(&self.texts()))?;
        if let Some(problem) = as_one(builder.check()) {
            return Err(problem.with_sources(&self.texts()));
        }
        let growth = session.builder.take().map(Builder::last_growth).unwrap_or_default();
        Ok(Built { growth })
    }

    /// The variables that every script sees.
    fn scope(&self) -> Scope<'static> {
        let mut scope = Scope::new();
        let folder = self.folder().map(|folder| folder.display().to_string()).unwrap_or_default();
        scope.push_constant("script_dir", folder);
        scope
    }

    /// Evaluates a condition. `saw` is what it read, also when it failed.
    pub fn decide(&self, condition: &Condition, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        match condition {
            Condition::Known(value) => (Decision::Is(*value), Vec::new()),
            Condition::Closure(closure) => self.truth(closure, Vec::new(), inputs),
            Condition::Expr(expression) => {
                let mut saw = Vec::new();
                let result =
                    holds(expression, &|step| inputs.get(step).cloned(), &*inputs.files, &mut |step, what, value| {
                        let property = what.split(['.', '[']).next().unwrap_or(what);
                        let handles = crate::state::result::handles_failure(property);
                        saw.push(Saw { step, what: what.to_owned(), value: value.clone(), handles });
                    });
                (result.map_or_else(Decision::Failed, Decision::Is), saw)
            }
        }
    }

    /// Evaluates the `until` of a `repeat` with the output of the last iteration.
    pub fn until(&self, closure: &Closure, last: Json, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        self.truth(closure, vec![convert::to_dynamic(last)], inputs)
    }

    fn truth(&self, closure: &Closure, given: Vec<Dynamic>, inputs: &Inputs) -> (Decision, Vec<Saw>) {
        let (result, session) = self.invoke(closure, given, inputs);
        let result = result.and_then(|value| match value.as_bool() {
            Ok(value) => Ok(Json::Bool(value)),
            Err(_) => convert::to_json(&mut Session::new(self, Purpose::Call), &value, closure.span)
                .map_err(|error| fault::failure(&error, &session)),
        });
        let decision = as_decision(result, closure.span, &closure.text);
        (decision, dotted(session.saw, &closure.text))
    }

    /// Calls the closure of a `call`. `input`: what the chain gives it, if anything.
    pub fn call(&self, closure: &Closure, input: Option<Json>, inputs: &Inputs) -> std::result::Result<Json, Failure> {
        let given = vec![convert::to_dynamic(input.unwrap_or(Json::Null))];
        let (result, mut session) = self.invoke(closure, given, inputs);
        let value = result?;
        convert::to_json(&mut session, &value, closure.span).map_err(|error| fault::failure(&error, &session))
    }

    /// Calls a closure in a session without a builder.
    fn invoke(
        &self,
        closure: &Closure,
        given: Vec<Dynamic>,
        inputs: &Inputs,
    ) -> (std::result::Result<Dynamic, Failure>, Box<Session>) {
        let mut session = Session::new(self, Purpose::Call);
        let arguments = match closures::arguments(&session, closure, given, inputs) {
            Ok(arguments) => arguments,
            Err(failure) => return (Err(failure), session),
        };
        session.known = Some(inputs.clone());
        let (result, session) = session.enter(|| self.call_by_name(closure, arguments));
        let result = match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => Err(fault::failure(&fault, &session)),
            Err(failure) => Err(failure),
        };
        (result, session)
    }

    fn call_by_name(
        &self,
        closure: &Closure,
        mut arguments: Vec<Dynamic>,
    ) -> std::result::Result<std::result::Result<Dynamic, Fault>, Failure> {
        let file = self.function(&closure.function, |file, _| file.clone()).ok_or_else(|| closures::lost(closure))?;
        let context = self.context(&file).ok_or_else(|| closures::lost(closure))?;
        let mut arguments: Vec<&mut Dynamic> = arguments.iter_mut().collect();
        Ok(context.call_fn_raw(closure.function.as_str(), false, false, &mut arguments))
    }

    /// The context in which functions of a file are called: its functions and its imports.
    fn context<'a>(&'a self, file: &'a File) -> Option<NativeCallContext<'a>> {
        let store = file.context.get_or_init(|| {
            let mut source = String::new();
            for statement in file.ast.statements() {
                if let rhai::Stmt::Import(parts, _) = statement
                    && let rhai::Expr::StringConstant(path, _) = &parts.0
                    && !parts.1.name.is_empty()
                {
                    source.push_str(&format!("import {:?} as {};\n", path.as_str(), parts.1.name));
                }
            }
            source.push_str("__context();");
            let mut ast = self.0.engine.compile(&source).ok()?.merge(&file.ast.clone_functions_only());
            ast.set_source(file.name.as_str());
            let mut session = Session::new(self, Purpose::Call);
            // Modules may declare steps when they are loaded; here that is for nobody.
            session.builder = Some(Builder::default());
            session.frames.push(Frame::default());
            let (_, session) = session.enter(|| self.0.engine.eval_ast::<Dynamic>(&ast));
            session.context
        });
        store.as_ref().map(|store| store.create_context(&self.0.engine))
    }

    /// Evaluates the closure of a fan-out while the plan runs: the children of an `each` or `workflow`, or the next
    /// iteration of a `repeat` (`iteration` counts from 1, `last` is the output of the one before). Ids in the growth
    /// count from the end of `plan`.
    pub fn expand(
        &self,
        plan: Arc<Plan>,
        step: StepId,
        iteration: u32,
        last: Json,
        inputs: &Inputs,
    ) -> std::result::Result<Growth, Failure> {
        on_large_stack(|| {
            let mut session = Session::new(self, Purpose::Build);
            let task = plan.step(step).task.clone();
            let span = plan.step(step).span;
            session.builder = Some(Builder::on(plan));
            session.known = Some(inputs.clone());
            // Two frames: this is not the script itself, so `run` and hooks are refused.
            session.frames.push(Frame::default());
            session.frames.push(Frame { nested: true, ..Frame::default() });
            let main = self.files()[0].clone();
            let file = match &*task {
                plan::Task::Each(plan::Each { body, .. }) | plan::Task::Repeat(plan::Repeat { body, .. }) => {
                    self.function(&body.function, |file, _| file.clone()).ok_or_else(|| closures::lost(body))?
                }
                _ => main,
            };
            let context = self.context(&file).ok_or_else(|| {
                Failure::new(FailureKind::Script, "the recorded script cannot be loaded any more")
                    .help("start the workflow anew")
            })?;
            let (result, mut session) =
                session.enter(|| functions::expand(&context, &task, step, iteration, last, inputs));
            if let Err(error) = result {
                return Err(fault::failure(&error, &session));
            }
            let builder = session.builder.as_mut().expect("it was given one");
            builder.settle().map_err(|problem| as_failure(problem, span))?;
            if let Some(problem) = as_one(builder.check()) {
                return Err(as_failure(problem, span));
            }
            Ok(Growth { header: None, ..builder.growth() })
        })
    }
}

/// Several problems as one: the first, with the others beside it.
fn as_one(problems: Vec<Diagnostic>) -> Option<Diagnostic> {
    let mut problems = problems.into_iter();
    let first = problems.next()?;
    Some(first.with_related(problems.collect()))
}

fn as_failure(problem: Diagnostic, span: Span) -> Failure {
    Failure {
        kind: FailureKind::Script,
        message: problem.message().to_owned(),
        help: problem.help_text().map(str::to_owned),
        span: problem.span().or(Some(span)),
    }
}

/// Evaluation may recurse deeply (nested expressions, functions that call themselves): a stack of its own for that.
fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("script".into()).stack_size(256 * 1024 * 1024);
        match thread.spawn_scoped(scope, work) {
            Ok(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => panic!("no thread for the script: {error}"),
        }
    })
}

/// The name of a workflow: its file's, without folder and ending.
fn workflow_name(script: &str) -> String {
    let name = Path::new(script).file_stem().map(|name| name.to_string_lossy().into_owned());
    name.filter(|name| !name.is_empty() && name != "-").unwrap_or_else(|| "script".to_owned())
}

fn as_decision(result: std::result::Result<Json, Failure>, span: Span, text: &str) -> Decision {
    match result {
        Ok(Json::Bool(value)) => Decision::Is(value),
        Ok(other) => Decision::Failed(
            Failure {
                span: Some(span),
                ..Failure::new(
                    FailureKind::Script,
                    format!("the condition `{text}` must be true or false, but it is {}", kind_of(&other)),
                )
            }
            .help("write a comparison, for instance `x.output != ()`"),
        ),
        Err(failure) => Decision::Failed(failure),
    }
}

/// What a closure saw, as far as its text reads into a value: `output.percent` instead of the whole output.
fn dotted(mut saw: Vec<Saw>, text: &str) -> Vec<Saw> {
    for seen in saw.iter_mut().filter(|seen| seen.value.is_object() || seen.value.is_array()) {
        let reads = |at: &(usize, &str)| text[..at.0].ends_with('.') && text[at.0 + at.1.len()..].starts_with('.');
        let Some((at, name)) = text.match_indices(seen.what.as_str()).find(reads) else { continue };
        let rest = &text[at + name.len() + 1..];
        let mut value = &seen.value;
        let mut length = 0;
        for key in rest.split('.') {
            let word = key.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(key.len());
            let Some(inner) = value.get(&key[..word]) else { break };
            value = inner;
            length += word + usize::from(length > 0);
            if word < key.len() {
                break;
            }
        }
        if length > 0 {
            let value = value.clone();
            seen.what = format!("{name}.{}", &rest[..length]);
            seen.value = value;
        }
    }
    saw
}

/// What a `Value` is in a script, for tests of embedding programs.
pub fn pending(value: Value) -> Dynamic {
    Dynamic::from(handle::Pending(Arc::new(value)))
}
