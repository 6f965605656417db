//! The vault as it answers: which message is allowed in which state, and what each does.
//!
//! | state    | allowed                                   | leaves it                               |
//! |----------|-------------------------------------------|-----------------------------------------|
//! | fresh    | `Hello`                                   | `Hello` of the same protocol → greeted   |
//! | greeted  | everything else; unlocks when first needed | a failed write → poisoned               |
//! | poisoned | nothing: the process ends                 |                                         |
//!
//! Anything else closes the connection.

mod info;
mod list;
mod message;
mod new_key;
mod pin;
mod receipts;
mod register;
mod review;
mod sign;
mod status;

use cold_wire::{Bundle, Fault, FaultKind, PROTOCOL, ReplyBody, Request, RequestBody};
use policies::authority::Authority;
use policies::clear::{Dossier, Say};
use policies::id::{VaultId, WalletId};
use policies::policy::Policy;
use policies::wallet::Wallet;

use crate::audit::AuditKey;
use crate::harden::Control;
use crate::journal::{Journal, Key};
use crate::passphrase::Passphrase;
use crate::seal::DataKey;
use crate::store::Store;
use crate::terminal::{Terminal, ask_passphrase};
use crate::{Error, clock};

pub use info::key_info;
pub use new_key::{Origin, add_key};

/// How often the passphrase may be typed in one visit.
const ATTEMPTS: u64 = 3;

/// Where the passphrase comes from when it is first needed.
pub enum PassphraseSource {
    /// Read from an inherited descriptor before the sandbox closed.
    Given(Passphrase),
    /// Asked for at the vault's own terminal.
    Terminal,
}

/// A vault in the greeted state or before.
pub struct Vault {
    store: Store,
    open: Option<Open>,
    source: Option<PassphraseSource>,
    terminal: Option<Box<dyn Terminal>>,
    controls: Vec<Control>,
    live_network: Vec<String>,
    greeted: bool,
    words_shown: bool,
}

/// What exists only while the vault is unlocked.
pub struct Open {
    data_key: DataKey,
    audit: AuditKey,
    journal: Journal,
}

impl Open {
    /// Unlocks a store with its passphrase.
    ///
    /// # Errors
    /// [`Error::WrongPassphrase`], [`Error::Clock`], and what reading the store gives.
    pub fn new(store: &mut Store, passphrase: &Passphrase) -> Result<Self, Error> {
        let now = clock::checked(store)?;
        let data_key = store.unlock(passphrase, now)?;
        let audit = AuditKey::new(store.audit_key(), store.audit_secret(&data_key)?);
        let journal = Journal::replay(store, &data_key)?;
        Ok(Self { data_key, audit, journal })
    }
}

impl Open {
    /// The key whose record has this sequence number.
    #[must_use]
    pub fn key(&self, sequence: u64) -> Option<&Key> {
        self.journal.keys().iter().find(|key| key.sequence == sequence)
    }
}

/// A reply, and whether the connection goes on.
pub struct Answer {
    /// What to send.
    pub body: ReplyBody,
    /// Whether to close afterwards.
    pub close: bool,
}

impl Vault {
    /// A locked vault.
    #[must_use]
    pub fn new(
        store: Store,
        source: Option<PassphraseSource>,
        terminal: Option<Box<dyn Terminal>>,
        controls: Vec<Control>,
        live_network: Vec<String>,
    ) -> Self {
        Self {
            store,
            open: None,
            source,
            terminal,
            controls,
            live_network,
            greeted: false,
            words_shown: true,
        }
    }

    /// Whether a new key's words are shown where there is a terminal. Off for demos; never off on mainnet.
    pub fn show_words(&mut self, shown: bool) {
        self.words_shown = shown;
    }

