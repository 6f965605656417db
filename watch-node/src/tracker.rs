//! One pass over the chain source: undo what is stale, connect what is new, look at the mempool.

use std::collections::HashSet;

use bitcoin::consensus::serialize;
use bitcoin::merkle_tree::MerkleBlock;
use bitcoin::{Block, BlockHash, Network, OutPoint, Transaction, Txid};

use crate::chain::{BlockSource, Tip, block};
use crate::error::{Error, Result};
use crate::index::ScriptIndex;
use crate::store::{ConnectedBlock, Matched, Place, Store};

/// Times that the source may change its tip under one pass.
const MAX_RESTARTS: u32 = 20;

/// What a pass did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Blocks connected.
    pub connected: u32,
    /// Blocks undone by a reorganisation.
    pub disconnected: usize,
    /// Whether the source can show unconfirmed transactions.
    pub sees_unconfirmed: bool,
}

/// Follows one source with one store. The caller holds [`Store::lock`].
pub struct Tracker<'a> {
    store: &'a mut Store,
    source: &'a dyn BlockSource,
    network: Network,
    index: ScriptIndex,
    /// Every output that ever was ours.
    coins: HashSet<OutPoint>,
}

impl<'a> Tracker<'a> {
    /// Rebuilds the index and gets ready for a pass.
    pub fn new(store: &'a mut Store, source: &'a dyn BlockSource, gap_limit: u32) -> Result<Self> {
        let network = store.network()?;
        let index = ScriptIndex::load(store, gap_limit)?;
        let coins = store.outpoints()?;
        Ok(Self { store, source, network, index, coins })
    }

    /// One pass, up to the source's tip and through its mempool. `now` is Unix time; `report` is called after
    /// each block with its height and the tip's.
    ///
    /// Each block is durable before the next is asked for, so a pass that is cut short is simply continued.
    pub fn pass(&mut self, now: i64, report: &mut dyn FnMut(u32, u32)) -> Result<Progress> {
        let mut progress = Progress::default();
        for _ in 0..MAX_RESTARTS {
            let tip = self.source.tip()?;
            progress.disconnected += self.undo_stale(tip)?;
            if self.advance(tip, now, &mut progress, report)? {
                progress.sees_unconfirmed = self.look_at_mempool(now)?;
                return Ok(progress);
            }
        }
        Err(Error::Restless(MAX_RESTARTS))
    }

    /// Undoes our blocks down to the last one that the source shares. A source that is merely behind on the
    /// same chain undoes nothing: absent is not gone.
    fn undo_stale(&mut self, source_tip: Tip) -> Result<usize> {
        let Some(ours) = self.store.tip()? else { return Ok(0) };
        if ours.height > source_tip.height && self.store.hash_at(source_tip.height)? == Some(source_tip.hash)
        {
            return Ok(0);
        }
        let mut height = ours.height;
        let common = loop {
            let Some(hash) = self.store.hash_at(height)? else { break None };
            if self.source.hash_at(height)? == Some(hash) {
                break Some(height);
            }
            match height.checked_sub(1) {
                Some(below) => height = below,
                None => break None,
            }
        };
        if common == Some(ours.height) {
            return Ok(0);
        }
        let gone = self.store.disconnect_above(common)?;
        // The window follows from what is confirmed now, as in a fresh scan.
        self.index.reload(self.store)?;
        Ok(gone)
    }

    /// Connects blocks up to `tip`; false when the source's chain changed underneath.
    fn advance(
        &mut self,
        tip: Tip,
        now: i64,
        progress: &mut Progress,
        report: &mut dyn FnMut(u32, u32),
    ) -> Result<bool> {
        let (mut height, mut previous) = match self.store.tip()? {
            Some(ours) => (ours.height.saturating_add(1), Some(ours.hash)),
            None => (self.first_height(tip)?, None),
        };
        while height <= tip.height {
            let Some(hash) = self.source.hash_at(height)? else { return Ok(false) };
            let block = self.source.block(hash)?;
            if previous.is_some_and(|previous| previous != block.header.prev_blockhash) {
                return Ok(false);
            }
            block::verify(&block, hash, previous, height, self.network)?;
            let matched = self.match_block(&block)?;
            self.store.connect(&ConnectedBlock { height, header: block.header, matched }, now)?;
            report(height, tip.height);
            progress.connected = progress.connected.saturating_add(1);
            previous = Some(hash);
            height = height.saturating_add(1);
        }
        Ok(height > tip.height || self.source.tip()?.hash == tip.hash)
    }

