//! From text to [`Expr`]: the pest grammar gives a flat run of operands and operators, which is climbed here by rank.

use std::iter::Peekable;

use pest::Parser;
use pest::iterators::{Pair, Pairs};

use super::super::unit;
use super::super::{Json, Key};
use super::explain::explain;
use super::function::{Function, check_count, unknown};
use super::{Arithmetic, Comparator, Error, Expr, Kind, MAX_DEPTH, MAX_LENGTH};

/// What pest makes of the grammar. Its items have no docs of their own.
#[allow(missing_docs)]
mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/expression.pest"]
    pub struct Grammar;
}

use grammar::Grammar;
pub(super) use grammar::Rule;

/// Parses an expression.
///
/// # Errors
/// Text that is not an expression, an unknown function or unit, a wrong number of arguments; text over
/// [`MAX_LENGTH`] or nested deeper than [`MAX_DEPTH`].
pub fn parse(text: &str) -> Result<Expr, Error> {
    check_size(text)?;
    if text.trim().is_empty() {
        return Err(Error::new("the expression is empty").help("write for instance `tests.passed and coverage > 80`"));
    }
    let mut whole = Grammar::parse(Rule::whole, text).map_err(|error| explain(text, &error))?;
    let expression = whole.next().and_then(|whole| whole.into_inner().next());
    build(expression.expect("the grammar's `whole` begins with an expression"), 0)
}

/// Is it a name that can stand behind a dot?
pub(super) fn is_identifier(text: &str) -> bool {
    Grammar::parse(Rule::key, text).is_ok_and(|pairs| pairs.as_str() == text)
}

/// Refuses what is too long or too deep before the parser recurses into it.
fn check_size(text: &str) -> Result<(), Error> {
    if text.len() > MAX_LENGTH {
        return Err(Error::new(format!("the expression is {} bytes long", text.len()))
            .help(format!("at most {MAX_LENGTH} bytes; compute it in a closure or in a step of its own")));
    }
    // Open brackets, and of each how many `?` it holds: `a ? b : c ? d : e` nests to the right.
    let mut choices = vec![0];
    let mut depth = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\'' | '"' => {
                while let Some((_, inner)) = chars.next().filter(|(_, inner)| *inner != c) {
                    if inner == '\\' {
                        chars.next();
                    }
                }
                continue;
            }
            '(' | '[' => {
                choices.push(0);
                depth += 1;
            }
            ')' | ']' if choices.len() > 1 => depth -= 1 + choices.pop().unwrap_or(0),
            '?' => {
                depth += 1;
                *choices.last_mut().expect("the outermost level is never closed") += 1;
            }
            _ => continue,
        }
        if depth > MAX_DEPTH {
            return Err(too_deep().at(at));
        }
    }
    Ok(())
}

fn too_deep() -> Error {
    Error::new(format!("the expression is nested deeper than {MAX_DEPTH} levels"))
        .help("compute a part of it in a closure or in a step of its own")
}

fn checked(kind: Kind, at: usize) -> Result<Expr, Error> {
    let expr = Expr::new(kind, at);
    if expr.depth > MAX_DEPTH { Err(too_deep().at(at)) } else { Ok(expr) }
}

fn start(pair: &Pair<Rule>) -> usize {
    pair.as_span().start()
}

/// `operation ~ ("?" ~ expression ~ ":" ~ expression)?`
fn build(pair: Pair<Rule>, level: usize) -> Result<Expr, Error> {
    let at = start(&pair);
    let level = level + 1;
    let mut tokens = pair.into_inner().peekable();
    let condition = climb(&mut tokens, 0, level)?;
    match (tokens.next(), tokens.next()) {
        (Some(yes), Some(no)) => {
            checked(Kind::Choice(Box::new([condition, build(yes, level)?, build(no, level)?])), at)
        }
        _ => Ok(condition),
    }
}

/// Ranks of infix operators; a prefix takes everything that binds tighter than itself.
fn rank(rule: Rule) -> u8 {
    match rule {
        Rule::or => 1,
        Rule::and => 2,
        Rule::not => 3,
        Rule::plus | Rule::minus => 5,
        Rule::times | Rule::divided | Rule::modulo => 6,
        Rule::negative | Rule::bang => 7,
        _ => 4,
    }
}

