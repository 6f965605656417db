//! What a header must be on its own and after the one before it (Bitcoin Core `ContextualCheckBlockHeader`, validation.cpp).

use super::batch::Linked;
use super::{ChainError, MAX_AHEAD, Node};
use bitcoin::block::Header;
use bitcoin::consensus::Params;
use bitcoin::{BlockHash, CompactTarget, Network, Target};
use std::collections::VecDeque;

/// Headers of which the median is taken (BIP113).
const MEDIAN_SPAN: usize = 11;

/// Blocks between changes of the target.
const PERIOD: u32 = 2_016;

/// The times of up to eleven headers in a row.
pub struct Times {
    times: VecDeque<u32>,
    /// Whether there are no more because the chain begins here.
    is_whole: bool,
}

impl Times {
    /// The times up to and including a block, as far as they are known.
    pub fn up_to<'a>(block: BlockHash, find: impl Fn(&BlockHash) -> Option<&'a Node>) -> Self {
        let mut times = VecDeque::with_capacity(MEDIAN_SPAN);
        let mut is_whole = false;
        let mut at = find(&block);
        while let Some(node) = at.filter(|_| times.len() < MEDIAN_SPAN) {
            times.push_front(node.header.time);
            is_whole = node.height == 0;
            at = find(&node.header.prev_blockhash);
        }
        Self { times, is_whole }
    }

    /// The times before a header.
    pub fn before<'a>(header: &Header, find: impl Fn(&BlockHash) -> Option<&'a Node>) -> Self {
        Self::up_to(header.prev_blockhash, find)
    }

    /// Adds the next header's.
    pub fn push(&mut self, header: &Header) {
        self.times.push_back(header.time);
        if self.times.len() > MEDIAN_SPAN {
            self.times.pop_front();
        }
    }

    /// Their median; none when some are missing.
    pub fn median(&self) -> Option<u64> {
        if self.times.len() < MEDIAN_SPAN && !self.is_whole {
            return None;
        }
        let mut sorted: Vec<u32> = self.times.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len().checked_div(2)?).map(|time| u64::from(*time))
    }
}

/// Target, work and time of a header that follows `parent`. Where fewer than eleven headers are known behind a checkpoint,
/// there is no median to be above.
///
/// # Errors
/// [`ChainError`] for the first rule that is broken.
pub fn check(
    network: Network,
    parent: &Header,
    median: Option<u64>,
    link: &Linked<'_>,
    now: u64,
) -> Result<(), ChainError> {
    let (height, header) = (link.height, link.header);
    bits(network, parent.bits, height, header.bits)?;
    let target = header.target();
    if !target.is_met_by(link.hash) {
        return Err(ChainError::Work { height, hash: link.hash, target });
    }
    if let Some(median) = median.filter(|median| u64::from(header.time) <= *median) {
        return Err(ChainError::TooEarly { height, time: header.time, median });
    }
    let latest = now.saturating_add(MAX_AHEAD);
    if u64::from(header.time) > latest {
        return Err(ChainError::TooLate { height, time: header.time, latest });
    }
    Ok(())
}

/// Whether these bits may follow those of the header before. Test networks change their target by other rules: there only
/// the network's easiest target bounds it.
fn bits(
    network: Network,
    before: CompactTarget,
    height: u32,
    found: CompactTarget,
) -> Result<(), ChainError> {
    let refuse = |expected: String| Err(ChainError::Bits { height, found: found.to_consensus(), expected });
    let target = Target::from_compact(found);
    let easiest = Params::new(network).max_attainable_target;
    if target.to_compact_lossy() != found || target == Target::ZERO || target > easiest {
        let easiest = easiest.to_compact_lossy().to_consensus();
        return refuse(format!("a target from 1 to that of {easiest:#010x}"));
    }
    let has_fixed_periods = match network {
        Network::Bitcoin | Network::Signet => true,
        Network::Testnet | Network::Testnet4 | Network::Regtest => false,
    };
    if !has_fixed_periods || found == before {
        return Ok(());
    }
    if !height.is_multiple_of(PERIOD) {
        return refuse(format!("{:#010x}, as before", before.to_consensus()));
    }
    // Compact targets are rounded down, so the lowest is rounded as well.
    let old = Target::from_compact(before);
    let hardest = Target::from_compact(old.min_transition_threshold().to_compact_lossy());
    if target < hardest || target > old.max_transition_threshold_unchecked() {
        return refuse(format!("at most a factor of 4 from {:#010x}", before.to_consensus()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(network: Network, before: u32, height: u32, found: u32) -> bool {
        let compact = CompactTarget::from_consensus;
        bits(network, compact(before), height, compact(found)).is_ok()
    }

    #[test]
    fn the_target_changes_only_where_a_period_ends() {
        // The first change of mainnet's target, at height 32 256.
        assert!(allowed(Network::Bitcoin, 0x1d00_ffff, 32_256, 0x1d00_d86a));
        for height in [32_255, 32_257] {
            assert!(!allowed(Network::Bitcoin, 0x1d00_ffff, height, 0x1d00_d86a));
            assert!(!allowed(Network::Signet, 0x1d00_ffff, height, 0x1d00_d86a));
            assert!(allowed(Network::Testnet, 0x1d00_ffff, height, 0x1d00_d86a));
        }
    }

    #[test]
    fn the_target_changes_by_a_factor_of_four_at_most() {
        let network = Network::Bitcoin;
        // The limits of Bitcoin Core's own test, `get_next_work_lower_limit_actual` and `…_upper_limit_actual`.
        assert!(allowed(network, 0x1c05_a3f4, 2_016, 0x1c01_68fd));
        assert!(!allowed(network, 0x1c05_a3f4, 2_016, 0x1c01_68fc));
        assert!(allowed(network, 0x1c38_7f6f, 2_016, 0x1d00_e1fd));
        assert!(!allowed(network, 0x1c38_7f6f, 2_016, 0x1d00_e1fe));
    }

    #[test]
    fn no_target_is_easier_than_the_network_s_easiest_or_written_twice() {
        assert!(allowed(Network::Regtest, 0x207f_ffff, 1, 0x207f_ffff));
        for (network, bits) in [
            (Network::Regtest, 0x2100_ffff),
            (Network::Bitcoin, 0x1d01_0000),
            (Network::Signet, 0x1e03_77af),
            (Network::Regtest, 0),
            (Network::Regtest, 0x1d80_ffff),
            (Network::Regtest, 0xff7f_ffff),
            // 0x1d00ffff in another way.
            (Network::Testnet, 0x1e00_00ff),
        ] {
            assert!(!allowed(network, bits, 2_016, bits), "{network} {bits:#x}");
        }
    }
}
