//! Files as the protocol names them.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use lsp_types::{MarkupContent, MarkupKind, Uri};

/// The file that an address names.
pub fn path_of(uri: &Uri) -> Option<PathBuf> {
    let url = url::Url::parse(uri.as_str()).ok()?;
    if url.scheme() != "file" {
        return None;
    }
    url.to_file_path().ok()
}

/// The address of a file.
pub fn uri_of(path: &Path) -> Option<Uri> {
    let url = url::Url::from_file_path(path).ok()?;
    Uri::from_str(url.as_str()).ok()
}

/// A path without `.` and `..`.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

/// Markdown.
pub fn markdown(text: impl Into<String>) -> MarkupContent {
    MarkupContent { kind: MarkupKind::Markdown, value: text.into() }
}
