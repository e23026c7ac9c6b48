//! Closures as data: frozen when the host receives them, called while the plan runs.
//!
//! Rhai shares captured variables, so two closures of a loop would both see its last value; the host copies them at the
//! call (`freeze`). A closure's name is a hash of its source (the hashing seed is fixed), so that a process that
//! resumes a run finds it again in the same script.

use std::collections::HashMap;

use rhai::{AST, ASTNode, Dynamic, Expr, FnPtr, Stmt};

use super::convert::{self, Steps};
use super::fault::{Fault, raise};
use super::session::Session;
use crate::diag::{Diagnostic, Span};
use crate::event::{Failure, FailureKind};
use crate::plan::Closure;
use crate::state::{Inputs, Problem};

/// What is known of a function of the script.
#[derive(Clone, Debug)]
pub struct Function {
    /// Number of parameters, captured ones included.
    pub parameters: usize,
    /// The source of a closure.
    pub text: String,
    /// Where a closure stands, in its file: line and column.
    pub place: (u32, u16),
    /// The pointer to a closure, as the script made it.
    pub pointer: Option<FnPtr>,
}

/// All functions and closures of a compiled file.
pub fn of_file(ast: &AST, text: &str) -> HashMap<String, Function> {
    let mut functions: HashMap<String, Function> = ast
        .iter_functions()
        .map(|f| {
            let function = Function { parameters: f.params.len(), text: String::new(), place: (0, 0), pointer: None };
            (f.name.to_string(), function)
        })
        .collect();
    let mut lines: Option<Vec<&str>> = None;
    ast.walk(&mut |nodes| {
        if let Some(ASTNode::Expr(Expr::DynamicConstant(value, position))) = nodes.last()
            && let Some(pointer) = value.read_lock::<FnPtr>()
            && let Some(function) = functions.get_mut(pointer.fn_name())
            && function.pointer.is_none()
        {
            let lines = lines.get_or_insert_with(|| text.split('\n').collect());
            let (line, column) = (position.line().unwrap_or(0), position.position().unwrap_or(1));
            function.text = source_of(lines, line, column);
            function.place = (line as u32, column.min(u16::MAX as usize) as u16);
            let mut pointer = pointer.clone();
            pointer.set_curry([]);
            function.pointer = Some(pointer);
        }
        true
    });
    functions
}

/// The first of the `captured` variables of a closure that it assigns to, also by index or property. A name that it
/// declares itself, too, is not looked at.
pub fn assigned(ast: &AST, closure: &str, captured: usize) -> Option<String> {
    let alone = ast.clone_functions_only_filtered(|_, _, is_script, name, _| is_script && name == closure);
    let (mut written, mut own) = (Vec::new(), Vec::new());
    alone.walk(&mut |nodes| {
        match nodes.last() {
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                let mut at = &assignment.1.lhs;
                while let Expr::Dot(inner, ..) | Expr::Index(inner, ..) = at {
                    at = &inner.lhs;
                }
                if let Expr::Variable(variable, ..) = at {
                    written.push(variable.1.to_string());
                }
            }
            Some(ASTNode::Stmt(Stmt::Var(declared, ..))) => own.push(declared.0.name.to_string()),
            Some(ASTNode::Stmt(Stmt::For(each, _))) => {
                own.push(each.0.name.to_string());
                own.extend(each.1.iter().map(|counter| counter.name.to_string()));
            }
            Some(ASTNode::Stmt(Stmt::TryCatch(block, _))) => {
                if let Expr::Variable(error, ..) = &block.expr {
                    own.push(error.1.to_string());
                }
            }
            _ => {}
        }
        true
    });
    let function = ast.iter_functions().find(|function| function.name == closure)?;
    let names = function.params.iter().take(captured);
    names.map(ToString::to_string).find(|name| written.contains(name) && !own.contains(name))
}

/// The source of a closure, from its first `|` to the end of its body, on one line.
fn source_of(lines: &[&str], line: usize, column: usize) -> String {
    let mut text = String::new();
    let mut depth = 0usize;
    let mut bars = 0;
    let mut quote: Option<char> = None;
    let mut braces_body = false;
    for (n, source) in lines.iter().enumerate().skip(line.saturating_sub(1)).take(40) {
        let skip = if n + 1 == line { column.saturating_sub(1) } else { 0 };
        let mut chars = source.chars().skip(skip).peekable();
        while let Some(c) = chars.next() {
            if let Some(open) = quote {
                text.push(c);
                if c == '\\' {
                    text.extend(chars.next());
                } else if c == open {
                    quote = None;
                }
                continue;
            }
            match c {
                '/' if chars.peek() == Some(&'/') => break,
                // The indent of a further line.
                c if c.is_whitespace() && text.ends_with(' ') => continue,
                '"' | '`' | '\'' => quote = Some(c),
                '|' if bars < 2 => bars += 1,
                '(' | '[' => depth += 1,
                '{' => {
                    braces_body |= bars == 2 && depth == 0 && text.trim_end().ends_with('|');
                    depth += 1;
                }
                ')' | ']' | '}' if depth == 0 => return text.trim().to_owned(),
                ')' | ']' | '}' => {
                    depth -= 1;
                    if depth == 0 && c == '}' && braces_body {
                        text.push(c);
                        return text.trim().to_owned();
                    }
                }
                ',' | ';' if depth == 0 && bars >= 2 => return text.trim().to_owned(),
                _ => {}
            }
            text.push(c);
        }
        if !text.ends_with(' ') {
            text.push(' ');
        }
        if text.len() > 2_000 {
            break;
        }
    }
    text.trim().to_owned()
}

