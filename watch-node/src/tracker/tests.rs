use std::collections::HashMap;

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{DerivationPath, Xpriv, Xpub};
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::blockdata::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::Secp256k1;
use bitcoin::transaction::Version;
use bitcoin::{Amount, ScriptBuf, Sequence, TxIn, TxMerkleNode, TxOut, Witness};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::coins::{Balance, Coin, unspent};
use crate::config::{ChainConfig, Config};
use crate::index::script_at;
use crate::store::{Branch, NewWallet};

const GAP: u32 = 6;

/// A chain that does what the test says.
#[derive(Default)]
struct Script {
    blocks: HashMap<BlockHash, Block>,
    active: Vec<BlockHash>,
    mempool: Vec<Transaction>,
    mined: u32,
}

impl Script {
    fn new() -> Self {
        let genesis = genesis_block(Network::Regtest);
        let hash = genesis.block_hash();
        Self { blocks: HashMap::from([(hash, genesis)]), active: vec![hash], ..Self::default() }
    }

    fn mine(&mut self, to: ScriptBuf, transactions: Vec<Transaction>) -> &Block {
        self.mined += 1;
        let coinbase = Transaction {
            version: Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: OutPoint::null(),
                script_sig: ScriptBuf::builder().push_int(i64::from(self.mined)).push_int(0).into_script(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![TxOut { value: Amount::from_sat(5_000), script_pubkey: to }],
        };
        let mut block = Block {
            header: Header {
                version: BlockVersion::TWO,
                prev_blockhash: *self.active.last().unwrap(),
                merkle_root: TxMerkleNode::all_zeros(),
                time: self.mined,
                bits: genesis_block(Network::Regtest).header.bits,
                nonce: 0,
            },
            txdata: vec![coinbase],
        };
        block.txdata.extend(transactions);
        block.header.merkle_root = block.compute_merkle_root().unwrap();
        while block.header.validate_pow(block.header.target()).is_err() {
            block.header.nonce += 1;
        }
        let hash = block.block_hash();
        self.active.push(hash);
        self.blocks.entry(hash).or_insert(block)
    }

    /// Takes the last blocks away; returns their transactions, oldest first.
    fn rewind(&mut self, depth: usize) -> Vec<Transaction> {
        let keep = (self.active.len() - depth.min(self.active.len() - 1)).max(1);
        let gone = self.active.split_off(keep);
        gone.iter().flat_map(|hash| self.blocks[hash].txdata.iter().skip(1).cloned()).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Transaction> {
        self.active.iter().flat_map(|hash| &self.blocks[hash].txdata)
    }
}

impl BlockSource for Script {
    fn tip(&self) -> Result<Tip> {
        Ok(Tip { height: self.active.len() as u32 - 1, hash: *self.active.last().unwrap() })
    }

    fn hash_at(&self, height: u32) -> Result<Option<BlockHash>> {
        Ok(self.active.get(height as usize).copied())
    }

    fn header(&self, hash: BlockHash) -> Result<Header> {
        Ok(self.block(hash)?.header)
    }

    fn block(&self, hash: BlockHash) -> Result<Block> {
        self.blocks.get(&hash).cloned().ok_or(Error::NoBlock(hash))
    }

    fn mempool(&self) -> Result<Option<Vec<Txid>>> {
        // Children first, as Bitcoin Core may list them.
        Ok(Some(self.mempool.iter().rev().map(Transaction::compute_txid).collect()))
    }

    fn mempool_transactions(&self, txids: &[Txid]) -> Result<Vec<Transaction>> {
        let find = |txid: &Txid| self.mempool.iter().find(|t| t.compute_txid() == *txid).cloned();
        Ok(txids.iter().filter_map(find).collect())
    }
}

struct Node {
    store: Store,
    _dir: TempDir,
}

impl Node {
    fn new(birthday: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { network: Network::Regtest, chain: ChainConfig::Embedded };
        let mut store = Store::create(dir.path(), &config).unwrap();
        store.add_wallet(&wallet("w", 1, birthday)).unwrap();
        Self { store, _dir: dir }
    }

    fn sync(&mut self, source: &Script) -> Progress {
        Tracker::new(&mut self.store, source, GAP).unwrap().pass(1_000, &mut |_, _| {}).unwrap()
    }

    fn script(&self, branch: Branch, index: u32) -> ScriptBuf {
        script_at(&self.store.wallet("w").unwrap(), branch, index).unwrap()
    }

    fn coins(&self) -> Vec<Coin> {
        unspent(&self.store, None).unwrap()
    }

    fn total_sat(&self) -> u64 {
        Balance::of(&self.coins()).unwrap().total().unwrap().to_sat()
    }

    /// Everything that a fresh scan must find again.
    fn snapshot(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let mut coins = self.coins();
        coins.sort_by_key(|coin| coin.outpoint);
        let mut history: Vec<_> = self.store.history(None).unwrap();
        history.retain(|own| own.confirmed.is_some() || own.in_mempool);
        history.sort_by_key(|own| own.transaction.compute_txid());
        let tip = self.store.tip().unwrap();
        let hashes: Vec<_> =
            (0..=tip.map_or(0, |tip| tip.height)).map(|height| self.store.hash_at(height).unwrap()).collect();
        let used = Branch::BOTH.map(|branch| self.store.last_used(1, branch).unwrap());
        (coins, history, tip, hashes, used, self.store.scanned_from().unwrap())
    }
}

fn wallet(name: &str, seed: u8, birthday: u32) -> NewWallet {
    let secp = Secp256k1::new();
    let path: DerivationPath = "84h/1h/0h".parse().unwrap();
    let account =
        Xpriv::new_master(Network::Regtest, &[seed; 32]).unwrap().derive_priv(&secp, &path).unwrap();
    let xpub = Xpub::from_priv(&secp, &account);
    NewWallet {
        name: name.into(),
        wallet_id: [seed; 32],
        external: format!("wpkh({xpub}/0/*)"),
        internal: format!("wpkh({xpub}/1/*)"),
        birthday,
        vaults: Vec::new(),
    }
}

fn pay(from: OutPoint, to: Vec<(ScriptBuf, u64)>) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: from,
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: to
            .into_iter()
            .map(|(script_pubkey, sat)| TxOut { value: Amount::from_sat(sat), script_pubkey })
            .collect(),
    }
}

