//! Headers that break one rule each, and branches in every order.

use super::*;
use bitcoin::block::Version;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash;
use bitcoin::hex::FromHex;
use bitcoin::merkle_tree::{PartialMerkleTree, calculate_root};
use bitcoin::{CompactTarget, Transaction, TxMerkleNode, TxOut, Txid};
use proptest::prelude::*;
use psbt_tools::facts::ProvenTransaction;

pub const EASIEST: u32 = 0x207f_ffff;

/// Long after every header of these tests.
pub const NOW: u64 = 4_000_000_000;

pub fn genesis() -> Header {
    genesis_block(Network::Regtest).header
}

/// A regtest header with work done.
pub fn mine(parent: BlockHash, time: u32, root: TxMerkleNode) -> Header {
    mine_to(EASIEST, parent, time, root)
}

fn mine_to(bits: u32, parent: BlockHash, time: u32, root: TxMerkleNode) -> Header {
    let bits = CompactTarget::from_consensus(bits);
    let mut header =
        Header { version: Version::TWO, prev_blockhash: parent, merkle_root: root, time, bits, nonce: 0 };
    while !header.target().is_met_by(header.block_hash()) {
        header.nonce += 1;
    }
    header
}

/// So many headers on top of one, ten minutes apart, told apart from other branches by their merkle roots.
pub fn branch(on: &Header, count: usize, mark: u8) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for _ in 0..count {
        let parent = headers.last().unwrap_or(on);
        let root = TxMerkleNode::from_byte_array([mark; 32]);
        headers.push(mine(parent.block_hash(), parent.time + 600, root));
    }
    headers
}

fn regtest() -> HeaderChain {
    HeaderChain::new(Network::Regtest, None)
}

fn tip(chain: &HeaderChain) -> BlockHash {
    chain.tip().unwrap().1
}

fn hash(headers: &[Header]) -> BlockHash {
    headers.last().unwrap().block_hash()
}

/// Mainnet's blocks 1 and 2.
fn mainnet() -> Vec<Header> {
    [
        "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299",
        "010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000d5fdcc541e25de1c7a5addedf24858b8bb665c9f36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61",
    ]
    .map(|hex| deserialize(&Vec::from_hex(hex).unwrap()).unwrap())
    .into()
}

#[test]
fn mainnet_s_first_blocks_follow_its_genesis_and_a_changed_nonce_does_not() {
    let mut chain = HeaderChain::new(Network::Bitcoin, None);
    let mut headers = mainnet();
    headers[1].nonce ^= 1;
    let before = chain.clone();
    assert!(matches!(chain.extend(1, &headers, NOW), Err(ChainError::Work { height: 2, .. })));
    assert_eq!(chain, before, "all headers or none");
    headers[1].nonce ^= 1;
    chain.extend(1, &headers, NOW).unwrap();
    assert_eq!(chain.tip().unwrap().0, 2);
    // Times 1231006505, 1231469665, 1231469744: with three blocks, the median is the second.
    assert_eq!(chain.median_time_past(), Some(1_231_469_665));
}

#[test]
fn more_work_replaces_and_as_much_or_less_does_not() {
    let mut chain = regtest();
    let first = branch(&genesis(), 3, 1);
    let second = branch(&genesis(), 4, 2);
    chain.extend(1, &first, NOW).unwrap();
    for shorter in [&second[..2], &second[..3]] {
        assert_eq!(chain.extend(1, shorter, NOW).unwrap().replaced, 0);
        assert_eq!(tip(&chain), hash(&first));
        assert_eq!(chain.height_of(&shorter[0].block_hash()), None);
    }
    let extended = chain.extend(1, &second, NOW).unwrap();
    assert_eq!((extended.replaced, extended.fresh), (3, 3..4));
    assert_eq!(chain.tip(), Some((4, hash(&second))));
    assert_eq!(chain.height_of(&hash(&first)), None);
    assert_eq!(chain.height_of(&second[1].block_hash()), Some(2));
    assert_eq!(chain.header_at(3), Some(&second[2]));
    // And back, from a fork above the genesis block.
    let back = branch(&first[2], 2, 3);
    assert_eq!(chain.extend(4, &back, NOW).unwrap().replaced, 4);
    assert_eq!(chain.tip(), Some((5, hash(&back))));
}

