//! The source of a closure, with everything of the script that it calls: by this two versions of a script are compared,
//! since the name of a closure changes with its place.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use smol_str::SmolStr;

use super::Program;
use super::program::File;
use crate::diag::tokens::{self, Kind, Token};
use crate::diag::{Sources, Span};
use crate::plan::Closure;

/// The sources of a script's closures.
pub struct Origins {
    program: Program,
    /// Functions and constants, by name.
    functions: BTreeMap<String, Vec<String>>,
    /// Those that were asked for.
    known: RefCell<HashMap<SmolStr, String>>,
}

impl Origins {
    /// The source of a closure, apart from blanks and comments, followed by that of every function of the script which
    /// it names, and so on.
    pub fn of(&self, closure: &Closure) -> String {
        if let Some(known) = self.known.borrow().get(&closure.function) {
            return known.clone();
        }
        // A closure that is not in the script is like no other.
        let origin = self.find(closure).unwrap_or_else(|| closure.function.to_string());
        self.known.borrow_mut().insert(closure.function.clone(), origin.clone());
        origin
    }

    fn find(&self, closure: &Closure) -> Option<String> {
        let (file, place) =
            self.program.function(&closure.function, |file, function| (file.clone(), function.place))?;
        let own = match place {
            // It is called by its name.
            (0, _) => vec![closure.function.to_string()],
            (line, column) => {
                let sources = Sources::one(file.name.clone(), file.text.clone());
                let begin = sources.offset(Span::at(line, column))?;
                written(&file, closure_at(&tokens::tokens(&file.text), &file.text, begin))
            }
        };
        let mut called: BTreeSet<&str> = BTreeSet::new();
        let mut found: Vec<&str> = own.iter().map(String::as_str).collect();
        while let Some(word) = found.pop() {
            if let Some((name, body)) = self.functions.get_key_value(word)
                && called.insert(name)
            {
                found.extend(body.iter().map(String::as_str));
            }
        }
        let mut text = own.join(" ");
        for name in called {
            text.push('\n');
            text.push_str(&self.functions[name].join(" "));
        }
        Some(text)
    }
}

impl Program {
    /// The sources of its closures, as far as its files have been loaded.
    pub fn origins(&self) -> Origins {
        Origins { program: self.clone(), functions: self.functions(), known: RefCell::default() }
    }

    /// All that the script declares by a name: its functions and those of its modules, and constants.
    fn functions(&self) -> BTreeMap<String, Vec<String>> {
        let mut functions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in self.files().iter() {
            let parsed = tokens::tokens(&file.text);
            for (at, token) in parsed.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
                let end = match token.of(&file.text) {
                    "fn" => {
                        let open =
                            |from: usize, sign: &str| (from..parsed.len()).find(|n| parsed[*n].of(&file.text) == sign);
                        let params = open(at, "(").map(|open| tokens::closing(&parsed, open));
                        params.and_then(|params| open(params, "{")).map(|body| tokens::closing(&parsed, body))
                    }
                    "const" => (at..parsed.len()).find(|n| parsed[*n].of(&file.text) == ";"),
                    _ => continue,
                };
                let Some((name, end)) = parsed.get(at + 1).map(|name| name.of(&file.text)).zip(end) else { continue };
                let text = written(file, &parsed[at..(end + 1).min(parsed.len())]);
                functions.entry(name.to_owned()).or_default().extend(text);
            }
        }
        functions
    }
}

/// The pieces of a file, as they are written.
fn written(file: &File, tokens: &[Token]) -> Vec<String> {
    tokens.iter().map(|token| token.of(&file.text).to_owned()).collect()
}

/// The closure that begins at a byte: its parameters and its body.
fn closure_at<'a>(tokens: &'a [Token], text: &str, begin: usize) -> &'a [Token] {
    let Some(first) = tokens.iter().position(|token| token.start >= begin) else { return &[] };
    let mut at = first;
    if !tokens[first].of(text).starts_with("||") {
        at += 1;
        while tokens.get(at).is_some_and(|token| !token.of(text).starts_with('|')) {
            at += 1;
        }
    }
    at += 1;
    if tokens.get(at).is_some_and(|token| token.of(text) == "{") {
        return &tokens[first..(tokens::closing(tokens, at) + 1).min(tokens.len())];
    }
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Open => at = tokens::closing(tokens, at),
            Kind::Close => break,
            _ if matches!(token.of(text), "," | ";") => break,
            _ => {}
        }
        at += 1;
    }
    &tokens[first..at.min(tokens.len())]
}

#[cfg(test)]
mod tests {
    use super::super::Script;
    use super::*;
    use crate::plan::{Plan, Task};

    fn origin(script: &str) -> String {
        let program = Program::compile(&Script::from_text("a.rhai", script)).expect("it is in order");
        let mut plan = Plan::default();
        plan.grow(program.build(&[], None).expect("it is in order").growth);
        let call = plan.steps.iter().find_map(|step| match &*step.task {
            Task::Call(closure) => Some(closure.clone()),
            _ => None,
        });
        program.origins().of(&call.expect("a call"))
    }

    #[test]
    fn places_blanks_and_comments_do_not_count() {
        let plain = origin("call(\"a\", |i| i + 1);");
        assert_eq!(plain, "| i | i + 1");
        assert_eq!(plain, origin("// first\n\nlet x = 5;\ncall(\"a\", // add\n  |i|  i\n + 1);"));
        assert_ne!(plain, origin("call(\"a\", |i| i + 2);"));
        assert_eq!(
            origin("let s = sh(\"s\", \"true\");\ncall(\"a\", || s.passed && `${s.text}, x` == \"a\")"),
            "|| s . passed && ` ${ s . text } , x` == \"a\""
        );
    }

    #[test]
    fn a_long_body_counts_whole() {
        let long = |last: &str| format!("call(\"a\", || {{\n{}\n{last}\n}});", "let x = 1;\n".repeat(500));
        assert_ne!(origin(&long("1")), origin(&long("2")));
    }

    #[test]
    fn functions_that_it_calls_count() {
        let script = |body: &str| {
            format!(
                "fn inner(n) {{ {body} }}\nfn outer(n) {{ inner(n) * 2 }}\nfn other() {{ 7 }}\ncall(\"a\", |i| outer(i));"
            )
        };
        assert_ne!(origin(&script("n + 1")), origin(&script("n + 2")));
        assert!(!origin(&script("n")).contains("other"));
        let constant = |n: u32| format!("const N = {n};\nfn f() {{ global::N }}\ncall(\"a\", || f());");
        assert_ne!(origin(&constant(1)), origin(&constant(2)));
        assert!(origin("let x = 5;\ncall(\"a\", |i| i + x);").starts_with("| i | i + x"));
    }
}