/// A coin that is not ours.
fn foreign(number: u32) -> OutPoint {
    OutPoint::new(Txid::from_byte_array([0xee; 32]), number)
}

fn nobody() -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x51])
}

#[test]
fn a_payment_goes_from_pending_to_confirmed_to_spent() {
    let mut chain = Script::new();
    let mut node = Node::new(0);
    let incoming = pay(foreign(1), vec![(node.script(Branch::External, 0), 700)]);
    chain.mempool.push(incoming.clone());
    node.sync(&chain);
    let balance = Balance::of(&node.coins()).unwrap();
    assert_eq!((balance.pending.to_sat(), balance.confirmed.to_sat()), (700, 0));

    chain.mempool.clear();
    chain.mine(nobody(), vec![incoming.clone()]);
    node.sync(&chain);
    let balance = Balance::of(&node.coins()).unwrap();
    assert_eq!((balance.pending.to_sat(), balance.spendable.to_sat()), (0, 700));

    let coin = OutPoint::new(incoming.compute_txid(), 0);
    let spend = pay(coin, vec![(nobody(), 500), (node.script(Branch::Internal, 0), 190)]);
    chain.mempool.push(spend.clone());
    node.sync(&chain);
    let balance = Balance::of(&node.coins()).unwrap();
    assert_eq!((balance.pending.to_sat(), balance.confirmed.to_sat()), (190, 0));
    assert_eq!(node.store.history(None).unwrap()[1].sent_sat, 700);
}

#[test]
fn a_parent_and_its_child_are_seen_in_one_look_at_the_mempool() {
    let mut chain = Script::new();
    let mut node = Node::new(0);
    let parent = pay(foreign(1), vec![(node.script(Branch::External, 0), 700)]);
    let child = pay(OutPoint::new(parent.compute_txid(), 0), vec![(node.script(Branch::Internal, 1), 600)]);
    chain.mempool = vec![parent, child];
    node.sync(&chain);
    assert_eq!(node.total_sat(), 600);
}

