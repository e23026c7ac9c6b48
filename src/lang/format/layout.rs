//! Where lines end, and what stands between two pieces of a line.
//!
//! A statement is first written as its author broke it. As long as one of its lines is too long, one more thing in it is
//! broken: first the chain of its methods, then the last brackets that open in the line, then its operators. What does
//! not make it narrower is taken back. (This is the greedy half of pretty-printing after Oppen 1980, with the author's
//! line breaks as a given; nothing is ever joined that the author broke, but what stands within one pair of brackets.)

use std::ops::Range;

use super::WIDTH;
use super::lex::{Kind, Token};
use super::tree::{Group, Item, Node, Shape, is_beginning, is_keyword};

/// Columns of one level.
const STEP: usize = 4;

/// Writes a script.
pub fn write(source: &str, items: &[Item]) -> String {
    let mut writer = Writer {
        out: String::with_capacity(source.len() * 9 / 8),
        indent: 0,
        settled: Vec::new(),
        verbatim: Vec::new(),
    };
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            writer.out.push_str(if item.newlines() > 1 { "\n\n" } else { "\n" });
        }
        match item.nodes.first().filter(|_| item.nodes.iter().any(is_anchored)) {
            Some(first) => writer.verbatim(source, first.first().start, last(&item.nodes)),
            None => writer.item(item, 0),
        }
        writer.end(item, Shape::Block, false);
    }
    if !writer.out.is_empty() {
        writer.out.push('\n');
    }
    writer.out
}

/// Is there a text in it that depends on where it stands?
fn is_anchored(node: &Node) -> bool {
    match node {
        Node::Token(token) => token.is_anchored(),
        Node::Params(_) => false,
        Node::Group(group) => group.items.iter().flat_map(|item| &item.nodes).any(is_anchored),
    }
}

/// Behind the last byte.
fn last(nodes: &[Node]) -> usize {
    let token = match nodes.last() {
        Some(Node::Token(token)) => token,
        Some(Node::Params(tokens)) => &tokens[tokens.len() - 1],
        Some(Node::Group(group)) => &group.close,
        None => return 0,
    };
    token.start + token.text.len()
}

struct Writer {
    out: String,
    /// Of the line that is being written.
    indent: usize,
    /// Lines of items that have been seen to.
    settled: Vec<Range<usize>>,
    /// What is as it is: comments, texts of several lines.
    verbatim: Vec<Range<usize>>,
}

/// A point to which a writer can go back.
struct Mark {
    out: usize,
    settled: usize,
    verbatim: usize,
}

/// What is broken in a statement beyond what its author broke: indices of its nodes.
#[derive(Clone, Default, PartialEq, Eq)]
struct Breaks {
    /// Before these.
    before: Vec<usize>,
    /// Within these brackets.
    within: Vec<usize>,
    /// Were its streams looked at?
    streams: bool,
    /// Were its methods looked at?
    chain: bool,
    /// Were its operators?
    operators: bool,
}

fn is_long(line: &str) -> bool {
    line.len() > WIDTH && unicode_width::UnicodeWidthStr::width(line) > WIDTH
}

fn lies_in(line: &Range<usize>, ranges: &[Range<usize>]) -> bool {
    ranges.iter().rev().any(|range| range.start <= line.start && line.end <= range.end)
}

