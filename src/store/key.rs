//! Keys that sign what was written down: Ed25519 (RFC 8032), in the files that openssl makes. What is signed says what it
//! is, so that a signature can never be taken for one of something else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{self, DecodePrivateKey, DecodePublicKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::chain;
use crate::diag::{Diagnostic, Result};

/// Longest file that is read: keys have some hundred bytes.
const LONGEST: u64 = 64 * 1024;

/// A private key. It has no form that could be printed.
pub struct Key(SigningKey);

/// The public part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl Key {
    /// Reads a private key: PKCS#8 in PEM, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// `flow::key::unreadable`: what is wrong with the file. Nothing of its content is told.
    pub fn read(file: &Path) -> Result<Key> {
        let text = read(file, "openssl genpkey -algorithm ed25519 -out")?;
        SigningKey::from_pkcs8_pem(&text).map(Key).map_err(|error| {
            let make = "make one with `openssl genpkey -algorithm ed25519`";
            let (what, help) = match label(&text) {
                Some("PUBLIC KEY") => ("it is a public key", "name the private key, which signs"),
                Some("ENCRYPTED PRIVATE KEY") => (
                    "it is protected by a password",
                    "name one without: `openssl pkey -in locked.pem -out key.pem`; let nobody else read it",
                ),
                Some("PRIVATE KEY") if is_other(&error) => ("it is no Ed25519 key", make),
                Some("PRIVATE KEY") => ("it is damaged", make),
                _ => ("it is no private key in PEM (PKCS#8)", make),
            };
            unreadable(file, what, help)
        })
    }

    /// Its public part.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a text.
    pub(super) fn sign(&self, text: &str) -> [u8; 64] {
        self.0.sign(text.as_bytes()).to_bytes()
    }
}

impl PublicKey {
    /// Reads a public key: PEM, as `openssl pkey -in key.pem -pubout` writes it.
    ///
    /// # Errors
    /// `flow::key::unreadable`: what is wrong with the file.
    pub fn read(file: &Path) -> Result<PublicKey> {
        let text = read(file, "openssl pkey -in key.pem -pubout -out")?;
        VerifyingKey::from_public_key_pem(&text).map(PublicKey).map_err(|_| {
            let (what, help) = match label(&text) {
                Some("PUBLIC KEY") => ("it is no Ed25519 key", "name the public part of the key that signed"),
                Some(private) if private.ends_with("PRIVATE KEY") => (
                    "it is a private key, and the public one is enough",
                    "`openssl pkey -in key.pem -pubout -out pub.pem` writes it; keep the private one to yourself",
                ),
                _ => ("it is no public key in PEM", "`openssl pkey -in key.pem -pubout -out pub.pem` writes one"),
            };
            unreadable(file, what, help)
        })
    }

    /// The key as it stands between the first and the last line of its PEM: base64 of its DER form (RFC 8410).
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.der())
    }

    /// The key of such a text.
    pub fn from_base64(text: &str) -> Option<PublicKey> {
        let key = VerifyingKey::from_public_key_der(&STANDARD.decode(text).ok()?).ok().map(PublicKey)?;
        // There is but one text of a key.
        (key.to_base64() == text).then_some(key)
    }

    /// SHA-256 of its DER form, in hexadecimal: `openssl pkey -pubin -in pub.pem -outform DER | sha256sum`.
    pub fn fingerprint(self) -> String {
        chain::hex(&chain::of_bytes(&self.der()))
    }

    pub(super) fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<PublicKey> {
        VerifyingKey::from_bytes(bytes.try_into().ok()?).ok().map(PublicKey)
    }

    /// Was the text signed with this key?
    pub(super) fn has_signed(self, text: &str, signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(text.as_bytes(), &signature).is_ok())
    }

    fn der(self) -> Vec<u8> {
        // Only allocating could fail.
        self.0.to_public_key_der().map_or_else(|_| self.0.to_bytes().to_vec(), |der| der.into_vec())
    }
}

/// What is signed of a log: its run, how many events it had, and the hash of the latest of them.
pub(super) fn of_log(run: &str, events: u64, head: &chain::Hash) -> String {
    format!("flow log 1\n{run}\n{events}\n{}\n", chain::hex(head))
}

/// What is signed of an export: its run, and the hash of its last line.
pub(super) fn of_export(run: &str, hash: &chain::Hash) -> String {
    format!("flow export 1\n{run}\n{}\n", chain::hex(hash))
}

