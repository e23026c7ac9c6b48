//! Streams: levels of steps that run at the same time, as `a |> b` writes them down one after the other.

use std::sync::Arc;

use smol_str::SmolStr;

use super::Builder;
use crate::diag::{Diagnostic, Result, Span};
use crate::plan::check::stream::unfit;
use crate::plan::{Edge, EdgeKind, Step, StepId, Stream, Task};

/// A stream as far as it is written. Another `|>` can go on from its ends, as long as nothing else has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which of the builder's streams.
    woven: usize,
    /// Those that it begins with.
    first: Vec<StepId>,
    /// Those that it ends with.
    last: Vec<StepId>,
}

impl Piece {
    /// All that is known of it without the builder: the steps at its ends.
    pub fn ends(&self) -> impl Iterator<Item = StepId> {
        self.first.iter().chain(&self.last).copied()
    }
}

/// A side of `|>`.
#[derive(Clone, Debug)]
pub enum Side {
    /// Steps side by side.
    Level(Vec<StepId>),
    /// A stream that is there already.
    Piece(Piece),
}

/// A stream that the script has written.
#[derive(Debug)]
pub(super) struct Woven {
    group: StepId,
    /// It has become a part of this one.
    into: Option<usize>,
    /// The script holds its step, so it must stay one.
    named: bool,
}

impl Builder {
    /// A stream of these levels.
    ///
    /// # Errors
    /// A step that cannot stand in a stream, or stands in something else already.
    pub fn stream(&mut self, name: Option<SmolStr>, levels: Vec<Vec<StepId>>, span: Span) -> Result<Piece> {
        let mut seen = std::collections::HashSet::new();
        for member in levels.iter().flatten() {
            self.fits(*member, span)?;
            if !seen.insert(*member) {
                let step = self.step(*member);
                return Err(Diagnostic::new(STREAM, format!("`{}` stands twice in the stream", step.name))
                    .label(span, "in this stream")
                    .label(step.span, "declared here")
                    .help("a step runs once: declare another one, or let several read the same: `a |> [b, c]`"));
            }
        }
        let anonymous = name.is_none();
        let name = name.unwrap_or_else(|| self.nameless("stream"));
        let (first, last) = (levels.first().cloned().unwrap_or_default(), levels.last().cloned().unwrap_or_default());
        let members: Vec<StepId> = levels.iter().flatten().copied().collect();
        let mut step = Step::new(name, Task::Stream(Box::new(Stream::of(levels))), span);
        step.anonymous = anonymous;
        let group = self.add(step);
        self.adopt(group, &members);
        self.woven.push(Woven { group, into: None, named: !anonymous });
        Ok(Piece { woven: self.woven.len() - 1, first, last })
    }

    /// `left |> right`.
    ///
    /// # Errors
    /// As [`Builder::stream`]; or one of them is read, or reads, already.
    pub fn flow_into(&mut self, left: Side, right: Side, span: Span) -> Result<Piece> {
        match (left, right) {
            (Side::Level(left), Side::Level(right)) => self.stream(None, vec![left, right], span),
            (Side::Piece(left), Side::Level(right)) => {
                self.goes_on(&left, span)?;
                right.iter().try_for_each(|member| self.fits(*member, span))?;
                let group = self.group_of(&left);
                self.levels_mut(group).push(right.clone());
                self.adopt(group, &right);
                Ok(Piece { last: right, ..left })
            }
            (Side::Level(left), Side::Piece(right)) => {
                self.begins(&right, span)?;
                left.iter().try_for_each(|member| self.fits(*member, span))?;
                let group = self.group_of(&right);
                self.levels_mut(group).insert(0, left.clone());
                self.adopt(group, &left);
                Ok(Piece { first: left, ..right })
            }
            (Side::Piece(left), Side::Piece(right)) => self.joined(left, right, span),
        }
    }

    /// Two streams as one: the left one, if the right one is a step to nobody yet.
    fn joined(&mut self, left: Piece, right: Piece, span: Span) -> Result<Piece> {
        self.goes_on(&left, span)?;
        self.begins(&right, span)?;
        let (group, other) = (self.group_of(&left), self.group_of(&right));
        let free = !self.woven[self.root(right.woven)].named && self.step(other).policy.is_none();
        if group == other || !free || other.index() + 1 != self.len() || self.steps.len() <= self.sent {
            return Err(Diagnostic::new(
                STREAM,
                format!("`{}` and `{}` are streams of their own", self.step(group).name, self.step(other).name),
            )
            .label(span, "joined here")
            .label(self.step(group).span, "the first one")
            .label(self.step(other).span, "the second one")
            .help("write them as one: `a |> b |> c |> d`, or `stream(\"name\", [a, b, c, d])`"));
        }
        let Some(Step { task, .. }) = self.steps.pop() else { return Ok(left) };
        let Task::Stream(stream) = Arc::unwrap_or_clone(task) else { return Ok(left) };
        for member in stream.members() {
            self.step_mut(member).parent = Some(group);
        }
        self.levels_mut(group).extend(stream.levels);
        let (from, to) = (self.root(right.woven), self.root(left.woven));
        self.woven[from].into = Some(to);
        Ok(Piece { last: right.last, ..left })
    }

    /// The step of a stream. From now on it stays one.
    pub fn stream_step(&mut self, piece: &Piece) -> StepId {
        let root = self.root(piece.woven);
        self.woven[root].named = true;
        self.woven[root].group
    }

