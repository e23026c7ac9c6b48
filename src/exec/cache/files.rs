//! The files that a step reads and writes: which they are, and the hashes of what is in them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use glob::{MatchOptions, Pattern};
use sha2::{Digest, Sha256};

use super::Results;
use crate::state::cached::Stamp;

/// As shells match: files whose names begin with a dot only where the pattern says so, and `*` within one folder.
pub(in crate::exec) const MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A file that was changed so lately may be changed again without showing it: clocks of file systems are coarse.
const YOUNG_NS: i64 = 2_000_000_000;

/// Longest piece that is read between two looks at whether it is still wanted, in bytes.
const PIECE: usize = 256 * 1024;

/// Files by the names to show: each with what it looks like from outside, or nothing if it is not there.
pub(super) type Found = BTreeMap<String, Option<Stamp>>;

/// The files that patterns mean, each once. A name without wildcards that is not there is among them; a folder stands
/// for all files in it.
pub(super) fn matching(cwd: &Path, patterns: &[String]) -> Result<Found, String> {
    let mut found = Found::new();
    for pattern in patterns {
        if pattern.contains(['*', '?', '[']) {
            for (path, metadata) in wild(cwd, pattern)? {
                found.insert(shown(cwd, &path), Some(stamp_of(&path, &metadata)));
            }
            continue;
        }
        let path = cwd.join(pattern);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                found.insert(shown(cwd, &path), Some(stamp_of(&path, &metadata)));
            }
            Ok(metadata) if metadata.is_dir() => {
                let mut take = |path: PathBuf, metadata: &fs::Metadata| {
                    found.insert(shown(cwd, &path), Some(stamp_of(&path, metadata)));
                };
                below(&path, &mut take)
                    .map_err(|error| format!("the folder `{}` cannot be read: {error}", shown(cwd, &path)))?;
            }
            // To read a pipe or a device may take for ever, and says nothing about the next time.
            Ok(_) => return Err(format!("`{pattern}` is neither a file nor a folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => drop(found.insert(pattern.clone(), None)),
            Err(error) => return Err(format!("`{pattern}` cannot be looked at: {error}")),
        }
    }
    Ok(found)
}

/// The paths of the files that a pattern means, in the order of their names, as one would write them in the folder.
pub(in crate::exec) fn paths(cwd: &Path, pattern: &str) -> Result<Vec<String>, String> {
    match pattern.contains(['*', '?', '[']) {
        true => {
            let mut paths: Vec<String> = wild(cwd, pattern)?.iter().map(|(path, _)| shown(cwd, path)).collect();
            paths.sort();
            Ok(paths)
        }
        false => Ok(if cwd.join(pattern).exists() { vec![pattern.to_owned()] } else { Vec::new() }),
    }
}

/// A path as one would write it in the folder.
pub(super) fn shown(cwd: &Path, path: &Path) -> String {
    path.strip_prefix(cwd).unwrap_or(path).display().to_string()
}

/// The files that match a pattern. Where it reaches into folders at any depth (`**`), links to folders are not followed:
/// they may lead around in a circle.
fn wild(cwd: &Path, pattern: &str) -> Result<Vec<(PathBuf, fs::Metadata)>, String> {
    let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let plain = parts.iter().take_while(|part| !part.contains(['*', '?', '['])).count();
    let mut base = if pattern.starts_with('/') { PathBuf::from("/") } else { cwd.to_owned() };
    base.extend(&parts[..plain]);
    let compiled = Pattern::new(&parts[plain..].join("/"))
        .map_err(|error| format!("`{pattern}` is not a pattern of files: {}", error.msg))?;
    let anywhere = parts.contains(&"**");
    let hidden = parts[plain..].iter().any(|part| part.starts_with('.'));
    let (mut found, mut open) = (Vec::new(), vec![(PathBuf::new(), parts.len() - plain)]);
    while let Some((folder, depth)) = open.pop() {
        let entries = match fs::read_dir(base.join(&folder)) {
            Ok(entries) => entries,
            // One that is not there, or is gone meanwhile, has no files.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(format!("`{}` cannot be read: {error}", base.join(&folder).display())),
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if !hidden && name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = folder.join(name);
            // A link to nowhere is no file.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if metadata.is_dir() {
                let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                if anywhere && !is_link {
                    open.push((path, depth));
                } else if !anywhere && depth > 1 {
                    open.push((path, depth - 1));
                }
            } else if metadata.is_file() && compiled.matches_path_with(&path, MATCH) {
                found.push((base.join(path), metadata));
            }
        }
    }
    Ok(found)
}

