//! What scripts are refused for.

use crate::plan_of;

#[test]
fn every_example_of_a_code_gives_that_code() {
    let mut wrong = Vec::new();
    for code in flow::diag::codes::CODES {
        let Some(script) = code.example else { continue };
        match plan_of(script) {
            Ok((_, plan)) if flow::plan::check::warnings(&plan).iter().any(|warning| warning.code() == code.name) => {}
            Ok(_) => wrong.push(format!("{}: nothing is wrong with it:\n{script}", code.name)),
            Err(problem) if problem.code() != code.name => {
                wrong.push(format!("{}: gives {}: {problem}\n{script}", code.name, problem.code()));
            }
            Err(problem) => {
                if problem.help_text().is_none() {
                    wrong.push(format!("{}: no help: {problem}", code.name));
                }
                if problem.span().is_none() {
                    wrong.push(format!("{}: no place: {problem}", code.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_operator_on_a_pending_value_is_an_error() {
    let operands = ["1", "1.5", "\"x\"", "'c'", "true", "()", "[1]", "#{}", "a.output", "a", "`x${a.output}`"];
    let operators = ["==", "!=", "<", "<=", ">", ">=", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "in"];
    let mut wrong = Vec::new();
    for operator in operators {
        for operand in operands {
            for script in [format!("a.output {operator} {operand}"), format!("{operand} {operator} a.output")] {
                let script = format!("let a = sh(\"a\", \"true\");\nlet x = {script};");
                match plan_of(&script) {
                    Ok(_) => wrong.push(format!("accepted: {script}")),
                    Err(problem) if !["flow::lang::pending", "flow::lang::step_value"].contains(&problem.code()) => {
                        wrong.push(format!("{script}: {} {problem}", problem.code()));
                    }
                    Err(_) => {}
                }
            }
        }
    }
    let needed_now = [
        "if a.passed { }",
        "while a.passed { }",
        "if !a.passed { }",
        "if a.passed && true { }",
        "if true && a.passed { }",
        "if a.passed || true { }",
        "for x in a.lines { print(x); }",
        "a.output.len()",
        "a.output + 1",
        "1 + a.output",
        "-a.output",
        "let t = `x${a.output}`; t.len()",
        "let t = `x${a.output}`; t == \"x\"",
        "let t = `x${a.output}`; t.contains(\"x\")",
        "if a { }",
        "for i in 0..a.number { }",
        "for c in `x${a.output}` { print(c); }",
        "switch a.output { 1 => 2, _ => 3 }",
        "switch `x${a.output}` { 1 => 2, _ => 3 }",
        "switch [1, a.output] { 1 => 2, _ => 3 }",
        "switch a { 1 => 2, _ => 3 }",
        "[1, 2].contains(a.output)",
        "[1, a.output] == [1, 2]",
        "#{ a: a.output } == #{ a: 2 }",
        "[1, 2].index_of(a.output)",
        "[`x${a.output}`].contains(\"x\")",
        "let t = `x${a.output}`; t.trim() == \"x\"",
        "let t = `x${a.output}`; t.sub_string(0, 1)",
        "let t = `x${a.output}`; sh(\"b\", `${t[1]}`)",
        "let t = `x${a.output}`; t.replace(\"0\", \"1\")",
        "let t = `x${a.output}`; t.chars()",
        "let t = `x${a.output}`; t.index_of(\"x\")",
        "let t = `x${a.output}`; t.truncate(1)",
        "let t = `x${a.output}`; t.crop(1)",
        "let t = `x${a.output}`; t.pad(5, \"x\")",
        "let t = `x${a.output}`; t.to_blob()",
        "let t = `x${a.output}`; parse_int(t)",
        "let t = `x${a.output}`; t.split()",
        "let t = `x${a.output}`; t.pop()",
        "let t = `x${a.output}`; t.remove(\"0\")",
        "let t = `x${a.output}`; t -= \"x\"; t",
        "let t = `x${a.output}`; t == \"y\" || true",
        "let m = #{ x: 1 }; m[`x${a.output}`]",
        "let m = #{ x: 1 }; m[a.output]",
        "`x${a.output}` in #{ x: 1 }",
        "min(a.number, 3)",
        "a.output.to_upper()",
        "parse_int(a.output)",
    ];
    for line in needed_now {
        let script = format!("let a = sh(\"a\", \"true\");\n{line}");
        match plan_of(&script) {
            Ok(_) => wrong.push(format!("accepted: {script}")),
            Err(problem) if !["flow::lang::pending", "flow::lang::step_value"].contains(&problem.code()) => {
                wrong.push(format!("{script}: {} {problem}", problem.code()));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_key_that_is_missing_names_the_nearest() {
    for (script, near) in [
        ("let m = #{ colour: 1 }; let x = m.color;", Some("did you mean `colour`?")),
        ("let m = #{ inner: #{ colour: 1 } }; let x = m.inner[\"color\"];", Some("did you mean `colour`?")),
        ("let m = #{ a: 1 }; m.zebra += 1;", None),
        ("let m = #{}; let x = m.nothing;", None),
    ] {
        let problem = plan_of(script).err().expect(script);
        match near {
            Some(near) => {
                assert_eq!((problem.code(), problem.help_text()), ("flow::lang::unknown_key", Some(near)), "{script}");
            }
            None => assert!(problem.help_text().is_some(), "{script}"),
        }
    }
    let script = "let a = sh(\"a\", \"x\"); let m = #{}; m[`k${a.output}`] = 1; task(\"t\", m);";
    assert_eq!(plan_of(script).err().expect("a key that is not known").code(), "flow::lang::pending");
}

#[test]
fn a_script_has_no_clock_and_no_way_to_wait() {
    for script in ["sleep(1);", "sleep(0.5);", "timestamp();", "eval(\"1\");", "let f = |x| x; f.curry(1);"] {
        let problem = match plan_of(script) {
            Ok(_) => panic!("accepted: {script}"),
            Err(problem) => problem,
        };
        assert!(problem.help_text().is_some() && problem.span().is_some(), "{script}: {problem}");
    }
}

#[test]
fn a_secret_becomes_text_nowhere() {
    let operands = ["1", "1.5", "\"x\"", "'c'", "true", "()", "[1]", "#{}", "s"];
    let operators =
        ["==", "!=", "<", "<=", ">", ">=", "-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "in", "+", ".."];
    let before = "let s = secret(\"TOKEN\");\nlet a = sh(\"a\", \"true\");\n";
    let mut scripts = Vec::new();
    for operator in operators {
        for operand in operands {
            scripts.push(format!("let x = s {operator} {operand};"));
            scripts.push(format!("let x = {operand} {operator} s;"));
        }
    }
    for line in [
        "`x ${s}`",
        "`${s}`",
        "`${[s]}`",
        "`${#{ a: s }}`",
        "s.to_string()",
        "s.to_debug()",
        "[s].to_string()",
        "#{ a: [s] }.to_debug()",
        "print(s)",
        "debug(s)",
        "print([s])",
        "debug(#{ a: s })",
        "print(`${s}`)",
        "#{ a: s }.to_json()",
        "#{ a: [#{ b: s }] }.to_json()",
        "s.len()",
        "s.len",
        "s[0]",
        "s[\"x\"]",
        "s.x",
        "s.to_upper()",
        "s.contains(\"x\")",
        "s.is_empty()",
        "s.split(\",\")",
        "s.parse_int()",
        "parse_int(s)",
        "parse_json(s)",
        "quote(s)",
        "quote([s])",
        "-s",
        "!s",
        "if s { }",
        "while s { }",
        "s && true",
        "true && s",
        "s || true",
        "for c in s { print(1); }",
        "a + s",
        "s + a.output",
        "a.output == s",
        "s != a",
        "switch s { 1 => 2, _ => 3 }",
        "switch [s] { 1 => 2, _ => 3 }",
        "[s] == [s]",
        "[s].contains(s)",
        "[s].index_of(\"x\")",
        "#{ a: s } == #{ a: 1 }",
        "#{ x: 1 }[s]",
        "s in #{ x: 1 }",
        "min(s, s)",
        "let x = \"\"; x += s;",
        "let x = \"\"; x += [s];",
        "sh(\"b\", s)",
        "sh(\"b\", `curl ${s}`)",
        "sh(\"b\", \"curl \" + s)",
        "exec(\"b\", [\"curl\", s])",
        "exec(\"b\", [\"curl\", [s]])",
        "exec(s, [\"true\"])",
        "sh(s, \"true\")",
        "sh(`b-${s}`, \"true\")",
        "task(\"b\", s)",
        "task(\"b\", #{ a: [s] })",
        "fail(\"b\", s)",
        "fail(\"b\", `no ${s}`)",
        "a.desc(s)",
        "a.tag(s)",
        "a.tag([s])",
        "a.desc(`${s}`)",
        "a.cwd(s)",
        "a.shell(s)",
        "a.lock(s)",
        "a.limit(s)",
        "a.timeout(s)",
        "a.retry(s)",
        "a.rule(s)",
        "a.priority(s)",
        "a.env(s)",
        "a.env(#{ A: `x${s}` })",
        "a.stdin(`x${s}`)",
        "a.when(s)",
        "a.parse(s)",
        "a.on_error(s)",
        "param(s)",
        "param(\"p\", #{ default: s })",
        "param(\"p\", #{ default: 1, help: s })",
        "param(\"p\", #{ default: 1, one_of: [s] })",
        "workflow(\"w\", \"x.rhai\", #{ token: s })",
        "workflow(\"w\", s)",
        "limit(s, 1)",
        "settings(#{ shell: s })",
        "settings(#{ cwd: s })",
        "settings(#{ env: #{ A: [s] } })",
        "secret(s)",
        "s.prefix(s)",
        "s.suffix(`x${s}`)",
        "each(\"e\", s, |x| sh(\"c\", \"true\"))",
        "chain(s)",
        "chain(\"c\", s)",
        "parallel(s)",
        "flow(s)",
        "flow(\"f\").when(s, a)",
        "flow(\"f\", s, a, a)",
        "wait(\"w\", s)",
        "wait(s, \"1s\")",
        "throw [s].to_string()",
        "let t = `${s}`; t.len() == 3",
        "let t = [s].to_string(); sh(\"b\", t)",
        "call(\"c\", s)",
        "command(s, |p| a)",
        "on(s, a)",
        "run(s)",
        "a.after(s)",
    ] {
        scripts.push(line.to_owned());
    }
    let mut wrong = Vec::new();
    for line in scripts {
        let script = format!("{before}{line}");
        match plan_of(&script) {
            Ok(_) => wrong.push(format!("accepted: {line}")),
            Err(problem) if problem.code() != "flow::lang::secret" => {
                wrong.push(format!("{line}: {} {problem}", problem.code()));
            }
            Err(problem) => {
                let help = problem.help_text().unwrap_or_default();
                if !help.contains(".env(#{") || problem.span().is_none() {
                    wrong.push(format!("{line}: {problem:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong\n{}", wrong.len(), wrong.join("\n"));
}
