//! `flow doctor`, with programs that stand in for those of agents.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::transcript::Session;

/// A folder whose `bin` is all that there is.
fn session() -> Session {
    let session = Session::new();
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agents/programs");
    session.file("bin/git", "#!/bin/sh\necho git version 2.43.0\n").file("bin/tool", "#!/bin/sh\necho no idea\n");
    for name in ["claude", "gemini", "opencode"] {
        symlink(programs.join(name), session.folder().join("bin").join(name)).expect("a link can be made");
    }
    symlink(programs.join("common.sh"), session.folder().join("bin/common.sh")).expect("a link can be made");
    symlink("/bin/sh", session.folder().join("bin/sh")).expect("a link can be made");
    symlink(env!("CARGO_BIN_EXE_flow"), session.folder().join("bin/flow")).expect("a link can be made");
    session.run("chmod +x bin/git bin/tool");
    session
}

/// Its environment: nothing but what a test says.
const ENV: &str = "env -i PATH=$PWD/bin IS_SANDBOX=1";

#[test]
fn what_is_there_and_what_is_not() {
    let mut session = session();
    session.file(
        "flow.toml",
        "[secrets]\nOPENAI_API_KEY = { file = \"key\" }\n\n\
         [backends.mine]\ncommand = [\"tool\", \"{prompt}\"]\n\n\
         [backends.other]\ncommand = [\"no-such-tool\"]\ninstall = \"pip install other\"\n",
    );
    session.type_in(&format!("{ENV} FAKE_VERSION=2.1.300 flow doctor"));
    session
        .type_in(&format!("{ENV} ANTHROPIC_API_KEY=sk-secret flow doctor --json | tr ',' '\\n' | grep -c sk-secret"));
    session.type_in(&format!("{ENV} ANTHROPIC_API_KEY=sk-secret flow doctor | grep anthropic"));
    session.check("doctor");
}

#[test]
fn one_that_does_not_answer_is_not_waited_for() {
    let session = session();
    session.file("bin/codex", "#!/bin/sh\n/bin/sleep 60\n").run("chmod +x bin/codex");
    let output = session.run(&format!("{ENV} flow doctor"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("did not say its version within 5 s"), "{text}");
}
