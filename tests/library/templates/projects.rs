//! `flow new`.

use super::{NAMES, OF_AGENTS, has, succeeds, text};
use crate::transcript::Session;

#[test]
fn a_project_is_made_and_bad_names_are_refused() {
    let mut session = Session::new();
    session
        .type_in("flow new nightly-report")
        .type_in("cd nightly-report && flow script nightly-report.rhai --quiet && flow logs last greet")
        .type_in("cd nightly-report && flow check nightly-report.rhai && flow fmt --check")
        .type_in("cd nightly-report && ./nightly-report.rhai --arg name=Ada --quiet && flow logs last greet")
        .type_in("cd nightly-report && flow test | grep passed | sed 's/ in .*//'")
        .type_in("grep -n nightly-report nightly-report/.github/workflows/flow.yml")
        .type_in("cat nightly-report/.gitignore")
        .type_in("flow new nightly-report")
        .type_in("flow new 'a b'")
        .type_in("flow new ../-x")
        .type_in("flow new report.rhai")
        .type_in("flow new other --template baclup")
        .type_in("touch file && flow new file")
        .type_in("mkdir here && cd here && flow new . | head -n 3")
        .type_in("flow new deep/below/it | tail -n 5")
        .check("new");
}

/// Everything that is made works at once: the script, with the sample that it comes with, and its form.
#[test]
fn a_project_of_every_template_works_at_once() {
    for name in NAMES {
        let session = Session::new();
        succeeds(&session, &format!("flow new shop --template {name}"));
        succeeds(&session, "cd shop && flow check shop.rhai && flow fmt --check && flow test");
        let needs = match name {
            "ci-rust" => "cargo",
            "ci-node" => "node",
            "ci-python" | "blue-green" => "python3",
            "production-line" => "make",
            "checks" => "git",
            _ => "sh",
        };
        if !has(&session, needs) {
            continue;
        }
        let ports = match name {
            "blue-green" => {
                let (blue, green) = super::blue_green::ports();
                format!("--arg blue_port={blue} --arg green_port={green}")
            }
            _ => String::new(),
        };
        let agents = OF_AGENTS.iter().find(|(of_agents, _)| *of_agents == name);
        let agents = agents.map(|(_, args)| format!("--agents recorded:recording.ndjson {args}")).unwrap_or_default();
        let output = session.run(&format!("cd shop && flow script shop.rhai --no-input {ports} {agents}"));
        let servers = super::blue_green::Servers(session.folder().join("shop/deploy"));
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        drop(servers);
    }
}
