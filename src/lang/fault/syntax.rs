//! Scripts that cannot be read.

use rhai::{LexError, ParseErrorType};

use super::unknown;
use crate::diag::tokens::{self, Kind, Token};
use crate::diag::{Diagnostic, Sources, Span};

/// The place of an error in a script's text, with what stands around it.
struct Place<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    span: Span,
    /// The piece that the error is at; behind the last one at the end of the script.
    at: usize,
    sources: &'a Sources,
}

impl<'a> Place<'a> {
    fn of(span: Span, sources: &'a Sources) -> Self {
        let text = sources.get(span.file).map_or("", |(_, text)| text.as_ref());
        let tokens = tokens::tokens(text);
        let at = match sources.offset(span) {
            Some(offset) if span.is_known() => tokens.partition_point(|token| token.end <= offset),
            _ => tokens.len(),
        };
        Place { text, tokens, span, at, sources }
    }

    /// What is written at a distance from the place.
    fn word(&self, distance: isize) -> &'a str {
        let token = self.at.checked_add_signed(distance).and_then(|at| self.tokens.get(at));
        token.map_or("", |token| token.of(self.text))
    }

    fn span_of(&self, token: Option<&Token>) -> Span {
        token.and_then(|token| self.sources.span_at(self.span.file, token.start)).unwrap_or(self.span)
    }

    /// The place, or the end of the script.
    fn span(&self) -> Span {
        if self.at < self.tokens.len() { self.span } else { self.span_of(self.tokens.last()) }
    }

    /// Is a bracket still open, though what stands here can only come after it?
    fn unclosed(&self) -> Option<Token> {
        let open = tokens::unclosed(&self.tokens[..self.at])?;
        let ends = match (self.word(0), open.of(self.text)) {
            ("" | ";" | "let" | "fn" | "const" | "import", _) => true,
            (close @ (")" | "]" | "}"), bracket) => close != closing_of(bracket),
            _ => false,
        };
        ends.then_some(open)
    }
}

