//! Arrow strings (temporary shape until the grammar is merged).
pub use super::expression::Error;
/// A stage.
#[derive(Clone, Debug)]
pub enum Stage {
    /// name
    Name(String),
}
/// Parse.
pub fn parse_chain(_: &str) -> Result<Vec<Stage>, Error> {
    Ok(vec![])
}
/// Parse.
pub fn parse_flow(_: &str) -> Result<(), Error> {
    Ok(())
}
