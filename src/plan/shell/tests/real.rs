//! Random values in random scripts: a real shell prints them and runs nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::super::compile;
use super::parts;

/// Runs a script whose one value is `value`; what it printed.
fn run(program: &str, script: &str, value: &str, folder: &Path) -> String {
    let mut command = Command::new(program);
    command.arg("-c").arg(script).current_dir(folder).env("FLOW_IN_1", value);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    String::from_utf8_lossy(&command.output().expect("a shell runs").stdout).into_owned()
}

/// The shells of this machine, as far as they are known to be asked for; `sh` is everywhere.
static SHELLS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let exists = |shell: &&str| {
        Command::new(shell).args(["-c", ":"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    ["sh", "bash"].into_iter().filter(exists).collect()
});

fn canary(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("the folder is ours").flatten().any(|file| file.file_name() == "canary")
}

/// Values that would run something, or fall apart, if anything but quoting stood between them and the shell.
fn values() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(&[
        "$(touch canary)",
        "`touch canary`",
        "; touch canary;",
        "' ; touch canary; '",
        "\"; touch canary; \"",
        "\ntouch canary\n",
        "a[$(touch canary)]",
        "x[`touch canary`0]",
        ") touch canary;;",
        "}touch canary;",
        "\nEOF\ntouch canary\n",
        "&& touch canary",
        "'",
        "\"",
        "\\",
        "$",
        "`",
        "*",
        " ",
        "~",
        "\t",
        "a",
        "é",
        "-n",
        "#",
        "!",
        "{a,b}",
        "${HOME}",
        "$HOME",
        "%s",
        "\\n",
        "0",
    ]);
    // Command substitution takes final line breaks away.
    prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat() + ".")
}

/// A word in some nesting of contexts, with `@` for the value, and what it is where `@` stands in that again.
fn words() -> impl Strategy<Value = (String, String)> {
    let plain = prop::sample::select(&[
        ("@", "@"),
        ("a@b", "a@b"),
        ("\"@\"", "@"),
        ("'@'", "@"),
        ("\"a '@' b\"", "a '@' b"),
        ("'a \"@\" b'", "a \"@\" b"),
        ("\\@", "@"),
        ("\"\\@\"", "\\@"),
        ("$@", "$@"),
        ("\"$@\"", "$@"),
        ("\"\\$@\"", "$@"),
        ("\\'@\\\"", "'@\""),
        ("@'@'\"@\"", "@@@"),
        ("\"${none:-@}\"", "@"),
        ("${none:-@}", "@"),
        ("${none:-'@'}", "@"),
        ("${none:-\"@\"}", "@"),
        ("\"${x#'@'}\"", "yz"),
        ("\"${x#@}\"", "yz"),
        ("${x#\"@\"}", "yz"),
        ("'$(touch canary)'@", "$(touch canary)@"),
    ]);
    plain.prop_map(|(word, value)| (word.to_owned(), value.to_owned())).prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|(word, value)| (format!("\"$(printf '%s' {word})\""), value)),
            inner.clone().prop_map(|(word, value)| (format!("\"$( (printf '%s' {word}) )\""), value)),
            inner.clone().prop_map(|(word, value)| (format!("\"$(case a in (a) printf '%s' {word};; esac)\""), value)),
            inner.clone().prop_map(|(word, value)| (format!("\"$(f {word} # it's\n)\""), value)),
            inner.clone().prop_map(|(word, value)| (format!("\"$(y={word}; printf '%s' \"$y\")\""), value)),
            inner.clone().prop_map(|(word, value)| (format!("${{none:-{word}}}"), value)),
            inner.clone().prop_map(|(word, value)| {
                // Shells look for the end of a here-document before they read what is in it.
                let end = format!("X{}", word.len());
                (format!("\"$(cat <<{end}\n$(printf '%s' {word})\n{end}\n)\""), value)
            }),
            (inner.clone(), inner).prop_map(|((a, x), (b, y))| (format!("{a}-{b}"), format!("{x}-{y}"))),
        ]
    })
}

