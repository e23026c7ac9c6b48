//! What the server answers.

use serde_json::{Value, json};

use super::client::{Client, uri, without_place};

/// Opens a text with `^` in it and asks about that place.
fn at(client: &mut Client, method: &str, text: &str) -> Value {
    let uri = client.open("main.rhai", &without_place(text));
    client.ask_at(method, &uri, text)
}

fn labels(completion: &Value) -> Vec<&str> {
    let items = completion["items"].as_array().expect("a list");
    items.iter().map(|item| item["label"].as_str().expect("a text")).collect()
}

#[test]
fn completion_knows_the_place() {
    let mut client = Client::ready();
    client.file("parts/tools.rhai", "/// Makes it.\nfn make(name) { sh(name, \"x\") }\n");
    let found = at(&mut client, "textDocument/completion", "let build = sh(\"b\", \"x\");\nbuild.on_f^");
    assert_eq!(labels(&found), ["on_failure", "on_failure_retry"]);
    let found = at(&mut client, "textDocument/completion", "sh(\"a\", \"b\").retry(#{ ba^ })");
    assert_eq!(found["items"][0]["textEdit"]["newText"], "backoff: ");
    assert_eq!(found["items"][0]["textEdit"]["range"]["start"]["character"], 22);
    let found = at(&mut client, "textDocument/completion", "import \"parts/t^\" as tools;");
    assert_eq!(labels(&found), ["parts/tools"]);
    let found = at(&mut client, "textDocument/completion", "import \"parts/tools\" as tools;\ntools::^");
    assert_eq!(labels(&found), ["make"]);
    // The documentation comes when it is asked for.
    assert_eq!(found["items"][0].get("documentation"), None);
    let resolved = client.ask("completionItem/resolve", found["items"][0].clone());
    assert_eq!(resolved["documentation"]["value"], "Makes it.");
    // Letters that begin a place only together with others.
    for (text, letter, any) in [
        ("a:^", ":", false),
        ("if x {^", "{", false),
        ("#{^", "{", false),
        ("1 /^", "/", false),
        ("sh(\"a\", \"b\").rule(\"^", "\"", true),
    ] {
        let uri = client.open("main.rhai", &without_place(text));
        let (line, character) = super::client::place(text);
        let found = client.ask("textDocument/completion", json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character }, "context": { "triggerKind": 2, "triggerCharacter": letter } }));
        assert_eq!(!labels(&found).is_empty(), any, "{text}");
    }
    client.end();
}

#[test]
fn hover_and_signatures_explain() {
    let mut client = Client::ready();
    // The columns are counted in units of 16 bits: the letters before are two and two.
    let hover = at(&mut client, "textDocument/hover", "let 😀 = 1; let é = s^h(\"a\", \"b\");");
    assert!(hover["contents"]["value"].as_str().is_some_and(|text| text.contains("sh(name: text, script)")), "{hover}");
    assert_eq!(
        hover["range"],
        json!({ "start": { "line": 0, "character": 20 }, "end": { "line": 0, "character": 22 } })
    );
    assert_eq!(at(&mut client, "textDocument/hover", "  ^  "), Value::Null);
    let help = at(&mut client, "textDocument/signatureHelp", "sh(\"a\", ^");
    assert_eq!(help["activeParameter"], 1);
    assert_eq!(help["signatures"][0]["label"], "sh(name: text, script) -> step");
    assert_eq!(help["signatures"][0]["parameters"][1]["label"], "script");
    client.end();
}