impl Writer {
    fn newline(&mut self, indent: usize) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', indent));
        self.indent = indent;
    }

    /// As it is, from where its line begins.
    fn verbatim(&mut self, source: &str, start: usize, end: usize) {
        let line = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let blank = source[line..start].chars().all(char::is_whitespace);
        self.out.push_str(&source[if blank { line } else { start }..end]);
    }

    /// A comment of its own, or code, where the line is indented already.
    fn item(&mut self, item: &Item, indent: usize) {
        self.indent = indent;
        if item.is_comment() {
            return self.comment(&item.nodes[0].first());
        }
        let start = self.mark();
        let mut best = Breaks::default();
        let mut tried = Breaks::default();
        let mut places = self.code(&item.nodes, indent, &best);
        let (own, mut fewest) = self.long_lines(start.out);
        if own == 0 {
            return;
        }
        while self.long_lines(start.out).0 > 0 {
            let Some(next) = self.further(&item.nodes, &tried, &places, start.out) else { break };
            tried = next;
            self.back_to(&start, indent);
            places = self.code(&item.nodes, indent, &tried);
            let now = self.long_lines(start.out).1;
            if now < fewest {
                (best, fewest) = (tried.clone(), now);
            }
        }
        // What a later break has made needless.
        for at in best.within.clone() {
            let fewer =
                Breaks { within: best.within.iter().copied().filter(|other| *other != at).collect(), ..best.clone() };
            self.back_to(&start, indent);
            self.code(&item.nodes, indent, &fewer);
            if self.long_lines(start.out).1 <= fewest {
                best = fewer;
            }
        }
        self.back_to(&start, indent);
        self.code(&item.nodes, indent, &best);
    }

    fn mark(&self) -> Mark {
        Mark { out: self.out.len(), settled: self.settled.len(), verbatim: self.verbatim.len() }
    }

    fn back_to(&mut self, mark: &Mark, indent: usize) {
        self.out.truncate(mark.out);
        self.settled.truncate(mark.settled);
        self.verbatim.truncate(mark.verbatim);
        self.indent = indent;
    }

    /// What stands behind an item: its separator, and comments in the same line.
    fn end(&mut self, item: &Item, shape: Shape, comma: bool) {
        match shape {
            Shape::Block => self.out.extend(item.end.map(|_| ';')),
            Shape::List | Shape::Arms if comma => self.out.push(','),
            Shape::List | Shape::Arms => {}
        }
        for comment in &item.trailing {
            self.out.push(' ');
            self.comment(comment);
        }
    }

    fn comment(&mut self, comment: &Token) {
        let start = self.out.len();
        let mut lines = comment.text.lines();
        self.out.push_str(lines.next().unwrap_or_default().trim_end());
        for line in lines {
            self.out.push('\n');
            self.out.push_str(line.trim_end());
        }
        self.verbatim.push(start..self.out.len());
    }

    /// How many lines from here on are too long: of those that nobody has seen to yet, and of all.
    fn long_lines(&self, mark: usize) -> (usize, usize) {
        let mut at = self.out[..mark].rfind('\n').map_or(0, |at| at + 1);
        let (mut own, mut all) = (0, 0);
        for line in self.out[at..].split('\n') {
            let here = at..at + line.len();
            at = here.end + 1;
            if is_long(line) && !lies_in(&here, &self.verbatim) {
                all += 1;
                own += usize::from(!lies_in(&here, &self.settled));
            }
        }
        (own, all)
    }

    /// One more break than those tried, for the first line that is too long.
    fn further(&self, nodes: &[Node], tried: &Breaks, places: &[usize], mark: usize) -> Option<Breaks> {
        let mut next = tried.clone();
        if !tried.streams {
            // What stands in a stream has a line of its own.
            next.streams = true;
            let signs: Vec<usize> = (1..nodes.len()).filter(|at| nodes[*at].is("|>")).collect();
            if !signs.is_empty() && signs.iter().all(|at| nodes[*at].first().newlines == 0) {
                next.before.extend(signs);
                return Some(next);
            }
        }
        if !tried.chain {
            next.chain = true;
            let calls = method_calls(nodes);
            if calls.len() > 1 && calls.iter().all(|at| nodes[*at].first().newlines == 0) {
                next.before.extend(calls);
                return Some(next);
            }
        }
        let mut at = self.out[..mark].rfind('\n').map_or(0, |at| at + 1);
        for line in self.out[at..].split('\n') {
            let here = at..at + line.len();
            at = here.end + 1;
            if !is_long(line) || lies_in(&here, &self.verbatim) || lies_in(&here, &self.settled) {
                continue;
            }
            let candidate = nodes.iter().enumerate().rev().find(|(at, node)| {
                let open = matches!(node, Node::Group(group) if !group.items.is_empty() && !is_broken(group));
                open && here.contains(&places[*at]) && !tried.within.contains(at)
            });
            if let Some((at, _)) = candidate {
                next.within.push(at);
                return Some(next);
            }
        }
        if !tried.operators {
            next.operators = true;
            let found = ["->", "|>", "||", "&&", "+"].iter().find_map(|sign| {
                let found: Vec<usize> =
                    (1..nodes.len()).filter(|at| nodes[*at].is(sign) && !is_beginning(&nodes[..*at])).collect();
                (!found.is_empty()).then_some(found)
            });
            next.before.extend(found?);
            return Some(next);
        }
        None
    }

    /// Writes nodes; gives where each begins.
    fn code(&mut self, nodes: &[Node], indent: usize, breaks: &Breaks) -> Vec<usize> {
        let mut places = Vec::with_capacity(nodes.len());
        for (at, node) in nodes.iter().enumerate() {
            if at > 0 {
                let by_author = node.first().newlines > 0 && may_break(nodes, at);
                if by_author || breaks.before.contains(&at) || ends_line(&nodes[at - 1]) {
                    self.newline(indent + STEP);
                } else if !is_tight(nodes, at) {
                    self.out.push(' ');
                }
            }
            places.push(self.out.len());
            match node {
                Node::Token(token) if token.is_comment() => self.comment(token),
                Node::Token(token) => self.text(token),
                Node::Params(tokens) => self.params(tokens),
                Node::Group(group) => {
                    let comma = match group.open.text {
                        "(" => is_call(nodes, at) && !nodes[0].is("fn") && !nodes[0].is("private"),
                        // An index is no list.
                        "[" => !is_call(nodes, at),
                        open => open != "?[",
                    };
                    self.group(group, breaks.within.contains(&at) || is_broken(group), comma);
                }
            }
        }
        places
    }

    fn text(&mut self, token: &Token) {
        let start = self.out.len();
        self.out.push_str(token.text);
        if let (Some(first), Some(last)) = (token.text.find('\n'), token.text.rfind('\n')) {
            self.verbatim.push(start + first + 1..start + last);
        }
    }

    fn params(&mut self, tokens: &[Token]) {
        for (at, token) in tokens.iter().enumerate() {
            let before = at.checked_sub(1).map(|before| &tokens[before]);
            match before {
                Some(before) if before.kind == Kind::LineComment => self.newline(self.indent + STEP),
                Some(before) if before.kind == Kind::Comma || before.is_comment() || token.is_comment() => {
                    self.out.push(' ');
                }
                _ => {}
            }
            if token.is_comment() { self.comment(token) } else { self.out.push_str(token.text) }
        }
    }

    fn group(&mut self, group: &Group, broken: bool, comma: bool) {
        self.out.push_str(group.open.text);
        let base = self.indent;
        if group.items.is_empty() {
        } else if broken {
            self.lines(group, base, comma);
        } else {
            let blank = if matches!(group.open.text, "{" | "#{") { " " } else { "" };
            self.out.push_str(blank);
            for (at, item) in group.items.iter().enumerate() {
                if at > 0 {
                    self.out.push(' ');
                }
                self.code(&item.nodes, base, &Breaks::default());
                let more = at + 1 < group.items.len();
                self.end(item, group.shape, more && item.end.is_some());
            }
            self.out.push_str(blank);
        }
        self.out.push_str(group.close.text);
    }

    /// The items of a group, each on lines of its own.
    fn lines(&mut self, group: &Group, base: usize, comma: bool) {
        for (at, item) in group.items.iter().enumerate() {
            if at > 0 && item.newlines() > 1 {
                self.out.push('\n');
            }
            self.newline(base + STEP);
            let start = self.out.len();
            self.item(item, base + STEP);
            let block = matches!(item.nodes.last(), Some(Node::Group(group)) if group.open.text == "{");
            let comma = !item.is_comment()
                && match group.shape {
                    Shape::Block => false,
                    Shape::List => {
                        comma || item.end.is_some() && group.items[at + 1..].iter().any(|item| !item.is_comment())
                    }
                    Shape::Arms => item.end.is_some() || !block,
                };
            self.end(item, group.shape, comma);
            let line = self.out[..start].rfind('\n').map_or(0, |at| at + 1);
            self.settled.push(line..self.out.len());
        }
        self.newline(base);
    }
}

