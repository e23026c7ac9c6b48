//! Temporary, until the shell grammar is merged.
use super::{Shell, Value};
mod direct;
mod scan;
pub use super::expression::Error;
pub use direct::direct_words;
pub use scan::{Piece, scan};
/// A piece.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// text
    Text(String),
    /// value
    Value(Value),
}
/// Temporary.
pub fn compile(parts: &[Part], _shell: Option<&str>) -> Result<Shell, Error> {
    let mut script = String::new();
    let mut vars = vec![];
    for p in parts {
        match p {
            Part::Text(t) => script.push_str(t),
            Part::Value(v) => {
                let n = format!("FLOW_IN_{}", vars.len() + 1);
                script.push_str(&format!("\"${{{n}}}\""));
                vars.push((n.into(), v.clone()));
            }
        }
    }
    let direct = if vars.is_empty() { direct_words(&script) } else { None };
    Ok(Shell { script, vars, shell: None, direct })
}
