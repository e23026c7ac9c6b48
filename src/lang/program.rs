//! A compiled script with everything it imports.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};

use rhai::{AST, Engine, NativeCallContextStore};
use smol_str::SmolStr;

use super::host::SharedHost;
use super::library::PREFIX;
use super::script::Script;
use super::surroundings::Surroundings;
use super::{LARGEST, closures, fault, host, modules, secret, session, swarm, words};
use crate::diag::{Diagnostic, Result, Sources, tokens};

/// A compiled script with everything it imports. Cheap to clone.
#[derive(Clone)]
pub struct Program(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) engine: Arc<Engine>,
    pub(super) script: Script,
    pub(super) files: RwLock<Vec<Arc<File>>>,
    warnings: RwLock<Vec<Diagnostic>>,
}

/// A compiled file of a program.
pub(super) struct File {
    pub(super) name: String,
    pub(super) text: Arc<str>,
    pub(super) ast: AST,
    pub(super) functions: HashMap<String, closures::Function>,
    /// Secrets that are named in its functions and closures.
    pub(super) secrets: Vec<SmolStr>,
    pub(super) context: OnceLock<Option<NativeCallContextStore>>,
}

/// Why a module could not be loaded.
pub(super) enum LoadProblem {
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

    pub(super) fn compile_on(engine: Arc<Engine>, script: &Script) -> Result<Self> {
        if script.text.len() > LARGEST {
            modules::text_of(&script.name, script.text.as_bytes().to_vec())?;
        }
        let program = Program(Arc::new(Inner {
            engine,
            script: script.clone(),
            files: RwLock::default(),
            warnings: RwLock::default(),
        }));
        on_large_stack(|| program.add(script.name.clone(), script.text.clone()))?;
        Ok(program)
    }

    /// Is it a file of tests?
    pub(super) fn is_of_tests(&self) -> bool {
        Arc::ptr_eq(&self.0.engine, &host::tests())
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

    /// What its evaluations had to say that was no error, each once.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        self.0.warnings.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub(super) fn warn(&self, warning: Diagnostic) {
        let mut warnings = self.0.warnings.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if warnings.iter().all(|known| known.message() != warning.message()) {
            warnings.push(warning);
        }
    }

    /// Secrets that are named in its functions and closures, in all files so far.
    pub(super) fn secrets(&self) -> Vec<SmolStr> {
        self.files().iter().flat_map(|file| file.secrets.iter().cloned()).collect()
    }

    pub(super) fn files(&self) -> std::sync::RwLockReadGuard<'_, Vec<Arc<File>>> {
        self.0.files.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn add(&self, name: String, text: Arc<str>) -> Result<Arc<File>> {
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
        let with_this = || {
            let mut texts = self.sources();
            texts.push((if index == 0 { name.clone() } else { modules::file_name(&name) }, text.clone()));
            Sources::new(texts)
        };
        if let Some(open) = tokens::open_comment(&source)
            && let Some(diagnostic) = fault::open_comment(open, &source, compiled.as_ref().err(), index, &with_this())
        {
            return Err(diagnostic);
        }
        let mut ast = compiled.map_err(|error| fault::parse_error(&error, index, &with_this()))?;
        ast.set_source(name.as_str());
        let functions = closures::of_file(&ast, &source);
        let secrets = if text.contains("secret") { secret::named_in(&ast) } else { Vec::new() };
        let file = Arc::new(File { name, text, ast, functions, secrets, context: OnceLock::new() });
        self.0.files.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(file.clone());
        if file.text.contains("swarm") && !file.name.starts_with(PREFIX) {
            // It is part of every script that can need it, also if that is only while the plan runs. Runs of older versions
            // have none.
            match self.load(swarm::MODULE) {
                Err(LoadProblem::Wrong(problem)) => return Err(problem),
                Ok(_) | Err(LoadProblem::Missing) => {}
            }
        }
        Ok(file)
    }