fn closing_of(bracket: &str) -> &'static str {
    match bracket {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

fn wrong(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new("flow::lang::syntax", message)
}

/// The diagnostic of an error of the parser.
pub fn diagnose(kind: &ParseErrorType, span: Span, sources: &Sources) -> Diagnostic {
    use ParseErrorType as P;
    let place = Place::of(span, sources);
    let here = place.span();
    match kind {
        P::UnexpectedEOF => match unclosed(&place) {
            Some(diagnostic) => diagnostic,
            None => wrong("the script ends in the middle of something")
                .label(here, "ends here")
                .help("something must follow, or this last line is too much"),
        },
        P::MissingToken(token, why) => missing(token, why, &place),
        P::BadInput(error) => bad_input(error, &place),
        P::Reserved(word) | P::UnknownOperator(word) => reserved(word, here),
        P::MismatchedType(wanted, found) => mismatched(wanted, found, here),
        P::MalformedIndexExpr(_) => wrong("this cannot be an index")
            .label(here, "here")
            .help("items of lists are read by numbers, `list[0]`; keys of maps by texts, `map[\"key\"]`, or `map.key`"),
        P::VariableUndefined(name) | P::ForbiddenVariable(name) => unknown::variable(name, here, sources),
        P::AssignmentToConstant(name) => super::constant(name, here),
        P::ExprTooDeep => Diagnostic::new("flow::lang::limit", "something is nested too deeply")
            .label(here, "here")
            .help("break it into several statements: `let part = …;`"),
        P::LiteralTooLarge(what, _) => Diagnostic::new("flow::lang::limit", format!("{} is too large", what.to_lowercase()))
            .label(here, "here")
            .help("large data belongs in files or in a step's output"),
        P::FnDuplicatedDefinition(name, count) => Diagnostic::new(
            "flow::lang::duplicate_function",
            format!("the function `{name}` with {count} parameters is declared twice"),
        )
        .label(here, "declared again here")
        .help("give one of them another name"),
        P::PropertyExpected => wrong("a name must follow the dot")
            .label(here, "here")
            .help("a property or a method: `test.passed`, `test.retry(3)`"),
        P::VariableExpected => wrong("the name of a variable must stand here")
            .label(here, "this is none")
            .help("names begin with a letter and hold letters, digits and `_`: `let build_dir = …`"),
        P::AssignmentToInvalidLHS(_) => wrong("nothing can be assigned to this")
            .label(here, "here")
            .help("`=` sets a variable or a key of a map; `==` compares"),
        P::WrongFnDefinition => wrong("a function cannot be declared here")
            .label(here, "within a block")
            .help("functions are declared beside all other statements, not within `{ … }`; a closure `|x| …` can stand anywhere"),
        P::FnMissingName => wrong("a function needs a name")
            .label(here, "expected before this")
            .help("`fn name(parameter) { … }`; without a name it is a closure: `|parameter| …`"),
        P::FnMissingBody(name) => wrong(format!("the function `{name}` needs a body"))
            .label(here, "`{` expected here")
            .help(format!("`fn {name}(…) {{ … }}`")),
        P::FnMissingParams(name) => wrong(format!("the parameters of the function `{name}` are missing"))
            .label(here, "`(` expected here")
            .help(format!("`fn {name}() {{ … }}`")),
        P::FnDuplicatedParam(name, parameter) => {
            wrong(format!("the function `{name}` has two parameters called `{parameter}`"))
                .label(here, "again here")
                .help("give one of them another name")
        }
        P::DuplicatedProperty(key) => wrong(format!("the key `{key}` stands twice in this map"))
            .label(here, "again here")
            .help("keep one of them"),
        P::LoopBreak => wrong("`break` and `continue` can only stand within a loop")
            .label(here, "outside of a loop")
            .help("`return` ends a function or the script"),
        other => wrong(super::first_lower(&super::without_place(&other.to_string())))
            .label(here, "here")
            .help("`flow docs` shows the language's functions with examples"),
    }
}

fn mismatched(wanted: &str, found: &str, here: Span) -> Diagnostic {
    let in_words = |kind: &str| match kind {
        "a boolean expression" => "true or false".to_owned(),
        "an iterable value" => "a list, a range or a map".to_owned(),
        kind => kind.replace("string", "text").replace("an object map", "a map"),
    };
    Diagnostic::new("flow::lang::type", format!("{} must stand here, not {}", in_words(wanted), in_words(found)))
        .label(here, "here")
        .help(match wanted {
            "an iterable value" => "to count, go through a range: `for i in 0..5 { … }`",
            "a boolean expression" => "write a comparison, for instance `x > 0`",
            _ => "`type_of(x)` tells what a value is",
        })
}

fn unclosed(place: &Place) -> Option<Diagnostic> {
    let open = place.unclosed()?;
    let (bracket, close) = (open.of(place.text), closing_of(open.of(place.text)));
    let diagnostic =
        wrong(format!("`{bracket}` is never closed")).label(place.span_of(Some(&open)), "opened here").label(
            place.span(),
            match place.word(0) {
                "" => format!("the script ends without a `{close}`"),
                _ => format!("`{close}` must come before this"),
            },
        );
    Some(diagnostic.help(format!("add the `{close}` where it belongs")))
}

fn missing(token: &str, why: &str, place: &Place) -> Diagnostic {
    if let Some(diagnostic) = confused(place).or_else(|| unclosed(place)) {
        return diagnostic;
    }
    let before = place.at.checked_sub(1).and_then(|at| place.tokens.get(at));
    let here = place.span();
    let touching = before.zip(place.tokens.get(place.at)).is_some_and(|(before, token)| {
        (before.kind == Kind::Text || token.kind == Kind::Text) && before.end == token.start
    });
    if touching {
        return wrong("a text ends where it should not, or another begins")
            .label(place.span_of(before), "ends before the next word")
            .help("look for a `\"` that is missing or too much; within a text it is written `\\\"`");
    }
    if token == ";" {
        let next_line = place.span_of(before).line != here.line;
        let diagnostic = wrong("`;` is missing between two statements");
        let diagnostic = match next_line {
            true => diagnostic.label(place.span_of(before), "`;` is missing behind this"),
            false => diagnostic.label(here, "a new statement begins here"),
        };
        return diagnostic.help("statements end with `;`");
    }
    if let Some(function) = why.strip_prefix("to separate the arguments to function call '") {
        let function = readable(function.trim_end_matches('\''));
        return wrong(format!("the call of `{function}` cannot go on like this"))
            .label(here, "`,` or `)` expected here")
            .help("arguments are separated by `,`, and `)` ends the call");
    }
    let key = why.strip_prefix("to follow the property '").and_then(|rest| rest.split('\'').next());
    let (message, help) = match key {
        Some(key) => (format!("`:` is missing behind the key `{key}`"), format!("`#{{ {key}: value }}`")),
        None if why.contains("map literal") => {
            (format!("`{token}` is missing in this map"), "keys are separated by `,`: `#{ a: 1, b: 2 }`".to_owned())
        }
        None if why.contains("array literal") => {
            (format!("`{token}` is missing in this list"), "items are separated by `,`: `[a, b]`".to_owned())
        }
        None if why.contains("anonymous function") => {
            (format!("`{token}` is missing in the parameters of this closure"), "`|a, b| a + b`".to_owned())
        }
        None if why.contains("parameters") => {
            (format!("`{token}` is missing in the parameters of this function"), "`fn name(a, b) { … }`".to_owned())
        }
        None if why.contains("matching") => (
            format!("`{token}` is missing"),
            "look at what was opened before: something may be missing or too much there".to_owned(),
        ),
        None if why.contains("switch") => {
            (format!("`{token}` is missing in this `switch`"), "`switch x { 1 => a, 2 | 3 => b, _ => c }`".to_owned())
        }
        None if why.contains("statement block") => {
            (format!("`{token}` is missing: a block begins here"), "blocks stand in braces: `if x { … }`".to_owned())
        }
        None => {
            let why = super::first_lower(&why.replace(super::CALL, "call").replace('\'', "`"));
            let help = "look at the line before as well: something may be missing or too much there".to_owned();
            (format!("`{token}` is missing {why}"), help)
        }
    };
    wrong(message).label(here, format!("`{token}` expected here")).help(help)
}

fn readable(function: &str) -> &str {
    if function == super::CALL { "call" } else { function }
}

/// What is written otherwise in other languages.
fn confused(place: &Place) -> Option<Diagnostic> {
    let here = place.span();
    let (message, help) = match (place.word(-1), place.word(0)) {
        (_, word @ ("and" | "or" | "not")) | (word @ ("and" | "or" | "not"), _) => {
            let sign = if word == "and" {
                "&&"
            } else if word == "or" {
                "||"
            } else {
                "!"
            };
            (
                format!("`{word}` is no operator of scripts"),
                format!(
                    "write `{sign}`; `{word}` belongs into expression texts: `.when(\"a.passed {} b.passed\", step)`",
                    if word == "not" { "and not" } else { word }
                ),
            )
        }
        (word @ ("elif" | "elsif" | "elseif"), _) => {
            (format!("`{word}` is no word of scripts"), "write `else if`".to_owned())
        }
        (_, "then") => {
            ("`then` is no word of scripts".to_owned(), "a block follows in braces: `if x { … }`".to_owned())
        }
        (_, "=>") => (
            "`=>` cannot stand here".to_owned(),
            "a closure is written `|a| a + 1`; `=>` stands in `switch` only".to_owned(),
        ),
        (_, ":") => ("`:` cannot stand here".to_owned(), "a map begins with `#{`: `#{ key: value }`".to_owned()),
        (_, "=") => ("`=` cannot stand here".to_owned(), "`==` compares, `=` sets a variable".to_owned()),
        ("function" | "def" | "func", _) => (
            format!("`{}` is no word of scripts", place.word(-1)),
            "a function is declared with `fn name(…) { … }`".to_owned(),
        ),
        _ => return None,
    };
    let there = match place.word(0) {
        "and" | "or" | "not" | "then" | "=>" | ":" | "=" => here,
        _ => place.span_of(place.at.checked_sub(1).and_then(|at| place.tokens.get(at))),
    };
    Some(wrong(message).label(there, "here").help(help))
}

fn bad_input(error: &LexError, place: &Place) -> Diagnostic {
    let here = place.span();
    match error {
        LexError::UnterminatedString => wrong("a text is not closed")
            .label(here, "begins here")
            .help("texts stand in \"double quotes\" on one line, or in `backticks` over several"),
        LexError::MalformedChar(text) => wrong(format!("`'{}'` is no single letter", text.trim_matches('\'')))
            .label(here, "here")
            .help("texts stand in \"double quotes\" or `backticks`; single quotes hold one letter"),
        LexError::MalformedEscapeSequence(escape) => wrong(format!("`{escape}` means nothing in a text"))
            .label(here, "here")
            .help("a backslash is written `\\\\` in double quotes; in `backticks` it stands for itself"),
        LexError::UnexpectedInput(letter) if "“”„‘’«»".contains(letter.as_str()) && !letter.is_empty() => {
            wrong(format!("`{letter}` is not the quote that texts stand in"))
                .label(here, "here")
                .help("use the straight quote: `\"build\"`")
        }
        LexError::UnexpectedInput(sign) if matches!(sign.as_str(), ")" | "]" | "}") => {
            unclosed(place).unwrap_or_else(|| {
                wrong(format!("this `{sign}` closes nothing"))
                    .label(here, "one too many")
                    .help("remove it, or look for the bracket that should have been opened before")
            })
        }
        LexError::UnexpectedInput(sign) => confused(place).or_else(|| unclosed(place)).unwrap_or_else(|| {
            wrong(format!("`{sign}` cannot stand here"))
                .label(here, "here")
                .help("something is missing before it, or it is too much")
        }),
        LexError::ImproperSymbol(symbol, hint) => {
            wrong(format!("`{symbol}` cannot stand here")).label(here, "here").help(match symbol.as_str() {
                "=" => "`==` compares, `=` sets a variable".to_owned(),
                _ if hint.is_empty() => "is it meant as text? Then it belongs in quotes".to_owned(),
                _ => super::first_lower(hint),
            })
        }
        other => wrong(super::first_lower(&other.to_string()))
            .label(here, "here")
            .help("`flow docs` shows the language's functions with examples"),
    }
}

fn reserved(word: &str, here: Span) -> Diagnostic {
    let help = match word {
        "#" => {
            return wrong("`#` begins no comment here")
                .label(here, "here")
                .help("comments begin with `//`; `#{ … }` is a map");
        }
        "var" => "variables are declared with `let`".to_owned(),
        "null" | "void" => "nothing is written `()`".to_owned(),
        "exit" => "`return;` ends the script; `throw \"why\"` ends it with an error".to_owned(),
        "?" | ":" => "there is no `a ? b : c` in scripts, only in expression texts: `if a { b } else { c }`".to_owned(),
        "++" | "--" => "write `x += 1`".to_owned(),
        "===" | "!==" => "write `==` and `!=`".to_owned(),
        word if word.starts_with(char::is_alphabetic) => format!("choose another name, for instance `{word}_step`"),
        _ => "is it meant as text? Then it belongs in quotes".to_owned(),
    };
    let what = if word.starts_with(char::is_alphabetic) {
        "a reserved word of the language"
    } else {
        "no sign of the language"
    };
    wrong(format!("`{word}` is {what}")).label(here, "here").help(help)
}