#[test]
fn absence_from_the_mempool_forgets_nothing() {
    let mut chain = Script::new();
    let mut node = Node::new(0);
    let incoming = pay(foreign(1), vec![(node.script(Branch::External, 0), 700)]);
    chain.mempool.push(incoming.clone());
    node.sync(&chain);
    chain.mempool.clear();
    node.sync(&chain);
    assert_eq!(node.total_sat(), 0);
    assert_eq!(node.store.transaction(incoming.compute_txid()).unwrap(), Some(incoming.clone()));
    chain.mempool.push(incoming);
    node.sync(&chain);
    assert_eq!(node.total_sat(), 700);
}

#[test]
fn the_window_follows_use_even_within_one_block() {
    let mut chain = Script::new();
    let mut node = Node::new(0);
    let far = pay(foreign(1), vec![(node.script(Branch::External, 2 * GAP - 1), 2)]);
    let near = pay(foreign(2), vec![(node.script(Branch::External, GAP - 1), 1)]);
    let beyond = pay(foreign(3), vec![(node.script(Branch::External, 3 * GAP), 4)]);
    chain.mine(nobody(), vec![far, near, beyond]);
    node.sync(&chain);
    assert_eq!(node.total_sat(), 3);
}

#[test]
fn an_issued_address_is_given_once_and_widens_the_window() {
    let mut chain = Script::new();
    let mut node = Node::new(0);
    let w = node.store.wallet("w").unwrap();
    let indices: Vec<u32> = (0..GAP).map(|_| node.store.issue(&w, Branch::External).unwrap()).collect();
    assert_eq!(indices, (0..GAP).collect::<Vec<_>>());
    chain.mine(nobody(), vec![pay(foreign(1), vec![(node.script(Branch::External, 2 * GAP - 1), 5)])]);
    node.sync(&chain);
    assert_eq!(node.total_sat(), 5);
    assert_eq!(node.store.issue(&w, Branch::External).unwrap(), 2 * GAP);
}

#[test]
fn a_wallet_imported_later_is_scanned_from_its_birthday() {
    let mut chain = Script::new();
    let mut node = Node::new(2);
    let second = wallet("second", 2, 1);
    for number in 0..4 {
        chain.mine(nobody(), vec![pay(foreign(number), vec![(node.script(Branch::External, 0), 10)])]);
    }
    node.sync(&chain);
    assert_eq!(node.total_sat(), 30, "heights 2 to 4");
    assert_eq!(node.store.scanned_from().unwrap(), Some(2));
    node.store.add_wallet(&second).unwrap();
    assert!(!is_complete(&node.store, chain.tip().unwrap()).unwrap());
    node.sync(&chain);
    assert_eq!(node.store.scanned_from().unwrap(), Some(1));
    assert_eq!(node.total_sat(), 40, "the rescan covers the first wallet too");
}

#[test]
fn a_source_that_is_merely_behind_undoes_nothing() {
    let mut chain = Script::new();
    let mut node = Node::new(0);
    for _ in 0..3 {
        chain.mine(nobody(), vec![]);
    }
    node.sync(&chain);
    chain.active.pop();
    assert_eq!(node.sync(&chain).disconnected, 0);
    assert_eq!(node.store.tip().unwrap().unwrap().height, 3);
}

#[test]
fn a_block_reward_is_immature_until_its_hundredth_confirmation() {
    let mut chain = Script::new();
    let mut node = Node::new(0);
    chain.mine(node.script(Branch::External, 0), vec![]);
    for _ in 0..98 {
        chain.mine(nobody(), vec![]);
    }
    node.sync(&chain);
    let balance = Balance::of(&node.coins()).unwrap();
    assert_eq!((balance.immature.to_sat(), balance.spendable.to_sat()), (5_000, 0));
    chain.mine(nobody(), vec![]);
    node.sync(&chain);
    assert_eq!(Balance::of(&node.coins()).unwrap().spendable.to_sat(), 5_000);
}

