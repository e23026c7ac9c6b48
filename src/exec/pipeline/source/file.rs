//! What stands in a file. Where the pipeline goes on, it is read from the byte at which the next item begins.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::patient::Patient;
use super::pull::{Pull, mark_of};
use super::records::{At, Records, places};
use super::rows::Rows;
use super::{Mark, Next, Opening, Places, Print, Source, Sourced, Stop};
use crate::diag::nearest;
use crate::event::{Failure, FailureKind};
use crate::plan::{Format, Value};
use crate::state::resolve;
use crate::state::result::{plain_text, shorten};

/// See the module's page.
pub(super) struct File {
    pull: Pull<Box<dyn Read + Send>>,
    /// The file once more, to look at its length; nothing: it is a pipe.
    regular: Option<fs::File>,
    name: String,
    format: Format,
}

/// Is `-` meant, flow's own standard input?
pub(super) fn is_stdin(path: &Value) -> bool {
    path.as_text() == Some("-")
}

impl File {
    pub fn open(path: &Value, format: &Format, at: &Opening, stop: &Arc<Stop>) -> Result<Self, Failure> {
        let name = plain_text(&resolve(path, &at.job.inputs)?);
        if name.is_empty() {
            return Err(Failure::new(FailureKind::Input, "the name of the file to be read is empty")
                .help("`lines(\"access.log\")` names a file, `lines(\"-\")` is standard input"));
        }
        let path = at.job.cwd()?.join(&name);
        let file = fs::File::open(&path).map_err(|error| missing(&name, &path, &error, at.reached.upto))?;
        let known = file.metadata().map_err(|error| unreadable(&name, &error))?;
        if known.is_dir() {
            return Err(Failure::new(FailureKind::Input, format!("`{name}` is a folder, not a file"))
                .help("`files(\"folder/*\")` gives the paths in it, `watch(\"folder\")` what comes into it"));
        }
        let offset = at.reached.upto;
        if !known.is_file() {
            let reader: Box<dyn Read + Send> = Box::new(Patient::new(file, stop.clone()));
            let pull = Pull::passing(Records::new(reader, format, At::default()), offset);
            return Ok(File { pull, regular: None, name, format: format.clone() });
        }
        let mark = mark_of(at.reached);
        if known.len() < mark.from {
            return Err(shrank(&name, known.len(), mark.from));
        }
        let told = at.reached.place.get(2).and_then(serde_json::Value::as_u64);
        let print = || Print::of(&file)?.before(mark.from);
        if told.is_some() && print().map_err(|error| unreadable(&name, &error))? != told {
            return Err(changed(&name, mark.from));
        }
        let (regular, begin) =
            stand(file, format, mark).map_err(|error| unreadable(&name, &error))?.map_err(|it| named(it, &name))?;
        let reader = regular.try_clone().map_err(|error| unreadable(&name, &error))?;
        let pull = Pull::new(Records::new(Box::new(reader) as Box<dyn Read + Send>, format, begin), offset);
        Ok(File { pull, regular: Some(regular), name, format: format.clone() })
    }
}

/// Lets a file stand where an item begins.
fn stand(mut file: fs::File, format: &Format, mark: Mark) -> io::Result<Result<(fs::File, At), Failure>> {
    let number = mark.place.saturating_sub(1);
    let mut at = At { byte: mark.from, line: number, ..At::default() };
    if mark.from == 0 {
        return Ok(Ok((file, At::default())));
    }
    if let Format::Csv { header, delimiter } = format {
        let columns = match Rows::new(&file, *header, *delimiter, At::default()).common()? {
            Ok(columns) => columns,
            Err(failure) => return Ok(Err(failure)),
        };
        file.rewind()?;
        let (line, before) = newlines(&mut file, mark.from)?;
        at = At { byte: mark.from, line, row: number, before, columns };
    }
    file.seek(SeekFrom::Start(mark.from))?;
    Ok(Ok((file, at)))
}

/// How many there are among so many bytes, and the last of these.
fn newlines(file: &mut fs::File, bytes: u64) -> io::Result<(u64, u8)> {
    let (mut left, mut count, mut last) = (bytes, 0, 0);
    let mut buffer = vec![0; 256 * 1024];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match file.read(&mut buffer[..most])? {
            0 => break,
            n => {
                count += buffer[..n].iter().filter(|byte| **byte == b'\n').count() as u64;
                (left, last) = (left - n as u64, buffer[n - 1]);
            }
        }
    }
    Ok((count, last))
}

impl Source for File {
    fn next(&mut self, most: usize, into: &mut Vec<Sourced>) -> Result<Next, Failure> {
        let next = self.pull.next(most, into, self.regular.is_none());
        let next = next.map_err(|error| unreadable(&self.name, &error))?.map_err(|it| named(it, &self.name))?;
        let read = self.pull.mark().from;
        if next == Next::End
            && let Some(length) = self.regular.as_ref().and_then(|file| file.metadata().ok()).map(|it| it.len())
            && length < read
        {
            return Err(shrank(&self.name, length, read));
        }
        Ok(next)
    }

    fn mark(&self) -> Mark {
        self.pull.mark()
    }

    fn places(&self) -> Places {
        places(&self.format, &self.name)
    }

    fn print(&self) -> Option<Print> {
        self.regular.as_ref().and_then(|file| Print::of(file).ok())
    }
}

/// Which file it is that is not as it should be.
fn named(failure: Failure, name: &str) -> Failure {
    Failure { message: format!("`{name}`: {}", failure.message), ..failure }
}

fn missing(name: &str, path: &Path, error: &io::Error, done: u64) -> Failure {
    if error.kind() != io::ErrorKind::NotFound {
        return unreadable(name, error);
    }
    if done > 0 {
        let message = format!("the file `{name}` is gone, and {done} of its items are done with");
        return Failure::new(FailureKind::Input, message)
            .help("put it back as it was and resume, or start a new run with what there is now");
    }
    let near = near(path).map(|near| format!("did you mean `{near}`? "));
    Failure::new(FailureKind::Input, format!("there is no file `{name}`")).help(format!(
        "{}it was looked for at `{}`; `.cwd(…)` names another folder",
        near.unwrap_or_default(),
        path.display()
    ))
}

/// A file beside it with a similar name.
fn near(path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?;
    let entries = fs::read_dir(path.parent()?).ok()?.take(1_000);
    let names: Vec<PathBuf> = entries.filter_map(|entry| Some(PathBuf::from(entry.ok()?.file_name()))).collect();
    nearest(wanted, names.iter().filter_map(|name| name.to_str())).map(str::to_owned)
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    let message = format!("`{}` cannot be read: {error}", shorten(name, 200));
    let help = match error.kind() {
        io::ErrorKind::PermissionDenied => "check who may read it: `ls -l`",
        io::ErrorKind::Other => "look at what stands there; a quote begins a field that may go over several lines",
        _ => "the system refuses to read it; resume the run when it is readable",
    };
    Failure::new(FailureKind::Input, message).help(help)
}

fn shrank(name: &str, length: u64, read: u64) -> Failure {
    let message = format!("the file `{name}` shrank: it has {length} bytes, and {read} of it have been read");
    Failure::new(FailureKind::Input, message)
        .help("it is another one now, or was emptied: start a new run with it, or put the old one back and resume")
}

fn changed(name: &str, read: u64) -> Failure {
    let message = format!("`{name}` has changed since: other bytes stand there now where {read} were read");
    Failure::new(FailureKind::Input, message)
        .help("put it back as it was and resume, or start a new run with what there is now; only what is added at its end does no harm")
}
