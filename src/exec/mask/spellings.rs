//! How the value of a secret may be written by a program that prints it.

use std::collections::BTreeSet;

use base64::Engine;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{GeneralPurpose, general_purpose};

/// Shorter texts stand in too many places that are no secret.
pub const SHORTEST: usize = 4;

/// Lines of a secret shorter than this are not looked for by themselves.
const SHORTEST_LINE: usize = 6;

/// Longer values are looked for in pieces, so that little has to be held back of a stream. Divisible by three, as
/// base64 wants it.
const PIECE: usize = 3 * 1024;

/// Lengths of lines at which `base64`, PEM files and `xxd -p` break.
const BASE64_LINES: [usize; 2] = [76, 64];
const HEX_LINE: usize = 60;

/// All spellings of a value that are looked for: as it is; in base64 (both alphabets, with and without padding, at all
/// three alignments), hexadecimal, percent and form encoding; as in JSON and in quotes of a shell; and all that again for
/// each of its lines.
pub fn of(value: &str) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    let lines = value.split(['\n', '\r']).map(str::trim).filter(|line| line.chars().count() >= SHORTEST_LINE);
    let parts: BTreeSet<&str> = [value, value.trim()].into_iter().chain(lines).collect();
    for part in parts.into_iter().flat_map(pieces) {
        found.insert(part.as_bytes().to_vec());
        base64(part.as_bytes(), &mut found);
        hex(part.as_bytes(), &mut found);
        percent(part.as_bytes(), &mut found);
        json(part, &mut found);
        shell(part, &mut found);
    }
    found.retain(|spelling| spelling.len() >= SHORTEST);
    found
}

