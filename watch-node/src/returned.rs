//! Files that came back for an attempt: which one they are of, what they bring, and whether that is enough.

use bitcoin::{Network, Psbt, Transaction};
use policies::check::Check;
use policies::codec::Canonical;
use policies::examine::FeeBounds;
use policies::id::WalletId;
use policies::request::SignedRequest;
use psbt_tools::document::Document;
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::export::{attach_signatures, same_transaction};
use psbt_tools::finalize::{extract, finalize, reopen};
use psbt_tools::import::{Context, import};
use psbt_tools::reply::{self, Reply};
use psbt_tools::{manifest, strict};

use crate::assembly::{assembled, is_preimage, preimages_in, requested};
use crate::cosigning::{Cosigning, signatures_in};
use crate::documents::{Taken, take};
use crate::error::{Error, Result};
use crate::origins::restore;
use crate::payment::unsigned_txid;
use crate::store::{Attempt, Payment, Store};
use crate::wallet::OpenWallet;

/// An attempt of which files came back.
pub struct Returned<'w> {
    /// The payment.
    pub payment: Payment,
    /// The attempt.
    pub attempt: Attempt,
    /// The wallet that pays.
    pub wallet: &'w OpenWallet,
    /// What the files' documents came to.
    pub taken: Taken,
    /// How many of them were replies.
    pub replies: usize,
    /// The transaction of a file that needs no other.
    whole: Option<Transaction>,
}

impl Returned<'_> {
    /// Adds what another file of the same attempt brought.
    pub fn join(&mut self, other: Self) {
        self.taken = self.taken.and(other.taken);
        self.replies = self.replies.saturating_add(other.replies);
        self.whole = self.whole.take().or(other.whole);
    }

    /// The signed transaction: the one that was kept, that of a file, or what all kept signatures make; `None` when they
    /// are not enough.
    pub fn transaction(&self, store: &Store) -> Result<Option<Transaction>> {
        if let Some(kept) = &self.attempt.signed {
            return Ok(Some(kept.clone()));
        }
        if let Some(whole) = &self.whole {
            return Ok(Some(whole.clone()));
        }
        if !self.cosigning(store)?.is_met {
            return Ok(None);
        }
        whole(assembled(store, self.wallet, &self.attempt)?, &self.attempt.spend.unsigned_transaction())
    }

    /// Who has signed so far.
    pub fn cosigning(&self, store: &Store) -> Result<Cosigning> {
        Cosigning::new(&self.wallet.rules, &self.attempt.spend, &store.signatures(&self.attempt)?)
    }
}

/// Reads a file or a reply, finds out which attempt it is of, and keeps what it brings: documents, signatures, preimages. `now`
/// is Unix time.
///
/// Errors: [`Error::UnknownPayment`], check C33 for another transaction than was asked for, what its manifest contradicts, the
/// first check that refuses.
pub fn take_in<'w>(
    store: &mut Store,
    wallets: &'w [OpenWallet],
    preimages: &[Vec<u8>],
    bytes: Vec<u8>,
    now: u64,
) -> Result<Returned<'w>> {
    let (bytes, replies) = match reply::binary(&bytes) {
        Some(reply) => (merged(store, wallets, &reply, now)?, 1),
        None => (bytes, 0),
    };
    let document = Document::parse(bytes)?;
    let (mut file, form) = strict::read(document.psbt_bytes())?;
    let known = known_attempt(store, &file);
    // Somebody else's file is called so, rather than unknown.
    let (payment, attempt) =
        known.map_err(|error| addressed(&file, document.psbt_bytes(), wallets).err().unwrap_or(error))?;
    let transaction = attempt.spend.unsigned_transaction();
    same_transaction(&transaction, &file.unsigned_tx)?;
    if let Some(manifest) = manifest::checked(document.psbt_bytes(), &file)? {
        manifest.agrees(&attempt.spend)?;
    }
    // It is about the file as it came; what is read from here on is completed.
    manifest::remove(&mut file);
    restore(&mut file, &requested(store, &attempt)?);

    let wallet = wallet_of(wallets, &payment)?;
    let network = Some(store.network()?);
    let context = Context { network, marks: wallet.marks(store)?, now: Some(now), ..Context::default() };
    let imported = import(form.serialize(&file), std::slice::from_ref(&wallet.rules), &context)?;
    let (spend, _) = imported.cleared()?;
    if spend.id() != attempt.spend.id() {
        return Err(Error::UnknownPayment(format!(
            "the file claims spend {}, {} is spend {}",
            spend.id(),
            payment.name(),
            attempt.spend.id()
        )));
    }
    // Documents are kept even when signatures are still missing: a permitted file shows its permit.
    let taken = take(store, wallet, &attempt, imported.envelope())?;
    let mut complete = None;
    if attempt.signed.is_none() {
        complete = whole(imported.psbt().clone(), &transaction)?;
        if complete.is_none() {
            keep(store, wallet, &attempt, preimages, imported.psbt().clone())?;
        }
    }
    Ok(Returned { payment, attempt, wallet, taken, replies, whole: complete })
}

