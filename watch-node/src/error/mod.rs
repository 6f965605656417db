//! Every failure of this package, with its sentence, its remedy and its exit code.

mod answer;

use std::path::PathBuf;

use bitcoin::{BlockHash, Network, OutPoint, Txid};
use policies::id::AuthorityId;
use psbt_tools::display::escape;

/// `Result` with this package's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in the watch-node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data directory has no store yet.
    #[error("{} is not a watch-node folder", escape(&.0.to_string_lossy()))]
    NotInitialised(PathBuf),
    /// `init` on a folder that already has a store.
    #[error("{} is already a watch-node folder", escape(&.0.to_string_lossy()))]
    AlreadyInitialised(PathBuf),
    /// Another process holds the folder's writer lock.
    #[error("another process is writing to {}", escape(&.0.to_string_lossy()))]
    Locked(PathBuf),
    /// A file could not be read or written.
    #[error("{}: {source}", escape(&path.to_string_lossy()))]
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
    #[error("{} is not a database of this program (application id {application_id:#x}, version {version})", escape(&path.to_string_lossy()))]
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
    #[error("{url} does not accept the cookie in {}", escape(&cookie.to_string_lossy()))]
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
    /// A wallet whose key obeys another authority than the folder's.
    #[error("the key of wallet {wallet:?} obeys authority {obeyed}, not {pinned}")]
    OtherAuthority {
        /// The wallet's name.
        wallet: String,
        /// Whom its key obeys.
        obeyed: AuthorityId,
        /// The authority that is pinned here, or was to be.
        pinned: AuthorityId,
    },
    /// A wallet whose permits cannot be verified, because the authority that its key obeys is not pinned.
    #[error(
        "wallet {wallet:?} obeys authority {authority}, which is not pinned here: permits cannot be verified"
    )]
    AuthorityNeeded {
        /// The wallet's name.
        wallet: String,
        /// Whom its key obeys.
        authority: AuthorityId,
    },
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
    /// A wallet that holds nothing to be proven.
    #[error("wallet {0:?} has no confirmed coin")]
    NoCoins(String),
    /// A coin that was asked for and cannot be spent.
    #[error("the coin {outpoint} cannot be spent: {reason}")]
    CoinUnavailable {
        /// Which coin.
        outpoint: OutPoint,
        /// Why not.
        reason: String,
    },
    /// No coin of the wallet can be spent by the path that was chosen, yet.
    #[error("no coin can be spent by path {path} yet ({text}): the first {opens}")]
    PathClosed {
        /// Its number.
        path: usize,
        /// The path in words.
        text: String,
        /// From when on.
        opens: String,
    },
    /// The fee is above the ceiling that was given.
    #[error("the fee would be {fee}, above the ceiling of {ceiling}")]
    FeeAboveCeiling {
        /// What it would be.
        fee: String,
        /// What was accepted.
        ceiling: String,
    },
    /// The fee is too low to take the place of what is there.
    #[error("the fee would be {fee}; what it is to replace asks for at least {least}")]
    FeeTooLow {
        /// What it would be.
        fee: String,
        /// The least that replaces.
        least: String,
        /// The same as a feerate, in sat/vB.
        rate: String,
    },
    /// A payment in whose place nothing can come.
    #[error("{payment} cannot be replaced: {reason}")]
    NotReplaceable {
        /// `P-0042`.
        payment: String,
        /// Why not.
        reason: String,
    },
    /// A payment that was abandoned, or taken back to the wallet, and came back signed.
    #[error("{payment} was given up{}", .reason.as_ref().map_or_else(String::new, |reason| format!(", and {reason}")))]
    Abandoned {
        /// `P-0042`.
        payment: String,
        /// Why it cannot be taken up again; `None` when only nobody has said that it shall be.
        reason: Option<String>,
    },
    /// What was made before and is asked for again has another fee than is asked for now.
    #[error("{payment} was made before, its file perhaps not written, with a fee of {fee}: {reason}")]
    DraftDiffers {
        /// `P-0042`.
        payment: String,
        /// Its fee.
        fee: String,
        /// Which option does not fit.
        reason: String,
    },
    /// A payment that may be under way and so cannot be given up.
    #[error("{payment} cannot be abandoned: {reason}")]
    UnderWay {
        /// `P-0042`.
        payment: String,
        /// What is known of it.
        reason: &'static str,
    },
    /// Payments whose signatures are not enough yet.
    #[error("{payments}: signatures are missing")]
    SignaturesMissing {
        /// `P-0042, P-0043`.
        payments: String,
        /// The first of them that other keys have to sign still.
        shared: Option<String>,
    },
    /// Payments whose signatures are enough, but not without the preimage of a hash lock.
    #[error("{0}: the preimage of a hash lock is missing")]
    PreimageMissing(String),
    /// No such payment, or a file that belongs to none.
    #[error("{0}")]
    UnknownPayment(String),
    /// What was built is not what comes back when it is read.
    #[error("the file that was built does not read back as what was asked for: {0}")]
    SelfCheck(String),
    /// The scan does not reach the source's tip.
    #[error("the scan stands {}, the chain source at height {tip}", scanned.map_or_else(|| "nowhere yet".to_owned(), |height| format!("at height {height}")))]
    Stale {
        /// Height of the last scanned block.
        scanned: Option<u32>,
        /// The source's.
        tip: u32,
    },
    /// Nothing that was asked about has been scanned.
    #[error("nothing is known yet: no block since the birthday of {} has been read", .0.as_ref().map_or_else(|| "any wallet".to_owned(), |name| format!("wallet {name:?}")))]
    NotScanned(Option<String>),
    /// More facts than one document holds.
    #[error("{needed} {what} would be needed, at most {limit} go into the document")]
    TooManyFacts {
        /// What there is too much of.
        what: &'static str,
        /// How many there would be.
        needed: usize,
        /// The cap.
        limit: usize,
    },
    /// Money left wallets that obey no authority, while one is pinned.
    #[error("{0}")]
    Ungoverned(String),
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
    /// For `map_err` on file operations.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}
