//! Doubles: how the attempts of a step end in a simulated run, instead of being made.

use super::{Answer, Failure, Usage};
use crate::diag::Span;
use crate::plan::Json;

/// What stands in for the steps whose paths fit a pattern.
#[derive(Clone, Debug)]
pub struct Double {
    /// A path, the end of one, or a pattern: `*` stands for any text, `?` for one character.
    pub pattern: String,
    /// Where it was given.
    pub span: Span,
    /// How attempts end, from the first on; the last one holds for all further attempts. Never empty.
    pub replies: Vec<Reply>,
}

/// How one attempt ends.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Is it said how it ends? Otherwise what stays inside the process is done for real.
    pub said: bool,
    /// Its output.
    pub value: Json,
    /// What a process prints, instead of `value`: it is read as its `parse` says.
    pub printed: Option<String>,
    /// What a process writes to standard error.
    pub stderr: Option<String>,
    /// Nothing: it ends well.
    pub error: Option<Failure>,
    /// The exit code of a process, or the status of an answer.
    pub code: Option<i32>,
    /// What comes from outside, for a step that waits for somebody or something.
    pub answer: Option<Answer>,
    /// How long it takes, in milliseconds.
    pub takes_ms: u64,
    /// What an agent uses for it.
    pub usage: Option<Usage>,
}

impl Double {
    /// Does it stand for more than one path?
    pub fn is_pattern(&self) -> bool {
        self.pattern.contains(['*', '?'])
    }

    /// Does it stand for the step of this path?
    pub fn fits(&self, path: &str) -> bool {
        if self.is_pattern() {
            return fits(&self.pattern, path);
        }
        path == self.pattern || path.strip_suffix(self.pattern.as_str()).is_some_and(|before| before.ends_with('/'))
    }

    /// How an attempt, counted from 1, ends.
    pub fn reply(&self, attempt: u32) -> Option<&Reply> {
        self.replies.get((attempt as usize).saturating_sub(1)).or(self.replies.last())
    }
}

/// Does a text fit a pattern in which `*` stands for any text and `?` for one character? Takes at most the product of the
/// lengths: the latest `*` is the only one that is tried again.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut again: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                again = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut again {
                Some((after, from)) => {
                    *from += 1;
                    (p, t) = (*after, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(pattern: &str) -> Double {
        Double { pattern: pattern.into(), span: Span::default(), replies: vec![Reply::default()] }
    }

    #[test]
    fn patterns_fit_paths() {
        for (pattern, path, is) in [
            ("*", "deploy/push", true),
            ("lint[*]", "lint[src/a.rs]", true),
            ("lint[*]", "lint[src/a.rs]/inner", false),
            ("lint[?]", "lint[a]", true),
            ("lint[?]", "lint[ab]", false),
            ("*/push", "deploy/push", true),
            ("*/push", "push", false),
            ("a*b*c", "axxbyybzc", true),
            ("a*b*c", "axxbyybz", false),
            ("", "", true),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern, path), is, "{pattern} {path}");
        }
    }

    #[test]
    fn a_name_fits_the_end_of_a_path() {
        assert!(double("push").fits("push"));
        assert!(double("push").fits("deploy/push"));
        assert!(!double("push").fits("deploy/repush"));
        assert!(!double("push").fits("push/inner"));
        assert!(double("lint[a]").fits("all/lint[a]"));
    }

    #[test]
    fn the_last_reply_holds_for_further_attempts() {
        let mut double = double("push");
        double.replies.push(Reply { takes_ms: 5, ..Reply::default() });
        let takes = |attempt| double.reply(attempt).map(|reply| reply.takes_ms);
        assert_eq!((takes(1), takes(2), takes(9)), (Some(0), Some(5), Some(5)));
    }
}
