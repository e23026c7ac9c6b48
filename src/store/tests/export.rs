//! Exports: written, verified, and changed in every way there is.

use proptest::prelude::*;

use super::*;
use crate::event::{Log, Replanned};
use crate::store::export::{Difference, ExportOptions, Fault, Halt, Unverified, VerifiedExport, verify};
use crate::store::key::tests::{another, key};

/// A run with two texts, a third that comes later, and files: short, empty, long, gone.
fn sample(home: &TempDir) -> (Store, String) {
    let store = open(home);
    let text = |name: &str, text: &str| (name.to_owned(), store.keep_source(text).unwrap());
    let sources = vec![text("a.rhai", "import \"b\" as b;\nb::go(\"é\");\n"), text("b.rhai", "fn go(x) {}\n")];
    let later = Replanned { sources: vec![sources[1].clone(), text("c.rhai", "// new\n")], ..Replanned::default() };
    let log = store.create(Created { sources, ..created("/a.rhai") }).unwrap();
    let mut all = events(3);
    let long: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(n) >> 3) as u8).collect();
    let mut files: Vec<(&str, Vec<u8>)> = vec![("short", b"abc\n".to_vec()), ("empty", Vec::new()), ("long", long)];
    for (n, place) in [3, 5, 7].into_iter().enumerate() {
        let named = |name: &str, bytes: &[u8]| Log {
            file: name.into(),
            bytes: bytes.len() as u64,
            sha256: if bytes.len() > 65_536 { chain::hex(&chain::of_bytes(bytes)) } else { String::new() },
        };
        let (name, bytes) = files.remove(0);
        fs::write(log.folder().join(name), &bytes).unwrap();
        let gone = (n == 0).then(|| Log { file: "gone".into(), bytes: 9, sha256: String::new() });
        let outcome = Outcome { stdout: Some(named(name, &bytes)), stderr: gone, ..Outcome::default() };
        all[place] = Event::Finished { step: StepId(n as u32), attempt: 1, outcome: Arc::new(outcome) };
    }
    all.extend([Event::Replanned(Box::new(later)), Event::Printed { text: "a\nb \"q\" \u{7f}".into() }, ended()]);
    log.append(records(1, all), |result| result.unwrap());
    log.flush().unwrap();
    let run = log.run().to_owned();
    (store, run)
}

fn export(store: &Store, run: &str, contents: bool, signed: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = ExportOptions { contents, key: signed.then(key) };
    store.export(run, &options, &mut bytes).unwrap();
    bytes
}

fn check(bytes: &[u8]) -> std::result::Result<VerifiedExport, Fault> {
    verify(bytes).map_err(|unverified| match unverified {
        Unverified::Fault(fault) => fault,
        Unverified::Io(error) => panic!("{error}"),
    })
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// The four forms of one run.
fn exports() -> Vec<Vec<u8>> {
    let home = home();
    let (store, run) = sample(&home);
    [(false, false), (true, false), (false, true), (true, true)]
        .map(|(contents, signed)| export(&store, &run, contents, signed))
        .into()
}

#[test]
fn an_export_is_verified_without_its_database() {
    let home = home();
    let (store, run) = sample(&home);
    let head = store.verify(&run).unwrap().head;
    for (contents, signed) in [(false, false), (true, false), (false, true), (true, true)] {
        let bytes = export(&store, &run, contents, signed);
        // The same run gives the same bytes.
        assert_eq!(bytes, export(&store, &run, contents, signed));
        let found = check(&bytes).unwrap();
        assert_eq!((&*found.run, &*found.workflow, found.status), (&*run, "deploy", RunStatus::Success));
        assert_eq!((found.events, &found.head), (12, &head));
        assert_eq!((found.sources, found.files, &*found.missing), (3, 4, ["gone".to_owned()].as_slice()));
        assert_eq!(found.contents, if contents { 3 } else { 0 });
        assert_eq!(found.key, signed.then(|| key().public()));
    }
}

#[test]
fn a_run_that_goes_on_is_exported_as_it_is() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    log.append(records(1, events(1)), |result| result.unwrap());
    log.flush().unwrap();
    let found = check(&export(&store, log.run(), true, false)).unwrap();
    assert_eq!((found.events, found.status), (5, RunStatus::Running));
}

