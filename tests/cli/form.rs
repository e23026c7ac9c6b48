//! `flow fmt` as a person sees it.

use crate::transcript::Session;

const UGLY: &str = "// builds\nlet build=sh(\"build\",\"echo built\") ;\n\n\n\nbuild->[ sh(\"test\",\"true\"),\n  call(\"size\",||build.output.len()) ];\n";

#[test]
fn scripts_are_brought_into_form() {
    let mut session = Session::new();
    session.file("deploy.rhai", UGLY);
    session.file("lib/fine.rhai", "fn f(a) { a }\n");
    session.file("lib/wrong.rhai", "let a = (1;\n");
    session.file(".hidden/ugly.rhai", UGLY);
    session.type_in("flow fmt --check deploy.rhai");
    session.type_in("flow fmt --diff");
    session.type_in("flow script deploy.rhai --quiet");
    session.type_in("flow fmt deploy.rhai lib/fine.rhai");
    session.type_in("cat deploy.rhai");
    session.type_in("flow resume last --with deploy.rhai --dry-run");
    session.type_in("flow fmt --check deploy.rhai");
    session.type_in("printf 'let a=1' | flow fmt -");
    session.type_in("flow fmt deplo.rhai");
    session.check("fmt");
}

#[test]
fn links_and_permissions_stay() {
    let mut session = Session::new();
    session.file("deploy.rhai", UGLY);
    session.type_in("ln -s deploy.rhai link.rhai; chmod 640 deploy.rhai");
    session.type_in("flow fmt link.rhai; stat -c '%a %N' link.rhai deploy.rhai | cut -d ' ' -f 1,3-; ls");
    session.check("fmt-link");
}
