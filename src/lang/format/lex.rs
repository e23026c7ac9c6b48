//! A script in pieces, none of which is lost: as Rhai reads it, with the comments, and how many lines lie between.

/// A piece of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    /// What is written there.
    pub text: &'a str,
    /// How often a line ends between the piece before and this one.
    pub newlines: usize,
    /// The first byte.
    pub start: usize,
}

/// Kinds of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name or a keyword.
    Word,
    /// A number.
    Number,
    /// `"…"`, `'…'`, `#"…"#`.
    Text,
    /// `` `…` ``, with all that is within it.
    Template,
    /// `// …`, to the end of the line.
    LineComment,
    /// `/* … */`.
    BlockComment,
    /// `(`, `[`, `{`, `#{`, `?[`.
    Open,
    /// `)`, `]`, `}`.
    Close,
    /// `,`.
    Comma,
    /// `;`.
    Semicolon,
    /// An operator.
    Sign,
}

impl Token<'_> {
    /// Is it no part of what the script means?
    pub fn is_comment(&self) -> bool {
        matches!(self.kind, Kind::LineComment | Kind::BlockComment)
    }

    /// Does its meaning depend on its column? A text that goes on in the next line loses as many blanks there as there are
    /// before its beginning.
    pub fn is_anchored(&self) -> bool {
        self.kind == Kind::Text && !self.text.starts_with('#') && self.text.contains('\n')
    }
}

/// The operators, the longer ones first.
const SIGNS: [&str; 34] = [
    "<<=", ">>=", "**=", "..=", "->", "|>", "=>", "==", "!=", "<=", ">=", "&&", "||", "+=", "-=", "*=", "/=", "%=",
    "**", "^=", "|=", "&=", "<<", ">>", "::", "?.", "??", "...", "..", "++", "--", "<-", ":=", "<|",
];

/// All pieces of a script, or the byte at which one begins that does not end.
pub fn tokens(script: &str) -> Result<Vec<Token<'_>>, usize> {
    let mut found = Vec::new();
    let (mut at, mut newlines) = (0, 0);
    if script.starts_with("#!") {
        at = line_end(script);
        found.push(Token { kind: Kind::LineComment, text: script[..at].trim_end(), newlines: 0, start: 0 });
    }
    while let Some(first) = script[at..].chars().next() {
        if first.is_whitespace() || first == '\u{feff}' {
            newlines += usize::from(first == '\n');
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = piece(&script[at..], first).ok_or(at)?;
        let text = script[at..at + length].trim_end_matches('\r');
        found.push(Token { kind, text, newlines, start: at });
        at += length;
        newlines = 0;
    }
    Ok(found)
}

/// The piece that `rest` begins with, and its length.
fn piece(rest: &str, first: char) -> Option<(Kind, usize)> {
    let next = rest[first.len_utf8()..].chars().next();
    Some(match (first, next) {
        ('/', Some('/')) => (Kind::LineComment, line_end(rest)),
        ('/', Some('*')) => (Kind::BlockComment, block_comment(rest)?),
        ('"' | '\'', _) => (Kind::Text, quoted(rest, first)?),
        ('`', _) => (Kind::Template, template(rest)?),
        ('#', Some('"' | '#')) => (Kind::Text, raw(rest)?),
        ('#', Some('{')) | ('?', Some('[')) => (Kind::Open, 2),
        ('(' | '[' | '{', _) => (Kind::Open, 1),
        (')' | ']' | '}', _) => (Kind::Close, 1),
        (',', _) => (Kind::Comma, 1),
        (';', _) => (Kind::Semicolon, 1),
        (c, _) if c.is_ascii_digit() => (Kind::Number, number(rest)),
        (c, _) if is_word(c) => (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
        ('!', Some('i')) if rest.starts_with("!in") && !rest[3..].starts_with(is_word) => (Kind::Sign, 3),
        (c, _) => {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            (Kind::Sign, sign.map_or(c.len_utf8(), |sign| sign.len()))
        }
    })
}

/// May it stand in a name?
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_end(rest: &str) -> usize {
    rest.find('\n').unwrap_or(rest.len())
}

/// Comments may stand within each other.
fn block_comment(rest: &str) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    None
}

