use std::fs;

use serde_json::json;

use super::{Place, step};

/// A repository with a file `n.txt`.
fn repository(script: &str) -> Place {
    let place = Place::with(script);
    place.git(&["init", "-q", "-b", "main", "."]);
    fs::write(place.file("n.txt"), "base\n").expect("a file");
    fs::write(place.file(".gitignore"), ".flow\n").expect("a file");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "first"]);
    place
}

/// No branch, no work tree and no merge of flow's is left.
fn is_clean(place: &Place) {
    assert_eq!(place.git(&["branch", "--list", "flow/*"]), "");
    assert_eq!(place.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn what_was_done_apart_comes_together() {
    let place = repository(
        r#"
        let one = sh("one", "echo 1 > one.txt");
        let two = sh("two", "mkdir -p d; echo 2 > d/two.txt; rm n.txt");
        let parts = parallel("parts", [one, two]).isolate("worktree");
        let all = merge("all", [parts]);
        all -> call("tell", || [one.changed, two.changed, two.branch.ends_with("parts/two"), all.output.files]);
        "#,
    );
    let run = place.run(&[]);
    assert_eq!(run["status"], "success", "{run:#}");
    let expected = json!([["one.txt"], ["d/two.txt", "n.txt"], true, ["d/two.txt", "n.txt", "one.txt"]]);
    assert_eq!(step(&run, "tell")["output"], expected);
    assert_eq!(place.text("d/two.txt"), "2\n");
    assert!(!place.file("n.txt").exists());
    is_clean(&place);
}

const CONFLICT: &str = r#"
    let how = param("how", #{ default: "fail" });
    let one = sh("one", "echo 1 > n.txt").isolate("worktree");
    let two = sh("two", "echo 2 > n.txt; echo x > x.txt").isolate("worktree");
    one -> two;
    merge("all", [one, two], #{ on_conflict: how });
"#;

#[test]
fn a_conflict_leaves_all_as_it_was() {
    let place = repository(CONFLICT);
    let before = place.git(&["rev-parse", "HEAD"]);
    let run = place.run(&[]);
    let error = step(&run, "all")["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("`two` and `one` changed the same in `n.txt`"), "{error}");
    assert_eq!(place.git(&["rev-parse", "HEAD"]), before);
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    assert_eq!(place.text("n.txt"), "base\n");
    // What the two did is there to be looked at, until the run is removed.
    assert_eq!(place.git(&["branch", "--list", "flow/*"]).lines().count(), 2);
    assert!(place.flow(&["gc", "--keep-runs", "0"]).status.success());
    is_clean(&place);
}

#[test]
fn conflicts_are_decided_as_the_script_says() {
    for (how, text, skipped) in [("ours", "1\n", 0), ("theirs", "2\n", 0), ("skip", "1\n", 1)] {
        let place = repository(CONFLICT);
        let run = place.run(&["--arg", &format!("how={how}")]);
        assert_eq!(run["status"], "success", "{how}: {run:#}");
        assert_eq!(place.text("n.txt"), text, "{how}");
        assert_eq!(step(&run, "all")["output"]["skipped"].as_array().map(Vec::len), Some(skipped), "{how}");
    }
}

#[test]
fn what_is_not_committed_is_not_overwritten() {
    let place = repository(CONFLICT);
    fs::write(place.file("n.txt"), "mine\n").expect("a file");
    let run = place.run(&["--arg", "how=theirs"]);
    assert_eq!(step(&run, "all")["status"], "failed");
    assert_eq!(place.text("n.txt"), "mine\n");
}

#[test]
fn a_further_attempt_begins_afresh() {
    let place = repository(
        r#"
        let one = sh("one", "ls; echo x >> one.txt; test -e ../../../../../tried || { touch ../../../../../tried; exit 1; }")
            .isolate("worktree").retry(#{ max_attempts: 2, delay: "1ms" });
        merge("all", one);
        "#,
    );
    let run = place.run(&[]);
    assert_eq!(run["status"], "success", "{run:#}");
    assert_eq!(place.text("one.txt"), "x\n");
}

#[test]
fn it_needs_a_repository_with_a_commit() {
    let place = Place::with("sh(\"one\", \"true\").isolate(\"worktree\");");
    let run = place.run(&[]);
    assert!(step(&run, "one")["error"].as_str().is_some_and(|error| error.contains("in no git repository")), "{run:#}");
    place.git(&["init", "-q", "."]);
    let run = place.run(&[]);
    assert!(step(&run, "one")["error"].as_str().is_some_and(|error| error.contains("has no commit yet")), "{run:#}");
}

/// A process that is killed leaves nothing that is in the way.
#[test]
fn a_killed_run_goes_on() {
    let place = repository(
        r#"
        let one = sh("one", `echo 1 > one.txt; if [ ! -e "$OLD/once" ]; then touch "$OLD/once"; kill -9 $PPID; sleep 5; fi`)
            .isolate("worktree").env(#{ OLD: script_dir });
        merge("all", one);
        "#,
    );
    fs::write(place.file(".gitignore"), ".flow\nonce\n").expect("a file");
    place.git(&["commit", "-q", "-a", "-m", "second"]);
    place.flow(&["script", "test.rhai", "--quiet"]);
    let output = place.flow(&["resume", "last", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(place.text("one.txt"), "1\n");
    is_clean(&place);
}

/// What git ignores, and is nowhere else, is the user's as much as what it shows.
#[test]
fn ignored_files_are_not_overwritten() {
    for work in ["git add -f .env", "echo .flow > .gitignore"] {
        let place = repository(&format!(
            r#"
            let one = sh("one", "echo theirs > .env; {work}").isolate("worktree");
            merge("all", one, #{{ on_conflict: "theirs" }});
            "#
        ));
        fs::write(place.file(".gitignore"), ".flow\n.env\n").expect("a file");
        place.git(&["commit", "-q", "-a", "-m", "second"]);
        fs::write(place.file(".env"), "mine\n").expect("a file");
        let before = place.git(&["rev-parse", "HEAD"]);
        let run = place.run(&[]);
        let error = step(&run, "all")["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains("what `one` did cannot be merged: `.env` in the folder"), "{error}");
        assert_eq!(place.text(".env"), "mine\n");
        assert_eq!(place.git(&["rev-parse", "HEAD"]), before);
        assert_eq!(place.git(&["branch", "--list", "flow/*"]).lines().count(), 1);
    }
}

/// What is staged stays staged, whether the merge goes well or not, and blocks only what it is about.
#[test]
fn the_index_stays_as_it_was() {
    for (how, well) in [("fail", false), ("ours", true)] {
        let place = repository(CONFLICT);
        fs::write(place.file("k.txt"), "v1\n").expect("a file");
        place.git(&["add", "k.txt"]);
        fs::write(place.file("k.txt"), "v2\n").expect("a file");
        let run = place.run(&["--arg", &format!("how={how}")]);
        assert_eq!(run["status"] == "success", well, "{run:#}");
        assert_eq!(place.git(&["status", "--porcelain"]), "AM k.txt\n");
        assert_eq!(place.git(&["show", ":k.txt"]), "v1\n");
        assert_eq!(place.text("k.txt"), "v2\n");
    }
    let place = repository(CONFLICT);
    fs::write(place.file("x.txt"), "staged\n").expect("a file");
    place.git(&["add", "x.txt"]);
    let run = place.run(&["--arg", "how=ours"]);
    assert!(step(&run, "all")["error"].as_str().is_some_and(|error| error.contains("`x.txt`")), "{run:#}");
    assert_eq!(place.git(&["status", "--porcelain"]), "A  x.txt\n");
}

#[test]
fn a_file_and_a_folder_of_one_name_are_a_conflict() {
    for (how, well) in [("fail", false), ("ours", false), ("theirs", false), ("skip", true)] {
        let place = repository(
            r#"
            let how = param("how");
            let one = sh("one", "rm n.txt; mkdir n.txt; echo x > n.txt/x").isolate("worktree");
            let two = sh("two", "echo 2 > n.txt").isolate("worktree");
            merge("all", [one, two], #{ on_conflict: how });
            "#,
        );
        let run = place.run(&["--arg", &format!("how={how}")]);
        assert_eq!(run["status"] == "success", well, "{run:#}");
        if well {
            assert_eq!(place.text("n.txt/x"), "x\n");
            assert_eq!(step(&run, "all")["output"]["skipped"][0]["conflicts"], json!(["n.txt"]));
        } else {
            let error = step(&run, "all")["error"].as_str().unwrap_or_default().to_owned();
            assert!(error.contains("`two` and `one` made different things of `n.txt`"), "{error}");
            assert_eq!(place.text("n.txt"), "base\n");
        }
        assert_eq!(place.git(&["status", "--porcelain"]), "");
    }
}

#[test]
fn children_are_named_by_their_paths() {
    let place = repository(
        r#"
        let e = each("e", ["1", "2"], |n| sh("w", `echo ${n} > n.txt`)).isolate("worktree");
        merge("all", e, #{ on_conflict: "skip" });
        "#,
    );
    let run = place.run(&[]);
    let output = &step(&run, "all")["output"];
    let paths: Vec<&str> = run["steps"].as_object().expect("a map").keys().map(String::as_str).collect();
    for what in ["merged", "skipped"] {
        let name = output[what][0]["step"].as_str().unwrap_or_default();
        assert!(name.contains('[') && paths.contains(&name), "{output:#} {paths:?}");
    }
}

#[test]
fn what_is_left_out_is_told() {
    let place = repository(
        r#"
        let one = sh("one", "echo 1 > n.txt").isolate("worktree");
        let two = sh("two", "echo 2 > n.txt").isolate("worktree");
        let three = sh("three", "echo 3 > three.txt; exit 3").isolate("worktree").on_error("continue");
        merge("all", [one, two, three], #{ on_conflict: "skip" });
        "#,
    );
    let run = place.run(&[]);
    let output = &step(&run, "all")["output"];
    assert_eq!(output["skipped"][0]["step"], "three", "{run:#}");
    assert!(output["skipped"][0]["why"].as_str().is_some_and(|why| why.contains("failed")), "{output:#}");
    let why = String::from_utf8_lossy(&place.flow(&["why", "last", "all"]).stdout).into_owned();
    assert!(why.contains("It left out `three`: it failed"), "{why}");
    assert!(why.contains("It left out `two`: `two` and `one` changed the same in `n.txt`."), "{why}");
}

#[test]
fn a_merge_of_nothing_is_refused() {
    for (of, why) in
        [("[]", "it is given no steps"), ("[sh(\"a\", \"true\")]", "none of its steps works in a work tree")]
    {
        let place = Place::with(&format!("merge(\"all\", {of});"));
        let output = place.flow(&["check", "test.rhai"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && said.contains("flow::plan::policy") && said.contains(why), "{said}");
    }
}
