use serde_json::json;

use super::{Place, step};

#[test]
fn each_publication_is_heard_once_and_in_order() {
    let place = Place::with(
        r#"
        let files = sh("files", "printf 'a\nb\nc\n'").parse("lines");
        let tells = each("tell", files.output, |file| publish("found", "found." + file, file));
        let heard = on_event("look", "found.*", |event| sh("look", `echo ${quote(event.value)} ${event.topic} ${event.number}`));
        on_event("none", "never", |event| sh("x", "true"));
        heard -> sh("behind", `echo ${heard.output}`);
        "#,
    );
    let run = place.run(&[]);
    let output = step(&run, "look")["output"].as_array().expect("a list").clone();
    assert_eq!(output.len(), 3);
    for (n, line) in output.iter().enumerate() {
        let words: Vec<&str> = line.as_str().expect("a text").split(' ').collect();
        assert_eq!(words[1], format!("found.{}", words[0]));
        assert_eq!(words[2], (n + 1).to_string());
    }
    assert_eq!(step(&run, "none")["output"], json!([]));
    assert_eq!(step(&run, "behind")["output"], json!(output));
}

#[test]
fn what_publishes_for_itself_is_bounded() {
    let place = Place::with(
        r#"
        on_event("tick", "tick", |event| publish("again", "tick", event.value + 1), #{ max: 4 });
        publish("begin", "tick", 0);
        "#,
    );
    let run = place.run(&[]);
    assert_eq!(run["status"], "failed");
    assert!(step(&run, "tick")["error"].as_str().is_some_and(|error| error.contains("4 events were heard")), "{run:#}");
    assert_eq!(step(&run, "tick[4]")["output"], 4);
}

/// Events that wait for each other's end do not wait for ever.
#[test]
fn one_after_the_other() {
    let place = Place::with(
        r#"
        let first = on_event("first", "one", |event| sh("a", "true"));
        first -> publish("two", "two", 1);
        on_event("second", "two", |event| publish("three", "three", event.value));
        on_event("third", "three", |event| sh("c", "true"));
        publish("start", "one", 1);
        "#,
    );
    let run = place.run(&[]);
    assert_eq!(run["status"], "success", "{run:#}");
    for path in ["first[1]", "second[1]", "third[1]"] {
        assert_eq!(step(&run, path)["status"], "success");
    }
}

/// A run that is killed while it listens hears the rest when it is taken up.
#[test]
fn a_resume_hears_what_is_left() {
    let place = Place::with(
        r#"
        let a = publish("a", "found", 1);
        let dies = sh("dies", "if [ ! -e once ]; then touch once; kill -9 $PPID; sleep 5; fi");
        on_event("look", "found", |event| sh("look", `echo ${event.value} >> heard`));
        a -> sh("settle", "while [ ! -e heard ]; do sleep 0.01; done") -> dies -> publish("b", "found", 2);
        "#,
    );
    place.flow(&["script", "test.rhai", "--quiet"]);
    let output = place.flow(&["resume", "last", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(place.text("heard"), "1\n2\n");
}
