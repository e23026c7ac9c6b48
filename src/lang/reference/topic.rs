//! What the reference is divided into: a page, and a word for `flow docs`, for each.

/// A part of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Constructors of tasks.
    Tasks,
    /// What puts steps together.
    Combinators,
    /// Steps that talk while they run.
    Streams,
    /// AI agents, and what they are asked.
    Agents,
    /// Methods of steps.
    Policies,
    /// Time, files, signals and people.
    Waits,
    /// Results, and what can be done with them.
    Values,
    /// Parameters, settings, limits, hooks.
    Settings,
    /// Secrets.
    Secrets,
    /// Operators, and the functions of expressions.
    Operators,
    /// What only tests of workflows have.
    Testing,
}

impl Topic {
    /// All of them, in the order of the reference.
    pub const ALL: [Topic; 11] = [
        Topic::Tasks,
        Topic::Combinators,
        Topic::Streams,
        Topic::Agents,
        Topic::Policies,
        Topic::Waits,
        Topic::Values,
        Topic::Settings,
        Topic::Secrets,
        Topic::Operators,
        Topic::Testing,
    ];

    /// Its name: that of its page, and a word for `flow docs`.
    pub fn name(self) -> &'static str {
        match self {
            Topic::Tasks => "tasks",
            Topic::Combinators => "combinators",
            Topic::Streams => "streams",
            Topic::Agents => "agents",
            Topic::Policies => "policies",
            Topic::Waits => "waits",
            Topic::Values => "values",
            Topic::Settings => "settings",
            Topic::Secrets => "secrets",
            Topic::Operators => "operators",
            Topic::Testing => "testing",
        }
    }

    /// Its title.
    pub fn title(self) -> &'static str {
        match self {
            Topic::Tasks => "Tasks",
            Topic::Combinators => "Combinators",
            Topic::Streams => "Streams and pipelines",
            Topic::Agents => "Agents",
            Topic::Policies => "Policies",
            Topic::Waits => "Waits and people",
            Topic::Values => "Values and results",
            Topic::Settings => "Settings and parameters",
            Topic::Secrets => "Secrets",
            Topic::Operators => "Operators and expressions",
            Topic::Testing => "In tests",
        }
    }

    /// What it is about.
    pub fn about(self) -> &'static str {
        match self {
            Topic::Tasks => {
                "A task is a step that does something: runs a script or a program, calls a closure, asks a server."
            }
            Topic::Combinators => {
                "A combinator puts steps together, and what it gives is a step again: everything that can be done with a task can be done with it."
            }
            Topic::Streams => {
                "Steps that talk while they run. In a stream, `a |> b`, processes run at the same time and read what those before them write. A pipeline takes items from a source through stages into a sink, and remembers which of them are done."
            }
            Topic::Agents => {
                "An agent is a program or a service that works with a language model. It is declared once, and each question to it is a step: with policies, results and edges as any other, and with what it used, which tools it called and how its end was judged."
            }
            Topic::Policies => {
                "A policy says how a step is to be run. Policies are methods of a step and give the step back, so they can follow each other. In the data form of `chain` they are keys of the step's map."
            }
            Topic::Waits => {
                "Steps that wait: for time, a file, a signal from outside, a person. They hold neither a process nor a slot. When nothing else can go on, flow ends with exit code 3, and the run goes on when what it waits for has come."
            }
            Topic::Values => {
                "What a step gave is read by properties. While the step has not run they are not known yet: they can stand in texts, arrays, maps and arguments, and each use makes the step that uses it wait. In closures they are plain values. Keys of an output that is an object are properties, too."
            }
            Topic::Settings => "What holds for the whole script: its parameters, its settings, what its steps share.",
            Topic::Secrets => {
                "Values that nobody is to see: a script names them, and only the process or the request that needs one gets it."
            }
            Topic::Operators => {
                "What stands between steps, and what can be called in expressions such as `\"test.passed && coverage > 80\"`."
            }
            Topic::Testing => {
                "Functions that only tests of workflows have, in files `*_test.rhai` that `flow test` runs."
            }
        }
    }
}

/// Kinds of values as tables name them, how each is written, and an example of it in a script.
pub const VALUES: [(&str, &str, &str); 8] = [
    (
        "text",
        "`\"…\"`, or `` `…` `` with values in it: `` `v${version}` ``",
        "let version = \"1.4\";\nsh(\"tag\", `git tag v${version}`);",
    ),
    (
        "duration",
        "`\"500ms\"`, `\"10s\"`, `\"5m\"`, `\"1h30m\"`, `\"2d\"`, or a number of seconds",
        "sh(\"test\", \"make test\").timeout(\"1h30m\");\nsh(\"ping\", \"true\").timeout(5);",
    ),
    (
        "size",
        "`\"512kB\"`, `\"100MB\"`, `\"2GiB\"`, or a number of bytes",
        "sh(\"build\", \"make\").output_limit(\"100MB\");",
    ),
    ("map", "`#{ key: value }`", "sh(\"build\", \"make\").env(#{ CC: \"clang\", JOBS: 2 });"),
    ("list", "`[one, two]`", "each(\"check\", [\"a\", \"b\"], |name| sh(\"look\", `echo ${name}`));"),
    (
        "closure",
        "`|| …`, or with parameters `|item| …`",
        "let size = sh(\"size\", \"echo 87\");\nsh(\"ship\", \"true\").when(|| size.number < 100);",
    ),
    (
        "expression",
        "a text such as `\"test.passed && coverage > 80\"`",
        "let size = sh(\"size\", \"echo 87\");\nsh(\"ship\", \"true\").when(\"size.number < 100\");",
    ),
    (
        "step",
        "what `sh(…)`, `chain(…)` and all the others give",
        "let build = sh(\"build\", \"make\");\nbuild -> sh(\"test\", \"make test\");",
    ),
];
