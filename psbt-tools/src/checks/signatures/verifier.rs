//! Single signatures over one transaction: ECDSA of every script before taproot, BIP340 of key path and leaves.

use super::super::coins::Coin;
use super::super::inside::Inside;
use bitcoin::hashes::{Hash, hash160};
use bitcoin::script::Instruction;
use bitcoin::secp256k1::{Message, XOnlyPublicKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot::{self, LeafVersion, TapLeafHash};
use bitcoin::{PublicKey, Script, ScriptBuf, Transaction, TxOut, ecdsa};
use miniscript::interpreter::KeySigPair;
use policies::wallet::secp;

/// What a signature came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It verifies, and commits to the whole transaction.
    Good,
    /// It does not, for this reason.
    Bad(&'static str),
    /// Its script, or a coin that it commits to, is not known here.
    Unknown,
}

/// Most bytes that are hashed for digests before segwit (check C27): the largest block of legacy inputs needs half of it.
const MAX_HASHED: u64 = 8_000_000_000;

pub(super) const NOT_ITS_KEY: &str = "its key is not one of the script it spends";
const INVALID: &str = "it does not verify";

/// Verifies signatures over one transaction and its coins. What all inputs share is hashed once (BIP143, BIP341).
pub(crate) struct Verifier<'a> {
    transaction: &'a Transaction,
    cache: SighashCache<&'a Transaction>,
    coins: &'a [Coin],
    /// All previous outputs, when all are known: taproot signatures commit to each (BIP341).
    prevouts: Option<Vec<&'a TxOut>>,
    /// What was verified at the input in hand, with what it signs: a finaliser looks at every signature twice.
    verified: (usize, Vec<Claim>),
    /// The last digest before segwit: signatures of one input share it.
    legacy: Option<(usize, ScriptBuf, [u8; 32])>,
    /// Bytes that were hashed for digests before segwit, each of which is over the whole transaction.
    hashed: u64,
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(transaction: &'a Transaction, coins: &'a [Coin]) -> Self {
        let prevouts = coins.iter().map(|coin| coin.output.as_ref()).collect();
        Self {
            transaction,
            cache: SighashCache::new(transaction),
            coins,
            prevouts,
            verified: (0, Vec::new()),
            legacy: None,
            hashed: 0,
        }
    }

    pub(super) fn transaction(&self) -> &'a Transaction {
        self.transaction
    }

    /// The output that an input spends.
    pub(super) fn output(&self, at: usize) -> Option<&'a TxOut> {
        self.coins.get(at)?.output.as_ref()
    }

    /// The taproot output key that an input spends.
    pub(super) fn output_key(&self, at: usize) -> Option<XOnlyPublicKey> {
        output_key(&self.output(at)?.script_pubkey)
    }

    /// What has verified at the input in hand.
    pub(super) fn verified(&self, at: usize) -> Vec<KeySigPair> {
        if self.verified.0 == at {
            self.verified.1.iter().map(|claim| claim.pair).collect()
        } else {
            Vec::new()
        }
    }

    /// An ECDSA signature by a key at an input.
    pub(crate) fn ecdsa(
        &mut self,
        at: usize,
        inside: &Inside<'_>,
        key: &PublicKey,
        signature: &ecdsa::Signature,
    ) -> Judged {
        let claim = self.ecdsa_claim(at, inside, key, signature);
        self.judge(at, claim)
    }

    /// What such a signature claims to sign; the error is what it comes to without a look at the signature itself.
    pub(crate) fn ecdsa_claim(
        &mut self,
        at: usize,
        inside: &Inside<'_>,
        key: &PublicKey,
        signature: &ecdsa::Signature,
    ) -> Result<Claim, Judged> {
        if signature.sighash_type != EcdsaSighashType::All {
            return Err(Judged::Bad("its sighash type is not ALL"));
        }
        let Some(output) = self.output(at) else { return Err(Judged::Unknown) };
        let inner = inside.inner(&output.script_pubkey);
        let kind = EcdsaSighashType::All;
        let digest = if inner.is_p2tr() {
            return Err(Judged::Bad("an ECDSA signature cannot spend a taproot output"));
        } else if inner.is_p2wpkh() {
            if !pays_to_key(inner, key) {
                return Err(Judged::Bad(NOT_ITS_KEY));
            }
            self.cache.p2wpkh_signature_hash(at, inner, output.value, kind).ok().map(Hash::to_byte_array)
        } else if inner.is_p2wsh() {
            let Some(script) = inside.witness_script else { return Err(Judged::Unknown) };
            if !names_key(script, key) {
                return Err(Judged::Bad(NOT_ITS_KEY));
            }
            self.cache.p2wsh_signature_hash(at, script, output.value, kind).ok().map(Hash::to_byte_array)
        } else if inner.is_witness_program() || inner.is_p2sh() {
            None
        } else {
            if !names_key(inner, key) {
                return Err(Judged::Bad(NOT_ITS_KEY));
            }
            self.legacy_digest(at, inner)
        };
        let Some(digest) = digest else { return Err(Judged::Unknown) };
        let pair = KeySigPair::Ecdsa(*key, *signature);
        Ok(Claim { message: Message::from_digest(digest), pair })
    }

    /// What a signature before segwit signs with ALL; `None` when that is more than is hashed.
    fn legacy_digest(&mut self, at: usize, script: &Script) -> Option<[u8; 32]> {
        if let Some((input, known, digest)) = &self.legacy
            && *input == at
            && known.as_script() == script
        {
            return Some(*digest);
        }
        let len = u64::try_from(self.transaction.base_size()).ok()?;
        self.hashed = within_budget(self.hashed, len)?;
        let digest = self.cache.legacy_signature_hash(at, script, EcdsaSighashType::All.to_u32()).ok()?;
        self.legacy = Some((at, script.to_owned(), digest.to_byte_array()));
        Some(digest.to_byte_array())
    }

    /// A signature of a taproot output key (BIP341 key path).
    pub(crate) fn key_path(&mut self, at: usize, signature: &taproot::Signature) -> Judged {
        let Some(output) = self.output(at) else { return Judged::Unknown };
        let Some(key) = output_key(&output.script_pubkey) else {
            return Judged::Bad("a taproot signature cannot spend another kind of output");
        };
        let claim = self.schnorr_claim(at, None, key, signature);
        self.judge(at, claim)
    }

    /// A signature by a key of a leaf (BIP342 script path) that the output commits to.
    pub(crate) fn leaf(
        &mut self,
        at: usize,
        leaf: &Script,
        key: XOnlyPublicKey,
        signature: &taproot::Signature,
    ) -> Judged {
        let claim = self.leaf_claim(at, leaf, key, signature);
        self.judge(at, claim)
    }

    /// What such a signature claims to sign; the error is what it comes to without a look at the signature itself.
    pub(crate) fn leaf_claim(
        &mut self,
        at: usize,
        leaf: &Script,
        key: XOnlyPublicKey,
        signature: &taproot::Signature,
    ) -> Result<Claim, Judged> {
        if !names_point(leaf, &key) {
            return Err(Judged::Bad(NOT_ITS_KEY));
        }
        let hash = TapLeafHash::from_script(leaf, LeafVersion::TapScript);
        self.schnorr_claim(at, Some(hash), key, signature)
    }

    /// What a signature by a taproot output's key, or by a key of its leaf, claims to sign.
    pub(crate) fn schnorr_claim(
        &mut self,
        at: usize,
        leaf: Option<TapLeafHash>,
        key: XOnlyPublicKey,
        signature: &taproot::Signature,
    ) -> Result<Claim, Judged> {
        let kind = signature.sighash_type;
        if !matches!(kind, TapSighashType::Default | TapSighashType::All) {
            return Err(Judged::Bad("its sighash type is neither DEFAULT nor ALL"));
        }
        let Some(prevouts) = &self.prevouts else { return Err(Judged::Unknown) };
        let prevouts = Prevouts::All(prevouts);
        let digest = match leaf {
            None => self.cache.taproot_key_spend_signature_hash(at, &prevouts, kind),
            Some(leaf) => self.cache.taproot_script_spend_signature_hash(at, &prevouts, leaf, kind),
        };
        let Ok(digest) = digest else { return Err(Judged::Unknown) };
        let message = Message::from_digest(digest.to_byte_array());
        Ok(Claim { message, pair: KeySigPair::Schnorr(key, *signature) })
    }

    fn judge(&mut self, at: usize, claim: Result<Claim, Judged>) -> Judged {
        let claim = match claim {
            Ok(claim) => claim,
            Err(judged) => return judged,
        };
        if self.verified.0 != at {
            self.verified = (at, Vec::new());
        }
        if self.verified.1.contains(&claim) {
            return Judged::Good;
        }
        let judged = claim.verify();
        if judged == Judged::Good {
            self.verified.1.push(claim);
        }
        judged
    }
}