#[test]
fn work_counts_and_not_length() {
    let mut chain = regtest();
    let long = branch(&genesis(), 3, 1);
    chain.extend(1, &long, NOW).unwrap();
    // One block at an eighth of the target: four times as much work as all three.
    let genesis = genesis();
    let hard = mine_to(0x200f_ffff, genesis.block_hash(), genesis.time + 600, TxMerkleNode::all_zeros());
    chain.extend(1, &[hard], NOW).unwrap();
    assert_eq!(chain.tip(), Some((1, hard.block_hash())));
}

#[test]
fn each_broken_rule_is_refused_alone_and_says_where() {
    let headers = branch(&genesis(), 12, 1);
    let mut chain = regtest();
    chain.extend(1, &headers, NOW).unwrap();
    let before = chain.clone();
    let last = headers[11];
    let root = TxMerkleNode::all_zeros();
    let mut refused = |from: u32, batch: &[Header], now: u64| {
        let error = chain.extend(from, batch, now).unwrap_err();
        assert_eq!(chain, before, "all headers or none");
        error
    };
    let next = |time: u32| mine(last.block_hash(), time, root);
    let good = next(last.time + 1);

    // The median of the eleven before is that of the sixth of them from the end.
    let median = headers[6].time;
    let early = next(median);
    let error = refused(13, &[early], NOW);
    assert_eq!(error, ChainError::TooEarly { height: 13, time: median, median: u64::from(median) });
    assert!(regtest_with(&headers).extend(13, &[next(median + 1)], NOW).is_ok());

    let clock = u64::from(good.time) - MAX_AHEAD;
    assert!(matches!(refused(13, &[good], clock - 1), ChainError::TooLate { height: 13, .. }));
    assert!(regtest_with(&headers).extend(13, &[good], clock).is_ok());

    let mut lazy = good;
    while lazy.target().is_met_by(lazy.block_hash()) {
        lazy.nonce += 1;
    }
    assert!(matches!(refused(13, &[lazy], NOW), ChainError::Work { height: 13, .. }));

    let easier = mine_to(0x2100_ffff, last.block_hash(), good.time, root);
    assert!(matches!(refused(13, &[easier], NOW), ChainError::Bits { height: 13, found: 0x2100_ffff, .. }));

    let stranger = mine(BlockHash::from_byte_array([7; 32]), good.time, root);
    assert!(matches!(refused(13, &[stranger], NOW), ChainError::Gap { height: 13, .. }));
    assert!(matches!(refused(12, &[last, stranger], NOW), ChainError::Unlinked { height: 13, .. }));
    assert!(matches!(refused(14, &[good], NOW), ChainError::Height { height: 14, expected: 13, .. }));
    assert!(matches!(refused(11, &[last, good], NOW), ChainError::Height { height: 11, expected: 12, .. }));
    assert!(matches!(refused(u32::MAX, &[last, good], NOW), ChainError::Full { .. }));
    let other = genesis_block(Network::Signet).header;
    assert!(matches!(refused(0, &[other], NOW), ChainError::Gap { height: 0, .. }));
}

fn regtest_with(headers: &[Header]) -> HeaderChain {
    let mut chain = regtest();
    chain.extend(1, headers, NOW).unwrap();
    chain
}

