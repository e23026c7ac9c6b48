//! Patterns of files: may two of them mean the same file?
//!
//! Both are read as automata, over the names of folders and over the letters of a name, and are walked at the same time: the
//! product construction by which regular languages are intersected (Rabin and Scott, *Finite Automata and Their Decision
//! Problems*, 1959). The answer is yes where it is not certain: a set of letters (`[a-z]`) stands for any letter.

/// May a path match both? `*`, `?` and `[…]` stand for letters within one name, `**` for any folders. A pattern that names
/// a folder stands for all that is in it; a last name with a dot in it (`Cargo.toml`, `*.rs`) is taken for a file's. Paths are
/// relative to the same folder, or both absolute.
pub fn overlap(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (names(a), names(b)) else { return true };
    let is_file = |names: &[String]| names.last().is_some_and(|name| name.trim_start_matches('.').contains('.'));
    let below = |names: &[String]| {
        let further = (!is_file(names)).then(|| "**".to_owned());
        names.iter().cloned().chain(further).collect::<Vec<_>>()
    };
    both(&below(&a), &b) || both(&a, &below(&b))
}

/// The names on the way. Nothing: where it leads cannot be told.
fn names(pattern: &str) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    if pattern.starts_with('/') {
        names.push(String::new());
    }
    for name in pattern.split('/').filter(|name| !name.is_empty() && *name != ".") {
        match name {
            ".." => {
                let above = names.pop()?;
                if above.is_empty() || above == "**" {
                    return None;
                }
            }
            name => names.push(name.to_owned()),
        }
    }
    Some(names)
}

/// Walks two patterns, name by name. `known[i][j]`: can what is left of `a` from `i` and of `b` from `j` be the same?
fn both(a: &[String], b: &[String]) -> bool {
    let mut known = vec![vec![false; b.len() + 1]; a.len() + 1];
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            let any = |names: &[String], at: usize| names.get(at).is_some_and(|name| name == "**");
            known[i][j] = match (a.get(i), b.get(j)) {
                (None, None) => true,
                _ if any(a, i) && (known[i + 1][j] || j < b.len() && known[i][j + 1]) => true,
                _ if any(b, j) && (known[i][j + 1] || i < a.len() && known[i + 1][j]) => true,
                (Some(one), Some(other)) if !any(a, i) && !any(b, j) => known[i + 1][j + 1] && alike(one, other),
                _ => false,
            };
        }
    }
    known[0][0]
}

/// What a pattern of one name consists of.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Letter(char),
    One,
    Many,
}

fn signs(name: &str) -> Vec<Sign> {
    let letters: Vec<char> = name.chars().collect();
    let mut signs = Vec::with_capacity(letters.len());
    let mut at = 0;
    while let Some(letter) = letters.get(at) {
        at += 1;
        signs.push(match letter {
            '*' => Sign::Many,
            '?' => Sign::One,
            // `[]a]` holds the bracket itself.
            '[' => match letters.iter().skip(at + 1).position(|letter| *letter == ']') {
                Some(length) => {
                    at += length + 2;
                    Sign::One
                }
                None => Sign::Letter('['),
            },
            letter => Sign::Letter(*letter),
        });
    }
    signs
}

/// Can one name match both?
fn alike(a: &str, b: &str) -> bool {
    let (a, b) = (signs(a), signs(b));
    let mut known = vec![vec![false; b.len() + 1]; a.len() + 1];
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            known[i][j] = match (a.get(i), b.get(j)) {
                (None, None) => true,
                (Some(Sign::Many), _) if known[i + 1][j] || j < b.len() && known[i][j + 1] => true,
                (_, Some(Sign::Many)) if known[i][j + 1] || i < a.len() && known[i + 1][j] => true,
                (Some(Sign::Letter(one)), Some(Sign::Letter(other))) => one == other && known[i + 1][j + 1],
                (Some(Sign::Many), _) | (_, Some(Sign::Many)) | (None, _) | (_, None) => false,
                (Some(_), Some(_)) => known[i + 1][j + 1],
            };
        }
    }
    known[0][0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_that_meet() {
        for (a, b) in [
            ("src/**", "src/a.rs"),
            ("src", "src/a.rs"),
            ("./src/", "src/deep/er/a.rs"),
            ("**/*.rs", "src/**/mod.*"),
            ("a*c", "ab*"),
            ("[ab]x", "?x"),
            ("*", "src/a.rs"),
            ("**", "anything/at/all"),
            ("a/../b", "b"),
            ("../x", "y"),
            ("/tmp/a/**", "/tmp/*/b"),
            ("src/*", "src/a/b.rs"),
        ] {
            assert!(overlap(a, b) && overlap(b, a), "{a} and {b}");
        }
    }

    #[test]
    fn patterns_that_do_not() {
        for (a, b) in [
            ("src/**", "docs/**"),
            ("src/*.rs", "src/*.md"),
            ("**/*.rs", "README.md"),
            ("a/b", "b"),
            ("/tmp/a", "tmp/a"),
            ("a?", "abc"),
            ("src", "src2/a"),
        ] {
            assert!(!overlap(a, b) && !overlap(b, a), "{a} and {b}");
        }
    }

    /// Does a name match, letter by letter?
    fn is_name(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => is_name(rest, name),
            (Some((b'*', rest)), Some((_, left))) => is_name(rest, name) || is_name(pattern, left),
            (Some((sign, rest)), Some((letter, left))) => (*sign == b'?' || sign == letter) && is_name(rest, left),
            _ => false,
        }
    }

    /// Does a path match, or a folder above it?
    fn is_path(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, _) => true,
            (Some((&"**", rest)), None) => is_path(rest, path),
            (Some((&"**", rest)), Some((_, left))) => is_path(rest, path) || is_path(pattern, left),
            (Some((one, rest)), Some((name, left))) => is_name(one.as_bytes(), name.as_bytes()) && is_path(rest, left),
            (Some(_), None) => false,
        }
    }

    fn all_paths() -> Vec<Vec<&'static str>> {
        let names = ["a", "b", "aa", "ab", "ba", "bb"];
        let mut paths: Vec<Vec<&str>> = vec![vec![]];
        let mut from = 0;
        for _ in 0..4 {
            let to = paths.len();
            for at in from..to {
                for name in names {
                    let path = paths[at].iter().copied().chain([name]).collect();
                    paths.push(path);
                }
            }
            from = to;
        }
        paths.retain(|path| !path.is_empty());
        paths
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever matches both is found; and what is found is there, as far as such short paths show it.
        #[test]
        fn as_if_all_paths_were_tried(
            a in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "?", "a*", "*b", "ab", "**", "?a"]), 1..3),
            b in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "?", "a*", "*b", "ba", "**", "b?"]), 1..3),
        ) {
            let found = overlap(&a.join("/"), &b.join("/"));
            let there = all_paths().iter().any(|path| is_path(&a, path) && is_path(&b, path));
            prop_assert_eq!(found, there, "{:?} {:?}", a, b);
        }
    }
}