/// Must its items stand on lines of their own?
fn is_broken(group: &Group) -> bool {
    let breaks = |item: &Item| {
        item.newlines() > 0
            || item.is_comment()
            || item.trailing.iter().any(|comment| comment.kind == Kind::LineComment)
            || (1..item.nodes.len()).any(|at| {
                ends_line(&item.nodes[at - 1]) || item.nodes[at].first().newlines > 0 && may_break(&item.nodes, at)
            })
    };
    let holds_block = |item: &Item| {
        item.nodes
            .iter()
            .any(|node| matches!(node, Node::Group(inner) if inner.shape != Shape::List && is_broken(inner)))
    };
    !group.items.is_empty()
        && (group.close.newlines > 0
            || group.items.iter().any(breaks)
            || group.shape != Shape::List && group.items.iter().any(holds_block))
}

fn ends_line(node: &Node) -> bool {
    node.token().is_some_and(|token| token.kind == Kind::LineComment)
}

/// May a line end before this node, if its author ended it there?
fn may_break(nodes: &[Node], at: usize) -> bool {
    let (before, node) = (&nodes[at - 1], &nodes[at]);
    let joins = |node: &Node| node.is(".") || node.is("?.") || node.is("::") || node.is("!");
    let continues = node.is("else") || node.is("catch") || node.is("::") || node.is(":");
    let opens = matches!(node, Node::Group(group) if group.open.text == "{");
    let called = matches!(node, Node::Group(_)) && is_tight(nodes, at);
    !(continues || opens || called || joins(before) || is_unary(nodes, at - 1))
}

