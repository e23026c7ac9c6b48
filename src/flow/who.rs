//! Who is at work here.

/// `$FLOW_USER`, else the user of this process and the machine, `name@host`.
pub fn who() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    if let Some(user) = set("FLOW_USER") {
        return user;
    }
    let uid = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = name_of(uid, &users).or_else(|| set("USER")).unwrap_or_else(|| uid.to_string());
    match host() {
        host if host.is_empty() => name,
        host => format!("{name}@{host}"),
    }
}

/// The name of this machine; empty if it has none.
pub(super) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// The name of a user in the list of users (`passwd(5)`).
fn name_of(uid: u32, users: &str) -> Option<String> {
    let found = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut found = found.filter(|fields| fields.get(2).and_then(|id| id.parse().ok()) == Some(uid));
    found.next().and_then(|fields| fields.first().map(|name| (*name).to_owned())).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbroken\n";
        assert_eq!(name_of(1000, users).as_deref(), Some("ann"));
        assert_eq!(name_of(7, users), None);
        assert!(!who().is_empty());
    }
}