#[test]
fn a_checkpoint_proves_what_leads_up_to_it_and_nothing_else() {
    let headers = branch(&genesis(), 40, 1);
    let at = |height: u32| &headers[usize::try_from(height).unwrap() - 1..];
    let checkpoint = (20, headers[19].block_hash());
    let new = || HeaderChain::new(Network::Regtest, Some(checkpoint));
    assert_eq!((new().tip(), new().median_time_past()), (None, None));

    // Without its own header there is nothing to build on.
    for (from, batch) in [(21, at(21)), (5, &headers[4..10]), (20, at(21)), (19, at(20))] {
        let error = new().extend(from, batch, NOW).unwrap_err();
        assert!(
            matches!(error, ChainError::Start { height: 20, expected, .. } if expected == checkpoint.1),
            "{error}"
        );
    }
    // Another branch at its height.
    let fork = branch(&headers[9], 30, 2);
    assert!(matches!(new().extend(11, &fork, NOW), Err(ChainError::Start { height: 20, .. })));

    let mut chain = new();
    assert_eq!(chain.extend(20, &headers[19..25], NOW).unwrap().fresh, 0..6);
    assert_eq!(chain.tip(), Some((25, headers[24].block_hash())));
    assert_eq!(chain.median_time_past(), None, "six headers are no eleven");
    // More work that forks off below the checkpoint is no chain.
    assert!(chain.extend(11, &fork, NOW).is_err());
    // Headers from below that lead up to it, alone or with new ones above.
    let mut low = chain.clone();
    assert_eq!(low.extend(15, &headers[14..20], NOW).unwrap().fresh, 0..6);
    assert_eq!(low.median_time_past(), Some(u64::from(headers[19].time)));
    assert_eq!(low.height_of(&headers[14].block_hash()), Some(15));
    assert!(matches!(low.extend(11, &fork, NOW), Err(ChainError::Start { height: 15, .. })));
    let stray = branch(&headers[15], 20, 3);
    assert!(matches!(low.extend(17, &stray, NOW), Err(ChainError::Start { height: 17, .. })));
    assert_eq!(chain.extend(10, at(10), NOW).unwrap().fresh, 0..31);
    assert_eq!(low.extend(10, at(10), NOW).unwrap().fresh, 0..31);
    assert_eq!((chain.clone(), low.tip()), (low, Some((40, hash(&headers)))));

    let mut whole = new();
    whole.extend(10, at(10), NOW).unwrap();
    assert_eq!(whole, chain, "the same, whatever the batches were");
}

#[test]
fn what_is_known_is_not_fresh() {
    let headers = branch(&genesis(), 9, 1);
    let mut chain = regtest();
    assert_eq!(chain.extend(0, &[], NOW).unwrap().fresh, 0..0);
    assert_eq!(chain.extend(0, &[genesis()], NOW).unwrap().fresh, 0..0);
    assert_eq!(chain.extend(1, &headers[..5], NOW).unwrap().fresh, 0..5);
    assert_eq!(chain.extend(3, &headers[2..], NOW).unwrap().fresh, 3..7);
    assert_eq!(chain.extend(1, &headers, NOW).unwrap().fresh, 0..0);
    assert_eq!(chain.known(), 10);
}

pub fn transaction(n: u32) -> Transaction {
    let output = TxOut {
        value: bitcoin::Amount::from_sat(u64::from(n)),
        script_pubkey: bitcoin::ScriptBuf::new_op_return([1; 20]),
    };
    Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::from_consensus(n),
        input: vec![bitcoin::TxIn::default()],
        output: vec![output],
    }
}

/// The merkle root of some transactions, and the proof of one of them.
pub fn tree(transactions: &[Transaction], of: usize) -> (TxMerkleNode, PartialMerkleTree) {
    let txids: Vec<Txid> = transactions.iter().map(Transaction::compute_txid).collect();
    let named: Vec<bool> = (0..txids.len()).map(|at| at == of).collect();
    let root = calculate_root(txids.iter().copied().map(TxMerkleNode::from)).unwrap();
    (root, PartialMerkleTree::from_txids(&txids, &named))
}

