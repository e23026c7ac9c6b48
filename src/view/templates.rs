//! The templates, in a terminal.

use super::look::columns;
use super::table::table;
use super::{Look, Tone};

/// A template in a line.
#[derive(Clone, Debug)]
pub struct TemplateLine {
    /// Its name.
    pub name: String,
    /// How many parameters it has.
    pub parameters: usize,
    /// What it is for.
    pub summary: String,
}

const HEADING: [&str; 3] = ["NAME", "PARAMETERS", "WHAT IT DOES"];

/// All templates, a line each.
pub fn templates(all: &[TemplateLine], look: Look) -> String {
    let names = all.iter().map(|line| columns(&line.name)).max().unwrap_or(0);
    let room = match look.width.saturating_sub(names + columns(HEADING[1]) + 4) {
        0 => usize::MAX,
        room => room,
    };
    let mut rows = vec![HEADING.map(str::to_owned).to_vec()];
    rows.extend(
        all.iter().map(|line| vec![line.name.clone(), line.parameters.to_string(), look.cut(&line.summary, room)]),
    );
    table(&rows, look, |_, column| (column == 0).then_some(Tone::Strong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_no_wider_than_the_terminal() {
        let line =
            |name: &str| TemplateLine { name: name.into(), parameters: 3, summary: "something that is long".into() };
        let text = templates(&[line("a"), line("bc")], Look { width: 30, ..Look::PLAIN });
        assert_eq!(
            text,
            "NAME  PARAMETERS  WHAT IT DOES\na     3           something tha…\nbc    3           something tha…\n"
        );
    }
}
