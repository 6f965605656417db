//! What the chain proves to a gatekeeper: headers, and the confirmed transactions that spend watched coins.
//!
//! Everything comes from the store, which keeps a merkle proof of each transaction from the block that it verified; the
//! source is asked for its tip, and for headers below the first scanned block. What is given away is verified once more.

use std::collections::HashMap;

use bitcoin::block::Header;
use policies::codec::Canonical;
use policies::evidence::Evidence;
use policies::id::WalletId;
use psbt_tools::facts::{Facts, MAX_RIDING_HEADERS, MAX_TRANSACTIONS, OwnInput, ProvenTransaction};

use crate::chain::BlockSource;
use crate::error::{Error, Result};
use crate::store::{ProvenSpend, Store};
use crate::tracker::is_complete;

/// Most bytes of facts in a payment's file: a document of the envelope has at most 1 MiB.
pub const MAX_RIDING_BYTES: usize = 900_000;

/// Blocks before the one where the gatekeeper is known to stand: it may stand on a branch that was given up since.
const REWIND: u32 = 12;

/// Stripped size at which a transaction can pass for an inner node of a merkle tree (CVE-2017-12842).
const AMBIGUOUS_SIZE: usize = 64;

/// Facts that ride in a payment's file.
#[derive(Clone, Debug)]
pub struct Riding {
    /// What they say.
    pub facts: Facts,
    /// Their canonical bytes, at most [`MAX_RIDING_BYTES`].
    pub bytes: Vec<u8>,
}

/// Headers of the scanned best chain from height `from` to the tip, and every confirmed transaction since then that
/// spends a watched coin, with its merkle proof, its own inputs, and the transactions of the coins that these spend.
///
/// Errors: [`Error::Stale`] when the scan is not complete, [`Error::Usage`] when `from` is above the tip,
/// [`Error::TooManyFacts`] when it would be more than `limit` headers, [`Error::CorruptStore`] when something stored does
/// not prove itself.
pub fn facts(store: &Store, source: &dyn BlockSource, from: u32, limit: usize) -> Result<Facts> {
    let source_tip = source.tip()?;
    let scanned = store.tip()?;
    let stale = || Error::Stale { scanned: scanned.map(|tip| tip.height), tip: source_tip.height };
    let tip = scanned.ok_or_else(stale)?;
    if !is_complete(store, source_tip)? {
        return Err(stale());
    }
    let above = tip.height.checked_sub(from).ok_or_else(|| Error::Usage {
        what: format!("--from {from}"),
        reason: format!("the tip is at height {}", tip.height),
    })?;
    let needed = usize::try_from(above).map_err(|_| Error::Overflow)?.saturating_add(1);
    within("headers", needed, limit)?;
    let headers = headers(store, source, from)?;
    if headers.len() != needed {
        return Err(Error::CorruptStore("chain of headers"));
    }
    let wallets: HashMap<i64, WalletId> = store
        .wallets()?
        .into_iter()
        .map(|wallet| (wallet.id, WalletId::from_bytes(wallet.imported.wallet_id)))
        .collect();
    let mut transactions = Vec::new();
    let mut previous = HashMap::new();
    for spend in store.proven_spends(from)? {
        if spend.transaction.base_size() == AMBIGUOUS_SIZE {
            // No verifier takes its proof, and one such would make it refuse all others. `reconcile` tells of it.
            continue;
        }
        let at = spend.height.checked_sub(from).and_then(|at| usize::try_from(at).ok());
        let header = at.and_then(|at| headers.get(at)).ok_or(Error::CorruptStore("height"))?;
        for (_, coin, _) in &spend.own {
            if let std::collections::hash_map::Entry::Vacant(entry) = previous.entry(coin.txid) {
                let missing = Error::CorruptStore("coin without its transaction");
                entry.insert(store.transaction(coin.txid)?.ok_or(missing)?);
            }
        }
        transactions.push(proven(spend, header, &wallets)?);
    }
    within("transactions", transactions.len(), MAX_TRANSACTIONS)?;
    within("previous transactions", previous.len(), MAX_TRANSACTIONS)?;
    Ok(Facts {
        network: store.network()?,
        from,
        headers,
        transactions,
        previous: Evidence::new(previous.into_values()),
    })
}

