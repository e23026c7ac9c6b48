//! A script as a tree of brackets: what is one statement, one argument, one arm.

use super::lex::{Kind, Token};

/// A part of a statement or an argument.
#[derive(Clone, Debug)]
pub enum Node<'a> {
    /// A single piece, also a comment in the midst of others.
    Token(Token<'a>),
    /// The parameters of a closure, with their bars.
    Params(Vec<Token<'a>>),
    /// What stands in brackets.
    Group(Group<'a>),
}

impl<'a> Node<'a> {
    /// Its first piece.
    pub fn first(&self) -> Token<'a> {
        match self {
            Node::Token(token) => *token,
            Node::Params(tokens) => tokens[0],
            Node::Group(group) => group.open,
        }
    }

    /// The piece that it is, if it is only one.
    pub fn token(&self) -> Option<&Token<'a>> {
        match self {
            Node::Token(token) => Some(token),
            _ => None,
        }
    }

    /// Is it this word or sign?
    pub fn is(&self, text: &str) -> bool {
        self.token().is_some_and(|token| token.text == text && matches!(token.kind, Kind::Word | Kind::Sign))
    }
}

/// What stands in brackets.
#[derive(Clone, Debug)]
pub struct Group<'a> {
    pub open: Token<'a>,
    pub items: Vec<Item<'a>>,
    pub close: Token<'a>,
    pub shape: Shape,
}

/// How the items of a group are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// By commas: arguments, elements, entries.
    List,
    /// By semicolons, or by the end of a block: statements.
    Block,
    /// By commas, or by the end of a block: the arms of a `switch`.
    Arms,
}

/// What stands between two separators.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// A comment of its own, or code.
    pub nodes: Vec<Node<'a>>,
    /// The `;` or `,` behind it.
    pub end: Option<Token<'a>>,
    /// Comments behind it in the same line.
    pub trailing: Vec<Token<'a>>,
}

impl Item<'_> {
    /// Is it a comment of its own?
    pub fn is_comment(&self) -> bool {
        !self.nodes.is_empty() && self.nodes.iter().all(|node| node.token().is_some_and(Token::is_comment))
    }

    /// How often the line ends before it.
    pub fn newlines(&self) -> usize {
        self.nodes.first().map_or(0, |node| node.first().newlines)
    }
}

/// The tree of a script whose brackets match; nothing otherwise.
pub fn parse<'a>(tokens: &[Token<'a>]) -> Option<Vec<Item<'a>>> {
    let mut parser = Parser { tokens, at: 0 };
    let items = parser.items(Shape::Block)?;
    parser.peek().is_none().then_some(items)
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
}

