//! Items go into a file, a line or a row each. Where the pipeline goes on, the file is cut off behind the last item that
//! is acknowledged, so each stands in it once.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::form::Form;
use super::{Failure, Item, Opening, Sink, Trouble};
use crate::event::{FailureKind, Reached};
use crate::exec::pipeline::lines::LineFile;
use crate::plan::{Format, Value};
use crate::state::resolve;
use crate::state::result::plain_text;

/// See the module's page.
pub(super) struct File {
    lines: LineFile,
    form: Form,
    /// Is it a file, or a pipe, a device?
    regular: bool,
    /// What is noted of it. Nothing: it ended well, or is no file.
    note: Option<Note>,
}

impl File {
    pub fn open(path: &Value, format: &Format, append: bool, at: &Opening) -> Result<Self, Failure> {
        let name = plain_text(&resolve(path, &at.job.inputs)?);
        if matches!(&*name, "" | "-") {
            let message = format!("`{name}` is not the name of a file to write into");
            return Err(Failure::new(FailureKind::Input, message)
                .help("name a file; without `.to(…)` the items are the output of the step"));
        }
        let path = at.job.cwd()?.join(&name);
        let known = fs::metadata(&path).ok();
        check(&name, &path, known.as_ref())?;
        let refused = |error: io::Error| unwritable(&name, &error);
        if known.as_ref().is_some_and(|known| !known.is_file()) {
            let file = OpenOptions::new().write(true).open(&path).map_err(refused)?;
            let lines = LineFile::of(&path, file, 0);
            return Ok(File { lines, form: Form::new(format, None), regular: false, note: None });
        }
        let length = known.as_ref().map_or(0, fs::Metadata::len);
        if length < at.reached.written {
            return Err(shrank(&name, known.is_some(), at.reached.written));
        }
        let mut options = OpenOptions::new();
        options.read(true).create(true).truncate(false);
        let file = if append { options.append(true) } else { options.write(true) }.open(&path).map_err(refused)?;
        lock(&file, &name)?;
        // Who had it before may have written something.
        let length = file.metadata().map_err(refused)?.len();
        // What a replay passes over was written by another run.
        let begins = Reached { beyond: Vec::new(), ..at.reached.clone() } == Reached::default();
        let note = Note::of(at)?;
        let noted = note.read().filter(|noted| noted.begin <= length);
        let keep = match (begins, append) {
            (true, false) => 0,
            _ => {
                let written = if begins { noted.map_or(length, |noted| noted.begin) } else { at.reached.written };
                match stand(written, noted, length, append) {
                    Some(keep) => keep,
                    None => return Err(added(&name, length - written)),
                }
            }
        };
        if append && keep < length && noted.is_none_or(|noted| noted.end.is_none()) {
            note.save(&file, keep).map_err(refused)?;
        }
        Self::begin(file, &path, format, keep, append, note).map_err(refused)
    }

    fn begin(
        mut file: fs::File,
        path: &Path,
        format: &Format,
        keep: u64,
        append: bool,
        note: Note,
    ) -> io::Result<Self> {
        note.write(Noted { begin: keep, end: None })?;
        file.set_len(keep)?;
        let columns = match format {
            Format::Csv { header: true, delimiter } if keep > 0 => first_row(&file, *delimiter)?,
            _ => None,
        };
        let mut written = file.seek(SeekFrom::Start(keep))?;
        // What stands there may end without a newline.
        if keep > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(keep - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                written += 1;
            }
        }
        let lines = if append { LineFile::common(path, file, written) } else { LineFile::of(path, file, written) };
        Ok(File { lines, form: Form::new(format, columns), regular: true, note: Some(note) })
    }
}

/// Where a file is cut off, in which `written` bytes are acknowledged. Nothing: others have written behind what is not
/// acknowledged, or into a file that is only ours.
fn stand(written: u64, noted: Option<Noted>, length: u64, append: bool) -> Option<u64> {
    let keep = written.max(noted.map_or(0, |noted| noted.begin)).min(length);
    match noted.and_then(|noted| noted.end) {
        // The process has died: what is behind is its own, as far as anybody knows.
        None => Some(keep),
        Some(end) if length <= end => Some(keep),
        Some(end) if end <= keep && append => Some(length),
        Some(_) => None,
    }
}

impl Sink for File {
    fn put(&mut self, item: &Item) -> Result<(), Trouble> {
        let form = &mut self.form;
        self.lines.add(|line| form.write(item, line)).map_err(Trouble::Item)?;
        Ok(self.lines.spill()?)
    }

