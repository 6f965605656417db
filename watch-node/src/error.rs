//! Every failure of this package, with its sentence, its remedy and its exit code.

use std::borrow::Cow;
use std::path::PathBuf;

use bitcoin::{BlockHash, Network, OutPoint, Txid};

/// `Result` with this package's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the watch-node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data directory has no store yet.
    #[error("{} is not a watch-node folder", .0.display())]
    NotInitialised(PathBuf),
    /// `init` on a folder that already has a store.
    #[error("{} is already a watch-node folder", .0.display())]
    AlreadyInitialised(PathBuf),
    /// Another process holds the folder's writer lock.
    #[error("another process is writing to {}", .0.display())]
    Locked(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("database: {0}")]
    Database(#[from] rusqlite::Error),
    /// A stored value does not have the shape this program writes.
    #[error("the database holds a malformed {0}")]
    CorruptStore(&'static str),
    /// The file is another program's database, or a newer version's.
    #[error("{} is not a database of this program (application id {application_id:#x}, version {version})", path.display())]
    ForeignDatabase {
        /// The file.
        path: PathBuf,
        /// SQLite application id found.
        application_id: i64,
        /// Schema version found.
        version: i64,
    },
    /// A chain source that is designed but not in this version.
    #[error("chain source {0} is not available in this version")]
    ChainUnavailable(&'static str),
    /// The embedded chain exists on regtest only.
    #[error("the embedded chain exists on regtest only, not on {0}")]
    EmbeddedOffRegtest(Network),
    /// A command of the embedded chain on a folder that follows another source.
    #[error("this folder follows Bitcoin Core; `regtest` commands drive the embedded chain only")]
    NotEmbedded,
    /// A required option is missing.
    #[error("{0} is needed")]
    Missing(&'static str),
    /// A server's address that cannot be used.
    #[error("cannot use {url}: {reason}")]
    Url {
        /// As given.
        url: String,
        /// Why not.
        reason: &'static str,
    },
    /// The chain source could not be reached.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the transport said.
        reason: String,
    },
    /// The chain source answered with an error.
    #[error("{method} was refused by the chain source (code {code}): {message}")]
    Rpc {
        /// The call.
        method: &'static str,
        /// Bitcoin Core's error code.
        code: i32,
        /// Its words.
        message: String,
    },
    /// The chain source rejected our credentials twice, with a cookie read afresh.
    #[error("{url} does not accept the cookie in {}", cookie.display())]
    BadCookie {
        /// The server.
        url: String,
        /// The cookie file.
        cookie: PathBuf,
    },
    /// An answer without the promised shape.
    #[error("{method}: the chain source's answer makes no sense: {reason}")]
    Answer {
        /// The call.
        method: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The source is on another network than the folder.
    #[error("the chain source is on {found}, this folder is for {expected}")]
    WrongChain {
        /// The folder's network.
        expected: Network,
        /// What the source named.
        found: String,
    },
    /// A block that does not prove itself.
    #[error("block {hash} at height {height} is not valid: {reason}")]
    BadBlock {
        /// Its hash.
        hash: BlockHash,
        /// The height it was offered at.
        height: u32,
        /// The failed check.
        reason: &'static str,
    },
    /// The chain kept changing while it was read.
    #[error("the chain source changed its tip {0} times during one pass")]
    Restless(u32),
    /// No such block at the source.
    #[error("the chain source has no block {0}")]
    NoBlock(BlockHash),
    /// A transaction that the mempool rules refuse; the reason is Bitcoin Core's word where it has one.
    #[error("transaction {txid} is refused: {reason}")]
    TransactionRefused {
        /// Its id.
        txid: Txid,
        /// Why, e.g. `dust` or `txn-mempool-conflict`.
        reason: String,
    },
    /// An input whose script is not satisfied.
    #[error("input {index} of {txid}, spending {outpoint}, does not satisfy its script: {reason}")]
    Script {
        /// The spending transaction.
        txid: Txid,
        /// Which input.
        index: usize,
        /// What it spends.
        outpoint: OutPoint,
        /// What the script engine said.
        reason: String,
    },
    /// The embedded miner has not enough mature coins.
    #[error("the embedded miner has {available_sat} sat in mature coins, {needed_sat} sat are needed")]
    MinerPoor {
        /// Mature and unspent.
        available_sat: u64,
        /// Amount and fee.
        needed_sat: u64,
    },
    /// No wallet by that name.
    #[error("there is no wallet {0:?}")]
    UnknownWallet(String),
    /// The name is taken.
    #[error("there is already a wallet {0:?}")]
    WalletExists(String),
    /// Several wallets and none named.
    #[error("there are {0} wallets; name one")]
    WhichWallet(usize),
    /// A descriptor that cannot be watched.
    #[error("descriptor: {0}")]
    Descriptor(String),
    /// Non-hardened child numbers are used up.
    #[error("branch of wallet {0:?} has no address left")]
    Exhausted(String),
    /// What the PSBT tools refuse: files, amounts, numbered checks.
    #[error(transparent)]
    Psbt(#[from] psbt_tools::Error),
    /// Descriptors that are no wallet.
    #[error(transparent)]
    Wallet(#[from] policies::wallet::WalletError),
    /// A document that cannot be read as what it should be.
    #[error("{what}: {reason}")]
    Malformed {
        /// Which document.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A document whose signature does not hold, or that is not by whom it should be.
    #[error("{what} is not authentic: {reason}")]
    NotAuthentic {
        /// Which document.
        what: String,
        /// What does not hold.
        reason: String,
    },
    /// Something of another network than the folder's.
    #[error("{what} is for {found}, this folder is for {expected}")]
    OtherNetwork {
        /// What was given.
        what: String,
        /// The folder's network.
        expected: Network,
        /// The other one.
        found: String,
    },
    /// Another authority is pinned already.
    #[error("this folder has pinned the authority of {0:?}")]
    AuthorityPinned(String),
    /// An option's value that cannot be understood.
    #[error("{what}: {reason}")]
    Usage {
        /// Which option, with its value.
        what: String,
        /// What was expected.
        reason: String,
    },
    /// The source knows no feerate and none was given.
    #[error("the chain source knows no feerate for a target of {0} blocks")]
    NoFeerate(u16),
    /// Not enough spendable coins.
    #[error("{needed} are needed with the fee, {spendable} can be spent now{held}")]
    InsufficientFunds {
        /// Recipients and fee.
        needed: String,
        /// The sum of free confirmed coins.
        spendable: String,
        /// What else there is, and why it cannot be spent.
        held: String,
    },
    /// A coin that was asked for and cannot be spent.
    #[error("the coin {outpoint} cannot be spent: {reason}")]
    CoinUnavailable {
        /// Which coin.
        outpoint: OutPoint,
        /// Why not.
        reason: &'static str,
    },
    /// The fee is above the ceiling that was given.
    #[error("the fee would be {fee}, above the ceiling of {ceiling}")]
    FeeAboveCeiling {
        /// What it would be.
        fee: String,
        /// What was accepted.
        ceiling: String,
    },
    /// No such payment, or a file that belongs to none.
    #[error("{0}")]
    UnknownPayment(String),
    /// What was built is not what comes back when it is read.
    #[error("the file that was built does not read back as what was asked for: {0}")]
    SelfCheck(String),
    /// Transactions of watched wallets without the documents that they need.
    #[error("{0}")]
    Unauthorised(String),
    /// Documents are missing that may still be brought.
    #[error("{0}")]
    Incomplete(String),
    /// A program that the demo needs is not there.
    #[error("the demo needs {program}, which is not at {looked_for}")]
    MissingProgram {
        /// Its name.
        program: String,
        /// Where it was looked for.
        looked_for: String,
        /// How to get it.
        hint: &'static str,
    },
    /// A step of the demo did not go as it must.
    #[error("demo, step {step:?}: {reason}")]
    Demo {
        /// The step's title.
        step: String,
        /// What was expected and what happened.
        reason: String,
    },
    /// An address that does not parse or belongs elsewhere.
    #[error("{text:?} is not an address of {network}")]
    Address {
        /// As typed.
        text: String,
        /// The folder's network.
        network: Network,
    },
    /// A sum of amounts beyond 21 million bitcoin.
    #[error("amounts overflow")]
    Overflow,
}

impl Error {
    /// The exit code of 0 done · 1 fault · 2 usage · 3 refused · 4 more needed · 5 locked, frozen or stale.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Missing(_)
            | Error::Url { .. }
            | Error::Address { .. }
            | Error::Usage { .. }
            | Error::NoFeerate(_)
            | Error::WhichWallet(_) => 2,
            Error::Psbt(error) => error.exit_code(),
            Error::Incomplete(_) => 4,
            Error::AlreadyInitialised(_)
            | Error::ChainUnavailable(_)
            | Error::EmbeddedOffRegtest(_)
            | Error::NotEmbedded
            | Error::WrongChain { .. }
            | Error::BadBlock { .. }
            | Error::TransactionRefused { .. }
            | Error::Script { .. }
            | Error::MinerPoor { .. }
            | Error::UnknownWallet(_)
            | Error::WalletExists(_)
            | Error::Descriptor(_)
            | Error::Exhausted(_)
            | Error::Wallet(_)
            | Error::Malformed { .. }
            | Error::NotAuthentic { .. }
            | Error::OtherNetwork { .. }
            | Error::AuthorityPinned(_)
            | Error::InsufficientFunds { .. }
            | Error::CoinUnavailable { .. }
            | Error::FeeAboveCeiling { .. }
            | Error::UnknownPayment(_)
            | Error::Unauthorised(_)
            | Error::Overflow => 3,
            Error::Locked(_) => 5,
            Error::NotInitialised(_)
            | Error::File { .. }
            | Error::Database(_)
            | Error::CorruptStore(_)
            | Error::ForeignDatabase { .. }
            | Error::Unreachable { .. }
            | Error::Rpc { .. }
            | Error::BadCookie { .. }
            | Error::Answer { .. }
            | Error::Restless(_)
            | Error::SelfCheck(_)
            | Error::MissingProgram { .. }
            | Error::Demo { .. }
            | Error::NoBlock(_) => 1,
        }
    }

    /// A short kebab-case word for programs, or a check's number.
    pub fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Error::Psbt(error) => return Cow::Owned(error.code()),
            Error::Wallet(_) => "descriptor",
            Error::Malformed { .. } => "malformed",
            Error::NotAuthentic { .. } => "not-authentic",
            Error::OtherNetwork { .. } => "wrong-network",
            Error::AuthorityPinned(_) => "authority-pinned",
            Error::Usage { .. } => "usage",
            Error::NoFeerate(_) => "no-feerate",
            Error::InsufficientFunds { .. } => "insufficient-funds",
            Error::CoinUnavailable { .. } => "coin-unavailable",
            Error::FeeAboveCeiling { .. } => "fee-too-high",
            Error::UnknownPayment(_) => "unknown-payment",
            Error::SelfCheck(_) => "self-check",
            Error::Unauthorised(_) => "unauthorised",
            Error::Incomplete(_) => "incomplete",
            Error::MissingProgram { .. } => "missing-program",
            Error::Demo { .. } => "demo",
            Error::NotInitialised(_) => "not-initialised",
            Error::AlreadyInitialised(_) => "already-initialised",
            Error::Locked(_) => "locked",
            Error::File { .. } => "file",
            Error::Database(_) => "database",
            Error::CorruptStore(_) => "corrupt-store",
            Error::ForeignDatabase { .. } => "foreign-database",
            Error::ChainUnavailable(_) => "chain-unavailable",
            Error::EmbeddedOffRegtest(_) => "embedded-off-regtest",
            Error::NotEmbedded => "not-embedded",
            Error::Missing(_) => "missing-option",
            Error::Url { .. } => "bad-url",
            Error::Unreachable { .. } => "unreachable",
            Error::Rpc { .. } => "rpc",
            Error::BadCookie { .. } => "bad-cookie",
            Error::Answer { .. } => "bad-answer",
            Error::WrongChain { .. } => "wrong-chain",
            Error::BadBlock { .. } => "bad-block",
            Error::Restless(_) => "restless",
            Error::NoBlock(_) => "no-block",
            Error::TransactionRefused { .. } => "transaction-refused",
            Error::Script { .. } => "script",
            Error::MinerPoor { .. } => "miner-poor",
            Error::UnknownWallet(_) => "unknown-wallet",
            Error::WalletExists(_) => "wallet-exists",
            Error::WhichWallet(_) => "which-wallet",
            Error::Descriptor(_) => "descriptor",
            Error::Exhausted(_) => "exhausted",
            Error::Address { .. } => "bad-address",
            Error::Overflow => "overflow",
        })
    }

    /// What the person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Error::NotInitialised(dir) => format!(
                "start with `watch-node init --data {} --network N --chain C`, or name another folder with --data",
                dir.display()
            ),
            Error::AlreadyInitialised(_) => "nothing was changed; choose another folder with --data".into(),
            Error::Locked(_) => "wait for the other watch-node to finish, then try again".into(),
            Error::File { .. } => "check that the file exists and that you may read it".into(),
            Error::Database(_) => "check free disk space and the folder's permissions; nothing half-written remains".into(),
            Error::CorruptStore(_) => "the store was changed from outside; restore it or start afresh in another folder".into(),
            Error::ForeignDatabase { .. } => "use the version of watch-node that wrote it, or another folder".into(),
            Error::ChainUnavailable(_) => {
                "use `--chain core --url http://127.0.0.1:8332 --cookie-file F`, or `--chain embedded` on regtest".into()
            }
            Error::EmbeddedOffRegtest(_) => "use `--network regtest`, or `--chain core` for a real network".into(),
            Error::NotEmbedded => "on `bitcoind -regtest` use `bitcoin-cli generatetoaddress`".into(),
            Error::Missing(option) => format!("see `watch-node --help`; give {option}"),
            Error::Url { .. } => "give `http://HOST:PORT` of the RPC server, on this machine or the LAN".into(),
            Error::Unreachable { .. } => "is bitcoind running, with this RPC port?".into(),
            Error::Rpc { .. } => "the message is Bitcoin Core's own; its debug.log may say more".into(),
            Error::BadCookie { .. } => {
                "bitcoind writes a new cookie at each start; is this the file of the running one?".into()
            }
            Error::Answer { .. } => "is this really Bitcoin Core's RPC port?".into(),
            Error::WrongChain { .. } => "point --url at a node on this folder's network".into(),
            Error::BadBlock { .. } => "the chain source lies or is damaged; use another one".into(),
            Error::Restless(_) => "run `watch-node sync` again".into(),
            Error::NoBlock(_) => {
                "the node may have pruned it; use one that keeps blocks since the wallet's birthday".into()
            }
            Error::TransactionRefused { .. } | Error::Script { .. } => {
                "nothing was broadcast; look at the transaction with `psbt-tools inspect`".into()
            }
            Error::MinerPoor { .. } => {
                "mine first: `watch-node regtest mine 101` (a block's reward can be spent 100 blocks later)".into()
            }
            Error::UnknownWallet(_) => "`watch-node wallet list` names those that exist".into(),
            Error::WalletExists(_) => "choose another name; nothing was changed".into(),
            Error::WhichWallet(_) => "`watch-node wallet list` names them".into(),
            Error::Descriptor(_) => "take the descriptor, with its checksum, from `cold-signer export`".into(),
            Error::Exhausted(_) => "make a new wallet".into(),
            Error::Psbt(error) => error.hint().unwrap_or_else(|| "look at it with `psbt-tools inspect FILE`".into()),
            Error::Wallet(_) => "take the descriptors, with their checksums, from `cold-signer export`".into(),
            Error::Malformed { .. } => "take the file again from where it came".into(),
            Error::NotAuthentic { .. } => {
                "do not use it; find out who changed it or whose it is".into()
            }
            Error::OtherNetwork { .. } => "use what belongs to this folder's network".into(),
            Error::AuthorityPinned(_) => {
                "an authority is pinned for ever; another company's wallets need another folder (--data)".into()
            }
            Error::Usage { .. } => "see the command's --help".into(),
            Error::NoFeerate(_) => "give one with --feerate, in sat/vB".into(),
            Error::InsufficientFunds { .. } => {
                "`watch-node coins` lists them; pay less, or wait until more is confirmed".into()
            }
            Error::CoinUnavailable { .. } => "`watch-node coins` lists what can be spent".into(),
            Error::FeeAboveCeiling { .. } => "lower --feerate or raise --max-fee; nothing was made".into(),
            Error::UnknownPayment(_) => "`watch-node payments` lists those that this folder made".into(),
            Error::SelfCheck(_) => "nothing was written; this is a fault of the program, please report it".into(),
            Error::Unauthorised(_) => {
                "treat the keys as stolen until explained: move what is left, then find out who signed".into()
            }
            Error::Incomplete(_) => {
                "bring the vault's receipts (`cold-signer receipts -o F`, --receipts F) and permitted files (--permits F)"
                    .into()
            }
            Error::MissingProgram { hint, .. } => (*hint).into(),
            Error::Demo { .. } => "`--keep DIR` leaves the files for a closer look".into(),
            Error::Address { .. } => "check the address and the network".into(),
            Error::Overflow => "no honest set of coins adds up to more than 21 million bitcoin".into(),
        }
    }

    /// For `map_err` on file operations.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
