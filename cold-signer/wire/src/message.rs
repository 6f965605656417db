//! A message to be signed by BIP322 or BIP137, and what comes of it.

use bitcoin::absolute::LockTime;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Amount, Network, Script, ScriptBuf, Transaction, TxOut};
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::evidence::Evidence;
use policies::id::{MessageId, WalletId};
use policies::message::bip137::SIGNATURE_LEN;
use policies::message::bip322::{ClaimedCoin, Locks, MAX_COINS, ToSign};
use policies::message::{MAX_LEN, Message, MessageError, MessageForm};
use policies::policy::MAX_NAME_LEN;
use policies::signature::{InputSignature, MAX_SIGNATURES};
use policies::spend::MAX_ITEMS;
use policies::wallet::Keypath;

/// The forms by their numbers on the wire.
const FORMS: [MessageForm; 4] = [
    MessageForm::Bip322Simple,
    MessageForm::Bip322Full,
    MessageForm::Bip322ProofOfFunds,
    MessageForm::Bip137,
];

/// All that a signature of a message depends on. The vault makes from it what is signed; a digest or a transaction has no
/// place in it (check C32).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageTerms {
    /// The wallet.
    pub wallet: WalletId,
    /// How it is signed.
    pub form: MessageForm,
    /// The text.
    pub message: Message,
    /// Which of the wallet's addresses signs it.
    pub keypath: Keypath,
    /// The timelocks under which it is signed.
    pub locks: Locks,
    /// Coins of a proof of funds.
    pub coins: Vec<OwnCoin>,
}

/// A coin of the wallet, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnCoin {
    /// Outpoint, amount and script.
    pub coin: ClaimedCoin,
    /// Whose script it is.
    pub keypath: Keypath,
}

impl MessageTerms {
    /// What consent is given to.
    pub fn id(&self) -> MessageId {
        MessageId::of(&self.to_bytes())
    }

    /// The virtual transaction of BIP322, for the script of its address.
    ///
    /// # Errors
    /// [`MessageError`].
    pub fn to_sign(&self, script: &Script) -> Result<ToSign, MessageError> {
        let coins: Vec<ClaimedCoin> = self.coins.iter().map(|own| own.coin.clone()).collect();
        ToSign::new(&self.message, script, self.locks, &coins)
    }

    /// Where in the wallet each of its inputs is.
    pub fn keypaths(&self) -> Vec<Keypath> {
        std::iter::once(self.keypath).chain(self.coins.iter().map(|own| own.keypath)).collect()
    }

    /// What its coins are worth.
    pub fn total(&self) -> Amount {
        let add = |total: Amount, own: &OwnCoin| total.checked_add(own.coin.output.value);
        self.coins.iter().fold(Amount::ZERO, |total, own| add(total, own).unwrap_or(Amount::MAX))
    }
}

impl Canonical for MessageTerms {
    const TAG: &'static str = "airlock/message/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.fixed(self.wallet.as_bytes());
        let form = FORMS.iter().position(|form| *form == self.form).unwrap_or_default();
        to.u8(u8::try_from(form).unwrap_or_default());
        to.string(self.message.as_bytes());
        self.keypath.encode(to);
        to.u32(self.locks.lock_time.to_consensus_u32());
        to.u32(self.locks.sequence.to_consensus_u32());
        to.list(&self.coins, |to, OwnCoin { coin, keypath }| {
            to.outpoint(&coin.outpoint);
            to.amount(coin.output.value);
            to.string(coin.output.script_pubkey.as_bytes());
            to.u32(coin.sequence.to_consensus_u32());
            keypath.encode(to);
        });
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let wallet = WalletId::from_bytes(from.fixed("wallet")?);
        let form = usize::from(from.u8("form")?);
        let form =
            *FORMS.get(form).ok_or_else(|| CodecError::invalid("form", format!("{form} is not known")))?;
        let message = Message::from_bytes(from.string("message", MAX_LEN)?)
            .map_err(|error| CodecError::invalid("message", error))?;
        Ok(Self {
            wallet,
            form,
            message,
            keypath: Keypath::decode(from)?,
            locks: Locks {
                lock_time: LockTime::from_consensus(from.u32("locktime")?),
                sequence: from.sequence("sequence")?,
            },
            coins: from.list("coins", MAX_COINS, |from| {
                let outpoint = from.outpoint("outpoint")?;
                let output = TxOut { value: from.amount("amount")?, script_pubkey: from.script("script")? };
                let coin = ClaimedCoin { outpoint, output, sequence: from.sequence("sequence")? };
                Ok(OwnCoin { coin, keypath: Keypath::decode(from)? })
            })?,
        })
    }
}

