//! Boards: what steps have noted on them, as a fold over those that succeeded.

use std::collections::HashMap;

use serde_json::Map;
use smol_str::SmolStr;

use super::RunState;
use crate::event::Outcome;
use crate::plan::{Json, StepId, Task};

/// A board as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Board {
    /// What stands on it, that of its parents included where it says nothing else.
    pub notes: Map<String, Json>,
    /// It lasts over runs, under this name.
    pub memory: Option<SmolStr>,
}

impl RunState {
    /// A board as it is now: the latest note under each key, its own before those of its parents.
    pub fn board(&self, id: StepId) -> Board {
        let mut line = Vec::new();
        let mut at = Some(id);
        // A plan that was tampered with may have a board above itself.
        while let Some(board) = at.filter(|board| !line.contains(board)) {
            line.push(board);
            at = match &*self.plan.step(board).task {
                Task::Board(board) => board.parent,
                _ => None,
            };
        }
        let mut notes = Map::new();
        for board in line.iter().rev() {
            let told = self.told.iter().filter_map(|by| self.step(*by).outcome.as_ref());
            for note in told.flat_map(|outcome| &outcome.notes).filter(|note| note.board == *board) {
                match note.value {
                    Json::Null => drop(notes.remove(&note.key)),
                    _ => drop(notes.insert(note.key.clone(), note.value.clone())),
                }
            }
        }
        let memory = match &*self.plan.step(id).task {
            Task::Board(board) => board.memory.clone(),
            _ => None,
        };
        Board { notes, memory }
    }

    /// A step ended: does it tell anything to others beside its output?
    pub(super) fn note_told(&mut self, id: StepId, outcome: &Outcome) {
        let tells = !outcome.notes.is_empty() || matches!(*self.plan.step(id).task, Task::Publish(_));
        if tells && outcome.error.is_none() {
            self.told.push(id);
        }
    }

    /// The run goes on with another plan. `moved`: where the steps that are kept stand now.
    pub(super) fn rename_told(&mut self, moved: &HashMap<StepId, StepId>) {
        self.told = self.told.iter().filter_map(|id| moved.get(id).copied()).collect();
        for id in self.told.clone() {
            let Some(outcome) = &mut self.steps[id.index()].outcome else { continue };
            if outcome.notes.is_empty() {
                continue;
            }
            let notes = &mut std::sync::Arc::make_mut(outcome).notes;
            notes.retain_mut(|note| match moved.get(&note.board) {
                Some(board) => {
                    note.board = *board;
                    true
                }
                None => false,
            });
        }
    }
}
