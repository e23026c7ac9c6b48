//! How scripts are read: words that are Rhai's elsewhere and names here, and `switch` on values that are not known yet.

use std::cell::RefCell;

use rhai::{AST, ASTNode, Dynamic, Engine, NativeCallContext, Position, Stmt, Token};

use super::convert::is_marked;
use super::fault::{Fault, Need, not_known_yet, raise};
use super::functions::CALL;
use super::handle::{Pending, Step};
use super::operators::step_fault;
use super::{secret, session};

/// What has been read of the script so far, as far as it decides what a word is.
#[derive(Default)]
struct Read {
    /// For each bracket that is open: is it that of a map?
    open: Vec<bool>,
    /// Was the last token a dot?
    dot: bool,
    /// Can a key follow: is it a map's bracket, or a comma within a map?
    key: bool,
}

thread_local! {
    static READ: RefCell<Read> = RefCell::default();
}

/// Forgets what an earlier script, perhaps a broken one, has left open.
pub fn begin() {
    READ.take();
}

/// Words that Rhai keeps for the future, or for itself, and that are names here: `#{ default: 1, until: … }`,
/// `call(name, || …)`.
///
/// The function `call` would be Rhai's own (it calls a closure); as a method (`f.call(x)`) it stays that.
pub fn register(engine: &mut Engine) {
    const FREE: [&str; 16] = [
        "match", "default", "spawn", "await", "with", "use", "new", "go", "sync", "async", "yield", "static", "shared",
        "thread", "goto", "package",
    ];
    engine.on_parse_token(|token, _, _| {
        let (after_dot, key) = READ.with_borrow_mut(|read| {
            let before = (read.dot, read.key);
            read.dot = matches!(token, Token::Period | Token::Elvis);
            match token {
                Token::MapStart => read.open.push(true),
                Token::LeftBrace | Token::LeftBracket | Token::LeftParen => read.open.push(false),
                Token::RightBrace | Token::RightBracket | Token::RightParen => drop(read.open.pop()),
                _ => {}
            }
            let in_map = read.open.last() == Some(&true);
            read.key = in_map && matches!(token, Token::MapStart | Token::Comma);
            before
        });
        match token {
            Token::Identifier(word) if word.as_str() == SWITCH => Token::Switch,
            Token::Reserved(word) if FREE.contains(&word.as_str()) => Token::Identifier(word),
            Token::Reserved(word) | Token::Identifier(word) if word.as_str() == "call" && !after_dot && !key => {
                Token::Identifier(Box::new(CALL.into()))
            }
            token if key && token.is_standard_keyword() => Token::Identifier(Box::new(token.literal_syntax().into())),
            token => token,
        }
    });
    engine.register_fn("+", |context: NativeCallContext, value: Dynamic| -> Result<Dynamic, Fault> {
        known(&context, &value).map(|()| value)
    });
}

/// What stands in the place of `switch` when a value is to be asked for: with the `+` behind it, the word is as long.
const SWITCH: &str = "__sw";

/// The script with `+` before the value of each `switch`, if there is any.
///
/// Rhai takes the default case for values that it does not know, without a word. The sign `+` leaves every value as it
/// is, but for those that are not known yet. No place in the script moves by it.
pub fn asking(script: &str, ast: &AST) -> Option<String> {
    let mut places: Vec<Position> = Vec::new();
    ast.walk(&mut |nodes| {
        if let Some(ASTNode::Stmt(Stmt::Switch(_, position))) = nodes.last() {
            places.push(*position);
        }
        true
    });
    if places.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = script.split_inclusive('\n').map(str::to_owned).collect();
    for place in places {
        let (Some(line), Some(column)) = (place.line(), place.position()) else { continue };
        let Some(text) = lines.get_mut(line - 1) else { continue };
        let Some((at, _)) = text.char_indices().nth(column - 1) else { continue };
        if text[at..].starts_with("switch") {
            text.replace_range(at..at + "switch".len(), &format!("{SWITCH} +"));
        }
    }
    Some(lines.concat())
}

fn known(context: &NativeCallContext, value: &Dynamic) -> Result<(), Fault> {
    let span = session::with(|session| session.span(context));
    if let Some(pending) = value.read_lock::<Pending>() {
        return Err(raise(not_known_yet(Some(&pending.describe()), Need::Compute, span)));
    }
    if value.is::<Step>() {
        return Err(step_fault(context));
    }
    if let Some(name) = secret::within(value) {
        return Err(raise(secret::refused(Some(&name), span)));
    }
    if value.read_lock::<rhai::ImmutableString>().is_some_and(|text| is_marked(&text)) {
        return Err(raise(not_known_yet(Some("a text with results in it"), Need::Compute, span)));
    }
    if let Some(items) = value.read_lock::<rhai::Array>() {
        return items.iter().try_for_each(|item| known(context, item));
    }
    if let Some(entries) = value.read_lock::<rhai::Map>() {
        return entries.values().try_for_each(|item| known(context, item));
    }
    Ok(())
}
