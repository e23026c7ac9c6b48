//! The hash chain: each event carries the SHA-256 of the one before, so no event can be changed, taken out or put in
//! without its being seen. `docs/log-format.md` states the format for others.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// What stands before a run's first event: the hash of the run's id.
pub(super) fn start(run: &str) -> Hash {
    Sha256::digest(run.as_bytes()).into()
}

/// The hash of an event: over the 32 bytes of the hash before it, its number, a space, its time, a space and its JSON
/// text exactly as it is stored. Numbers are decimal.
pub(super) fn next(before: &Hash, seq: u64, at: u64, json: &[u8]) -> Hash {
    let mut sha = Sha256::new();
    sha.update(before);
    let mut digits = [0; 42];
    sha.update(prefix(&mut digits, seq, at));
    sha.update(json);
    sha.finalize().into()
}

/// `"seq at "`, written from the right.
fn prefix(buffer: &mut [u8; 42], seq: u64, at: u64) -> &[u8] {
    let mut start = buffer.len();
    for mut number in [at, seq] {
        start -= 1;
        buffer[start] = b' ';
        loop {
            start -= 1;
            buffer[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
    }
    &buffer[start..]
}

/// SHA-256 of some bytes.
pub(super) fn of_bytes(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// SHA-256 of a text, in hexadecimal.
pub(super) fn of_text(text: &str) -> String {
    hex(&of_bytes(text.as_bytes()))
}

/// In hexadecimal, lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' + n - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of lower-case hexadecimal digits; nothing if it is anything else.
pub(super) fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Some(value(*pair.first()?)? << 4 | value(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_hashed_as_documented() {
        for (seq, at) in [(0, 0), (7, 1_767_366_244_000), (u64::MAX, u64::MAX)] {
            let json = br#"{"type":"paused"}"#;
            let before = start("a");
            let mut bytes = before.to_vec();
            bytes.extend(format!("{seq} {at} ").into_bytes());
            bytes.extend(json);
            assert_eq!(next(&before, seq, at, json), <Hash>::from(Sha256::digest(&bytes)));
        }
        assert_eq!(of_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
