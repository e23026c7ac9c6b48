//! Values in scripts: what is written for them, and what is refused.

use super::super::{Json, StepId};
use super::*;

mod real;

/// The parts of a script in which `@` is a value and `@@` another one.
fn parts(script: &str) -> Vec<Part> {
    let value = |step| Part::Value(Value::Step(StepId(step)));
    let mut parts = Vec::new();
    for (n, text) in script.replace("@@", "\u{1}").split('@').enumerate() {
        if n > 0 {
            parts.push(value(1));
        }
        for (n, text) in text.split('\u{1}').enumerate() {
            if n > 0 {
                parts.push(value(2));
            }
            parts.push(Part::Text(text.to_owned()));
        }
    }
    parts
}

/// The script as it is written, with `@1`, `@2` for the references.
fn written(script: &str) -> Result<String, Error> {
    compile(&parts(script), None).map(|shell| shell.script.replace("${FLOW_IN_1}", "@1").replace("${FLOW_IN_2}", "@2"))
}

#[test]
fn a_value_is_quoted_as_its_place_needs() {
    for (script, expected) in [
        ("echo @", "echo \"@1\""),
        ("echo a@b", "echo a\"@1\"b"),
        ("echo \"a @ b\"", "echo \"a @1 b\""),
        ("echo 'a @ b'", "echo 'a '\"@1\"' b'"),
        ("echo @ @@ @", "echo \"@1\" \"@2\" \"@1\""),
        ("x=@; echo $x", "x=\"@1\"; echo $x"),
        ("echo $(cat @) \"$(cat @)\"", "echo $(cat \"@1\") \"$(cat \"@1\")\""),
        ("echo `cat @`", "echo `cat \"@1\"`"),
        ("echo \"$(cat '@')\"", "echo \"$(cat ''\"@1\"'')\""),
        ("echo ${x:-@} \"${x:-@}\" \"${x#@}\"", "echo ${x:-\"@1\"} \"${x:-@1}\" \"${x#\"@1\"}\""),
        ("cat <<EOF\na @ 'b' \"@\"\nEOF\necho @", "cat <<EOF\na @1 'b' \"@1\"\nEOF\necho \"@1\""),
        ("cat <<-X <<Y\n\t@\n\tX\n@\nY\necho @", "cat <<-X <<Y\n\t@1\n\tX\n@1\nY\necho \"@1\""),
        ("cat <<'EOF'\nit's\nEOF\necho @", "cat <<'EOF'\nit's\nEOF\necho \"@1\""),
        ("cat <<EOF\n@EOF\n@\nEOF", "cat <<EOF\n@1EOF\n@1\nEOF"),
        ("# it's @\necho @", "# it's \necho \"@1\""),
        ("echo a#b @ #@", "echo a#b \"@1\" #"),
        ("echo \\@ \"\\@\" \\\\@", "echo \"@1\" \"\\\\@1\" \\\\\"@1\""),
        ("echo $@ \"$@\"", "echo \\$\"@1\" \"\\$@1\""),
        ("echo $$@ $#@", "echo $$\"@1\" $#\"@1\""),
        (
            "case @ in a) echo @;; (@) b;; esac; echo @",
            "case \"@1\" in a) echo \"@1\";; (\"@1\") b;; esac; echo \"@1\"",
        ),
        ("x=$(case a in a) echo @;; esac) y=@", "x=$(case a in a) echo \"@1\";; esac) y=\"@1\""),
        ("f() { echo @; }; f @", "f() { echo \"@1\"; }; f \"@1\""),
        ("cat <<<@ >@ 2>@", "cat <<<\"@1\" >\"@1\" 2>\"@1\""),
        ("[ @ -gt 80 ] && [[ @ == a* ]]", "[ \"@1\" -gt 80 ] && [[ \"@1\" == a* ]]"),
        ("export A=@ B=@", "export A=\"@1\" B=\"@1\""),
        ("sh -c 'echo \"$1\"' sh @", "sh -c 'echo \"$1\"' sh \"@1\""),
        ("awk -v x=@ '{ print x }' @", "awk -v x=\"@1\" '{ print x }' \"@1\""),
        ("sed -n -e p @ && sed p @", "sed -n -e p \"@1\" && sed p \"@1\""),
        ("ssh -i key me@@ 'cat > f' <<EOF\n@\nEOF", "ssh -i key me\"@1\" 'cat > f' <<EOF\n@2\nEOF"),
        ("python3 x.py <<EOF\n@\nEOF", "python3 x.py <<EOF\n@1\nEOF"),
        ("x=$(echo @) \"$(echo @)\" $(echo @)", "x=$(echo \"@1\") \"$(echo \"@1\")\" $(echo \"@1\")"),
        ("{ echo @; }\ncurl x | sh", "{ echo \"@1\"; }\ncurl x | sh"),
        ("echo x | sh -s @", "echo x | sh -s \"@1\""),
        ("apt install sed @", "apt install sed \"@1\""),
        ("sh ./\"$script\" <<EOF\n@\nEOF", "sh ./\"$script\" <<EOF\n@1\nEOF"),
        ("echo @ | grep x; curl x | sh", "echo \"@1\" | grep x; curl x | sh"),
        ("for ((i = 0; i < 3; i++)); do echo @; done", "for ((i = 0; i < 3; i++)); do echo \"@1\"; done"),
        ("echo $((1 + $(cat @)))", "echo $((1 + $(cat \"@1\")))"),
    ] {
        // `me@@` is one value there, and `@` another: numbered by their first use.
        assert_eq!(written(script), Ok(expected.to_owned()), "{script}");
    }
}

