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
    lexed(script).found
}

/// Where a comment `/* …` begins that is never closed, so that all the rest of the script is one.
pub fn open_comment(script: &str) -> Option<usize> {
    if !script.contains("/*") { None } else { lexed(script).open_comment }
}

fn lexed(script: &str) -> Lexer<'_> {
    let mut lexer = Lexer { script, at: 0, found: Vec::new(), depths: Vec::new(), open_comment: None };
    while lexer.step() {}
    lexer
}

struct Lexer<'a> {
    script: &'a str,
    at: usize,
    found: Vec<Token>,
    /// How many brackets are open within each `${…}` that is being read.
    depths: Vec<usize>,
    /// Where a comment begins that has no end.
    open_comment: Option<usize>,
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
            '/' if rest.starts_with("/*") => match closed_comment(rest) {
                Some(length) => self.at += length,
                None => {
                    self.open_comment = Some(self.at);
                    self.at = self.script.len();
                }
            },
            '#' if self.at == 0 && rest.starts_with("#!") => self.at += until(|c| c == '\n'),
            '"' | '\'' => self.push(quoted(rest, first), Kind::Text),
            '#' if raw(rest).is_some() => self.push(raw(rest).unwrap_or(1), Kind::Text),
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
        let mut letters = rest.char_indices().skip(begin).peekable();
        while let Some((at, c)) = letters.next() {
            match c {
                // Only `\${` is an escape here; two backticks stand for one.
                '\\' if rest[at + 1..].starts_with("${") => drop(letters.next()),
                '`' if letters.peek().is_some_and(|(_, next)| *next == '`') => drop(letters.next()),
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

/// The length of a text in quotes; up to the end of the line if it is not closed. A `\` at the end of a line goes on in
/// the next one, and two quotes stand for one.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = letters.next() {
        match c {
            _ if escaped => escaped = c == '\r',
            '\n' => return at,
            '\\' => escaped = true,
            c if c == quote => match letters.peek() {
                Some((_, next)) if *next == quote => drop(letters.next()),
                _ => return at + 1,
            },
            _ => {}
        }
    }
    rest.len()
}

/// The length of a comment between `/*` and `*/`, with others within it; all the rest if it is not closed.
pub fn comment(rest: &str) -> usize {
    closed_comment(rest).unwrap_or(rest.len())
}

fn closed_comment(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let (mut at, mut depth) = (2, 1usize);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The length of a raw text, `#"…"#` or with more of `#`; all the rest if it is not closed.
fn raw(rest: &str) -> Option<usize> {
    let signs = rest.bytes().take_while(|byte| *byte == b'#').count();
    let body = rest[signs..].strip_prefix('"')?;
    let close = format!("\"{}", &rest[..signs]);
    Some(body.find(&close).map_or(rest.len(), |at| signs + 1 + at + close.len()))
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
            words("`x ${a.b(#{})} \\${y}`z"),
            ["`x ", "${", "a", ".", "b", "(", "#{", "}", ")", "}", " \\${y}`", "z"]
        );
        assert_eq!(words("\"open\nnext"), ["\"open", "next"]);
        assert_eq!(words("a /* b /* c */ d */ e"), ["a", "e"]);
        assert_eq!(words("a /* b /* c */"), ["a"]);
        assert_eq!(words("#\"a \"b\" ${c}\"# d ##\"x\"# y\"## e"), ["#\"a \"b\" ${c}\"#", "d", "##\"x\"# y\"##", "e"]);
        assert_eq!(words("\"a \\\n b\" \"c\"\"d\" e"), ["\"a \\\n b\"", "\"c\"\"d\"", "e"]);
        assert_eq!(words("`a``b` `c\\` d"), ["`a``b`", "`c\\`", "d"]);
    }

    #[test]
    fn comments_without_an_end_are_found() {
        for (script, place) in [
            ("a /* b", Some(2)),
            ("a /* b /* c */ d", Some(2)),
            ("/*/", Some(0)),
            ("/**/ /*", Some(5)),
            ("/* a */", None),
            ("\"/*\" // /*", None),
            ("`ls /*` 'a' #\"/*\"#", None),
            ("`${a /* b` c", Some(5)),
        ] {
            assert_eq!(open_comment(script), place, "{script}");
        }
    }

    #[test]
    fn brackets_are_matched() {
        let script = "f(a, [b], `${c}`) + g(";
        let tokens = tokens(script);
        assert_eq!(tokens[closing(&tokens, 1)].start, 16);
        assert_eq!(unclosed(&tokens).map(|token| token.start), Some(script.len() - 1));
    }
}
