//! Dead letters: items of a pipeline that failed and were kept, each with its place and its error.

use serde_json::json;

use super::look::{columns, one_line};
use super::summary::shell_word;
use super::table::table;
use super::time::Clock;
use super::{Look, Tone, flowed};
use crate::event::{Counts, DeadLetter};
use crate::plan::Json;
use crate::plan::wording::{count, plural};
use crate::state::dead::DeadLetters;

/// Letters of one pipeline that are shown, unless all are asked for.
const SHOWN: usize = 50;
/// Columns of an item, where lines may be of any length, and at least of an error in a terminal.
const ITEM: usize = 60;
/// Columns of an item that an error leaves it in a terminal, at least.
const LEFT: usize = 20;

/// The page of `flow pipeline dead`. `all`: leave nothing out.
pub fn dead_letters(pipelines: &[DeadLetters], clock: &Clock, look: Look, all: bool) -> String {
    let mut text = String::new();
    for (n, pipeline) in pipelines.iter().enumerate() {
        if n > 0 {
            text.push('\n');
        }
        one(pipeline, clock, look, all, &mut text);
    }
    text
}

fn one(pipeline: &DeadLetters, clock: &Clock, look: Look, all: bool, text: &mut String) {
    let letters = &pipeline.letters;
    let replayed = letters.iter().filter(|(_, by)| by.is_some()).count();
    let name = look.paint(Tone::Strong, &one_line(&pipeline.step));
    let mut said = plural(letters.len(), "dead letter");
    if replayed > 0 {
        said.push_str(&format!(", {} replayed since", count(replayed)));
    }
    let of = look.paint(Tone::Faint, &format!("  of {}", flowed::counts(&Counts { dead: 0, ..pipeline.counts })));
    text.push_str(&format!("{name} {said}{of}\n"));
    if letters.is_empty() {
        return;
    }
    let most = if all { usize::MAX } else { SHOWN };
    // Where lines may be of any length, the reason is told whole: it is what one looks for.
    let cut = |words: &str, room: usize| look.cut(&one_line(words), if all { usize::MAX } else { room });
    let mut rows = vec![["place", "stage", "tries", "at", "error", "item"].map(str::to_owned).to_vec()];
    for (letter, by) in letters.iter().take(most) {
        let item = match (&letter.item, pipeline.secret) {
            (_, true) => super::MASK.to_owned(),
            (Json::String(words), _) => words.clone(),
            (item, _) => item.to_string(),
        };
        let error = match by {
            Some(run) => format!("{} (replayed by {run})", one_line(&letter.error)),
            None => letter.error.clone(),
        };
        let place = if letter.place.is_empty() { format!("item {}", letter.offset) } else { letter.place.clone() };
        let (place, stage) = (one_line(&place), one_line(&letter.stage));
        rows.push(vec![place, stage, letter.attempts.to_string(), clock.time(letter.at), error, item]);
    }
    // The terminal is shared out: what the other columns leave goes to the error first.
    let widest = |rows: &[Vec<String>], column: usize| rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0);
    let others: usize = (0..4).map(|column| widest(&rows, column) + 2).sum::<usize>() + 4;
    let (errors, items) = match look.width.checked_sub(others) {
        None | Some(0) => (usize::MAX, ITEM),
        Some(room) => {
            let items = widest(&rows, 5).min(LEFT.max(room / 3));
            let errors = widest(&rows, 4).min(room.saturating_sub(items).max(LEFT));
            (errors, room.saturating_sub(errors).max(LEFT))
        }
    };
    for row in &mut rows {
        row[4] = cut(&row[4], errors);
        row[5] = cut(&row[5], items);
    }
    let replayed = |row: usize| letters.get(row).is_some_and(|(_, by)| by.is_some());
    let tone = |row: usize, column: usize| match column {
        _ if replayed(row) => Some(Tone::Faint),
        4 => Some(Tone::Bad),
        3 => Some(Tone::Faint),
        _ => None,
    };
    let table = table(&rows, look, tone);
    for line in table.lines() {
        // Lines with colours are left as they are: their columns cannot be counted here.
        let fits = look.color || look.width == 0 || all || columns(line) + 2 <= look.width;
        let line = if fits { line.to_owned() } else { look.cut(line, look.width.saturating_sub(2)) };
        text.push_str(&format!("  {line}\n"));
    }
    if letters.len() > most {
        let more = format!("{} {} more (--all shows them)", look.ellipsis(), count(letters.len() - most));
        text.push_str(&format!("  {}\n", look.paint(Tone::Faint, &more)));
    }
    if !pipeline.file.is_empty() {
        text.push_str(&format!("file: {}\n", pipeline.file));
    }
    if letters.iter().any(|(_, by)| by.is_none()) {
        let command = format!("flow pipeline replay {} {}", pipeline.run, shell_word(&pipeline.step));
        text.push_str(&format!("replay: {command}\n"));
    }
}

/// The same as data: one object a pipeline.
pub fn dead_letters_json(pipelines: &[DeadLetters]) -> Json {
    let one = |pipeline: &DeadLetters| {
        let letter = |(letter, by): &(DeadLetter, Option<String>)| {
            let mut object = json!(letter);
            if pipeline.secret {
                object["item"] = super::MASK.into();
            }
            object["replayed_by"] = by.clone().into();
            object
        };
        json!({
            "run": pipeline.run,
            "step": pipeline.step,
            "counts": pipeline.counts,
            "file": pipeline.file,
            "letters": pipeline.letters.iter().map(letter).collect::<Vec<_>>(),
        })
    };
    pipelines.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(offset: u64, item: Json, error: &str) -> DeadLetter {
        DeadLetter {
            offset,
            place: format!("line {}", offset + 1),
            stage: "parse".into(),
            item,
            error: error.into(),
            attempts: 3,
            at: 0,
        }
    }

    #[test]
    fn each_letter_says_where_and_why() {
        let letters = vec![
            (letter(16, json!("no number"), "`x` is no number"), None),
            (letter(20, json!({"n": 1}), "gone\nfor good"), Some("01k9".to_owned())),
        ];
        let counts = Counts { items: 100, dead: 2, ..Counts::default() };
        let all = [DeadLetters { run: "01k8".into(), step: "logs".into(), counts, letters, ..DeadLetters::default() }];
        let text = dead_letters(&all, &Clock::utc(1_000), Look::PLAIN, false);
        assert_eq!(
            text,
            "\
logs 2 dead letters, 1 replayed since  of 100 items
  place    stage  tries  at        error                             item
  line 17  parse  3      00:00:00  `x` is no number                  no number
  line 21  parse  3      00:00:00  gone; for good (replayed by 01k9)  {\"n\":1}
replay: flow pipeline replay 01k8 logs
"
            .replace("error                             item", "error                              item")
            .replace("`x` is no number                  no number", "`x` is no number                   no number")
        );
        assert_eq!(dead_letters_json(&all)[0]["letters"][1]["replayed_by"], "01k9");
    }

    #[test]
    fn a_secret_is_not_shown() {
        let letters = vec![(letter(0, json!("hunter2"), "no"), None)];
        let all = [DeadLetters { letters, secret: true, ..DeadLetters::default() }];
        let shown = format!("{}{}", dead_letters(&all, &Clock::utc(0), Look::PLAIN, true), dead_letters_json(&all));
        assert!(!shown.contains("hunter2"));
    }
}
