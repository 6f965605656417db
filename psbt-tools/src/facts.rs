//! What the chain proves, as it travels from the watch-node to the gatekeeper: headers, and transactions with their merkle
//! proofs. Nothing here is believed: whoever reads it verifies work, links and proofs.

use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::merkle_tree::PartialMerkleTree;
use bitcoin::{BlockHash, Network, Transaction};
use policies::codec::{Canonical, CodecError, Decoder, Encoder};
use policies::evidence::{Evidence, without_witnesses};
use policies::id::WalletId;
use policies::wallet::Keypath;

/// Most headers in one document: two years of blocks, 8 MB.
pub const MAX_HEADERS: usize = 105_000;

/// Most headers that ride in a payment's file: two weeks of blocks, 161 KB.
pub const MAX_RIDING_HEADERS: usize = 2_016;

/// Most transactions in one document.
pub const MAX_TRANSACTIONS: usize = 10_000;

/// Longest transaction and longest merkle proof, in bytes (a block's weight bounds both).
const MAX_PART_LEN: usize = 4_000_000;

/// Length of a header, in bytes (Bitcoin Core `primitives/block.h`).
const HEADER_LEN: usize = 80;

/// Headers of one chain and transactions in its blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The chain.
    pub network: Network,
    /// Height of the first header.
    pub from: u32,
    /// Headers in order, each built on the one before.
    pub headers: Vec<Header>,
    /// Transactions that spend coins of watched wallets.
    pub transactions: Vec<ProvenTransaction>,
    /// The transactions whose outputs these spend, so that whose coins they were can be proven.
    pub previous: Evidence,
}

/// A transaction and the proof that a block holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenTransaction {
    /// The transaction, without witnesses.
    pub transaction: Transaction,
    /// The block.
    pub block: BlockHash,
    /// The branch of the block's merkle tree (BIP37, "Partial Merkle branch format").
    pub proof: PartialMerkleTree,
    /// Inputs that spend a watched wallet's coin, and where in the wallet it was.
    pub own: Vec<OwnInput>,
}

/// A claim that an input spends a wallet's coin. Deriving the script proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnInput {
    /// Which input.
    pub input: u32,
    /// Whose coin.
    pub wallet: WalletId,
    /// Where in the wallet.
    pub keypath: Keypath,
}

impl Canonical for Facts {
    const TAG: &'static str = "airlock/facts/1";

    fn encode_fields(&self, to: &mut Encoder) {
        to.network(self.network);
        to.u32(self.from);
        to.list(&self.headers, |to, header| to.fixed(&serialize(header)));
        to.list(&self.transactions, |to, proven| {
            to.string(&serialize(&without_witnesses(proven.transaction.clone())));
            to.fixed(proven.block.as_byte_array());
            to.string(&serialize(&proven.proof));
            to.list(&proven.own, |to, own| {
                to.u32(own.input);
                to.fixed(own.wallet.as_bytes());
                own.keypath.encode(to);
            });
        });
        let previous: Vec<_> = self.previous.transactions().collect();
        to.list(&previous, |to, transaction| to.string(&serialize(*transaction)));
    }

    fn decode_fields(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        Ok(Self {
            network: from.network("network")?,
            from: from.u32("first height")?,
            headers: from.list("headers", MAX_HEADERS, |from| {
                consensus("header", &from.fixed::<HEADER_LEN>("header")?)
            })?,
            transactions: from.list("transactions", MAX_TRANSACTIONS, |from| {
                Ok(ProvenTransaction {
                    transaction: consensus("transaction", from.string("transaction", MAX_PART_LEN)?)?,
                    block: BlockHash::from_byte_array(from.fixed("block")?),
                    proof: consensus("merkle proof", from.string("merkle proof", MAX_PART_LEN)?)?,
                    own: from.list("own inputs", policies::spend::MAX_ITEMS, |from| {
                        Ok(OwnInput {
                            input: from.u32("input")?,
                            wallet: WalletId::from_bytes(from.fixed("wallet")?),
                            keypath: Keypath::decode(from)?,
                        })
                    })?,
                })
            })?,
            previous: Evidence::new(from.list("previous transactions", MAX_TRANSACTIONS, |from| {
                consensus("previous transaction", from.string("previous transaction", MAX_PART_LEN)?)
            })?),
        })
    }
}

fn consensus<T: bitcoin::consensus::Decodable>(what: &'static str, bytes: &[u8]) -> Result<T, CodecError> {
    deserialize(bytes).map_err(|error| CodecError::invalid(what, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::blockdata::constants::genesis_block;
    use policies::wallet::Branch;

    fn facts() -> Facts {
        let block = genesis_block(Network::Regtest);
        let coinbase = block.txdata[0].clone();
        let proof = PartialMerkleTree::from_txids(&[coinbase.compute_txid()], &[true]);
        Facts {
            network: Network::Regtest,
            from: 0,
            headers: vec![block.header],
            transactions: vec![ProvenTransaction {
                transaction: coinbase.clone(),
                block: block.block_hash(),
                proof,
                own: vec![OwnInput {
                    input: 0,
                    wallet: WalletId::of(b"w"),
                    keypath: Keypath { branch: Branch::Internal, index: 7 },
                }],
            }],
            previous: Evidence::new([coinbase]),
        }
    }

    #[test]
    fn facts_survive_their_bytes_and_nothing_may_follow() {
        let bytes = facts().to_bytes();
        // Proofs pad their bits to whole bytes, so values are compared by their bytes.
        assert_eq!(Facts::from_bytes(&bytes).unwrap().to_bytes(), bytes);
        assert_eq!(Facts::from_bytes(&[bytes.as_slice(), &[0]].concat()), Err(CodecError::Trailing(1)));
        assert!(Facts::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    }
}