/// Statements that begin with these end with a block.
const ENDS_WITH_BLOCK: [&str; 8] = ["if", "while", "for", "loop", "switch", "try", "fn", "private"];

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).copied()
    }

    /// All items up to a bracket that closes, or the end.
    fn items(&mut self, shape: Shape) -> Option<Vec<Item<'a>>> {
        let mut items = Vec::new();
        while self.peek().is_some_and(|token| token.kind != Kind::Close) {
            items.extend(self.item(shape)?);
        }
        Some(items)
    }

    /// One item, and the comments of their own that follow before its separator.
    fn item(&mut self, shape: Shape) -> Option<Vec<Item<'a>>> {
        let mut nodes: Vec<Node<'a>> = Vec::new();
        let mut end = None;
        let mut switches = false;
        while let Some(token) = self.peek() {
            match token.kind {
                Kind::Close => break,
                Kind::Comma if shape != Shape::Block => end = Some(token),
                Kind::Semicolon if shape == Shape::Block => end = Some(token),
                _ if token.is_comment() && nodes.is_empty() && self.is_alone() => {
                    self.at += 1;
                    return Some(vec![Item { nodes: vec![Node::Token(token)], end: None, trailing: Vec::new() }]);
                }
                _ => {
                    let node = self.node(&nodes, &mut switches)?;
                    nodes.push(node);
                    if self.is_over(shape, &nodes) {
                        end = self.peek().filter(|next| match shape {
                            Shape::Block => next.kind == Kind::Semicolon,
                            _ => next.kind == Kind::Comma,
                        });
                        self.at += usize::from(end.is_some());
                        break;
                    }
                    continue;
                }
            }
            self.at += 1;
            break;
        }
        // Comments between the last code and the separator.
        let code = nodes.iter().rposition(|node| !node.token().is_some_and(Token::is_comment)).map_or(0, |at| at + 1);
        let mut after: Vec<Token<'a>> = nodes.split_off(code).iter().map(Node::first).collect();
        while let Some(token) = self.peek().filter(|token| token.is_comment() && token.newlines == 0 && self.is_alone())
        {
            after.push(token);
            self.at += 1;
        }
        // Behind one that takes the rest of its line no other can stand.
        let ends = |at: usize| at > 0 && after[at - 1].kind == Kind::LineComment;
        let own = (0..after.len()).find(|at| after[*at].newlines > 0 || ends(*at)).unwrap_or(after.len());
        let own: Vec<Token<'a>> = after.split_off(own);
        let mut items = vec![Item { nodes, end, trailing: after }];
        items.extend(own.into_iter().map(|token| Item {
            nodes: vec![Node::Token(token)],
            end: None,
            trailing: Vec::new(),
        }));
        Some(items)
    }

    /// Does nothing but comments stand behind the comment here, in its line?
    fn is_alone(&self) -> bool {
        let behind = self.tokens[self.at + 1..].iter().find(|next| next.newlines > 0 || !next.is_comment());
        behind.is_none_or(|next| next.newlines > 0 || next.kind == Kind::Close)
    }

    /// Does the item end here, without a separator?
    fn is_over(&self, shape: Shape, nodes: &[Node<'a>]) -> bool {
        let Some(Node::Group(Group { shape: Shape::Block | Shape::Arms, .. })) = nodes.last() else { return false };
        let Some(next) = self.tokens[self.at..].iter().find(|token| !token.is_comment()) else { return false };
        match shape {
            Shape::List => false,
            Shape::Arms => nodes.len() > 1 && nodes[nodes.len() - 2].is("=>"),
            Shape::Block => {
                let code = nodes.iter().find(|node| !node.token().is_some_and(Token::is_comment));
                let begins = match code {
                    Some(Node::Token(token)) => ENDS_WITH_BLOCK.contains(&token.text),
                    Some(Node::Group(group)) => group.open.text == "{",
                    _ => false,
                };
                begins && !matches!(next.text, "else" | "catch")
            }
        }
    }

    fn node(&mut self, before: &[Node<'a>], switches: &mut bool) -> Option<Node<'a>> {
        let token = self.peek()?;
        self.at += 1;
        match token.kind {
            Kind::Open => {
                let shape = match token.text {
                    "{" if std::mem::take(switches) => Shape::Arms,
                    "{" => Shape::Block,
                    _ => Shape::List,
                };
                let items = self.items(shape)?;
                let close = self.peek()?;
                self.at += 1;
                Some(Node::Group(Group { open: token, items, close, shape }))
            }
            Kind::Sign if matches!(token.text, "|" | "||") && is_beginning(before) => {
                let mut tokens = vec![token];
                while token.text == "|" && (tokens.len() == 1 || tokens[tokens.len() - 1].text != "|") {
                    tokens.push(self.peek()?);
                    self.at += 1;
                }
                Some(Node::Params(tokens))
            }
            _ => {
                *switches |= token.kind == Kind::Word && token.text == "switch";
                Some(Node::Token(token))
            }
        }
    }
}

/// Does a value begin behind these, and not an operator?
pub fn is_beginning(before: &[Node]) -> bool {
    let last = before.iter().rev().find(|node| !node.token().is_some_and(Token::is_comment));
    match last {
        None | Some(Node::Params(_)) => true,
        Some(Node::Group(_)) => false,
        Some(Node::Token(token)) => match token.kind {
            Kind::Word => is_keyword(token.text),
            Kind::Sign => true,
            _ => false,
        },
    }
}

/// Words of the language behind which a value begins.
pub fn is_keyword(word: &str) -> bool {
    matches!(
        word,
        "if" | "else"
            | "while"
            | "until"
            | "for"
            | "in"
            | "loop"
            | "do"
            | "switch"
            | "return"
            | "throw"
            | "let"
            | "const"
            | "import"
            | "export"
            | "as"
            | "try"
            | "catch"
            | "fn"
            | "private"
            | "break"
            | "continue"
    )
}
