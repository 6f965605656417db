//! What console and reader say to one another about messages and proofs of reserves.

pub(super) mod child;

use super::message::{Descriptors, decode_descriptors, encode_descriptors, text};
use bitcoin::absolute::LockTime;
use cold_wire::{MAX_FRAME_LEN, MessageSignature, MessageTerms, decode_evidence, encode_evidence};
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::evidence::Evidence;
use policies::message::bip322::Locks;
use policies::signature::{InputSignature, MAX_SIGNATURES};
use psbt_tools::message::reserves::MAX_HOLDINGS;

/// Most files with previous transactions.
pub const MAX_PREVIOUS: usize = 1_000;

/// Most keys that are named as missing.
const MAX_MISSING: usize = 1_000;

/// Longest encoding of a message's terms, in bytes.
const MAX_TERMS_LEN: usize = 1 << 20;

/// Console to reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageOrder {
    /// Read a partly signed message.
    Look(Vec<u8>),
    /// Make a signature of what the vault gave.
    Finish(Box<Finish>),
    /// Read a proof of reserves, and find what in it is a wallet's.
    Reserves(Box<ReservesOrder>),
    /// Put signatures into the proof of reserves, by the number of the holding.
    Prove(Vec<(u32, Vec<InputSignature>)>),
}

/// A message that the vault has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// The wallet.
    pub wallet: Descriptors,
    /// What was signed.
    pub terms: MessageTerms,
    /// The vault's own.
    pub signed: MessageSignature,
    /// A file with what other cosigners have signed.
    pub earlier: Option<Vec<u8>>,
}

/// A proof of reserves, and what it is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservesOrder {
    /// The file's bytes.
    pub document: Vec<u8>,
    /// Files with previous transactions in hexadecimal, one a line.
    pub previous: Vec<Vec<u8>>,
    /// The wallet.
    pub wallet: Descriptors,
    /// How many indexes are looked at past the last that was found.
    pub gap: u32,
    /// Locks of the message and the coins; `None` for those of the document, else none.
    pub locks: Option<Locks>,
}

/// Reader to console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageAnswer {
    /// What a partly signed message is about.
    Looked(Box<MessageTerms>),
    /// The signature, or the file for the next cosigner.
    Finished(Finished),
    /// What in a proof of reserves waits for the wallet.
    Holdings {
        /// Each holding's number and terms.
        holdings: Vec<(u32, MessageTerms)>,
        /// Previous transactions for the vault.
        evidence: Evidence,
    },
    /// The document with signatures.
    Proven {
        /// The file's bytes.
        file: Vec<u8>,
        /// Each holding that was signed.
        holdings: Vec<ProvenHolding>,
    },
}

/// What became of a holding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenHolding {
    /// Its number in the document.
    pub holding: u32,
    /// Keys that are missing; `None` when it is complete.
    pub missing: Option<Vec<String>>,
}

/// What finishing came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// The signature as it is written, or the partly signed message as a file.
    pub text: String,
    /// Keys that are missing; `None` when it is complete.
    pub missing: Option<Vec<String>>,
}

