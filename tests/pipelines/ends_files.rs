//! From files into files: nothing is lost, and nothing stands there twice.

use serde_json::json;

use crate::ends_bench::{Bench, until};

/// Items in files that are killed now and then.
const ITEMS: usize = 10_000;

/// Kills the program when its output has so many bytes, as long as it goes on; then lets it come to its end.
fn kill_now_and_then(bench: &Bench, out: &str, bytes: &[u64]) {
    let mut args = vec!["script", "test.rhai", "--quiet"];
    for most in bytes {
        let mut going = bench.start(&args);
        until("the output", || {
            let length = std::fs::metadata(bench.path(out)).map_or(0, |file| file.len());
            (length >= *most || going.is_over()).then_some(())
        });
        going.kill();
        args = vec!["script", "test.rhai", "--quiet", "--resume", "last"];
    }
    bench.flow(&args).code(0);
}

#[test]
fn each_line_of_a_file_stands_once_in_another_whenever_flow_is_killed() {
    for (sink, out) in [("lines", "out.txt"), ("ndjson", "out.ndjson"), ("csv", "out.csv")] {
        let bench = Bench::with(&format!(
            "pipeline(\"p\").from(lines(\"in\"))
                 .stage(\"s\", |line| #{{ n: line, twice: line + line }}, #{{ parallelism: 3 }})
                 .to({sink}(\"{out}\")).options(#{{ buffer_size: 16 }});"
        ));
        bench.write("in", (0..ITEMS).map(|n| format!("{n}\n")).collect::<String>());
        kill_now_and_then(&bench, out, &[1, 20_000, 100_000]);
        let text = bench.read(out);
        let mut lines: Vec<&str> = text.lines().collect();
        if sink == "csv" {
            assert_eq!(lines.remove(0), "n,twice");
        }
        assert_eq!(lines.len(), ITEMS);
        for (n, line) in lines.into_iter().enumerate() {
            match sink {
                "csv" => assert_eq!(line, format!("{n},{n}{n}")),
                _ => assert_eq!(line, json!({ "n": n.to_string(), "twice": format!("{n}{n}") }).to_string()),
            }
        }
    }
}

#[test]
fn rows_are_maps_and_bad_ones_are_letters_that_name_them() {
    let bench = Bench::with(
        r#"pipeline("p").from(csv("in.csv", #{ header: true, delimiter: ";" }))
               .stage("s", |row| row.name + "=" + row.n).options(#{ on_error: "dead_letter" });"#,
    );
    bench.write("in.csv", b"\xef\xbb\xbfname;n\r\na;1\r\nb\r\n\"c;\r\nd\";2\r\ne;\xff\r\nf;3");
    let step = bench.step();
    assert_eq!(step["output"], json!(["a=1", "c;\r\nd=2", "f=3"]));
    let letters = bench.letters();
    let errors: Vec<&str> = letters.iter().map(|letter| letter["error"].as_str().unwrap()).collect();
    assert_eq!(
        errors,
        ["row 2 (line 3) has 1 field, where 2 were expected", "row 4 (line 6) is not text in UTF-8, in column `n`",]
    );
    assert_eq!(letters[0]["place"], "row 2 of in.csv");
    assert_eq!(letters[0]["item"], json!(["b"]));
}

#[test]
fn what_is_not_json_is_a_letter_that_names_the_line() {
    let bench =
        Bench::with(r#"pipeline("p").from(ndjson("in")).stage("s", |v| v.n).options(#{ on_error: "dead_letter" });"#);
    bench.write("in", b"{\"n\": 1}\n\n\x00\xff\xfe\n{\"n\": 2");
    let step = bench.step();
    assert_eq!(step["output"], json!([1]));
    let places: Vec<_> = bench.letters().iter().map(|letter| letter["place"].clone()).collect();
    assert_eq!(places, ["line 3 of in", "line 4 of in"]);
}

#[test]
fn files_that_cannot_be_read_or_written_say_so() {
    let bench = Bench::with(r#"pipeline("p").from(lines("acces.log"));"#);
    bench.write("access.log", "");
    bench
        .flow(&["script", "test.rhai"])
        .code(1)
        .says("there is no file `acces.log`")
        .says("did you mean `access.log`?");
    bench.write("test.rhai", r#"pipeline("p").from(lines("access.log")).to(csv("no/such/out.csv"));"#);
    bench.flow(&["script", "test.rhai"]).code(1).says("`no/such/out.csv` cannot be written: there is no folder");
    bench.write("access.log", "a,a\n1,2\n");
    bench.write("test.rhai", r#"pipeline("p").from(csv("access.log"));"#);
    bench.flow(&["script", "test.rhai"]).code(1).says("two columns are called `a`");
}

#[test]
fn a_file_that_shrank_before_a_resume_is_a_failure() {
    let bench =
        Bench::with(r#"pipeline("p").from(lines("in")).stage("s", |l| if l == "3" { throw "three" } else { l });"#);
    bench.write("in", "1\n2\n3\n4\n");
    bench.flow(&["script", "test.rhai"]).code(1).says("line 3 of in");
    bench.write("in", "1\n");
    bench.flow(&["resume", "last", "--from", "p"]).code(1).says("the file `in` shrank: it has 2 bytes");
    std::fs::remove_file(bench.path("in")).unwrap();
    bench.flow(&["resume", "last", "--from", "p"]).code(1).says("the file `in` is gone");
}

#[test]
fn paths_that_match_and_a_folder_that_is_watched() {
    let bench = Bench::with(r#"pipeline("p").from(files("data/*.csv")).stage("s", |path| path);"#);
    std::fs::create_dir(bench.path("data")).unwrap();
    for name in ["b.csv", "a.csv", "c.txt"] {
        bench.write(&format!("data/{name}"), "");
    }
    assert_eq!(bench.step()["output"], json!(["data/a.csv", "data/b.csv"]));
    bench.write(
        "test.rhai",
        r#"pipeline("p").from(watch("data", #{ pattern: "*.csv", existing: true, settle: "0s" }))
               .stage("s", |file| file.path + " " + file.event).options(#{ take: 2 });"#,
    );
    assert_eq!(bench.step()["output"], json!(["data/a.csv existing", "data/b.csv existing"]));
    bench.write("test.rhai", r#"pipeline("p").from(watch("nowhere")).options(#{ take: 1 });"#);
    bench.flow(&["script", "test.rhai"]).code(1).says("the folder `nowhere`, which is to be watched, is not there");
}
