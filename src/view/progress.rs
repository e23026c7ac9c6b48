//! Progress: what is shown while a run goes on.
//!
//! Events may come by the ten thousand a second: each only updates the board, and it is drawn at most ten times a
//! second, when the door says what time it is ([`Progress::tick`]).

mod board;
mod news;
mod rest;
mod screen;

use std::collections::HashMap;
use std::io::{BufWriter, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::board::Board;
use self::screen::Screen;
use super::{Look, time};
use crate::event::{Event, Record};
use crate::plan::StepId;
use crate::state::RunState;

/// Shortest time between two drawings, in milliseconds.
const INTERVAL: u64 = 100;
/// With more steps than this in the plan, only what goes wrong gets a line that stays.
const FEW: usize = 200;
/// Figures of the same stream or pipeline come as a line no more often than this, in milliseconds.
const FIGURES: u64 = 5_000;
/// Nor any figures more often than this.
const ANY_FIGURES: u64 = 1_000;
/// Lines that stay, at most, between two drawings.
const BURST: usize = 50;

/// Shows a run that goes on. See the module's page.
pub struct Progress {
    board: Board,
    place: Place,
    look: Look,
    drawn_at: u64,
    began_at: u64,
    /// Something else is written where it draws.
    paused: bool,
    /// When figures of streams and pipelines were told last, of each and of any.
    figures: HashMap<StepId, u64>,
    figures_at: u64,
}

enum Place {
    /// Nothing is shown.
    Nowhere,
    /// Lines, one after the other.
    Lines(BufWriter<Box<dyn Write + Send>>),
    /// The last lines of a terminal, drawn anew.
    Screen { bar: ProgressBar, news: Vec<String>, dropped: usize },
}

impl Progress {
    /// Shows nothing.
    pub fn quiet() -> Self {
        Self::of(Place::Nowhere, Look::PLAIN)
    }

    /// A line for each step that starts, ends, fails, is tried again or skipped.
    pub fn lines(out: Box<dyn Write + Send>, look: Look) -> Self {
        Self::of(Place::Lines(BufWriter::with_capacity(64 * 1024, out)), look)
    }

    /// The last lines of the terminal that standard error is.
    /// `parallel`: how many steps run at the same time where the run says nothing, for the estimate of the rest.
    pub fn screen(look: Look, parallel: usize) -> Self {
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(Screen::default()), 20);
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let mut progress = Self::of(Place::Screen { bar, news: Vec::new(), dropped: 0 }, look);
        progress.board.parallel = parallel;
        progress
    }

    fn of(place: Place, look: Look) -> Self {
        Progress {
            board: Board::default(),
            place,
            look,
            drawn_at: 0,
            began_at: 0,
            paused: false,
            figures: HashMap::new(),
            figures_at: 0,
        }
    }

    /// How long steps took in earlier runs, by path, in milliseconds: for the estimate of the rest. To be said before
    /// there are steps.
    pub fn expect(&mut self, durations: HashMap<String, u64>) {
        self.board.durations = durations;
    }

    /// Is it drawn, so that an estimate of the rest is wanted?
    pub fn is_drawn(&self) -> bool {
        matches!(self.place, Place::Screen { .. })
    }

    /// Does it show anything, so that events must be told to it?
    pub fn is_quiet(&self) -> bool {
        matches!(self.place, Place::Nowhere)
    }

    /// Takes up a run that has events already (a resume): they are counted, but no news.
    pub fn take_up(&mut self, state: &RunState) {
        if !self.is_quiet() {
            self.board.take_up(state);
        }
    }

    /// An event, and the state after it.
    pub fn record(&mut self, state: &RunState, record: &Record) {
        if self.is_quiet() {
            return;
        }
        if self.began_at == 0 {
            self.began_at = record.at;
        }
        self.board.record(state, record);
        let since = record.at.saturating_sub(self.began_at);
        match &mut self.place {
            Place::Nowhere => {}
            Place::Lines(out) => {
                for news in news::of(state, &record.event, self.look) {
                    // Where nobody reads, there is nobody to be told.
                    let _ = writeln!(out, "{:>7}  {}", time::since(since), news.line);
                }
                let of = match &*record.event {
                    Event::Flowed(flowed) => Some(flowed.step),
                    Event::Used(used) => Some(used.step),
                    _ => None,
                };
                if let Some(step) = of {
                    let began = state.step(step).started_at;
                    let told = self.figures.entry(step).or_insert(began);
                    if record.at >= *told + FIGURES && record.at >= self.figures_at + ANY_FIGURES {
                        (*told, self.figures_at) = (record.at, record.at);
                        for line in news::figures(state, step, self.look) {
                            let _ = writeln!(out, "{:>7}  {line}", time::since(since));
                        }
                        let _ = out.flush();
                    }
                }
            }
            Place::Screen { news: waiting, dropped, .. } => {
                let few = self.board.total() <= FEW;
                if !few && !news::is_trouble(&record.event) {
                    return;
                }
                for news in news::of(state, &record.event, self.look) {
                    match news.stays && (few || waiting.len() < BURST) {
                        true => waiting.push(news.line),
                        false => *dropped += usize::from(news.stays),
                    }
                }
            }
        }
    }

    /// Time has passed: it is now so many milliseconds after 1970. To be called a few times a second.
    pub fn tick(&mut self, state: &RunState, now: u64) {
        if self.paused || now.saturating_sub(self.drawn_at) < INTERVAL {
            return;
        }
        self.drawn_at = now;
        self.draw(state, now);
    }

    fn draw(&mut self, state: &RunState, now: u64) {
        match &mut self.place {
            Place::Nowhere => {}
            Place::Lines(out) => drop(out.flush()),
            Place::Screen { bar, news, dropped } => {
                let (columns, rows) = screen::size();
                // One column is left free, so that no terminal wraps the line.
                let look = Look { width: usize::from(columns).saturating_sub(1).max(1), ..self.look };
                if !news.is_empty() {
                    let shown = news.drain(..).map(|line| look.cut(&line, look.width));
                    let shown: Vec<_> = shown.map(|line| news::painted(&line, look)).collect();
                    bar.println(shown.join("\n"));
                }
                if *dropped > 0 {
                    bar.println(format!("{} and {dropped} more", look.ellipsis()));
                    *dropped = 0;
                }
                let began = if self.began_at > 0 { self.began_at } else { now };
                bar.set_message(self.board.lines(state, now, began, look, usize::from(rows)).join("\n"));
            }
        }
    }

    /// Something else is to be written here: what there is to say is said, and the drawing goes away for a while.
    pub fn make_room(&mut self, state: &RunState, now: u64) {
        if !self.paused {
            self.draw(state, now);
            if let Place::Screen { bar, .. } = &self.place {
                bar.finish_and_clear();
            }
            self.paused = true;
        }
    }

    /// The drawing goes on.
    pub fn go_on(&mut self) {
        if std::mem::take(&mut self.paused)
            && let Place::Screen { bar, .. } = &self.place
        {
            bar.reset();
        }
    }

    /// Says something between the lines.
    pub fn say(&mut self, line: &str) {
        match &mut self.place {
            Place::Nowhere => {}
            Place::Lines(out) => {
                let _ = writeln!(out, "{line}");
                let _ = out.flush();
            }
            Place::Screen { bar, .. } => bar.println(line),
        }
    }

    /// The run is over, or nobody looks any longer: news still come out, the drawing goes away.
    pub fn finish(&mut self, state: &RunState, now: u64) {
        self.go_on();
        self.draw(state, now);
        if let Place::Screen { bar, .. } = &self.place {
            bar.finish_and_clear();
        }
    }
}