/// A signature, its key, and what it should sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    message: Message,
    pair: KeySigPair,
}

impl Claim {
    /// Whether it verifies.
    pub(crate) fn verify(&self) -> Judged {
        let verified = match &self.pair {
            KeySigPair::Ecdsa(key, signature) => {
                secp().verify_ecdsa(&self.message, &signature.signature, &key.inner)
            }
            KeySigPair::Schnorr(key, signature) => {
                secp().verify_schnorr(&signature.signature, &self.message, key)
            }
        };
        verified.map_or(Judged::Bad(INVALID), |()| Judged::Good)
    }
}

/// The bytes hashed so far with these, unless that is too much.
fn within_budget(hashed: u64, more: u64) -> Option<u64> {
    hashed.checked_add(more).filter(|hashed| *hashed <= MAX_HASHED)
}

/// The output key of a taproot script: 32 bytes behind `OP_1` and their length.
pub(crate) fn output_key(script: &Script) -> Option<XOnlyPublicKey> {
    if !script.is_p2tr() {
        return None;
    }
    script.as_bytes().get(2..).and_then(|key| XOnlyPublicKey::from_slice(key).ok())
}

/// Whether a witness program is this key's (BIP141, "P2WPKH").
fn pays_to_key(script: &Script, key: &PublicKey) -> bool {
    key.wpubkey_hash().is_ok_and(|hash| script == ScriptBuf::new_p2wpkh(&hash).as_script())
}

