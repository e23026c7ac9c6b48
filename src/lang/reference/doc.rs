//! How a documentation comment is put together: one form for all host functions and modules.
//!
//! ````text
//! What it means. The first sentence stands in lists.
//!
//! - `duration` (duration): a parameter; its kind where the function's signature does not say it
//!
//! ```rhai
//! an example
//! ```
//!
//! In make: what it is like there.
//!
//! Errors: `flow::lang::option`, `flow::plan::policy`.
//!
//! See: `deadline`, `estimate`.
//! ````

/// A comment, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doc {
    /// What it means, as Markdown.
    pub meaning: String,
    /// What parameters mean.
    pub parameters: Vec<Described>,
    /// Examples: what stands behind the fence, and the script.
    pub examples: Vec<(String, String)>,
    /// What it is like elsewhere, as Markdown, a paragraph each.
    pub elsewhere: Vec<String>,
    /// Codes of the errors that it can lead to.
    pub errors: Vec<String>,
    /// Names of other items.
    pub see: Vec<String>,
}

/// A parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// What kind of value it takes, in words; empty if the comment does not say it.
    pub kind: String,
    /// What it means, as Markdown.
    pub meaning: String,
}

impl Doc {
    /// Takes a comment apart.
    pub fn of(text: &str) -> Doc {
        let mut doc = Doc::default();
        for block in blocks(text) {
            if let Some(code) = block.strip_prefix("```") {
                let (tag, code) = code.split_once('\n').unwrap_or((code, ""));
                doc.examples.push((tag.to_owned(), code.trim_end_matches("```").to_owned()));
            } else if block.starts_with("- `") {
                doc.parameters.extend(parameters(&block));
            } else if let Some(list) = block.strip_prefix("Errors: ") {
                doc.errors.extend(quoted(list));
            } else if let Some(list) = block.strip_prefix("See: ") {
                doc.see.extend(quoted(list));
            } else if is_elsewhere(&block) {
                doc.elsewhere.push(block);
            } else {
                doc.meaning.push_str(if doc.meaning.is_empty() { "" } else { "\n\n" });
                doc.meaning.push_str(&block);
            }
        }
        doc
    }

    /// The first sentence of its meaning, without the full stop.
    pub fn summary(&self) -> String {
        first_sentence(&self.meaning)
    }
}

/// A text up to its first full stop or empty line.
pub fn first_sentence(text: &str) -> String {
    let lines: Vec<_> = text.trim().lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let text = lines.join(" ");
    text.split_once(". ").map_or(&*text, |(first, _)| first).trim_end_matches(['.', ':']).to_owned()
}

/// Paragraphs, lists and blocks of code: what empty lines divide.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let (mut code, mut open) = (false, false);
    for line in text.lines() {
        let fence = line.trim_start().starts_with("```");
        if line.trim().is_empty() && !code {
            open = false;
            continue;
        }
        let begins = line.starts_with("Errors: ") || line.starts_with("See: ");
        if !open || (!code && (fence || begins)) {
            blocks.push(String::new());
            open = true;
        }
        if let Some(block) = blocks.last_mut() {
            block.push_str(if block.is_empty() { "" } else { "\n" });
            block.push_str(line);
        }
        if fence {
            code = !code;
            open = code;
        }
    }
    blocks
}

fn parameters(block: &str) -> Vec<Described> {
    let mut found: Vec<Described> = Vec::new();
    for line in block.lines() {
        let begun = line.strip_prefix("- `").and_then(|rest| rest.split_once('`'));
        match (begun, found.last_mut()) {
            (Some((name, rest)), _) => {
                let rest = rest.trim_start();
                let (kind, meaning) = match rest.strip_prefix('(').and_then(|rest| rest.split_once("):")) {
                    Some((kind, meaning)) => (kind, meaning),
                    None => ("", rest.trim_start_matches(':')),
                };
                let (name, kind, meaning) = (name.to_owned(), kind.to_owned(), meaning.trim().to_owned());
                found.push(Described { name, kind, meaning });
            }
            (None, Some(last)) => last.meaning = format!("{} {}", last.meaning, line.trim()),
            (None, None) => {}
        }
    }
    found
}

/// The words in a text that stand between backticks.
fn quoted(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// Does a paragraph say what something is like elsewhere: "In make: …"?
fn is_elsewhere(block: &str) -> bool {
    let Some((who, _)) = block.strip_prefix("In ").and_then(|rest| rest.split_once(": ")) else { return false };
    who.len() < 40 && who.chars().all(|c| c.is_alphanumeric() || " ,+".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_has_parts() {
        let doc = Doc::of(
            "Longest time. After it, the end.\n\nMore.\n\n- `duration` (duration): how long;\n  at most\n- `name`: its name\n\n\
             ```rhai\na;\n\nb;\n```\n\nIn make: nothing. In a shell: `timeout`.\n\nErrors: `flow::lang::option`, `flow::plan::policy`.\nSee: `x`.",
        );
        assert_eq!(doc.meaning, "Longest time. After it, the end.\n\nMore.");
        assert_eq!(doc.summary(), "Longest time");
        assert_eq!(doc.parameters[0].kind, "duration");
        assert_eq!(doc.parameters[0].meaning, "how long; at most");
        assert_eq!(doc.parameters[1].name, "name");
        assert_eq!(doc.examples, [("rhai".to_owned(), "a;\n\nb;\n".to_owned())]);
        assert_eq!(doc.elsewhere, ["In make: nothing. In a shell: `timeout`."]);
        assert_eq!(doc.errors[..2], ["flow::lang::option", "flow::plan::policy"]);
    }
}
