//! From text to stages and branches.

use pest::Parser;
use pest::error::InputLocation;
use pest::iterators::Pair;

use super::super::expression::{self, MAX_DEPTH, MAX_LENGTH, excerpt};
use super::{Branch, Error, Flow, Name, Node, Stage};

/// What pest makes of the grammar. Its items have no docs of their own.
#[allow(missing_docs)]
mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/arrow.pest"]
    pub struct Grammar;
}

use grammar::{Grammar, Rule};

/// Parses a chain: `a → b → [c, d] → e`.
///
/// # Errors
/// Text that is not a chain, is too long or nested too deep.
pub fn parse_chain(text: &str) -> Result<Vec<Stage>, Error> {
    check(text, "write for instance `build -> test -> [pack, docs]`")?;
    let mut pairs = Grammar::parse(Rule::chain_text, text).map_err(|error| explain(text, &error, false))?;
    chain(inner(pairs.next()))
}

/// Parses a flow string: `if C then a → b else if D then c else d`.
///
/// # Errors
/// Text that is not one, is too long or nested too deep; a condition that is not an expression.
pub fn parse_flow(text: &str) -> Result<Flow, Error> {
    check(text, "write for instance `if tests.passed then deploy else notify`")?;
    let mut pairs = Grammar::parse(Rule::flow_text, text).map_err(|error| explain(text, &error, true))?;
    flow(inner(pairs.next()))
}

/// Parses the levels of a stream: `a |> [b, c] |> d`.
///
/// # Errors
/// Text that is not one, or is too long.
pub fn parse_stream(text: &str) -> Result<Vec<Vec<Name>>, Error> {
    check(text, "write for instance `list |> [count, sort]`")?;
    let mut pairs = Grammar::parse(Rule::stream_text, text).map_err(|error| explain_stream(text, &error))?;
    let levels = pairs.next().into_iter().flat_map(Pair::into_inner).filter(|part| part.as_rule() == Rule::level);
    let names = |level: Pair<Rule>| {
        level.into_inner().filter(|part| part.as_rule() == Rule::name).map(|part| name(&part)).collect()
    };
    Ok(levels.map(names).collect())
}

/// What is wrong with the text of a stream.
fn explain_stream(text: &str, error: &pest::error::Error<Rule>) -> Error {
    if text.contains("->") || text.contains('→') {
        let at = text.find("->").or_else(|| text.find('→')).unwrap_or(0);
        return Error::new("an arrow stands in the text of a stream")
            .help("steps of a stream run at the same time: `a |> b`; one after the other: `chain(\"a -> b\")`")
            .at(at);
    }
    let problem = explain(text, error, false);
    match problem.help.as_deref().is_some_and(|help| help.contains("->")) {
        true => problem.help("the text of a stream looks like `a |> [b, c] |> d`"),
        false => problem,
    }
}

/// The first part of a pair; the grammar's rules that are asked for one always have it.
fn inner(pair: Option<Pair<Rule>>) -> Pair<Rule> {
    pair.and_then(|pair| pair.into_inner().next()).expect("the grammar gives this pair a part")
}

/// Refuses what is empty, too long or too deep before the parser recurses into it.
fn check(text: &str, example: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::new("the text is empty").help(example));
    }
    if text.len() > MAX_LENGTH {
        return Err(Error::new(format!("the text is {} bytes long", text.len()))
            .help(format!("at most {MAX_LENGTH} bytes; build it with `chain([…])` in the script")));
    }
    let (mut open, mut ifs, mut quote) = (0_usize, 0, None);
    let mut word_before = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (_, '(' | '[') => open += 1,
            (_, ')' | ']') => open = open.saturating_sub(1),
            (_, 'i' | 'I')
                if !word_before && text[at..].get(..2).is_some_and(|word| word.eq_ignore_ascii_case("if")) =>
            {
                ifs += 1;
            }
            _ => {}
        }
        word_before = c.is_alphanumeric() || c == '_';
        if open + ifs > MAX_DEPTH {
            return Err(Error::new(format!("the text is nested deeper than {MAX_DEPTH} levels"))
                .help("build it in the script: `flow(name).when(…, step)`, `parallel([…])`")
                .at(at));
        }
    }
    Ok(())
}

fn chain(pair: Pair<Rule>) -> Result<Vec<Stage>, Error> {
    pair.into_inner().filter(|part| part.as_rule() == Rule::stage).map(stage).collect()
}

fn name(pair: &Pair<Rule>) -> Name {
    Name { text: pair.as_str().into(), at: pair.as_span().start() }
}

