//! The texts that are open in the editor.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use lsp_types::{TextDocumentContentChangeEvent, Uri};

use super::convert::path_of;
use super::lines::{Encoding, Lines};
use crate::lang::assist::Document;

/// A text that is open, at one moment. It is not changed: a change makes another.
pub struct Text {
    /// How the editor names it.
    pub uri: Uri,
    /// Its file, if it has one.
    pub path: Option<PathBuf>,
    /// What the editor counts its changes by.
    pub version: i32,
    /// What is written.
    pub text: Arc<str>,
    lines: OnceLock<Lines>,
    document: OnceLock<Document>,
}

impl Text {
    /// A text as the editor gives it.
    pub fn new(uri: Uri, version: i32, text: impl Into<Arc<str>>) -> Text {
        let path = path_of(&uri);
        Text { uri, path, version, text: text.into(), lines: OnceLock::new(), document: OnceLock::new() }
    }

    /// Where its lines begin.
    pub fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| Lines::of(&self.text))
    }

    /// What can be asked about it.
    pub fn document(&self) -> &Document {
        self.document.get_or_init(|| Document::new(self.text.clone()))
    }

    /// The text after some changes, one after the other.
    pub fn changed(&self, version: i32, changes: Vec<TextDocumentContentChangeEvent>, encoding: Encoding) -> Text {
        let mut text = self.text.to_string();
        for change in changes {
            match change.range {
                None => text = change.text,
                Some(range) => {
                    let lines = Lines::of(&text);
                    let start = lines.offset(&text, range.start, encoding);
                    let end = lines.offset(&text, range.end, encoding).max(start);
                    text.replace_range(start..end, &change.text);
                }
            }
        }
        let (uri, path) = (self.uri.clone(), self.path.clone());
        Text { uri, path, version, text: text.into(), lines: OnceLock::new(), document: OnceLock::new() }
    }
}

/// All texts that are open, by the names that the editor gives them.
#[derive(Clone, Default)]
pub struct Texts {
    open: HashMap<String, Arc<Text>>,
}

impl Texts {
    /// Takes a text in, in the place of an older one.
    pub fn put(&mut self, text: Text) -> Arc<Text> {
        let text = Arc::new(text);
        self.open.insert(text.uri.as_str().to_owned(), text.clone());
        text
    }

    /// Lets go of a text.
    pub fn close(&mut self, uri: &Uri) -> Option<Arc<Text>> {
        self.open.remove(uri.as_str())
    }

    /// A text.
    pub fn get(&self, uri: &Uri) -> Option<&Arc<Text>> {
        self.open.get(uri.as_str())
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Text>> {
        self.open.values()
    }

    /// The text of a file, as it is in the editor, or else on disk.
    pub fn read(&self, path: &std::path::Path) -> Option<Arc<str>> {
        match self.open.values().find(|text| text.path.as_deref() == Some(path)) {
            Some(text) => Some(text.text.clone()),
            None => {
                let length = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
                (length <= crate::lang::LARGEST as u64).then(|| std::fs::read_to_string(path).ok().map(Arc::from))?
            }
        }
    }
}
