//! What blocks and vaults showed: headers, transactions, receipts, and what of it no permit explains.

use crate::chain::{ChainError, Confirmed, Extended, HeaderChain};
use crate::ledger::alarm::{Alarm, Frozen, IncidentId, Unfrozen};
use bitcoin::{Amount, BlockHash, Network, OutPoint, ScriptBuf, Transaction, Txid};
use policies::codec::Canonical;
use policies::id::{SpendId, VaultId, WalletId, tagged_hash};
use policies::permit::ReceiptStatement;
use policies::request::Head;
use psbt_tools::facts::Facts;
use std::collections::{BTreeMap, BTreeSet};

/// How far below the tip a branch may begin whose unexplained transactions freeze, in blocks. Below, a block costs so
/// little beside the best chain that anybody could freeze the gatekeeper at will.
const ALARM_DEPTH: u32 = 100;

/// A coin of a bound wallet that a transaction spends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentCoin {
    /// Whose it was.
    pub wallet: WalletId,
    /// Which.
    pub outpoint: OutPoint,
    /// Its amount.
    pub value: Amount,
}

/// A transaction of which it was proven that blocks hold it and whose coins it spends.
#[derive(Debug, Clone)]
pub struct SeenTransaction {
    /// Without witnesses.
    pub transaction: Transaction,
    /// Its txid without any signature: what a permit names, also where signatures are in the inputs' scripts.
    pub unsigned_txid: Txid,
    /// Blocks that hold it, on all branches.
    pub blocks: BTreeSet<BlockHash>,
    /// Coins of bound wallets, by input.
    pub spent: BTreeMap<u32, SpentCoin>,
}

/// A time when the gatekeeper froze.
#[derive(Debug, Clone)]
pub struct Incident {
    /// Its name.
    pub id: IncidentId,
    /// Wall clock, unix seconds.
    pub at: u64,
    /// Why.
    pub alarms: Vec<Alarm>,
    /// Who ended it and why; none while it lasts.
    pub ended: Option<String>,
}

/// Everything that was seen.
#[derive(Debug, Clone)]
pub struct Seen {
    pub(super) chain: HeaderChain,
    bitcoin_time: Option<u64>,
    transactions: BTreeMap<Txid, SeenTransaction>,
    /// The same transactions by their txids without signatures: several where signatures were changed on the way.
    by_unsigned: BTreeMap<Txid, BTreeSet<Txid>>,
    spenders: BTreeMap<OutPoint, BTreeSet<Txid>>,
    receipts: BTreeMap<[u8; 32], ReceiptStatement>,
    signed: BTreeSet<SpendId>,
    records: BTreeMap<VaultId, BTreeMap<u64, [u8; 32]>>,
    raised: BTreeSet<Alarm>,
    pending: Vec<Alarm>,
    incidents: Vec<Incident>,
}

impl Seen {
    pub(super) fn new(network: Network, checkpoint: Option<(u32, BlockHash)>) -> Self {
        Self {
            chain: HeaderChain::new(network, checkpoint),
            bitcoin_time: None,
            transactions: BTreeMap::new(),
            by_unsigned: BTreeMap::new(),
            spenders: BTreeMap::new(),
            receipts: BTreeMap::new(),
            signed: BTreeSet::new(),
            records: BTreeMap::new(),
            raised: BTreeSet::new(),
            pending: Vec::new(),
            incidents: Vec::new(),
        }
    }

    /// The verified headers.
    pub fn chain(&self) -> &HeaderChain {
        &self.chain
    }

    /// The latest median time past that the best chain ever had, unix seconds: a reorganisation does not turn it back.
    pub fn bitcoin_time(&self) -> Option<u64> {
        self.bitcoin_time
    }

    /// A transaction that a block holds or held.
    pub fn transaction(&self, txid: &Txid) -> Option<&SeenTransaction> {
        self.transactions.get(txid)
    }

    /// All of them.
    pub fn transactions(&self) -> impl Iterator<Item = (&Txid, &SeenTransaction)> {
        self.transactions.iter()
    }

    /// Transactions that spend a coin of a bound wallet, on all branches.
    pub fn spenders(&self, coin: &OutPoint) -> impl Iterator<Item = Txid> {
        self.spenders.get(coin).into_iter().flatten().copied()
    }

    /// Where in the best chain a transaction is.
    pub fn confirmed(&self, txid: &Txid) -> Option<Confirmed> {
        self.transactions.get(txid)?.blocks.iter().find_map(|block| self.chain.depth_of(block))
    }

    /// The transaction of the best chain that is this one but for its signatures: same inputs, outputs, sequences, version
    /// and locktime.
    pub fn confirmed_as(&self, unsigned_txid: &Txid) -> Option<(Txid, Confirmed)> {
        let mut signed = self.by_unsigned.get(unsigned_txid)?.iter();
        signed.find_map(|txid| Some((*txid, self.confirmed(txid)?)))
    }

    /// A receipt by the hash of its statement.
    pub fn receipt(&self, hash: &[u8; 32]) -> Option<&ReceiptStatement> {
        self.receipts.get(hash)
    }

