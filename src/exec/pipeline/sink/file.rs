//! Items go into a file, a line or a row each. Where the pipeline goes on, the file is cut off behind the last item that
//! is acknowledged, so each stands in it once.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

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
    /// Where it is noted how long the file was at first.
    note: Option<PathBuf>,
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
        if known.as_ref().is_some_and(|known| !known.is_file()) {
            let file = OpenOptions::new().write(true).open(&path).map_err(|error| unwritable(&name, &error))?;
            return Ok(File {
                lines: LineFile::of(&path, file, 0),
                form: Form::new(format, None),
                regular: false,
                note: None,
            });
        }
        let length = known.map_or(0, |known| known.len());
        // What a replay passes over was written by another run.
        let begins = Reached { beyond: Vec::new(), ..at.reached.clone() } == Reached::default();
        let (keep, note) = match (begins, append) {
            (true, false) => (0, None),
            (true, true) => {
                let note = note_of(at)?;
                (first_length(&note, length).map_err(|error| unwritable(&name, &error))?, Some(note))
            }
            (false, _) => (at.reached.written, append.then(|| note_of(at)).transpose()?),
        };
        if length < keep {
            let what = if length == 0 && !path.exists() { "is gone" } else { "is shorter than it was" };
            let message = format!("the file `{name}` {what}, and {keep} bytes of it were written by this pipeline");
            return Err(Failure::new(FailureKind::Input, message)
                .help("put it back as it was and resume, or start a new run, which writes it from the beginning"));
        }
        Self::begin(&path, format, keep, note).map_err(|error| unwritable(&name, &error))
    }

    fn begin(path: &Path, format: &Format, keep: u64, note: Option<PathBuf>) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
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
        Ok(File { lines: LineFile::of(path, file, written), form: Form::new(format, columns), regular: true, note })
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

    fn finish(self: Box<Self>) -> Result<(), Failure> {
        if let Some(note) = &self.note {
            // The next time the file is as long as it is then.
            let _ = fs::remove_file(note);
        }
        Ok(())
    }

    fn cuts(&self) -> bool {
        self.regular
    }
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

/// Where it is noted how long a file was before anything was added.
fn note_of(at: &Opening) -> Result<PathBuf, Failure> {
    at.job.site.prepare()?;
    Ok(at.job.site.folder.join(at.stem() + ".sink"))
}

/// How long the file was before anything was added: now, or as it was noted by a process that was gone before anything
/// was acknowledged.
fn first_length(note: &Path, length: u64) -> io::Result<u64> {
    let noted = fs::read_to_string(note).ok().and_then(|text| text.trim_end().parse::<u64>().ok());
    if let Some(noted) = noted.filter(|noted| *noted <= length) {
        return Ok(noted);
    }
    let new = note.with_extension("new");
    fs::write(&new, format!("{length}\n"))?;
    fs::rename(&new, note)?;
    Ok(length)
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
