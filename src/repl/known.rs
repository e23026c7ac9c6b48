//! What completion knows of the session: what there was after the last entry. It evaluates nothing.

use std::path::Path;
use std::sync::Arc;

use super::session::Session;
use crate::flow::assist::{self, Shape, Sort};
use crate::flow::{Flow, Results, RunFilter};
use crate::plan::{Json, Key, Plan, StepId, Task, Value};
use crate::state::result::{PROPERTIES, walk};

/// Longest JSON of an output that is looked into, in bytes.
const LARGEST: u64 = 256 * 1024;
/// Runs that are offered.
const RUNS: usize = 20;
/// Names of files that are offered.
const FILES: usize = 200;

/// See the module's page.
#[derive(Default)]
pub struct Known {
    results: Option<Results>,
    plan: Arc<Plan>,
    /// Paths and names of all steps.
    pub steps: Vec<String>,
    /// Variables and functions, with what they hold.
    pub names: Vec<(String, Shape)>,
    flow: Option<Flow>,
    values: std::collections::HashMap<String, Value>,
}

impl Known {
    /// Of a session as it is now.
    pub fn of(session: &Session) -> Self {
        let plan = Arc::new(session.plan().clone());
        let mut known =
            Known { results: session.results.clone(), plan, flow: Some(session.flow.clone()), ..Known::default() };
        let plan = &known.plan;
        known.steps = plan.ids().filter(|id| !plan.step(*id).anonymous).map(|id| plan.path(id)).collect();
        if let Some(sight) = &session.sight {
            for name in sight.variables.names() {
                if let Some((value, kind)) = sight.variables.get(name) {
                    // Its keys are read when somebody asks for them.
                    let shape = match value {
                        Value::Step(id) => Shape::of(known.sort_of(id)),
                        _ => known.shape(&value, &kind),
                    };
                    known.names.push((name.to_owned(), shape));
                    known.values.insert(name.to_owned(), value);
                }
            }
        }
        // Functions that earlier entries declare.
        let texts = session.entries.iter().map(|entry| entry.text.as_str()).filter(|text| text.contains("fn "));
        for symbol in assist::Document::new(texts.collect::<Vec<_>>().join("\n")).symbols() {
            if symbol.kind == assist::SymbolKind::Function {
                known.names.push((symbol.name, Shape::of(Sort::Closure)));
            }
        }
        known
    }

    /// The latest runs of the folder.
    pub fn runs(&self) -> Vec<String> {
        let filter = RunFilter { limit: Some(RUNS), ..RunFilter::default() };
        let runs = self.flow.as_ref().and_then(|flow| flow.runs(&filter).ok()).unwrap_or_default();
        runs.into_iter().map(|run| run.run).collect()
    }

    /// Works on all of it as the assistance wants it.
    pub fn with<T>(&self, work: impl FnOnce(&assist::Known) -> T) -> T {
        work(&assist::Known {
            steps: &self.steps,
            names: &self.names,
            files: &files,
            values: &|path| self.value_of(path),
            module: &|_| None,
        })
    }

    /// What `x`, `x.output` or `x.output.items[0]` is.
    fn value_of(&self, path: &str) -> Option<Shape> {
        let keys = keys(path)?;
        let (first, rest) = keys.split_first()?;
        let Key::Field(name) = first else { return None };
        let value = self.values.get(name.as_str())?;
        let value = match (value, rest) {
            (Value::Step(id), [Key::Field(property), rest @ ..]) => Value::Plain(self.read(*id, property, rest)?),
            (Value::Plain(json), rest) => Value::Plain(walk(json.clone(), rest, path).ok()?),
            (value, []) => value.clone(),
            _ => return None,
        };
        Some(self.shape(&value, ""))
    }

    fn read(&self, id: StepId, property: &str, rest: &[Key]) -> Option<Json> {
        let results = self.results.as_ref()?;
        let small = results.output_bytes(id).is_none_or(|bytes| bytes <= LARGEST);
        let value = results.property(id, property).filter(|_| small)?;
        walk(value, rest, property).ok()
    }

    fn sort_of(&self, id: StepId) -> Sort {
        match self.plan.steps.get(id.index()).map(|step| &*step.task) {
            Some(Task::Pipeline(_)) => Sort::Pipeline,
            _ => Sort::Step,
        }
    }