    /// The stream whose step this is.
    pub fn piece(&self, id: StepId) -> Option<Piece> {
        let woven = self.woven.iter().position(|woven| woven.into.is_none() && woven.group == id)?;
        let Task::Stream(stream) = &*self.step(id).task else { return None };
        Some(Piece { woven, first: stream.levels.first()?.clone(), last: stream.levels.last()?.clone() })
    }

    /// The group of a stream, to look at.
    pub fn group_of(&self, piece: &Piece) -> StepId {
        self.woven[self.root(piece.woven)].group
    }

    fn root(&self, mut woven: usize) -> usize {
        while let Some(into) = self.woven[woven].into {
            woven = into;
        }
        woven
    }

    fn levels_mut(&mut self, group: StepId) -> &mut Vec<Vec<StepId>> {
        match Arc::make_mut(&mut self.step_mut(group).task) {
            Task::Stream(stream) => &mut stream.levels,
            _ => unreachable!("a stream stays one: fallbacks are put around it only at `fallback`, which names it"),
        }
    }

    /// Can a step stand in a stream?
    fn fits(&self, id: StepId, span: Span) -> Result<()> {
        let step = self.step(id);
        if let Some((why, help)) = unfit(&step.task) {
            return Err(Diagnostic::new(STREAM, format!("`{}` cannot stand in a stream: {why}", step.name))
                .label(span, "in this stream")
                .label(step.span, "declared here")
                .help(help));
        }
        let Some(owner) = step.parent.map(|owner| self.step(owner)) else { return Ok(()) };
        let kind = owner.task.kind();
        let help = match &*owner.task {
            Task::Stream(_) => {
                "a step stands in one stream. Several read the same: `a |> [b, c]`; one reads several: `[a, b] |> c`"
            }
            _ => "declare a step of its own for the stream, or put the whole stream in its place",
        };
        Err(Diagnostic::new(STREAM, format!("`{}` belongs to the {kind} `{}` already", step.name, owner.name))
            .label(span, "in this stream, too")
            .label(owner.span, "it belongs to this")
            .label(step.span, "declared here")
            .help(help))
    }

    /// Does the stream still end where it did when the script got hold of it?
    fn goes_on(&self, piece: &Piece, span: Span) -> Result<()> {
        let group = self.step(self.group_of(piece));
        let Task::Stream(stream) = &*group.task else { return Err(self.wrapped(group, span)) };
        let Some(next) = stream.levels.iter().position(|level| *level == piece.last).map(|at| at + 1) else {
            return Err(self.wrapped(group, span));
        };
        match stream.levels.get(next) {
            None => Ok(()),
            Some(readers) => {
                Err(self.taken(&piece.last, "is read by", readers, "`a |> [b, c]` lets both read it", span))
            }
        }
    }

    /// Does the stream still begin where it did when the script got hold of it?
    fn begins(&self, piece: &Piece, span: Span) -> Result<()> {
        let group = self.step(self.group_of(piece));
        let Task::Stream(stream) = &*group.task else { return Err(self.wrapped(group, span)) };
        match stream.levels.iter().position(|level| *level == piece.first).and_then(|at| at.checked_sub(1)) {
            None => Ok(()),
            Some(before) => {
                let writers = &stream.levels[before];
                Err(self.taken(&piece.first, "reads", writers, "`[a, b] |> c` lets both write to it", span))
            }
        }
    }

    fn taken(&self, ids: &[StepId], what: &str, others: &[StepId], help: &str, span: Span) -> Diagnostic {
        let names = |ids: &[StepId]| {
            let names: Vec<_> = ids.iter().map(|id| format!("`{}`", self.step(*id).name)).collect();
            names.join(", ")
        };
        let mut problem = Diagnostic::new(STREAM, format!("{} {what} {} already", names(ids), names(others)))
            .label(span, "written on here");
        if let Some(other) = others.first() {
            problem = problem.label(self.step(*other).span, "declared here");
        }
        problem.help(help.to_owned())
    }

    fn wrapped(&self, group: &Step, span: Span) -> Diagnostic {
        Diagnostic::new(STREAM, format!("the stream `{}` cannot be written on", group.name))
            .label(span, "here")
            .label(group.span, "it was written here, and has a fallback")
            .help("write the whole stream first, then `.fallback(…)` behind it")
    }

    /// What a member of a stream waits for outside of it, its stream waits for: all of them start together.
    pub(super) fn hoist_waits(&mut self) {
        for id in (self.base.steps.len() + self.sent..self.len()).map(|id| StepId(id as u32)) {
            let Task::Stream(stream) = &*self.step(id).task else { continue };
            let members: Vec<StepId> = stream.members().collect();
            let gate = self.gate(id);
            for member in members {
                let waits = |edge: &&Edge| edge.kind != EdgeKind::Condition && !self.contains(id, edge.from);
                let waits: Vec<Edge> = self.step(member).after.iter().filter(waits).copied().collect();
                if waits.is_empty() {
                    continue;
                }
                self.step_mut(member).after.retain(|edge| edge.kind != EdgeKind::Order || !waits.contains(edge));
                waits.into_iter().for_each(|edge| self.step_mut(gate).add_edge(edge.from, edge.kind));
            }
        }
    }
}

const STREAM: &str = "flow::plan::stream";