/// A message to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignMessage {
    /// What is signed.
    pub terms: MessageTerms,
    /// Previous transactions: they prove the amounts of legacy coins, which no signature commits to.
    pub evidence: Evidence,
    /// The whole id of the terms that were consented to; without it the vault only says what it would sign.
    pub consent: Option<MessageId>,
}

impl SignMessage {
    pub(crate) fn encode(&self, to: &mut Encoder) {
        to.string(&self.terms.to_bytes());
        encode_evidence(to, &self.evidence);
        to.option(self.consent.as_ref(), |to, id| to.fixed(id.as_bytes()));
    }

    pub(crate) fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            terms: MessageTerms::from_bytes(from.string("message", 1 << 20)?)?,
            evidence: decode_evidence(from)?,
            consent: from.option("consent", |from| from.fixed("consent").map(MessageId::from_bytes))?,
        })
    }
}

/// What signing a message comes to, as the vault derived it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageReview {
    /// What consent is given to.
    pub id: MessageId,
    /// The wallet's name.
    pub wallet: String,
    /// Its network.
    pub network: Network,
    /// The script of the address that signs.
    pub script: ScriptBuf,
    /// BIP322's hash of the message.
    pub hash: [u8; 32],
    /// How many coins it proves.
    pub coins: u32,
    /// What they are worth.
    pub total: Amount,
    /// Company of the key's authority, which is not asked about messages; `None` for a standalone key.
    pub authority: Option<String>,
    /// The signatures, once there is consent.
    pub signed: Option<MessageSignature>,
}

/// What the vault releases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageSignature {
    /// BIP322: signatures for the inputs of [`ToSign`].
    Inputs(Vec<InputSignature>),
    /// BIP137.
    Bip137([u8; SIGNATURE_LEN]),
}

impl MessageReview {
    pub(crate) fn encode(&self, to: &mut Encoder) {
        to.fixed(self.id.as_bytes());
        to.string(self.wallet.as_bytes());
        to.network(self.network);
        to.string(self.script.as_bytes());
        to.fixed(&self.hash);
        to.u32(self.coins);
        to.amount(self.total);
        to.option(self.authority.as_ref(), |to, company| to.string(company.as_bytes()));
        to.option(self.signed.as_ref(), |to, signed| match signed {
            MessageSignature::Inputs(signatures) => {
                to.u8(0);
                to.list(signatures, |to, signature| signature.encode(to));
            }
            MessageSignature::Bip137(bytes) => {
                to.u8(1);
                to.fixed(bytes);
            }
        });
    }

    pub(crate) fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            id: MessageId::from_bytes(from.fixed("message")?),
            wallet: from.text("wallet", MAX_NAME_LEN)?,
            network: from.network("network")?,
            script: from.script("script")?,
            hash: from.fixed("hash")?,
            coins: from.u32("coins")?,
            total: from.amount("total")?,
            authority: from.option("authority", |from| from.text("company", MAX_NAME_LEN))?,
            signed: from.option("signed", |from| match from.u8("signature")? {
                0 => Ok(MessageSignature::Inputs(from.list(
                    "signatures",
                    MAX_SIGNATURES,
                    InputSignature::decode,
                )?)),
                1 => Ok(MessageSignature::Bip137(from.fixed("signature")?)),
                other => Err(CodecError::invalid("signature", format!("{other} is not known"))),
            })?,
        })
    }
}

/// Appends previous transactions.
pub fn encode_evidence(to: &mut Encoder, evidence: &Evidence) {
    let previous: Vec<&Transaction> = evidence.transactions().collect();
    to.list(&previous, |to, transaction| to.string(&serialize(*transaction)));
}

