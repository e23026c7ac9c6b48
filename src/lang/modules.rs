//! What `import` reaches: `std/…` in the binary, and files below the script's folder. Nothing else.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use rhai::{Engine, EvalAltResult, Module, ModuleResolver, Position, Scope};

use super::fault::{Fault, raise};
use super::program::LoadProblem;
use super::surroundings::Surroundings;
use super::{library, session};
use crate::diag::{Diagnostic, Span, did_you_mean};

static STANDARD: Dir = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// Largest script, in bytes.
pub const LARGEST: usize = 1024 * 1024;

/// Names of the standard library's modules: `std/checks`.
pub fn standard_names() -> Vec<String> {
    STANDARD
        .files()
        .filter_map(|file| file.path().to_str()?.strip_suffix(".rhai").map(|name| format!("std/{name}")))
        .collect()
}

/// Source of a module of the standard library.
pub fn standard(name: &str) -> Option<&'static str> {
    STANDARD.get_file(format!("{}.rhai", name.strip_prefix("std/")?))?.contents_utf8()
}

/// See the module's page.
pub struct Modules;

impl ModuleResolver for Modules {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Arc<rhai::Module>, Fault> {
        let (name, span) = session::with(|session| {
            let span = session.span_at(source, position);
            locate(session.program.importer(source.unwrap_or_default()), path, span).map(|name| (name, span))
        })
        .map_err(raise)?;
        let known = session::with(|session| {
            if let Some(module) = session.modules.get(&name) {
                return Ok(Some(module.clone()));
            }
            if session.loading.contains(&name) {
                let mut way = session.loading.clone();
                way.push(name.clone());
                return Err(Diagnostic::new(
                    "flow::lang::import_cycle",
                    format!(
                        "modules import each other: {}",
                        way.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" → ")
                    ),
                )
                .label(span, "imported again here")
                .help("move what both need into a third module"));
            }
            session.loading.push(name.clone());
            Ok(None)
        })
        .map_err(raise)?;
        if let Some(module) = known {
            return Ok(module);
        }
        let result = load(engine, &name, path, span);
        session::with(|session| {
            session.loading.pop();
            if let Ok(module) = &result {
                session.modules.insert(name, module.clone());
            }
        });
        result
    }
}

fn load(engine: &Engine, name: &str, path: &str, span: Span) -> Result<Arc<rhai::Module>, Fault> {
    let program = session::with(|session| session.program.clone());
    let file = program.load(name).map_err(|problem| match problem {
        LoadProblem::Missing => raise(missing(path, &program, span)),
        LoadProblem::Wrong(diagnostic) => raise(diagnostic),
    })?;
    let module = Module::eval_ast_as_new(Scope::new(), &file.ast, engine)
        .map_err(|error| Box::new(EvalAltResult::ErrorInModule(name.to_owned(), error, position_of(span))))?;
    Ok(Arc::new(if name.starts_with(library::PREFIX) { library::module(&file, module) } else { module }))
}

fn position_of(span: Span) -> Position {
    if span.is_known() { Position::new(span.line.min(u16::MAX as u32) as u16, span.column) } else { Position::NONE }
}

fn missing(path: &str, program: &super::Program, span: Span) -> Diagnostic {
    let mut known = standard_names();
    known.extend(program.importable(path));
    let diagnostic = Diagnostic::new("flow::lang::unknown_module", format!("there is no module `{path}`"))
        .label(span, "imported here");
    match did_you_mean(path, known.iter().map(String::as_str)) {
        Some(help) => diagnostic.help(help),
        None => diagnostic.help("a module is `std/…` or a file below the script's folder, named without `.rhai`"),
    }
}

/// The name of the module that `path` means, imported from the file `importer` (its name): `std/…`, or a path below the
/// script's folder without `.rhai`.
fn locate(importer: &str, path: &str, span: Span) -> Result<String, Diagnostic> {
    if path.starts_with("std/") {
        return Ok(path.trim_end_matches(".rhai").to_owned());
    }
    let outside = |why: &str| {
        Diagnostic::new("flow::lang::import_outside", format!("`{path}` cannot be imported: {why}"))
            .label(span, "imported here")
            .help("a module is `std/…` or a file below the script's folder; put what workflows share into a folder beside them")
    };
    let path_of = Path::new(path);
    if path_of.is_absolute() {
        return Err(outside("it is an absolute path"));
    }
    let mut parts: Vec<String> = Path::new(importer)
        .parent()
        .into_iter()
        .flat_map(|folder| folder.components())
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    for part in path_of.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_string_lossy().into_owned()),
            Component::CurDir => {}
            _ => {
                if parts.pop().is_none() {
                    return Err(outside("it is outside of the script's folder"));
                }
            }
        }
    }
    Ok(parts.join("/").trim_end_matches(".rhai").to_owned())
}

/// The name of a module's file, as a person would look for it.
pub fn file_name(name: &str) -> String {
    // Files of agents are no modules; they are read with their whole path.
    if name.ends_with(".rhai") || name.starts_with("std/") || is_text(name) {
        name.to_owned()
    } else {
        format!("{name}.rhai")
    }
}

/// Is it the name of something that is read, but is no script: a file of an agent, or what a project says of agents?
pub fn is_text(name: &str) -> bool {
    name == Surroundings::NAME || (name.ends_with(".md") && Path::new(name).is_absolute())
}

/// The text of a module file.
pub fn read(folder: &Path, name: &str) -> Result<Option<(PathBuf, String)>, Diagnostic> {
    let path = folder.join(format!("{name}.rhai"));
    let inside =
        path.canonicalize().ok().zip(folder.canonicalize().ok()).is_some_and(|(file, folder)| file.starts_with(folder));
    if !inside {
        return Ok(None);
    }
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Diagnostic::new(
                "flow::file::unreadable",
                format!("the module `{}` cannot be read: {error}", path.display()),
            )
            .help("check its permissions"));
        }
    };
    text_of(&path.display().to_string(), bytes).map(|text| Some((path, text)))
}

/// A script that is larger than [`LARGEST`].
pub fn too_large(name: &str, bytes: u64) -> Diagnostic {
    Diagnostic::new("flow::file::too_large", format!("`{name}` has {bytes} bytes; a script may have at most {LARGEST}"))
        .help("data belongs in files of its own, which steps read; long scripts can be split into modules")
}

/// The text of a script's bytes.
pub fn text_of(name: &str, bytes: Vec<u8>) -> Result<String, Diagnostic> {
    if bytes.len() > LARGEST {
        return Err(too_large(name, bytes.len() as u64));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Diagnostic::new("flow::file::encoding", format!("`{name}` is not UTF-8: byte {at} is not part of a character"))
            .help("is it a script at all? Convert it, for instance with `iconv -f latin1 -t utf-8`")
    })
}