#[test]
fn a_proof_holds_for_its_transaction_in_its_block_only() {
    let transactions: Vec<_> = (0..7).map(transaction).collect();
    let (root, proof) = tree(&transactions, 4);
    let first = mine(genesis().block_hash(), genesis().time + 600, root);
    let more = branch(&first, 5, 1);
    let mut chain = regtest_with(&[first]);
    let proven = |transaction: &Transaction| ProvenTransaction {
        transaction: transaction.clone(),
        block: first.block_hash(),
        proof: proof.clone(),
        own: vec![],
    };
    let good = proven(&transactions[4]);
    let at_tip = chain.confirm(&good).unwrap();
    assert_eq!((at_tip.height, at_tip.depth), (1, 1));
    chain.extend(2, &more, NOW).unwrap();
    let deep = chain.confirm(&good).unwrap();
    assert_eq!((deep.depth, deep.mtp), (6, chain.median_time_past_at(1)));

    assert!(matches!(chain.confirm(&proven(&transactions[3])), Err(ProofError::NotNamed(_))));
    assert!(matches!(chain.confirm(&proven(&transaction(99))), Err(ProofError::NotNamed(_))));
    let elsewhere = ProvenTransaction { block: more[0].block_hash(), ..good.clone() };
    assert!(matches!(chain.confirm(&elsewhere), Err(ProofError::Root { .. })));
    let nowhere = ProvenTransaction { block: BlockHash::all_zeros(), ..good.clone() };
    assert!(matches!(chain.confirm(&nowhere), Err(ProofError::UnknownBlock { .. })));
    let (_, forged) = tree(&[transactions[4].clone(), transaction(50)], 0);
    let forged = ProvenTransaction { proof: forged, ..good.clone() };
    assert!(matches!(chain.confirm(&forged), Err(ProofError::Root { .. })));
    let empty = PartialMerkleTree::from_txids(&[transactions[4].compute_txid()], &[false]);
    let empty = ProvenTransaction { proof: empty, ..good.clone() };
    assert!(matches!(chain.confirm(&empty), Err(ProofError::Root { .. })));

    // A block that was replaced confirms nothing, and still proves that the transaction was signed.
    let heavier = branch(&genesis(), 9, 8);
    chain.extend(1, &heavier, NOW).unwrap();
    assert!(matches!(chain.confirm(&good), Err(ProofError::StaleBlock { .. })));
    assert_eq!(chain.prove(&good), Ok(transactions[4].compute_txid()));
}

#[test]
fn a_transaction_as_long_as_an_inner_node_proves_nothing() {
    let mut short = transaction(1);
    short.output[0].script_pubkey = bitcoin::ScriptBuf::from_bytes(vec![0x51; 4]);
    assert_eq!(short.base_size(), 64);
    let (root, proof) = tree(&[short.clone()], 0);
    let header = mine(genesis().block_hash(), genesis().time + 600, root);
    let chain = regtest_with(&[header]);
    let txid = short.compute_txid();
    let proven = ProvenTransaction { transaction: short, block: header.block_hash(), proof, own: vec![] };
    assert_eq!(chain.confirm(&proven), Err(ProofError::NodeSized(txid)));
    // Neither does a witness hide its length.
    let mut padded = proven;
    padded.transaction.input[0].witness.push([1; 40]);
    assert_eq!(chain.confirm(&padded), Err(ProofError::NodeSized(txid)));
}

prop_compose! {
    /// Branches of a tree: where each leaves an earlier one, and how long it is.
    fn forks()(forks in proptest::collection::vec((any::<prop::sample::Index>(), 1usize..7), 1..6)) -> Vec<Vec<Header>> {
        let mut known = vec![genesis()];
        let mut branches = Vec::new();
        for (mark, (on, count)) in (1u8..).zip(forks) {
            let headers = branch(&known[on.index(known.len())], count, mark);
            known.extend(&headers);
            branches.push(headers);
        }
        branches
    }
}

