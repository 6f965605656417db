//! From a passphrase to the data key, and from the data key to sealed record parts.
//!
//! passphrase (NFKD) → Argon2id(salt) → HKDF-SHA256 → wrapping key and commitment. The keyslot holds the
//! parameters, the commitment and the data key wrapped under the wrapping key. The commitment is compared,
//! in constant time, before anything is decrypted: XChaCha20-Poly1305 alone does not commit to its key.
//!
//! From the random data key: one HMAC key for the whole store, and for each sealed part a subkey
//! HKDF(data key, info = `airlock/vault/record/1` || record header). The header, with sequence and
//! previous hash, and the clear part are associated data.
//!
//! Keyslot, clear part, 150 bytes: memory in KiB u32, passes u32, lanes u32, reserved u16 zero, salt 32,
//! commitment 32, then the wrapped data key as a sealed part (nonce 24, tag 16, ciphertext 32).

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::passphrase::Passphrase;
use crate::record::{Header, MAX_PAYLOAD};
use crate::secret::Secret;
use crate::{Error, random};

/// Nonce and tag, the bytes that a sealed part is longer than its content.
pub const SEAL_OVERHEAD: usize = NONCE_LEN + TAG_LEN;
/// Length of the clear part of a keyslot record in bytes.
pub const KEYSLOT_LEN: usize = PARAMETERS_LEN + 32 + KEY_LEN + SEAL_OVERHEAD;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
const SALT_LEN: usize = 32;
const PARAMETERS_LEN: usize = 14 + SALT_LEN;

/// Unit tests run Argon2id many times; the released range is tested by name.
const MIN_MEMORY_KIB: u32 = if cfg!(test) { 64 } else { KdfCost::FLOOR.memory_kib };

/// The work that Argon2id (RFC 9106) does for one guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl KdfCost {
    /// 1 GiB, t=4, p=4.
    pub const DEFAULT: Self = Self { memory_kib: 1024 * 1024, passes: 4, lanes: 4 };
    /// The least that any store may have (`--kdf-floor`): 256 MiB, t=3, p=4. A development build takes 1 MiB, because
    /// tests unlock thousands of times; a release build refuses what that made.
    pub const FLOOR: Self =
        Self { memory_kib: if cfg!(debug_assertions) { 1024 } else { 256 * 1024 }, passes: 3, lanes: 4 };
    /// 4 GiB, t=16, p=16: the most that a file may ask of this machine.
    pub const CAP: Self = Self { memory_kib: 4 * 1024 * 1024, passes: 16, lanes: 16 };

    /// Refuses costs that are too weak or that a forged file might ask to exhaust the machine.
    ///
    /// # Errors
    /// [`Error::KdfRange`].
    pub fn check(self) -> Result<Self, Error> {
        let within = (MIN_MEMORY_KIB..=Self::CAP.memory_kib).contains(&self.memory_kib)
            && (Self::FLOOR.passes..=Self::CAP.passes).contains(&self.passes)
            && (1..=Self::CAP.lanes).contains(&self.lanes);
        if within {
            return Ok(self);
        }
        Err(Error::KdfRange { memory_kib: self.memory_kib, passes: self.passes, lanes: self.lanes })
    }
}

/// The random key of one store, and the HMAC key made from it. Exists only after a correct passphrase.
pub struct DataKey {
    key: Secret,
    mac: Secret,
}

impl DataKey {
    /// A new random data key.
    ///
    /// # Errors
    /// [`Error::Randomness`], or [`Error::System`] when memory cannot be locked.
    pub fn generate() -> Result<Self, Error> {
        Self::new(Secret::random(KEY_LEN)?)
    }

    fn new(key: Secret) -> Result<Self, Error> {
        let mac = expand(None, key.expose(), &[b"airlock/vault/mac/1"])?;
        Ok(Self { key, mac })
    }

