//! The dead letters of a pipeline of another run: their items, once more.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::lines::Lines;
use super::pull::{Pull, mark_of};
use super::records::{At, Records};
use super::{Bad, Mark, Next, Opening, Places, Source, Sourced};
use crate::event::{DeadLetter, Failure, FailureKind};
use crate::lang::item::Item;

/// See the module's page.
pub(super) struct Letters(Pull<fs::File>);

impl Letters {
    pub fn open(run: &str, step: &str, file: &str, at: &Opening) -> Result<Self, Failure> {
        let path = find(&at.job.site.folder, run, step, file)?;
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

/// The file of the dead letters, in a folder beside that of this run.
fn find(folder: &Path, run: &str, step: &str, file: &str) -> Result<PathBuf, Failure> {
    let inside = |name: &str| Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let runs = folder.parent().unwrap_or(folder);
    let path = runs.join(run).join(file);
    if inside(run) && inside(file) && path.is_file() {
        return Ok(path);
    }
    let message = match runs.join(run).is_dir() {
        true => format!("the pipeline `{step}` of run `{run}` has no dead letters"),
        false => format!("the run `{run}` has no files here, and so no dead letters"),
    };
    Err(Failure::new(FailureKind::Input, message)
        .help("`flow runs` lists the runs, and `flow pipeline dead RUN` the dead letters of one"))
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
