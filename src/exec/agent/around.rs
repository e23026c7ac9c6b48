//! The environment of an agent's program: what a program of its kind needs, and not all that flow has.

use std::ffi::OsString;

/// Variables that every program gets, and beginnings of names (`LC_*`), and ends (`*_PROXY`).
const PASSES: [&str; 22] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_*",
    "TERM",
    "TMPDIR",
    "TZ",
    "XDG_*",
    "*_PROXY",
    "*_proxy",
    "SSL_CERT_*",
    "NODE_EXTRA_CA_CERTS",
    "RUSTUP_HOME",
    "CARGO_HOME",
    "NVM_DIR",
    "PYENV_ROOT",
    "JAVA_HOME",
    "GOPATH",
    "FLOW_*",
];

/// What of flow's environment a program gets: that, and what its driver asks for.
pub(super) fn inherited(pass: &[String]) -> Vec<(OsString, OsString)> {
    let all = std::env::vars_os();
    all.filter(|(name, _)| name.to_str().is_some_and(|name| passes(name, pass))).collect()
}

fn passes(name: &str, pass: &[String]) -> bool {
    PASSES.iter().copied().chain(pass.iter().map(String::as_str)).any(|wanted| fits(wanted, name))
}

fn fits(wanted: &str, name: &str) -> bool {
    match (wanted.strip_suffix('*'), wanted.strip_prefix('*')) {
        (Some(begin), _) => name.starts_with(begin),
        (None, Some(end)) => name.ends_with(end),
        (None, None) => wanted == name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_passes_and_nothing_else() {
        let pass = ["ANTHROPIC_*".to_owned(), "GH_TOKEN".to_owned()];
        for name in ["PATH", "HOME", "LC_ALL", "HTTPS_PROXY", "no_proxy", "ANTHROPIC_API_KEY", "GH_TOKEN"] {
            assert!(passes(name, &pass), "{name}");
        }
        for name in ["AWS_SECRET_ACCESS_KEY", "GH_TOKENS", "PATHS", "OPENAI_API_KEY"] {
            assert!(!passes(name, &pass), "{name}");
        }
    }
}
