//! The chain of headers that the gatekeeper verified itself: the only clock and the only confirmations it believes.
//!
//! It begins at the network's genesis block, or at a checkpoint that the company chose. Pure: the wall clock is an argument.

mod batch;
mod proof;
mod rules;

pub use proof::{Confirmed, ProofError};

use batch::{Linked, linked};
use bitcoin::block::Header;
use bitcoin::constants::genesis_block;
use bitcoin::{BlockHash, Network, Target, Work};
use rules::Times;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;

/// Longest branch: 38 years of blocks, about 350 MB.
pub const MAX_HEADERS: usize = 2_000_000;

/// Most headers off the best chain from which more are taken only when they have most work.
pub const MAX_STALE: usize = 20_160;

/// How far below the tip a branch may begin that has not most work, in blocks.
pub const MAX_FORK_DEPTH: u32 = 2_016;

/// How far ahead of the wall clock a header may be, in seconds (Bitcoin Core `MAX_FUTURE_BLOCK_TIME`, chain.h).
pub const MAX_AHEAD: u64 = 2 * 3_600;

/// Why headers are not taken. Each says at which height, and what was expected there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A header does not build on the one before it in the batch.
    #[error("the header at height {height} builds on {found}, expected {expected}")]
    Unlinked {
        /// Where.
        height: u32,
        /// What it builds on.
        found: BlockHash,
        /// The header before it.
        expected: BlockHash,
    },
    /// The first new header builds on nothing that is known here.
    #[error("the header at height {height} builds on {parent}, which is not known here; known: {known}")]
    Gap {
        /// Where.
        height: u32,
        /// What it builds on.
        parent: BlockHash,
        /// What is known instead.
        known: String,
    },
    /// The headers do not hold the start of the chain, or contradict it.
    #[error("at height {height} the chain has {expected}, found {}", found_text(.found.as_ref()))]
    Start {
        /// Where.
        height: u32,
        /// The genesis block, the checkpoint, or what leads up to it.
        expected: BlockHash,
        /// What the headers have there.
        found: Option<BlockHash>,
    },
    /// A known header at another height than the one that is claimed.
    #[error("the header {hash} is at height {expected}, not {height}")]
    Height {
        /// The claim.
        height: u32,
        /// The header.
        hash: BlockHash,
        /// Where it is.
        expected: u32,
    },
    /// The hash does not meet the header's own target.
    #[error("the header at height {height} hashes to {hash}, which does not meet its target {target:x}")]
    Work {
        /// Where.
        height: u32,
        /// Its hash.
        hash: BlockHash,
        /// What it must not exceed.
        target: Target,
    },
    /// The target is none that may follow.
    #[error("the header at height {height} has bits {found:#010x}, expected {expected}")]
    Bits {
        /// Where.
        height: u32,
        /// The bits.
        found: u32,
        /// Which would be right.
        expected: String,
    },
    /// The time is not above the median of the eleven headers before.
    #[error("the header at height {height} has time {time}, expected more than the median {median}")]
    TooEarly {
        /// Where.
        height: u32,
        /// Its time, unix seconds.
        time: u32,
        /// The median time past before it.
        median: u64,
    },
    /// The time is too far ahead of the clock.
    #[error(
        "the header at height {height} has time {time}, expected at most {latest}, two hours ahead of the clock"
    )]
    TooLate {
        /// Where.
        height: u32,
        /// Its time, unix seconds.
        time: u32,
        /// The latest that is believed.
        latest: u64,
    },
    /// A longer branch than is kept, or heights beyond all bounds.
    #[error("the header at height {height} is one too many: at most {MAX_HEADERS} are kept")]
    Full {
        /// Where.
        height: u32,
    },
    /// A branch from far below that has not most work.
    #[error(
        "the header at height {height} is of a branch that leaves the chain at height {fork}, more than {MAX_FORK_DEPTH} \
         blocks below its tip at {tip}, and has no more work than it"
    )]
    Deep {
        /// Where.
        height: u32,
        /// The last block that the branch shares with the best chain.
        fork: u32,
        /// Height of the best chain.
        tip: u32,
    },
    /// Too many headers of branches that have not most work.
    #[error(
        "the header at height {height} is of a branch with no more work than the chain, and {MAX_STALE} such headers are \
         the most that are kept"
    )]
    Stale {
        /// Where.
        height: u32,
    },
}

/// What a batch came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extended {
    /// The part of the batch that was not known before, with what links it to the chain: the same batch reduced to this
    /// range does the same. Empty when all was known.
    pub fresh: Range<usize>,
    /// How many blocks left the best chain.
    pub replaced: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Node {
    header: Header,
    height: u32,
    /// Work since the start of the chain, the start not counted.
    work: Work,
}

/// Verified headers of all branches above a start, and which of them are the best chain: that with most work, the first
/// of several with as much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderChain {
    network: Network,
    start: (u32, BlockHash),
    nodes: HashMap<BlockHash, Node>,
    /// Height of the lowest header: the start, or one that leads up to it.
    base: u32,
    best: VecDeque<BlockHash>,
}

