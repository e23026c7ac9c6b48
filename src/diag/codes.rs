//! All codes of diagnostics. `docs/errors.md` is made from this list; a test runs every example.

use super::Kind;

/// One code.
pub struct Code {
    /// `flow::room::what`.
    pub name: &'static str,
    /// What it means for the exit code.
    pub kind: Kind,
    /// When it appears, in a sentence.
    pub meaning: &'static str,
    /// A script that shows it, if a script can.
    pub example: Option<&'static str>,
}

const fn usage(name: &'static str, meaning: &'static str, example: Option<&'static str>) -> Code {
    Code { name, kind: Kind::Usage, meaning, example }
}

const fn failure(name: &'static str, meaning: &'static str) -> Code {
    Code { name, kind: Kind::Failure, meaning, example: None }
}

/// The code of a name.
pub fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.name == name)
}

/// Every code there is, by room.
pub const CODES: &[Code] = &[
    // Files and command line.
    usage("flow::file::missing", "A file that was named does not exist.", None),
    usage("flow::file::unreadable", "A file cannot be read: permissions, or it is a directory.", None),
    usage("flow::file::encoding", "A script is not UTF-8.", None),
    usage("flow::file::too_large", "A script is larger than 1 MiB.", None),
    usage("flow::cli::usage", "The command line does not fit the command.", None),
    usage("flow::run::unknown", "No run has this id, or several begin with it.", None),
    usage("flow::run::busy", "Another process works on this run.", None),
    usage("flow::run::over", "The run is at its end, so there is nothing to resume or cancel.", None),
    usage("flow::run::no_step", "The run has no step of this name, or several.", None),
    // Plan.
    usage(
        "flow::plan::cycle",
        "Steps wait for each other in a circle, or a step waits for its own group.",
        Some("let a = sh(\"a\", \"true\");\nlet b = sh(\"b\", \"true\");\na -> b;\nb -> a;"),
    ),
    usage(
        "flow::plan::duplicate",
        "Two steps of one scope have the same name.",
        Some("sh(\"build\", \"make\");\nsh(\"build\", \"make release\");"),
    ),
    usage(
        "flow::plan::name",
        "A name is empty or holds other characters than letters, digits, `-`, `_` and `.`.",
        Some("sh(\"build it\", \"make\");"),
    ),
    usage(
        "flow::plan::unreachable",
        "A branch stands behind an `otherwise` or a condition that is always true.",
        Some("flow(\"gate\")\n    .otherwise(sh(\"a\", \"true\"))\n    .when(\"1 < 2\", sh(\"b\", \"true\"));"),
    ),
    usage(
        "flow::plan::hook",
        "A step waits for a hook that runs later; or, as a warning, a hook is skipped when it is needed.",
        Some(
            "let build = sh(\"build\", \"make\");\nlet page = sh(\"page\", \"./page.sh\");\non(\"failure\", page);\npage -> build;",
        ),
    ),
    usage(
        "flow::plan::limit",
        "A limit is 0 or not declared, or a step asks for more than the limit can give.",
        Some("limit(\"db\", #{ max: 2 });\nsh(\"load\", \"./load.sh\").limit(\"db\", 3);"),
    ),
    usage(
        "flow::plan::setting",
        "A setting of the whole script has a value with which nothing could run.",
        Some("settings(#{ max_parallel: 0 });\nsh(\"build\", \"make\");"),
    ),
    usage(
        "flow::plan::policy",
        "A policy means nothing where it stands, or can never be met.",
        Some("chain(\"all\", [sh(\"a\", \"true\"), sh(\"b\", \"true\")]).retry(3);"),
    ),
    usage(
        "flow::plan::never",
        "A warning: a step or a branch has a condition that is always false.",
        Some("flow(\"gate\")\n    .when(\"2 < 1\", sh(\"a\", \"true\"))\n    .otherwise(sh(\"b\", \"true\"));"),
    ),
    usage(
        "flow::plan::repeated",
        "A warning: a flow asks the same condition twice, so the second branch is never taken.",
        None,
    ),
    usage(
        "flow::plan::rule",
        "A warning: a rule has nothing to judge, or can never be satisfied.",
        Some("sh(\"tidy\", \"rm -rf tmp\").rule(\"all_done\");"),
    ),
    usage("flow::plan::too_large", "The plan has too many steps to be drawn in this format.", None),
    failure("flow::run::driver", "A run cannot begin or go on because the system refuses a thread, or flow is wrong."),
    failure("flow::run::stopped", "A run ended before its script had the result that it waited for with `run(…)`."),
    // Store.
    failure("flow::store::open", "The database cannot be opened or created."),
    failure("flow::store::newer", "The database was written by a newer version of flow."),
    failure("flow::store::corrupt", "The database or a log in it is damaged."),
    failure("flow::store::write", "Nothing more can be written: the disk is full or the folder read-only."),
    failure("flow::store::tampered", "An event's hash does not fit its content or the event before it."),
];