/// Precedence climbing (Richards 1979): an operand, then all operators that bind tighter than `floor`.
/// `level` is how deep the calls are nested: the stack must hold out where an expression will be refused as too deep.
fn climb(tokens: &mut Peekable<Pairs<Rule>>, floor: u8, level: usize) -> Result<Expr, Error> {
    if level > 2 * MAX_DEPTH {
        return Err(tokens.peek().map_or_else(too_deep, |next| too_deep().at(start(next))));
    }
    let mut left = operand(tokens, level)?;
    // Rank of the operator that made `left`; what stands in parentheses is an operand and has none.
    let mut made_by = None;
    while let Some(infix) = tokens.next_if(|next| next.as_rule() == Rule::infix && rank(infix_rule(next)) > floor) {
        let rank = rank(infix_rule(&infix));
        let right = climb(tokens, rank, level + 1)?;
        left = combine(left, made_by == Some(rank), &infix, right)?;
        made_by = Some(rank);
    }
    Ok(left)
}

fn infix_rule(infix: &Pair<Rule>) -> Rule {
    only(infix).as_rule()
}

/// The one part of a pair that has one.
fn only<'a>(pair: &Pair<'a, Rule>) -> Pair<'a, Rule> {
    pair.clone().into_inner().next().expect("the grammar gives this pair a part")
}

/// Joins two sides; `goes_on` says that the left side was made by an operator of the same rank.
fn combine(left: Expr, goes_on: bool, infix: &Pair<Rule>, right: Expr) -> Result<Expr, Error> {
    let at = left.at;
    let comparator = match infix_rule(infix) {
        Rule::or | Rule::and => {
            let kind = match (left.kind, infix_rule(infix)) {
                (Kind::Or(parts), _) if goes_on => Kind::Or(with(parts, right)),
                (Kind::And(parts), _) if goes_on => Kind::And(with(parts, right)),
                (kind, Rule::or) => Kind::Or(vec![Expr { kind, ..left }, right]),
                (kind, _) => Kind::And(vec![Expr { kind, ..left }, right]),
            };
            return checked(kind, at);
        }
        Rule::plus => return calculate(left, goes_on, Arithmetic::Plus, right),
        Rule::minus => return calculate(left, goes_on, Arithmetic::Minus, right),
        Rule::times => return calculate(left, goes_on, Arithmetic::Times, right),
        Rule::divided => return calculate(left, goes_on, Arithmetic::Divided, right),
        Rule::modulo => return calculate(left, goes_on, Arithmetic::Modulo, right),
        Rule::equal => Comparator::Equal,
        Rule::unequal => Comparator::Unequal,
        Rule::less => Comparator::Less,
        Rule::at_most => Comparator::AtMost,
        Rule::more => Comparator::More,
        Rule::at_least => Comparator::AtLeast,
        _ => Comparator::In,
    };
    match &left.kind {
        Kind::Compare(a, first, b) if goes_on => Err(Error::new("comparisons cannot be chained")
            .help(format!("write `{a} {} {b} and {b} {} {right}`", first.sign(), comparator.sign()))
            .at(start(infix))),
        _ => checked(Kind::Compare(Box::new(left), comparator, Box::new(right)), at),
    }
}

fn with<T>(mut parts: Vec<T>, part: T) -> Vec<T> {
    parts.push(part);
    parts
}

fn calculate(left: Expr, goes_on: bool, operator: Arithmetic, right: Expr) -> Result<Expr, Error> {
    let at = left.at;
    let kind = match left.kind {
        Kind::Arithmetic(first, terms) if goes_on => Kind::Arithmetic(first, with(terms, (operator, right))),
        kind => Kind::Arithmetic(Box::new(Expr { kind, ..left }), vec![(operator, right)]),
    };
    checked(kind, at)
}