#[test]
fn what_was_changed_is_not_exported() {
    for change in [
        "UPDATE events SET at = at + 1 WHERE key & 0xffff = 4",
        "UPDATE sources SET text = text || ' ' WHERE text LIKE '%go(x)%'",
        "DELETE FROM sources WHERE text LIKE '%new%'",
        "UPDATE runs SET status = 'failed'",
    ] {
        let home = home();
        let (store, run) = sample(&home);
        meddle(&home, change);
        match store.export(&run, &ExportOptions::default(), &mut std::io::sink()) {
            Err(Halt::Wrong(problem)) => assert_eq!(problem.code(), "flow::store::tampered", "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }
    for file in ["short", "empty", "long"] {
        let home = home();
        let (store, run) = sample(&home);
        let path = store.run_folder(&run).join(file);
        fs::write(&path, fs::read(&path).unwrap().into_iter().chain([b'x']).collect::<Vec<_>>()).unwrap();
        assert!(store.export(&run, &ExportOptions::default(), &mut std::io::sink()).is_err(), "{file}");
        assert_eq!(store.verify(&run).unwrap_err().code(), "flow::store::tampered", "{file}");
    }
}

#[test]
fn each_difference_is_named_with_its_line() {
    let bytes = exports().remove(3);
    let all = lines(&bytes);
    let put = |lines: &[Vec<u8>]| check(&lines.concat()).unwrap_err();
    let places = 0..all.len();
    for place in places.clone() {
        let mut less = all.clone();
        less.remove(place);
        let fault = put(&less);
        assert_eq!(fault.line, place as u64 + 1, "without {place}: {fault:?}");
        let expected = match place {
            0 => [Difference::Foreign, Difference::Missing],
            n if n + 1 == all.len() => [Difference::Truncated; 2],
            _ => [Difference::Missing; 2],
        };
        assert!(expected.contains(&fault.what), "without {place}: {fault:?}");

        let mut more = all.clone();
        more.insert(place, all[place].clone());
        let fault = put(&more);
        assert_eq!(fault.line, place as u64 + 2, "{place} twice: {fault:?}");
        let last = place + 1 == all.len();
        let expected = if last { Difference::Appended } else { Difference::Repeated };
        assert_eq!(fault.what, expected, "{place} twice: {fault:?}");

        for other in places.clone().filter(|other| *other > place) {
            let mut swapped = all.clone();
            swapped.swap(place, other);
            let fault = put(&swapped);
            assert_eq!(fault.line, place as u64 + 1, "{place} and {other}: {fault:?}");
            if place > 0 {
                assert_eq!(fault.what, Difference::Reordered, "{place} and {other}: {fault:?}");
                assert!(fault.message.contains(&format!("which is line {} now", other + 1)), "{fault:?}");
            }
        }
    }
    assert_eq!(check(b"").unwrap_err().what, Difference::Truncated);
    assert_eq!(check(b"hello\n").unwrap_err().what, Difference::Foreign);
    assert_eq!(check(b"hello").unwrap_err().what, Difference::Foreign);
    let newer = String::from_utf8(all[0].clone()).unwrap().replace("\"format\":1", "\"format\":2");
    assert_eq!(put(&[newer.into_bytes(), all[1].clone()]).what, Difference::Newer);
    let text = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let event = all.iter().position(|line| text(line).contains("\"printed\"")).unwrap();
    let mut changed = all.clone();
    changed[event] = text(&all[event]).replace("\\\"q\\\"", "\\\"Q\\\"").into_bytes();
    let fault = put(&changed);
    assert_eq!((fault.what, fault.line), (Difference::Changed, event as u64 + 1));
    assert!(fault.message.contains("event 10 (`printed`) is not what was written"), "{fault:?}");
}

#[test]
fn whoever_computes_all_hashes_anew_has_not_the_key() {
    let home = home();
    let (store, run) = sample(&home);
    let ours = export(&store, &run, true, true);
    // The same run, signed by somebody else: in order, but with another key.
    let mut theirs = Vec::new();
    store.export(&run, &ExportOptions { contents: true, key: Some(another()) }, &mut theirs).unwrap();
    assert_eq!(check(&theirs).unwrap().key, Some(another().public()));
    // Our key in their file.
    let (our, their) = (key().public().to_base64(), another().public().to_base64());
    let mixed = String::from_utf8(theirs.clone()).unwrap().replace(&their, &our);
    assert!(check(mixed.as_bytes()).is_err());
    // A short file, of which the events hold no hash, exchanged with all seals made anew: the last signature holds it.
    let short = store.run_folder(&run).join("short");
    fs::write(&short, "abd\n").unwrap();
    let forged = export(&store, &run, true, false);
    assert!(check(&forged).is_ok());
    let (signed, forged) = (lines(&ours), lines(&forged));
    let resealed = reseal([&signed[..1], &forged[1..forged.len() - 1], &signed[signed.len() - 1..]].concat());
    let fault = check(&resealed).unwrap_err();
    assert_eq!((fault.what, fault.line), (Difference::Signature, forged.len() as u64), "{fault:?}");
}

/// Computes all seals anew, as anybody could.
fn reseal(all: Vec<Vec<u8>>) -> Vec<u8> {
    let (mut before, mut head, mut bytes) = ([0; 32], [0; 32], Vec::new());
    for line in all {
        let text = String::from_utf8(line).unwrap();
        match text.strip_prefix("{\"seq\":") {
            Some(_) => {
                let digits = text.split("\"hash\":\"").nth(1).unwrap().split('"').next().unwrap();
                head = chain::from_hex(digits).unwrap().try_into().unwrap();
                bytes.extend(text.into_bytes());
            }
            None => {
                let (text, _) = text.rsplit_once(",\"hash\":\"").unwrap();
                before = chain::of_bytes(&[&before, &head, text.as_bytes()].concat());
                bytes.extend(format!("{text},\"hash\":\"{}\"}}\n", chain::hex(&before)).into_bytes());
            }
        }
    }
    bytes
}

#[test]
fn resealing_what_nothing_was_changed_in_gives_the_same() {
    for bytes in exports() {
        assert_eq!(reseal(lines(&bytes)), bytes);
    }
}

/// A seal is no secret: what else holds an export together when all seals are made anew?
#[test]
fn events_hold_what_they_name() {
    let bytes = exports().remove(1);
    let all = lines(&bytes);
    for place in 1..all.len() - 1 {
        let text = String::from_utf8(all[place].clone()).unwrap();
        let changed = match () {
            () if text.starts_with("{\"type\":\"source\"") => text.replace("go", "no").replace("new", "old"),
            () if text.contains("\"file\":\"gone\"") => text.replace("gone", "gonf"),
            () if text.starts_with("{\"type\":\"file\"") => text.replace("\"bytes\":", "\"bytes\":1"),
            () if text.starts_with("{\"type\":\"data\"") => text.replacen("\"base64\":\"", "\"base64\":\"AAAA", 1),
            () => continue,
        };
        assert_ne!(changed, text);
        let mut forged = all.clone();
        forged[place] = changed.into_bytes();
        assert!(check(&reseal(forged)).is_err(), "{text}");
        let mut less = all.clone();
        less.remove(place);
        assert!(check(&reseal(less)).is_err(), "without {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever one byte becomes: the line is named.
    #[test]
    fn any_changed_byte_is_found(form in 0..4_usize, place in any::<proptest::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = EXPORTS.with(|exports| exports[form].clone());
        let place = place.index(bytes.len());
        prop_assume!(bytes[place] != byte);
        let line = bytes[..place].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        bytes[place] = byte;
        let fault = check(&bytes).expect_err("it was changed");
        prop_assert_eq!(fault.line, line, "{:?}", fault);
    }

    #[test]
    fn a_file_that_ends_anywhere_is_found(form in 0..4_usize, length in any::<proptest::sample::Index>()) {
        let bytes = EXPORTS.with(|exports| exports[form].clone());
        let length = length.index(bytes.len());
        let fault = check(&bytes[..length]).expect_err("it was cut");
        let whole = bytes[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
        prop_assert_eq!(fault.line, whole + 1, "{:?}", fault);
        if whole > 0 {
            prop_assert_eq!(fault.what, Difference::Truncated);
        }
    }

    #[test]
    fn whatever_is_added_is_found(form in 0..4_usize, place in any::<proptest::sample::Index>(), more in proptest::collection::vec(any::<u8>(), 1..40)) {
        let bytes = EXPORTS.with(|exports| exports[form].clone());
        let place = place.index(bytes.len() + 1);
        let added = [&bytes[..place], &more, &bytes[place..]].concat();
        prop_assume!(added != bytes);
        prop_assert!(check(&added).is_err());
    }

    /// Lines in any other order, left out or doubled.
    #[test]
    fn other_lines_are_found(form in 0..4_usize, picks in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40)) {
        let bytes = EXPORTS.with(|exports| exports[form].clone());
        let all = lines(&bytes);
        let other: Vec<u8> = picks.iter().flat_map(|pick| all[pick.index(all.len())].clone()).collect();
        prop_assert_eq!(check(&other).is_ok(), other == bytes);
    }

    #[test]
    fn nothing_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in any::<proptest::sample::Index>()) {
        prop_assert!(check(&bytes).is_err());
        let start = EXPORTS.with(|exports| exports[3].clone());
        let cut = cut.index(start.len());
        prop_assert!(check(&[&start[..cut], &bytes].concat()).is_err() || start[cut..] == bytes);
    }
}

thread_local! {
    static EXPORTS: Vec<Vec<u8>> = exports();
}

/// What `docs/log-format.md` tells others to do, done as it says (where there is a Python to do it).
#[test]
fn the_documented_check_finds_an_export_as_written() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/log-format.md")).unwrap();
    let code: Vec<&str> = page
        .lines()
        .skip_while(|line| !line.starts_with("    import hashlib, json"))
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    let code = code.join("\n");
    let home = home();
    let file = home.path().join("run.jsonl");
    let check = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let python = std::process::Command::new("python3").args(["-c", &code]).arg(&file).output().ok()?;
        Some(String::from_utf8_lossy(&[python.stdout, python.stderr].concat()).into_owned())
    };
    for bytes in exports() {
        let Some(said) = check(&bytes) else { return };
        assert_eq!(said, "as written\n");
        let all = lines(&bytes);
        let mut less = all.clone();
        less.remove(5);
        assert!(check(&less.concat()).unwrap().ends_with("is not what was written\n"));
        assert_eq!(check(&all[..all.len() - 1].concat()).unwrap(), "the end is missing\n");
    }
}

/// Signatures are what the page says, for others too (where there is an openssl to ask).
#[test]
fn openssl_finds_the_signatures_good() {
    let home = home();
    let (store, run) = sample(&home);
    let signed = store.sign(&run, &key()).unwrap();
    let head = store.verify(&run).unwrap().head;
    let put = |name: &str, bytes: &[u8]| {
        fs::write(home.path().join(name), bytes).unwrap();
        home.path().join(name)
    };
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", key().public().to_base64());
    let (public, signature) = (put("pub.pem", pem.as_bytes()), put("signature", &signed.bytes));
    let text = put("text", format!("flow log 1\n{run}\n12\n{head}\n").as_bytes());
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(public);
    openssl.arg("-in").arg(text).arg("-sigfile").arg(signature);
    if let Ok(output) = openssl.output() {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn what_was_signed_is_shown_later_and_checked() {
    let home = home();
    let store = open(&home);
    let log = store.create(created("/a.rhai")).unwrap();
    let run = log.run().to_owned();
    log.append(records(1, events(2)), |result| result.unwrap());
    let first = store.sign(&run, &key()).unwrap();
    assert_eq!((first.events, first.key), (7, key().public()));
    log.append(records(7, [ended()]), |result| result.unwrap());
    store.sign(&run, &key()).unwrap();
    store.sign(&run, &another()).unwrap();
    let found = store.verify(&run).unwrap().signatures;
    assert_eq!(found.iter().map(|signed| signed.events).collect::<Vec<_>>(), [8, 8, 7]);
    assert_eq!(store.signatures(&run).unwrap().len(), 3);
    // Twice the same is once.
    store.sign(&run, &key()).unwrap();
    assert_eq!(store.signatures(&run).unwrap().len(), 3);
    for change in [
        "UPDATE signatures SET head = zeroblob(32) WHERE events = 7",
        "UPDATE signatures SET signature = zeroblob(64) WHERE events = 7",
        "UPDATE signatures SET events = 6 WHERE events = 7",
        "UPDATE signatures SET events = 9 WHERE events = 6",
        "UPDATE signatures SET key = x'00' WHERE events = 9",
    ] {
        meddle(&home, change);
        let error = store.verify(&run).unwrap_err();
        assert_eq!(error.code(), "flow::store::tampered", "{change}");
        assert!(error.message().contains("signed of run"), "{change}: {error}");
    }
}
