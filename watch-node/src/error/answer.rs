//! How each failure is answered: exit code, word for programs, and what the person can do.

use std::borrow::Cow;

use psbt_tools::display::escape;

use super::Error;

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
            Error::Incomplete(_)
            | Error::AuthorityNeeded { .. }
            | Error::SignaturesMissing { .. }
            | Error::PreimageMissing(_) => 4,
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
            | Error::OtherAuthority { .. }
            | Error::InsufficientFunds { .. }
            | Error::CoinUnavailable { .. }
            | Error::NoCoins(_)
            | Error::PathClosed { .. }
            | Error::FeeAboveCeiling { .. }
            | Error::FeeTooLow { .. }
            | Error::NotReplaceable { .. }
            | Error::Abandoned { .. }
            | Error::DraftDiffers { .. }
            | Error::UnderWay { .. }
            | Error::UnknownPayment(_)
            | Error::TooManyFacts { .. }
            | Error::Ungoverned(_)
            | Error::Unauthorised(_)
            | Error::Overflow => 3,
            Error::Locked(_) | Error::Stale { .. } | Error::NotScanned(_) => 5,
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
            Error::OtherAuthority { .. } => "authority",
            Error::AuthorityNeeded { .. } => "authority-needed",
            Error::Usage { .. } => "usage",
            Error::NoFeerate(_) => "no-feerate",
            Error::InsufficientFunds { .. } => "insufficient-funds",
            Error::CoinUnavailable { .. } => "coin-unavailable",
            Error::NoCoins(_) => "no-coins",
            Error::PathClosed { .. } => "path-closed",
            Error::FeeAboveCeiling { .. } => "fee-too-high",
            Error::FeeTooLow { .. } => "fee-too-low",
            Error::NotReplaceable { .. } => "not-replaceable",
            Error::Abandoned { .. } => "abandoned",
            Error::DraftDiffers { .. } => "draft-differs",
            Error::UnderWay { .. } => "under-way",
            Error::UnknownPayment(_) => "unknown-payment",
            Error::SignaturesMissing { .. } => "signatures-missing",
            Error::PreimageMissing(_) => "preimage-missing",
            Error::SelfCheck(_) => "self-check",
            Error::Stale { .. } | Error::NotScanned(_) => "stale",
            Error::TooManyFacts { .. } => "too-many-facts",
            Error::Ungoverned(_) => "ungoverned",
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
                escape(&dir.to_string_lossy())
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
            // Bitcoin Core's word for a replacement that pays too little (`validation.cpp`).
            Error::TransactionRefused { reason, .. } if reason.contains("insufficient fee") => {
                "another spend of these coins waits already and pays as much or more; `watch-node sync`, then `watch-node \
                 bump NUMBER` makes one that pays more still"
                    .into()
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
            Error::OtherAuthority { .. } => {
                "watch it in the folder that has pinned its own authority (--data); one folder obeys one authority".into()
            }
            Error::AuthorityNeeded { .. } => {
                "`watch-node trust FILE`, with the `authority.pub` of the gatekeeper that permits its payments".into()
            }
            Error::Usage { .. } => "see the command's --help".into(),
            Error::NoFeerate(_) => "give one with --feerate, in sat/vB".into(),
            Error::InsufficientFunds { .. } => {
                "`watch-node coins` lists them; pay less, or wait until more is confirmed".into()
            }
            Error::CoinUnavailable { .. } => "`watch-node coins` lists what can be spent".into(),
            Error::NoCoins(_) => "leave it out; `watch-node balance` says what each wallet holds".into(),
            Error::PathClosed { .. } => {
                "`watch-node wallet paths NAME` says for each path what can be spent now and what later".into()
            }
            Error::FeeAboveCeiling { .. } => "lower --feerate or raise --max-fee; nothing was made".into(),
            Error::FeeTooLow { rate, .. } => {
                format!("give --feerate {rate} or more, or leave it out for the least that replaces")
            }
            Error::NotReplaceable { .. } => {
                "`watch-node payments show NUMBER` says where it stands; a new payment is made with `watch-node pay`".into()
            }
            Error::Abandoned { payment, reason: None } => {
                format!("have the file destroyed, or take the payment up again with `--take-up {payment}`")
            }
            Error::DraftDiffers { payment, .. } => format!(
                "`watch-node payments export {payment} -o FILE` writes it as it is; `watch-node payments abandon {payment}` \
                 gives it up"
            ),
            Error::Abandoned { .. } => {
                "have the file destroyed; `watch-node pay` makes a new payment if it is still owed".into()
            }
            Error::UnderWay { .. } => {
                "while it is unconfirmed, `watch-node bump NUMBER --to-self` takes it back; its coins are free once that confirms".into()
            }
            Error::SignaturesMissing { shared: Some(payment), .. } => format!(
                "`watch-node payments export {payment} --with-signatures -o FILE` writes it with the signatures so far; carry \
                 that to a cosigner who is missing, then `watch-node submit` what comes back"
            ),
            Error::SignaturesMissing { shared: None, .. } => {
                "let the wallet sign first: `cold-signer sign FILE`, then `watch-node submit` what it writes".into()
            }
            Error::PreimageMissing(_) => "give it with `--preimage-file F`, as 64 hexadecimal digits".into(),
            Error::UnknownPayment(_) => "`watch-node payments` lists those that this folder made".into(),
            Error::SelfCheck(_) => "nothing was written; this is a fault of the program, please report it".into(),
            Error::Stale { .. } | Error::NotScanned(_) => "run `watch-node sync`, then try again".into(),
            Error::TooManyFacts { .. } => {
                "begin later, with `watch-node facts --from HEIGHT`, where the gatekeeper stands; a new one can start at a \
                 checkpoint"
                    .into()
            }
            Error::Ungoverned(_) => {
                "no permit was needed for it: let `--accept-ungoverned NAME` name the wallet when that is meant, else move \
                 its coins to a wallet that obeys the authority"
                    .into()
            }
            Error::Unauthorised(_) => {
                "treat the keys as stolen until explained: move what is left, then find out who signed".into()
            }
            Error::Incomplete(_) => {
                "`watch-node submit F` the files that came back signed, or bring the vault's receipts (`cold-signer receipts -o F`, \
                 --receipts F) and permitted files (--permits F)"
                    .into()
            }
            Error::MissingProgram { hint, .. } => (*hint).into(),
            Error::Demo { .. } => "`--keep DIR` leaves the files for a closer look".into(),
            Error::Address { .. } => "check the address and the network".into(),
            Error::Overflow => "no honest set of coins adds up to more than 21 million bitcoin".into(),
        }
    }
}
