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
const MATCH: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A file that was changed so lately may be changed again without showing it: clocks of file systems are coarse.
const YOUNG_NS: i64 = 2_000_000_000;

/// Longest piece that is read between two looks at whether it is still wanted, in bytes.
const PIECE: usize = 256 * 1024;

/// The files that patterns mean, each once, in the order of their names: the name to show, and the path. A name without
/// wildcards that is not there is in it without a path; a folder stands for all files in it.
pub(super) fn matching(cwd: &Path, patterns: &[String]) -> Result<BTreeMap<String, Option<PathBuf>>, String> {
    let mut found = BTreeMap::new();
    let shown = |path: &Path| path.strip_prefix(cwd).unwrap_or(path).display().to_string();
    let mut take = |path: PathBuf, is_folder: bool| -> Result<(), String> {
        if !is_folder {
            found.insert(shown(&path), Some(path));
            return Ok(());
        }
        below(&path, &mut |path| drop(found.insert(shown(&path), Some(path))))
            .map_err(|error| format!("the folder `{}` cannot be read: {error}", shown(&path)))
    };
    let mut absent = Vec::new();
    for pattern in patterns {
        if !pattern.contains(['*', '?', '[']) {
            let path = cwd.join(pattern);
            match fs::metadata(&path) {
                // To read a pipe or a device may take for ever, and says nothing about the next time.
                Ok(metadata) if !metadata.is_dir() && !metadata.is_file() => {
                    return Err(format!("`{pattern}` is neither a file nor a folder"));
                }
                Ok(metadata) => take(path, metadata.is_dir())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => absent.push(pattern.clone()),
                Err(error) => return Err(format!("`{pattern}` cannot be looked at: {error}")),
            }
            continue;
        }
        for path in wild(cwd, pattern)? {
            take(path, false)?;
        }
    }
    for name in absent {
        found.insert(name, None);
    }
    Ok(found)
}

/// The files that match a pattern. Where it reaches into folders at any depth (`**`), links to folders are not followed:
/// they may lead around in a circle.
fn wild(cwd: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
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
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            let is_folder = match entry.file_type() {
                Ok(kind) if !is_link => kind.is_dir(),
                _ => fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()),
            };
            if is_folder {
                if anywhere && !is_link {
                    open.push((path, depth));
                } else if !anywhere && depth > 1 {
                    open.push((path, depth - 1));
                }
            } else if compiled.matches_path_with(&path, MATCH)
                && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file())
            {
                found.push(base.join(path));
            }
        }
    }
    Ok(found)
}

/// All files below a folder. Links to folders are not followed: they may lead around in a circle.
fn below(folder: &Path, take: &mut dyn FnMut(PathBuf)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            below(&entry.path(), take)?;
        } else if fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_file()) {
            take(entry.path());
        }
    }
    Ok(())
}

/// The SHA-256 of each of these files. What is known of unchanged files is not read again. Ends early, with nothing,
/// when `stop` becomes true.
pub(super) fn hashes(results: &dyn Results, paths: &[&Path], stop: &AtomicBool) -> Result<Vec<String>, String> {
    let failed = |path: &Path, error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => format!("`{}` went away", path.display()),
        _ => format!("`{}` cannot be read: {error}", path.display()),
    };
    let stamp = |path: &&Path| stamp(path).map_err(|error| failed(path, error));
    let stamps: Vec<Stamp> = paths.iter().map(stamp).collect::<Result<_, _>>()?;
    let known = results.hashes(&stamps);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i64);
    let (mut all, mut new) = (Vec::with_capacity(paths.len()), Vec::new());
    for (stamp, known) in stamps.into_iter().zip(known) {
        if let Some(hash) = known {
            all.push(hash);
            continue;
        }
        let path = Path::new(&stamp.path);
        let hash = content(path, stop).map_err(|error| failed(path, error))?;
        all.push(hash.clone());
        if now - stamp.changed_ns.max(stamp.touched_ns) > YOUNG_NS {
            new.push((stamp, hash));
        }
    }
    if !new.is_empty() {
        results.hashed(new);
    }
    Ok(all)
}

/// What a file looks like from outside.
pub(super) fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok(Stamp {
        path: path.to_string_lossy().into_owned(),
        bytes: metadata.len(),
        inode: metadata.ino(),
        changed_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        touched_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    })
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
        let name = |(name, path): (String, Option<PathBuf>)| if path.is_some() { name } else { format!("{name}?") };
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
