//! What can go wrong in the vault, with the exit code and the next step for the person.

use std::path::PathBuf;

use cold_wire::{Fault, FaultKind};
use policies::codec::CodecError;
use policies::text::utc_text;
use rustix::io::Errno;

/// Every failure of this package. Messages never carry secret bytes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error("{action} failed: {errno}")]
    System {
        /// What was attempted.
        action: &'static str,
        /// The kernel's answer.
        errno: Errno,
    },
    /// The store could not be opened at all.
    #[error("cannot open the store {}: {errno}", path.display())]
    OpenStore {
        /// The path as given.
        path: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// Creation never overwrites.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// Another process holds the store's lock.
    #[error("the store is locked by another process")]
    StoreInUse,
    /// Not a regular file of mode 0600 with one name.
    #[error("the store is not acceptable: {0}")]
    BadFile(String),
    /// A record does not parse, does not chain or does not authenticate.
    #[error("the store is broken at record {sequence} (byte {offset}): {reason}")]
    Broken {
        /// Sequence number expected at that place.
        sequence: u64,
        /// Byte offset in the file.
        offset: u64,
        /// What was wrong.
        reason: &'static str,
    },
    /// The last record is incomplete; appending needs `unlock`, which closes it.
    #[error("the last record at byte {offset} is incomplete")]
    Torn {
        /// Byte offset of the torn tail.
        offset: u64,
    },
    /// An earlier write or fsync failed: what is durable is unknown until the next start.
    #[error("an earlier write to the store failed; this process may not append any more")]
    Poisoned,
    /// Opened for inspection only.
    #[error("the store is open for reading only")]
    ReadOnly,
    /// No record has this sequence number.
    #[error("no record has sequence {0}")]
    NoSuchRecord(u64),
    /// A value does not fit the format.
    #[error("{what} of {got} bytes exceeds the limit of {limit}")]
    TooLong {
        /// What was too long.
        what: &'static str,
        /// Its length in bytes.
        got: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// None of the live keyslots opens with this passphrase.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// Empty, not UTF-8, or no line at all.
    #[error("unusable passphrase: {0}")]
    BadPassphrase(&'static str),
    /// Key derivation parameters outside the accepted range.
    #[error("key derivation parameters out of range: {memory_kib} KiB, t={passes}, p={lanes}")]
    KdfRange {
        /// Memory in KiB.
        memory_kib: u32,
        /// Number of passes.
        passes: u32,
        /// Number of lanes.
        lanes: u32,
    },
    /// Argon2id could not run, in practice for want of memory.
    #[error("key derivation failed: {0}")]
    Kdf(String),
    /// Sealed bytes do not authenticate, although the data key is right.
    #[error("sealed bytes of record {0} do not authenticate")]
    Unsealable(u64),
    /// The kernel's random source failed; there is no other.
    #[error("the kernel's random source failed: {0}")]
    Randomness(Errno),
    /// Dice input with a character other than a digit from 0 to 6.
    #[error("dice may contain only the digits 0 to 6, not {0:?}")]
    Dice(char),
    /// BIP39 refused the words; the message never names them.
    #[error("these words are no BIP39 mnemonic: {0}")]
    Words(&'static str),
    /// BIP32 derivation failed.
    #[error("key derivation along the path failed: {0}")]
    Derivation(String),
    /// The asked control is required and could not be switched on.
    #[error("the sandbox control {control} could not be switched on: {reason}")]
    Control {
        /// Name of the control, as in `status`.
        control: &'static str,
        /// Why not.
        reason: String,
    },
    /// The person at the terminal cancelled or the terminal ended.
    #[error("cancelled at the terminal")]
    Cancelled,
    /// Two entries that must agree differ.
    #[error("the two passphrases differ")]
    PassphrasesDiffer,
    /// A record holds something that this version did not write.
    #[error("a record of the store cannot be read: {0}")]
    Record(CodecError),
    /// A record of a kind that this version does not act on: skipping it could loosen something.
    #[error("the store holds a {0} record, which this version does not understand")]
    NotThisVersion(&'static str),
    /// The clock is behind what the store has seen.
    #[error("the clock shows {}, before {}, which the store has already seen", utc_text(*now), utc_text(*floor))]
    Clock {
        /// What the clock shows.
        now: u64,
        /// The latest time known.
        floor: u64,
    },
    /// A signature could not be made, or did not verify.
    #[error("nothing was signed: {0}")]
    Signature(&'static str),
    /// The machine is on a network.
    #[error("this machine has a live network: {0}")]
    LiveNetwork(String),
    /// Neither a terminal nor a file to read from.
    #[error("there is neither a terminal nor a file to read the passphrase or the words from")]
    NoPassphrase,
    /// There is no store at this path.
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    /// A file named on the command line cannot be read.
    #[error("cannot read {}: {}", .0.display(), .1)]
    Unreadable(PathBuf, std::io::Error),
    /// The console's socket failed or spoke another language.
    #[error("the console's socket failed")]
    Socket,
    /// What the service answered.
    #[error("{}", .0.message)]
    Fault(Fault),
}

impl Error {
    /// The exit code of 0 done · 1 fault · 2 usage · 3 refused · 4 more needed · 5 locked.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::System { .. }
            | Self::OpenStore { .. }
            | Self::Exists(_)
            | Self::Poisoned
            | Self::ReadOnly
            | Self::NoSuchRecord(_)
            | Self::Kdf(_)
            | Self::Randomness(_)
            | Self::Control { .. }
            | Self::Signature(_)
            | Self::NoStore(_)
            | Self::Unreadable(..)
            | Self::Socket
            | Self::Derivation(_) => 1,
            Self::TooLong { .. } | Self::Dice(_) | Self::BadPassphrase(_) => 2,
            Self::BadFile(_)
            | Self::Broken { .. }
            | Self::KdfRange { .. }
            | Self::Unsealable(_)
            | Self::Words(_)
            | Self::Record(_)
            | Self::NotThisVersion(_)
            | Self::Clock { .. }
            | Self::LiveNetwork(_) => 3,
            Self::Cancelled | Self::PassphrasesDiffer => 4,
            Self::StoreInUse | Self::WrongPassphrase | Self::NoPassphrase | Self::Torn { .. } => 5,
            Self::Fault(fault) => fault.kind.exit_code(),
        }
    }

    /// A short kebab-case word for `--json`.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::System { .. } => "system",
            Self::OpenStore { .. } => "store-unreadable",
            Self::Exists(_) => "exists",
            Self::StoreInUse => "store-in-use",
            Self::BadFile(_) => "bad-store-file",
            Self::Broken { .. } => "store-broken",
            Self::Torn { .. } => "store-torn",
            Self::Poisoned => "poisoned",
            Self::ReadOnly => "read-only",
            Self::NoSuchRecord(_) => "no-such-record",
            Self::TooLong { .. } => "too-long",
            Self::WrongPassphrase => "wrong-passphrase",
            Self::BadPassphrase(_) => "bad-passphrase",
            Self::KdfRange { .. } => "kdf-range",
            Self::Kdf(_) => "kdf",
            Self::Unsealable(_) => "unsealable",
            Self::Randomness(_) => "randomness",
            Self::Dice(_) => "dice",
            Self::Words(_) => "words",
            Self::Derivation(_) => "derivation",
            Self::Control { .. } => "sandbox",
            Self::Cancelled => "cancelled",
            Self::PassphrasesDiffer => "passphrases-differ",
            Self::Record(_) => "record",
            Self::NotThisVersion(_) => "not-this-version",
            Self::Clock { .. } => "clock",
            Self::Signature(_) => "C28",
            Self::LiveNetwork(_) => "live-network",
            Self::NoPassphrase => "no-passphrase",
            Self::NoStore(_) => "no-store",
            Self::Unreadable(..) => "unreadable",
            Self::Socket => "socket",
            Self::Fault(fault) => &fault.code,
        }
    }

    /// The next thing to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::System { action: "locking memory", .. } => {
                "raise the limit of locked memory (ulimit -l) to at least 8 MiB"
            }
            Self::System { .. } => "check the disk, the file system and the machine's limits",
            Self::OpenStore { .. } => "check the path given with --store, and its permissions",
            Self::Exists(_) => "choose another name; nothing is ever overwritten",
            Self::StoreInUse => {
                "end the other program that uses this store; a stopped one is listed by `jobs`"
            }
            Self::BadFile(_) => {
                "the store must be a regular file of mode 0600 with one name, owned by this user"
            }
            Self::Broken { .. } => {
                "do not edit this file; restore from a backup copy, or from the paper words on another store"
            }
            Self::Torn { .. } => {
                "unlock the store once; the incomplete record is closed then, nothing is lost"
            }
            Self::Poisoned => "end this process, check the disk, start again",
            Self::ReadOnly => "open the store without --verify or log to change it",
            Self::NoSuchRecord(_) => "`log` lists the records",
            Self::TooLong { .. } => "shorten it",
            Self::WrongPassphrase => "type it again; mind the keyboard layout and caps lock",
            Self::BadPassphrase(_) => "the passphrase is one non-empty line of UTF-8 text",
            Self::KdfRange { .. } => "the file asks for unreasonable work; it may be forged",
            Self::Kdf(_) => "free some memory; the default needs 1 GiB",
            Self::Unsealable(_) => "restore from a backup copy",
            Self::Randomness(_) => "restart the machine; no key is made without the kernel's random source",
            Self::Dice(_) => "type dice as 1 to 6, coins as 0 and 1",
            Self::Words(_) => "check spelling and order against the paper; every word counts",
            Self::Derivation(_) => "choose another account number",
            Self::Control { .. } => {
                "the vault holds no keys without it; use a kernel of 5.13 or later with Landlock and seccomp"
            }
            Self::Cancelled => "start again when ready; no key was made and nothing was signed",
            Self::PassphrasesDiffer => "type the same passphrase twice",
            Self::Record(_) | Self::NotThisVersion(_) => {
                "use the version of this program that wrote the store"
            }
            Self::Clock { .. } => "set this machine's clock; the store is not at fault",
            Self::Signature(_) => "start again; if it stays, the machine may be faulty: use another",
            Self::LiveNetwork(_) => {
                "unplug it and switch the radios off; keys belong on a machine without a network (--allow-network for tests)"
            }
            Self::NoPassphrase => "run it in a terminal, or give --passphrase-file F",
            Self::NoStore(_) => "check --store; `cold-signer new-key` makes a store",
            Self::Unreadable(..) => "check the path and its permissions",
            Self::Socket => "use console and vault of the same release",
            Self::Fault(fault) => &fault.hint,
        }
    }

    /// For `map_err` on a system call.
    pub(crate) fn system(action: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::System { action, errno }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if let Error::Fault(fault) = error {
            return fault;
        }
        let kind = match error.exit_code() {
            2 | 3 => FaultKind::Refused,
            4 => FaultKind::Incomplete,
            5 => FaultKind::Locked,
            _ => FaultKind::Internal,
        };
        Fault::new(kind, error.code(), error.to_string(), error.hint())
    }
}
