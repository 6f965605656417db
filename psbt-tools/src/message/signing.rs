//! From the signatures of a wallet's keys to a message's signature: each is verified, and several cosigners' count in any
//! order.

use super::proof;
use super::signature::Signature;
use super::{Verdict, verify};
use crate::Error;
use crate::build::describe_input;
use crate::export::{Own, attach, established};
use crate::finalize::finalize;
use policies::check::Check;
use policies::evidence::Evidence;
use policies::message::bip322::{Satisfaction, ToSign};
use policies::message::{Message, MessageForm};
use policies::signature::InputSignature;
use policies::wallet::{Keypath, Wallet};
use std::collections::BTreeSet;

/// What is signed, and by which wallet.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The text.
    pub message: &'a Message,
    /// Its virtual transaction.
    pub to_sign: &'a ToSign,
    /// The wallet of all its inputs.
    pub wallet: &'a Wallet,
    /// Where in the wallet each input is.
    pub keypaths: &'a [Keypath],
    /// Previous transactions: coins of legacy scripts need theirs.
    pub evidence: &'a Evidence,
}

/// What the signatures so far come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress<T> {
    /// Enough.
    Complete(T),
    /// These keys could still sign, by the fingerprint of their master key where it is known.
    Missing(Vec<String>),
}

impl Signing<'_> {
    /// What satisfies each input.
    ///
    /// # Errors
    /// Check C28 for a signature that does not verify or is by no key of the wallet, C12 for an input that is not the
    /// wallet's; C01 for a legacy coin without its transaction, and what finalising says.
    pub fn satisfactions(&self, signatures: &[InputSignature]) -> Result<Progress<Vec<Satisfaction>>, Error> {
        let nested = self.wallet.kind().has_script_sig() && !self.wallet.kind().is_legacy();
        let mut psbt = proof::unsigned_nested(self.message, self.to_sign, self.evidence, nested)
            .map_err(|error| Error::refused(Check::PREVIOUS_TRANSACTION, error.to_string()))?;
        let prevouts = self.to_sign.prevouts();
        let mut own = Vec::with_capacity(prevouts.len());
        for (at, (map, output)) in psbt.inputs.iter_mut().zip(prevouts).enumerate() {
            let place =
                self.keypaths.get(at).and_then(|keypath| Some((*keypath, self.wallet.derived(*keypath)?)));
            let Some((keypath, derived)) = place.filter(|(_, own)| own.script == output.script_pubkey) else {
                let message = format!("input {at} of the message is not the wallet's");
                return Err(Error::refused(Check::SIGNED_INPUTS, message));
            };
            describe_input(map, self.wallet, keypath, &derived);
            own.push(derived);
        }
        let coins = established(&psbt)?;
        let ours = |at: usize| own.get(at).map_or(Own::Foreign, |derived| Own::Ours(derived.clone()));
        attach(&mut psbt, &coins, ours, signatures)?;
        match finalize(&mut psbt) {
            Ok(()) => {}
            Err(Error::SignaturesMissing(missing)) => {
                let keys: BTreeSet<String> = missing.into_iter().flat_map(|missing| missing.keys).collect();
                return Ok(Progress::Missing(keys.into_iter().collect()));
            }
            Err(error) => return Err(error),
        }
        let satisfaction = |input: bitcoin::psbt::Input| Satisfaction {
            script_sig: input.final_script_sig.unwrap_or_default(),
            witness: input.final_script_witness.unwrap_or_default(),
        };
        Ok(Progress::Complete(psbt.inputs.into_iter().map(satisfaction).collect()))
    }

    /// The signature in this form, verified as everybody will verify it.
    ///
    /// # Errors
    /// Those of [`Signing::satisfactions`]; C32 for a form that the message does not have, or when it does not verify.
    pub fn finish(
        &self,
        form: MessageForm,
        signatures: &[InputSignature],
    ) -> Result<Progress<Signature>, Error> {
        let satisfactions = match self.satisfactions(signatures)? {
            Progress::Complete(satisfactions) => satisfactions,
            Progress::Missing(keys) => return Ok(Progress::Missing(keys)),
        };
        let refused = |reason: String| Error::refused(Check::MESSAGE, reason);
        let signature = match form {
            MessageForm::Bip322Full => {
                let signed = self.to_sign.satisfied(satisfactions);
                Signature::Full(signed.map_err(|error| refused(error.to_string()))?)
            }
            MessageForm::Bip322Simple | MessageForm::Bip322ProofOfFunds | MessageForm::Bip137 => {
                Signature::new(self.to_sign, satisfactions, self.evidence)
                    .map_err(|error| refused(error.to_string()))?
            }
        };
        if signature.form() != form {
            return Err(refused(format!("the message cannot be signed as {}", form.as_str())));
        }
        require_valid(self.message, self.to_sign, &signature)?;
        Ok(Progress::Complete(signature))
    }
}

/// Nothing is written that others would refuse.
fn require_valid(message: &Message, to_sign: &ToSign, signature: &Signature) -> Result<(), Error> {
    let address = to_sign.prevouts().first().map(|output| output.script_pubkey.clone()).unwrap_or_default();
    match verify(message, &address, signature) {
        Verdict::Valid(_) => Ok(()),
        no @ (Verdict::Inconclusive(_) | Verdict::Invalid(_)) => {
            let (Verdict::Inconclusive(reason) | Verdict::Invalid(reason)) = &no else { return Ok(()) };
            Err(Error::refused(Check::MESSAGE, format!("the signature is {}: {reason}", no.as_str())))
        }
    }
}
