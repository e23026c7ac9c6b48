//! An empty folder that is gone with its owner.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::diag::{Diagnostic, Result};

/// See the module's page.
pub struct Room(PathBuf);

impl Room {
    /// A new folder in the system's folder for what is temporary.
    ///
    /// # Errors
    /// `flow::test::folder` if it cannot be made.
    pub fn new() -> Result<Room> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let folder = std::env::temp_dir().join(format!("flow-test-{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(Room(folder)),
                // Left by a process of the same number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let message = format!("cannot create the folder `{}`: {error}", folder.display());
                    return Err(Diagnostic::new("flow::test::folder", message)
                        .help("TMPDIR must name a folder that is writable and has room"));
                }
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // What cannot be removed is left for the system to clean up.
        let _ = fs::remove_dir_all(&self.0);
    }
}