/// Nodes `.` of method calls: `.name(…)`.
fn method_calls(nodes: &[Node]) -> Vec<usize> {
    let call =
        |at: &usize| nodes[*at].is(".") && matches!(&nodes[*at + 2], Node::Group(group) if group.open.text == "(");
    (1..nodes.len().saturating_sub(2)).filter(call).collect()
}

/// Does the bracket here belong to the value before it: arguments, or an index?
fn is_call(nodes: &[Node], at: usize) -> bool {
    let before = nodes[..at].iter().rev().find(|node| !node.token().is_some_and(Token::is_comment));
    match before {
        Some(Node::Token(token)) => match token.kind {
            Kind::Word => !is_keyword(token.text),
            kind => matches!(kind, Kind::Text | Kind::Template),
        },
        Some(Node::Group(group)) => group.close.text != "}",
        Some(Node::Params(_)) | None => false,
    }
}

/// A sign before one value.
fn is_unary(nodes: &[Node], at: usize) -> bool {
    ["-", "+", "!"].iter().any(|sign| nodes[at].is(sign)) && is_beginning(&nodes[..at])
}

/// Does nothing stand between this node and the one before?
fn is_tight(nodes: &[Node], at: usize) -> bool {
    let (before, node) = (&nodes[at - 1], &nodes[at]);
    let joins = |node: &Node| [".", "?.", "::", "..", "..="].iter().any(|sign| node.is(sign));
    if joins(node) || joins(before) || node.is(":") {
        // `1. .abs()` is not `1..abs()`.
        return !before.token().is_some_and(|token| token.kind == Kind::Number && token.text.ends_with('.'));
    }
    if is_unary(nodes, at - 1) {
        // `- -1` is not `--1`.
        return !(["-", "+"].iter().any(|sign| node.is(sign) && before.is(sign)));
    }
    let comment = before.token().is_some_and(Token::is_comment);
    let bracket = matches!(node, Node::Group(group) if matches!(group.open.text, "(" | "[" | "?["));
    bracket && !comment && is_call(nodes, at)
}