/// Reads previous transactions.
///
/// # Errors
/// [`CodecError`].
pub fn decode_evidence(from: &mut Decoder<'_>) -> Result<Evidence, CodecError> {
    let previous = from.list("previous transactions", MAX_ITEMS, |from| {
        deserialize::<Transaction>(from.string("previous transaction", crate::MAX_FRAME_LEN)?)
            .map_err(|error| CodecError::invalid("previous transaction", error))
    })?;
    Ok(Evidence::new(previous))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reply, ReplyBody, Request, RequestBody};
    use bitcoin::{OutPoint, Sequence, Txid};
    use policies::wallet::Branch;

    fn request() -> Request {
        let keypath = Keypath { branch: Branch::External, index: 3 };
        let coin = ClaimedCoin {
            outpoint: OutPoint::new(bitcoin::hashes::Hash::all_zeros(), 1),
            output: TxOut { value: Amount::ONE_BTC, script_pubkey: ScriptBuf::from_bytes(vec![7; 22]) },
            sequence: Sequence::ZERO,
        };
        let terms = MessageTerms {
            wallet: WalletId::from_bytes([1; 32]),
            form: MessageForm::Bip322ProofOfFunds,
            message: Message::new("we hold it\nall").unwrap(),
            keypath,
            locks: Locks::NONE,
            coins: vec![OwnCoin { coin, keypath: Keypath { branch: Branch::Internal, index: 9 } }],
        };
        let consent = Some(terms.id());
        let body = RequestBody::SignMessage(SignMessage { terms, evidence: Evidence::default(), consent });
        Request { id: 4, deadline: 5, body }
    }

    #[test]
    fn a_message_survives_its_bytes_and_every_part_counts() {
        let bytes = request().to_bytes();
        assert_eq!(Request::from_bytes(&bytes), Ok(request()));
        for end in 0..bytes.len() {
            assert!(Request::from_bytes(&bytes[..end]).is_err(), "{end}");
        }
        for signed in [None, Some(MessageSignature::Inputs(vec![])), Some(MessageSignature::Bip137([9; 65]))]
        {
            let review = MessageReview {
                id: MessageId::from_bytes([1; 32]),
                wallet: "main".to_owned(),
                network: Network::Regtest,
                script: ScriptBuf::from_bytes(vec![7; 22]),
                hash: [2; 32],
                coins: 1,
                total: Amount::ONE_BTC,
                authority: Some("Two Friends GmbH".to_owned()),
                signed,
            };
            let reply = Reply { id: 4, body: ReplyBody::Message(Box::new(review)) };
            assert_eq!(Reply::from_bytes(&reply.to_bytes()), Ok(reply));
        }
    }

    #[test]
    fn coins_text_and_form_are_capped() {
        let RequestBody::SignMessage(honest) = request().body else { panic!() };
        let with = |edit: &dyn Fn(&mut MessageTerms)| {
            let mut terms = honest.terms.clone();
            edit(&mut terms);
            MessageTerms::from_bytes(&terms.to_bytes())
        };
        let many = |count: u32| {
            with(&|terms: &mut MessageTerms| {
                let txid: Txid = bitcoin::hashes::Hash::all_zeros();
                let coin = terms.coins[0].clone();
                let at = |vout| {
                    let outpoint = OutPoint::new(txid, vout);
                    OwnCoin { coin: ClaimedCoin { outpoint, ..coin.coin.clone() }, ..coin.clone() }
                };
                terms.coins = (0..count).map(at).collect();
            })
        };
        assert!(many(1_000).is_ok());
        assert!(many(1_001).is_err());
        let bytes = honest.terms.to_bytes();
        let text = bytes.windows(2).position(|pair| pair == b"we").unwrap();
        let edited = |at: usize, byte: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = byte;
            MessageTerms::from_bytes(&bytes)
        };
        assert!(edited(text, 0xff).is_err(), "no UTF-8");
        assert!(edited(text - 5, 3).is_ok() && edited(text - 5, 4).is_err(), "the form");
    }
}
