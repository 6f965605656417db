//! Who signed: strict verification of SSH signatures. The one place that verifies them.
//!
//! Formats: OpenSSH `PROTOCOL.sshsig` (SSHSIG version 1) and `PROTOCOL.u2f` (FIDO keys). Stricter than
//! `ssh-keygen -Y verify`: only Ed25519, only SHA-512, no trailing bytes, an empty reserved field, user presence for
//! FIDO keys, and strict Ed25519 verification (RFC 8032 with canonical points, no small-order keys). Certificates have
//! another key type and are refused here until the policy names a CA.

use crate::armor::{armor, armored};
use crate::codec::{CodecError, Decoder, Encoder};
use bitcoin::base64::Engine as _;
use bitcoin::base64::engine::general_purpose::STANDARD;
use bitcoin::hashes::{Hash, sha256, sha512};
use ed25519_dalek::{Signature, VerifyingKey};
use std::fmt;
use std::str::FromStr;

const ED25519: &str = "ssh-ed25519";
const SK_ED25519: &str = "sk-ssh-ed25519@openssh.com";
const MAGIC: &[u8; 6] = b"SSHSIG";
const HASH: &[u8] = b"sha512";
const ARMOR_BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const ARMOR_END: &str = "-----END SSH SIGNATURE-----";

/// Longest SSHSIG blob that is read, in bytes.
pub const MAX_SIGNATURE_LEN: usize = 4_096;

/// What a signature is for; a signature for one purpose is never accepted for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// A terminal asks for a payment.
    Request,
    /// A person agrees to a payment.
    Approve,
    /// A gatekeeper permits a spend.
    Permit,
    /// A gatekeeper vouches for its own keys and policy.
    Authority,
    /// A vault says what it signed.
    Receipt,
    /// A vault vouches for a wallet that it exports.
    Export,
}

impl Namespace {
    /// The SSHSIG namespace.
    pub const fn as_str(self) -> &'static str {
        match self {
            Namespace::Request => "airlock-request",
            Namespace::Approve => "airlock-approve",
            Namespace::Permit => "airlock-permit",
            Namespace::Authority => "airlock-authority",
            Namespace::Receipt => "airlock-receipt",
            Namespace::Export => "airlock-export",
        }
    }
}

