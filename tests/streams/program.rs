//! Streams in scripts, run by the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wait4::Wait4;

/// A folder with a script in it.
struct Place(tempfile::TempDir);

impl Place {
    fn with(script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("test.rhai"), script).expect("a file");
        Place(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn flow(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flow"));
        command.args(args).current_dir(self.0.path()).env_remove("FLOW_HOME").stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.flow(args).output().expect("flow is there")
    }

    /// Runs the script and gives what `--json` says.
    fn json(&self) -> Value {
        let output = self.run(&["script", "test.rhai", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// As [`Place::json`], where no file may be longer than so many blocks of 512 bytes: as if the disk were full.
    fn limited(&self, blocks: u32) -> Value {
        let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let output = Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_flow"), "script", "test.rhai", "--json"])
            .current_dir(self.0.path())
            .env_remove("FLOW_HOME")
            .output()
            .expect("a shell");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn begin(&self) -> Child {
        self.flow(&["script", "test.rhai", "--quiet"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("flow is there")
    }

    fn wait_for(&self, name: &str) -> String {
        until(|| fs::read_to_string(self.path(name)).ok().filter(|text| text.ends_with('\n')), name).trim().to_owned()
    }

    /// The only log of this name.
    fn log(&self, ending: &str) -> String {
        let runs = fs::read_dir(self.path(".flow/runs")).expect("runs");
        let logs = runs.flat_map(|run| fs::read_dir(run.expect("a run").path().join("logs")).expect("logs"));
        let paths: Vec<PathBuf> = logs.map(|log| log.expect("a log").path()).collect();
        let found: Vec<&PathBuf> = paths.iter().filter(|path| path.to_string_lossy().ends_with(ending)).collect();
        assert_eq!(found.len(), 1, "{paths:?}");
        fs::read_to_string(found[0]).expect("a text")
    }
}

fn until<T>(mut look: impl FnMut() -> Option<T>, what: &str) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} never came");
        std::thread::yield_now();
    }
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_stream_counts_as_one_and_gives_what_its_last_member_gives() {
    let place = Place::with(
        r#"
        settings(#{ max_parallel: 1 });
        let s = sh("a", "seq 1000") |> lines("odd", |line| if line.ends_with("7") { line } else { () }) |> sh("b", "wc -l");
        sh("after", `echo got ${s.output}`).after(s);
        "#,
    );
    let told = place.json();
    assert_eq!(told["status"], "success", "{told}");
    assert_eq!(told["steps"]["after"]["output"], "got 100");
}

#[test]
fn members_are_tried_again_where_the_script_says_so() {
    let place = Place::with(
        r#"
        sh("a", "seq 100")
            |> sh("b", "while read n; do if [ $n = 50 ] && [ ! -e once ]; then touch once; exit 1; fi; echo $n; done").retry(#{ max_attempts: 2, delay: "1ms" }).ack("line")
            |> sh("c", "cat");
        "#,
    );
    let told = place.json();
    assert_eq!(told["status"], "success", "{told}");
    assert_eq!(place.log("c.1.out"), (1..=100).map(|n| format!("{n}\n")).collect::<String>());
}

#[test]
fn a_result_that_is_not_valid_is_never_taken_for_whole() {
    let script = |least: u32| {
        format!(
            r#"sh("a", "seq 100").validate(|result| result.lines.len() > {least}) |> sh("b", "cat > part; mv part whole");"#
        )
    };
    let place = Place::with(&script(100));
    let told = place.json();
    assert_eq!(told["status"], "failed", "{told}");
    assert!(!place.path("whole").exists());
    let place = Place::with(&script(99));
    let told = place.json();
    assert_eq!(told["status"], "success", "{told}");
    assert!(place.path("whole").exists());
}

#[test]
fn logs_are_masked_and_what_flows_is_not() {
    let place = Place::with(
        r#"
        sh("a", "echo key=$KEY; printf 'k%s' $KEY").env(#{ KEY: secret("API_KEY") })
            |> lines("same", |line| line)
            |> sh("b", "cat > got; cat got");
        "#,
    );
    let output =
        place.flow(&["script", "test.rhai"]).env("API_KEY", "hunter2-hunter2").output().expect("flow is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_to_string(place.path("got")).expect("a file"), "key=hunter2-hunter2\nkhunter2-hunter2\n");
    assert_eq!(place.log("a.1.out"), "key=***\nk***");
    assert_eq!(place.log("same.1.out"), "key=***\nk***\n");
    assert_eq!(place.log("b.1.out"), "key=***\nk***\n");
}

#[test]
fn a_file_that_may_not_grow_ends_the_log_and_not_the_stream() {
    let place =
        Place::with(r#"stream("s", [sh("a", "head -c 30000000 /dev/zero"), sh("b", "wc -c")], #{ tee: "20 MiB" });"#);
    let told = place.limited(16_000);
    assert_eq!(told["status"], "success", "{told}");
    assert_eq!(told["steps"]["s"]["output"], json!("30000000"), "{told}");
}

#[test]
fn killed_and_resumed_a_stream_begins_again_and_nothing_is_left() {
    let place = Place::with(
        r#"
        sh("a", "echo $$ >> a.pids; seq 200000; if [ ! -e second ]; then sleep 1000; fi")
            |> lines("f", |line| line)
            |> sh("b", "echo $$ >> b.pids; cat > part.$FLOW_ATTEMPT; mv part.$FLOW_ATTEMPT whole");
        "#,
    );
    let mut flow = place.begin();
    place.wait_for("a.pids");
    place.wait_for("b.pids");
    until(|| fs::metadata(place.path("part.1")).ok().filter(|part| part.len() > 100_000), "the first part");
    flow.kill().expect("it runs");
    flow.wait().expect("it ended");
    let (a, b) = (place.wait_for("a.pids"), place.wait_for("b.pids"));
    until(|| (!is_alive(&a) && !is_alive(&b)).then_some(()), "the end of its processes");
    fs::write(place.path("second"), "").expect("a file");
    let output = place.run(&["resume", "last"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let whole = fs::read_to_string(place.path("whole")).expect("a file");
    assert_eq!(whole, (1..=200_000).map(|n| format!("{n}\n")).collect::<String>());
    assert_eq!(fs::read_to_string(place.path("a.pids")).expect("a file").lines().count(), 2);
}

#[test]
fn a_member_that_is_killed_fails_the_stream_and_the_others_go() {
    let place = Place::with(
        r#"
        sh("a", "echo $$ > a.pid; exec yes")
            |> sh("b", "echo $$ > b.pid; exec cat")
            |> sh("c", "echo $$ > c.pid; cat > /dev/null; touch ended");
        "#,
    );
    let flow = place.begin();
    let pids = ["a.pid", "b.pid", "c.pid"].map(|file| place.wait_for(file));
    assert!(Command::new("kill").args(["-9", &pids[1]]).status().expect("kill is there").success());
    assert_eq!(flow.wait_with_output().expect("it ends").status.code(), Some(1));
    assert!(pids.iter().all(|pid| !is_alive(pid)));
    assert!(!place.path("ended").exists());
}

#[test]
fn a_stream_is_tried_again_as_a_whole() {
    let place = Place::with(
        r#"
        stream("s", [
            sh("a", "seq 3; [ -e once ] || { touch once; exit 1; }"),
            lines("f", |line| line),
            sh("b", "cat > part; mv part whole; cat whole"),
        ]).retry(#{ max_attempts: 2, delay: "1ms" });
        "#,
    );
    let told = place.json();
    assert_eq!(told["status"], "success", "{told}");
    assert_eq!(told["steps"]["s"]["output"], "1\n2\n3");
}

#[test]
fn the_first_member_reads_what_any_step_would() {
    let place = Place::with(
        r#"
        sh("x", "echo x; echo y") -> (lines("f", |line| line.to_upper()) |> sh("b", "cat"));
        sh("c", "seq 3") -> (sh("d", "cat") |> sh("e", "wc -l"));
        "#,
    );
    let told = place.json();
    assert_eq!(told["status"], "success", "{told}");
    assert_eq!(place.log("b.1.out"), "X\nY\n");
    assert_eq!(place.log("e.1.out").trim(), "3");
}

#[test]
fn without_room_for_more_input_a_stream_goes_on_but_a_member_is_not_tried_again() {
    for (end, status) in [("wc -c", "success"), ("wc -c; exit 4", "failed")] {
        let place = Place::with(&format!(
            r#"sh("a", "head -c 20000000 /dev/zero") |> sh("b", "echo x >> tries; {end}").retry(#{{ max_attempts: 3, delay: "1ms" }});"#
        ));
        let told = place.limited(16_000);
        assert_eq!(told["status"], status, "{told}");
        let tries = fs::read_to_string(place.path("tries")).expect("a file");
        // What has no input any more is not begun.
        assert_eq!(tries, "x\n", "{told}");
        if status == "failed" {
            assert!(told.to_string().contains("cannot be tried again"), "{told}");
        }
    }
}

/// `cargo test --release --test streams -- --ignored` measures the release build.
#[test]
#[ignore = "a gigabyte takes a while in a debug build"]
fn a_gigabyte_through_three_members_takes_little_memory() {
    for middle in [r#"sh("m", "cat")"#, r#"sh("m", "cat").retry(2)"#, r#"lines("m", |line| line)"#] {
        let place = Place::with(&format!(
            r#"sh("a", "yes 'a line of a log that is neither short nor long, as they are' | head -c 1000000000") |> {middle} |> sh("b", "wc -c");"#
        ));
        let child = place.begin();
        let used = { child }.wait4().expect("it ends");
        assert!(used.status.success());
        // Of flow, and of the largest of the processes that it waited for.
        assert!(used.rusage.maxrss < 64 << 20, "{middle}: {} KiB", used.rusage.maxrss / 1024);
    }
}

#[test]
fn what_undoes_a_stream_is_none_of_its_members() {
    let place = Place::with(
        r#"
        settings(#{ max_parallel: 1 });
        (sh("a", "echo 1") |> sh("b", "cat")).undo(sh("u", "echo plain >> undone"))
            -> stream("s", [sh("c", "echo 1"), sh("d", "cat")]).undo(sh("v", "echo made") |> sh("w", "cat >> undone"))
            -> each("e", [1, 2], |i| (sh("f", "echo 1") |> sh("g", "cat")).undo(sh("x", `echo item ${i} >> undone`)))
            -> fail("no", "no");
        "#,
    );
    let told = place.json();
    assert_eq!(told["status"], "failed", "{told}");
    assert_eq!(fs::read_to_string(place.path("undone")).expect("undone"), "item 2\nitem 1\nmade\nplain\n");
}

#[test]
fn a_stream_is_undone_when_the_run_is_rolled_back() {
    let place = Place::with(
        r#"
        sh("first", "true").checkpoint("safe")
            -> (sh("a", "echo 1") |> sh("b", "cat")).undo(sh("u", "echo undone >> undone"));
        "#,
    );
    assert_eq!(place.json()["status"], "success");
    let rolled = place.run(&["rollback", "last", "--to", "safe"]);
    let told = String::from_utf8_lossy(&rolled.stderr).into_owned();
    assert_eq!(fs::read_to_string(place.path("undone")).ok().as_deref(), Some("undone\n"), "{told}");
    let resumed = place.run(&["resume", "last"]);
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
}

#[test]
fn which_of_many_failed_and_why_it_is_not_tried_again_is_said() {
    let place = Place::with(
        r#"
        settings(#{ max_parallel: 1 });
        each("e", 1..=3, |i| sh("x", if i == 2 { "exit 127" } else { "true" }).retry(3), #{ fail_fast: true });
        pipeline("p").from(1..=3).stage("bad", |x| throw "broken").retry(3);
        "#,
    );
    assert_eq!(place.json()["status"], "failed");
    let why = |step: &str| String::from_utf8_lossy(&place.run(&["why", "last", step]).stdout).into_owned();
    let skipped = why("e[3]");
    assert!(skipped.contains("`e` was settled without it: `e[2]` failed, and all must succeed"), "{skipped}");
    for step in ["e[2]", "p"] {
        let failed = why(step);
        assert!(failed.contains("It was not tried again: failures of the class `configuration`"), "{failed}");
    }
}
