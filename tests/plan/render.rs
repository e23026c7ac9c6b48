//! Plans as pages and drawings, compared with what they looked like when a person last looked at them.

use std::collections::HashMap;

use flow::plan::analysis::Analysis;
use flow::plan::render::{Options, SVG_MOST, dot, mermaid, svg, text};
use flow::plan::*;

use super::{golden, plans, well_formed};

fn page(plan: &Plan, options: &Options) -> String {
    text(plan, &Analysis::of(plan, &HashMap::new()), options)
}

#[test]
fn pages() {
    for (name, plan) in plans::all() {
        golden(&format!("{name}.txt"), &page(&plan, &Options::default()));
    }
}

#[test]
fn pages_without_unicode_and_narrow() {
    let options = Options { width: 60, ascii: true, ..Options::default() };
    golden("deploy.ascii.txt", &page(&plans::deploy(), &options));
    let colored = Options { color: true, ..Options::default() };
    golden("deploy.color.txt", &page(&plans::deploy(), &colored).replace('\u{1b}', "ESC"));
}

#[test]
fn drawings() {
    for (name, plan) in plans::all().into_iter().filter(|(name, _)| *name != "wide") {
        golden(&format!("{name}.mmd"), &mermaid(&plan));
        golden(&format!("{name}.dot"), &dot(&plan));
        let drawing = svg(&plan).expect("small enough");
        well_formed(&drawing);
        golden(&format!("{name}.svg"), &drawing);
    }
}

#[test]
fn what_is_too_large_is_not_drawn() {
    let mut s = super::sample::Sample::new("large");
    for n in 0..=SVG_MOST {
        s.sh(&format!("s{n}"), "true");
    }
    let refused = svg(&s.plan).expect_err("too large");
    assert_eq!(refused.code(), "flow::plan::too_large");
    assert!(refused.help_text().is_some_and(|help| help.contains("dot")));
}

/// All drawings of large plans, and the largest SVG that is drawn.
#[test]
fn large_plans_are_drawn_in_linear_time() {
    let begin = std::time::Instant::now();
    let tangle = plans::tangle(100, 20);
    assert!(svg(&tangle).expect("small enough").ends_with("</svg>\n"));
    let large = plans::tangle(500, 100);
    let analysis = Analysis::of(&large, &HashMap::new());
    for full in [false, true] {
        let page = text(&large, &analysis, &Options { full, ..Options::default() });
        assert!(page.contains("step-499-99"));
    }
    assert!(mermaid(&large).len() > 1_000_000 && dot(&large).len() > 1_000_000);
    let mut deep = super::sample::Sample::new("deep");
    let mut inner = deep.sh("leaf", "true");
    for n in 0..10_000 {
        inner = deep.chain(&format!("g{n}"), &[inner]);
    }
    let analysis = Analysis::of(&deep.plan, &HashMap::new());
    for full in [false, true] {
        let page = text(&deep.plan, &analysis, &Options { full, ..Options::default() });
        assert!(page.len() < 5_000_000, "{}", page.len());
    }
    assert!(mermaid(&deep.plan).len() < 2_000_000 && dot(&deep.plan).len() < 5_000_000);
    assert!(begin.elapsed() < std::time::Duration::from_secs(60), "took {:?}", begin.elapsed());
}

#[test]
#[ignore = "slow without optimisation: prints what a million steps take"]
fn a_million_steps() {
    let mut begin = std::time::Instant::now();
    let mut lap = |what: &str| {
        let line = format!("{what}: {:?}\n", begin.elapsed());
        std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).expect("told");
        begin = std::time::Instant::now();
    };
    let plan = plans::tangle(1_000, 1_000);
    lap("built");
    assert!(flow::plan::check::check(&plan).is_empty());
    lap("check");
    assert!(flow::plan::check::warnings(&plan).is_empty());
    lap("warnings");
    let analysis = Analysis::of(&plan, &HashMap::new());
    lap("analysis");
    flow::plan::schedule::schedule(&plan, &analysis, 64);
    lap("schedule");
    text(&plan, &analysis, &Options::default());
    lap("text");
    text(&plan, &analysis, &Options { full: true, ..Options::default() });
    lap("full text");
    mermaid(&plan);
    lap("mermaid");
    dot(&plan);
    lap("dot");
}

#[test]
#[ignore = "for looking at: writes target/tangle.svg"]
fn a_tangle_to_look_at() {
    std::fs::write("target/tangle.svg", svg(&plans::tangle(7, 7)).expect("small enough")).expect("written");
    std::fs::write("target/wide.svg", svg(&plans::wide()).expect("small enough")).expect("written");
}