/// Why a key or a signature is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The bytes are no SSHSIG or no public key.
    #[error("not an SSH signature or key: {0}")]
    Malformed(#[from] CodecError),
    /// The text is no armored signature or no public key line.
    #[error("{0}")]
    Text(&'static str),
    /// The key type is not one of the two that are accepted.
    #[error("key type `{0}` is not accepted: expected {ED25519} or {SK_ED25519}")]
    KeyType(String),
    /// The signature is for another purpose.
    #[error("the signature is for `{found}`, expected `{expected}`")]
    Namespace {
        /// What was asked for.
        expected: &'static str,
        /// What the signature says, escaped.
        found: String,
    },
    /// Made without touching the FIDO key.
    #[error("the FIDO signature was made without user presence")]
    UserPresence,
    /// The signature does not verify.
    #[error("the signature by {0} does not verify")]
    Wrong(PublicKey),
}

/// An accepted public key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    kind: KeyKind,
    point: [u8; 32],
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum KeyKind {
    Ed25519,
    /// With the FIDO application, usually `ssh:`.
    SkEd25519(Vec<u8>),
}

impl PublicKey {
    /// A plain Ed25519 key. Whether the 32 bytes are a point is found at verification, which then fails.
    pub const fn ed25519(point: [u8; 32]) -> Self {
        Self { kind: KeyKind::Ed25519, point }
    }

    /// The 32 bytes of the Ed25519 point.
    pub const fn point(&self) -> &[u8; 32] {
        &self.point
    }

    /// The SSH wire form (RFC 8709 §4, PROTOCOL.u2f).
    pub fn to_blob(&self) -> Vec<u8> {
        let mut to = Encoder::default();
        match &self.kind {
            KeyKind::Ed25519 => {
                to.string(ED25519.as_bytes());
                to.string(&self.point);
            }
            KeyKind::SkEd25519(application) => {
                to.string(SK_ED25519.as_bytes());
                to.string(&self.point);
                to.string(application);
            }
        }
        to.finish()
    }

    /// Reads the SSH wire form.
    ///
    /// # Errors
    /// [`IdentityError`] for other key types and for anything but exactly one key.
    pub fn from_blob(blob: &[u8]) -> Result<Self, IdentityError> {
        let mut from = Decoder::new(blob);
        let kind = from.string("key type", 64)?;
        let key = if kind == ED25519.as_bytes() {
            Self { kind: KeyKind::Ed25519, point: point(&mut from)? }
        } else if kind == SK_ED25519.as_bytes() {
            let point = point(&mut from)?;
            Self { kind: KeyKind::SkEd25519(from.string("application", 256)?.to_vec()), point }
        } else {
            return Err(IdentityError::KeyType(kind.escape_ascii().to_string()));
        };
        from.finish()?;
        Ok(key)
    }

    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fn fingerprint(&self) -> String {
        let digest = sha256::Hash::hash(&self.to_blob());
        format!("SHA256:{}", STANDARD.encode(digest.as_byte_array()).trim_end_matches('='))
    }

    /// Appends the wire form as a string.
    pub fn encode(&self, to: &mut Encoder) {
        to.string(&self.to_blob());
    }

    /// Reads the wire form from a string.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let blob = from.string("public key", 512)?;
        Self::from_blob(blob).map_err(|error| CodecError::invalid("public key", error))
    }

    fn verify(&self, message: &[u8], signature: &mut Decoder<'_>) -> Result<(), IdentityError> {
        let kind = signature.string("signature type", 64)?;
        let bytes: [u8; 64] = {
            let raw = signature.string("signature", 64)?;
            raw.try_into()
                .map_err(|_| CodecError::invalid("signature", format!("{} bytes, not 64", raw.len())))?
        };
        let signed = match &self.kind {
            KeyKind::Ed25519 if kind == ED25519.as_bytes() => message.to_vec(),
            KeyKind::SkEd25519(application) if kind == SK_ED25519.as_bytes() => {
                let flags = signature.u8("flags")?;
                let counter = signature.u32("counter")?;
                if flags & 1 == 0 {
                    return Err(IdentityError::UserPresence);
                }
                let mut to = Encoder::default();
                to.fixed(sha256::Hash::hash(application).as_byte_array());
                to.u8(flags);
                to.u32(counter);
                to.fixed(sha256::Hash::hash(message).as_byte_array());
                to.finish()
            }
            KeyKind::Ed25519 | KeyKind::SkEd25519(_) => {
                return Err(IdentityError::KeyType(kind.escape_ascii().to_string()));
            }
        };
        VerifyingKey::from_bytes(&self.point)
            .and_then(|key| key.verify_strict(&signed, &Signature::from_bytes(&bytes)))
            .map_err(|_| IdentityError::Wrong(self.clone()))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            KeyKind::Ed25519 => ED25519,
            KeyKind::SkEd25519(_) => SK_ED25519,
        };
        write!(f, "{kind} {}", STANDARD.encode(self.to_blob()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint())
    }
}

impl FromStr for PublicKey {
    type Err = IdentityError;

    /// Reads a line of an OpenSSH `.pub` file: type, base64, and a comment that is ignored.
    fn from_str(line: &str) -> Result<Self, IdentityError> {
        let mut words = line.split_ascii_whitespace();
        let (Some(kind), Some(base64)) = (words.next(), words.next()) else {
            return Err(IdentityError::Text("expected a public key line: `ssh-ed25519 AAAA…`"));
        };
        if kind != ED25519 && kind != SK_ED25519 {
            return Err(IdentityError::KeyType(kind.escape_default().to_string()));
        }
        let blob = STANDARD
            .decode(base64)
            .map_err(|_| IdentityError::Text("the public key line holds no base64"))?;
        let key = Self::from_blob(&blob)?;
        if key.to_string() != format!("{kind} {base64}") {
            return Err(IdentityError::Text("the public key line names another type than its key"));
        }
        Ok(key)
    }
}

/// An SSHSIG as it travels: its bytes, whose signer is known only after [`SshSig::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSig {
    blob: Vec<u8>,
}

impl SshSig {
    /// Takes a blob (`PROTOCOL.sshsig`), at most [`MAX_SIGNATURE_LEN`] bytes.
    ///
    /// # Errors
    /// [`IdentityError::Malformed`] when it is longer.
    pub fn from_blob(blob: &[u8]) -> Result<Self, IdentityError> {
        if blob.len() > MAX_SIGNATURE_LEN {
            return Err(
                CodecError::TooLong { what: "signature", found: blob.len(), max: MAX_SIGNATURE_LEN }.into()
            );
        }
        Ok(Self { blob: blob.to_vec() })
    }

    /// Takes what `ssh-keygen -Y sign` writes.
    ///
    /// # Errors
    /// [`IdentityError::Text`] when the armor is broken.
    pub fn from_armor(text: &str) -> Result<Self, IdentityError> {
        let base64 = armored(ARMOR_BEGIN, text, ARMOR_END)
            .ok_or(IdentityError::Text("expected an armored SSH signature"))?;
        let blob = STANDARD.decode(base64).map_err(|_| IdentityError::Text("the armor holds no base64"))?;
        Self::from_blob(&blob)
    }