    /// Whether a vault said that it signed a spend under its permit.
    pub fn is_signed(&self, spend: &SpendId) -> bool {
        self.signed.contains(spend)
    }

    /// The latest record of each vault that receipts showed.
    pub fn heads(&self) -> impl Iterator<Item = Head> {
        self.records.iter().filter_map(|(vault, records)| {
            let (sequence, hash) = records.last_key_value()?;
            Some(Head { vault: *vault, sequence: *sequence, hash: *hash })
        })
    }

    /// Every time when the gatekeeper froze, in order.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// Those that last.
    pub fn open_incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.iter().filter(|incident| incident.ended.is_none())
    }

    /// Alarms that no incident names yet.
    pub fn pending(&self) -> &[Alarm] {
        &self.pending
    }

    /// Whether nothing is permitted now.
    pub fn is_frozen(&self) -> bool {
        !self.pending.is_empty() || self.incidents.iter().any(|incident| incident.ended.is_none())
    }

    pub(super) fn extend(&mut self, facts: &Facts, now: u64) -> Result<Extended, ChainError> {
        let extended = self.chain.extend(facts.from, &facts.headers, now)?;
        self.bitcoin_time = self.bitcoin_time.max(self.chain.median_time_past());
        Ok(extended)
    }

    pub(super) fn add_transaction(
        &mut self,
        txid: Txid,
        block: BlockHash,
        seen: SeenTransaction,
        is_reserved: bool,
    ) {
        if seen.spent.is_empty() {
            return;
        }
        for coin in seen.spent.values() {
            self.spenders.entry(coin.outpoint).or_default().insert(txid);
        }
        self.by_unsigned.entry(seen.unsigned_txid).or_default().insert(txid);
        let known = self.transactions.entry(txid).or_insert(seen.clone());
        known.blocks.insert(block);
        known.spent.extend(seen.spent);
        if !is_reserved {
            self.raise_for(txid);
        }
    }

    /// Raises what a transaction that no permit explains is worth by where it is now. One that was looked into on another
    /// branch is raised again when it comes into the best chain; one that was looked into there, never.
    pub(super) fn raise_for(&mut self, txid: Txid) {
        let Some(seen) = self.transactions.get(&txid) else { return };
        let is_recent = |block| self.chain.fork_depth(block).is_some_and(|depth| depth <= ALARM_DEPTH);
        if self.confirmed(&txid).is_some() {
            self.raise(Alarm::Transaction(txid));
        } else if seen.blocks.iter().any(is_recent) && !self.raised.contains(&Alarm::Transaction(txid)) {
            self.raise(Alarm::Stale(txid));
        }
    }

    /// Adds what a vault said it signed, when it is new. `is_permitted`: under the permit that this ledger has for it.
    pub(super) fn add_receipt(&mut self, statement: ReceiptStatement, is_permitted: bool) {
        let hash = receipt_hash(&statement);
        let Head { vault, sequence, hash: record } = statement.head;
        if *self.records.entry(vault).or_default().entry(sequence).or_insert(record) != record {
            self.raise(Alarm::Fork { vault, sequence });
        }
        if is_permitted {
            self.signed.insert(statement.spend);
        } else {
            self.raise(Alarm::Receipt(hash));
        }
        self.receipts.insert(hash, statement);
    }

    pub(super) fn freeze(&mut self, frozen: Frozen, at: u64) -> Result<(), String> {
        let id = frozen.incident(at);
        let is_pending = |alarm: &Alarm| self.pending.contains(alarm);
        if frozen.alarms.is_empty() || !frozen.alarms.iter().all(is_pending) {
            return Err(format!("incident {id} has no cause in the ledger"));
        }
        self.pending.retain(|alarm| !frozen.alarms.contains(alarm));
        self.incidents.push(Incident { id, at, alarms: frozen.alarms, ended: None });
        Ok(())
    }

    pub(super) fn unfreeze(&mut self, unfrozen: Unfrozen) -> Result<(), String> {
        let lasting = |incident: &&mut Incident| incident.id == unfrozen.incident && incident.ended.is_none();
        let incident = self.incidents.iter_mut().find(lasting);
        let incident = incident.ok_or_else(|| format!("no incident {} lasts", unfrozen.incident))?;
        incident.ended = Some(unfrozen.reason);
        Ok(())
    }

    /// An alarm is raised once: what was looked into does not freeze again.
    fn raise(&mut self, alarm: Alarm) {
        if self.raised.insert(alarm) {
            self.pending.push(alarm);
        }
    }
}

/// Identifies a receipt: two signatures under one statement are the same receipt.
pub fn receipt_hash(statement: &ReceiptStatement) -> [u8; 32] {
    tagged_hash(ReceiptStatement::TAG, &statement.to_bytes())
}

/// The txid that a transaction has without signatures, whose scripts in the inputs are part of its own txid.
pub fn unsigned_txid(transaction: &Transaction) -> Txid {
    let mut unsigned = transaction.clone();
    unsigned.input.iter_mut().for_each(|input| input.script_sig = ScriptBuf::new());
    unsigned.compute_txid()
}
