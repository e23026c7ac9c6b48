//! The dead letters of a pipeline of another run: their items, once more.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::pull::{Pull, mark_of};
use super::records::{At, Records};
use super::{Bad, Mark, Next, Opening, Places, Source, Sourced};
use crate::event::{DeadLetter, Failure, FailureKind};
use crate::exec::log_stem;
use crate::lang::item::Item;
use crate::plan::StepId;

/// The end of the names of such files.
const ENDING: &str = ".dead.ndjson";

/// See the module's page.
pub(super) struct Letters(Pull<fs::File>);

impl Letters {
    pub fn open(run: &str, step: &str, at: &Opening) -> Result<Self, Failure> {
        let path = find(&at.job.site.folder, run, step)?;
        let mark = mark_of(at.reached);
        let open = || {
            let mut file = fs::File::open(&path)?;
            io::Seek::seek(&mut file, io::SeekFrom::Start(mark.from))?;
            Ok(file)
        };
        let file = open().map_err(|error| unreadable(&path, &error))?;
        let begin = At { byte: mark.from, line: mark.place.saturating_sub(1), ..At::default() };
        Ok(Letters(Pull::new(Records::Lines(Lines::new(file, true, begin)), at.reached.upto)))
    }
}

/// The file of the dead letters, beside the folder of this run.
fn find(folder: &Path, run: &str, step: &str) -> Result<PathBuf, Failure> {
    let none = |what: String| {
        Failure::new(FailureKind::Input, what).help(format!("`flow pipeline dead {run}` lists the dead letters of a run"))
    };
    let logs = folder.parent().unwrap_or(folder).join(run).join("logs");
    if run.is_empty() || run.contains('/') || !logs.is_dir() {
        return Err(none(format!("the run `{run}` has no files here, and so no dead letters")));
    }
    // The number of the step in that run is not known, its path is.
    let stem = log_stem(StepId(0), step, 1);
    let wanted = stem.strip_prefix('0').unwrap_or(&stem);
    let names = fs::read_dir(&logs).map_err(|error| unreadable(&logs, &error))?;
    let is_it = |name: &str| {
        let number = name.strip_suffix(ENDING).and_then(|name| name.strip_suffix(wanted));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut found: Vec<PathBuf> = names
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_it(name))
        .map(|name| logs.join(name))
        .collect();
    found.sort();
    match found.len() {
        0 => Err(none(format!("the pipeline `{step}` of run `{run}` has no dead letters"))),
        1 => Ok(found.remove(0)),
        _ => Err(none(format!("several steps of run `{run}` have the files of `{step}`"))),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Store, format!("cannot read `{}`: {error}", path.display()))
        .help("the folder of that run must be readable")
}

impl Source for Letters {
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        let before = into.len();
        let next = self.0.next(most, into, false);
        let next = next.map_err(|error| {
            Failure::new(FailureKind::Store, format!("the dead letters cannot be read: {error}"))
                .help("the folder of that run must be readable")
        })??;
        for sourced in &mut into[before..] {
            if let Ok(item) = &sourced.item {
                let letter = item.to_json().and_then(|json| {
                    serde_json::from_value::<DeadLetter>(json)
                        .map_err(|error| Failure::new(FailureKind::Input, error.to_string()))
                });
                sourced.item = match letter {
                    Ok(letter) => Ok(Item::of(letter.item)),
                    Err(failure) => {
                        let why = format!("line {} is no dead letter: {}", sourced.mark.place, failure.message);
                        Err(Bad { raw: item.clone(), why })
                    }
                };
            }
        }
        Ok(next)
    }

    fn mark(&self) -> Mark {
        self.0.mark()
    }

    fn places(&self) -> Places {
        Places { unit: "letter", of: String::new() }
    }
}