    /// The form that `ssh-keygen -Y verify` reads.
    pub fn to_armor(&self) -> String {
        armor(ARMOR_BEGIN, &self.blob, ARMOR_END)
    }

    /// The blob.
    pub fn as_blob(&self) -> &[u8] {
        &self.blob
    }

    /// Builds a signature around a signing primitive for a plain Ed25519 key.
    pub fn create(
        key: &PublicKey,
        namespace: Namespace,
        message: &[u8],
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Self {
        let signature = sign(&signed_data(namespace.as_str().as_bytes(), message));
        let mut inner = Encoder::default();
        inner.string(ED25519.as_bytes());
        inner.string(&signature);
        let mut to = Encoder::default();
        to.fixed(MAGIC);
        to.u32(1);
        to.string(&key.to_blob());
        to.string(namespace.as_str().as_bytes());
        to.string(b"");
        to.string(HASH);
        to.string(&inner.finish());
        Self { blob: to.finish() }
    }

    /// Verifies, and only then says who signed.
    ///
    /// # Errors
    /// [`IdentityError`] for anything but one valid signature of an accepted key in this namespace.
    pub fn verify(&self, namespace: Namespace, message: &[u8]) -> Result<PublicKey, IdentityError> {
        let mut from = Decoder::new(&self.blob);
        if from.fixed::<6>("magic")? != *MAGIC {
            return Err(IdentityError::Text("no SSHSIG: the magic is missing"));
        }
        let version = from.u32("version")?;
        if version != 1 {
            return Err(CodecError::invalid("SSHSIG version", format!("{version}, not 1")).into());
        }
        let key = from.string("public key", 512)?;
        let found = from.string("namespace", 256)?;
        if found != namespace.as_str().as_bytes() {
            return Err(IdentityError::Namespace {
                expected: namespace.as_str(),
                found: found.escape_ascii().to_string(),
            });
        }
        if !from.string("reserved", 256)?.is_empty() {
            return Err(CodecError::invalid("reserved", "not empty").into());
        }
        let hash = from.string("hash algorithm", 64)?;
        if hash != HASH {
            let found = hash.escape_ascii().to_string();
            return Err(CodecError::invalid("hash algorithm", format!("`{found}`, not sha512")).into());
        }
        let inner = from.string("signature", 1_024)?;
        from.finish()?;
        let key = PublicKey::from_blob(key)?;
        let mut inner = Decoder::new(inner);
        key.verify(&signed_data(namespace.as_str().as_bytes(), message), &mut inner)?;
        inner.finish()?;
        Ok(key)
    }
}

/// What the key really signs: `PROTOCOL.sshsig`, section 2.
fn signed_data(namespace: &[u8], message: &[u8]) -> Vec<u8> {
    let mut to = Encoder::default();
    to.fixed(MAGIC);
    to.string(namespace);
    to.string(b"");
    to.string(HASH);
    to.string(sha512::Hash::hash(message).as_byte_array());
    to.finish()
}

fn point(from: &mut Decoder<'_>) -> Result<[u8; 32], IdentityError> {
    let bytes = from.string("key", 32)?;
    bytes.try_into().map_err(|_| CodecError::invalid("key", format!("{} bytes, not 32", bytes.len())).into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ed25519_dalek::{Signer, SigningKey};

    pub fn key(n: u8) -> SigningKey {
        SigningKey::from_bytes(&[n; 32])
    }

    pub fn public(n: u8) -> PublicKey {
        PublicKey::ed25519(key(n).verifying_key().to_bytes())
    }

    pub fn sign(n: u8, namespace: Namespace, message: &[u8]) -> SshSig {
        SshSig::create(&public(n), namespace, message, |data| key(n).sign(data).to_bytes())
    }

    /// A FIDO signature, made as an authenticator would.
    fn sk_sign(n: u8, flags: u8, message: &[u8]) -> (PublicKey, SshSig) {
        let public = PublicKey { kind: KeyKind::SkEd25519(b"ssh:".to_vec()), point: *public(n).point() };
        let data = signed_data(b"airlock-approve", message);
        let mut signed = Encoder::default();
        signed.fixed(sha256::Hash::hash(b"ssh:").as_byte_array());
        signed.u8(flags);
        signed.u32(7);
        signed.fixed(sha256::Hash::hash(&data).as_byte_array());
        let mut inner = Encoder::default();
        inner.string(SK_ED25519.as_bytes());
        inner.string(&key(n).sign(&signed.finish()).to_bytes());
        inner.u8(flags);
        inner.u32(7);
        let mut to = Encoder::default();
        to.fixed(MAGIC);
        to.u32(1);
        to.string(&public.to_blob());
        to.string(b"airlock-approve");
        to.string(b"");
        to.string(HASH);
        to.string(&inner.finish());
        (public, SshSig { blob: to.finish() })
    }

    #[test]
    fn an_honest_signature_names_its_signer() {
        let sig = sign(1, Namespace::Request, b"pay");
        assert_eq!(sig.verify(Namespace::Request, b"pay"), Ok(public(1)));
        assert_eq!(SshSig::from_armor(&sig.to_armor()), Ok(sig));
    }

    #[test]
    fn a_signature_for_another_purpose_is_refused() {
        let sig = sign(1, Namespace::Request, b"pay");
        assert!(matches!(sig.verify(Namespace::Permit, b"pay"), Err(IdentityError::Namespace { .. })));
    }

    #[test]
    fn a_signature_of_another_message_is_refused() {
        let sig = sign(1, Namespace::Request, b"pay");
        assert_eq!(sig.verify(Namespace::Request, b"pay more"), Err(IdentityError::Wrong(public(1))));
    }

    #[test]
    fn no_changed_byte_of_a_signature_verifies() {
        let sig = sign(1, Namespace::Request, b"pay");
        for at in 0..sig.blob.len() {
            let mut changed = sig.clone();
            changed.blob[at] ^= 1;
            assert!(changed.verify(Namespace::Request, b"pay").is_err(), "byte {at}");
        }
        let mut longer = sig.clone();
        longer.blob.push(0);
        assert!(longer.verify(Namespace::Request, b"pay").is_err());
    }

    #[test]
    fn a_fido_signature_needs_user_presence() {
        let (public, sig) = sk_sign(4, 1, b"pay");
        assert_eq!(sig.verify(Namespace::Approve, b"pay"), Ok(public));
        let (_, absent) = sk_sign(4, 0, b"pay");
        assert_eq!(absent.verify(Namespace::Approve, b"pay"), Err(IdentityError::UserPresence));
    }

    #[test]
    fn a_small_order_key_verifies_nothing() {
        let weak = PublicKey::ed25519([0; 32]);
        let sig = SshSig::create(&weak, Namespace::Permit, b"x", |_| [0; 64]);
        assert!(sig.verify(Namespace::Permit, b"x").is_err());
    }

    #[test]
    fn keys_survive_their_text_and_other_types_are_refused() {
        let line = format!("{} desk@example", public(1));
        assert_eq!(line.parse(), Ok(public(1)));
        assert!(matches!("ssh-rsa AAAA".parse::<PublicKey>(), Err(IdentityError::KeyType(_))));
        assert!(matches!(
            "ssh-ed25519-cert-v01@openssh.com AAAA".parse::<PublicKey>(),
            Err(IdentityError::KeyType(_))
        ));
        let renamed = line.replace("ssh-ed25519 ", "sk-ssh-ed25519@openssh.com ");
        assert!(renamed.parse::<PublicKey>().is_err());
    }

    /// Against OpenSSH's own tools, in both directions.
    #[test]
    fn openssh_accepts_ours_and_we_accept_openssh() {
        use std::io::Write;
        use std::process::{Command, Stdio};
        if Command::new("ssh-keygen").arg("-?").output().is_err() {
            eprintln!("skipped: ssh-keygen is not installed");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        let run = |args: &[&str], input: &[u8]| {
            let mut child = Command::new("ssh-keygen")
                .args(args)
                .current_dir(dir.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(input).unwrap();
            child.wait_with_output().unwrap()
        };
        assert!(run(&["-q", "-t", "ed25519", "-N", "", "-f", "key"], b"").status.success());
        let theirs: PublicKey = std::fs::read_to_string(file.with_extension("pub")).unwrap().parse().unwrap();
        let signed = run(&["-Y", "sign", "-f", "key", "-n", "airlock-request", "-"], b"pay");
        let armor = String::from_utf8(signed.stdout).unwrap();
        let sig = SshSig::from_armor(&armor).unwrap();
        assert_eq!(sig.verify(Namespace::Request, b"pay"), Ok(theirs));

        std::fs::write(dir.path().join("allowed"), format!("vault {}\n", public(9))).unwrap();
        let ours = sign(9, Namespace::Receipt, b"signed");
        std::fs::write(dir.path().join("ours.sig"), ours.to_armor()).unwrap();
        let verify =
            ["-Y", "verify", "-f", "allowed", "-I", "vault", "-n", "airlock-receipt", "-s", "ours.sig"];
        assert!(run(&verify, b"signed").status.success());
        assert!(!run(&verify, b"another").status.success());
    }
}
