//! Files that agents change: what they hold is kept, recorded, and written again by a replay.

use std::fs;
use std::process::Command;

use flow::plan::Json;

use crate::bench::{Bench, INIT, RESULT};

/// Says that it is done after `work`.
fn works(work: &str) -> String {
    format!("echo '{INIT}'\n{work}\nprintf '%s\\n' '{RESULT}'")
}

fn files(recording: &str) -> Vec<Json> {
    let lines = recording.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    lines.filter(|line| line.get("file").is_some()).collect()
}

#[test]
fn a_replay_changes_the_files_that_were_changed() {
    let work = "mkdir -p src/new\necho one > src/new/a\nprintf '\\377\\376' > src/b\nrm src/gone\ncp src/gone2 c\n\
        ln -s b src/link\nhead -c 1048577 /dev/zero > src/long\necho hunter-two > src/key\n";
    let bench = Bench::claude(&works(work), "api_key: secret(\"MY_KEY\")").and("ask.writes(\"src/**\");");
    fs::create_dir(bench.path("src")).unwrap();
    bench.write("src/gone", "old");
    bench.write("src/gone2", "old");
    let live = bench.command(&["script", "test.rhai", "--quiet"]).env("MY_KEY", "hunter-two").output().unwrap();
    assert_eq!(live.status.code(), Some(0), "{}", String::from_utf8_lossy(&live.stderr));
    let told = bench.flow(&["agents", "record", "last", "-o", "said.ndjson"]).code(0).err;
    assert!(told.contains("no plain file: src/link, which ask changed") && told.contains("src/long"), "{told}");
    let said = fs::read_to_string(bench.path("said.ndjson")).unwrap();
    let expected = serde_json::json!([
        { "file": "c", "text": "old" },
        { "file": "src/b", "text": null, "bytes": "//4=" },
        { "file": "src/gone", "text": null },
        { "file": "src/key", "text": "***\n" },
        { "file": "src/new/a", "text": "one\n" },
    ]);
    assert_eq!(Json::from_iter(files(&said)), expected);

    fs::remove_dir_all(bench.path("src")).unwrap();
    fs::create_dir(bench.path("src")).unwrap();
    bench.write("src/gone", "old");
    for name in ["c", "fake.sh"] {
        fs::remove_file(bench.path(name)).unwrap();
    }
    bench.flow(&["script", "test.rhai", "--quiet", "--agents", "recorded:said.ndjson"]).code(0);
    let text = |name: &str| fs::read(bench.path(name)).unwrap_or_default();
    assert_eq!([text("src/new/a"), text("src/b"), text("c")], [b"one\n".to_vec(), vec![255, 254], b"old".to_vec()]);
    assert!(!bench.path("src/gone").exists());
}

#[test]
fn a_replay_writes_into_the_work_tree_of_its_step() {
    let bench = Bench::claude(&works("echo two > b; echo one > inner/a"), "")
        .and("merge(\"all\", [ask.isolate(\"worktree\")]);");
    let git = |words: &[&str]| {
        let done = Command::new("git").arg("-C").arg(bench.path(".")).args(words).output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    fs::create_dir(bench.path("inner")).unwrap();
    bench.write("inner/a", "zero\n");
    bench.write(".gitignore", ".flow\nsaid.ndjson\n");
    git(&["init", "-q", "-b", "main", "."]);
    git(&["add", "-A"]);
    git(&["-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "-m", "first"]);
    bench.flow(&["script", "test.rhai", "--quiet"]).code(0);
    bench.flow(&["agents", "record", "last", "-o", "said.ndjson"]).code(0);
    git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert!(!bench.path("b").exists());
    bench.flow(&["script", "test.rhai", "--quiet", "--agents", "recorded:said.ndjson"]).code(0);
    assert_eq!(fs::read_to_string(bench.path("b")).unwrap(), "two\n");
    assert_eq!(fs::read_to_string(bench.path("inner/a")).unwrap(), "one\n");
}
