//! The prompt in a real terminal.

use super::tmux::Terminal;

const REPL: &str = "flow repl; echo code $?";
const GREETING: &str = "Ctrl-D leaves.\nflow>";

#[test]
fn ctrl_c_stops_the_run_and_not_the_session_or_skipped_without_tmux() {
    let Some(terminal) = Terminal::open(100, |_| {}, REPL) else { return };
    terminal.sees(GREETING).line("let a = sh(\"slow\", \"test -e go || sleep 100; echo done\")");
    terminal.sees("echo done\nflow>").line("run(a)").shows("▸ slow").keys(&["C-c"]);
    terminal.sees("not finished; `:run` goes on with it\nflow>");
    // At the prompt it clears the line.
    terminal.types("this is nothing").sees("nothing").gives_up().line("1 + 1").sees("\n2\nflow>");
    terminal.session.file("go", "");
    terminal.line(":run").shows("✓ 1 done").sees("flow>").line("a.output").sees("\"done\"\nflow>");
    terminal.keys(&["C-d"]).sees("code 0\n>");
}

#[test]
fn what_is_not_whole_goes_on_in_the_next_line_or_skipped_without_tmux() {
    let Some(terminal) = Terminal::open(100, |_| {}, REPL) else { return };
    terminal
        .sees(GREETING)
        .line("fn twice(x) {")
        .line("  x * 2")
        .line("}")
        .sees("}\nflow>")
        .line("twice(4)")
        .sees("\n8\nflow>");
    terminal.line("let t = `one").line("two`").sees("two`\nflow>").line("t").sees("`one\ntwo`\nflow>");
    terminal.line("sh(\"a\" \"b\")").shows("flow::lang::syntax").sees("flow>");
    terminal.line("sh(\"a\", \"echo 1\")").sees("+ a  sh  echo 1\nflow>");
    terminal.line(".retry(2)").sees("· a  sh  echo 1\nflow>").line(":show a").shows("policies  retry 2×").sees("flow>");
    // The history has it all, in the next session, too.
    terminal.keys(&["C-d"]).sees("code 0\n>").line("clear; flow repl").sees(GREETING);
    terminal.keys(&["Up", "Up", "Up"]).sees("flow> sh(\"a\", \"echo 1\")").keys(&["C-c", "C-d"]);
}

#[test]
fn tab_completes_and_calls_are_explained_or_skipped_without_tmux() {
    let prepare = |session: &crate::transcript::Session| {
        session.file("deploy.rhai", "sh(\"d\", \"true\");");
    };
    let Some(terminal) = Terminal::open(100, prepare, REPL) else { return };
    terminal.sees(GREETING).line("let cover = sh(\"cover\", \"echo '{\\\"percent\\\": 87}'\")").sees("87}'\nflow>");
    terminal.line("run(cover)").sees("#{ percent: 87 }\nflow>");
    terminal.types("cov").keys(&["Tab"]).types(".perc").keys(&["Tab", "Enter"]).sees("flow> cover.percent\n87\nflow>");
    terminal.types(":lo").keys(&["Tab"]).types("a").keys(&["Tab"]).types("dep").keys(&["Tab"]);
    terminal.sees("flow> :load deploy.rhai").gives_up();
    terminal.types("cover.ret").keys(&["Tab"]).types("(").sees("flow> cover.retry(policy) -> step").gives_up();
    terminal.types("cover.retry(#{ max_a").keys(&["Tab"]).types(": 2, backoff: \"exp").keys(&["Tab"]);
    terminal.sees("flow> cover.retry(#{ max_attempts: 2, backoff: \"exponential").gives_up();
    terminal.types(":why c").keys(&["Tab", "Enter"]).shows("cover success");
}

#[test]
fn a_person_is_asked_on_the_spot_or_skipped_without_tmux() {
    let Some(terminal) = Terminal::open(100, |_| {}, REPL) else { return };
    terminal.sees(GREETING).line("approve(\"gate\", #{ prompt: \"Ship it?\" }) -> sh(\"ship\", \"echo shipped\")");
    terminal.sees("echo shipped\nflow>").line(":run").sees("answer:").line("y").sees("comment:").line("");
    terminal.shows("✓ ship: done").sees("flow>").line(":steps").shows("✓ gate");
}

#[test]
fn whatever_the_terminal_is_like_or_skipped_without_tmux() {
    // 20 columns, and a history that is a folder.
    let prepare = |session: &crate::transcript::Session| {
        std::fs::create_dir_all(session.folder().join(".local/state/flow/history")).expect("folders can be made");
    };
    let Some(terminal) = Terminal::open(20, prepare, REPL) else { return };
    terminal
        .shows("cannot be")
        .sees("flow>")
        .line("sh(\"hello\", \"echo a long line for a small window\")")
        .sees("+ hello  sh  echo a…\nflow>");
    terminal.line(":run").shows("✓ 1 done").sees("flow>").line("1 + 1").sees("\n2\nflow>");
    // 5,000 lines at once are one entry.
    let lines: String = (0..5_000).map(|n| format!("    {n},\n")).collect();
    terminal.pastes(&format!("let l = [\n{lines}];\nl.len()")).keys(&["Enter"]).sees("\n5000\nflow>");
    terminal.keys(&["C-d"]).sees("code 0\n>");
    // Neither colours nor movements where the terminal is none.
    terminal.line("clear; TERM=dumb flow repl").sees("flow>").line("2 + 3").sees("5\nflow>").keys(&["C-d"]);
}