    /// HMAC-SHA256 of the authenticated bytes of a record.
    #[must_use]
    pub fn mac(&self, authenticated: &[u8]) -> [u8; 32] {
        // HMAC takes keys of every length (RFC 2104), so the fallback is unreachable, and would fail closed.
        let Ok(mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(self.mac.expose()) else {
            return [0; 32];
        };
        mac.chain_update(authenticated).finalize().into_bytes().into()
    }

    /// Compares a record's HMAC in constant time.
    #[must_use]
    pub fn mac_is(&self, authenticated: &[u8], mac: &[u8; 32]) -> bool {
        self.mac(authenticated).ct_eq(mac).into()
    }

    /// Seals `content` for the record with this header and clear part.
    ///
    /// # Errors
    /// [`Error::Randomness`], or [`Error::System`] when memory cannot be locked.
    pub fn seal(&self, header: &Header, clear: &[u8], content: &[u8]) -> Result<Vec<u8>, Error> {
        seal(&self.subkey(header)?, &associated(header, clear), content)
    }

    /// Opens the sealed part of a record.
    ///
    /// # Errors
    /// [`Error::Unsealable`] when it does not authenticate.
    pub fn open(&self, header: &Header, clear: &[u8], sealed: &[u8]) -> Result<Secret, Error> {
        open(&self.subkey(header)?, &associated(header, clear), sealed)?
            .ok_or(Error::Unsealable(header.sequence))
    }

    /// The clear part of a new keyslot record: this key wrapped under a passphrase.
    ///
    /// # Errors
    /// [`Error::KdfRange`], [`Error::Kdf`], and as [`DataKey::seal`].
    pub fn wrap(&self, header: &Header, passphrase: &Passphrase, cost: KdfCost) -> Result<Vec<u8>, Error> {
        let parameters = Parameters { cost: cost.check()?, salt: random::array()? };
        let (wrapping, commitment) = parameters.derive(passphrase)?;
        let mut clear = parameters.encode();
        clear.extend_from_slice(commitment.expose());
        let sealed = seal(&wrapping, &associated(header, &clear), self.key.expose())?;
        clear.extend_from_slice(&sealed);
        Ok(clear)
    }

    /// Opens a keyslot record's clear part; `None` when the passphrase is not this slot's.
    ///
    /// # Errors
    /// [`Error::KdfRange`], [`Error::Kdf`]; [`Error::Unsealable`] when the slot is malformed or the
    /// passphrase is right and the wrapped key is damaged.
    pub fn unwrap(header: &Header, clear: &[u8], passphrase: &Passphrase) -> Result<Option<Self>, Error> {
        let broken = || Error::Unsealable(header.sequence);
        let parameters = Parameters::decode(clear).ok_or_else(broken)??;
        let (expected, wrapped) = clear
            .get(PARAMETERS_LEN..)
            .and_then(|rest| rest.split_at_checked(KEY_LEN))
            .filter(|(_, wrapped)| wrapped.len() == KEY_LEN + SEAL_OVERHEAD)
            .ok_or_else(broken)?;
        let (wrapping, commitment) = parameters.derive(passphrase)?;
        if !bool::from(commitment.expose().ct_eq(expected)) {
            return Ok(None);
        }
        let bound = clear.get(..PARAMETERS_LEN + KEY_LEN).unwrap_or_default();
        let key = open(&wrapping, &associated(header, bound), wrapped)?.ok_or_else(broken)?;
        Self::new(key).map(Some)
    }

    fn subkey(&self, header: &Header) -> Result<Secret, Error> {
        expand(None, self.key.expose(), &[b"airlock/vault/record/1", &header.encode()])
    }
}

/// The cost that a keyslot's clear part states, for `status`.
///
/// # Errors
/// [`Error::KdfRange`]; `None` when the bytes are no keyslot.
pub fn keyslot_cost(clear: &[u8]) -> Option<Result<KdfCost, Error>> {
    Parameters::decode(clear).map(|parameters| parameters.map(|parameters| parameters.cost))
}

struct Parameters {
    cost: KdfCost,
    salt: [u8; SALT_LEN],
}

impl Parameters {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(KEYSLOT_LEN);
        for number in [self.cost.memory_kib, self.cost.passes, self.cost.lanes] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&self.salt);
        out
    }

    /// `None` when malformed; the range is judged before any memory is asked for.
    fn decode(clear: &[u8]) -> Option<Result<Self, Error>> {
        let (memory, rest) = clear.split_first_chunk::<4>()?;
        let (passes, rest) = rest.split_first_chunk::<4>()?;
        let (lanes, rest) = rest.split_first_chunk::<4>()?;
        let rest = rest.strip_prefix(&[0, 0])?;
        let salt = *rest.first_chunk::<SALT_LEN>()?;
        let cost = KdfCost {
            memory_kib: u32::from_be_bytes(*memory),
            passes: u32::from_be_bytes(*passes),
            lanes: u32::from_be_bytes(*lanes),
        };
        Some(cost.check().map(|cost| Self { cost, salt }))
    }

    /// Wrapping key and commitment.
    fn derive(&self, passphrase: &Passphrase) -> Result<(Secret, Secret), Error> {
        let KdfCost { memory_kib, passes, lanes } = self.cost;
        let kdf = |error: argon2::Error| Error::Kdf(error.to_string());
        let params = Params::new(memory_kib, passes, lanes, Some(KEY_LEN)).map_err(kdf)?;
        let mut stretched = Secret::zeroed(KEY_LEN)?;
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.expose(), &self.salt, stretched.expose_mut())
            .map_err(kdf)?;
        let salt = Some(&self.salt[..]);
        let wrapping = expand(salt, stretched.expose(), &[b"airlock/vault/wrap/1"])?;
        let commitment = expand(salt, stretched.expose(), &[b"airlock/vault/commit/1"])?;
        Ok((wrapping, commitment))
    }
}

