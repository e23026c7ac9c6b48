//! What a pipeline has collected, as the output of its step.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use super::Opening;
use crate::event::{Failure, FailureKind, INLINE_LIMIT, Output};
use crate::exec::capture::{finished_file, store_failure};
use crate::plan::Json;

/// The array of what was collected: in a file if it is long.
pub(super) fn output(opening: &Opening) -> Result<Output, Failure> {
    let path = opening.path(&opening.collected());
    let read = || {
        let length = std::fs::metadata(&path)?.len();
        if length >= INLINE_LIMIT as u64 {
            let name = opening.stem() + ".json";
            let whole = opening.path(&name);
            write_array(&path, &whole)?;
            return finished_file(&whole, name).map(Ok);
        }
        let text = std::fs::read_to_string(&path)?;
        let items: Result<Vec<Json>, _> = text.lines().map(serde_json::from_str).collect();
        Ok(items.map(|items| Output::Value(Json::Array(items))))
    };
    let output = read().map_err(|error| store_failure("read", &path, &error))?;
    output.map_err(|error| Failure::new(FailureKind::Store, format!("`{}` was changed: {error}", path.display())))
}

/// Writes lines of JSON as an array of JSON.
fn write_array(lines: &Path, array: &Path) -> io::Result<()> {
    let mut lines = BufReader::new(File::open(lines)?);
    let mut array = BufWriter::new(File::create(array)?);
    let mut line = Vec::new();
    let mut before: &[u8] = b"[";
    while lines.read_until(b'\n', &mut line)? > 0 {
        array.write_all(before)?;
        array.write_all(line.strip_suffix(b"\n").unwrap_or(&line))?;
        line.clear();
        before = b",";
    }
    array.write_all(if before == b"[" { b"[]" } else { b"]" })?;
    array.flush()
}
