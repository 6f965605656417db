//! Final inputs: scriptSig and witness satisfy the output's script (BIP16, BIP141, BIP341, BIP342).

use super::verifier::{Judged, Verifier};
use crate::checks::coins::pushed_redeem_script;
use crate::checks::inside::Inside;
use bitcoin::psbt::Input;
use bitcoin::script::Instruction;
use bitcoin::taproot::{LeafVersion, TapLeafHash};
use bitcoin::{PublicKey, Script, ScriptBuf, Sequence, Witness, ecdsa, taproot};
use miniscript::interpreter::{Error, Interpreter, KeySigPair, SatisfiedConstraint};

const NOT_SATISFIED: &str = "what is final does not satisfy the script";

impl Verifier<'_> {
    /// A final input. Every signature in it must verify and commit to the whole transaction; scripts that are no
    /// miniscript are not judged.
    pub(crate) fn finalised(&mut self, at: usize, input: &Input) -> Judged {
        let Some(output) = self.output(at) else { return Judged::Unknown };
        let script = &output.script_pubkey;
        if script.is_witness_program() && input.final_script_sig.as_ref().is_some_and(|sig| !sig.is_empty()) {
            return Judged::Bad("a native segwit input has a scriptSig");
        }
        let nothing = (ScriptBuf::new(), Witness::new());
        let script_sig = input.final_script_sig.as_ref().unwrap_or(&nothing.0);
        let witness = input.final_script_witness.as_ref().unwrap_or(&nothing.1);
        let inner = match pushed_redeem_script(input, script) {
            Some(redeem) if script.is_p2sh() => redeem,
            _ => script.clone(),
        };
        if inner.is_p2wpkh() {
            return self.one_key(at, script, &inner, witness);
        }
        if inner.is_p2tr() && witness.len() == 1 {
            return match witness.last().map(taproot::Signature::from_slice) {
                Some(Ok(signature)) => self.key_path(at, &signature),
                _ => Judged::Bad("its witness is not one signature"),
            };
        }
        self.interpreted(at, script, script_sig, witness)
    }

    /// Puts the signatures by which an input is final into their fields; those that are there stay. Nothing when what is final
    /// does not satisfy the script, or is not judged.
    pub(crate) fn reopen(&mut self, at: usize, input: &mut Input) {
        if self.finalised(at, input) != Judged::Good {
            return;
        }
        // An annex was refused: behind one element at least stand the leaf and its control block.
        let leaf = input.final_script_witness.as_ref().and_then(Witness::second_to_last);
        let leaf =
            leaf.map(|leaf| TapLeafHash::from_script(Script::from_bytes(leaf), LeafVersion::TapScript));
        for pair in self.verified(at) {
            match (pair, leaf) {
                (KeySigPair::Ecdsa(key, signature), _) => {
                    input.partial_sigs.entry(key).or_insert(signature);
                }
                (KeySigPair::Schnorr(_, signature), None) => {
                    input.tap_key_sig.get_or_insert(signature);
                }
                (KeySigPair::Schnorr(key, signature), Some(leaf)) => {
                    input.tap_script_sigs.entry((key, leaf)).or_insert(signature);
                }
            }
        }
    }

    /// `wpkh`, nested or not.
    fn one_key(&mut self, at: usize, script: &Script, inner: &Script, witness: &Witness) -> Judged {
        let parts: Vec<&[u8]> = witness.iter().collect();
        let [signature, key] = parts.as_slice() else {
            return Judged::Bad("its witness is not a signature and a key");
        };
        let (Ok(signature), Ok(key)) = (ecdsa::Signature::from_slice(signature), PublicKey::from_slice(key))
        else {
            return Judged::Bad("its witness is not a signature and a key");
        };
        let bare = Input { redeem_script: script.is_p2sh().then(|| inner.to_owned()), ..Input::default() };
        self.ecdsa(at, &Inside::told(&bare), &key, &signature)
    }

    /// Every other script, as miniscript.
    fn interpreted(
        &mut self,
        at: usize,
        script: &ScriptBuf,
        script_sig: &Script,
        witness: &Witness,
    ) -> Judged {
        let transaction = self.transaction();
        let Some(txin) = transaction.input.get(at) else { return Judged::Unknown };
        let (sequence, lock_time) = (txin.sequence, transaction.lock_time);
        let interpreter = match Interpreter::from_txdata(script, script_sig, witness, sequence, lock_time) {
            Ok(interpreter) => interpreter,
            Err(error) => return unread(&error),
        };
        let signed = Signed::of(script, script_sig, witness);
        let mut reason = None;
        let mut locks = Vec::new();
        let steps = interpreter.iter_custom(Box::new(|pair| match self.pair(at, &signed, pair) {
            Judged::Good => true,
            other @ (Judged::Bad(_) | Judged::Unknown) => {
                reason.get_or_insert(other);
                false
            }
        }));
        let mut satisfied = true;
        for step in steps {
            match step {
                Ok(constraint) => locks.push(constraint),
                Err(_) => satisfied = false,
            }
        }
        // A multisig's signature may belong to a later key than the first that it is held against.
        if satisfied && locks.iter().all(|lock| self.lock_holds(lock, sequence)) {
            return Judged::Good;
        }
        reason.unwrap_or(Judged::Bad(NOT_SATISFIED))
    }

    fn pair(&mut self, at: usize, signed: &Signed, pair: &KeySigPair) -> Judged {
        match pair {
            KeySigPair::Ecdsa(key, signature) => {
                let input = Input {
                    redeem_script: signed.redeem_script.clone(),
                    witness_script: signed.witness_script.clone(),
                    ..Input::default()
                };
                self.ecdsa(at, &Inside::told(&input), key, signature)
            }
            KeySigPair::Schnorr(key, signature) => match &signed.leaf {
                Some(leaf) => self.leaf(at, leaf, *key, signature),
                None => self.key_path(at, signature),
            },
        }
    }

    /// What the interpreter leaves to others: relative locks need version 2, which counts as unsigned (BIP68), absolute ones
    /// a sequence that is not final (BIP65).
    fn lock_holds(&self, constraint: &SatisfiedConstraint, sequence: Sequence) -> bool {
        match constraint {
            SatisfiedConstraint::RelativeTimelock { .. } => self.transaction().version.0.cast_unsigned() >= 2,
            SatisfiedConstraint::AbsoluteTimelock { .. } => sequence.enables_absolute_lock_time(),
            SatisfiedConstraint::PublicKey { .. }
            | SatisfiedConstraint::PublicKeyHash { .. }
            | SatisfiedConstraint::HashLock { .. } => true,
        }
    }
}

