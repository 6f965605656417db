//! What can go wrong, for the person at the terminal and for programs.

use crate::camera;
use crate::files::Obstacle;
use crate::qr::Fault;
use crate::scanner::Failure;
use crate::usb;
use policies::check::{Check, Finding};
use policies::wallet::WalletError;
use rustix::io::Errno;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;

/// Every failure of this package. The text says what was found and expected, [`Error::hint`] what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {name}: {source}")]
    Read {
        /// The file as it was named.
        name: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {name}: {source}")]
    Write {
        /// The file as it was named.
        name: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The name is taken by something that is no regular file.
    #[error("{0} is not a regular file")]
    NotAFile(String),
    /// An output file exists; nothing is ever overwritten.
    #[error("{0} exists already")]
    Exists(String),
    /// What a medium does, or what on it is not followed.
    #[error("{name} {obstacle}")]
    Medium {
        /// The file as it was named.
        name: String,
        /// What stood in the way.
        obstacle: Obstacle,
    },
    /// Nothing was taken from a medium, or put on it.
    #[error(transparent)]
    Usb(#[from] usb::Refusal),
    /// The bytes are no PSBT that is read here.
    #[error("{found}")]
    Malformed {
        /// What the bytes are, and what was expected.
        found: String,
        /// What to do next.
        hint: String,
    },
    /// A numbered check refuses.
    #[error("{message}")]
    Refused {
        /// The check.
        check: Check,
        /// What was found and expected.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// Inputs without the signatures that are needed.
    #[error("signatures are missing at {}", missing_text(.0))]
    SignaturesMissing(Vec<Missing>),
    /// Two PSBTs of one transaction differ in more than signatures and documents that were added.
    #[error("more than signatures and documents was added: {0}")]
    Changed(String),
    /// A PSBT that cannot be written in the version that was asked for.
    #[error("{what}")]
    NotWritten {
        /// What stands against it.
        what: String,
        /// What to do next.
        hint: &'static str,
    },
    /// PSBTs that cannot become one transaction.
    #[error("{what}")]
    NotJoined {
        /// What stands against it.
        what: String,
        /// What to do next.
        hint: &'static str,
    },
    /// A payload that does not go into QR codes.
    #[error(transparent)]
    Frames(#[from] Fault),
    /// A QR code that cannot be made, or does not read as what it should hold.
    #[error("the QR code is not shown: {0}")]
    Symbol(String),
    /// QR codes that were seen did not become a payload.
    #[error(transparent)]
    Scan(#[from] Failure),
    /// There is no terminal that can show it.
    #[error("{what}")]
    Screen {
        /// What stands against it.
        what: String,
        /// What to do next.
        hint: String,
    },
    /// A signal ended what was shown, or its terminal is gone.
    #[error("interrupted: it was not shown to its end")]
    Interrupted,
    /// A file that did not come as it was sent, or came to the wrong place.
    #[error("{what}")]
    Transport {
        /// What is wrong.
        kind: Transport,
        /// What was found and expected; claims of the file in it are fit for a screen.
        what: String,
    },
    /// A camera that gives no frames.
    #[error(transparent)]
    Camera(#[from] camera::Error),
    /// A typed amount is not one.
    #[error("`{typed}` is no amount: {reason}")]
    Amount {
        /// What was typed, escaped.
        typed: String,
        /// Why it is none.
        reason: &'static str,
    },
    /// A typed network is not one.
    #[error("`{0}` is no network: expected bitcoin, mainnet, testnet, testnet4, signet or regtest")]
    Network(String),
    /// A typed descriptor is no wallet.
    #[error(transparent)]
    Descriptor(WalletError),
}

/// What is wrong with a file that crossed the gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// It is not as long as its manifest says, or hashes to something else.
    Damaged,
    /// Its manifest names a wallet that is not known here.
    OtherWallet,
    /// Its manifest contradicts what is in it, or cannot be read.
    Manifest,
    /// A reply to another payment.
    OtherSpend,
}

/// An input that lacks signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Its index, from zero.
    pub input: usize,
    /// Where its script has several keys, those that have not signed: the fingerprint that the PSBT tells, or the key.
    pub keys: Vec<String>,
}

impl Error {
    /// A refusal of a check.
    pub fn refused(check: Check, message: impl Into<String>) -> Self {
        Error::Refused { check, message: message.into(), hint: None }
    }

    /// Bytes that are no PSBT.
    pub fn malformed(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Malformed { found: found.into(), hint: hint.into() }
    }

    /// Broken BIP174, with the hint that fits nearly all of it.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Error::Refused {
            check: Check::STRICT_PSBT,
            message: message.into(),
            hint: Some("let the program that made the PSBT write it again".to_owned()),
        }
    }

    /// The code in JSON: a check's number, `malformed`, or a short kebab-case word.
    pub fn code(&self) -> String {
        match self {
            Error::Read { .. } => "unreadable".to_owned(),
            Error::Write { .. } => "unwritable".to_owned(),
            Error::NotAFile(_) => "not-a-file".to_owned(),
            Error::Exists(_) => "exists".to_owned(),
            Error::Medium { obstacle, .. } => obstacle.code().to_owned(),
            Error::Usb(refusal) => refusal.code().to_owned(),
            Error::Malformed { .. } => "malformed".to_owned(),
            Error::Refused { check, .. } => check.to_string(),
            Error::SignaturesMissing(_) => "signatures-missing".to_owned(),
            Error::Changed(_) => "changed".to_owned(),
            Error::NotWritten { .. } => "not-written".to_owned(),
            Error::NotJoined { .. } => "not-joined".to_owned(),
            Error::Frames(_) => "frames".to_owned(),
            Error::Symbol(_) => "symbol".to_owned(),
            Error::Scan(failure) => failure.code().to_owned(),
            Error::Screen { .. } => "screen".to_owned(),
            Error::Interrupted => "interrupted".to_owned(),
            Error::Camera(_) => "camera".to_owned(),
            Error::Transport { kind, .. } => match kind {
                Transport::Damaged => "damaged".to_owned(),
                Transport::OtherWallet => "other-wallet".to_owned(),
                Transport::Manifest => "manifest".to_owned(),
                Transport::OtherSpend => "other-spend".to_owned(),
            },
            Error::Amount { .. } | Error::Network(_) | Error::Descriptor(_) => "usage".to_owned(),
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Error::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => "check the file's name",
            Error::Write { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "the folder does not exist: create it first"
            }
            Error::Read { source, .. } | Error::Write { source, .. } if medium_hint(source).is_some() => {
                return medium_hint(source).map(str::to_owned);
            }
            Error::Read { .. } => "check the file's permissions and the medium",
            Error::Write { .. } => "check the folder's permissions and its free space",
            Error::Medium { obstacle, .. } => obstacle.hint(),
            Error::Usb(refusal) => refusal.hint(),
            Error::NotAFile(_) => "name a file, or `-` for standard input",
            Error::Exists(_) => "choose another name: files are never overwritten",
            Error::Malformed { hint, .. } => hint,
            Error::Refused { hint, .. } => return hint.clone(),
            Error::SignaturesMissing(missing) if missing.iter().any(|missing| !missing.keys.is_empty()) => {
                "let the wallets of these keys sign, as many as the script asks for: `cold-signer sign FILE`"
            }
            Error::SignaturesMissing(_) => "let the wallet sign first: `cold-signer sign FILE`",
            Error::Changed(_) => "the payment is the same; let `psbt-tools inspect` judge the later file",
            Error::NotWritten { hint, .. } | Error::NotJoined { hint, .. } => hint,
            Error::Frames(fault) => fault.hint(),
            Error::Symbol(_) => "carry it as a file, and report this",
            Error::Scan(failure) => failure.hint(),
            Error::Screen { hint, .. } => hint,
            Error::Interrupted => "show it again, until the other side has it whole",
            Error::Camera(camera) => return Some(camera.hint()),
            Error::Transport { kind: Transport::Damaged, .. } => {
                "take it again from its sender, and compare the hash words on both sides; a program that changes files without \
                 signing is none to send them through"
            }
            Error::Transport { kind: Transport::OtherWallet, .. } => {
                "give it to the machine that has this wallet, or register the wallet here first"
            }
            Error::Transport { kind: Transport::Manifest, .. } => {
                "do not use it; find out who changed the file, and take it again from its sender"
            }
            Error::Transport { kind: Transport::OtherSpend, .. } => {
                "take the PSBT that was signed; the spend id stands on the signer's screen and in `psbt-tools inspect REPLY`"
            }
            Error::Amount { .. } => "write an amount with its unit: 0.01btc or 1500000sat",
            Error::Network(_) => "the default is mainnet",
            Error::Descriptor(WalletError::Network { .. }) => "name the key's network with --network",
            Error::Descriptor(_) => {
                "give one descriptor with <0;1>, or the option twice, for /0/* and /1/*, each in quotes"
            }
        };
        Some(hint.to_owned())
    }

    /// The exit code: 1 fault, 2 usage, 3 refused, 4 more is needed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Read { .. }
            | Error::Write { .. }
            | Error::NotAFile(_)
            | Error::Symbol(_)
            | Error::Camera(_) => 1,
            Error::Medium { obstacle, .. } => obstacle.exit_code(),
            Error::Usb(refusal) => refusal.exit_code(),
            Error::Screen { .. } | Error::Amount { .. } | Error::Network(_) | Error::Descriptor(_) => 2,
            Error::Exists(_)
            | Error::Malformed { .. }
            | Error::Refused { .. }
            | Error::Frames(_)
            | Error::Changed(_)
            | Error::Transport { .. }
            | Error::NotWritten { .. }
            | Error::NotJoined { .. } => 3,
            Error::SignaturesMissing(_) | Error::Interrupted => 4,
            Error::Scan(failure) => failure.exit_code(),
        }
    }

    /// `{"error": {"code", "message", "hint"?}}`.
    pub fn to_json(&self) -> Value {
        error_json(&self.code(), &self.to_string(), self.hint().as_deref())
    }
}

