//! Answers to what an editor asks about a text.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use lsp_server::{ErrorCode, Request, RequestId, Response, ResponseError};
use lsp_types::request::Request as Asks;
use lsp_types::{
    CompletionItem, CompletionParams, CompletionResponse, DocumentHighlight, GotoDefinitionResponse, Hover,
    HoverContents, Location, ParameterInformation, ParameterLabel, Position, PrepareRenameResponse, SemanticTokens,
    SignatureHelp, SignatureInformation, TextEdit, Uri, request as ask,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::completion::Offered;
use super::convert::{markdown, uri_of};
use super::lines::{Encoding, Lines};
use super::surroundings::Surroundings;
use super::texts::{Text, Texts};
use super::{across, plan, symbols, tokens};
use crate::lang::assist::Form;

/// What answers are made of.
pub struct World<'a> {
    /// The texts that are open.
    pub texts: &'a Texts,
    /// What columns are counted in.
    pub encoding: Encoding,
    /// What was offered last.
    pub offered: &'a mut Offered,
    /// How many steps the plans have, as far as it is known, by the names of their texts.
    pub steps: &'a HashMap<String, usize>,
    /// The folders that the editor works in.
    pub folders: &'a [PathBuf],
}

type Answer = Result<Value, ResponseError>;

/// The answer to a request.
pub fn answer(world: &mut World, request: Request) -> Response {
    let id = request.id.clone();
    match answered(world, request) {
        Ok(result) => Response::new_ok(id, result),
        Err(error) => refused(id, error),
    }
}

/// The answer to a request with which something is wrong.
pub fn refused(id: RequestId, error: ResponseError) -> Response {
    Response::new_err(id, error.code, error.message)
}

/// Something is wrong with a request.
pub fn refuse(code: ErrorCode, message: impl Into<String>) -> ResponseError {
    ResponseError { code: code as i32, message: message.into(), data: None }
}

/// The parameters of a request.
///
/// # Errors
/// If they are not what they should be.
pub fn params<T: DeserializeOwned>(request: &Request) -> Result<T, ResponseError> {
    serde_json::from_value(request.params.clone())
        .map_err(|error| refuse(ErrorCode::InvalidParams, format!("`{}`: {error}", request.method)))
}

fn json(value: impl Serialize) -> Answer {
    serde_json::to_value(value).map_err(|error| refuse(ErrorCode::InternalError, error.to_string()))
}

fn answered(world: &mut World, request: Request) -> Answer {
    match request.method.as_str() {
        ask::Completion::METHOD => completion(world, &params(&request)?),
        ask::ResolveCompletionItem::METHOD => {
            let item: CompletionItem = params(&request)?;
            json(world.offered.resolve(item))
        }
        ask::HoverRequest::METHOD => {
            let asked: lsp_types::HoverParams = params(&request)?;
            let place = &asked.text_document_position_params;
            world.at(&place.text_document.uri, place.position, |world, text, offset| {
                let found = Surroundings::of(text, world.texts).known(|known| text.document().hover(offset, known));
                json(found.map(|hover| Hover {
                    contents: HoverContents::Markup(markdown(hover.text)),
                    range: Some(text.lines().span(&text.text, &hover.range, world.encoding)),
                }))
            })
        }
        ask::SignatureHelpRequest::METHOD => {
            let place: lsp_types::TextDocumentPositionParams = params(&request)?;
            world.at(&place.text_document.uri, place.position, signature)
        }
        ask::GotoDefinition::METHOD => {
            let asked: lsp_types::GotoDefinitionParams = params(&request)?;
            let place = &asked.text_document_position_params;
            world.at(&place.text_document.uri, place.position, definition)
        }
        ask::References::METHOD => {
            let asked: lsp_types::ReferenceParams = params(&request)?;
            let place = &asked.text_document_position;
            world.at(&place.text_document.uri, place.position, |world, text, offset| {
                let uses = across::uses(text, offset, world.texts, world.folders);
                let places = uses.into_iter().flat_map(|uses| uses.places);
                let found = places.flat_map(|(text, ranges)| {
                    let span = |range| text.lines().span(&text.text, &range, world.encoding);
                    let locate = |range| Location { uri: text.uri.clone(), range: span(range) };
                    ranges.into_iter().map(locate).collect::<Vec<_>>()
                });
                json(found.collect::<Vec<_>>())
            })
        }
        ask::DocumentHighlightRequest::METHOD => {
            let asked: lsp_types::DocumentHighlightParams = params(&request)?;
            let place = &asked.text_document_position_params;
            world.at(&place.text_document.uri, place.position, |world, text, offset| {
                let span = |range| text.lines().span(&text.text, &range, world.encoding);
                let found = text.document().references(offset).into_iter().map(span);
                json(found.map(|range| DocumentHighlight { range, kind: None }).collect::<Vec<_>>())
            })
        }
        ask::PrepareRenameRequest::METHOD => {
            let place: lsp_types::TextDocumentPositionParams = params(&request)?;
            world.at(&place.text_document.uri, place.position, |world, text, offset| {
                let uses = across::uses(text, offset, world.texts, world.folders).filter(|uses| !uses.standard);
                let here = uses.into_iter().flat_map(|uses| uses.places).filter(|(other, _)| other.uri == text.uri);
                let mut ranges = here.flat_map(|(_, ranges)| ranges);
                let found = ranges.find(|range| range.start <= offset && offset <= range.end);
                json(
                    found.map(|range| {
                        PrepareRenameResponse::Range(text.lines().span(&text.text, &range, world.encoding))
                    }),
                )
            })
        }
        ask::Rename::METHOD => rename(world, &params(&request)?),
        ask::DocumentSymbolRequest::METHOD => {
            let asked: lsp_types::DocumentSymbolParams = params(&request)?;
            world.of(&asked.text_document.uri, |world, text| json(symbols::of(text, world.encoding)))
        }
        ask::SemanticTokensFullRequest::METHOD => {
            let asked: lsp_types::SemanticTokensParams = params(&request)?;
            world.of(&asked.text_document.uri, |world, text| {
                json(SemanticTokens { result_id: None, data: tokens::of(text, world.encoding) })
            })
        }
        ask::CodeLensRequest::METHOD => {
            let asked: lsp_types::CodeLensParams = params(&request)?;
            world.of(&asked.text_document.uri, |world, text| {
                json([plan::lens(text, world.steps.get(text.uri.as_str()).copied())])
            })
        }
        other => Err(refuse(ErrorCode::MethodNotFound, format!("flow does not answer `{other}`"))),
    }
}

