//! Random scripts, cut at random places and resumed: what nobody thought of putting together.
//!
//! `FLOW_ROUNDS=100 cargo test --test crash random` goes on for longer than the two scripts of every day.

use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use flow::diag::Kind;

use crate::bench::Random;
use crate::cut::{Calls, Log, RAN, undisturbed};

/// Writes a script.
struct Author<'a> {
    random: &'a mut Random,
    /// May its end depend on moments: on stops and time limits?
    hasty: bool,
    names: u32,
    /// Steps at the top level that others may read or wait for, by variable.
    known: Vec<String>,
    text: String,
}

impl Author<'_> {
    fn one_in(&mut self, n: u64) -> bool {
        self.random.below(n) == 0
    }

    fn pick(&mut self, from: &[&str]) -> String {
        from[self.random.below(from.len() as u64) as usize].to_owned()
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("s{}", self.names)
    }

    fn known(&mut self) -> Option<String> {
        let at = self.random.below(self.known.len() as u64 + 1) as usize;
        self.known.get(at).cloned()
    }

    /// A step as an expression. `item`: a variable with a plain value.
    fn step(&mut self, depth: u32, item: Option<&str>) -> String {
        let name = self.name();
        let step = match self.random.below(if depth == 0 { 5 } else { 12 }) {
            0 | 1 => self.process(&name, item),
            2 => match (self.known(), item) {
                (_, Some(item)) => format!("call(\"{name}\", || `c${{{item}}}`)"),
                (Some(other), None) => format!("call(\"{name}\", || `${{{other}.status}} ${{{other}.output}}`)"),
                (None, None) => format!("call(\"{name}\", |input| [input, 1])"),
            },
            3 => format!("wait(\"{name}\", \"{}ms\")", self.random.below(4)),
            4 => match self.one_in(3) {
                true => format!("fail(\"{name}\", \"no\")"),
                false => format!("task(\"{name}\", [1, \"two\"])"),
            },
            5 | 6 => format!("chain(\"{name}\", [{}])", self.steps(depth, item)),
            7 => format!("parallel(\"{name}\", [{}])", self.steps(depth, item)),
            8 => self.branches(&name, depth, item),
            9 => {
                let (items, body) = (self.pick(&["[]", "[1]", "[\"a\", \"b\"]"]), self.step(depth - 1, Some("i")));
                format!("each(\"{name}\", {items}, |i| {body})")
            }
            10 => {
                let list = self.name();
                let body = self.step(depth - 1, Some("i"));
                let lines = self.random.below(4);
                // A block is an expression, too.
                format!(
                    "{{ let list = sh(\"{list}\", \"{RAN} seq {lines}\").parse(\"lines\"); \
                     each(\"{name}\", list.lines, |i| {body}) }}"
                )
            }
            _ => {
                let (max, body) = (1 + self.random.below(3), self.step(depth - 1, Some("i")));
                let until = match self.one_in(2) {
                    true => format!(", \"until\": |last| {}", self.pick(&["true", "false", "last == ()"])),
                    false => String::new(),
                };
                format!("repeat(\"{name}\", #{{ max: {max}{until} }}, |i, last| {body})")
            }
        };
        let policies = self.policies(depth);
        if step.starts_with('{') { step } else { step + policies.as_str() }
    }

    fn process(&mut self, name: &str, item: Option<&str>) -> String {
        let end = self.pick(&[
            "",
            "",
            "",
            "exit 3",
            "[ $FLOW_ATTEMPT -ge 2 ]",
            "cat",
            "seq 20000",
            "echo k=v >> $FLOW_OUTPUT",
        ]);
        let said = match (self.known(), item) {
            (Some(other), None) => format!("echo ${{{other}.code}};"),
            (_, Some(item)) => format!("echo ${{{item}}};"),
            (None, None) => "echo out;".to_owned(),
        };
        // What depends on the attempt must be tried until it succeeds: interruptions are attempts, too.
        let retry = if self.one_in(3) || end.contains("ATTEMPT") {
            ".retry(#{ max_attempts: 9, delay: \"1ms\", jitter: 0.5 })"
        } else {
            ""
        };
        format!("sh(\"{name}\", `{RAN} {said} {end}`){retry}")
    }

    fn steps(&mut self, depth: u32, item: Option<&str>) -> String {
        let several = 1 + self.random.below(3);
        (0..several).map(|_| self.step(depth - 1, item)).collect::<Vec<_>>().join(", ")
    }

    fn condition(&mut self) -> String {
        match self.known() {
            Some(step) => {
                let read = self.pick(&["passed", "failed", "skipped", "code == 3", "status == \"success\"", "nothing"]);
                format!("|| {step}.{read}")
            }
            None => self.pick(&["\"1 < 2\"", "\"2 < 1\""]),
        }
    }

    fn branches(&mut self, name: &str, depth: u32, item: Option<&str>) -> String {
        let mut text = format!("flow(\"{name}\")");
        for _ in 0..1 + self.random.below(2) {
            let (condition, step) = (self.condition(), self.step(depth - 1, item));
            let _ = write!(text, ".when({condition}, {step})");
        }
        if self.one_in(2) {
            let step = self.step(depth - 1, item);
            let _ = write!(text, ".otherwise({step})");
        }
        text
    }

    fn policies(&mut self, depth: u32) -> String {
        let mut text = String::new();
        if self.hasty && self.one_in(4) {
            let ms = self.random.below(40);
            let _ = write!(text, ".timeout(\"{ms}ms\")");
        }
        if self.hasty && self.one_in(8) {
            text.push_str(".on_error(\"stop\")");
        } else if self.one_in(4) {
            let what = self.pick(&["continue", "skip"]);
            let _ = write!(text, ".on_error(\"{what}\")");
        }
        if depth == 2 {
            if let Some(other) = self.known() {
                let _ = write!(text, ".after({other})");
                if self.one_in(2) {
                    let rule = self.pick(&["all_done", "none_failed", "one_success", "one_failed", "all_failed"]);
                    let _ = write!(text, ".rule(\"{rule}\")");
                }
            }
            if self.one_in(4) {
                let condition = self.condition();
                let _ = write!(text, ".when({condition})");
            }
        }
        text
    }

    fn script(mut self) -> String {
        if self.hasty && self.one_in(4) {
            let _ = writeln!(self.text, "settings(#{{ on_failure: \"stop\", timeout: \"150ms\" }});");
        }
        for n in 0..3 + self.random.below(5) {
            let step = self.step(2, None);
            let run = self.one_in(5);
            let _ = match run {
                true => writeln!(self.text, "let v{n} = run({step});"),
                false => writeln!(self.text, "let v{n} = {step};"),
            };
            self.known.push(format!("v{n}"));
        }
        for moment in ["start", "success", "failure", "complete"] {
            if self.one_in(3) {
                let (known, name) = (std::mem::take(&mut self.known), self.name());
                let step = self.process(&name, None);
                self.known = known;
                let _ = writeln!(self.text, "on(\"{moment}\", {step});");
            }
        }
        self.text
    }
}

