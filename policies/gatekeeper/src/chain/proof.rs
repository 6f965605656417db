//! Whether a block holds a transaction (BIP37, "Partial Merkle branch format").

use super::HeaderChain;
use bitcoin::merkle_tree::MerkleBlockError;
use bitcoin::{BlockHash, TxMerkleNode, Txid};
use psbt_tools::facts::ProvenTransaction;

/// A transaction of this many bytes can pass for an inner node of the tree (CVE-2017-12842).
const NODE_LEN: usize = 64;

/// Where in the best chain a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmed {
    /// Height of its block.
    pub height: u32,
    /// Confirmations: 1 when its block is the tip.
    pub depth: u32,
    /// Median time past at its block, unix seconds; none where too few headers are known before it.
    pub mtp: Option<u64>,
}

/// Why a proof does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No header of this block is known.
    #[error("transaction {txid} is said to be in block {block}, which is not known here")]
    UnknownBlock {
        /// The transaction.
        txid: Txid,
        /// The block.
        block: BlockHash,
    },
    /// The block is not in the best chain.
    #[error("transaction {txid} is in block {block}, which is not in the chain with most work")]
    StaleBlock {
        /// The transaction.
        txid: Txid,
        /// The block.
        block: BlockHash,
    },
    /// The tree makes no sense.
    #[error("the merkle proof of transaction {txid}: {reason}")]
    Malformed {
        /// The transaction.
        txid: Txid,
        /// What is wrong.
        reason: MerkleBlockError,
    },
    /// The tree is another block's.
    #[error("the merkle proof of transaction {txid} leads to {found}, expected the block's {expected}")]
    Root {
        /// The transaction.
        txid: Txid,
        /// Where it leads.
        found: TxMerkleNode,
        /// What the header commits to.
        expected: TxMerkleNode,
    },
    /// The tree proves other transactions.
    #[error("the merkle proof of transaction {0} does not name it")]
    NotNamed(Txid),
    /// The transaction can pass for an inner node of the tree.
    #[error("transaction {0} is 64 bytes long without witnesses: such a one proves nothing")]
    NodeSized(Txid),
}

impl HeaderChain {
    /// Proves that a block that is known here holds a transaction, whose txid is computed from its own bytes. Gives the
    /// txid. The block may be on any branch.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn prove(&self, proven: &ProvenTransaction) -> Result<Txid, ProofError> {
        let txid = proven.transaction.compute_txid();
        if proven.transaction.base_size() == NODE_LEN {
            return Err(ProofError::NodeSized(txid));
        }
        let block = proven.block;
        let node = self.nodes.get(&block).ok_or(ProofError::UnknownBlock { txid, block })?;
        let (mut named, mut places) = (Vec::new(), Vec::new());
        let found = proven
            .proof
            .extract_matches(&mut named, &mut places)
            .map_err(|reason| ProofError::Malformed { txid, reason })?;
        let expected = node.header.merkle_root;
        if found != expected {
            return Err(ProofError::Root { txid, found, expected });
        }
        if !named.contains(&txid) {
            return Err(ProofError::NotNamed(txid));
        }
        Ok(txid)
    }

    /// Proves that a block of the best chain holds a transaction.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn confirm(&self, proven: &ProvenTransaction) -> Result<Confirmed, ProofError> {
        let txid = self.prove(proven)?;
        self.depth_of(&proven.block).ok_or(ProofError::StaleBlock { txid, block: proven.block })
    }

    /// Where in the best chain a block is.
    pub fn depth_of(&self, block: &BlockHash) -> Option<Confirmed> {
        let height = self.height_of(block)?;
        let depth = self.tip()?.0.checked_sub(height)?.checked_add(1)?;
        Some(Confirmed { height, depth, mtp: self.median_time_past_at(height) })
    }
}
