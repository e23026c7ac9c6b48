//! Plans as pages and drawings, compared with what they looked like when a person last looked at them.

use std::collections::HashMap;

use flow::plan::analysis::Analysis;
use flow::plan::render::{Options, text};
use flow::plan::*;

use super::{golden, plans};

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