#[test]
fn definitions_lead_into_other_files_and_the_library() {
    let mut client = Client::ready();
    let tools = client.file("parts/tools.rhai", "// é\nfn make(name) { sh(name, \"x\") }\n");
    let found = at(&mut client, "textDocument/definition", "import \"parts/tools\" as t;\nt::ma^ke(\"a\");");
    assert_eq!(found["uri"], tools);
    assert_eq!(found["range"]["start"], json!({ "line": 1, "character": 3 }));
    let found =
        at(&mut client, "textDocument/definition", "let build = sh(\"build\", \"x\");\nchain(\"bu^ild -> build\");");
    assert_eq!(found["range"]["start"], json!({ "line": 0, "character": 16 }));
    let found = at(&mut client, "textDocument/definition", "import \"std/checks\" as c;\nc::exi^sts(\"a\", \"b\");");
    let file = found["uri"].as_str().and_then(|uri| uri.strip_prefix("file://")).expect("a file");
    assert!(file.ends_with("std/checks.rhai"), "{file}");
    let text = std::fs::read_to_string(file).expect("it can be read");
    let line = found["range"]["start"]["line"].as_u64().expect("a line") as usize;
    assert!(text.lines().nth(line).is_some_and(|line| line.contains("fn exists(")), "{found}");
    assert!(std::fs::metadata(file).expect("it is there").permissions().readonly());
    // What is open wins over the file.
    client.open("parts/tools.rhai", "// changed\n\n\nfn make(name) { sh(name, \"x\") }\n");
    let found = at(&mut client, "textDocument/definition", "import \"parts/tools\" as t;\nt::ma^ke(\"a\");");
    assert_eq!(found["range"]["start"]["line"], 3);
    assert_eq!(at(&mut client, "textDocument/definition", "import \"nowhere\" as n;\nn::x^();"), Value::Null);
    client.end();
}

#[test]
fn names_can_be_found_and_changed() {
    let mut client = Client::ready();
    let text = "let a^ = sh(\"build\", \"x\");\nlet b = a.output;\nchain(\"build\");";
    let found = at(&mut client, "textDocument/references", text);
    assert_eq!(found.as_array().map(Vec::len), Some(2));
    let uri = uri(&client.folder().join("main.rhai"));
    let rename = |client: &mut Client, line: u32, character: u32, name: &str| {
        client.response("textDocument/rename", json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character }, "newName": name }))
    };
    let edits = rename(&mut client, 0, 4, "first");
    assert_eq!(edits["result"]["changes"][&uri].as_array().map(Vec::len), Some(2), "{edits}");
    let edits = rename(&mut client, 0, 14, "compile-it");
    assert_eq!(edits["result"]["changes"][&uri][1]["range"]["start"], json!({ "line": 2, "character": 7 }));
    assert!(
        rename(&mut client, 0, 4, "no name")["error"]["message"].as_str().is_some_and(|text| text.contains("letters"))
    );
    assert!(rename(&mut client, 0, 10, "x").get("error").is_some());
    client.end();
}

#[test]
fn symbols_are_the_steps() {
    let mut client = Client::ready();
    let uri = client.open(
        "main.rhai",
        "fn f(a) { a }\nchain(\"all\", [\n    sh(\"a\", \"x\"),\n    sh(\"b\", \"y\"),\n]).timeout(\"1m\");\n",
    );
    let symbols = client.ask("textDocument/documentSymbol", json!({ "textDocument": { "uri": uri } }));
    assert_eq!(symbols[0]["name"], "f(a)");
    assert_eq!(symbols[1]["name"], "all");
    assert_eq!(symbols[1]["children"][1]["name"], "b");
    assert_eq!(symbols[1]["range"]["end"], json!({ "line": 4, "character": 16 }));
    let tokens = client.ask("textDocument/semanticTokens/full", json!({ "textDocument": { "uri": uri } }));
    assert_eq!(
        tokens["data"].as_array().map(|data| data[..5].to_vec()),
        Some(json!([0, 0, 2, 3, 0]).as_array().expect("a list").clone())
    );
    client.end();
}

#[test]
fn the_plan_is_shown() {
    let mut client = Client::ready();
    let uri = client.open("main.rhai", "#!/usr/bin/env -S flow script\nlet env = param(\"env\");\nlet a = sh(\"a\", `echo ${env}`);\na -> sh(\"b\", \"true\");\n");
    assert_eq!(client.problems(&uri, 1), Vec::<Value>::new(), "a parameter that must be given is no mistake");
    let lenses = client.ask("textDocument/codeLens", json!({ "textDocument": { "uri": uri } }));
    assert_eq!(lenses[0]["command"]["title"], "Show the plan (2 steps)");
    assert_eq!(lenses[0]["range"]["start"]["line"], 1);
    let command = &lenses[0]["command"];
    let plan = client
        .ask("workspace/executeCommand", json!({ "command": command["command"], "arguments": command["arguments"] }));
    assert!(plan["text"].as_str().is_some_and(|text| text.contains("a") && text.contains("b")), "{plan}");
    assert!(plan["mermaid"].as_str().is_some_and(|text| text.contains("flowchart")), "{plan}");
    client.change(&uri, 2, "sh(");
    let wrong = client.response("workspace/executeCommand", json!({ "command": "flow.showPlan", "arguments": [uri] }));
    assert!(wrong["error"]["message"].is_string(), "{wrong}");
    let wrong = client.response("workspace/executeCommand", json!({ "command": "flow.nothing", "arguments": [] }));
    assert!(wrong["error"]["message"].as_str().is_some_and(|text| text.contains("flow.showPlan")), "{wrong}");
    client.end();
}