impl From<WalletError> for Error {
    fn from(error: WalletError) -> Self {
        if !matches!(error, WalletError::RepeatedKey(_)) {
            return Error::Descriptor(error);
        }
        Error::Refused {
            check: Check::REGISTRATION,
            message: error.to_string(),
            hint: Some(
                "ask each cosigner for a key of its own: whoever holds one twice signs twice".to_owned(),
            ),
        }
    }
}

impl From<&Finding> for Error {
    fn from(finding: &Finding) -> Self {
        match finding.code {
            policies::check::Code::Check(check) => {
                Error::Refused { check, message: finding.message.clone(), hint: finding.hint.clone() }
            }
            policies::check::Code::Rule(_) => Error::Refused {
                check: Check::AUTHORISATION,
                message: format!("{}: {}", finding.code, finding.message),
                hint: finding.hint.clone(),
            },
        }
    }
}

/// What to do about a medium that is full, protected or gone.
fn medium_hint(source: &io::Error) -> Option<&'static str> {
    match source.raw_os_error().map(Errno::from_raw_os_error)? {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => {
            Some("the medium is full: make room, or take another one")
        }
        Errno::ROFS => {
            Some("the medium is mounted read-only, or its switch is set: mount it with `-o remount,rw`")
        }
        Errno::IO | Errno::NODEV | Errno::NXIO | Errno::NOTCONN | Errno::STALE | Errno::NOMEDIUM => {
            Some("the medium was pulled or is failing: plug it in again, or take another one")
        }
        Errno::NOTDIR => Some("a folder is expected there"),
        Errno::NAMETOOLONG => Some("choose a shorter name"),
        _ => None,
    }
}

/// The JSON object of a failure, the same for every program.
pub fn error_json(code: &str, message: &str, hint: Option<&str>) -> Value {
    match hint {
        Some(hint) => json!({ "error": { "code": code, "message": message, "hint": hint } }),
        None => json!({ "error": { "code": code, "message": message } }),
    }
}

/// `inputs 0, 1; input 2 (keys 73c5da0a, 1f2e3d4c)`: inputs that lack the same keys together.
fn missing_text(missing: &[Missing]) -> String {
    let mut groups: BTreeMap<&[String], Vec<usize>> = BTreeMap::new();
    for Missing { input, keys } in missing {
        groups.entry(keys).or_default().push(*input);
    }
    let group = |(keys, inputs): (&[String], Vec<usize>)| {
        let numbers: Vec<_> = inputs.iter().map(ToString::to_string).collect();
        let noun = if inputs.len() == 1 { "input" } else { "inputs" };
        let who = if keys.is_empty() { String::new() } else { format!(" (keys {})", keys.join(", ")) };
        format!("{noun} {}{who}", numbers.join(", "))
    };
    groups.into_iter().map(group).collect::<Vec<_>>().join("; ")
}
