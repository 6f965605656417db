//! C13: sighash types. C14: signatures that are already there are verified before anything is added to them.

use super::coins::{Coin, inner_script, pushed_redeem_script};
use bitcoin::ecdsa;
use bitcoin::hashes::Hash;
use bitcoin::psbt::Input;
use bitcoin::secp256k1::{Message, XOnlyPublicKey};
use bitcoin::sighash::{EcdsaSighashType, Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot;
use bitcoin::{Psbt, PublicKey, Script, ScriptBuf, Transaction, TxOut};
use policies::check::{Check, Finding};
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

/// Verifies signatures over one transaction and its coins.
pub(crate) struct Verifier<'a> {
    cache: SighashCache<&'a Transaction>,
    coins: &'a [Coin],
    /// All previous outputs, when all are known: taproot signatures commit to each (BIP341).
    prevouts: Option<Vec<&'a TxOut>>,
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(transaction: &'a Transaction, coins: &'a [Coin]) -> Self {
        let prevouts = coins.iter().map(|coin| coin.output.as_ref()).collect();
        Self { cache: SighashCache::new(transaction), coins, prevouts }
    }

    /// An ECDSA signature by a key at an input.
    pub(crate) fn ecdsa(
        &mut self,
        at: usize,
        input: &Input,
        key: &PublicKey,
        signature: &ecdsa::Signature,
    ) -> Judged {
        if signature.sighash_type != EcdsaSighashType::All {
            return Judged::Bad("its sighash type is not ALL");
        }
        let Some(output) = self.coins.get(at).and_then(|coin| coin.output.as_ref()) else {
            return Judged::Unknown;
        };
        let inner = inner_script(input, &output.script_pubkey);
        if inner.is_p2tr() {
            return Judged::Bad("an ECDSA signature cannot spend a taproot output");
        }
        if !pays_to_key(inner, key) {
            return Judged::Bad("its key is not the one of the output it spends");
        }
        let kind = EcdsaSighashType::All;
        let digest = if inner.is_p2wpkh() {
            self.cache.p2wpkh_signature_hash(at, inner, output.value, kind).ok().map(Hash::to_byte_array)
        } else if let (true, Some(script)) = (inner.is_p2wsh(), &input.witness_script) {
            self.cache.p2wsh_signature_hash(at, script, output.value, kind).ok().map(Hash::to_byte_array)
        } else if inner.is_witness_program() {
            None
        } else {
            self.cache.legacy_signature_hash(at, inner, kind.to_u32()).ok().map(Hash::to_byte_array)
        };
        let Some(digest) = digest else { return Judged::Unknown };
        match secp().verify_ecdsa(&Message::from_digest(digest), &signature.signature, &key.inner) {
            Ok(()) => Judged::Good,
            Err(_) => Judged::Bad("it does not verify"),
        }
    }

    /// A signature of a taproot output key (BIP341 key path).
    pub(crate) fn key_path(&mut self, at: usize, signature: &taproot::Signature) -> Judged {
        if !matches!(signature.sighash_type, TapSighashType::Default | TapSighashType::All) {
            return Judged::Bad("its sighash type is neither DEFAULT nor ALL");
        }
        let Some(output) = self.coins.get(at).and_then(|coin| coin.output.as_ref()) else {
            return Judged::Unknown;
        };
        let Some(key) = output_key(&output.script_pubkey) else {
            return Judged::Bad("a taproot signature cannot spend another kind of output");
        };
        let Some(prevouts) = &self.prevouts else { return Judged::Unknown };
        let digest =
            self.cache.taproot_key_spend_signature_hash(at, &Prevouts::All(prevouts), signature.sighash_type);
        let Ok(digest) = digest else { return Judged::Unknown };
        let message = Message::from_digest(digest.to_byte_array());
        match secp().verify_schnorr(&signature.signature, &message, &key) {
            Ok(()) => Judged::Good,
            Err(_) => Judged::Bad("it does not verify"),
        }
    }

    /// A finalised input of one key: its scriptSig and witness (BIP141, BIP341).
    pub(crate) fn finalised(&mut self, at: usize, input: &Input) -> Judged {
        let Some(output) = self.coins.get(at).and_then(|coin| coin.output.as_ref()) else {
            return Judged::Unknown;
        };
        let script = &output.script_pubkey;
        if script.is_witness_program() && input.final_script_sig.as_ref().is_some_and(|sig| !sig.is_empty()) {
            return Judged::Bad("a native segwit input has a scriptSig");
        }
        let witness: Vec<&[u8]> = input.final_script_witness.iter().flatten().collect();
        let inner = match &input.final_script_sig {
            Some(_) if script.is_p2sh() => pushed_redeem_script(input, script),
            _ => Some(script.clone()),
        };
        let Some(inner) = inner else { return Judged::Unknown };
        match witness.as_slice() {
            [signature, key] if inner.is_p2wpkh() => {
                let (Ok(signature), Ok(key)) =
                    (ecdsa::Signature::from_slice(signature), PublicKey::from_slice(key))
                else {
                    return Judged::Bad("its witness is not a signature and a key");
                };
                let bare = Input { redeem_script: script.is_p2sh().then_some(inner), ..Input::default() };
                self.ecdsa(at, &bare, &key, &signature)
            }
            _ if inner.is_p2wpkh() => Judged::Bad("its witness is not a signature and a key"),
            [signature] if inner.is_p2tr() => match taproot::Signature::from_slice(signature) {
                Ok(signature) => self.key_path(at, &signature),
                Err(_) => Judged::Bad("its witness is not one signature"),
            },
            // A script path or an annex: C29's business where it is ours.
            _ => Judged::Unknown,
        }
    }
}