fn associated(header: &Header, clear: &[u8]) -> Vec<u8> {
    [&header.encode()[..], clear].concat()
}

fn expand(salt: Option<&[u8]>, secret: &[u8], info: &[&[u8]]) -> Result<Secret, Error> {
    let mut out = Secret::zeroed(KEY_LEN)?;
    Hkdf::<Sha256>::new(salt, secret)
        .expand_multi_info(info, out.expose_mut())
        .map_err(|error| Error::Kdf(error.to_string()))?;
    Ok(out)
}

/// nonce || tag || ciphertext.
fn seal(key: &Secret, associated: &[u8], content: &[u8]) -> Result<Vec<u8>, Error> {
    const TOO_LONG: &str = "a sealed part";
    let too_long = || Error::TooLong { what: TOO_LONG, got: content.len(), limit: MAX_PAYLOAD };
    let cipher = cipher(key)?;
    let nonce = random::array::<NONCE_LEN>()?;
    // Encrypted inside locked memory, so that no plaintext copy is left in a buffer that grows.
    let mut buffer = Secret::zeroed(content.len())?;
    buffer.expose_mut().copy_from_slice(content);
    let tag = cipher
        .encrypt_inout_detached(&XNonce::from(nonce), associated, buffer.expose_mut().into())
        .map_err(|_| too_long())?;
    Ok([&nonce[..], &tag, buffer.expose()].concat())
}

/// `None` when the bytes do not authenticate.
fn open(key: &Secret, associated: &[u8], sealed: &[u8]) -> Result<Option<Secret>, Error> {
    let Some((nonce, rest)) = sealed.split_first_chunk::<NONCE_LEN>() else {
        return Ok(None);
    };
    let Some((tag, ciphertext)) = rest.split_first_chunk::<TAG_LEN>() else {
        return Ok(None);
    };
    let cipher = cipher(key)?;
    let mut content = Secret::zeroed(ciphertext.len())?;
    content.expose_mut().copy_from_slice(ciphertext);
    let opened = cipher.decrypt_inout_detached(
        &XNonce::from(*nonce),
        associated,
        content.expose_mut().into(),
        &Tag::from(*tag),
    );
    Ok(opened.is_ok().then_some(content))
}

