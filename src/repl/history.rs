//! What was typed in earlier sessions: where it is kept, and what is not.

use std::path::PathBuf;

/// Entries that are kept.
pub const LONGEST: usize = 10_000;

/// The file: below the folder where programs keep their state (the XDG base directories). Nothing: there is none.
pub fn file() -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = var("XDG_STATE_HOME").filter(|path| path.is_absolute());
    let state = state.or_else(|| var("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("flow/history"))
}

/// What had better not be written down: it looks like a password.
pub fn is_private(text: &str) -> bool {
    const WORDS: [&str; 6] = ["password", "passwd", "token", "api_key", "apikey", "secret"];
    let lower = text.to_lowercase();
    text.starts_with(' ')
        || WORDS.iter().any(|word| {
            lower.match_indices(word).any(|(at, _)| {
                let rest =
                    lower[at + word.len()..].trim_start_matches(|c: char| c.is_alphanumeric() || "_\"'".contains(c));
                let rest = rest.trim_start();
                rest.starts_with([':', '='])
                    && !rest.starts_with("==")
                    && !rest[1..].trim_start().starts_with("secret(")
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_password_is_not_kept() {
        for (text, private) in [
            ("let password = \"x\"", true),
            ("sh(\"a\", \"b\").env(#{ API_TOKEN: \"x\" })", true),
            ("let token = secret(\"TOKEN\")", false),
            ("secret(\"TOKEN\")", false),
            (" let x = 1", true),
            ("let tokens_of = 1", true),
            ("x.passed", false),
        ] {
            assert_eq!(is_private(text), private, "{text}");
        }
    }
}