#[test]
fn what_no_quoting_can_save_is_refused() {
    for (script, part) in [
        ("echo $((@ + 1))", "the shell calculates what stands here"),
        ("echo \"$((1 + \"@\"))\"", "the shell calculates what stands here"),
        ("((x = @))", "the shell calculates what stands here"),
        ("echo $[@]", "the shell calculates what stands here"),
        ("a[@]=1", "the shell calculates the index of an array"),
        ("a=([@]=1)", "the shell calculates the index of an array"),
        ("echo ${a[@@]}", "the shell calculates what stands here"),
        ("[[ @ -eq 1 ]]", "a comparison of numbers"),
        ("[[ 1 -lt 2 && $x -gt \"@\" ]]", "a comparison of numbers"),
        ("echo ${@} ", "a value cannot be the name of a variable"),
        ("echo ${x@@} ", "a value cannot be the name of a variable"),
        ("echo ${x:@} ", "a value cannot be the name of a variable"),
        ("echo ${x:1:@} ", "shells do not agree"),
        ("echo ${x/@/} ", "shells do not agree"),
        ("echo \"${x:-\"@\"}\"", "shells do not agree"),
        ("echo `echo \\`echo @\\``", "shells do not agree"),
        ("echo `echo \\$x @`", "shells do not agree"),
        ("echo $'@'", "nothing is expanded between"),
        ("cat <<'EOF'\n@\nEOF", "nothing is expanded in a here-document whose `EOF` is quoted"),
        ("cat <<@\nx\n", "the delimiter of a here-document cannot be a value"),
        ("eval \"x=@\"", "`eval` reads this as code"),
        ("A=b exec eval @", "`eval` reads this as code"),
        ("if true; then eval @; fi", "`eval` reads this as code"),
        ("$(echo @)", "what is printed here is run as a command"),
        ("A=b sudo `printf %s @` x", "what is printed here is run as a command"),
        ("let x=@", "`let` reads this as code"),
        ("[[ a\neval @", "`eval` reads this as code"),
        ("trap \"rm @\" EXIT", "`trap` reads this as code"),
        ("sh -c \"echo @\"", "`sh` reads this as code"),
        ("sudo -u me /bin/bash -exc 'echo @'", "`bash` reads this as code"),
        ("bash -c -o pipefail 'echo @'", "`bash` reads this as code"),
        ("find . -exec sh -c 'echo @' \\;", "`sh` reads this as code"),
        ("python3 -c 'print(\"@\")'", "`python3` reads this as code"),
        ("perl -ne 'print @'", "`perl` reads this as code"),
        ("node -e @", "`node` reads this as code"),
        ("sed \"s/x/@/\" f", "`sed` reads this as code"),
        ("sed -i.some -n s/x/@/ f", "`sed` reads this as code"),
        ("xargs sed -e p -e @", "`sed` reads this as code"),
        ("awk -F , \"{ print @ }\"", "`awk` reads this as code"),
        ("ssh -i key host deploy @", "`ssh` reads this as code"),
        ("declare a=1 @", "`declare` reads this as code"),
        ("printf -v @ x", "`printf -v` reads this as code"),
        ("sudo sh <<EOF\necho @\nEOF", "`sh` runs what it reads here"),
        ("cat <<EOF | bash -s\necho @\nEOF", "`bash` runs what it reads here"),
        ("ssh host <<EOF\necho @\nEOF", "`ssh` runs what it reads here"),
        ("[[ a; sh -s <<EOF\necho @\nEOF", "`sh` runs what it reads here"),
        ("sh $options <<EOF\necho @\nEOF", "`sh` runs what it reads here"),
        ("sh ${x%@} <<EOF\necho @\nEOF", "`sh` runs what it reads here"),
        ("ssh $host @", "`ssh` reads this as code"),
        ("sed $options @", "`sed` reads this as code"),
        ("echo \"rm @\" | sh", "`sh` runs what it reads here"),
        ("(echo rm; echo @) | sudo sh -e", "`sh` runs what it reads here"),
        ("cat <(echo @) | sh", "`sh` runs what it reads here"),
        ("bash <(echo @)", "`bash` runs what it reads here"),
        ("sh - <(echo @)", "`sh` runs what it reads here"),
        (". <(echo @)", "`.` runs what it reads here"),
        ("if true; then echo @; fi | sh", "`sh` runs what it reads here"),
        ("echo @ |\n\nsh", "`sh` runs what it reads here"),
        ("echo @ | (sh)", "`sh` runs what it reads here"),
        ("cat @ 2>&1 | sh", "`sh` runs what it reads here"),
    ] {
        let error = written(script).expect_err(script);
        assert!(error.message.contains(part), "{script}: {error}");
        assert!(error.help.is_some(), "{script}: {error}");
    }
}

