//! Programs that read some of their words as code, so that no value may stand there.

use super::word::Word;

/// How a program finds its code among its words.
enum Code {
    /// Everything is code.
    All,
    /// Names of variables; what stands behind a `=` is a plain value.
    Names,
    /// The word behind one of these options (`-ec` is two of them). Without an argument, standard input is code.
    Option { options: Options },
    /// The word behind one of these options; standard input is data.
    OptionOnly { options: Options },
    /// The same; without such an option the first argument, if none of `file` says that the code is in a file.
    /// The options in `skip` have an argument that is no code, those in `attached` may have one attached.
    First { options: Options, skip: &'static str, attached: &'static str, file: Options },
    /// What follows the host, joined and given to a shell there.
    Remote { skip: &'static str },
}

/// Options by their letters, and by their long names.
type Options = (&'static str, &'static [&'static str]);

const PROGRAMS: &[(&[&str], Code)] = &[
    (&["eval", "let", "trap", "watch", "alias"], Code::All),
    (&["declare", "typeset", "local", "readonly", "export", "unset", "read", "mapfile", "readarray"], Code::Names),
    (
        &["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "pwsh"],
        Code::Option { options: ("c", &["--command", "-Command"]) },
    ),
    (&["su", "runuser", "script", "flock", "sg"], Code::OptionOnly { options: ("c", &["--command"]) }),
    (&["python", "python2", "python3", "pypy3"], Code::Option { options: ("c", &[]) }),
    (&["perl"], Code::Option { options: ("eE", &[]) }),
    (&["ruby", "lua", "luajit", "osascript", "Rscript"], Code::Option { options: ("e", &[]) }),
    (&["node", "bun", "deno"], Code::Option { options: ("ep", &["--eval", "--print", "eval"]) }),
    (&["php"], Code::Option { options: ("rBRE", &["--run"]) }),
    (
        &["awk", "gawk", "mawk", "nawk"],
        Code::First { options: ("e", &["--source"]), skip: "vF", attached: "vF", file: ("f", &["--file"]) },
    ),
    (
        &["sed", "gsed"],
        Code::First { options: ("e", &["--expression"]), skip: "l", attached: "li", file: ("f", &["--file"]) },
    ),
    (&["ssh"], Code::Remote { skip: "BbcDEeFIiJLlmOopQRSWw" }),
];

/// Programs that print their arguments: what they are given is what the next one of a pipeline reads.
const PRINTERS: [&str; 3] = ["echo", "printf", "print"];
/// Built into the shell or in front of another command: only there they are what their name says.
const IN_FRONT: [&str; 7] = ["command", "builtin", "exec", "nohup", "sudo", "doas", "env"];

/// Programs that run their arguments as a command.
const CALLERS: [&str; 16] = [
    "xargs", "timeout", "nice", "ionice", "find", "docker", "podman", "kubectl", "stdbuf", "setsid", "chroot", "time",
    "parallel", "unshare", "nsenter", "busybox",
];

/// The program that reads the value as code, if `word` (the value stands at its end) is code for one, and what to do.
pub(super) fn reads_as_code(words: &[Word], word: &Word) -> Option<(String, &'static str)> {
    let handed = "give the value as an argument or on standard input and read it there, as in \
                  `sh -c 'echo \"$1\"' sh ${build.output}`";
    for (at, program) in words.iter().enumerate() {
        let name = program.name();
        let behind = &words[at + 1..];
        let (is_code, help) = match code_of(words, at) {
            Some(Code::All) => {
                (true, "call the command itself instead, or decide with `case` or a condition of the flow")
            }
            Some(Code::Names) => (
                !word.text.contains('=')
                    || word.is_open_index()
                    || behind.iter().any(|word| has_letter(word, "in", "")),
                "write the name of the variable out; the value may stand behind `=`",
            ),
            Some(Code::Option { options } | Code::OptionOnly { options }) => {
                (behind_option(behind, word, *options), handed)
            }
            Some(Code::First { options, skip, attached, file }) => (
                behind_option(behind, word, *options)
                    || is_first_argument(behind, word, skip)
                        && !given(behind, *options, attached)
                        && !given(behind, *file, attached),
                "give the value in the environment and read it there, as in \
                 `V=${build.output} awk '{ print ENVIRON[\"V\"] }'`, or do it in a closure",
            ),
            Some(Code::Remote { skip }) => (
                count_arguments(behind, skip, |_| true) > 0,
                "send it on standard input: `printf '%s\\n' ${build.output} | ssh host 'read -r v; deploy \"$v\"'`",
            ),
            None => (false, ""),
        };
        if is_code {
            return Some((name.to_owned(), help));
        }
        let last = behind.last().map_or("", |word| &word.text);
        if name == "printf" && last == "-v" || matches!(name, "test" | "[") && matches!(last, "-v" | "-R") {
            return Some((format!("{name} {last}"), "write the name of the variable out"));
        }
    }
    None
}

/// The program that reads its standard input as code, if the command does: `sh`, `sudo bash -s`, `ssh host`.
pub(super) fn reads_input_as_code(words: &[Word]) -> Option<String> {
    (0..words.len()).find_map(|at| {
        let behind = &words[at + 1..];
        let reads = match code_of(words, at)? {
            Code::Option { .. } => {
                behind.iter().any(|word| word.text == "-s" || word.text == "-") || known_arguments(behind) == 0
            }
            Code::Remote { skip } => arguments(behind, skip) <= 1,
            _ => false,
        };
        reads.then(|| words[at].name().to_owned())
    })
}

/// The program that reads as code the file that is its next argument: `sh FILE`, `. FILE`.
pub(super) fn runs_file(words: &[Word]) -> Option<String> {
    let own = own_word(words)?;
    if matches!(words[own].name(), "." | "source") && own + 1 == words.len() {
        return Some(words[own].text.clone());
    }
    (0..words.len()).find_map(|at| {
        let runs = matches!(code_of(words, at)?, Code::Option { .. }) && known_arguments(&words[at + 1..]) == 0;
        runs.then(|| words[at].name().to_owned())
    })
}

/// Does the command print its arguments?
pub(super) fn prints(words: &[Word]) -> bool {
    own_word(words).is_some_and(|at| PRINTERS.contains(&words[at].name()))
}

/// What is known of the program at this place, if it is one that is called there.
fn code_of(words: &[Word], at: usize) -> Option<&'static Code> {
    let (_, code) = PROGRAMS.iter().find(|(names, _)| names.contains(&words[at].name()))?;
    let own = own_word(words);
    let called = match code {
        Code::All | Code::Names => own == Some(at),
        // A shell with `-c` is one wherever it stands; the others may also be plain words, as in `apt install sed`.
        Code::Option { .. } | Code::OptionOnly { .. } => true,
        Code::First { .. } | Code::Remote { .. } => {
            own == Some(at) || words[..at].iter().any(|word| CALLERS.contains(&word.name()))
        }
    };
    called.then_some(code)
}

/// Which word is the command itself: not an assignment, not a command in front of another.
fn own_word(words: &[Word]) -> Option<usize> {
    words
        .iter()
        .position(|word| !word.is_assignment() && !word.text.starts_with('-') && !IN_FRONT.contains(&word.name()))
}

/// Is one of the letters an option in this word? What follows a letter of `attached` is its argument.
fn has_letter(word: &Word, letters: &str, attached: &str) -> bool {
    word.is_option()
        && word.text[1..]
            .chars()
            .take_while(|c| letters.contains(*c) || !attached.contains(*c))
            .any(|c| letters.contains(c))
}

fn is_one_of(word: &Word, (letters, names): Options) -> bool {
    word.is_option() && word.text.ends_with(|c| letters.contains(c)) || names.contains(&word.text.as_str())
}

/// Would the next word be the command itself?
pub(super) fn is_own_word(words: &[Word]) -> bool {
    own_word(words).is_none()
}

/// Is `word` the argument of such an option, or itself one with its argument?
fn behind_option(behind: &[Word], word: &Word, options: Options) -> bool {
    let (letters, names) = options;
    has_letter(word, letters, "")
        || names.iter().any(|name| word.text.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
        || (0..behind.len()).filter(|at| is_one_of(&behind[*at], options)).any(|at| {
            // Between them there may be further options.
            known_arguments(&behind[at + 1..]) == 0
        })
}

/// Is `word` the first argument?
fn is_first_argument(behind: &[Word], word: &Word, skip: &str) -> bool {
    let argument_of_option = behind.last().is_some_and(|last| takes_argument(last, skip));
    arguments(behind, skip) == 0 && !argument_of_option && !word.text.starts_with('-')
}

/// Is one of these options among the words?
fn given(words: &[Word], (letters, names): Options, attached: &str) -> bool {
    let is = |word: &Word, name: &str| {
        word.text.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    words.iter().any(|word| has_letter(word, letters, attached) || names.iter().any(|name| is(word, name)))
}

/// An option that stands alone and whose argument is the next word.
fn takes_argument(word: &Word, skip: &str) -> bool {
    word.is_option() && word.text.len() == 2 && word.text.ends_with(|c| skip.contains(c))
}

/// How many of the words are certainly neither options nor arguments of the options that have one.
fn arguments(words: &[Word], skip: &str) -> usize {
    // An empty word is the argument of `sed -i ''`, as BSD writes it.
    count_arguments(words, skip, |word| word.certain && (word.expands || !word.text.is_empty()))
}

/// The same for a shell or an interpreter, which has `-o` with an argument. What is expanded may turn out to be an
/// option.
fn known_arguments(words: &[Word]) -> usize {
    count_arguments(words, "oO", |word| word.certain && !matches!(word.text.as_str(), "" | "-"))
}

fn count_arguments(words: &[Word], skip: &str, counts: impl Fn(&Word) -> bool) -> usize {
    let mut count = 0;
    let mut is_argument = false;
    let mut options = true;
    for word in words {
        let option = options && count == 0 && !is_argument && word.text.len() > 1 && word.text.starts_with(['-', '+']);
        if !option && !is_argument && counts(word) {
            count += 1;
        }
        options &= word.text != "--";
        is_argument = option && takes_argument(word, skip);
    }
    count
}