#[test]
fn texts_are_brought_into_form() {
    let mut client = Client::ready();
    let text = "// why\nlet  a=sh(\"a\",\"x\");\n\n\n\na->sh( \"b\" , \"y\" );";
    let uri = client.open("main.rhai", text);
    let options = json!({ "tabSize": 4, "insertSpaces": true });
    let edits = client.ask("textDocument/formatting", json!({ "textDocument": { "uri": uri }, "options": options }));
    assert_eq!(edits.as_array().map(Vec::len), Some(1), "{edits}");
    client.tell("textDocument/didChange", json!({ "textDocument": { "uri": uri, "version": 2 }, "contentChanges": [{ "range": edits[0]["range"], "text": edits[0]["newText"] }] }));
    let edits = client.ask("textDocument/formatting", json!({ "textDocument": { "uri": uri }, "options": options }));
    assert_eq!(edits, json!([]), "it has its form now");
    client.change(&uri, 3, "let a = sh(");
    let edits = client.ask("textDocument/formatting", json!({ "textDocument": { "uri": uri }, "options": options }));
    assert_eq!(edits, json!([]), "what is broken is left as it is");
    client.end();
}

#[test]
fn columns_can_be_bytes() {
    let mut client = Client::start();
    let answer = client
        .ask("initialize", json!({ "capabilities": { "general": { "positionEncodings": ["utf-16", "utf-8"] } } }));
    assert_eq!(answer["capabilities"]["positionEncoding"], "utf-8");
    let uri = client.open("main.rhai", "let é = 1; sh(\"a\", \"b\");");
    let hover = client.ask(
        "textDocument/hover",
        json!({ "textDocument": { "uri": uri }, "position": { "line": 0, "character": 12 } }),
    );
    assert_eq!(hover["range"]["start"]["character"], 12);
    client.end();
}

/// Renames what is at `^` in an open text; the edits as `file:line:character`, or what is wrong.
fn renamed(client: &mut Client, uri: &str, text: &str, name: &str) -> Result<Vec<String>, String> {
    let (line, character) = super::client::place(text);
    let position = json!({ "line": line, "character": character });
    let asked = json!({ "textDocument": { "uri": uri }, "position": position, "newName": name });
    let response = client.response("textDocument/rename", asked);
    if let Some(error) = response.get("error") {
        return Err(error["message"].as_str().expect("a text").to_owned());
    }
    let changes = response["result"]["changes"].as_object().expect("changes").clone();
    let mut found: Vec<String> = changes
        .iter()
        .flat_map(|(uri, edits)| {
            let file = uri.rsplit('/').next().expect("a name").to_owned();
            let edits = edits.as_array().expect("a list").clone();
            edits.into_iter().map(move |edit| {
                let start = &edit["range"]["start"];
                format!("{file}:{}:{}", start["line"], start["character"])
            })
        })
        .collect();
    found.sort();
    Ok(found)
}

#[test]
fn only_names_are_renamed() {
    let mut client = Client::ready();
    let text = "let a = sh(\"ma^ke\", \"make\");";
    let uri = client.open("main.rhai", &without_place(text));
    assert_eq!(renamed(&mut client, &uri, text, "compile"), Ok(vec!["main.rhai:0:12".to_owned()]));
    assert!(renamed(&mut client, &uri, "let a = sh(\"make\", \"ma^ke\");", "compile").is_err());
    let prepared = client.ask_at("textDocument/prepareRename", &uri, "let a = sh(\"make\", \"ma^ke\");");
    assert_eq!(prepared, Value::Null);
    for name in ["if", "this", "var"] {
        let wrong = renamed(&mut client, &uri, "let a^ = sh(\"make\", \"make\");", name);
        assert!(wrong.is_err_and(|message| message.contains("word of the language")), "{name}");
    }
    client.end();
}

