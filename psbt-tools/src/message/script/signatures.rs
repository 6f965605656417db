//! Signatures and timelocks of one input: strict encodings, low S, nothing but `SIGHASH_ALL`, no failing signature.

use super::{Fault, broken, unknown};
use bitcoin::hashes::Hash;
use bitcoin::key::XOnlyPublicKey;
use bitcoin::script::PushBytesBuf;
use bitcoin::secp256k1::{Message, ecdsa, schnorr};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::{PublicKey, Script, ScriptBuf, TapLeafHash, Transaction, TxIn, TxOut};
use policies::wallet::secp;

/// Bit 31 of a sequence: no relative lock (BIP68).
const DISABLED: u32 = 1 << 31;

/// Bit 22 of a sequence: the lock counts time, not blocks (BIP68).
const TIME: u32 = 1 << 22;

/// The bits of a sequence that count (BIP68).
const VALUE: u32 = 0xffff;

/// From this number on a locktime is a time (`LOCKTIME_THRESHOLD` of Bitcoin Core).
const LOCKTIME_THRESHOLD: u32 = 500_000_000;

/// By which rules a script's signatures are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// Before segwit.
    Legacy,
    /// BIP143.
    SegwitV0,
    /// BIP342, in this leaf.
    Tapscript(TapLeafHash),
}

/// Verifies signatures over one input after the other.
pub(super) struct Checker<'a> {
    transaction: &'a Transaction,
    prevouts: &'a [TxOut],
    cache: SighashCache<&'a Transaction>,
    at: usize,
    /// How many signatures of this input verified.
    pub(super) verified: usize,
}

impl<'a> Checker<'a> {
    pub(super) fn new(transaction: &'a Transaction, prevouts: &'a [TxOut]) -> Self {
        Self { transaction, prevouts, cache: SighashCache::new(transaction), at: 0, verified: 0 }
    }

    /// The input from now on.
    pub(super) fn turn_to(&mut self, at: usize) {
        self.at = at;
        self.verified = 0;
    }

    pub(super) fn input(&self) -> Option<&'a TxIn> {
        self.transaction.input.get(self.at)
    }

    pub(super) fn output(&self) -> Option<&'a TxOut> {
        self.prevouts.get(self.at)
    }

    /// `OP_CHECKSIG`: true for a good signature, false for an empty one; everything else breaks a rule (`NULLFAIL`).
    pub(super) fn check(
        &mut self,
        rules: Rules,
        script: &Script,
        key: &[u8],
        signature: &[u8],
    ) -> Result<bool, Fault> {
        let good = match rules {
            Rules::Tapscript(leaf) => {
                if key.is_empty() {
                    return broken("a key is empty");
                }
                if key.len() != 32 {
                    return unknown("a key is of a type that has no rules yet");
                }
                if signature.is_empty() {
                    return Ok(false);
                }
                let (signature, sighash_type) = schnorr_signature(signature)?;
                let prevouts = Prevouts::All(self.prevouts);
                let digest =
                    self.cache.taproot_script_spend_signature_hash(self.at, &prevouts, leaf, sighash_type);
                let (Ok(digest), Ok(key)) = (digest, XOnlyPublicKey::from_slice(key)) else {
                    return broken("a key is no point of the curve");
                };
                verify_schnorr(digest.to_byte_array(), &signature, &key)
            }
            Rules::Legacy | Rules::SegwitV0 => {
                require_encoded(key)?;
                if signature.is_empty() {
                    return Ok(false);
                }
                self.ecdsa(rules, script, key, signature)?
            }
        };
        if !good {
            return broken("a signature does not verify");
        }
        self.count();
        Ok(true)
    }

    /// One pairing within `OP_CHECKMULTISIG`, where a good signature may fit a later key only.
    pub(super) fn fits(
        &mut self,
        rules: Rules,
        script: &Script,
        key: &[u8],
        signature: &[u8],
    ) -> Result<bool, Fault> {
        require_encoded(key)?;
        let fits = !signature.is_empty() && self.ecdsa(rules, script, key, signature)?;
        if fits {
            self.count();
        }
        Ok(fits)
    }

    /// BIP341's key path.
    pub(super) fn key_path(&mut self, key: &XOnlyPublicKey, signature: &[u8]) -> Result<(), Fault> {
        let (signature, sighash_type) = schnorr_signature(signature)?;
        let prevouts = Prevouts::All(self.prevouts);
        let digest = self.cache.taproot_key_spend_signature_hash(self.at, &prevouts, sighash_type);
        match digest {
            Ok(digest) if verify_schnorr(digest.to_byte_array(), &signature, key) => {
                self.count();
                Ok(())
            }
            _ => broken("the signature does not verify"),
        }
    }

    /// `OP_CHECKLOCKTIMEVERIFY` (BIP65).
    pub(super) fn locked_until(&self, wanted: i64) -> Result<(), Fault> {
        let is = self.transaction.lock_time.to_consensus_u32();
        let of_one_kind = |wanted: u32| (wanted < LOCKTIME_THRESHOLD) == (is < LOCKTIME_THRESHOLD);
        let enforced = self.input().is_some_and(|input| input.sequence.enables_absolute_lock_time());
        match u32::try_from(wanted) {
            Ok(wanted) if enforced && of_one_kind(wanted) && wanted <= is => Ok(()),
            _ => broken(format!("its script is locked until {wanted}, the signature is made for {is}")),
        }
    }

    /// `OP_CHECKSEQUENCEVERIFY` (BIP112).
    pub(super) fn aged(&self, wanted: i64) -> Result<(), Fault> {
        let is = self.input().map_or(DISABLED, |input| input.sequence.to_consensus_u32());
        if wanted < 0 {
            return broken("its script wants a negative age");
        }
        // Bits above these have no meaning, and consensus does not look at them.
        let wanted = u32::try_from(wanted & i64::from(u32::MAX)).unwrap_or(VALUE);
        if wanted & DISABLED != 0 {
            return Ok(());
        }
        let versioned = self.transaction.version.0.cast_unsigned() >= 2;
        let of_one_kind = wanted & TIME == is & TIME;
        if versioned && is & DISABLED == 0 && of_one_kind && wanted & VALUE <= is & VALUE {
            return Ok(());
        }
        broken(format!("its script wants an age of {wanted}, the signature is made for {is}"))
    }

    fn ecdsa(&mut self, rules: Rules, script: &Script, key: &[u8], signature: &[u8]) -> Result<bool, Fault> {
        let parsed = ecdsa_signature(signature)?;
        let digest = match rules {
            Rules::Legacy => {
                require_absent(script, signature)?;
                let all = EcdsaSighashType::All.to_u32();
                self.cache.legacy_signature_hash(self.at, script, all).ok().map(Hash::to_byte_array)
            }
            Rules::SegwitV0 => {
                let value = self.output().map(|output| output.value);
                value.and_then(|value| {
                    let hash = self.cache.p2wsh_signature_hash(self.at, script, value, EcdsaSighashType::All);
                    hash.ok().map(Hash::to_byte_array)
                })
            }
            Rules::Tapscript(_) => None,
        };
        let (Some(digest), Ok(key)) = (digest, PublicKey::from_slice(key)) else { return Ok(false) };
        Ok(secp().verify_ecdsa(&Message::from_digest(digest), &parsed, &key.inner).is_ok())
    }

    fn count(&mut self) {
        self.verified = self.verified.saturating_add(1);
    }
}