    fn shape(&self, value: &Value, kind: &str) -> Shape {
        match value {
            Value::Step(id) => Shape { sort: self.sort_of(*id), keys: self.keys_of(*id) },
            Value::Plain(json) => shape_of(json, kind),
            Value::Ref(_) => Shape::of(Sort::Result),
            Value::Text(_) | Value::Expr(_) => Shape::of(Sort::Text),
            Value::List(items) if !items.is_empty() && kind == "several steps" => Shape::of(Sort::Step),
            Value::List(_) => Shape::of(Sort::Array),
            Value::Map(entries) => {
                let keys =
                    entries.iter().map(|(key, value)| (key.clone(), self.shape(value, "").sort.name().to_owned()));
                Shape { sort: Sort::Map, keys: keys.collect() }
            }
            Value::Closure(_) => Shape::of(Sort::Closure),
            Value::Secret(_) => Shape::of(Sort::Secret),
            Value::Agent(_) => Shape::of(Sort::Agent),
        }
    }

    /// Keys of a step's output are properties of the step.
    fn keys_of(&self, id: StepId) -> Vec<(String, String)> {
        if self.plan.is_secret(id) {
            return Vec::new();
        }
        match self.read(id, "output", &[]) {
            Some(Json::Object(entries)) => {
                let own = |key: &String| !PROPERTIES.iter().any(|(known, _)| known == key);
                let keys = entries.iter().filter(|(key, _)| own(key));
                keys.map(|(key, value)| (key.clone(), word_of(value))).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn shape_of(json: &Json, kind: &str) -> Shape {
    match json {
        Json::Object(entries) => {
            let keys = entries.iter().map(|(key, value)| (key.clone(), word_of(value))).collect();
            Shape { sort: Sort::Map, keys }
        }
        Json::Array(_) => Shape::of(Sort::Array),
        Json::String(_) if kind.contains("closure") => Shape::of(Sort::Closure),
        Json::String(_) => Shape::of(Sort::Text),
        Json::Number(_) => Shape::of(Sort::Number),
        Json::Bool(_) => Shape::of(Sort::Bool),
        Json::Null => Shape::of(Sort::Unknown),
    }
}

/// A word about a value, for a list.
fn word_of(value: &Json) -> String {
    crate::state::result::shorten(&value.to_string(), 40)
}

/// `a.b[0].c` as keys; nothing if it is anything else.
fn keys(path: &str) -> Option<Vec<Key>> {
    let mut keys = Vec::new();
    for part in path.split('.') {
        let part = part.trim_end_matches('?');
        let (name, indexes) = part.split_at(part.find('[').unwrap_or(part.len()));
        keys.push(Key::Field(name.into()));
        for index in indexes.split('[').skip(1) {
            let index = index.strip_suffix(']')?;
            keys.push(match index.parse::<i64>() {
                Ok(index) => Key::Index(index),
                Err(_) => Key::Field(index.strip_prefix('"')?.strip_suffix('"')?.into()),
            });
        }
    }
    Some(keys)
}

/// Files and folders that begin like this.
pub fn files(beginning: &str) -> Vec<String> {
    let (folder, start) = beginning.rsplit_once('/').map_or(("", beginning), |(folder, start)| (folder, start));
    let prefix = if beginning.contains('/') { format!("{folder}/") } else { String::new() };
    let within = if prefix.is_empty() { Path::new(".") } else { Path::new(&prefix) };
    let mut found: Vec<String> = std::fs::read_dir(within)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !start.starts_with('.');
            let end = if entry.file_type().is_ok_and(|kind| kind.is_dir()) { "/" } else { "" };
            (name.starts_with(start) && !hidden).then(|| format!("{prefix}{name}{end}"))
        })
        .collect();
    found.sort();
    found.truncate(FILES);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_falls_into_keys() {
        let field = |name: &str| Key::Field(name.into());
        assert_eq!(keys("a.output[0].b"), Some(vec![field("a"), field("output"), Key::Index(0), field("b")]));
        assert_eq!(keys("a[\"x y\"]"), Some(vec![field("a"), field("x y")]));
        assert_eq!(keys("a[f(1)]"), None);
    }
}
