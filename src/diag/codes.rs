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
    failure("flow::cli::output", "Results or events cannot be written: the disk is full, or a folder is missing."),
    usage("flow::run::unknown", "No run has this id, or several begin with it.", None),
    usage("flow::run::busy", "Another process works on this run.", None),
    usage("flow::run::over", "The run is at its end, so there is nothing to resume or cancel.", None),
    usage("flow::run::no_step", "The run has no step of this name, or several.", None),
    // Store.
    failure("flow::store::open", "The database cannot be opened or created."),
    failure("flow::store::newer", "The database was written by a newer version of flow."),
    failure("flow::store::corrupt", "The database or a log in it is damaged."),
    failure("flow::store::write", "Nothing more can be written: the disk is full or the folder read-only."),
    failure("flow::store::tampered", "An event's hash does not fit its content or the event before it."),
];