fn cipher(key: &Secret) -> Result<XChaCha20Poly1305, Error> {
    let key: &Key = key.expose().try_into().map_err(|_| Error::Kdf("a key is not 32 bytes".to_owned()))?;
    Ok(XChaCha20Poly1305::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Kind;

    const CHEAP: KdfCost = KdfCost { memory_kib: 64, passes: 3, lanes: 1 };

    fn header(kind: Kind, sequence: u64) -> Header {
        Header {
            kind,
            critical: true,
            sealed: true,
            clear_len: 5,
            sequence,
            time: 1,
            payload_len: 100,
            previous: [3; 32],
        }
    }

    #[test]
    fn a_sealed_part_opens_only_under_its_own_header_and_clear_part() {
        let key = DataKey::generate().ok().unwrap();
        let place = header(Kind::Key, 4);
        let sealed = key.seal(&place, b"clear", b"the seed").ok().unwrap();
        assert_eq!(sealed.len(), 8 + SEAL_OVERHEAD);
        assert_eq!(key.open(&place, b"clear", &sealed).ok().unwrap().expose(), b"the seed");
        let moved = header(Kind::Key, 5);
        assert!(matches!(key.open(&moved, b"clear", &sealed), Err(Error::Unsealable(5))));
        assert!(matches!(key.open(&place, b"other", &sealed), Err(Error::Unsealable(4))));
        let other = DataKey::generate().ok().unwrap();
        assert!(other.open(&place, b"clear", &sealed).is_err());
        for index in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[index] ^= 1;
            assert!(key.open(&place, b"clear", &damaged).is_err());
        }
    }

    #[test]
    fn a_keyslot_opens_with_its_passphrase_only() {
        let key = DataKey::generate().ok().unwrap();
        let place = header(Kind::Keyslot, 1);
        let right = Passphrase::new(b"correct horse").ok().unwrap();
        let wrong = Passphrase::new(b"incorrect horse").ok().unwrap();
        let slot = key.wrap(&place, &right, CHEAP).ok().unwrap();
        assert_eq!(slot.len(), KEYSLOT_LEN);
        let opened = DataKey::unwrap(&place, &slot, &right).ok().unwrap().unwrap();
        assert_eq!(opened.mac(b"x"), key.mac(b"x"));
        assert!(DataKey::unwrap(&place, &slot, &wrong).ok().unwrap().is_none());
        let mut damaged = slot.clone();
        damaged[KEYSLOT_LEN - 1] ^= 1;
        assert!(matches!(DataKey::unwrap(&place, &damaged, &right), Err(Error::Unsealable(1))));
        assert!(matches!(DataKey::unwrap(&place, &slot[..149], &right), Err(Error::Unsealable(1))));
    }

    #[test]
    fn a_file_cannot_ask_for_unreasonable_work() {
        assert_eq!(KdfCost::DEFAULT.check().unwrap(), KdfCost::DEFAULT);
        assert_eq!(KdfCost::FLOOR.check().unwrap(), KdfCost::FLOOR);
        for cost in [
            KdfCost { memory_kib: KdfCost::CAP.memory_kib + 1, ..KdfCost::DEFAULT },
            KdfCost { passes: 17, ..KdfCost::DEFAULT },
            KdfCost { passes: 2, ..KdfCost::DEFAULT },
            KdfCost { lanes: 17, ..KdfCost::DEFAULT },
            KdfCost { lanes: 0, ..KdfCost::DEFAULT },
            KdfCost { memory_kib: 63, ..KdfCost::DEFAULT },
        ] {
            assert!(matches!(cost.check(), Err(Error::KdfRange { .. })), "{cost:?}");
        }
    }

    /// RFC 9106 section 5.3 uses a secret and associated data, so Argon2id is pinned by a value of the
    /// reference command line tool: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32`.
    #[test]
    fn argon2id_matches_the_reference_implementation() {
        let params = Params::new(65536, 2, 1, Some(32)).unwrap();
        let mut out = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(b"password", b"somesalt", &mut out)
            .unwrap();
        let text: String = out.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(text, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
    }
}
