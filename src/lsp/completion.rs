//! What could stand at a place, as the protocol tells it. The documentation of a candidate is told when it is asked for.

use lsp_types::{CompletionItem, CompletionItemKind, CompletionList, CompletionTextEdit, Documentation, TextEdit};

use super::convert::markdown;
use super::lines::Encoding;
use super::surroundings::Surroundings;
use super::texts::Text;
use crate::lang::assist::{Candidate, CandidateKind, Completion};

/// Most candidates that are told; with more letters they become fewer.
const MOST: usize = 300;

/// What was offered last, for those who ask about one of it.
#[derive(Default)]
pub struct Offered {
    number: u64,
    candidates: Vec<Candidate>,
}

impl Offered {
    /// Offers what could stand at a byte. `typed`: the letter that was typed, if it was asked because of that.
    pub fn offer(
        &mut self,
        text: &Text,
        offset: usize,
        typed: Option<&str>,
        around: &Surroundings,
        encoding: Encoding,
    ) -> CompletionList {
        let completion = match typed.is_none_or(|typed| fits(text, offset, typed)) {
            true => around.known(|known| text.document().complete(offset, known)),
            false => Completion { start: offset, candidates: Vec::new() },
        };
        let is_incomplete = completion.candidates.len() > MOST;
        let range = text.lines().span(&text.text, &(completion.start..offset), encoding);
        let colon = text.text[offset..].trim_start().starts_with(':');
        self.number += 1;
        self.candidates = completion.candidates;
        self.candidates.truncate(MOST);
        let items = self.candidates.iter().enumerate().map(|(at, candidate)| CompletionItem {
            label: candidate.label.clone(),
            kind: Some(kind(candidate.kind)),
            detail: Some(candidate.detail.clone()).filter(|detail| !detail.is_empty()),
            sort_text: Some(format!("{at:04}")),
            filter_text: Some(candidate.text.clone()),
            text_edit: Some(CompletionTextEdit::Edit(TextEdit {
                range,
                new_text: match candidate.kind {
                    CandidateKind::Key if !colon => format!("{}: ", candidate.text),
                    _ => candidate.text.clone(),
                },
            })),
            data: Some(serde_json::json!([self.number, at])),
            ..CompletionItem::default()
        });
        CompletionList { is_incomplete, items: items.collect() }
    }

    /// Adds what a candidate means.
    pub fn resolve(&self, mut item: CompletionItem) -> CompletionItem {
        let place = item.data.as_ref().and_then(|data| Some((data.get(0)?.as_u64()?, data.get(1)?.as_u64()?)));
        if let Some((number, at)) = place
            && number == self.number
            && let Some(candidate) = self.candidates.get(at as usize).filter(|candidate| !candidate.docs.is_empty())
        {
            item.documentation = Some(Documentation::MarkupContent(markdown(candidate.docs.as_ref())));
        }
        item
    }
}

/// Is something to be offered behind this letter? Some begin a place only together with what is before them.
fn fits(text: &Text, offset: usize, typed: &str) -> bool {
    let before = &text.text[..offset];
    match typed {
        ":" => before.ends_with("::"),
        "{" => before.ends_with("#{") || before.ends_with("${"),
        "\"" | "/" => text.document().in_text(offset),
        _ => true,
    }
}

fn kind(kind: CandidateKind) -> CompletionItemKind {
    match kind {
        CandidateKind::Function => CompletionItemKind::FUNCTION,
        CandidateKind::Method => CompletionItemKind::METHOD,
        CandidateKind::Property => CompletionItemKind::PROPERTY,
        CandidateKind::Key => CompletionItemKind::FIELD,
        CandidateKind::Word => CompletionItemKind::ENUM_MEMBER,
        CandidateKind::Step => CompletionItemKind::EVENT,
        CandidateKind::Variable => CompletionItemKind::VARIABLE,
        CandidateKind::Keyword => CompletionItemKind::KEYWORD,
        CandidateKind::Module => CompletionItemKind::MODULE,
        CandidateKind::File => CompletionItemKind::FILE,
    }
}