/// The file of the attempt that a reply is to, as it was built here, with the reply in it.
///
/// Errors: [`Error::UnknownPayment`], and those of [`reply::merge`].
fn merged(store: &Store, wallets: &[OpenWallet], bytes: &[u8], now: u64) -> Result<Vec<u8>> {
    let reply = Reply::read(bytes)?;
    reply.manifest().addressed(ids(wallets))?;
    let payments = store.payments()?;
    let mut attempts = payments.iter().flat_map(|payment| payment.attempts.iter().map(move |a| (payment, a)));
    let found = attempts.find(|(_, attempt)| attempt.spend.id() == reply.spend());
    let (payment, attempt) = found.ok_or_else(|| {
        Error::UnknownPayment(format!(
            "the reply is to spend {}, which no payment of this folder is",
            reply.spend()
        ))
    })?;
    reply.manifest().agrees(&attempt.spend)?;
    let wallet = wallet_of(wallets, payment)?;
    let context = Context { marks: wallet.marks(store)?, now: Some(now), ..Context::default() };
    let base = import(store.attempt_file(attempt)?, std::slice::from_ref(&wallet.rules), &context)?;
    Ok(reply::merge(&base, &reply)?)
}

/// That the wallet which a file names is watched here. A file without a manifest names none.
fn addressed(file: &Psbt, bytes: &[u8], wallets: &[OpenWallet]) -> Result<()> {
    match manifest::checked(bytes, file)? {
        Some(manifest) => Ok(manifest.addressed(ids(wallets))?),
        None => Ok(()),
    }
}

fn ids(wallets: &[OpenWallet]) -> impl Iterator<Item = (Network, WalletId)> {
    wallets.iter().map(|wallet| (wallet.rules.network(), wallet.rules.id()))
}

fn wallet_of<'w>(wallets: &'w [OpenWallet], payment: &Payment) -> Result<&'w OpenWallet> {
    let wallet = wallets.iter().find(|wallet| wallet.row.id == payment.wallet);
    wallet.ok_or(Error::CorruptStore("payment without its wallet"))
}

/// Keeps a file's signatures, verified against the request as it was built here, and its preimages.
fn keep(
    store: &mut Store,
    wallet: &OpenWallet,
    attempt: &Attempt,
    given: &[Vec<u8>],
    mut psbt: Psbt,
) -> Result<()> {
    // One input may be final, and another lack signatures.
    reopen(&mut psbt)?;
    let signatures = signatures_in(&psbt, &wallet.rules, &attempt.spend)?;
    if !signatures.is_empty() {
        attach_signatures(&mut requested(store, attempt)?, &signatures)?;
        store.keep_signatures(attempt, &signatures)?;
    }
    for preimage in preimages_in(&psbt, wallet, attempt)? {
        store.keep_preimage(attempt, &preimage)?;
    }
    for preimage in given {
        if is_preimage(wallet, attempt, preimage)? {
            store.keep_preimage(attempt, preimage)?;
        }
    }
    Ok(())
}

/// The attempt that a file belongs to: by its transaction, by the request in its envelope, or by a coin that it spends;
/// the latest of several. Whether it is unchanged is decided afterwards.
fn known_attempt(store: &Store, file: &Psbt) -> Result<(Payment, Attempt)> {
    let requests: Vec<_> = Envelope::read(file)?
        .get(Kind::Request)
        .filter_map(|bytes| SignedRequest::from_bytes(bytes).ok())
        .map(|signed| signed.request.id())
        .collect();
    let transaction = &file.unsigned_tx;
    let txid = unsigned_txid(transaction);
    let spends = |attempt: &Attempt| {
        let mut coins = attempt.spend.inputs().iter().map(|input| input.outpoint);
        coins.any(|coin| transaction.input.iter().any(|input| input.previous_output == coin))
    };
    let payments = store.payments()?;
    let attempts = || payments.iter().rev().flat_map(|p| p.attempts.iter().rev().map(move |a| (p, a)));
    attempts()
        .find(|(_, attempt)| attempt.unsigned_txid == txid)
        .or_else(|| attempts().find(|(_, attempt)| requests.contains(&attempt.request.id())))
        .or_else(|| attempts().find(|(_, attempt)| spends(attempt)))
        .map(|(payment, attempt)| (payment.clone(), attempt.clone()))
        .ok_or_else(|| Error::UnknownPayment(format!("transaction {txid} is no payment of this folder")))
}

/// The signed transaction of a PSBT, `None` while signatures or preimages are missing; C33 once more, after finalising.
fn whole(mut psbt: Psbt, requested: &Transaction) -> Result<Option<Transaction>> {
    match finalize(&mut psbt) {
        Ok(()) => {}
        Err(psbt_tools::Error::SignaturesMissing(_)) => return Ok(None),
        // Its locks open a path, or it would not have been built: a preimage is missing.
        Err(psbt_tools::Error::Refused { check: Check::LOCKTIME, .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let transaction = extract(&psbt, &FeeBounds::default())?;
    same_transaction(requested, &transaction)?;
    Ok(Some(transaction))
}
