//! What is wrong with a script, as the protocol tells it.

use std::path::Path;

use lsp_types::{
    Diagnostic as Problem, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Range, Uri,
};

use super::convert::{plain, uri_of};
use super::lines::{Encoding, Lines};
use super::standard;
use super::texts::Text;
use crate::diag::{Diagnostic, Place};

/// How a diagnostic becomes one or several problems of a text.
pub struct Teller<'a> {
    /// The script that was checked.
    pub text: &'a Text,
    /// What columns are counted in.
    pub encoding: Encoding,
    /// Parameters for which a value was made up.
    pub assumed: &'a [String],
}

impl Teller<'_> {
    /// A diagnostic, and those that were found with it.
    pub fn tell(&self, diagnostic: &Diagnostic) -> Vec<Problem> {
        let mut problems = vec![self.problem(diagnostic)];
        problems.extend(diagnostic.further().iter().map(|further| self.problem(further)));
        problems
    }

    fn problem(&self, diagnostic: &Diagnostic) -> Problem {
        let places: Vec<Place> = diagnostic.places().collect();
        // What is wrong in another file is shown where this one names it.
        let own = places.iter().position(|place| place.number == 0);
        let range = match own {
            Some(own) => self.text.lines().span(&self.text.text, &places[own].range, self.encoding),
            None => self.named(places.first().map_or("", |place| place.file)),
        };
        let others = places.iter().enumerate().filter(|(at, _)| Some(*at) != own);
        let related: Vec<DiagnosticRelatedInformation> = others.filter_map(|(_, place)| self.related(place)).collect();
        let mut message = diagnostic.message().to_owned();
        if let Some(help) = diagnostic.help_text() {
            message.push_str(&format!("\n{help}"));
        }
        if !self.assumed.is_empty() {
            let names: Vec<String> = self.assumed.iter().map(|name| format!("`{name}`")).collect();
            message
                .push_str(&format!("\n(checked with a made-up value of {}, which has no default)", names.join(", ")));
        }
        let certain =
            !diagnostic.is_warning() && self.assumed.is_empty() && diagnostic.code() != "flow::lang::import_outside";
        Problem {
            range,
            severity: Some(if certain { DiagnosticSeverity::ERROR } else { DiagnosticSeverity::WARNING }),
            code: Some(NumberOrString::String(diagnostic.code().to_owned())),
            source: Some("flow".to_owned()),
            message,
            related_information: (!related.is_empty()).then_some(related),
            ..Problem::default()
        }
    }

    /// Where this script names another file; else its first line.
    fn named(&self, file: &str) -> Range {
        let name = file.strip_suffix(".rhai").unwrap_or(file);
        let found = self.text.document().links().into_iter().find(|link| {
            let path = link.path.strip_suffix(".rhai").unwrap_or(&link.path);
            !name.is_empty() && plain(Path::new(path)) == plain(Path::new(name))
        });
        let place = found.and_then(|link| {
            let at = self.text.text.find(&format!("\"{}\"", link.path))? + 1;
            Some(at..at + link.path.len())
        });
        match place {
            Some(range) => self.text.lines().span(&self.text.text, &range, self.encoding),
            None => {
                let first = self.text.text.lines().next().map_or(0, str::len);
                self.text.lines().span(&self.text.text, &(0..first), self.encoding)
            }
        }
    }

    fn related(&self, place: &Place) -> Option<DiagnosticRelatedInformation> {
        let range = match place.number {
            0 => self.text.lines().span(&self.text.text, &place.range, self.encoding),
            _ => Lines::of(place.text).span(place.text, &place.range, self.encoding),
        };
        let location = Location { uri: self.uri_of(place)?, range };
        Some(DiagnosticRelatedInformation { location, message: place.label.to_owned() })
    }

    fn uri_of(&self, place: &Place) -> Option<Uri> {
        if place.number == 0 {
            return Some(self.text.uri.clone());
        }
        if place.file.starts_with("std/") {
            return uri_of(&standard::file_of(place.file)?);
        }
        uri_of(&self.text.path.as_deref()?.parent()?.join(place.file))
    }
}
