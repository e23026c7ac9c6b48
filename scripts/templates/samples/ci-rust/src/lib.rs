//! Greetings.

/// A greeting for somebody.
///
/// ```
/// assert_eq!(greet::greeting("Ada"), "hello, Ada");
/// ```
pub fn greeting(name: &str) -> String {
    format!("hello, {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_greets() {
        assert_eq!(greeting("world"), "hello, world");
    }
}