    fn flush(&mut self, sync: bool) -> Result<u64, Failure> {
        self.lines.flush(sync && self.regular)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Failure> {
        if let Some(note) = self.note.take() {
            // The next time the file is as long as it is then.
            let _ = fs::remove_file(&note.path);
        }
        Ok(())
    }

    fn cuts(&self) -> bool {
        self.regular
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Some(note) = &self.note
            && let Some(noted) = note.read()
        {
            // Without this it is taken for the end of a process that has died.
            let _ = note.write(Noted { end: Some(self.lines.written()), ..noted });
        }
    }
}

/// Two pipelines that write the same file would spoil it.
fn lock(file: &fs::File, name: &str) -> Result<(), Failure> {
    for _ in 0..20 {
        match file.try_lock() {
            // A process that is just being started may have it for a moment.
            Err(fs::TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(10)),
            // A file system that knows no locks is used without.
            Ok(()) | Err(fs::TryLockError::Error(_)) => return Ok(()),
        }
    }
    Err(Failure::new(FailureKind::Input, format!("`{name}` is being written by another pipeline"))
        .help("wait for its end, with `.after(…)` within a workflow, or write into another file"))
}

/// Can it be written at all?
fn check(name: &str, path: &Path, known: Option<&fs::Metadata>) -> Result<(), Failure> {
    if known.is_some_and(fs::Metadata::is_dir) {
        return Err(Failure::new(FailureKind::Input, format!("`{name}` is a folder, not a file"))
            .help("name a file in it, as in `folder/items.ndjson`"));
    }
    match path.parent() {
        Some(parent) if known.is_none() && !parent.is_dir() => {
            let parent = parent.display();
            Err(Failure::new(FailureKind::Input, format!("`{name}` cannot be written: there is no folder `{parent}`"))
                .help(format!("`mkdir -p {parent}` in a step before it makes one")))
        }
        _ => Ok(()),
    }
}

fn unwritable(name: &str, error: &io::Error) -> Failure {
    Failure::new(FailureKind::Input, format!("`{name}` cannot be written: {error}"))
        .help("check who may write it, and the space on its disk")
}

fn shrank(name: &str, is_there: bool, written: u64) -> Failure {
    let what = if is_there { "is shorter than it was" } else { "is gone" };
    let message = format!("the file `{name}` {what}, and {written} bytes of it were written by this pipeline");
    Failure::new(FailureKind::Input, message)
        .help("put it back as it was and resume, or start a new run, which writes it from the beginning")
}

fn added(name: &str, bytes: u64) -> Failure {
    let message =
        format!("others have written into `{name}` since: it is {bytes} bytes longer than this pipeline left it");
    Failure::new(FailureKind::Input, message)
        .help("take out what they wrote and resume, or start a new run; `append: true` keeps what others add")
}

/// A file in the run's folder that holds what is known of the one that is written.
struct Note {
    path: PathBuf,
}

/// What stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Noted {
    /// How long the file was before anything was added.
    begin: u64,
    /// How long it was when it was closed. Nothing: it is open, or the process has died.
    end: Option<u64>,
}

impl Note {
    fn of(at: &Opening) -> Result<Self, Failure> {
        at.job.site.prepare()?;
        Ok(Note { path: at.job.site.folder.join(at.stem() + ".sink") })
    }

    fn read(&self) -> Option<Noted> {
        let text = fs::read_to_string(&self.path).ok()?;
        let mut numbers = text.split_whitespace().map(str::parse::<u64>);
        Some(Noted { begin: numbers.next()?.ok()?, end: numbers.next().and_then(Result::ok) })
    }

    fn write(&self, noted: Noted) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let end = noted.end.map(|end| format!(" {end}")).unwrap_or_default();
        fs::write(&new, format!("{}{end}\n", noted.begin))?;
        fs::rename(&new, &self.path)
    }

    /// Keeps what is cut off: others may have written it.
    fn save(&self, mut file: &fs::File, keep: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(keep))?;
        let mut cut = OpenOptions::new().create(true).append(true).open(self.path.with_extension("cut"))?;
        io::copy(&mut file, &mut cut).map(drop)
    }
}

/// The names of the columns that a file has.
fn first_row(file: &fs::File, delimiter: char) -> io::Result<Option<Vec<String>>> {
    let mut file = file;
    file.rewind()?;
    let mut builder = csv::ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(u8::try_from(delimiter).unwrap_or(b','));
    let mut row = csv::ByteRecord::new();
    let read = builder.from_reader(file).read_byte_record(&mut row).map_err(io::Error::other)?;
    Ok(read.then(|| row.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()))
}