/// The name of a function, as its file knows it.
pub fn name_of(pointer: &FnPtr) -> String {
    pointer.fn_name().replace(ELSEWHERE, "$")
}

/// A closure as data, with its captured variables as they are now.
pub fn freeze(session: &mut Session, pointer: &FnPtr, span: Span) -> Result<Closure, Fault> {
    let mut captured = Vec::with_capacity(pointer.curry().len());
    for value in pointer.iter_curry() {
        let value = value.clone().flatten();
        captured.push(convert::to_value(session, &value, Steps::AsThemselves, span)?);
    }
    let name = name_of(pointer);
    let Some(text) = session.program.function(&name, |_, function| function.text.clone()) else {
        return Err(raise(
            Diagnostic::new("flow::lang::unknown_function", format!("there is no function `{name}` in this script"))
                .label(span, "named here")
                .help("a closure `|| …` or the name of a function that the script declares"),
        ));
    };
    Ok(Closure { function: name.into(), captured, text, span })
}

/// A closure within a closure of the file `home`, ready to be called by the script.
pub fn thaw(session: &Session, closure: &Closure, inputs: &Inputs, home: &str) -> Result<FnPtr, Problem> {
    let found = session.program.function(&closure.function, |file, known| (file.name.clone(), known.pointer.clone()));
    let own = found.as_ref().map_or_else(|| home.to_owned(), |(file, _)| file.clone());
    let pointer = match found {
        // It knows the functions and the imports of its own file, and is found there alone.
        Some((file, _)) if file != home => elsewhere(session, closure),
        Some((_, Some(pointer))) => Ok(pointer),
        _ => FnPtr::new(closure.function.as_str()),
    };
    let mut pointer = pointer.map_err(|_| lost(closure))?;
    let captured = closure.captured.iter().map(|value| convert::captured(session, value, inputs, &own));
    pointer.set_curry(captured.collect::<Result<Vec<_>, _>>()?);
    Ok(pointer)
}

/// In the place of the `$` in the name of a closure, where a name must be one that a script could write.
const ELSEWHERE: &str = "_elsewhere_";

/// A closure of another file than the one that calls it: what a script hands to a module.
fn elsewhere(session: &Session, closure: &Closure) -> Result<FnPtr, Fault> {
    let (program, name) = (session.program.clone(), closure.function.clone());
    #[allow(deprecated)] // "not deprecated, but volatile"; there is no other way to say what a call of it does
    FnPtr::from_fn(closure.function.replace('$', ELSEWHERE), move |context, arguments| {
        program.call_at_home(&context, &name, arguments)
    })
}

/// The closure of a plan is not in its script.
pub fn lost(closure: &Closure) -> Failure {
    Failure {
        span: Some(closure.span),
        ..Failure::new(FailureKind::Script, format!("the closure `{}` is not in the recorded script", closure.text))
    }
    .help("the run was recorded by another version of flow; start it anew")
}

/// The arguments of a call: captured values, then the given ones, as many as the function takes.
pub fn arguments(
    session: &Session,
    closure: &Closure,
    given: Vec<Dynamic>,
    inputs: &Inputs,
) -> Result<Vec<Dynamic>, Problem> {
    let (home, takes) = session
        .program
        .function(&closure.function, |file, function| (file.name.clone(), function.parameters))
        .ok_or_else(|| lost(closure))?;
    let takes = takes.saturating_sub(closure.captured.len());
    let mut arguments = Vec::with_capacity(closure.captured.len() + takes);
    for value in &closure.captured {
        arguments.push(convert::captured(session, value, inputs, &home)?);
    }
    if takes > given.len() {
        return Err(Failure {
            span: Some(closure.span),
            ..Failure::new(
                FailureKind::Script,
                format!("the closure takes {takes} values, but is given {}", given.len()),
            )
        }
        .help("see `flow docs` for what a closure gets there"));
    }
    arguments.extend(given.into_iter().take(takes));
    Ok(arguments)
}