/// What the signatures of a final input commit to; the interpreter has checked that the output commits to it.
struct Signed {
    redeem_script: Option<ScriptBuf>,
    witness_script: Option<ScriptBuf>,
    leaf: Option<ScriptBuf>,
}

impl Signed {
    fn of(script: &Script, script_sig: &Script, witness: &Witness) -> Self {
        let pushed = match script_sig.instructions().last() {
            Some(Ok(Instruction::PushBytes(push))) if script.is_p2sh() => {
                Some(ScriptBuf::from_bytes(push.as_bytes().to_vec()))
            }
            _ => None,
        };
        let item = |item: Option<&[u8]>| item.map(|bytes| ScriptBuf::from_bytes(bytes.to_vec()));
        let program = pushed.as_deref().unwrap_or(script);
        Self {
            witness_script: item(witness.last()).filter(|_| program.is_p2wsh()),
            leaf: item(witness.second_to_last()).filter(|_| script.is_p2tr()),
            redeem_script: pushed,
        }
    }
}

/// What it means that a final input cannot be interpreted at all.
#[allow(clippy::wildcard_enum_match_arm, reason = "every other error contradicts the output's script")]
fn unread(error: &Error) -> Judged {
    match error {
        Error::Miniscript(_) => Judged::Unknown,
        Error::TapAnnexUnsupported => Judged::Bad("its witness has an annex"),
        _ => Judged::Bad(NOT_SATISFIED),
    }
}