#[test]
fn the_message_shows_the_line() {
    let error = written("set -e\necho $((1 + @)) # add\nexit").expect_err("arithmetic");
    assert_eq!(
        error.message,
        "the shell calculates what stands here, and by that a value could run commands: `echo $((1 + ${…})) # add`"
    );
}

#[test]
fn variables_are_numbered_and_a_comment_needs_none() {
    let shell = compile(&parts("# @\necho @@ @@"), Some("bash")).expect("plain words");
    assert_eq!(shell.vars, [("FLOW_IN_1".into(), Value::Step(StepId(2)))]);
    assert_eq!(shell.shell.as_deref(), Some("bash"));
    assert_eq!(shell.direct, None);
}

#[test]
fn a_script_without_values_is_left_alone() {
    let shell = compile(&parts("eval $((1)) `x`"), None).expect("no value in it");
    assert_eq!((shell.script.as_str(), shell.direct), ("eval $((1)) `x`", None));
    let shell = compile(&parts("make -j2 all"), None).expect("no value in it");
    assert_eq!(shell.direct, Some(vec!["make".into(), "-j2".into(), "all".into()]));
}

#[test]
fn known_values_are_variables_too() {
    let value = Value::Plain(Json::from("x"));
    let shell = compile(&[Part::Text("echo ".into()), Part::Value(value.clone())], None).expect("plain words");
    assert_eq!((shell.script.as_str(), &shell.vars[..]), ("echo \"${FLOW_IN_1}\"", &[("FLOW_IN_1".into(), value)][..]));
}