/// The height of a header in a tree whose headers all descend from the genesis block.
fn height(tree: &[Header], header: &Header) -> u32 {
    let parent = tree.iter().find(|parent| parent.block_hash() == header.prev_blockhash);
    parent.map_or(0, |parent| height(tree, parent)) + 1
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn batches_in_any_order_come_to_the_same_chain(forks in forks(), cuts in proptest::collection::vec(1usize..4, 12), seed: u64) {
        let tree: Vec<Header> = forks.iter().flatten().copied().collect();
        let heights: Vec<u32> = tree.iter().map(|header| height(&tree, header)).collect();
        let top = *heights.iter().max().unwrap();
        prop_assume!(heights.iter().filter(|height| **height == top).count() == 1);
        let mut whole = regtest();
        for fork in &forks {
            whole.extend(height(&tree, &fork[0]), fork, NOW).unwrap();
        }

        let mut batches = Vec::new();
        for (fork, cut) in forks.iter().zip(&cuts) {
            batches.extend(fork.chunks(*cut).map(<[Header]>::to_vec));
        }
        let mut chain = regtest();
        let mut state = seed;
        while !batches.is_empty() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = usize::try_from(state >> 33).unwrap() % batches.len();
            // What does not link yet is refused and comes again.
            let batch = &batches[at];
            match chain.extend(height(&tree, &batch[0]), batch, NOW) {
                Ok(_) => drop(batches.swap_remove(at)),
                Err(error) => prop_assert!(matches!(error, ChainError::Gap { .. }), "{}", error),
            }
        }
        prop_assert_eq!(chain.tip().unwrap().0, top);
        prop_assert_eq!(&chain, &whole);
        // The best chain is one chain.
        for at in 1..=top {
            let (header, parent) = (chain.header_at(at).unwrap(), chain.header_at(at - 1).unwrap());
            prop_assert_eq!(header.prev_blockhash, parent.block_hash());
            prop_assert_eq!(chain.height_of(&header.block_hash()), Some(at));
        }
        // A range of fresh headers does what the batch does.
        for fork in &forks {
            let from = height(&tree, &fork[0]);
            prop_assert_eq!(chain.extend(from, fork, NOW).unwrap().fresh, 0..0);
        }
    }

    #[test]
    fn the_fresh_part_of_a_batch_does_what_the_batch_does(known in 0usize..30, from in 1usize..30, count in 1usize..30, checkpoint in proptest::option::of(1usize..30)) {
        let headers = branch(&genesis(), 60, 1);
        let checkpoint = checkpoint.map(|at| (u32::try_from(at).unwrap(), headers[at - 1].block_hash()));
        let mut chain = HeaderChain::new(Network::Regtest, checkpoint);
        let _ = chain.extend(1, &headers[..known], NOW);
        let batch = &headers[from - 1..from - 1 + count];
        let height = u32::try_from(from).unwrap();
        let mut reduced = chain.clone();
        if let Ok(extended) = chain.extend(height, batch, NOW) {
            let from = height + u32::try_from(extended.fresh.start).unwrap();
            reduced.extend(from, &batch[extended.fresh], NOW).unwrap();
        }
        prop_assert_eq!(reduced, chain);
    }
}

#[test]
fn a_worthless_branch_from_far_below_is_refused_and_one_of_most_work_is_not() {
    let depth = usize::try_from(MAX_FORK_DEPTH).unwrap();
    let best = branch(&genesis(), depth + 1, 1);
    let mut chain = regtest_with(&best);
    let low = branch(&genesis(), depth + 2, 2);
    let before = chain.clone();
    let tip = MAX_FORK_DEPTH + 1;
    for worthless in [&low[..1], &low[..depth + 1]] {
        let error = chain.extend(1, worthless, NOW);
        assert_eq!(error, Err(ChainError::Deep { height: 1, fork: 0, tip }));
    }
    assert_eq!(chain, before);
    let high = branch(&best[0], 1, 3);
    chain.extend(2, &high, NOW).unwrap();
    assert_eq!(chain.fork_depth(&high[0].block_hash()), Some(MAX_FORK_DEPTH));
    assert_eq!(chain.fork_depth(&best[0].block_hash()), Some(MAX_FORK_DEPTH));
    assert_eq!(chain.fork_depth(&low[0].block_hash()), None);
    assert_eq!(chain.extend(1, &low, NOW).unwrap().replaced, depth + 1);
}

#[test]
fn worthless_branches_never_end_the_chain() {
    let best = branch(&genesis(), 1_102, 1);
    let mut chain = regtest_with(&best[..1_100]);
    for mark in 2.. {
        let room = MAX_STALE + 1_101 - chain.known();
        if room == 0 {
            break;
        }
        chain.extend(1, &branch(&genesis(), room.min(1_099), mark), NOW).unwrap();
    }
    assert_eq!(chain.extend(1, &branch(&genesis(), 1, 200), NOW), Err(ChainError::Stale { height: 1 }));
    assert_eq!(chain.extend(1_101, &best[1_100..], NOW).unwrap().replaced, 0);
    assert_eq!(tip(&chain), hash(&best));
    // A reorganisation brings most work and is taken all the same.
    assert_eq!(chain.extend(1_101, &branch(&best[1_099], 3, 201), NOW).unwrap().replaced, 2);
    assert_eq!(chain.tip().unwrap().0, 1_103);
}