impl World<'_> {
    /// Asks about an open text. About others nothing is known, which is no error: an editor may just have closed it.
    fn of(&mut self, uri: &Uri, ask: impl FnOnce(&mut Self, &Arc<Text>) -> Answer) -> Answer {
        match self.texts.get(uri).cloned() {
            Some(text) => ask(self, &text),
            None => Ok(Value::Null),
        }
    }

    fn at(
        &mut self,
        uri: &Uri,
        position: Position,
        ask: impl FnOnce(&mut Self, &Arc<Text>, usize) -> Answer,
    ) -> Answer {
        self.of(uri, |world, text| {
            let offset = text.lines().offset(&text.text, position, world.encoding);
            ask(world, text, offset)
        })
    }
}

fn completion(world: &mut World, asked: &CompletionParams) -> Answer {
    let place = &asked.text_document_position;
    let typed = asked.context.as_ref().and_then(|context| context.trigger_character.clone());
    world.at(&place.text_document.uri, place.position, |world, text, offset| {
        let around = Surroundings::of(text, world.texts);
        let list = world.offered.offer(text, offset, typed.as_deref(), &around, world.encoding);
        json(CompletionResponse::List(list))
    })
}

fn signature(world: &mut World, text: &Arc<Text>, offset: usize) -> Answer {
    let found = Surroundings::of(text, world.texts).known(|known| text.document().signature(offset, known));
    let Some(found) = found else { return Ok(Value::Null) };
    let active_parameter = Some(found.argument as u32);
    let signatures = found.forms.into_iter().map(form).collect();
    json(SignatureHelp { signatures, active_signature: Some(found.active as u32), active_parameter })
}

fn form(form: Form) -> SignatureInformation {
    // Parameters by their text: their places would be counted in units of 16 bits, whatever was agreed upon.
    let parameters = form.parameters.iter().map(|range| ParameterInformation {
        label: ParameterLabel::Simple(form.label[range.clone()].to_owned()),
        documentation: None,
    });
    SignatureInformation {
        parameters: Some(parameters.collect()),
        documentation: Some(lsp_types::Documentation::MarkupContent(markdown(form.docs.as_ref()))),
        label: form.label,
        active_parameter: None,
    }
}

fn definition(world: &mut World, text: &Arc<Text>, offset: usize) -> Answer {
    let around = Surroundings::of(text, world.texts);
    let Some(found) = around.known(|known| text.document().definition(offset, known)) else { return Ok(Value::Null) };
    let location = match &found.module {
        None => {
            let range = text.lines().span(&text.text, &found.name, world.encoding);
            Some(Location { uri: text.uri.clone(), range })
        }
        Some(module) => around.file_of(module).filter(|file| file.is_file()).and_then(|file| {
            let content = world.texts.read(&file)?;
            let range = Lines::of(&content).span(&content, &found.name, world.encoding);
            Some(Location { uri: uri_of(&file)?, range })
        }),
    };
    json(location.map(GotoDefinitionResponse::Scalar))
}

fn rename(world: &mut World, asked: &lsp_types::RenameParams) -> Answer {
    let place = &asked.text_document_position;
    let name = asked.new_name.trim().to_owned();
    world.at(&place.text_document.uri, place.position, |world, text, offset| {
        let no = |message: &str| refuse(ErrorCode::InvalidParams, message);
        let wrong = |message: &str| Err(no(message));
        let Some(uses) = across::uses(text, offset, world.texts, world.folders) else {
            return wrong(
                "only variables, functions and steps of a script and functions of its modules can be renamed",
            );
        };
        if uses.standard {
            return wrong("this function belongs to the standard library: it cannot be renamed");
        }
        if uses.cut {
            return wrong("there are too many scripts to find all that use this function: open a smaller folder");
        }
        let (declared, offset) = &uses.declared;
        declared.document().may_be_called(*offset, &name).map_err(|message| no(&message))?;
        let edits = uses.places.into_iter().map(|(text, ranges)| {
            let span = |range| text.lines().span(&text.text, &range, world.encoding);
            let edit = |range| TextEdit { range: span(range), new_text: name.clone() };
            (text.uri.as_str().to_owned(), ranges.into_iter().map(edit).collect())
        });
        let changes: HashMap<String, Vec<TextEdit>> = edits.collect();
        json(serde_json::json!({ "changes": changes }))
    })
}