/// A text in quotes; two quotes in it are one.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = letters.next() {
        match c {
            '\\' => drop(letters.next()),
            c if c == quote => match letters.peek() {
                Some((_, next)) if *next == quote => drop(letters.next()),
                _ => return Some(at + 1),
            },
            _ => {}
        }
    }
    None
}

/// A text between `#"` and `"#`, with as many `#`.
fn raw(rest: &str) -> Option<usize> {
    let hashes = rest.find(|c| c != '#')?;
    let body = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", &rest[..hashes]);
    Some(hashes + 1 + body.find(&end)? + end.len())
}

/// A text in backticks, with the code in it, in which there may be further ones.
fn template(rest: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        let here = &rest[at..];
        match here.chars().next()? {
            '`' if here.starts_with("``") => at += 2,
            '`' => return Some(at + 1),
            '\\' if here.starts_with("\\${") => at += 3,
            '$' if here.starts_with("${") => at += code(here)?,
            c => at += c.len_utf8(),
        }
    }
}

/// From `${` to the bracket that closes it.
fn code(rest: &str) -> Option<usize> {
    let (mut depth, mut at) = (0usize, 1);
    loop {
        let first = rest[at..].chars().next()?;
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = piece(&rest[at..], first)?;
        at += length;
        match kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

fn number(rest: &str) -> usize {
    let digits = |from: usize| from + rest[from..].find(|c| !is_word(c)).unwrap_or(rest.len() - from);
    let mut end = digits(0);
    if rest.starts_with("0x") || rest.starts_with("0b") || rest.starts_with("0o") {
        return end;
    }
    if let Some(after) = rest[end..].strip_prefix('.') {
        match after.chars().next() {
            Some(c) if c.is_ascii_digit() => end = digits(end + 1),
            // A range, or a method of the number.
            Some(c) if c == '.' || is_word(c) => return end,
            _ => end += 1,
        }
    }
    let exponent = rest[..end].ends_with(['e', 'E']);
    match rest[end..].strip_prefix(['+', '-']) {
        Some(after) if exponent && after.starts_with(|c: char| c.is_ascii_digit()) => digits(end + 1),
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        tokens(script).expect("it ends").iter().map(|token| token.text).collect()
    }

    #[test]
    fn nothing_is_lost() {
        assert_eq!(
            texts("#!/x\n// a\nlet b=#{c:1..=2}; /* d /* e */ f */ g->h|>i"),
            [
                "#!/x",
                "// a",
                "let",
                "b",
                "=",
                "#{",
                "c",
                ":",
                "1",
                "..=",
                "2",
                "}",
                ";",
                "/* d /* e */ f */",
                "g",
                "->",
                "h",
                "|>",
                "i"
            ]
        );
        assert_eq!(
            texts("1.5e-3+1..2 5.abs() 0xff-1 1e5"),
            ["1.5e-3", "+", "1", "..", "2", "5", ".", "abs", "(", ")", "0xff", "-", "1", "1e5"]
        );
        assert_eq!(texts("a !in b != !c"), ["a", "!in", "b", "!=", "!", "c"]);
    }

    #[test]
    fn texts_end_where_rhai_says() {
        assert_eq!(texts(r#""a\"b" "c""d" 'e' '\''"#), [r#""a\"b""#, r#""c""d""#, "'e'", "'\\''"]);
        assert_eq!(texts("#\"a\"b\"# ##\"c\"#d\"##"), ["#\"a\"b\"#", "##\"c\"#d\"##"]);
        assert_eq!(
            texts("`a ${ f(`b ${ #{c: \"}\"} } `) } \\${ `` d` e"),
            ["`a ${ f(`b ${ #{c: \"}\"} } `) } \\${ `` d`", "e"]
        );
        assert_eq!(tokens("a `b ${c"), Err(2));
        assert_eq!(tokens("/* a"), Err(0));
    }

    #[test]
    fn lines_between_are_counted() {
        let newlines: Vec<usize> =
            tokens("a\n\n b; // c\nd").expect("it ends").iter().map(|token| token.newlines).collect();
        assert_eq!(newlines, [0, 2, 0, 0, 1]);
    }
}
