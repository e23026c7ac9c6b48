//! What the server says about texts while they are written.

use serde_json::{Value, json};

use super::client::Client;

#[test]
fn what_is_wrong_is_said_while_it_is_typed() {
    let mut client = Client::ready();
    let uri = client.open("main.rhai", "let a = sh(\"a\", \"x\");\na -> shh(\"b\", \"y\");\n");
    let problems = client.problems(&uri, 1);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(problems[0]["code"], "flow::lang::unknown_function");
    assert_eq!(problems[0]["severity"], 1);
    assert_eq!(problems[0]["source"], "flow");
    assert_eq!(
        problems[0]["range"],
        json!({ "start": { "line": 1, "character": 5 }, "end": { "line": 1, "character": 8 } })
    );
    assert!(problems[0]["message"].as_str().is_some_and(|text| text.contains("did you mean `sh`?")), "{problems:?}");
    // A piece of the text is changed; the columns are those of 16 bits.
    client.tell("textDocument/didChange", json!({ "textDocument": { "uri": uri, "version": 2 }, "contentChanges": [
        { "range": { "start": { "line": 0, "character": 0 }, "end": { "line": 0, "character": 0 } }, "text": "/* 😀 */ " },
        { "range": { "start": { "line": 1, "character": 7 }, "end": { "line": 1, "character": 8 } }, "text": "" },
    ] }));
    assert_eq!(client.problems(&uri, 2), Vec::<Value>::new());
    client.change(&uri, 3, "let a = sh(\"a\", [1, \nlet b = 2;");
    assert_eq!(client.problems(&uri, 3)[0]["code"], "flow::lang::syntax");
    client.end();
}

#[test]
fn related_places_and_warnings_are_told() {
    let mut client = Client::ready();
    let uri = client.open("main.rhai", "sh(\"a\", \"x\");\nsh(\"a\", \"y\");\n");
    let problems = client.problems(&uri, 1);
    let related = &problems[0]["relatedInformation"][0];
    assert_eq!(related["location"]["uri"], uri, "{problems:?}");
    let uri = client
        .open("warned.rhai", "let a = sh(\"a\", \"x\");\nflow(\"f\").when(false, a).otherwise(sh(\"b\", \"y\"));\n");
    let problems = client.problems(&uri, 1);
    assert!(!problems.is_empty() && problems.iter().all(|problem| problem["severity"] == 2), "{problems:?}");
    client.end();
}

#[test]
fn parameters_that_must_be_given_are_no_mistake() {
    let mut client = Client::ready();
    let script = "let n = param(\"n\", #{ type: \"int\" });\nlet env = param(\"env\", #{ one_of: [\"a\", \"b\"] });\nif n > 3 { throw \"too many\"; }\nsh(\"a\", `echo ${env}`);\n";
    let uri = client.open("main.rhai", script);
    assert_eq!(client.problems(&uri, 1), Vec::<Value>::new());
    // What goes wrong with a value that was made up may not go wrong with another.
    client.change(&uri, 2, &script.replace("n > 3", "n < 3"));
    let problems = client.problems(&uri, 2);
    assert_eq!(problems[0]["severity"], 2, "{problems:?}");
    assert!(
        problems[0]["message"].as_str().is_some_and(|text| text.contains("made-up value of `n`, `env`")),
        "{problems:?}"
    );
    client.end();
}

#[test]
fn texts_of_the_editor_win_over_files() {
    let mut client = Client::ready();
    client.file("parts/tools.rhai", "fn make(name) { sh(name, \"x\") }\n");
    client.file("ci.rhai", "sh(\"inner\", \"x\");\n");
    let main =
        client.open("main.rhai", "import \"parts/tools\" as t;\nt::build(\"a\");\nworkflow(\"w\", \"ci.rhai\");\n");
    assert_eq!(client.problems(&main, 1)[0]["code"], "flow::lang::unknown_function");
    // The function comes with a text that is not saved, and who uses it is checked again.
    let tools = client.open("parts/tools.rhai", "fn build(name) { sh(name, \"x\") }\n");
    assert_eq!(client.problems(&main, 1), Vec::<Value>::new());
    assert_eq!(client.problems(&tools, 1), Vec::<Value>::new());
    // What is wrong in a module is shown where it is named, too.
    client.change(&tools, 2, "fn build(name) { sh(name \"x\") }\n");
    let problems = client.problems(&main, 1);
    assert_eq!(problems[0]["range"]["start"], json!({ "line": 0, "character": 8 }), "{problems:?}");
    assert_eq!(problems[0]["relatedInformation"][0]["location"]["uri"], tools);
    assert_eq!(client.problems(&tools, 2)[0]["severity"], 1);
    // When it is closed, the file holds again.
    client.tell("textDocument/didClose", json!({ "textDocument": { "uri": tools } }));
    assert_eq!(client.problems(&main, 1)[0]["code"], "flow::lang::unknown_function");
    client.end();
}

#[test]
fn a_newer_text_ends_the_check_of_an_older_one() {
    let mut client = Client::ready();
    let uri = client.open("main.rhai", "let i = 0;\nloop { i += 1; if i > 1000000 { i = 0; } }\n");
    // Meanwhile everything is answered.
    let symbols = client.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": uri } }));
    assert_eq!(symbols, json!([]));
    client.change(&uri, 2, "sh(\"a\", \"x\");\n");
    assert_eq!(client.problems(&uri, 2), Vec::<Value>::new());
    let about_the_first = client.told().iter().any(|message| message["params"]["version"] == 1);
    assert!(!about_the_first, "what was ended says nothing");
    client.end();
}

#[test]
fn what_never_ends_is_ended_and_said() {
    let mut client = Client::ready();
    let uri = client.open("main.rhai", "let a = sh(\"a\", \"x\");\nloop { }\n");
    let problems = client.problems(&uri, 1);
    assert_eq!(problems[0]["code"], "flow::lang::limit", "{problems:?}");
    client.end();
}

#[test]
fn other_files_are_no_scripts_of_this_folder() {
    let mut client = Client::ready();
    client.tell("textDocument/didOpen", json!({ "textDocument": { "uri": "untitled:Untitled-1", "languageId": "flow", "version": 1, "text": "sh(\"a\", 5 +);" } }));
    assert_eq!(client.problems("untitled:Untitled-1", 1)[0]["severity"], 1);
    // A text that was never opened.
    assert_eq!(
        client.ask(
            "textDocument/hover",
            json!({ "textDocument": { "uri": "file:///nowhere.rhai" }, "position": { "line": 0, "character": 0 } })
        ),
        Value::Null
    );
    client.end();
}