#[test]
fn functions_are_renamed_in_all_files() {
    let mut client = Client::ready();
    let tools = client.file("parts/tools.rhai", "fn make(name) { sh(name, \"x\") }\nmake(\"y\");\n");
    client.file("other.rhai", "import \"parts/tools\" as t;\nt::make(\"a\");\nlet make = 1;\n");
    client.file("apart.rhai", "import \"tools\" as t;\nt::make(\"a\");\n");
    client.file("parts/near.rhai", "import \"tools\" as t;\nt::make(\"a\");\n");
    let text = "import \"parts/tools\" as t;\nt::ma^ke(\"b\");";
    let main = client.open("main.rhai", &without_place(text));
    // Without a folder of the editor's, what is below that of the module.
    let near = ["main.rhai:1:3", "near.rhai:1:3", "tools.rhai:0:3", "tools.rhai:1:0"].map(str::to_owned).to_vec();
    assert_eq!(renamed(&mut client, &main, text, "build"), Ok(near));
    client.end();

    let mut client = Client::start();
    let folder = uri(&client.folder());
    client.ask("initialize", json!({ "processId": null, "rootUri": folder, "capabilities": {} }));
    client.tell("initialized", json!({}));
    client.file("parts/tools.rhai", "fn make(name) { sh(name, \"x\") }\nprivate fn own() {}\n");
    client.file("other.rhai", "import \"parts/tools\" as t;\nt::make(\"a\");\nlet make = 1;\n");
    client.file("apart.rhai", "import \"tools\" as t;\nt::make(\"a\");\n");
    let main = client.open("main.rhai", &without_place(text));
    let all = ["main.rhai:1:3", "other.rhai:1:3", "tools.rhai:0:3"].map(str::to_owned).to_vec();
    assert_eq!(renamed(&mut client, &main, text, "build"), Ok(all.clone()));
    assert_eq!(client.ask_at("textDocument/references", &main, text).as_array().map(Vec::len), Some(3));
    let home = client.open("parts/tools.rhai", "fn make(name) { sh(name, \"x\") }\nprivate fn own() {}\n");
    assert_eq!(renamed(&mut client, &home, "fn ma^ke(", "build"), Ok(all));
    assert!(renamed(&mut client, &main, text, "own").is_err_and(|message| message.contains("already")));
    let text = "import \"std/checks\" as c;\nc::exi^sts(\"a\", \"b\");";
    client.change(&main, 2, &without_place(text));
    assert!(renamed(&mut client, &main, text, "x").is_err_and(|message| message.contains("standard library")));
    assert!(tools.ends_with("tools.rhai"));
    client.end();
}

#[test]
fn ends_of_lines_are_not_mixed() {
    let mut client = Client::ready();
    let options = json!({ "tabSize": 4, "insertSpaces": true });
    for (text, formed) in [
        (
            "let  a=1;\r\n\r\n\r\n\r\nlet t = `x\r\ny`;\r\n  sh(\"a\",\"b\");\r\n",
            "let a = 1;\r\n\r\nlet t = `x\r\ny`;\r\nsh(\"a\", \"b\");\r\n",
        ),
        ("let a = 1;\r\nlet b = 2;\r\n", "let a = 1;\r\nlet b = 2;\r\n"),
        ("let  a=1;\r\nlet b = 2;\n", "let a = 1;\nlet b = 2;\n"),
    ] {
        let uri = client.open("main.rhai", text);
        let asked = json!({ "textDocument": { "uri": uri }, "options": options });
        let edits = client.ask("textDocument/formatting", asked.clone());
        let mut found = text.to_owned();
        if let Some(edit) = edits.as_array().and_then(|edits| edits.first()) {
            let offset = |place: &Value| {
                let line = place["line"].as_u64().expect("a line") as usize;
                let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
                start + place["character"].as_u64().expect("a column") as usize
            };
            let range = offset(&edit["range"]["start"])..offset(&edit["range"]["end"]);
            found.replace_range(range, edit["newText"].as_str().expect("a text"));
        }
        assert_eq!(found, formed);
    }
    client.end();
}
