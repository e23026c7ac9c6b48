//! Commands that need no shell.

/// Characters that mean something to a shell.
const SYNTAX: &str = "|&;<>()$`\"'\\*?[]#~=%!{}^\n\r\0";

/// Words that a shell executes itself, or reads as syntax: POSIX, bash, ksh. No program may be meant by them, even
/// where one of the same name exists (`echo`, `test`, `printf` may differ from it).
const OWN: [&str; 98] = [
    ".",
    ":",
    "alias",
    "autoload",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "newgrp",
    "popd",
    "print",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "setopt",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "unsetopt",
    "until",
    "wait",
    "whence",
    "while",
    "where",
    "which",
    "zmodload",
    "bye",
    "chdir",
    "emulate",
    "float",
    "functions",
    "integer",
    "limit",
    "noglob",
    "nocorrect",
    "rehash",
    "sched",
    "unfunction",
];

/// The words of a command without any shell syntax, to be run without a shell, as make does.
///
/// Nothing if there are characters that a shell would act on, several lines, or if the first word is a shell's own.
pub fn direct_words(script: &str) -> Option<Vec<String>> {
    let script = script.trim_matches([' ', '\t', '\n', '\r']);
    if script.contains(|c| SYNTAX.contains(c)) {
        return None;
    }
    let words: Vec<String> = script.split([' ', '\t']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let first = words.first()?;
    (!OWN.contains(&first.as_str())).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_command_is_its_words() {
        assert_eq!(
            direct_words("  make -j 2\trelease \n"),
            Some(vec!["make".into(), "-j".into(), "2".into(), "release".into()])
        );
        assert_eq!(
            direct_words("./run.sh /tmp/a,b+c@d:e_f-1.0"),
            Some(vec!["./run.sh".into(), "/tmp/a,b+c@d:e_f-1.0".into()])
        );
    }

    #[test]
    fn everything_else_needs_a_shell() {
        for script in [
            "", " \n", "a\nb", "a | b", "a && b", "a; b", "a > b", "a $b", "a `b`", "a 'b'", "a \"b\"", "a\\ b", "a *",
            "a ?", "a [b]", "# a", "~/a", "A=b c", "a {b,c}", "! a", "a ^b", "echo a", "cd a", "true", "exec a",
            "time a", "if a", ". a",
        ] {
            assert_eq!(direct_words(script), None, "{script:?}");
        }
    }
}
