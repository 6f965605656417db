//! What a block must prove before it changes any state.

use bitcoin::{Block, BlockHash, Network};

use crate::error::{Error, Result};

/// Checks that `block` hashes to `expected`, meets its own target within the network's limit (as
/// Bitcoin Core `CheckProofOfWork`), builds on `previous`, and that its merkle root and witness commitment
/// (BIP141) cover exactly these transactions, without the duplication of CVE-2012-2459.
///
/// The difficulty adjustment is not recomputed: that needs every header since genesis.
pub fn verify(
    block: &Block,
    expected: BlockHash,
    previous: Option<BlockHash>,
    height: u32,
    network: Network,
) -> Result<()> {
    let fail = |reason| Err(Error::BadBlock { hash: expected, height, reason });
    if block.block_hash() != expected {
        return fail("its header has another hash");
    }
    let target = block.header.target();
    if target > network.params().max_attainable_target || block.header.validate_pow(target).is_err() {
        return fail("no proof of work");
    }
    if previous.is_some_and(|hash| hash != block.header.prev_blockhash) {
        return fail("it does not build on the block before it");
    }
    if !block.txdata.first().is_some_and(bitcoin::Transaction::is_coinbase)
        || block.txdata.iter().skip(1).any(bitcoin::Transaction::is_coinbase)
    {
        return fail("its first transaction, and only that, must be a coinbase");
    }
    if !block.check_merkle_root() || repeats_tail(block) {
        return fail("its merkle root does not cover its transactions");
    }
    if !block.check_witness_commitment() {
        return fail("its witness commitment does not cover its witnesses");
    }
    Ok(())
}

/// A merkle tree cannot tell a list from one whose tail is repeated (CVE-2012-2459).
fn repeats_tail(block: &Block) -> bool {
    let mut seen = std::collections::HashSet::with_capacity(block.txdata.len());
    !block.txdata.iter().all(|transaction| seen.insert(transaction.compute_txid()))
}

#[cfg(test)]
mod tests {
    use bitcoin::blockdata::constants::genesis_block;
    use bitcoin::hashes::Hash;

    use super::*;

    #[test]
    fn every_genesis_block_proves_itself() {
        for network in [Network::Bitcoin, Network::Testnet, Network::Signet, Network::Regtest] {
            let block = genesis_block(network);
            verify(&block, block.block_hash(), None, 0, network).unwrap();
        }
    }

    #[test]
    fn a_header_that_misses_its_target_is_refused() {
        let mut block = genesis_block(Network::Bitcoin);
        block.header.nonce ^= 1;
        assert!(verify(&block, block.block_hash(), None, 0, Network::Bitcoin).is_err());
    }

    #[test]
    fn regtest_difficulty_is_no_proof_on_mainnet() {
        let block = genesis_block(Network::Regtest);
        assert!(verify(&block, block.block_hash(), None, 0, Network::Bitcoin).is_err());
    }

    #[test]
    fn another_parent_is_refused() {
        let block = genesis_block(Network::Regtest);
        let other = BlockHash::from_byte_array([1; 32]);
        assert!(verify(&block, block.block_hash(), Some(other), 0, Network::Regtest).is_err());
    }

    #[test]
    fn a_repeated_transaction_is_refused() {
        let mut block = genesis_block(Network::Regtest);
        let coinbase = block.txdata[0].clone();
        block.txdata.push(coinbase);
        assert!(verify(&block, block.block_hash(), None, 0, Network::Regtest).is_err());
    }
}