impl HeaderChain {
    /// A chain that begins at the genesis block, which is known, or at a checkpoint, whose header must come with the first
    /// batch. Nothing ever replaces the checkpoint or what leads up to it.
    pub fn new(network: Network, checkpoint: Option<(u32, BlockHash)>) -> Self {
        let genesis = genesis_block(network).header;
        let start = checkpoint.unwrap_or((0, genesis.block_hash()));
        let mut chain = Self { network, start, nodes: HashMap::new(), base: start.0, best: VecDeque::new() };
        if checkpoint.is_none() {
            chain.nodes.insert(start.1, Node { header: genesis, height: 0, work: no_work() });
            chain.best.push_back(start.1);
        }
        chain
    }

    /// Takes headers in order, the first at height `from`, at the wall clock `now` in unix seconds: all of them or none.
    /// They may overlap what is known, and may lead up to the lowest known header, which then proves them.
    ///
    /// # Errors
    /// [`ChainError`] at the first header that breaks a rule.
    pub fn extend(&mut self, from: u32, headers: &[Header], now: u64) -> Result<Extended, ChainError> {
        let batch = linked(from, headers)?;
        let proven = self.proven_by_start(from, &batch)?;
        let (below, above) = batch.split_at_checked(proven).unwrap_or((&batch, &[]));
        if self.best.len().saturating_add(below.len()) > MAX_HEADERS {
            return Err(ChainError::Full { height: from });
        }
        let lowest = if below.is_empty() { self.base } else { from };
        let mut added: HashMap<BlockHash, Node> =
            below.iter().map(|link| (link.hash, node(link, no_work()))).collect();
        let mut times: Option<Times> = None;
        let mut first_new = None;
        for (at, link) in above.iter().enumerate() {
            if let Some(known) = self.nodes.get(&link.hash) {
                if known.height != link.height {
                    return Err(ChainError::Height {
                        height: link.height,
                        hash: link.hash,
                        expected: known.height,
                    });
                }
                continue;
            }
            let find = |hash: &BlockHash| added.get(hash).or_else(|| self.nodes.get(hash));
            let parent = find(&link.header.prev_blockhash).ok_or_else(|| self.gap(link))?;
            if parent.height.checked_add(1) != Some(link.height) {
                let expected = parent.height.saturating_add(1);
                return Err(ChainError::Height { height: link.height, hash: link.hash, expected });
            }
            if link.height <= self.start.0 {
                let expected = self.hash_at(link.height).unwrap_or(self.start.1);
                return Err(ChainError::Start { height: link.height, expected, found: Some(link.hash) });
            }
            let length = usize::try_from(link.height.saturating_sub(lowest)).unwrap_or(usize::MAX);
            if length >= MAX_HEADERS {
                return Err(ChainError::Full { height: link.height });
            }
            let times = times.get_or_insert_with(|| Times::before(link.header, find));
            rules::check(self.network, &parent.header, times.median(), link, now)?;
            times.push(link.header);
            #[allow(
                clippy::arithmetic_side_effects,
                reason = "2,000,000 headers of less work than 2^234 each cannot overflow"
            )]
            let work = parent.work + link.header.work();
            added.insert(link.hash, node(link, work));
            first_new.get_or_insert(proven.saturating_add(at));
        }
        if let (Some(first), Some(last)) = (first_new.and_then(|at| batch.get(at)), above.last()) {
            let is_best = added.get(&last.hash).map(|node| node.work) > self.best_work();
            if !is_best {
                self.refuse_worthless(first, last)?;
            }
        }
        let fresh = match (proven, first_new) {
            (0, None) => 0..0,
            (0, Some(first)) => first..batch.len(),
            (_, Some(_)) => 0..batch.len(),
            // The lowest known header must follow what it proves.
            (below, None) => 0..below.saturating_add(1).min(batch.len()),
        };
        let replaced = self.take(below, above.last(), added);
        Ok(Extended { fresh, replaced })
    }

    /// Height and hash of the best chain's last block; none before the checkpoint's header is known.
    pub fn tip(&self) -> Option<(u32, BlockHash)> {
        let hash = self.best.back()?;
        Some((self.nodes.get(hash)?.height, *hash))
    }

    /// Bitcoin time: the median time past at the tip, unix seconds (BIP113).
    pub fn median_time_past(&self) -> Option<u64> {
        self.median_time_past_at(self.tip()?.0)
    }

    /// The median of the times of the eleven blocks that end at this height. None when fewer are known and the chain does
    /// not begin at the genesis block.
    pub fn median_time_past_at(&self, height: u32) -> Option<u64> {
        Times::up_to(self.hash_at(height)?, |hash| self.nodes.get(hash)).median()
    }

    /// Height of a block of the best chain.
    pub fn height_of(&self, block: &BlockHash) -> Option<u32> {
        let height = self.nodes.get(block)?.height;
        (self.hash_at(height)? == *block).then_some(height)
    }

    /// How many blocks below the tip the branch of a block leaves the best chain: 0 to its height for one of the best chain
    /// itself. None for a block that is not known.
    pub fn fork_depth(&self, block: &BlockHash) -> Option<u32> {
        self.tip()?.0.checked_sub(self.fork_of(block)?)
    }

    /// The best chain's header at a height.
    pub fn header_at(&self, height: u32) -> Option<&Header> {
        Some(&self.nodes.get(&self.hash_at(height)?)?.header)
    }

    /// How many headers are known, on all branches.
    pub fn known(&self) -> usize {
        self.nodes.len()
    }

    fn hash_at(&self, height: u32) -> Option<BlockHash> {
        let at = usize::try_from(height.checked_sub(self.base)?).ok()?;
        self.best.get(at).copied()
    }

    /// How many headers of a batch are proven by the start of the chain because they lead up to it.
    fn proven_by_start(&self, from: u32, batch: &[Linked<'_>]) -> Result<usize, ChainError> {
        let (height, expected) = match self.best.front() {
            _ if batch.is_empty() => return Ok(0),
            Some(_) if from >= self.base => return Ok(0),
            Some(lowest) => (self.base, *lowest),
            None => self.start,
        };
        let at = height.checked_sub(from).and_then(|at| usize::try_from(at).ok());
        let found = at.and_then(|at| batch.get(at)).map(|link| link.hash);
        match at {
            // The start itself is new when nothing was known before.
            Some(at) if found == Some(expected) => Ok(at.saturating_add(usize::from(self.best.is_empty()))),
            _ => Err(ChainError::Start { height, expected, found }),
        }
    }

    /// Whether new headers without most work are kept all the same. They cost little to make: without bounds they would
    /// fill the memory, or leave no room for the best chain.
    fn refuse_worthless(&self, first: &Linked<'_>, last: &Linked<'_>) -> Result<(), ChainError> {
        let Some((tip, _)) = self.tip() else { return Ok(()) };
        // A parent that is not known yet leads up to the lowest header of the best chain.
        let fork = self.fork_of(&first.header.prev_blockhash).unwrap_or(self.base);
        if tip.saturating_sub(fork) > MAX_FORK_DEPTH {
            return Err(ChainError::Deep { height: first.height, fork, tip });
        }
        let new = u64::from(last.height.saturating_sub(first.height)).saturating_add(1);
        let stale = self.nodes.len().saturating_sub(self.best.len());
        if usize::try_from(new).unwrap_or(usize::MAX).saturating_add(stale) > MAX_STALE {
            return Err(ChainError::Stale { height: first.height });
        }
        Ok(())
    }

    /// Height of the last block that the best chain shares with the branch of a block.
    fn fork_of(&self, block: &BlockHash) -> Option<u32> {
        let mut at = *block;
        loop {
            let node = self.nodes.get(&at)?;
            if self.hash_at(node.height) == Some(at) {
                return Some(node.height);
            }
            at = node.header.prev_blockhash;
        }
    }

    fn best_work(&self) -> Option<Work> {
        Some(self.nodes.get(self.best.back()?)?.work)
    }

    /// Puts verified headers in, and follows the best chain. Gives how many blocks left it.
    fn take(
        &mut self,
        below: &[Linked<'_>],
        last: Option<&Linked<'_>>,
        added: HashMap<BlockHash, Node>,
    ) -> usize {
        self.nodes.extend(added);
        for link in below.iter().rev() {
            self.base = link.height;
            self.best.push_front(link.hash);
        }
        match last {
            Some(last) if self.nodes.get(&last.hash).map(|node| node.work) > self.best_work() => {
                self.follow(last.hash)
            }
            _ => 0,
        }
    }

    fn follow(&mut self, tip: BlockHash) -> usize {
        let mut branch = Vec::new();
        let mut at = tip;
        while let Some(node) = self.nodes.get(&at).filter(|node| self.hash_at(node.height) != Some(at)) {
            branch.push(at);
            at = node.header.prev_blockhash;
        }
        let kept =
            self.height_of(&at).and_then(|height| usize::try_from(height.checked_sub(self.base)?).ok());
        let kept = kept.map_or(0, |at| at.saturating_add(1));
        let replaced = self.best.len().saturating_sub(kept);
        self.best.truncate(kept);
        self.best.extend(branch.into_iter().rev());
        replaced
    }

    fn gap(&self, link: &Linked<'_>) -> ChainError {
        let known = match self.tip() {
            Some((tip, _)) => format!("heights {} to {tip}", self.base),
            None => format!("the checkpoint {} at height {}", self.start.1, self.start.0),
        };
        ChainError::Gap { height: link.height, parent: link.header.prev_blockhash, known }
    }
}

fn node(link: &Linked<'_>, work: Work) -> Node {
    Node { header: *link.header, height: link.height, work }
}

fn no_work() -> Work {
    Work::from_be_bytes([0; 32])
}

fn found_text(found: Option<&BlockHash>) -> String {
    found.map_or_else(|| "no header for it".to_owned(), BlockHash::to_string)
}

#[cfg(test)]
pub(crate) mod tests;
