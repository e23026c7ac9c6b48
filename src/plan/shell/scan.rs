//! Finds what is ours in a double-quoted text of a script: `"deploy ${build.output}"`.

use super::super::expression::{self, Expr, Kind};

/// A piece of such a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text that stays as it is; the shell's own `${HOME}`, `${x:-y}` are in it.
    Text(String),
    /// What stands between `${` and `}`, to be parsed as an expression.
    Expression(String),
}

/// Cuts a text into what stays and what is ours.
///
/// Ours is `${…}` whose inside begins with a name and a dotted property (`${build.output}`, also if the rest of it
/// is wrong, so that a slip is an error and not an empty text) or with a function (`${fn:uppercase(…)}`), or is a
/// ternary that reads such a name (`${tests.passed ? 'green' : 'red'}`). No shell knows names with a dot, so nothing
/// is taken from it. `\${…}` stays as it is.
pub fn scan(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut kept = String::new();
    let mut rest = text;
    while let Some(place) = rest.find(['$', '\\']) {
        let (before, here) = rest.split_at(place);
        kept.push_str(before);
        let inside = here.strip_prefix("${").and_then(|inside| end(inside).map(|end| &inside[..end]));
        if let Some(inside) = inside.filter(|inside| is_ours(inside)) {
            if !kept.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut kept)));
            }
            pieces.push(Piece::Expression(inside.trim().to_owned()));
            rest = &here[inside.len() + "${}".len()..];
            continue;
        }
        // A backslash keeps the sign behind it.
        let taken = if here.starts_with('\\') { here.chars().take(2).map(char::len_utf8).sum() } else { 1 };
        kept.push_str(&here[..taken]);
        rest = &here[taken..];
    }
    kept.push_str(rest);
    if !kept.is_empty() {
        pieces.push(Piece::Text(kept));
    }
    pieces
}

/// Where the `}` is that belongs to a `${`: not within quotes. One beyond the line is not looked for.
fn end(inside: &str) -> Option<usize> {
    let mut quote = None;
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (_, '\n') => return None,
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '}') => return Some(at),
            _ => {}
        }
    }
    None
}

fn is_ours(inside: &str) -> bool {
    let inside = inside.trim_start();
    let name = inside.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(name);
    let begins_well = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    if begins_well(name) && !name.ends_with('-') {
        let dotted = rest.strip_prefix('.').is_some_and(begins_well);
        let function = rest.starts_with('(')
            || name == "fn" && rest.strip_prefix(':').is_some_and(begins_well) && rest.contains('(');
        if dotted || function {
            return true;
        }
    }
    inside.contains('?')
        && expression::parse(inside).is_ok_and(|expr| matches!(expr.kind, Kind::Choice(_)) && reads_property(&expr))
}

fn reads_property(expr: &Expr) -> bool {
    expression::names(expr).iter().any(|(_, path)| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(text: &str) -> Vec<String> {
        let of = |piece| if let Piece::Expression(text) = piece { Some(text) } else { None };
        scan(text).into_iter().filter_map(of).collect()
    }

    #[test]
    fn results_of_steps_are_ours() {
        for (text, inside) in [
            ("a ${build.output} b", "build.output"),
            ("${ to-staging.output.files[0] }", "to-staging.output.files[0]"),
            ("${fn:uppercase(a.text)}", "fn:uppercase(a.text)"),
            ("${default(a.x, '}')}", "default(a.x, '}')"),
            ("${a.passed ? 'yes' : \"no\"}", "a.passed ? 'yes' : \"no\""),
            ("${not a.passed ? 1 : 2}", "not a.passed ? 1 : 2"),
            ("${build.outptu +}", "build.outptu +"),
            ("'${a.b}'", "a.b"),
            ("$${cost.output}", "cost.output"),
        ] {
            assert_eq!(ours(text), [inside], "{text}");
        }
        let text = |text: &str| Piece::Text(text.into());
        let expression = |text: &str| Piece::Expression(text.into());
        assert_eq!(scan("${a.b}${c.d} e"), [expression("a.b"), expression("c.d"), text(" e")]);
        assert_eq!(scan(""), []);
    }

    #[test]
    fn what_a_shell_can_read_is_the_shells() {
        for text in [
            "${HOME}",
            "${x:-y}",
            "${x:-a.b}",
            "${#x}",
            "${x%.*}",
            "${file%tar.gz}",
            "${x/a.b/c}",
            "${x#*.}",
            "${a[0]}",
            "${x-1.0}",
            "${!x}",
            "${x?no}",
            "$HOME.txt",
            "${x}.${y}",
            "$(a.b)",
            "${",
            "${a.b",
            "${\na.b}",
            "\\${a.b}",
            "${1}",
            "${x?a:b}",
            "${}",
        ] {
            assert_eq!(ours(text), [""; 0], "{text}");
            assert_eq!(scan(text), [Piece::Text(text.into())], "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_gets_lost(text in "([$\\\\{}.a?:'\"() -]|fn:|\\PC){0,30}") {
            let again: String = scan(&text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Expression(inside) => format!("${{{inside}}}"),
                })
                .collect();
            let bare = |text: &str| text.replace(char::is_whitespace, "");
            proptest::prop_assert_eq!(bare(&again), bare(&text));
        }
    }
}
