//! Mining: real blocks at regtest's difficulty.

use std::time::{SystemTime, UNIX_EPOCH};

use bitcoin::absolute::LockTime;
use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::blockdata::constants::genesis_block;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::OP_0;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, Block, BlockHash, Network, OutPoint, Script, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Witness,
};

use super::Embedded;
use super::ledger::Waiting;
use crate::chain::block;
use crate::error::{Error, Result};

/// Weight left for the header and the coinbase (`DEFAULT_BLOCK_RESERVED_WEIGHT`).
const RESERVED_WU: u64 = 8_000;
/// `MAX_BLOCK_WEIGHT`.
const MAX_BLOCK_WU: u64 = 4_000_000;
/// Blocks between halvings on regtest (`nSubsidyHalvingInterval`).
const HALVING_INTERVAL: u32 = 150;
/// BIP141: the witness reserved value of a coinbase.
const WITNESS_RESERVED: [u8; 32] = [0; 32];

impl Embedded {
    /// Mines `count` blocks with everything that waits, rewards going to `to`. Each block is durable before
    /// the next is begun; returns their hashes, oldest first.
    pub fn mine(&self, count: u32, to: &Script) -> Result<Vec<BlockHash>> {
        (0..count).map(|_| self.mine_one(to)).collect()
    }

    fn mine_one(&self, to: &Script) -> Result<BlockHash> {
        let change = self.ledger.begin()?;
        let tip = self.ledger.tip()?;
        let height = tip.height.checked_add(1).ok_or(Error::Overflow)?;
        let earliest = self.ledger.median_time_past(tip.height)?.saturating_add(1);
        let waiting = fill(self.ledger.mempool()?);
        let block = assemble(tip.hash, height, earliest.max(now()), waiting, to)?;
        block::verify(&block, block.block_hash(), Some(tip.hash), height, Network::Regtest)?;
        self.ledger.connect(&block, height)?;
        change.commit()?;
        Ok(block.block_hash())
    }
}

/// The oldest transactions that fit. It stops at the first that does not, so that no child goes without its
/// parent.
fn fill(waiting: Vec<Waiting>) -> Vec<Waiting> {
    let mut room_wu = MAX_BLOCK_WU - RESERVED_WU;
    waiting
        .into_iter()
        .map_while(|entry| {
            room_wu = room_wu.checked_sub(entry.transaction.weight().to_wu())?;
            Some(entry)
        })
        .collect()
}

fn assemble(
    previous: BlockHash,
    height: u32,
    time: u32,
    waiting: Vec<Waiting>,
    to: &Script,
) -> Result<Block> {
    let reward = waiting
        .iter()
        .try_fold(subsidy(height), |sum, entry| sum.checked_add(entry.fee))
        .ok_or(Error::Overflow)?;
    let genesis = genesis_block(Network::Regtest).header;
    let mut block = Block {
        header: Header {
            version: BlockVersion::NO_SOFT_FORK_SIGNALLING,
            prev_blockhash: previous,
            merkle_root: TxMerkleNode::all_zeros(),
            time,
            bits: genesis.bits,
            nonce: 0,
        },
        txdata: vec![coinbase(height, reward, to)],
    };
    block.txdata.extend(waiting.into_iter().map(|entry| entry.transaction));
    commit_witnesses(&mut block);
    block.header.merkle_root = block.compute_merkle_root().ok_or(Error::Overflow)?;
    // Half of all hashes meet regtest's target, so this ends after a few rounds.
    while block.header.validate_pow(block.header.target()).is_err() {
        block.header.nonce = block.header.nonce.checked_add(1).ok_or(Error::Overflow)?;
    }
    Ok(block)
}

fn coinbase(height: u32, reward: Amount, to: &Script) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::null(),
            // BIP34; the extra push keeps the script within its least length of two bytes at low heights.
            script_sig: Builder::new().push_int(i64::from(height)).push_opcode(OP_0).into_script(),
            sequence: Sequence::MAX,
            witness: Witness::from_slice(&[WITNESS_RESERVED]),
        }],
        output: vec![TxOut { value: reward, script_pubkey: to.to_owned() }],
    }
}

/// BIP141: the commitment to all witnesses, in the coinbase's last output.
fn commit_witnesses(block: &mut Block) {
    let Some(root) = block.witness_root() else { return };
    let commitment = Block::compute_witness_commitment(&root, &WITNESS_RESERVED);
    let mut payload = PushBytesBuf::from([0xaa, 0x21, 0xa9, 0xed]);
    if payload.extend_from_slice(commitment.as_byte_array()).is_err() {
        return;
    }
    if let Some(coinbase) = block.txdata.first_mut() {
        coinbase.output.push(TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(payload) });
    }
}

/// New coins of a block, without fees (`GetBlockSubsidy`).
fn subsidy(height: u32) -> Amount {
    let halvings = height / HALVING_INTERVAL;
    Amount::from_sat(Amount::from_int_btc(50).to_sat().checked_shr(halvings).unwrap_or(0))
}

fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subsidy_halves_every_150_blocks_until_nothing_is_left() {
        assert_eq!(subsidy(1), Amount::from_int_btc(50));
        assert_eq!(subsidy(149), Amount::from_int_btc(50));
        assert_eq!(subsidy(150), Amount::from_int_btc(25));
        assert_eq!(subsidy(150 * 33), Amount::ZERO);
        assert_eq!(subsidy(150 * 64), Amount::ZERO);
    }
}
