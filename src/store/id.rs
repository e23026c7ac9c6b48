//! Ids of runs: sortable by time, short, readable.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Crockford's base 32 in lower case: no letter that looks like a digit or another letter.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// An id for a run that begins at `at_ms` (milliseconds since 1970): date and time in UTC and four random characters,
/// as in `20260102-150405-k3fz`. Whether it is free is for the caller to find out.
pub fn new_run_id(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    let mut id = at.strftime("%Y%m%d-%H%M%S-").to_string();
    // Each `RandomState` has keys of its own, the first of a process from the system's random source.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(at_ms);
    hasher.write_u32(std::process::id());
    let mut random = hasher.finish();
    for _ in 0..4 {
        id.push(char::from(DIGITS[(random % 32) as usize]));
        random /= 32;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_when_and_differs_from_the_next() {
        let at = 1_767_366_245_678;
        let ids: std::collections::HashSet<String> = (0..50).map(|_| new_run_id(at)).collect();
        assert!(ids.iter().all(|id| id.starts_with("20260102-150405-") && id.len() == 20), "{ids:?}");
        assert!(ids.len() > 45, "{ids:?}");
        assert!(new_run_id(at) < new_run_id(at + 1000));
        assert!(new_run_id(u64::MAX).starts_with("1970"));
    }
}