/// As many rounds as are asked for, or these.
fn rounds(usual: u32) -> u32 {
    std::env::var("FLOW_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Writes scripts and has each of them looked at.
fn each_script(rounds: u32, hasty: bool, mut look: impl FnMut(&Log, &str, &mut Random)) {
    let mut random = Random::new();
    let mut done = 0;
    while done < rounds {
        let author = Author { random: &mut random, hasty, names: 0, known: Vec::new(), text: String::new() };
        let script = author.script();
        let looked = catch_unwind(AssertUnwindSafe(|| match undisturbed(&script, &[]) {
            Ok(log) => {
                done += 1;
                look(&log, &script, &mut random);
            }
            // Some are refused: conditions that are always true, steps that nobody can reach.
            Err(problem) => assert!(problem.kind() == Kind::Usage && problem.help_text().is_some(), "{problem:?}"),
        }));
        if let Err(problem) = looked {
            panic!("{}\n{script}", problem.downcast_ref::<String>().cloned().unwrap_or_default());
        }
    }
}

fn cut_and_resume(rounds: u32, hasty: bool) {
    let calls = Calls::default();
    each_script(rounds, hasty, |log, _, random| {
        for _ in 0..4 {
            let cut = 1 + random.below(log.records.len() as u64) as usize;
            let resumed = log.check(cut, &calls, !hasty);
            if resumed.records.len() > cut {
                let again = cut + random.below((resumed.records.len() - cut) as u64) as usize;
                resumed.check(again, &calls, !hasty);
            }
        }
    });
}

#[test]
fn random_runs_are_cut_and_resumed() {
    cut_and_resume(rounds(2), false);
}

#[test]
fn random_runs_with_stops_and_time_limits_are_cut_and_resumed() {
    cut_and_resume(rounds(2), true);
}

#[test]
fn random_runs_are_interrupted_again_and_again() {
    each_script(rounds(2), false, |log, script, random| {
        let mut times = 0;
        // Ever longer, so that it comes to an end.
        log.interrupt(script, || {
            times += 4;
            random.below(times)
        });
    });
}
