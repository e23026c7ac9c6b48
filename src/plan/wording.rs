//! Parts of a plan as a person would write them, each on one line.
//!
//! Names and scripts come from a script that is perhaps not trusted, so nothing leaves here that a terminal or a
//! drawing would take for a command: control characters and direction marks are replaced.

mod agent;
mod names;
mod pipeline;
mod policy;
mod stream;
mod text;
mod uses;
mod value;

use text::ENOUGH;

pub use agent::agent;
pub use names::Names;
pub use pipeline::{box_lines, pipeline, sink, source, stage, stage_work};
pub use policy::{breaker, limit, on_error_name, policies, strategies};
pub use stream::{ack, alert, item_error, number, stream};
pub use text::{clean, count, duration, list, plural, shorten, size, width};
pub use uses::{all_uses, each_reference, properties, reason};
pub use value::{a_kind, bare, command, name, property, reference, value};

#[cfg(test)]
mod tests {
    use super::super::Task;
    use super::super::sample::{Sample, plain, reference as sample_reference};
    use super::*;

    #[test]
    fn a_script_is_shown_as_it_was_written() {
        let mut sample = Sample::new("words");
        sample.sh("build", "make");
        let push = sample
            .sh("push", "./push.sh ${build.output.files} --to ${HOME.dir}x".replace("${HOME.dir}", "$HOME/").as_str());
        assert_eq!(command(&sample.plan, sample.plan.step(push)), "./push.sh ${build.output.files} --to $HOME/x");
        let build = sample.named("build");
        assert_eq!(uses::uses(&sample.plan, sample.plan.step(push), build), ["build.output.files"]);
    }

    #[test]
    fn words_of_a_program_are_quoted_where_they_must_be() {
        let mut sample = Sample::new("words");
        let build = sample.sh("build", "make");
        let words = vec![plain("echo"), plain("two words"), plain("it's"), sample_reference(build, "output")];
        let echo = sample.add("echo", Task::Exec(words));
        assert_eq!(command(&sample.plan, sample.plan.step(echo)), "echo 'two words' 'it'\\''s' ${build.output}");
    }

    #[test]
    fn nothing_that_commands_a_terminal_gets_through() {
        assert_eq!(clean("a\u{1b}[31mred\u{202e}\n\n  b\tc\r\n"), "a·[31mred· ⏎ b c");
    }

    #[test]
    fn text_is_shortened_by_columns() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert_eq!(shorten("日本語の名前", 7), "日本語…");
    }

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!((count(7), count(9_950), count(1_000_000)), ("7".into(), "9,950".into(), "1,000,000".into()));
        let times: Vec<_> = [350, 1_000, 1_550, 59_900, 90_000, 3_600_000, 100_000_000].map(duration).to_vec();
        assert_eq!(times, ["350ms", "1s", "1.5s", "59s", "1m 30s", "1h", "1d 3h"]);
        assert_eq!(list(&["a"], 3), "a");
        assert_eq!(list(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(list(&["a", "b", "c", "d"], 3), "a, b and 2 more");
    }
}