    /// Where a scan begins: the oldest wallet's birthday, or the tip when there is nothing to look for.
    fn first_height(&self, tip: Tip) -> Result<u32> {
        let birthdays = self.store.wallets()?.into_iter().map(|wallet| wallet.imported.birthday);
        Ok(birthdays.min().unwrap_or(tip.height).min(tip.height))
    }

    /// The block's transactions that touch a wallet. A use near the window's end widens it, and then the block
    /// is looked at again.
    fn match_block(&mut self, block: &Block) -> Result<Vec<Matched>> {
        loop {
            let mut matched = Vec::new();
            let mut wider = false;
            for (position, transaction) in block.txdata.iter().enumerate() {
                let Some(mut found) = self.match_transaction(transaction)? else { continue };
                for (_, place) in &found.coins {
                    wider |= self.index.note_use(*place)?;
                }
                found.position = Some(u32::try_from(position).map_err(|_| Error::Overflow)?);
                found.merkle_proof = Some(prove(block, transaction.compute_txid()));
                matched.push(found);
            }
            if !wider {
                return Ok(matched);
            }
        }
    }

    /// What the wallets have to do with a transaction. Its coins are remembered, so that a spend later in the
    /// same block or mempool is recognised.
    fn match_transaction(&mut self, transaction: &Transaction) -> Result<Option<Matched>> {
        let mut coins: Vec<(u32, Place)> = Vec::new();
        let mut spends = Vec::new();
        for (vin, input) in (0_u32..).zip(&transaction.input) {
            if self.coins.contains(&input.previous_output) {
                spends.push((vin, input.previous_output));
            }
        }
        for (vout, output) in (0_u32..).zip(&transaction.output) {
            if let Some(place) = self.index.find(&output.script_pubkey) {
                coins.push((vout, place));
            }
        }
        if coins.is_empty() && spends.is_empty() {
            return Ok(None);
        }
        let txid = transaction.compute_txid();
        self.coins.extend(coins.iter().map(|(vout, _)| OutPoint::new(txid, *vout)));
        Ok(Some(Matched {
            transaction: transaction.clone(),
            position: None,
            coins,
            spends,
            merkle_proof: None,
        }))
    }

    /// Takes in unconfirmed transactions of ours; false when the source cannot show any.
    fn look_at_mempool(&mut self, now: i64) -> Result<bool> {
        let Some(txids) = self.source.mempool()? else { return Ok(false) };
        if self.index.is_empty() {
            return Ok(true);
        }
        let seen: HashSet<Txid> = txids.iter().copied().collect();
        let mut unknown = Vec::new();
        for txid in txids {
            if self.store.transaction(txid)?.is_none() {
                unknown.push(txid);
            }
        }
        let mut rest = self.source.mempool_transactions(&unknown)?;
        let mut matched = Vec::new();
        // The source lists children before parents too, so go round until nothing new is found.
        loop {
            let before = matched.len();
            let mut unmatched = Vec::with_capacity(rest.len());
            for transaction in rest {
                match self.match_transaction(&transaction)? {
                    Some(found) => matched.push(found),
                    None => unmatched.push(transaction),
                }
            }
            rest = unmatched;
            if matched.len() == before {
                break;
            }
        }
        complete_spends(&mut matched, &self.coins);
        self.store.see_mempool(&matched, &seen, now)?;
        Ok(true)
    }
}

/// A child that was matched before its parent was known has missed the parent's coins.
fn complete_spends(matched: &mut [Matched], coins: &HashSet<OutPoint>) {
    for found in matched.iter_mut() {
        found.spends = (0_u32..)
            .zip(&found.transaction.input)
            .filter(|(_, input)| coins.contains(&input.previous_output))
            .map(|(vin, input)| (vin, input.previous_output))
            .collect();
    }
}

fn prove(block: &Block, txid: Txid) -> Vec<u8> {
    serialize(&MerkleBlock::from_block_with_predicate(block, |candidate| *candidate == txid))
}

/// Whether the store has everything that the source has: `complete` in `status`.
pub fn is_complete(store: &Store, source_tip: Tip) -> Result<bool> {
    let hash: Option<BlockHash> = store.hash_at(source_tip.height)?;
    Ok(hash == Some(source_tip.hash))
}

#[cfg(test)]
mod tests;
