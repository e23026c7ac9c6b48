//! The sessions in `docs/repl.md` look as they are shown there.

use super::tmux::Terminal;
use crate::transcript::masked_line;

const PROMPT: &str = "flow> ";

#[test]
fn sessions_of_the_page_are_as_shown_or_skipped_without_tmux() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/repl.md")).expect("the page is there");
    let mut blocks = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let sessions: Vec<&str> = blocks.by_ref().filter(|block| block.starts_with(PROMPT)).collect();
    assert!(!sessions.is_empty());
    for session in sessions {
        let Some(terminal) = Terminal::open(100, |_| {}, "clear; flow repl") else { return };
        terminal.sees("Ctrl-D leaves.\nflow>").keys(&["C-l"]).sees("flow>");
        for (n, entry) in session.lines().filter_map(|line| line.strip_prefix(PROMPT)).enumerate() {
            terminal.line(entry);
            let prompts = n + 2;
            terminal.waits_for_prompts(prompts);
        }
        let screen = terminal.screen();
        let screen = screen.strip_suffix("flow>").unwrap_or(&screen);
        let masked = |text: &str| text.lines().map(|line| masked_line(line.trim_end()) + "\n").collect::<String>();
        assert_eq!(masked(screen), masked(session), "docs/repl.md is not as it really looks:\n{screen}");
    }
}
