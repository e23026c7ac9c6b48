//! What an agent does, in words for another one.

use crate::event::AgentEvent;
use crate::state::result::shorten;

/// How much of what a tool is given, and gives, is told, in characters.
const TOOL: usize = 500;

/// What an agent did, other than speaking: what it thought, the tools that it called, and what these gave. Of sub-agents,
/// nothing.
pub(in crate::exec) fn aside(event: &AgentEvent) -> Option<String> {
    match event {
        AgentEvent::Thinking { text, .. } if !text.trim().is_empty() => Some(format!("(thinks) {text}")),
        AgentEvent::ToolCall { name, input, parent, .. } if parent.is_empty() => {
            let input = if input.is_null() { String::new() } else { format!(" {}", shorten(&input.to_string(), TOOL)) };
            Some(format!("(calls {name}){input}"))
        }
        AgentEvent::ToolResult { output, is_error, .. } => {
            let what = if *is_error { "(gets an error)" } else { "(gets)" };
            Some(format!("{what} {}", shorten(output, TOOL)))
        }
        _ => None,
    }
}