/// C13 and C14 for a whole PSBT.
pub(crate) fn check(psbt: &Psbt, coins: &[Coin], findings: &mut Vec<Finding>) {
    let before = findings.len();
    for (at, (input, coin)) in psbt.inputs.iter().zip(coins).enumerate() {
        let Some(kind) = input.sighash_type else { continue };
        let taproot = coin.output.as_ref().is_some_and(|output| output.script_pubkey.is_p2tr());
        let all = EcdsaSighashType::All.to_u32();
        if kind.to_u32() != all && !(taproot && kind.to_u32() == 0) {
            findings.push(
                Finding::refuse(
                    Check::SIGHASH,
                    format!(
                        "input {at} asks for the sighash type {kind}: it would not sign the whole transaction"
                    ),
                )
                .hint("only ALL, and DEFAULT for taproot, are signed"),
            );
        }
    }
    if findings.len() == before {
        findings.push(Finding::pass(Check::SIGHASH, "every signature would commit to the whole transaction"));
    }
    present(psbt, coins, findings);
}

/// How many signatures an input has; a finalised one counts as one.
pub(crate) fn count(input: &Input) -> usize {
    let finalised = input.final_script_sig.is_some() || input.final_script_witness.is_some();
    [input.partial_sigs.len(), usize::from(input.tap_key_sig.is_some()), input.tap_script_sigs.len()]
        .into_iter()
        .fold(usize::from(finalised), usize::saturating_add)
}

fn present(psbt: &Psbt, coins: &[Coin], findings: &mut Vec<Finding>) {
    let mut verifier = Verifier::new(&psbt.unsigned_tx, coins);
    let (mut good, mut unknown) = (0usize, 0usize);
    let before = findings.len();
    for (at, input) in psbt.inputs.iter().enumerate() {
        for judged in judge(&mut verifier, at, input) {
            match judged {
                Judged::Good => good = good.saturating_add(1),
                Judged::Unknown => unknown = unknown.saturating_add(1),
                Judged::Bad(reason) => findings.push(
                    Finding::refuse(
                        Check::PRESENT_SIGNATURES,
                        format!("input {at} has a wrong signature: {reason}"),
                    )
                    .hint("remove the signature, or start again from the unsigned PSBT"),
                ),
            }
        }
    }
    if findings.len() > before {
        return;
    }
    findings.push(match (good, unknown) {
        (0, 0) => Finding::not_applicable(Check::PRESENT_SIGNATURES, "there is no signature yet"),
        (good, 0) => Finding::pass(Check::PRESENT_SIGNATURES, format!("{good} signatures verify")),
        (good, unknown) => Finding::not_applicable(
            Check::PRESENT_SIGNATURES,
            format!("{good} signatures verify, {unknown} of other scripts were not verified here"),
        ),
    });
}

/// Every signature of an input, a finalised one too.
pub(crate) fn judge(verifier: &mut Verifier<'_>, at: usize, input: &Input) -> Vec<Judged> {
    let mut judged: Vec<_> =
        input.partial_sigs.iter().map(|(key, signature)| verifier.ecdsa(at, input, key, signature)).collect();
    judged.extend(input.tap_key_sig.as_ref().map(|signature| verifier.key_path(at, signature)));
    judged.extend(input.tap_script_sigs.iter().map(|_| Judged::Unknown));
    if input.final_script_sig.is_some() || input.final_script_witness.is_some() {
        judged.push(verifier.finalised(at, input));
    }
    judged
}

/// The output key of a taproot script: 32 bytes behind `OP_1` and their length.
pub(crate) fn output_key(script: &Script) -> Option<XOnlyPublicKey> {
    if !script.is_p2tr() {
        return None;
    }
    script.as_bytes().get(2..).and_then(|key| XOnlyPublicKey::from_slice(key).ok())
}

/// Whether a script that pays to a key's hash pays to this one; scripts of other kinds are not looked into.
fn pays_to_key(script: &Script, key: &PublicKey) -> bool {
    if script.is_p2wpkh() {
        return key.wpubkey_hash().is_ok_and(|hash| script == ScriptBuf::new_p2wpkh(&hash).as_script());
    }
    !script.is_p2pkh() || script == ScriptBuf::new_p2pkh(&key.pubkey_hash()).as_script()
}
