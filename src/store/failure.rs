//! What can go wrong with a database or a folder, as diagnostics that say what to do.

use std::io;
use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::diag::Diagnostic;

/// A failure of SQLite on the database at `path`. `doing`: "cannot read", "cannot write to", "cannot open".
pub(super) fn sql(error: &Error, doing: &str, path: &Path) -> Diagnostic {
    let shown = path.display();
    let code = error.sqlite_error_code();
    let extended = error.sqlite_error().map_or(0, |error| error.extended_code);
    match code {
        Some(ErrorCode::DiskFull) => {
            Diagnostic::new("flow::store::write", format!("{doing} `{shown}`: the disk is full"))
                .help("free some space, then take the run up again with `flow resume last`")
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Diagnostic::new("flow::store::write", format!("{doing} `{shown}`: it is read-only"))
                .help("make the folder writable for you, or name another one in FLOW_HOME")
        }
        _ if path.is_dir() => Diagnostic::new("flow::store::open", format!("{doing} `{shown}`: it is a folder"))
            .help("move the folder away, or name another one in FLOW_HOME"),
        Some(ErrorCode::CannotOpen) => {
            let why = if path.exists() { "it may not be opened" } else { "it is missing" };
            Diagnostic::new("flow::store::open", format!("{doing} `{shown}`: {why}"))
                .help("look at the folder and its permissions, or name another one in FLOW_HOME")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Diagnostic::new("flow::store::open", format!("{doing} `{shown}`: another program keeps it locked"))
                .help("close the program that has it open exclusively (a database browser, a backup), then try again")
        }
        Some(ErrorCode::SystemIoFailure) if extended != rusqlite::ffi::SQLITE_IOERR_SHORT_READ => {
            Diagnostic::new("flow::store::write", format!("{doing} `{shown}`: {error}"))
                .help("the disk or the network share reports an error; look at the system's log, then resume the run")
        }
        Some(ErrorCode::TooBig) => {
            Diagnostic::new("flow::store::write", format!("{doing} `{shown}`: an event is larger than 1 GB"))
                .help("make the plan smaller, for instance by `each` over items that are known only at run time")
        }
        Some(ErrorCode::OutOfMemory) => {
            Diagnostic::new("flow::store::write", format!("{doing} `{shown}`: there is not enough memory"))
                .help("close other programs, then resume the run")
        }
        _ => damaged(path, &error.to_string()),
    }
}

/// The database is not what it should be.
pub(super) fn damaged(path: &Path, what: &str) -> Diagnostic {
    let shown = path.display();
    Diagnostic::new("flow::store::corrupt", format!("the database `{shown}` is damaged: {what}")).help(format!(
        "move it away together with `{shown}-wal` to begin with an empty one, or bring back a copy; \
         `sqlite3 {shown} .recover` saves what can be read"
    ))
}

/// The database comes from the future.
pub(super) fn newer(path: &Path, version: i64, known: i64) -> Diagnostic {
    let shown = path.display();
    Diagnostic::new(
        "flow::store::newer",
        format!("`{shown}` was written by a newer flow: it has version {version}, this one knows {known}"),
    )
    .help("use that newer flow, or name another folder in FLOW_HOME; the database was not touched")
}

/// A failure with a file or folder beside the database. `doing`: "cannot create".
pub(super) fn file(error: &io::Error, doing: &str, path: &Path) -> Diagnostic {
    let help = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, then take the run up again with `flow resume last`"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file stands where a folder should be: move it away, or name another folder in FLOW_HOME"
        }
        _ => "make the folder writable for you, or name another one in FLOW_HOME",
    };
    Diagnostic::new("flow::store::write", format!("{doing} `{}`: {error}", path.display())).help(help)
}

/// Is it only that somebody else is at it just now?
pub(super) fn is_busy(error: &Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