fn stage(pair: Pair<Rule>) -> Result<Stage, Error> {
    let mut label = None;
    let mut parts = pair.into_inner();
    let mut part = parts.next().expect("the grammar gives a stage a part");
    if part.as_rule() == Rule::label {
        label = Some(name(&part));
        part = parts.next().expect("the grammar gives a label a stage");
    }
    let node = match part.as_rule() {
        Rule::side_by_side => {
            let chains = part.into_inner().filter(|part| part.as_rule() == Rule::chain);
            Node::SideBySide(chains.map(chain).collect::<Result<_, _>>()?)
        }
        Rule::chain => Node::Chain(chain(part)?),
        Rule::flow => Node::Flow(Box::new(flow(part)?)),
        Rule::command => {
            let mut words = part.into_inner();
            let name = name(&words.next().expect("the grammar begins a command with its name"));
            Node::Command(name, words.map(word).collect())
        }
        _ => Node::Name(name(&part)),
    };
    Ok(Stage { label, node })
}

fn word(pair: Pair<Rule>) -> String {
    let part = inner(Some(pair));
    if part.as_rule() == Rule::bare {
        return part.as_str().to_owned();
    }
    // A backslash keeps the sign behind it.
    let mut text = String::new();
    let quoted = inner(Some(part));
    let mut chars = quoted.as_str().chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

fn flow(pair: Pair<Rule>) -> Result<Flow, Error> {
    let mut parts = pair.into_inner().filter(|part| matches!(part.as_rule(), Rule::condition | Rule::branch));
    let condition = parts.next().expect("the grammar begins a flow with a condition");
    let at = condition.as_span().start();
    let text = condition.as_str().trim_end();
    let expr = expression::parse(text).map_err(|error| Error { at: Some(at + error.at.unwrap_or(0)), ..error })?;
    let then = branch(parts.next().expect("the grammar puts a branch behind `then`"))?;
    let otherwise = parts.next().map(branch).transpose()?;
    Ok(Flow { condition: text.to_owned(), expr, at, then, otherwise })
}

fn branch(pair: Pair<Rule>) -> Result<Branch, Error> {
    let part = inner(Some(pair));
    if part.as_rule() == Rule::flow {
        return Ok(Branch::Flow(Box::new(flow(part)?)));
    }
    let mut stages = chain(part)?;
    // `(if …)` alone is the decision itself.
    match stages.pop() {
        Some(Stage { label: None, node: Node::Flow(flow) }) if stages.is_empty() => Ok(Branch::Flow(flow)),
        last => {
            stages.extend(last);
            Ok(Branch::Chain(stages))
        }
    }
}

/// What is wrong with a text that the grammar does not accept, in words.
fn explain(text: &str, error: &pest::error::Error<Rule>, is_flow: bool) -> Error {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let rest = text[at..].trim_start();
    let at = text.len() - rest.len();
    let before = text[..at].trim_end();
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let seen = if word.is_empty() { rest.chars().take(1).collect() } else { word.clone() };
    let message = if rest.is_empty() {
        "the text ends too early".to_owned()
    } else {
        format!("`{}` cannot stand here", excerpt(&seen, 30))
    };
    let behind_sign = before.is_empty() || before.ends_with(['→', '>', '[', '(', ',', ':']);
    let open = |open: char, close: char| before.matches(open).count() > before.matches(close).count();
    let keyword = word.to_lowercase();
    let help = if is_flow && before.is_empty() {
        "a flow string begins with `if`: `if tests.passed then deploy else notify`; for a chain write `chain(\"a -> b\")`"
    } else if is_flow && rest.is_empty() && !before.to_lowercase().contains("then") {
        "`then` is missing: `if C then a else b`"
    } else if keyword == "if" && !is_flow {
        "decisions belong into `flow(\"if … then … else …\")`, or in parentheses: `a -> (if b.passed then c)`"
    } else if keyword == "else" && before.to_lowercase().ends_with("then") || keyword == "then" {
        "`if` is followed by a condition, `then` and what runs: `if C then a else b`"
    } else if keyword == "else" {
        "there is no `if` for this `else`"
    } else if rest.starts_with(['\'', '"']) {
        "names stand without quotes"
    } else if rest.starts_with(',') && !open('[', ']') {
        "steps that run side by side stand in brackets: `[a, b]`"
    } else if rest.starts_with(']') && before.ends_with('[') {
        "an empty list does nothing; write the names that run side by side: `[a, b]`"
    } else if rest.is_empty() && open('[', ']') {
        "a `]` is missing"
    } else if rest.is_empty() && open('(', ')') {
        "a `)` is missing"
    } else if behind_sign {
        "a name of a step is missing here"
    } else if rest.starts_with("=>") || rest.starts_with('>') || rest.starts_with("-") || rest.starts_with('➜') {
        "arrows are written `->` or `→`"
    } else if !word.is_empty() || rest.starts_with(['[', '(', '/']) {
        "an arrow is missing between the two: `a -> b`"
    } else {
        "names hold letters, digits, `-`, `_` and `.`; between them stand `->`, `[a, b]` and `label:`"
    };
    Error::new(message).help(help).at(at)
}