#[test]
fn a_lying_block_changes_nothing() {
    let mut chain = Script::new();
    let mut node = Node::new(0);
    node.sync(&chain);
    let script = node.script(Branch::External, 0);
    chain.mine(nobody(), vec![]);
    let hash = *chain.active.last().unwrap();
    chain.blocks.get_mut(&hash).unwrap().txdata.push(pay(foreign(1), vec![(script, 1_000_000)]));
    let mut tracker = Tracker::new(&mut node.store, &chain, GAP).unwrap();
    assert!(matches!(tracker.pass(0, &mut |_, _| {}), Err(Error::BadBlock { height: 1, .. })));
    assert_eq!(node.store.tip().unwrap().unwrap().height, 0);
    assert_eq!(node.total_sat(), 0);
}

/// xorshift64: the property's own choices, from one seed.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Our outputs that exist and are unspent after the active chain and `then`.
fn available(chain: &Script, then: &[Transaction], ours: &[ScriptBuf]) -> Vec<(OutPoint, u64)> {
    let mut coins: Vec<(OutPoint, u64)> = Vec::new();
    for transaction in chain.all().chain(then) {
        coins.retain(|(coin, _)| transaction.input.iter().all(|input| input.previous_output != *coin));
        for (vout, output) in transaction.output.iter().enumerate() {
            if ours.contains(&output.script_pubkey) {
                coins.push((OutPoint::new(transaction.compute_txid(), vout as u32), output.value.to_sat()));
            }
        }
    }
    coins
}

/// Appends those of `candidates` whose inputs still exist.
fn keep_valid(chain: &Script, list: &mut Vec<Transaction>, candidates: Vec<Transaction>, ours: &[ScriptBuf]) {
    for candidate in candidates {
        let input = candidate.input[0].previous_output;
        let known = chain.all().chain(list.iter()).any(|t| t.compute_txid() == candidate.compute_txid());
        let is_foreign = input.txid == foreign(0).txid;
        if !known && (is_foreign || available(chain, list, ours).iter().any(|(coin, _)| *coin == input)) {
            list.push(candidate);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_state_after_any_path_of_blocks_and_reorganisations_equals_a_fresh_scan(seed in 1_u64..) {
        let mut choices = Choices(seed);
        let mut chain = Script::new();
        let mut node = Node::new(0);
        let ours: Vec<ScriptBuf> = Branch::BOTH
            .iter()
            .flat_map(|branch| (0..GAP).map(|index| node.script(*branch, index)).collect::<Vec<_>>())
            .collect();
        let mut next_foreign = 0;
        for _ in 0..12 {
            if choices.below(3) == 0 {
                let returned = chain.rewind(1 + choices.below(4));
                let waiting = std::mem::take(&mut chain.mempool);
                let mut mempool = Vec::new();
                keep_valid(&chain, &mut mempool, returned.into_iter().chain(waiting).collect(), &ours);
                chain.mempool = mempool;
            }
            for _ in 0..choices.below(4) {
                let script = ours[choices.below(ours.len())].clone();
                let coins = available(&chain, &chain.mempool, &ours);
                let transaction = if !coins.is_empty() && choices.below(2) == 0 {
                    let (coin, value) = coins[choices.below(coins.len())];
                    pay(coin, vec![(script, value / 2), (nobody(), value / 4)])
                } else {
                    next_foreign += 1;
                    pay(foreign(next_foreign), vec![(script, 10_000 + u64::from(next_foreign))])
                };
                chain.mempool.push(transaction);
            }
            for _ in 0..choices.below(4) {
                // Oldest first, so that no child is mined before its parent.
                let count = choices.below(chain.mempool.len() + 1);
                let mined: Vec<_> = chain.mempool.drain(..count).collect();
                let to = if choices.below(2) == 0 { ours[choices.below(ours.len())].clone() } else { nobody() };
                chain.mine(to, mined);
            }
            if choices.below(2) == 0 {
                node.sync(&chain);
            }
        }
        // A source that is merely behind is not followed back, so the path ends on a block of its own.
        chain.mine(nobody(), vec![]);
        node.sync(&chain);
        let mut fresh = Node::new(0);
        fresh.sync(&chain);
        prop_assert_eq!(node.snapshot(), fresh.snapshot());
        let ours_sat: u64 = available(&chain, &chain.mempool, &ours).iter().map(|(_, value)| value).sum();
        prop_assert_eq!(fresh.total_sat(), ours_sat);
    }
}
