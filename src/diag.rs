//! Diagnostics: what went wrong, where in the script, and what to do.
//!
//! A [`Diagnostic`] is data. Rooms above build one with [`Diagnostic::new`] and pass it up; only the doors print it
//! (through miette) or serialise it. Every code that exists is listed in [`codes::CODES`].

use std::fmt;

use serde::{Deserialize, Serialize};

pub mod codes;
mod nearest;
mod source;
pub mod tokens;

pub use nearest::{did_you_mean, nearest};
pub use source::{Sources, Span};

/// What a failure means for the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The command line, the script or a parameter is wrong: nothing was executed (exit code 2).
    Usage,
    /// The run failed, or the store did (exit code 1).
    Failure,
}

/// One thing that is wrong. See the module's page.
#[derive(Clone, Debug)]
pub struct Diagnostic(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: &'static str,
    kind: Kind,
    warning: bool,
    message: String,
    help: Option<String>,
    labels: Vec<(Span, String)>,
    /// For labels at words within a call: which label, and the word.
    words: Vec<(usize, String)>,
    sources: Sources,
    related: Vec<Diagnostic>,
    printed: String,
}

/// A place that a diagnostic points to.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The number of the file: 0 is the script itself.
    pub number: u16,
    /// The name of the file.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The bytes that are meant.
    pub range: std::ops::Range<usize>,
    /// What is to be seen there.
    pub label: &'a str,
}

impl Diagnostic {
    /// A diagnostic of a code that stands in [`codes::CODES`]; `message` is a sentence without a final full stop.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        // checked by a test
        Diagnostic(Box::new(Inner {
            code,
            kind: codes::find(code).map_or(Kind::Failure, |c| c.kind),
            warning: false,
            message: message.into(),
            help: None,
            labels: Vec::new(),
            words: Vec::new(),
            sources: Sources::default(),
            related: Vec::new(),
            printed: String::new(),
        }))
    }

    /// What the user can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// A place in the script, and what is to be seen there. The first label is the primary one.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        if span.is_known() {
            self.0.labels.push((span, text.into()));
        }
        self
    }

    /// As [`Diagnostic::label`], at a word or a literal text within the arguments of the call at `call`; at the call if
    /// the word is not there.
    #[must_use]
    pub fn label_word(mut self, call: Span, word: impl Into<String>, text: impl Into<String>) -> Self {
        let word = word.into();
        if call.is_known() && !word.is_empty() {
            self.0.words.push((self.0.labels.len(), word));
        }
        self.label(call, text)
    }

    /// The texts that the labels point into.
    #[must_use]
    pub fn with_sources(mut self, sources: &Sources) -> Self {
        if self.0.sources.is_empty() {
            for (label, word) in std::mem::take(&mut self.0.words) {
                let span = &mut self.0.labels[label].0;
                *span = sources.within(*span, &word).unwrap_or(*span);
            }
            self.0.sources = sources.clone();
        }
        self.0.related = self.0.related.into_iter().map(|d| d.with_sources(sources)).collect();
        self
    }

    /// Nothing is refused for it: it is only probably not meant.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        self.0.warning = true;
        self
    }

    /// Further diagnostics found at the same time.
    #[must_use]
    pub fn with_related(mut self, related: Vec<Diagnostic>) -> Self {
        self.0.related = related;
        self
    }

    /// What the script had printed before it went wrong.
    #[must_use]
    pub fn with_printed(mut self, printed: String) -> Self {
        self.0.printed = printed;
        self
    }

    /// What the script had printed before it went wrong.
    pub fn printed(&self) -> &str {
        &self.0.printed
    }

    /// The code, for instance `flow::plan::cycle`.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do, if anything was said.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The places, the primary one first.
    pub fn labels(&self) -> &[(Span, String)] {
        &self.0.labels
    }

    /// The primary place, if the diagnostic has one.
    pub fn span(&self) -> Option<Span> {
        self.0.labels.first().map(|(span, _)| *span)
    }

    /// Is it only probably not meant?
    pub fn is_warning(&self) -> bool {
        self.0.warning
    }

    /// Further diagnostics that were found at the same time.
    pub fn further(&self) -> &[Diagnostic] {
        &self.0.related
    }

    /// The places with the texts that they point into, the primary one first.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.0.labels.iter().filter_map(|(span, label)| {
            let (file, text) = self.0.sources.get(span.file)?;
            let (start, length) = self.0.sources.word(*span)?;
            Some(Place { number: span.file, file, text, range: start..start + length, label })
        })
    }

    /// Does it mean "nothing was executed"?
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The same as data, for `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        let place = |span: &Span| {
            serde_json::json!({
                "file": self.0.sources.get(span.file).map(|(name, _)| name),
                "line": span.line,
                "column": span.column,
            })
        };
        let labels: Vec<_> = self
            .0
            .labels
            .iter()
            .map(|(span, text)| {
                let mut label = place(span);
                label["text"] = text.clone().into();
                label
            })
            .collect();
        let mut object = serde_json::json!({
            "code": self.0.code,
            "severity": if self.0.warning { "warning" } else { "error" },
            "message": self.0.message,
            "help": self.0.help,
            "labels": labels,
            "related": self.0.related.iter().map(Diagnostic::to_json).collect::<Vec<_>>(),
        });
        if !self.0.printed.is_empty() {
            object["printed"] = self.0.printed.as_str().into();
        }
        object
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.0.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.0.warning.then_some(miette::Severity::Warning)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.0.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.0.labels.first().map(|_| self as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        let file = self.span()?.file;
        let spans: Vec<_> = self
            .0
            .labels
            .iter()
            .filter(|(span, _)| span.file == file)
            .filter_map(|(span, text)| {
                let (start, len) = self.0.sources.word(*span)?;
                Some(miette::LabeledSpan::new(Some(text.clone()), start, len))
            })
            .collect();
        (!spans.is_empty()).then(|| Box::new(spans.into_iter()) as Box<dyn Iterator<Item = _>>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        (!self.0.related.is_empty()).then(|| {
            Box::new(self.0.related.iter().map(|d| d as &dyn miette::Diagnostic)) as Box<dyn Iterator<Item = _>>
        })
    }
}

impl miette::SourceCode for Diagnostic {
    fn read_span<'a>(
        &'a self,
        span: &miette::SourceSpan,
        before: usize,
        after: usize,
    ) -> std::result::Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let file = self.span().map_or(0, |s| s.file);
        let (name, text) = self.0.sources.get(file).ok_or(miette::MietteError::OutOfBounds)?;
        let inner = text.as_ref().read_span(span, before, after)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            name.to_owned(),
            inner.data(),
            *inner.span(),
            inner.line(),
            inner.column(),
            inner.line_count(),
        )))
    }
}

/// The result of anything that can be wrong.
pub type Result<T> = std::result::Result<T, Diagnostic>;