fn verify_schnorr(digest: [u8; 32], signature: &schnorr::Signature, key: &XOnlyPublicKey) -> bool {
    secp().verify_schnorr(signature, &Message::from_digest(digest), key).is_ok()
}

/// Strict DER with a low S, and `SIGHASH_ALL` behind it.
fn ecdsa_signature(bytes: &[u8]) -> Result<ecdsa::Signature, Fault> {
    let Some((sighash_type, der)) = bytes.split_last() else { return broken("a signature is empty") };
    if u32::from(*sighash_type) != EcdsaSighashType::All.to_u32() {
        return broken(format!("a signature has the sighash type 0x{sighash_type:02x}, which is not ALL"));
    }
    let Ok(signature) = ecdsa::Signature::from_der(der) else {
        return broken("a signature is not strict DER");
    };
    let mut low = signature;
    low.normalize_s();
    if low != signature {
        return broken("a signature has a high S");
    }
    Ok(signature)
}

/// 64 bytes, or 65 with `SIGHASH_ALL`.
fn schnorr_signature(bytes: &[u8]) -> Result<(schnorr::Signature, TapSighashType), Fault> {
    let all = TapSighashType::All as u8;
    let (signature, sighash_type) = match (bytes.len(), bytes.split_last()) {
        (64, _) => (bytes, TapSighashType::Default),
        (65, Some((last, signature))) if *last == all => (signature, TapSighashType::All),
        (65, Some((last, _))) => {
            return broken(format!("a signature has the sighash type 0x{last:02x}, neither DEFAULT nor ALL"));
        }
        _ => return broken("a taproot signature has neither 64 nor 65 bytes"),
    };
    match schnorr::Signature::from_slice(signature) {
        Ok(signature) => Ok((signature, sighash_type)),
        Err(_) => broken("a taproot signature has neither 64 nor 65 bytes"),
    }
}

/// `STRICTENC` of keys: compressed or not, never hybrid.
fn require_encoded(key: &[u8]) -> Result<(), Fault> {
    match (key.len(), key.first()) {
        (33, Some(2 | 3)) | (65, Some(4)) => Ok(()),
        _ => broken("a key is neither compressed nor uncompressed"),
    }
}

/// `FindAndDelete` of the first signatures' code: a script that holds its own signature.
fn require_absent(script: &Script, signature: &[u8]) -> Result<(), Fault> {
    let Ok(push) = PushBytesBuf::try_from(signature.to_vec()) else {
        return broken("a signature is too long");
    };
    let push = ScriptBuf::builder().push_slice(push).into_script();
    if script.as_bytes().windows(push.len()).any(|window| window == push.as_bytes()) {
        return broken("the script holds its own signature");
    }
    Ok(())
}