    /// The file of a module or sub-workflow, read and compiled if it was not yet.
    pub(super) fn load(&self, name: &str) -> std::result::Result<Arc<File>, LoadProblem> {
        if let Some(file) = self.files().iter().skip(1).find(|file| file.name == name) {
            return Ok(file.clone());
        }
        if modules::is_text(name) {
            let pinned = self.0.script.pinned.as_ref().and_then(|pinned| pinned.get(name));
            return pinned.map(|text| self.keep_text(name.to_owned(), text.clone())).ok_or(LoadProblem::Missing);
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

    /// Keeps a text that was read and is no script, so that a resume reads the same.
    fn keep_text(&self, name: String, text: Arc<str>) -> Arc<File> {
        let mut files = self.0.files.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = files.iter().find(|file| file.name == name) {
            return known.clone();
        }
        let file = Arc::new(File {
            name,
            text,
            ast: AST::empty(),
            functions: HashMap::new(),
            secrets: Vec::new(),
            context: OnceLock::new(),
        });
        files.push(file.clone());
        file
    }

    /// The files of agents in a folder, in the order of their names: as they were recorded, or as they are now.
    pub(super) fn agent_files(&self, folder: &Path) -> Vec<(PathBuf, Arc<str>)> {
        let is_one = |path: &Path| path.extension().is_some_and(|ending| ending == "md");
        let mut paths: Vec<PathBuf> = match &self.0.script.pinned {
            Some(pinned) => pinned.keys().map(PathBuf::from).filter(|path| path.parent() == Some(folder)).collect(),
            None => {
                let entries = std::fs::read_dir(folder).into_iter().flatten();
                entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect()
            }
        };
        paths.retain(|path| is_one(path));
        paths.sort();
        let text = |path: &Path| -> Option<Arc<str>> {
            let name = path.to_str()?;
            if let Some(known) = self.files().iter().find(|file| file.name == name) {
                return Some(known.text.clone());
            }
            let text: Arc<str> = match &self.0.script.pinned {
                Some(pinned) => pinned.get(name)?.clone(),
                None => {
                    let small = std::fs::metadata(path).is_ok_and(|known| known.len() <= LARGEST as u64);
                    let bytes = std::fs::read(path).ok().filter(|_| small)?;
                    super::agents::text_of(&bytes).into()
                }
            };
            Some(self.keep_text(name.to_owned(), text).text.clone())
        };
        paths.into_iter().filter_map(|path| Some((text(&path)?, path))).map(|(text, path)| (path, text)).collect()
    }

    /// What the script finds around it: as it was recorded, or as it is now.
    pub(super) fn surroundings(&self) -> Arc<Surroundings> {
        let now = &self.0.script.surroundings;
        let text = match &self.0.script.pinned {
            Some(pinned) => match pinned.get(Surroundings::NAME) {
                Some(text) => text.clone(),
                None => {
                    let (project, home) = (now.project.clone(), now.home.clone());
                    return Arc::new(Surroundings { project, home, ..Surroundings::default() });
                }
            },
            None if now.say_something() => serde_json::to_string(&**now).unwrap_or_default().into(),
            None => return now.clone(),
        };
        let kept = self.keep_text(Surroundings::NAME.to_owned(), text);
        let read = serde_json::from_str::<Surroundings>(&kept.text).unwrap_or_default();
        Arc::new(Surroundings { project: now.project.clone(), home: now.home.clone(), ..read })
    }

    /// Takes the text of a module or sub-workflow as given, whatever the file says: one that is open in an editor. The name
    /// is relative to the script's folder; that of a module has no `.rhai`.
    ///
    /// # Errors
    /// What is wrong in the text.
    pub fn provide(&self, name: &str, text: Arc<str>) -> Result<()> {
        on_large_stack(|| self.add(name.to_owned(), text)).map(|_| ())
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
    pub(super) fn importable(&self, wanted: &str) -> Vec<String> {
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
    pub(super) fn importer<'a>(&self, source: &'a str) -> &'a str {
        if source == self.0.script.name { "" } else { source }
    }

    pub(super) fn file_index(&self, name: &str) -> u16 {
        if name.is_empty() || name == self.0.script.name {
            return 0;
        }
        self.files().iter().position(|file| file.name == name).unwrap_or(0) as u16
    }

    /// Names of all functions that the script declares.
    pub(super) fn function_names(&self) -> Vec<String> {
        let files = self.files();
        files.iter().flat_map(|file| file.functions.keys()).filter(|name| !name.contains('$')).cloned().collect()
    }

    /// Looks at a function of the script or of one of its modules.
    pub(super) fn function<T>(&self, name: &str, look: impl FnOnce(&Arc<File>, &closures::Function) -> T) -> Option<T> {
        let files = self.files();
        files.iter().find_map(|file| file.functions.get(name).map(|f| (file, f))).map(|(file, f)| look(file, f))
    }
}

/// Evaluation may recurse deeply (nested expressions, functions that call themselves): a stack of its own for that.
pub(super) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let (limit, stop) = (session::limit(), session::interrupt());
    let work = move || {
        session::limit_to(limit);
        match stop {
            Some(stop) => session::interruptible(stop, work),
            None => work(),
        }
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("script".into()).stack_size(256 * 1024 * 1024);
        match thread.spawn_scoped(scope, work) {
            Ok(handle) => handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(error) => panic!("no thread for the script: {error}"),
        }
    })
}