/// `prefix* ~ primary ~ step*`
fn operand(tokens: &mut Peekable<Pairs<Rule>>, level: usize) -> Result<Expr, Error> {
    let first = tokens.next().expect("the grammar puts an operand here");
    let at = start(&first);
    let primary = match first.as_rule() {
        Rule::prefix => {
            let rule = only(&first).as_rule();
            let of = Box::new(climb(tokens, rank(rule), level + 1)?);
            return checked(if rule == Rule::negative { Kind::Minus(of) } else { Kind::Not(of) }, at);
        }
        Rule::quantity => checked(Kind::Literal(quantity(first)?), at)?,
        Rule::text => checked(Kind::Literal(string(&first)?.into()), at)?,
        Rule::constant => checked(
            Kind::Literal(match first.as_str() {
                "true" => true.into(),
                "false" => false.into(),
                _ => Json::Null,
            }),
            at,
        )?,
        Rule::nothing => checked(Kind::Literal(Json::Null), at)?,
        Rule::list => {
            checked(Kind::List(first.into_inner().map(|item| build(item, level)).collect::<Result<_, _>>()?), at)?
        }
        Rule::call => call(first, level)?,
        Rule::name => checked(Kind::Name(first.as_str().into(), Vec::new()), at)?,
        _ => build(first, level)?,
    };
    let mut path = Vec::new();
    // A name in parentheses, `(a).b`, is read on as if it stood alone.
    let mut of = primary;
    while let Some(step) = tokens.next_if(|next| next.as_rule() == Rule::step) {
        path.push(key(only(&step))?);
    }
    if path.is_empty() {
        return Ok(of);
    }
    match &mut of.kind {
        Kind::Name(_, known) | Kind::Access(_, known) => known.append(&mut path),
        _ => return checked(Kind::Access(Box::new(of), path), at),
    }
    Ok(of)
}

fn key(pair: Pair<Rule>) -> Result<Key, Error> {
    Ok(match pair.as_rule() {
        Rule::index => {
            let index = pair.as_str().parse().map_err(|_| {
                Error::new(format!("`{}` is too large for an index", pair.as_str()))
                    .help("indexes count from 0; negative ones from the end")
                    .at(start(&pair))
            })?;
            Key::Index(index)
        }
        Rule::text => Key::Field(string(&pair)?.into()),
        _ => Key::Field(pair.as_str().into()),
    })
}

fn call(pair: Pair<Rule>, level: usize) -> Result<Expr, Error> {
    let at = start(&pair);
    let mut parts = pair.into_inner();
    let name = parts.next().map_or("", |name| name.as_str());
    let name = name.strip_prefix("fn:").unwrap_or(name);
    let args = parts.map(|arg| build(arg, level)).collect::<Result<Vec<_>, _>>()?;
    let function = Function::find(name).ok_or_else(|| unknown(name).at(at))?;
    check_count(function, args.len()).map_err(|error| error.at(at))?;
    checked(Kind::Call(function, args), at)
}

/// A number, with units turned into milliseconds or bytes.
fn quantity(pair: Pair<Rule>) -> Result<Json, Error> {
    let at = start(&pair);
    let written = pair.as_str();
    let too_large = || {
        Error::new(format!("`{written}` is too large for a number")).help("numbers reach up to about 1.8e308").at(at)
    };
    let mut total: Option<f64> = None;
    let mut plain = Json::Null;
    let mut number = 0.0;
    let mut before: Option<(&str, u64)> = None;
    for part in pair.into_inner() {
        match part.as_rule() {
            Rule::number => {
                number = part.as_str().parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(too_large)?;
                plain = part.as_str().parse::<i64>().map_or_else(|_| number.into(), Json::from);
            }
            Rule::unit => {
                let unit = part.as_str();
                let factor = unit::factor(unit).ok_or_else(|| {
                    Error::new(format!("there is no unit `{unit}`")).help(unit::suggest(unit)).at(start(&part))
                })?;
                if before.is_some_and(|(last, larger)| larger <= factor || !unit::is_duration(last)) {
                    return Err(Error::new(format!("the parts of `{written}` do not fit together"))
                        .help("larger units come first: `1h30m`")
                        .at(at));
                }
                before = Some((unit, factor));
                total = Some(total.unwrap_or(0.0) + number * factor as f64);
            }
            _ => {}
        }
    }
    match total {
        None => Ok(plain),
        Some(total) if total < 9.0e18 && total.fract() == 0.0 => Ok((total as i64).into()),
        Some(total) if total.is_finite() => Ok(total.into()),
        Some(_) => Err(too_large()),
    }
}

/// The characters of a quoted text.
fn string(pair: &Pair<Rule>) -> Result<String, Error> {
    let inner = only(pair);
    let mut text = String::with_capacity(inner.as_str().len());
    let mut chars = inner.as_str().char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            text.push(c);
            continue;
        }
        match chars.next().map_or('\\', |(_, escaped)| escaped) {
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            escaped @ ('\\' | '\'' | '"') => text.push(escaped),
            other => {
                return Err(Error::new(format!("`\\{other}` means nothing in a text"))
                    .help("known are `\\n`, `\\r`, `\\t`, `\\\\`, `\\'`, `\\\"`; a backslash itself is `\\\\`")
                    .at(start(&inner) + at));
            }
        }
    }
    Ok(text)
}
