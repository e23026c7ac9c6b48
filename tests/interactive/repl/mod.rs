//! `flow repl`.

mod changes;
mod documented;
mod json;
mod killed;
mod pipes;
mod terminal;
mod tmux;