/// Scripts of all constructs, most of them valid, with values anywhere. (No functions and no loops without end.)
fn scripts() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(&[
        "@", "@", "@", "y", "a@b", "$v", "\\@", "$@", "\"@\"", "'@'", "@'@'", "2", "a[@]", "-v",
    ]);
    let word = leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |word| {
        let wrap = |before: &'static str, after: &'static str| {
            word.clone().prop_map(move |word| format!("{before}{word}{after}"))
        };
        let pair = |before: &'static str, between: &'static str, after: &'static str| {
            (word.clone(), word.clone()).prop_map(move |(a, b)| format!("{before}{a}{between}{b}{after}"))
        };
        prop_oneof![
            wrap("\"", "\""),
            wrap("'", "'"),
            wrap("$'", "'"),
            wrap("$(echo ", ")"),
            wrap("\"$(echo ", ")\""),
            wrap("`echo ", "`"),
            wrap("\"`echo ", "`\""),
            wrap("${v:-", "}"),
            wrap("\"${v:-", "}\""),
            wrap("\"${w#", "}\""),
            wrap("${w%%", "}"),
            wrap("${w/", "/x}"),
            wrap("${w:", "}"),
            wrap("$((1 + ", "))"),
            wrap("\"$((", "))\""),
            wrap("\\\"", "\\\""),
            wrap("<(echo ", ")"),
            wrap("$(cat <<X\n", "\nX\n)"),
            wrap("\"$(cat <<'X'\n", "\nX\n)\""),
            wrap("$(case a in a) echo ", ";; esac)"),
            pair("$(case ", " in (x|", ") echo;; esac)"),
            pair("", "", ""),
            pair("", " ", ""),
            pair("\"", " # '", "\""),
            pair("$(( ", ") | cat ", ")"),
            pair("$(", "; echo ", ")"),
        ]
    });
    let simple = (
        prop::sample::select(&[
            "echo ",
            "printf %s ",
            "eval ",
            "sh -c ",
            "bash -ec ",
            "sh ",
            "sh -s ",
            "sed ",
            "awk ",
            "x=",
            "export ",
            "declare ",
            "let ",
            "trap ",
            ": ",
            "[ ",
            "test ",
            "cat ",
            "exec sh -c ",
            "sh -x -c ",
            "bash -o pipefail -c ",
            "env -i sh -c ",
            "command eval ",
            "x=1 eval ",
            "f ",
            "a=(",
            "a[",
            "((",
            "[[ ",
            "! ",
            "{ ",
            "( ",
            "read ",
            "printf -v ",
        ]),
        word.clone(),
        prop::sample::select(&[
            "",
            "",
            " x",
            " >f",
            " 2>&1",
            " | sh",
            " | cat",
            ")",
            "]=1",
            "))",
            " ]]",
            " -eq 1 ]]",
            "; }",
            " )",
            " # @",
            " <<X\n@\nX",
            " <<'X'\n'\nX",
            " <<-X | sh\n\t@\n\tX",
            " <<<@",
        ]),
    )
        .prop_map(|(program, word, end)| format!("{program}{word}{end}"));
    simple.prop_recursive(3, 12, 3, move |command| {
        let two = |before: &'static str, between: &'static str, after: &'static str| {
            (command.clone(), command.clone()).prop_map(move |(a, b)| format!("{before}{a}{between}{b}{after}"))
        };
        prop_oneof![
            two("", "\n", ""),
            two("", "; ", ""),
            two("", " && ", ""),
            two("", " | ", ""),
            two("if ", "; then ", "\nfi"),
            two("{ ", "; }; ", ""),
            two("( ", " ); ", ""),
            two("# @ '\n", "\n", " # \""),
            two("case x in x) ", "\n;; *) ", "\n;; esac"),
            two("for i in 1; do ", "\n", "\ndone"),
        ]
    })
}

