//! What stands at a place of a script, seen roughly: words, texts, brackets. For labels and hints only: what a script
//! means is not decided here.

/// A piece of a script: the bytes from `start` to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// First byte.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// What it is.
    pub kind: Kind,
}

/// Kinds of pieces. Comments and blanks are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Letters, digits and `_`.
    Word,
    /// A literal text with its quotes; of a text in backticks, a part up to `${`.
    Text,
    /// `(`, `[`, `{`, `#{` or `${`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// Anything else: a run of operator letters, or one other letter.
    Sign,
}

impl Token {
    /// What is written there.
    pub fn of<'a>(&self, script: &'a str) -> &'a str {
        script.get(self.start..self.end).unwrap_or_default()
    }

    /// A word, or a text without its quotes.
    pub fn word<'a>(&self, script: &'a str) -> Option<&'a str> {
        match self.kind {
            Kind::Word => Some(self.of(script)),
            Kind::Text => Some(self.of(script).trim_matches(['"', '\'', '`'])),
            _ => None,
        }
    }
}

/// All pieces of a script.
pub fn tokens(script: &str) -> Vec<Token> {
    let mut lexer = Lexer { script, at: 0, found: Vec::new(), depths: Vec::new() };
    while lexer.step() {}
    lexer.found
}

struct Lexer<'a> {
    script: &'a str,
    at: usize,
    found: Vec<Token>,
    /// How many brackets are open within each `${…}` that is being read.
    depths: Vec<usize>,
}

impl Lexer<'_> {
    fn push(&mut self, len: usize, kind: Kind) {
        self.found.push(Token { start: self.at, end: self.at + len, kind });
        self.at += len;
    }

    fn step(&mut self) -> bool {
        let rest = &self.script[self.at..];
        let Some(first) = rest.chars().next() else { return false };
        let until = |stop: fn(char) -> bool| rest.find(stop).unwrap_or(rest.len());
        match first {
            c if c.is_whitespace() => self.at += c.len_utf8(),
            '/' if rest.starts_with("//") => self.at += until(|c| c == '\n'),
            '/' if rest.starts_with("/*") => self.at += rest.find("*/").map_or(rest.len(), |end| end + 2),
            '#' if self.at == 0 && rest.starts_with("#!") => self.at += until(|c| c == '\n'),
            '"' | '\'' => self.push(quoted(rest, first), Kind::Text),
            '`' => self.template(1),
            '#' if rest.starts_with("#{") => self.open(2),
            '(' | '[' | '{' => self.open(1),
            '}' if self.depths.last() == Some(&0) => {
                self.depths.pop();
                self.push(1, Kind::Close);
                self.template(0);
            }
            ')' | ']' | '}' => {
                if let Some(depth) = self.depths.last_mut() {
                    *depth = depth.saturating_sub(1);
                }
                self.push(1, Kind::Close);
            }
            c if is_word(c) => self.push(until(|c| !is_word(c)), Kind::Word),
            c if is_operator(c) => self.push(until(|c| !is_operator(c)), Kind::Sign),
            c => self.push(c.len_utf8(), Kind::Sign),
        }
        true
    }

    fn open(&mut self, len: usize) {
        if let Some(depth) = self.depths.last_mut() {
            *depth += 1;
        }
        self.push(len, Kind::Open);
    }

    /// A part of a text in backticks, and the `${` behind it.
    fn template(&mut self, begin: usize) {
        let rest = &self.script[self.at..];
        let mut escaped = false;
        for (at, c) in rest.char_indices().skip(begin) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '`' => return self.push(at + 1, Kind::Text),
                '$' if rest[at + 1..].starts_with('{') => {
                    self.push(at, Kind::Text);
                    self.push(2, Kind::Open);
                    return self.depths.push(0);
                }
                _ => {}
            }
        }
        self.push(rest.len(), Kind::Text);
    }
}

/// The length of a text in quotes; up to the end of the line if it is not closed.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '\n' => return at,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_operator(c: char) -> bool {
    "-+*/%<>=!&|^".contains(c)
}

/// The bracket that closes the one at `open` (an index into `tokens`), or the end.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close if depth <= 1 => return at,
            Kind::Close => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The innermost bracket that is never closed.
pub fn unclosed(tokens: &[Token]) -> Option<Token> {
    let mut open = Vec::new();
    for token in tokens {
        match token.kind {
            Kind::Open => open.push(*token),
            Kind::Close => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(script: &str) -> Vec<&str> {
        tokens(script).iter().map(|token| token.of(script)).collect()
    }

    #[test]
    fn a_script_falls_into_pieces() {
        assert_eq!(
            words("#!/x\nsh(\"a \\\" b\", 5) -> #{k: 'c'}; // no\n/* no */ a.b"),
            ["sh", "(", "\"a \\\" b\"", ",", "5", ")", "->", "#{", "k", ":", "'c'", "}", ";", "a", ".", "b"]
        );
        assert_eq!(
            words("`x ${a.b(#{})} \\` y`z"),
            ["`x ", "${", "a", ".", "b", "(", "#{", "}", ")", "}", " \\` y`", "z"]
        );
        assert_eq!(words("\"open\nnext"), ["\"open", "next"]);
    }

    #[test]
    fn brackets_are_matched() {
        let script = "f(a, [b], `${c}`) + g(";
        let tokens = tokens(script);
        assert_eq!(tokens[closing(&tokens, 1)].start, 16);
        assert_eq!(unclosed(&tokens).map(|token| token.start), Some(script.len() - 1));
    }
}