/// The first height that a gatekeeper may lack, as far as known here: some blocks before the one whose median time past
/// (BIP113) the newest permit names. Without a permit, where a gatekeeper without a checkpoint stands, at the genesis
/// block, on a chain so short that all of it can ride; else where the scan began.
///
/// Errors: [`Error::Stale`] when nothing was scanned yet.
pub fn start(store: &Store) -> Result<u32> {
    let (Some(first), Some(tip)) = (store.scanned_from()?, store.tip()?) else {
        return Err(Error::Stale { scanned: None, tip: 0 });
    };
    let is_short = usize::try_from(tip.height).is_ok_and(|height| height < MAX_RIDING_HEADERS);
    let origin = if is_short { 0 } else { first };
    let seen = store.permits()?.iter().map(|permit| permit.statement.issued_mtp).max().unwrap_or_default();
    if seen == 0 || store.median_time_past(first)? > seen {
        return Ok(origin);
    }
    // The lowest block that has this time or a later one: it never falls from a block to the next.
    let (mut below, mut above) = (first, tip.height.saturating_add(1));
    while below < above {
        let middle = below.midpoint(above);
        if store.median_time_past(middle)? < seen {
            below = middle.saturating_add(1);
        } else {
            above = middle;
        }
    }
    Ok(below.saturating_sub(REWIND))
}

/// The bytes of facts that ride in a payment's file, from [`start`] on.
///
/// Errors: those of [`facts`], and [`Error::TooManyFacts`] when they are too long to ride.
pub fn riding(store: &Store, source: &dyn BlockSource) -> Result<Riding> {
    let facts = facts(store, source, start(store)?, MAX_RIDING_HEADERS)?;
    let bytes = document(&facts)?;
    within("bytes", bytes.len(), MAX_RIDING_BYTES)?;
    Ok(Riding { facts, bytes })
}

/// The canonical bytes, as whoever gets them will read them.
///
/// Errors: [`Error::SelfCheck`] when they cannot be read back.
pub fn document(facts: &Facts) -> Result<Vec<u8>> {
    let bytes = facts.to_bytes();
    Facts::from_bytes(&bytes).map_err(|error| Error::SelfCheck(error.to_string()))?;
    Ok(bytes)
}

fn within(what: &'static str, needed: usize, limit: usize) -> Result<()> {
    if needed > limit { Err(Error::TooManyFacts { what, needed, limit }) } else { Ok(()) }
}

/// From the store, and below its first block from the source: the store's block commits to those before it.
fn headers(store: &Store, source: &dyn BlockSource, from: u32) -> Result<Vec<Header>> {
    let first = store.scanned_from()?.ok_or(Error::CorruptStore("first block"))?;
    let mut headers = Vec::new();
    for height in from..first {
        let Some(hash) = source.hash_at(height)? else {
            return Err(Error::Stale { scanned: Some(first), tip: source.tip()?.height });
        };
        headers.push(source.header(hash)?);
    }
    headers.extend(store.headers_from(from)?);
    for (height, (before, header)) in (from..).zip(headers.iter().zip(headers.iter().skip(1))) {
        if header.prev_blockhash != before.block_hash() {
            let (hash, reason) = (before.block_hash(), "the block after it does not build on it");
            return Err(Error::BadBlock { hash, height, reason });
        }
    }
    Ok(headers)
}

/// Verifies the stored proof against the header before it is given away.
fn proven(
    spend: ProvenSpend,
    header: &Header,
    wallets: &HashMap<i64, WalletId>,
) -> Result<ProvenTransaction> {
    let (mut txids, mut positions) = (Vec::new(), Vec::new());
    let is_proven = spend.proof.header == *header
        && spend.proof.extract_matches(&mut txids, &mut positions).is_ok()
        && txids == [spend.transaction.compute_txid()];
    if !is_proven {
        return Err(Error::CorruptStore("merkle proof"));
    }
    let own = spend.own.into_iter().map(|(input, _, place)| {
        let wallet = *wallets.get(&place.wallet).ok_or(Error::CorruptStore("coin without its wallet"))?;
        Ok(OwnInput { input, wallet, keypath: place.into() })
    });
    Ok(ProvenTransaction {
        own: own.collect::<Result<_>>()?,
        transaction: spend.transaction,
        block: header.block_hash(),
        proof: spend.proof.txn,
    })
}