/// The same cases in every run, unless one goes looking for others: `PROPTEST_CASES=100000 cargo test --lib real`.
fn cases() -> ProptestConfig {
    let config = ProptestConfig::default();
    match std::env::var_os("PROPTEST_CASES") {
        None => ProptestConfig { rng_seed: RngSeed::Fixed(1), ..config },
        Some(_) => config,
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_real_shell_prints_the_value((word, expected) in words(), value in values(), place in 0..6) {
        let script = match place {
            0 => format!("f() {{ printf '%s' \"$1\"; }}\nx=@yz\n# @\nprintf '%s' {word}"),
            1 => format!("f() {{ printf '%s' \"$1\"; }}; x=@yz; for i in {word}; do printf '%s' \"$i\"; done"),
            2 => format!("f() {{ printf '%s' \"$1\"; }}; x=@yz; [ @ = '@' ] && case @ in (\"@\") f {word};; esac"),
            3 => format!("f() {{ printf '%s' \"$1\"; }}; x=@yz; y={word}; printf '%s' \"$y\""),
            4 => format!("f() {{ printf '%s' \"$1\"; }}; x=@yz; (printf '%s' {word} | cat)"),
            _ => format!("f() {{ printf '%s' \"$1\"; }}; x=@yz; cat <<EOF\n$(printf '%s' {word})\nEOF\n"),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut expected = expected.replace('@', &value);
        if place == 5 {
            expected.push('\n');
        }
        let compiled = compile(&parts(&script), None);
        let Ok(shell) = compiled else {
            prop_assert!(false, "refused: {} {:?}", script, compiled);
            return Ok(());
        };
        for program in SHELLS.iter() {
            let printed = run(program, &shell.script, &value, folder.path());
            prop_assert_eq!(&printed, &expected, "{}: {}", program, shell.script);
            prop_assert!(!canary(folder.path()), "{}: {}", program, shell.script);
        }
    }

    #[test]
    fn however_it_is_nested_nothing_is_run(script in scripts(), value in values(), cut in prop::option::of((0..200_usize, 0..3_usize))) {
        let mut chars: Vec<char> = script.chars().collect();
        if let Some((at, length)) = cut {
            let at = at.min(chars.len());
            chars.drain(at..(at + length).min(chars.len()));
        }
        let script: String = chars.into_iter().collect();
        let Ok(shell) = compile(&parts(&script), None) else { return Ok(()) };
        if shell.vars.is_empty() {
            return Ok(());
        }
        let folder = tempfile::tempdir().expect("a folder");
        for program in SHELLS.iter() {
            run(program, &shell.script, &value, folder.path());
            prop_assert!(!canary(folder.path()), "{}: {}", program, shell.script);
        }
    }

    #[test]
    fn whatever_the_script_nothing_is_run(pieces in prop::collection::vec(prop::sample::select(&[
        "@", "@", "@", "\"", "\"", "'", "\\", "`", "$", "$(", "$((", "))", "((", "(", ")", "${x:-", "${x#", "${x/", "${", "}", "{ ", "; }",
        "$'", "$\"", "[[ ", " ]]", " -eq ", "a[", "]=1", "]", "<<EOF\n", "<<-'EOF'\n", "<<\\EOF ", "\nEOF\n", "\n", "\n", ";", ";;", " ", " ",
        "#", " #", "&&", "|", "&", "case x in ", "x) ", " esac", "eval ", "sh -c ", "sh ", "printf %s ", "echo ", "x=", ": ", "=", "sed ",
        "if :; then ", "; fi", "for i in ", "; do ", "; done", "!", "* ", "cat ", "x", ">f ", "2>&1 ", "declare ", "let ",
    ]), 1..16), value in values()) {
        let script = pieces.concat();
        let Ok(shell) = compile(&parts(&script), None) else { return Ok(()) };
        if shell.vars.is_empty() {
            return Ok(());
        }
        let folder = tempfile::tempdir().expect("a folder");
        for program in SHELLS.iter() {
            run(program, &shell.script, &value, folder.path());
            prop_assert!(!canary(folder.path()), "{}: {}", program, shell.script);
        }
    }
}