    /// Answers one request.
    pub fn answer(&mut self, request: &Request) -> Answer {
        let body = match (&request.body, self.greeted) {
            (RequestBody::Hello { protocol }, false) if *protocol == PROTOCOL => {
                self.greeted = true;
                Ok(ReplyBody::Hello { protocol: PROTOCOL, vault: VaultId::from_bytes(self.store.vault_id()) })
            }
            (RequestBody::Hello { .. }, _) | (_, false) => {
                return Answer { body: out_of_order(), close: true };
            }
            (body, true) => self.handle(body, request.deadline),
        };
        if let Some(terminal) = &mut self.terminal {
            terminal.release();
        }
        let close = self.store.is_poisoned();
        Answer { body: body.unwrap_or_else(ReplyBody::Fault), close }
    }

    fn handle(&mut self, body: &RequestBody, deadline: u64) -> Result<ReplyBody, Fault> {
        self.unlock()?;
        match body {
            RequestBody::Hello { .. } => Ok(out_of_order()),
            RequestBody::NewKey(key) => new_key::handle(self, key),
            RequestBody::List => list::handle(self),
            RequestBody::Status => status::handle(self),
            RequestBody::PinAuthority(bytes) => pin::handle(self, bytes),
            RequestBody::Review(bundle) => review::handle(self, bundle),
            RequestBody::Sign { bundle, consent, accepted } => {
                sign::handle(self, bundle, *consent, accepted, deadline)
            }
            RequestBody::Receipts => receipts::handle(self),
            RequestBody::RegisterWallet(wallet) => register::handle(self, wallet),
            RequestBody::SignMessage(message) => message::handle(self, message, deadline),
        }
    }

    fn unlock(&mut self) -> Result<(), Fault> {
        if self.open.is_some() {
            return Ok(());
        }
        let open = match (&self.source, &mut self.terminal) {
            (Some(PassphraseSource::Given(passphrase)), _) => Open::new(&mut self.store, passphrase)?,
            (Some(PassphraseSource::Terminal), Some(terminal)) => {
                unlock_at(terminal.as_mut(), &mut self.store)?
            }
            (Some(PassphraseSource::Terminal), None) | (None, _) => {
                return Err(Fault::new(
                    FaultKind::Locked,
                    "no-passphrase",
                    "the store is locked, and there is neither a terminal nor a passphrase file",
                    "run it in a terminal, or give --passphrase-file F",
                ));
            }
        };
        // The passphrase is not needed again in this visit.
        self.source = None;
        self.open = Some(open);
        Ok(())
    }

    fn open(&self) -> Result<&Open, Fault> {
        self.open.as_ref().ok_or_else(locked)
    }

    fn open_mut(&mut self) -> Result<(&mut Store, &mut Open), Fault> {
        self.open.as_mut().map(|open| (&mut self.store, open)).ok_or_else(locked)
    }
}

/// Three attempts at the terminal, each wait longer than the one before. An empty line is one of them: whoever pressed
/// Enter too early types on, and that must not reach the next program.
///
/// # Errors
/// [`Error::WrongPassphrase`] or [`Error::BadPassphrase`] after the last attempt, [`Error::Cancelled`], and those of
/// [`Open::new`].
pub fn unlock_at(terminal: &mut dyn Terminal, store: &mut Store) -> Result<Open, Error> {
    let mut attempt = 1;
    loop {
        let opened = ask_passphrase(terminal).and_then(|passphrase| Open::new(store, &passphrase));
        match opened {
            Err(error @ (Error::WrongPassphrase | Error::BadPassphrase(_))) if attempt < ATTEMPTS => {
                terminal.show(&format!("{error}; {}.\n", error.hint()))?;
                std::thread::sleep(std::time::Duration::from_secs(attempt));
                attempt = attempt.saturating_add(1);
            }
            other => return other,
        }
    }
}

fn locked() -> Fault {
    Fault::new(FaultKind::Locked, "locked", "the store is locked", "unlock it first")
}