/// `make`: the command that makes such a file, without its name.
fn read(file: &Path, make: &str) -> Result<String> {
    let mut text = String::new();
    let read = File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(unreadable(file, "it is no text", &format!("a key in PEM is a short text; `{make} FILE` makes one")))
        }
        Err(error) => {
            Err(unreadable(file, &error.to_string(), &format!("`{make} {}` makes it", shown(file).display())))
        }
    }
}

fn unreadable(file: &Path, what: &str, help: &str) -> Diagnostic {
    let file = shown(file);
    Diagnostic::new("flow::key::unreadable", format!("the key `{}` cannot be used: {what}", file.display())).help(help)
}

/// A path as a person here would write it.
fn shown(file: &Path) -> &Path {
    let here = std::env::current_dir().unwrap_or_default();
    file.strip_prefix(here).unwrap_or(file)
}

/// What the first line of a PEM says that it is.
fn label(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
}

fn is_other(error: &pkcs8::Error) -> bool {
    matches!(error, pkcs8::Error::PublicKey(pkcs8::spki::Error::OidUnknown { .. }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As openssl wrote it.
    pub const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
        -----END PRIVATE KEY-----\n";

    pub fn key() -> Key {
        Key(SigningKey::from_pkcs8_pem(PRIVATE).unwrap())
    }

    pub fn another() -> Key {
        Key(SigningKey::from_bytes(&[7; 32]))
    }

    #[test]
    fn what_was_signed_is_known_from_all_else() {
        let (key, head) = (key(), [7; 32]);
        let signature = key.sign(&of_log("r", 3, &head));
        assert!(key.public().has_signed(&of_log("r", 3, &head), &signature));
        for other in [of_log("r", 4, &head), of_log("q", 3, &head), of_log("r", 3, &[8; 32]), of_export("r", &head)] {
            assert!(!key.public().has_signed(&other, &signature));
        }
        assert!(!another().public().has_signed(&of_log("r", 3, &head), &signature));
        assert!(!key.public().has_signed(&of_log("r", 3, &head), &signature[1..]));
    }

    #[test]
    fn a_public_key_is_known_by_its_text() {
        // RFC 8032, section 7.1, test 1: the private key above is the one there.
        let public = key().public();
        let bytes = chain::from_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        assert_eq!(public.to_bytes().as_slice(), bytes);
        assert_eq!(public.to_base64(), "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        assert_eq!(PublicKey::from_base64(&public.to_base64()), Some(public));
        assert_eq!(PublicKey::from_bytes(&bytes), Some(public));
        assert_eq!(PublicKey::from_base64("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURp="), None);
        assert_eq!(public.fingerprint().len(), 64);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_and_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        let rsa_like = PRIVATE.replace("K2VwBCIE", "K2VxBCIE");
        let public = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", key().public().to_base64());
        for (content, private, said) in [
            (PRIVATE, true, None),
            (&*public, false, None),
            (&*public, true, Some("it is a public key")),
            (PRIVATE, false, Some("it is a private key")),
            (&*rsa_like, true, Some("it is no Ed25519 key")),
            (&*PRIVATE.replace("J1hs", "J1h"), true, Some("it is damaged")),
            (&*PRIVATE.replace("PRIVATE", "ENCRYPTED PRIVATE"), true, Some("a password")),
            (&*PRIVATE.replace("PRIVATE", "OPENSSH PRIVATE"), true, Some("no private key in PEM")),
            ("", true, Some("no private key in PEM")),
            ("ssh-ed25519 AAAA", false, Some("no public key in PEM")),
        ] {
            std::fs::write(&file, content).unwrap();
            let problem = if private { Key::read(&file).err() } else { PublicKey::read(&file).err() };
            assert_eq!(problem.is_some(), said.is_some(), "{content}: {problem:?}");
            if let (Some(problem), Some(said)) = (problem, said) {
                assert!(problem.message().contains(said) && problem.help_text().is_some(), "{content}: {problem}");
                assert!(!format!("{problem:?}").contains("sZ3v"), "{problem:?}");
            }
        }
        std::fs::write(&file, b"\xff\xfe").unwrap();
        assert!(Key::read(&file).err().unwrap().message().contains("no text"));
        let missing = Key::read(&folder.path().join("none.pem")).err().unwrap();
        assert!(missing.help_text().unwrap().contains("openssl genpkey -algorithm ed25519 -out"), "{missing:?}");
        assert_eq!(missing.code(), "flow::key::unreadable");
    }
}