/// A text in parts that are not too long.
fn pieces(text: &str) -> Vec<&str> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while rest.len() > PIECE {
        let at = (0..=PIECE).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(0);
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn base64(bytes: &[u8], found: &mut BTreeSet<Vec<u8>>) {
    for alphabet in [STANDARD, URL_SAFE] {
        for before in 0..3 {
            aligned(bytes, before, &alphabet, found);
        }
    }
}

/// In base64, with so many bytes before it that are not known.
fn aligned(bytes: &[u8], before: usize, alphabet: &Alphabet, found: &mut BTreeSet<Vec<u8>>) {
    let padded = [&[0, 0][..before], bytes].concat();
    let with = GeneralPurpose::new(alphabet, general_purpose::PAD).encode(&padded);
    let without = with.trim_end_matches('=');
    // Letters that are made of other bytes as well are not known. Of the last one the value only has the upper bits.
    let start = [0, 2, 3][before];
    let certain = padded.len() * 8 / 6;
    for text in
        [&with[start.min(with.len())..], &without[start.min(without.len())..], with.get(start..certain).unwrap_or("")]
    {
        found.insert(text.as_bytes().to_vec());
        if before == 0 {
            BASE64_LINES.iter().for_each(|length| broken(text, *length, found));
        }
    }
}

fn hex(bytes: &[u8], found: &mut BTreeSet<Vec<u8>>) {
    let lower: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    for text in [lower.to_uppercase(), lower] {
        broken(&text, HEX_LINE, found);
        found.insert(text.into_bytes());
    }
}

/// The lines of a text that is broken at this length. Of a short last one nothing can be learned.
fn broken(text: &str, length: usize, found: &mut BTreeSet<Vec<u8>>) {
    if text.len() > length {
        found.extend(text.as_bytes().chunks(length).filter(|line| line.len() >= 2 * SHORTEST).map(<[u8]>::to_vec));
    }
}

/// What stands for itself in a URL: RFC 3986 (unreserved), `encodeURIComponent`, Python's `quote`, `encodeURI`, and
/// HTML forms.
const URL_LETTERS: [&str; 5] = ["-._~", "-._~!'()*", "-._~/", "-._~!'()*;,/?:@&=+$#", "-._*"];

fn percent(bytes: &[u8], found: &mut BTreeSet<Vec<u8>>) {
    for letters in URL_LETTERS {
        for space in ["%20", "+"] {
            let encode = |byte: &u8| match *byte {
                b' ' => space.to_owned(),
                byte if byte.is_ascii_alphanumeric() || letters.as_bytes().contains(&byte) => {
                    (byte as char).to_string()
                }
                byte => format!("%{byte:02X}"),
            };
            let parts: Vec<String> = bytes.iter().map(encode).collect();
            found.insert(parts.concat().into_bytes());
            let lower = |part: &String| if part.starts_with('%') { part.to_lowercase() } else { part.clone() };
            found.insert(parts.iter().map(lower).collect::<String>().into_bytes());
        }
    }
}

/// As within a text of JSON: as it is usual, in ASCII alone, with `\/`, and with a number for every letter.
fn json(text: &str, found: &mut BTreeSet<Vec<u8>>) {
    let usual = serde_json::Value::from(text).to_string();
    let usual = &usual[1..usual.len() - 1];
    let numbers = |all: bool, upper: bool| {
        let letters = if all { text } else { usual };
        letters.chars().fold(String::new(), |mut escaped, letter| {
            if letter.is_ascii() && !all {
                escaped.push(letter);
                return escaped;
            }
            for unit in letter.encode_utf16(&mut [0; 2]) {
                escaped.push_str(&if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") });
            }
            escaped
        })
    };
    let ascii = numbers(false, false);
    for text in [
        usual.replace('/', "\\/"),
        ascii.replace('/', "\\/"),
        ascii,
        numbers(false, true),
        numbers(true, false),
        numbers(true, true),
        usual.to_owned(),
    ] {
        found.insert(text.into_bytes());
    }
}

/// As a shell, or a program for one, quotes it: in single and double quotes, with backslashes, and as `$'…'`.
fn shell(text: &str, found: &mut BTreeSet<Vec<u8>>) {
    let escaped = |special: &dyn Fn(char) -> bool| {
        text.chars().fold(String::new(), |mut escaped, letter| {
            if special(letter) {
                escaped.push('\\');
            }
            escaped.push(letter);
            escaped
        })
    };
    let plain = |letter: char| letter.is_alphanumeric() || "_-./=:@%+,".contains(letter);
    let ansi = text.chars().fold(String::new(), |mut quoted, letter| {
        match letter {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\'' | '\\' => quoted.extend(['\\', letter]),
            letter => quoted.push(letter),
        }
        quoted
    });
    for text in [
        text.replace('\'', "'\\''"),
        text.replace('\'', "'\"'\"'"),
        escaped(&|letter| "$`\"\\".contains(letter)),
        escaped(&|letter| !plain(letter)),
        ansi,
    ] {
        found.insert(text.into_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(value: &str, spelling: &str) -> bool {
        of(value).contains(spelling.as_bytes())
    }

    #[test]
    fn the_usual_spellings() {
        let value = "p@ss w/rd\"1'";
        for spelling in [
            "p@ss w/rd\"1'",
            "cEBzcyB3L3JkIjEn",
            "704073732077",
            "p%40ss%20w%2Frd%221%27",
            "p%40ss%20w%2frd%221%27",
            "p%40ss+w%2Frd%221%27",
            "p%40ss%20w/rd%221%27",
            "p%40ss%20w%2Frd%221'",
            "p@ss w/rd\\\"1'",
            "p@ss w\\/rd\\\"1'",
            "p@ss w/rd\"1'\\''",
            "p@ss w/rd\"1'\"'\"'",
            "p@ss\\ w/rd\\\"1\\'",
        ] {
            let all = of(value);
            let stands = |found: &Vec<u8>| found.windows(spelling.len()).any(|part| part == spelling.as_bytes());
            assert!(all.iter().any(stands), "{spelling}");
        }
    }

    #[test]
    fn base64_wherever_it_begins() {
        let value = "hunter2hunter2";
        let engine = general_purpose::STANDARD;
        for before in ["", "a", "ab", "abc", "user:"] {
            for after in ["", "\n", "zz", "zzz"] {
                let encoded = engine.encode(format!("{before}{value}{after}"));
                let longest =
                    of(value).into_iter().filter(|spelling| encoded.contains(&*String::from_utf8_lossy(spelling)));
                let longest = longest.map(|spelling| spelling.len()).max().unwrap_or(0);
                // All but the letters to which other bytes belong too.
                assert!(longest >= value.len() * 8 / 6 - 2, "{before}…{after}: {longest} of {encoded}");
            }
        }
        assert!(has("??>>??>>", "Pz8+Pj8/Pj4=") && has("??>>??>>", "Pz8-Pj8_Pj4"));
    }

    #[test]
    fn lines_and_long_values() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqh\n-----END KEY-----\n";
        assert!(has(key, "MIIEvQIBADANBg") && !has(key, "kqh"));
        assert!(has(key, "-----BEGIN KEY-----\\nMIIEvQIBADANBg\\nkqh\\n-----END KEY-----"));
        let long = "0123456789abcdef".repeat(1_000);
        assert!(of(&long).iter().all(|spelling| spelling.len() <= 6 * PIECE));
        assert!(has(&long, &long[..PIECE]));
    }

    #[test]
    fn letters_beyond_ascii() {
        assert!(has("pässwörd", "p\\u00e4ssw\\u00f6rd") && has("pässwörd", "p%C3%A4ssw%C3%B6rd"));
        assert!(has("abcd", "\\u0061\\u0062\\u0063\\u0064"));
    }
}
