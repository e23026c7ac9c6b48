//! The paths that match a pattern. The list is made once: where the pipeline goes on it is the same.

use std::path::Path;

use super::pull::mark_of;
use super::spool::{Entry, Spool};
use super::{Mark, Next, Opening, Source, Sourced};
use crate::event::{Failure, FailureKind, Reached};
use crate::exec::cache;
use crate::plan::{Json, Value};
use crate::state::resolve;
use crate::state::result::plain_text;

/// See the module's page.
pub(super) struct Paths {
    list: Spool,
    offset: u64,
}

impl Paths {
    pub fn open(pattern: &Value, at: &Opening) -> Result<Self, Failure> {
        let offset = at.reached.upto;
        if at.reached != &Reached::default() && Spool::path_of(at).exists() {
            return Ok(Paths { list: Spool::open(at, mark_of(at.reached).from)?, offset });
        }
        let pattern = plain_text(&resolve(pattern, &at.job.inputs)?);
        let cwd = at.job.cwd()?;
        let found = cache::paths(&cwd, &pattern).map_err(|why| {
            Failure::new(FailureKind::Input, why)
                .help("`*` stands for anything in a name, `**/` for folders at any depth, `?` for one character")
        })?;
        if let (true, Some(folder)) = (found.is_empty(), missing(&cwd, &pattern)) {
            let message = format!("there is no folder `{folder}` for the files `{pattern}`");
            return Err(Failure::new(FailureKind::Input, message).help(format!(
                "it was looked for in `{}`; `.cwd(…)` names another folder, `mkdir -p {folder}` makes an empty one",
                cwd.display()
            )));
        }
        let entries = found.into_iter().map(|path| Entry { item: vec![Json::from(path)], ..Entry::default() });
        Ok(Paths { list: Spool::of(at, entries)?, offset })
    }
}

/// The folder in which all that a pattern means would be, if it is not there.
fn missing<'p>(cwd: &Path, pattern: &'p str) -> Option<&'p str> {
    let wild = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let folder = &pattern[..pattern[..wild].rfind('/')?];
    (!folder.is_empty() && !cwd.join(folder).is_dir()).then_some(folder)
}

impl Source for Paths {
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        for _ in 0..most {
            let Some((from, entry)) = self.list.next()? else { return Ok(Next::End) };
            into.extend(entry.sourced(from, self.offset).inspect(|_| self.offset += 1));
        }
        Ok(Next::More)
    }

    fn mark(&self) -> Mark {
        Mark { from: self.list.at(), place: 0 }
    }
}