impl MessageOrder {
    pub(super) fn encode(&self, to: &mut Encoder) {
        match self {
            MessageOrder::Look(bytes) => {
                to.u8(0);
                to.string(bytes);
            }
            MessageOrder::Finish(finish) => {
                to.u8(1);
                encode_descriptors(to, &finish.wallet);
                to.string(&finish.terms.to_bytes());
                match &finish.signed {
                    MessageSignature::Inputs(signatures) => {
                        to.u8(0);
                        to.list(signatures, |to, signature| signature.encode(to));
                    }
                    MessageSignature::Bip137(bytes) => {
                        to.u8(1);
                        to.fixed(bytes);
                    }
                }
                to.option(finish.earlier.as_ref(), |to, bytes| to.string(bytes));
            }
            MessageOrder::Reserves(order) => {
                to.u8(2);
                to.string(&order.document);
                to.list(&order.previous, |to, bytes| to.string(bytes));
                encode_descriptors(to, &order.wallet);
                to.u32(order.gap);
                to.option(order.locks.as_ref(), |to, locks| {
                    to.u32(locks.lock_time.to_consensus_u32());
                    to.u32(locks.sequence.to_consensus_u32());
                });
            }
            MessageOrder::Prove(holdings) => {
                to.u8(3);
                to.list(holdings, |to, (at, signatures)| {
                    to.u32(*at);
                    to.list(signatures, |to, signature| signature.encode(to));
                });
            }
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        match from.u8("message order")? {
            0 => Ok(MessageOrder::Look(from.string("file", MAX_FRAME_LEN)?.to_vec())),
            1 => Ok(MessageOrder::Finish(Box::new(Finish {
                wallet: decode_descriptors(from)?,
                terms: terms(from)?,
                signed: match from.u8("signed")? {
                    0 => MessageSignature::Inputs(signatures(from)?),
                    1 => MessageSignature::Bip137(from.fixed("signature")?),
                    other => return Err(CodecError::invalid("signed", format!("{other} is not known"))),
                },
                earlier: from
                    .option("earlier", |from| Ok(from.string("earlier", MAX_FRAME_LEN)?.to_vec()))?,
            }))),
            2 => Ok(MessageOrder::Reserves(Box::new(ReservesOrder {
                document: from.string("document", MAX_FRAME_LEN)?.to_vec(),
                previous: from.list("previous", MAX_PREVIOUS, |from| {
                    Ok(from.string("previous", MAX_FRAME_LEN)?.to_vec())
                })?,
                wallet: decode_descriptors(from)?,
                gap: from.u32("gap")?,
                locks: from.option("locks", |from| {
                    let lock_time = LockTime::from_consensus(from.u32("locktime")?);
                    Ok(Locks { lock_time, sequence: from.sequence("sequence")? })
                })?,
            }))),
            3 => Ok(MessageOrder::Prove(
                from.list("holdings", MAX_HOLDINGS, |from| Ok((from.u32("holding")?, signatures(from)?)))?,
            )),
            other => Err(CodecError::invalid("message order", format!("{other} is not known"))),
        }
    }
}

impl MessageAnswer {
    pub(super) fn encode(&self, to: &mut Encoder) {
        let missing = |to: &mut Encoder, missing: &Option<Vec<String>>| {
            to.option(missing.as_ref(), |to, keys| to.list(keys, |to, key| to.string(key.as_bytes())));
        };
        match self {
            MessageAnswer::Looked(terms) => {
                to.u8(0);
                to.string(&terms.to_bytes());
            }
            MessageAnswer::Finished(finished) => {
                to.u8(1);
                to.string(finished.text.as_bytes());
                missing(to, &finished.missing);
            }
            MessageAnswer::Holdings { holdings, evidence } => {
                to.u8(2);
                to.list(holdings, |to, (at, terms)| {
                    to.u32(*at);
                    to.string(&terms.to_bytes());
                });
                encode_evidence(to, evidence);
            }
            MessageAnswer::Proven { file, holdings } => {
                to.u8(3);
                to.string(file);
                to.list(holdings, |to, proven| {
                    to.u32(proven.holding);
                    missing(to, &proven.missing);
                });
            }
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let missing = |from: &mut Decoder<'_>| {
            from.option("missing", |from| from.list("missing", MAX_MISSING, |from| text(from, "key")))
        };
        match from.u8("message answer")? {
            0 => Ok(MessageAnswer::Looked(Box::new(terms(from)?))),
            1 => {
                let bytes = from.string("signature", MAX_FRAME_LEN)?.to_vec();
                let text =
                    String::from_utf8(bytes).map_err(|error| CodecError::invalid("signature", error))?;
                Ok(MessageAnswer::Finished(Finished { text, missing: missing(from)? }))
            }
            2 => Ok(MessageAnswer::Holdings {
                holdings: from
                    .list("holdings", MAX_HOLDINGS, |from| Ok((from.u32("holding")?, terms(from)?)))?,
                evidence: decode_evidence(from)?,
            }),
            3 => Ok(MessageAnswer::Proven {
                file: from.string("file", MAX_FRAME_LEN)?.to_vec(),
                holdings: from.list("holdings", MAX_HOLDINGS, |from| {
                    Ok(ProvenHolding { holding: from.u32("holding")?, missing: missing(from)? })
                })?,
            }),
            other => Err(CodecError::invalid("message answer", format!("{other} is not known"))),
        }
    }
}

fn terms(from: &mut Decoder<'_>) -> Result<MessageTerms, CodecError> {
    MessageTerms::from_bytes(from.string("terms", MAX_TERMS_LEN)?)
}

fn signatures(from: &mut Decoder<'_>) -> Result<Vec<InputSignature>, CodecError> {
    from.list("signatures", MAX_SIGNATURES, InputSignature::decode)
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Order};
    use super::*;
    use bitcoin::Network;
    use policies::id::WalletId;
    use policies::message::{Message, MessageForm};
    use policies::wallet::{Branch, Keypath};

    fn terms() -> MessageTerms {
        MessageTerms {
            wallet: WalletId::from_bytes([1; 32]),
            form: MessageForm::Bip322Full,
            message: Message::new("hello").unwrap(),
            keypath: Keypath { branch: Branch::External, index: 1 },
            locks: Locks::NONE,
            coins: vec![],
        }
    }

    #[test]
    fn every_order_and_answer_survives_its_bytes() {
        let wallet = Descriptors {
            network: Network::Regtest,
            external: "wpkh(a)".to_owned(),
            internal: "wpkh(b)".to_owned(),
        };
        let signature =
            InputSignature { input: 1, public_key: vec![2; 33], leaf: None, signature: vec![3; 71] };
        let finish = |signed| {
            let earlier = Some(vec![5]);
            MessageOrder::Finish(Box::new(Finish { wallet: wallet.clone(), terms: terms(), signed, earlier }))
        };
        for order in [
            MessageOrder::Look(vec![1]),
            finish(MessageSignature::Inputs(vec![signature.clone()])),
            finish(MessageSignature::Bip137([7; 65])),
            MessageOrder::Reserves(Box::new(ReservesOrder {
                document: vec![1],
                previous: vec![vec![2]],
                wallet: wallet.clone(),
                gap: 20,
                locks: Some(Locks::NONE),
            })),
            MessageOrder::Prove(vec![(0, vec![signature])]),
        ] {
            let order = Order::Message(order);
            assert_eq!(Order::from_bytes(&order.to_bytes()), Ok(order));
        }
        let missing = Some(vec!["key 2".to_owned()]);
        let proven = |missing| ProvenHolding { holding: 3, missing };
        for answer in [
            MessageAnswer::Looked(Box::new(terms())),
            MessageAnswer::Finished(Finished { text: "smp".to_owned(), missing: missing.clone() }),
            MessageAnswer::Holdings { holdings: vec![(3, terms())], evidence: Evidence::default() },
            MessageAnswer::Proven { file: vec![9], holdings: vec![proven(missing), proven(None)] },
        ] {
            let answer = Answer::Message(answer);
            assert_eq!(Answer::from_bytes(&answer.to_bytes()), Ok(answer));
        }
    }
}