/// Whether a script holds a key, or its hash as `pkh` does.
fn names_key(script: &Script, key: &PublicKey) -> bool {
    let bytes = key.to_bytes();
    let hash = hash160::Hash::hash(&bytes).to_byte_array();
    pushes(script, |push| push == bytes || push == hash)
}

/// The same for a leaf, whose keys are x coordinates (BIP342).
fn names_point(leaf: &Script, key: &XOnlyPublicKey) -> bool {
    let bytes = key.serialize();
    let hash = hash160::Hash::hash(&bytes).to_byte_array();
    pushes(leaf, |push| push == bytes || push == hash)
}

fn pushes(script: &Script, found: impl Fn(&[u8]) -> bool) -> bool {
    script.instructions().any(|instruction| match instruction {
        Ok(Instruction::PushBytes(push)) => found(push.as_bytes()),
        Ok(Instruction::Op(_)) | Err(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashing_before_segwit_is_bounded() {
        assert_eq!(within_budget(0, MAX_HASHED), Some(MAX_HASHED));
        assert_eq!(within_budget(MAX_HASHED, 1), None);
        assert_eq!(within_budget(u64::MAX, 1), None);
    }

    #[test]
    fn a_key_is_found_where_it_is_pushed_and_nowhere_else() {
        let key: PublicKey =
            "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().unwrap();
        let point = key.inner.x_only_public_key().0;
        let with = |bytes: &[u8]| {
            let push = bitcoin::script::PushBytesBuf::try_from(bytes.to_vec()).unwrap();
            ScriptBuf::builder().push_slice(push).into_script()
        };
        let hash = |bytes: &[u8]| hash160::Hash::hash(bytes).to_byte_array();
        assert!(names_key(&with(&key.to_bytes()), &key) && names_key(&with(&hash(&key.to_bytes())), &key));
        assert!(!names_key(&with(&point.serialize()), &key));
        assert!(names_point(&with(&point.serialize()), &point));
        assert!(names_point(&with(&hash(&point.serialize())), &point));
        assert!(!names_point(&with(&key.to_bytes()), &point));
        // Behind a longer push the same bytes are no key.
        assert!(!names_key(&with(&[&[0x21], &key.to_bytes()[..]].concat()), &key));
    }
}