/// All files below a folder. Links to folders are not followed: they may lead around in a circle.
fn below(folder: &Path, take: &mut dyn FnMut(PathBuf, &fs::Metadata)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            below(&entry.path(), take)?;
        } else if let Some(metadata) = fs::metadata(entry.path()).ok().filter(fs::Metadata::is_file) {
            take(entry.path(), &metadata);
        }
    }
    Ok(())
}

/// The SHA-256 of each of these files. What is known of unchanged files is not read again. Ends early, with nothing,
/// when `stop` becomes true.
pub(super) fn hashes(results: &dyn Results, files: &[&Stamp], stop: &AtomicBool) -> Result<Vec<String>, String> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let known = results.hashes(files);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
    let (mut all, mut new) = (Vec::with_capacity(files.len()), Vec::new());
    for (stamp, known) in files.iter().zip(known) {
        if let Some(hash) = known {
            all.push(hash);
            continue;
        }
        let path = Path::new(&stamp.path);
        let hash = content(path, stop).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("`{}` went away", path.display()),
            _ => format!("`{}` cannot be read: {error}", path.display()),
        })?;
        all.push(hash.clone());
        if now - stamp.changed_ns.max(stamp.touched_ns) > YOUNG_NS {
            new.push(((*stamp).clone(), hash));
        }
    }
    if !new.is_empty() {
        results.hashed(new);
    }
    Ok(all)
}

/// What a file looks like from outside.
pub(super) fn stamp(path: &Path) -> io::Result<Stamp> {
    Ok(stamp_of(path, &fs::metadata(path)?))
}

fn stamp_of(path: &Path, metadata: &fs::Metadata) -> Stamp {
    Stamp {
        path: path.to_string_lossy().into_owned(),
        bytes: metadata.len(),
        inode: metadata.ino(),
        changed_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        touched_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    }
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// The SHA-256 of what is in a file.
pub(super) fn content(path: &Path, stop: &AtomicBool) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sha = Sha256::new();
    let mut piece = vec![0; PIECE.min(file.metadata()?.len() as usize + 1)];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "it was ended before it was done"));
        }
        match file.read(&mut piece) {
            Ok(0) => return Ok(super::key::hex(&sha.finalize())),
            Ok(n) => sha.update(&piece[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(cwd: &Path, patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let found = matching(cwd, &patterns).expect("files");
        let name = |(name, stamp): (String, Option<Stamp>)| if stamp.is_some() { name } else { format!("{name}?") };
        found.into_iter().map(name).collect()
    }

    #[test]
    fn patterns_and_names() {
        let folder = tempfile::tempdir().expect("a folder");
        // A folder whose own name looks like a pattern.
        let cwd = folder.path().join("a[b]*");
        for file in ["src/a.rs", "src/deep/b.rs", "src/.hidden.rs", ".git/c.rs", "d.rs", "e.txt"] {
            let path = cwd.join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, file).expect("a file");
        }
        std::os::unix::fs::symlink("nowhere", cwd.join("f.rs")).expect("a link");
        std::os::unix::fs::symlink("..", cwd.join("src/around")).expect("a link");
        assert_eq!(names(&cwd, &["**/*.rs"]), ["d.rs", "src/a.rs", "src/deep/b.rs"]);
        assert_eq!(names(&cwd, &["*.rs", "e.txt", "./d.rs", "g"]), ["d.rs", "e.txt", "g?"]);
        assert_eq!(names(&cwd, &["src"]), ["src/.hidden.rs", "src/a.rs", "src/deep/b.rs"]);
        assert_eq!(names(&cwd, &["src/.*", "x/*", "[a-e].rs"]), ["d.rs", "src/.hidden.rs"]);
        let wrong = matching(&cwd, &["[".to_owned()]).expect_err("no pattern");
        assert!(wrong.starts_with("`[` is not a pattern of files: "), "{wrong}");
    }

    #[test]
    fn contents_are_hashed_until_it_is_stopped() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        fs::write(&path, b"abc").expect("a file");
        let stop = AtomicBool::new(false);
        assert_eq!(content(&path, &stop).expect("a hash"), crate::plan::sha256(b"abc"));
        stop.store(true, Ordering::Relaxed);
        assert!(content(&path, &stop).is_err());
    }
}
