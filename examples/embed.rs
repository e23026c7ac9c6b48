//! A program with flow inside: it adds a function of its own to the language, runs a script, follows what happens, and
//! prints the results. `cargo run --example embed`
#![allow(clippy::print_stdout)]

use flow::event::Event;
use flow::flow::{Durability, Flow, Options, RunOptions, Script};
use flow::lang::Host;
use flow::state::RunState;

const SCRIPT: &str = r#"
    let stock = sh("stock", "printf '%s\n' apples pears plums");
    let offers = each("offers", stock.lines, |fruit| call("offer", || `${fruit} for ${price(fruit)} cents`));
    let best = call("best", || offers.output.filter(|offer| offer.contains("pears"))[0]);
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(|line| println!("{line}"))
}

/// Runs the script and tells of it, line by line.
pub fn run(mut tell: impl FnMut(String)) -> Result<(), Box<dyn std::error::Error>> {
    let mut host = Host::default();
    host.register("price", |fruit: &str| fruit.len() as i64 * 10);
    let home = tempfile::tempdir()?; // Where logs go. With `Durability::None` the run itself is kept in memory.
    let options = Options {
        home: Some(home.path().into()),
        durability: Durability::None,
        host: Some(host.share()),
        ..Options::default()
    };
    let flow = Flow::open(options)?;

    let (running, events) = flow.run_watched(&Script::from_text("fruit.rhai", SCRIPT), RunOptions::default())?;
    let mut state = RunState::default(); // What the events say so far: a fold.
    for record in events {
        state.apply(record.at, &record.event);
        if let Event::Finished { step, outcome, .. } = &*record.event {
            tell(format!(
                "{} {}",
                state.plan.path(*step),
                if outcome.error.is_none() { "is done" } else { "has failed" }
            ));
        }
    }
    let files = flow.files(running.id())?;
    for step in state.plan.ids().filter(|step| state.plan.step(*step).parent.is_none()) {
        tell(format!(
            "{} = {}",
            state.plan.path(step),
            state.result(step).output(&*files).map_err(|failure| failure.message)?
        ));
    }
    tell(format!("the run: {}", state.status.name()));
    Ok(())
}
