//! What console and reader say to one another: frames of canonical documents, every length capped before allocation.

use super::messages::{MessageAnswer, MessageOrder};
use bitcoin::Network;
use cold_wire::{Bundle, MAX_FRAME_LEN, decode_findings, encode_findings};
use policies::check::Finding;
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::signature::{InputSignature, MAX_SIGNATURES};
use psbt_tools::manifest::Manifest;

/// Most wallets that a document is held against.
const MAX_WALLETS: usize = 10_000;

/// Most notes about a wallet.
const MAX_NOTES: usize = 1_000;

/// Longest message or hint, in bytes.
const MAX_TEXT_LEN: usize = 64 << 10;

/// Console to reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Read this document.
    Open(Open),
    /// Put these signatures and this receipt into it.
    Attach {
        /// As the vault gave them.
        signatures: Vec<InputSignature>,
        /// Canonical bytes of a `policies::permit::Receipt`.
        receipt: Vec<u8>,
        /// Whether a reply is written, and not the whole document.
        reply: bool,
    },
    /// Read this description of a wallet.
    Wallet {
        /// The file's bytes.
        file: Vec<u8>,
        /// What decrypts a BSMS record (BIP129), as it was typed.
        token: Option<String>,
    },
    /// Something about a message.
    Message(MessageOrder),
}

/// A document and what it is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The file's bytes.
    pub document: Vec<u8>,
    /// Wallets that may own its inputs.
    pub wallets: Vec<Descriptors>,
    /// Unix time, for what locktimes mean now.
    pub now: u64,
}

/// A wallet as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptors {
    /// Its network.
    pub network: Network,
    /// External descriptor with checksum.
    pub external: String,
    /// Internal descriptor with checksum.
    pub internal: String,
}

/// Reader to console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The sandbox is closed; nothing was read yet.
    Ready,
    /// The document was read.
    Read(Box<Reading>),
    /// It was not, or could not be written.
    Unreadable {
        /// A check's number or a word.
        code: String,
        /// What was found.
        message: String,
        /// What to do next.
        hint: String,
        /// 1, 2, 3 or 4.
        exit: u8,
    },
    /// The document with signatures, encoded as it came, or a reply to it.
    Written(Vec<u8>),
    /// The wallet was read.
    Wallet(WalletText),
    /// To an order about a message.
    Message(MessageAnswer),
}

/// A wallet as a file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletText {
    /// The network that the file names.
    pub network: Option<Network>,
    /// One multipath descriptor or a pair.
    pub descriptors: Vec<String>,
    /// What was converted or completed.
    pub notes: Vec<String>,
}

/// What the reader understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// SHA-256 of the document's bytes.
    pub sha256: [u8; 32],
    /// What the file says of itself: a claim.
    pub manifest: Option<Manifest>,
    /// Version of the PSBT: 0 (BIP174) or 2 (BIP370).
    pub psbt_version: u32,
    /// The spend with its evidence, request and permits; `None` when a check left none.
    pub bundle: Option<Bundle>,
    /// Every check.
    pub findings: Vec<Finding>,
}

impl Canonical for Order {
    const TAG: &'static str = "airlock/reader-order/1";

    fn encode_fields(&self, to: &mut Encoder) {
        match self {
            Order::Open(open) => {
                to.u8(0);
                to.string(&open.document);
                to.list(&open.wallets, encode_descriptors);
                to.u64(open.now);
            }
            Order::Attach { signatures, receipt, reply } => {
                to.u8(1);
                to.list(signatures, |to, signature| signature.encode(to));
                to.string(receipt);
                to.u8(u8::from(*reply));
            }
            Order::Wallet { file, token } => {
                to.u8(2);
                to.string(file);
                to.option(token.as_ref(), |to, token| to.string(token.as_bytes()));
            }
            Order::Message(order) => {
                to.u8(3);
                order.encode(to);
            }
        }
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        match from.u8("order")? {
            0 => Ok(Order::Open(Open {
                document: from.string("document", MAX_FRAME_LEN)?.to_vec(),
                wallets: from.list("wallets", MAX_WALLETS, decode_descriptors)?,
                now: from.u64("now")?,
            })),
            1 => Ok(Order::Attach {
                signatures: from.list("signatures", MAX_SIGNATURES, InputSignature::decode)?,
                receipt: from.string("receipt", 16 << 10)?.to_vec(),
                reply: from.boolean("reply")?,
            }),
            2 => Ok(Order::Wallet {
                file: from.string("wallet", MAX_FRAME_LEN)?.to_vec(),
                token: from.option("token", |from| text(from, "token"))?,
            }),
            3 => Ok(Order::Message(MessageOrder::decode(from)?)),
            other => Err(CodecError::invalid("order", format!("{other} is not known"))),
        }
    }
}

impl Canonical for Answer {
    const TAG: &'static str = "airlock/reader-answer/1";

