//! Results and hashes of files in the store.

use super::*;
use crate::state::cached::{Entry, Kept, Stamp};

fn entry(key: &str, step: &str, at: u64) -> Entry {
    Entry {
        key: key.into(),
        parts: vec![("command".into(), format!("hash of {key}"))],
        step: step.into(),
        run: "r".into(),
        at,
        used_at: at,
        result: Kept { texts: vec![("out".into(), 2)], ..Kept::default() },
        texts: b"hi".to_vec(),
    }
}

fn stamp(path: &str, changed_ns: i64) -> Stamp {
    Stamp { path: path.into(), bytes: 1, inode: u64::MAX, changed_ns, touched_ns: 1 }
}

#[test]
fn results_are_found_by_key_and_by_step() {
    let home = home();
    let store = open(&home);
    store.keep_results("w", vec![entry("k1", "a", 10), entry("k2", "a", 20), entry("k3", "b", 5)]);
    store.flush().unwrap();
    let found = store.cached("k1").unwrap().unwrap();
    assert_eq!(found, Entry { parts: Vec::new(), ..entry("k1", "a", 10) });
    assert_eq!(store.cached("k").unwrap(), None);
    assert_eq!(store.latest_cached("w", "a").unwrap(), Some(entry("k2", "a", 20).parts));
    assert_eq!(store.latest_cached("v", "a").unwrap(), None);
    // The same once more replaces it.
    store.keep_results("w", vec![entry("k1", "a", 30)]);
    store.flush().unwrap();
    assert_eq!(store.latest_cached("w", "a").unwrap(), Some(entry("k1", "a", 30).parts));
}

#[test]
fn what_nobody_uses_is_forgotten_with_its_files() {
    let home = home();
    let store = open(&home);
    store.keep_results("w", vec![entry("old", "a", 10), entry("used", "b", 10)]);
    store.keep_hashes(vec![(stamp("/a", 1), "h".into())]);
    store.used_result(&entry("used", "b", 10));
    for key in ["old", "used"] {
        fs::create_dir_all(store.result_folder(key)).unwrap();
        fs::write(store.result_folder(key).join("file"), "x").unwrap();
        let folder = fs::File::open(store.result_folder(key)).unwrap();
        folder.set_modified(std::time::UNIX_EPOCH).unwrap();
    }
    // One whose result is about to be kept.
    fs::create_dir_all(store.result_folder("new")).unwrap();
    store.flush().unwrap();
    assert_eq!(store.forget_results(1_000).unwrap(), 1);
    assert!(store.cached("old").unwrap().is_none() && !store.result_folder("old").exists());
    assert!(store.cached("used").unwrap().is_some() && store.result_folder("used").exists());
    assert!(store.result_folder("new").exists());
    assert_eq!(store.file_hashes(&[&stamp("/a", 1)]).unwrap(), [Some("h".to_owned())]);
    assert_eq!(store.forget_results(now_ms() + 1).unwrap(), 1);
    assert_eq!(store.file_hashes(&[&stamp("/a", 1)]).unwrap(), [None]);
}

#[test]
fn hashes_are_those_of_unchanged_files() {
    let home = home();
    let store = open(&home);
    store.keep_hashes(vec![(stamp("/a", 1), "h1".into()), (stamp("/b", 1), "h2".into())]);
    store.keep_hashes(vec![(stamp("/b", 2), "h3".into())]);
    store.flush().unwrap();
    let asked = [&stamp("/b", 2), &stamp("/b", 1), &stamp("/a", 1), &stamp("/c", 1)];
    let known = store.file_hashes(&asked).unwrap();
    assert_eq!(known, [Some("h3".to_owned()), None, Some("h1".to_owned()), None]);
}
