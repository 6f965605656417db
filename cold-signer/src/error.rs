//! Every failure of the console, with its sentence, its remedy and its exit code.

use cold_wire::Fault;
use policies::check::{Check, Finding, Rule};
use policies::id::{AuthorityId, MessageId, SpendId, WalletId};
use psbt_tools::display::escape;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;

/// What can go wrong. Foreign text in messages is escaped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vault says no.
    #[error("{}", escape(&.0.message))]
    Vault(Box<Fault>),
    /// A file cannot be read or written, or an amount is none.
    #[error(transparent)]
    Psbt(#[from] psbt_tools::Error),
    /// The reader says that the document is none.
    #[error("{}", escape(.message))]
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
    /// Checks of the reader refuse.
    #[error("{}", escape(&refusal(.0)))]
    Refused(Vec<Finding>),
    /// The reader was killed or ended by itself.
    #[error("the reader was stopped ({0}): the file is hostile or damaged")]
    ReaderStopped(String),
    /// The reader answered something else than it was asked.
    #[error("the reader's answer makes no sense: {}", escape(.0))]
    ReaderNonsense(String),
    /// A program could not be started.
    #[error("cannot start {}: {source}", escape(&program.to_string_lossy()))]
    Start {
        /// Which program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The vault ended while it was needed.
    #[error("the vault ended unexpectedly")]
    VaultEnded,
    /// The vault answered something else than it was asked.
    #[error("the vault's answer makes no sense: {}", escape(.0))]
    VaultNonsense(String),
    /// No `--store`, and no home.
    #[error("no place for the store: neither XDG_DATA_HOME nor HOME is set")]
    NoHome,
    /// A file or descriptor of the command line cannot be used.
    #[error("cannot use {name}: {source}")]
    Input {
        /// As it was named, escaped.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The text is no authority, or not one that can permit.
    #[error("{name} is no authority: {}", escape(.reason))]
    Authority {
        /// The file, escaped.
        name: String,
        /// Why not.
        reason: String,
    },
    /// `--confirm` names another authority.
    #[error("the authority in the file is {found}, --confirm names {named}")]
    OtherAuthority {
        /// That of the file.
        found: AuthorityId,
        /// That of the command line.
        named: AuthorityId,
    },
    /// `--consent` names another spend.
    #[error("the file's spend is {reviewed}, --consent names {named}")]
    OtherSpend {
        /// That of the file.
        reviewed: SpendId,
        /// That of the command line.
        named: SpendId,
    },
    /// `--consent` names spends that no file holds.
    #[error("no file that can be signed holds the spend {}, which --consent names", spends_text(.0))]
    Unclaimed(Vec<SpendId>),
    /// One of several files cannot be signed, and why.
    #[error("{file}: {error}")]
    OfFile {
        /// Which, escaped.
        file: String,
        /// Why.
        error: Box<Error>,
    },
    /// The person at the terminal skipped a file.
    #[error("skipped at the terminal")]
    Skipped,
    /// There is neither a terminal nor `--consent`.
    #[error("nobody consented: there is no terminal, and --consent is not given")]
    NoConsent(SpendId),
    /// Somebody should have confirmed an authority, and could not be asked.
    #[error("nobody confirmed the authority: standard input is a terminal, but it cannot be asked")]
    Unconfirmed(AuthorityId),
    /// Nobody looked at a wallet that is to be registered.
    #[error("nobody consented to the wallet: there is no terminal, and --consent is not given")]
    Unregistered(WalletId),
    /// `--consent` names another wallet.
    #[error("the wallet is {found}, --consent names {named}")]
    OtherWallet {
        /// That of the descriptors.
        found: WalletId,
        /// That of the command line.
        named: WalletId,
    },
    /// Nobody consented to messages.
    #[error("nobody consented to the message: there is no terminal, and --consent is not given")]
    UnsignedMessage(Vec<MessageId>),
    /// `--consent` does not name the message, or another one.
    #[error("the message is {found}, which --consent does not name")]
    OtherMessage {
        /// What would be signed.
        found: MessageId,
    },
    /// A cosigner's key has no wallet yet.
    #[error("`{}` is a cosigner's key without a wallet", escape(.0))]
    NoWalletYet(String),
    /// Questions without an answer.
    #[error("not accepted: {}", checks_text(.0))]
    NotAccepted(Vec<Check>),
    /// The person at the terminal stopped.
    #[error("stopped at the terminal: {0}")]
    Stopped(&'static str),
    /// The terminal failed.
    #[error("the terminal failed: {0}")]
    Terminal(io::Error),
    /// The store holds no such wallet.
    #[error("there is no wallet `{}` in this vault", escape(.0))]
    UnknownWallet(String),
    /// The descriptors of a key are no wallet.
    #[error("the vault's wallet `{}` cannot be used: {}", escape(.wallet), escape(.reason))]
    Wallet {
        /// Its name.
        wallet: String,
        /// Why not.
        reason: String,
    },
    /// Designed, but not in this version.
    #[error("{0} is not supported by this version")]
    NotSupported(String),
    /// The machine is not as it should be.
    #[error("this machine is not fit to hold keys: {}", .0.join(", "))]
    Unfit(Vec<&'static str>),
    /// No address of the wallet, as far as was looked.
    #[error("{} is no address of wallet `{}` at index 0 to {up_to} of either branch", escape(.address), escape(.wallet))]
    NotOurs {
        /// As it was given.
        address: String,
        /// Where it was looked for.
        wallet: String,
        /// The last index.
        up_to: u32,
    },
    /// Steps of the first hour are left.
    #[error("not done yet: {}", .0.join(", "))]
    StepsLeft(Vec<&'static str>),
    /// Two things that must be the same differ.
    #[error("{0}")]
    Differs(&'static str),
    /// A line of the shell that begins with no command, and the one that may be meant. What was typed is not repeated.
    #[error("that is no command")]
    NoCommand(Option<String>),
    /// A line of the shell that cannot be understood; what was typed is not repeated, it may be a secret.
    #[error("{0}")]
    Line(&'static str),
    /// Arguments that do not go together or make no sense.
    #[error("{0}")]
    Usage(String),
}

impl Error {
    /// The code in JSON: a check's number, `malformed`, or a short kebab-case word.
    pub fn code(&self) -> String {
        let word = match self {
            Error::Vault(fault) => return fault.code.clone(),
            Error::Psbt(error) => return error.code(),
            Error::OfFile { error, .. } => return error.code(),
            Error::Unreadable { code, .. } => return code.clone(),
            Error::Refused(findings) => {
                return gravest(findings)
                    .map_or_else(|| "refused".to_owned(), |finding| finding.code.to_string());
            }
            Error::ReaderStopped(_) => "reader-stopped",
            Error::ReaderNonsense(_) => "reader-nonsense",
            Error::Start { .. } => "cannot-start",
            Error::VaultEnded => "vault-ended",
            Error::VaultNonsense(_) => "vault-nonsense",
            Error::NoHome => "no-home",
            Error::Input { .. } => "unreadable",
            Error::Authority { .. } => "malformed",
            Error::OtherAuthority { .. } => "other-authority",
            Error::OtherSpend { .. } | Error::Unclaimed(_) => "other-spend",
            Error::Skipped => "skipped",
            Error::NoConsent(_)
            | Error::Unconfirmed(_)
            | Error::Unregistered(_)
            | Error::UnsignedMessage(_) => "no-consent",
            Error::OtherWallet { .. } => "other-wallet",
            Error::OtherMessage { .. } => "other-message",
            Error::NoWalletYet(_) => "no-wallet-yet",
            Error::NotAccepted(_) => "not-accepted",
            Error::Stopped(_) => "stopped",
            Error::Terminal(_) => "terminal",
            Error::UnknownWallet(_) => "unknown-wallet",
            Error::Wallet { .. } => "bad-wallet",
            Error::NotSupported(_) => "not-supported",
            Error::Unfit(_) => "unfit",
            Error::NotOurs { .. } => "not-ours",
            Error::StepsLeft(_) => "steps-left",
            Error::Differs(_) => "differs",
            Error::NoCommand(_) | Error::Line(_) | Error::Usage(_) => "usage",
        };
        word.to_owned()
    }

    /// 0 done · 1 fault · 2 usage · 3 refused · 4 more needed · 5 locked, frozen or stale.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Vault(fault) => fault.kind.exit_code(),
            Error::Psbt(error) => error.exit_code(),
            Error::OfFile { error, .. } => error.exit_code(),
            Error::Unreadable { exit, .. } => *exit,
            Error::Start { .. }
            | Error::VaultEnded
            | Error::VaultNonsense(_)
            | Error::NoHome
            | Error::Input { .. }
            | Error::Terminal(_)
            | Error::Wallet { .. } => 1,
            Error::NoCommand(_) | Error::Line(_) | Error::Usage(_) => 2,
            Error::Refused(_)
            | Error::Unfit(_)
            | Error::NotOurs { .. }
            | Error::Differs(_)
            | Error::ReaderStopped(_)
            | Error::ReaderNonsense(_)
            | Error::Authority { .. }
            | Error::OtherAuthority { .. }
            | Error::OtherSpend { .. }
            | Error::OtherWallet { .. }
            | Error::OtherMessage { .. }
            | Error::Unclaimed(_)
            | Error::UnknownWallet(_)
            | Error::NotSupported(_) => 3,
            Error::NoConsent(_)
            | Error::Unconfirmed(_)
            | Error::Unregistered(_)
            | Error::UnsignedMessage(_)
            | Error::NoWalletYet(_)
            | Error::NotAccepted(_)
            | Error::Skipped
            | Error::StepsLeft(_)
            | Error::Stopped(_) => 4,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        let hint = match self {
            Error::Vault(fault) => return escape(&fault.hint),
            Error::Psbt(error) => {
                return error.hint().unwrap_or_else(|| "see `psbt-tools inspect FILE`".to_owned());
            }
            Error::OfFile { error, .. } => return error.hint(),
            Error::Unreadable { hint, .. } => return escape(hint),
            Error::Refused(findings) => {
                return gravest(findings)
                    .and_then(|finding| finding.hint.as_deref())
                    .map_or_else(|| "see every check: `cold-signer review FILE`".to_owned(), escape);
            }
            Error::ReaderStopped(_) | Error::ReaderNonsense(_) => {
                "do not trust the machine that wrote it; ask for the file again, from its origin"
            }
            Error::Start { .. } => "install cold-signer and cold-vault in one folder",
            Error::VaultEnded => "try again; `cold-vault log --verify` says whether the store is whole",
            Error::VaultNonsense(_) => "install cold-signer and cold-vault of the same version",
            Error::NoHome => "name the store with --store FILE",
            Error::Input { .. } => "check its name and permissions",
            Error::Authority { .. } => "give the `authority.pub` that `gatekeeper init` wrote",
            Error::OtherAuthority { .. } => {
                "compare the id with the gatekeeper's, by voice or on paper, before you pin"
            }
            Error::OtherSpend { .. } | Error::Unclaimed(_) => {
                "review the file again: `cold-signer review FILE`"
            }
            Error::Skipped => "sign it alone when you want it: `cold-signer sign FILE`",
            Error::NoConsent(spend) => {
                return format!("review the file, then sign at a terminal or with --consent {spend}");
            }
            Error::Unconfirmed(id) => {
                return format!("compare the id with the gatekeeper's, then pin it with --confirm {id}");
            }
            Error::Unregistered(id) => {
                return format!(
                    "compare it with every cosigner's screen, then register it with --consent {id}"
                );
            }
            Error::UnsignedMessage(ids) => {
                let ids: Vec<String> = ids.iter().map(|id| format!("--consent {id}")).collect();
                return format!("read it, then sign it at a terminal or with {}", ids.join(" "));
            }
            Error::OtherMessage { .. } => "look at the message again; consent to each part by its whole id",
            Error::OtherWallet { .. } => "look at the wallet again: `cold-signer register` shows it",
            Error::NoWalletYet(_) => {
                "give its export to the coordinator, then `cold-signer register --wallet NAME --file F`"
            }
            Error::NotAccepted(checks) => {
                return format!(
                    "`cold-signer review` says what each asks; if it is what you want, add --accept {}",
                    checks_text(checks)
                );
            }
            Error::Stopped(_) => "nothing was signed or pinned after that; start again when ready",
            Error::Terminal(_) => "run the command at a terminal",
            Error::UnknownWallet(_) => "`cold-signer keys` lists the wallets",
            Error::Wallet { .. } => "check the store with `cold-vault log --verify`",
            Error::NotSupported(_) => "use one of the others; `--help` lists them",
            Error::Unfit(_) => "do what stands beside each line, then run `cold-signer doctor` again",
            Error::NotOurs { .. } => {
                "publish it nowhere; if it should be ours, look in another wallet, or further with `address --scan A --up-to N`"
            }
            Error::StepsLeft(_) => "`cold-signer start` goes on where it stopped",
            Error::Differs(_) => "stop, and find out why before any coin goes there",
            Error::NoCommand(Some(near)) => return format!("is `{near}` meant? `help` lists the commands"),
            Error::NoCommand(None) | Error::Line(_) => "`help` lists the commands, and shows a session",
            Error::Usage(_) => "see `cold-signer --help`",
        };
        hint.to_owned()
    }

    /// The checks and rules in the way, when it was they.
    pub fn findings(&self) -> &[Finding] {
        match self {
            Error::Vault(fault) => &fault.findings,
            Error::Refused(findings) => findings,
            Error::OfFile { error, .. } => error.findings(),
            _ => &[],
        }
    }

    /// `{"code", "message", "hint"}`.
    pub fn to_json(&self) -> Value {
        json!({"code": self.code(), "message": self.to_string(), "hint": self.hint()})
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Vault(Box::new(fault))
    }
}

/// The finding that decides: the gravest, of those the one with the lowest number.
pub(crate) fn gravest(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().max_by_key(|finding| (finding.outcome, std::cmp::Reverse(finding.code)))
}

/// The finding that decides, in its words. Where only approvals are missing, all of them at once.
fn refusal(findings: &[Finding]) -> String {
    let Some(gravest) = gravest(findings) else { return "refused".to_owned() };
    if gravest.code != Rule::ApprovalsMissing.into() {
        return gravest.message.clone();
    }
    let missing = findings.iter().filter(|finding| finding.code == gravest.code);
    missing.map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ")
}

fn spends_text(spends: &[SpendId]) -> String {
    spends.iter().map(SpendId::to_string).collect::<Vec<_>>().join(", ")
}

fn checks_text(checks: &[Check]) -> String {
    checks.iter().map(Check::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cold_wire::FaultKind;

    #[test]
    fn foreign_text_in_an_error_is_escaped() {
        let fault = Fault::new(FaultKind::Refused, "C06", "bad \u{1b}[2J name", "ask \u{202e}again");
        let error = Error::from(fault);
        assert_eq!(error.to_string(), "bad \\u{1b}[2J name");
        assert_eq!((error.hint().as_str(), error.exit_code()), ("ask \\u{202e}again", 3));
    }

    #[test]
    fn what_a_child_or_a_file_said_is_escaped_in_every_error() {
        let foreign = || "a\u{1b}]0;b\u{7}\u{202e}".to_owned();
        let source = || io::Error::from(io::ErrorKind::NotFound);
        for error in [
            Error::ReaderNonsense(foreign()),
            Error::VaultNonsense(foreign()),
            Error::Authority { name: "f".to_owned(), reason: foreign() },
            Error::Wallet { wallet: foreign(), reason: foreign() },
            Error::Start { program: foreign().into(), source: source() },
            Error::UnknownWallet(foreign()),
            Error::Unreadable { code: "x".to_owned(), message: foreign(), hint: foreign(), exit: 3 },
        ] {
            let shown = format!("{error} {}", error.hint());
            assert!(!shown.chars().any(policies::codec::deceives), "{shown:?}");
        }
    }

    #[test]
    fn the_gravest_finding_names_the_error() {
        let findings = vec![
            Finding::ask(Check::LOCKTIME, "later"),
            Finding::refuse(Check::FEE, "too much").hint("pay less"),
            Finding::refuse(Check::CHANGE, "not ours"),
        ];
        let error = Error::Refused(findings);
        assert_eq!((error.code().as_str(), error.to_string().as_str()), ("C06", "not ours"));
    }

    #[test]
    fn every_missing_approval_is_named_at_once() {
        let missing = |text: &str| Finding::refuse(Rule::ApprovalsMissing, text).hint("let them approve");
        let error = Error::Refused(vec![missing("`Manager` needs 1"), missing("`Board` needs 2")]);
        assert_eq!(error.to_string(), "`Manager` needs 1; `Board` needs 2");
        assert_eq!((error.code().as_str(), error.hint().as_str()), ("approvals-missing", "let them approve"));
    }
}