    fn encode_fields(&self, to: &mut Encoder) {
        match self {
            Answer::Ready => to.u8(0),
            Answer::Read(reading) => {
                to.u8(1);
                to.fixed(&reading.sha256);
                to.option(reading.manifest.as_ref(), |to, manifest| to.string(&manifest.to_bytes()));
                to.u32(reading.psbt_version);
                to.option(reading.bundle.as_ref(), |to, bundle| bundle.encode(to));
                encode_findings(to, &reading.findings);
            }
            Answer::Unreadable { code, message, hint, exit } => {
                to.u8(2);
                for text in [code, message, hint] {
                    to.string(text.as_bytes());
                }
                to.u8(*exit);
            }
            Answer::Written(bytes) => {
                to.u8(3);
                to.string(bytes);
            }
            Answer::Wallet(wallet) => {
                to.u8(4);
                to.option(wallet.network.as_ref(), |to, network| to.network(*network));
                for lines in [&wallet.descriptors, &wallet.notes] {
                    to.list(lines, |to, line| to.string(line.as_bytes()));
                }
            }
            Answer::Message(answer) => {
                to.u8(5);
                answer.encode(to);
            }
        }
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        match from.u8("answer")? {
            0 => Ok(Answer::Ready),
            1 => Ok(Answer::Read(Box::new(Reading {
                sha256: from.fixed("sha256")?,
                manifest: from.option("manifest", |from| {
                    Manifest::from_bytes(from.string("manifest", MAX_TEXT_LEN)?)
                })?,
                psbt_version: from.u32("psbt version")?,
                bundle: from.option("bundle", Bundle::decode)?,
                findings: decode_findings(from)?,
            }))),
            2 => Ok(Answer::Unreadable {
                code: text(from, "code")?,
                message: text(from, "message")?,
                hint: text(from, "hint")?,
                exit: match from.u8("exit")? {
                    exit @ 1..=4 => exit,
                    other => return Err(CodecError::invalid("exit", format!("{other}, not 1 to 4"))),
                },
            }),
            3 => Ok(Answer::Written(from.string("file", MAX_FRAME_LEN)?.to_vec())),
            4 => Ok(Answer::Wallet(WalletText {
                network: from.option("network", |from| from.network("network"))?,
                descriptors: from.list("descriptors", 2, |from| text(from, "descriptor"))?,
                notes: from.list("notes", MAX_NOTES, |from| text(from, "note"))?,
            })),
            5 => Ok(Answer::Message(MessageAnswer::decode(from)?)),
            other => Err(CodecError::invalid("answer", format!("{other} is not known"))),
        }
    }
}

pub(super) fn encode_descriptors(to: &mut Encoder, wallet: &Descriptors) {
    to.network(wallet.network);
    to.string(wallet.external.as_bytes());
    to.string(wallet.internal.as_bytes());
}

pub(super) fn decode_descriptors(from: &mut Decoder<'_>) -> Result<Descriptors, CodecError> {
    Ok(Descriptors {
        network: from.network("network")?,
        external: from.text("external", policies::wallet::MAX_DESCRIPTOR_LEN)?,
        internal: from.text("internal", policies::wallet::MAX_DESCRIPTOR_LEN)?,
    })
}

/// Text that may quote foreign bytes: UTF-8, escaped where it is shown.
pub(super) fn text(from: &mut Decoder<'_>, what: &'static str) -> Result<String, CodecError> {
    let bytes = from.string(what, MAX_TEXT_LEN)?;
    String::from_utf8(bytes.to_vec()).map_err(|error| CodecError::invalid(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use policies::check::Check;

    #[test]
    fn every_message_survives_its_bytes() {
        for order in [
            Order::Open(Open {
                document: b"psbt\xff".to_vec(),
                wallets: vec![Descriptors {
                    network: Network::Regtest,
                    external: "wpkh(a)".to_owned(),
                    internal: "wpkh(b)".to_owned(),
                }],
                now: 7,
            }),
            Order::Attach {
                signatures: vec![InputSignature {
                    leaf: None,
                    input: 1,
                    public_key: vec![2; 33],
                    signature: vec![3; 71],
                }],
                receipt: vec![4],
                reply: true,
            },
            Order::Wallet { file: b"wpkh(".to_vec(), token: None },
            Order::Wallet { file: b"00".to_vec(), token: Some("a54044308ceac9b7".to_owned()) },
        ] {
            assert_eq!(Order::from_bytes(&order.to_bytes()), Ok(order));
        }
        let findings =
            vec![Finding::ask(Check::FEE, "high").hint("lower"), Finding::pass(Check::CHANGE, "ours")];
        for answer in [
            Answer::Ready,
            Answer::Read(Box::new(Reading {
                sha256: [1; 32],
                manifest: None,
                psbt_version: 0,
                bundle: None,
                findings,
            })),
            Answer::Unreadable { code: "C21".into(), message: "m".into(), hint: "h".into(), exit: 3 },
            Answer::Written(vec![9]),
            Answer::Wallet(WalletText {
                network: Some(Network::Signet),
                descriptors: vec!["a".into()],
                notes: vec!["b".into()],
            }),
        ] {
            assert_eq!(Answer::from_bytes(&answer.to_bytes()), Ok(answer));
        }
    }

    #[test]
    fn a_reader_cannot_answer_with_exit_code_zero() {
        let honest = Answer::Unreadable { code: "x".into(), message: "m".into(), hint: "h".into(), exit: 3 };
        let mut bytes = honest.to_bytes();
        *bytes.last_mut().unwrap() = 0;
        assert!(Answer::from_bytes(&bytes).is_err());
    }
}