fn out_of_order() -> ReplyBody {
    ReplyBody::Fault(Fault::new(
        FaultKind::Internal,
        "protocol",
        "a message came out of order, or for another protocol version",
        "use console and vault of the same release",
    ))
}

/// Who has the say over a key: its authority, or its operator under a built-in policy.
enum SayOf<'a> {
    Operator(Box<Policy>),
    Permits(&'a Authority),
}

impl SayOf<'_> {
    fn of<'a>(open: &'a Open, key: &Key) -> Result<SayOf<'a>, Fault> {
        match key.terms.authority {
            None => Policy::standalone(&key.terms.wallet, key.terms.limit)
                .map(|policy| SayOf::Operator(Box::new(policy)))
                .map_err(|error| Error::Record(error).into()),
            Some(id) => open.journal.authority(&id).map(SayOf::Permits).ok_or_else(|| {
                Fault::new(
                    FaultKind::Refused,
                    "no-authority",
                    format!("the authority {id} of this key is not in the store"),
                    "restore the latest copy of the store",
                )
            }),
        }
    }

    fn as_say(&self) -> Say<'_> {
        match self {
            SayOf::Operator(policy) => Say::Operator(policy),
            SayOf::Permits(authority) => Say::Permits(authority),
        }
    }

    fn policy(&self) -> &Policy {
        match self {
            SayOf::Operator(policy) => policy,
            SayOf::Permits(authority) => &authority.policy,
        }
    }
}

/// The key of a bundle's wallet, and what it comes with.
fn dossier<'a>(
    open: &'a Open,
    vault: VaultId,
    bundle: &'a Bundle,
    now: u64,
) -> Result<(&'a Key, Dossier<'a>), Fault> {
    let (key, wallet, own) = signing_key(open, bundle.spend.wallet())?;
    let dossier = Dossier {
        spend: &bundle.spend,
        evidence: &bundle.evidence,
        wallet,
        wallet_name: &key.terms.wallet,
        key: own,
        vault,
        request: bundle.request.as_ref(),
        approvals: &bundle.approvals,
        permits: &bundle.permits,
        now,
    };
    Ok((key, dossier))
}

/// The key of a wallet, the wallet, and the key's number there.
fn signing_key(open: &Open, id: WalletId) -> Result<(&Key, &Wallet, usize), Fault> {
    let own = open.journal.key_of(id).and_then(|key| {
        let wallet = key.wallet.as_ref()?;
        Some((key, wallet, wallet.key_of(&key.own.xpub)?))
    });
    own.ok_or_else(|| {
        Fault::new(
            FaultKind::Refused,
            "unknown-wallet",
            format!("no key of this store belongs to wallet {id}"),
            "`cold-signer keys` lists the wallets that this store can sign for",
        )
    })
}

/// After its deadline nothing is signed.
fn in_time(now: u64, deadline: u64) -> Result<(), Fault> {
    if deadline == 0 || now <= deadline {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::Incomplete,
        "deadline",
        "the deadline of the request has passed: nothing was signed",
        "ask again",
    ))
}

/// A name and its wallet must be those of the policy that has the say.
fn is_in_policy(authority: Option<&Authority>, name: &str, wallet: Option<&Wallet>) -> Result<(), Fault> {
    let Some(authority) = authority else { return Ok(()) };
    let refused = |code, message, hint| Err(Fault::new(FaultKind::Refused, code, message, hint));
    let company = &authority.company;
    let Some(terms) = authority.policy.terms().wallets.get(name) else {
        return refused(
            "unknown-wallet",
            format!("the pinned policy of {company} has no wallet `{name}`"),
            "name the key as the policy names its wallet: [wallet.NAME]",
        );
    };
    match (terms.id, wallet) {
        (Some(id), Some(wallet)) if id != wallet.id() => refused(
            "other-wallet",
            format!("the pinned policy of {company} names another descriptor for wallet `{name}`"),
            "change the request; nothing was written",
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
