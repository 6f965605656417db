//! The ways in which a wallet spends: what a transaction by one says of time, which coins it can take now, and which later.

use bitcoin::absolute::LockTime;
use bitcoin::relative;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Sequence};
use policies::spend::{Spend, SpendInput};
use policies::text::utc_text;
use policies::wallet::{Locks, SpendingPath, Wallet};

use crate::coins::Coin;
use crate::error::{Error, Result};
use crate::store::Store;

/// Seconds in a unit of a relative lock by time (BIP68).
const UNIT: u64 = 512;

/// A path of a wallet by the number that `wallet list` shows.
#[derive(Clone, Copy, Debug)]
pub struct Path<'w> {
    /// 1 for the first.
    pub number: usize,
    /// The path.
    pub path: &'w SpendingPath,
}

impl<'w> Path<'w> {
    /// The path of that number; without one the first that no lock holds back, else the first.
    ///
    /// Errors: [`Error::Usage`] when there is no such path.
    pub fn choose(wallet: &'w Wallet, number: Option<usize>) -> Result<Self> {
        let is_free = |path: &SpendingPath| path.older().is_none() && path.after().is_none();
        let number = match number {
            Some(number) => number,
            None => wallet.paths().iter().position(is_free).unwrap_or_default().saturating_add(1),
        };
        let at = number.checked_sub(1).and_then(|at| wallet.paths().get(at));
        let path = at.ok_or_else(|| Error::Usage {
            what: format!("--path {number}"),
            reason: format!(
                "the wallet's paths are 1 to {}, as `wallet list` numbers them",
                wallet.paths().len()
            ),
        })?;
        Ok(Self { number, path })
    }

    /// The first path that a spend's locks are those of.
    pub fn of(wallet: &'w Wallet, spend: &Spend) -> Option<Self> {
        let locks = locks_of(spend);
        let mut paths = (1..).zip(wallet.paths()).map(|(number, path)| Self { number, path });
        paths.find(|path| path.locks() == locks)
    }

    /// What a transaction by this path says of time: no more than the path needs. It can be replaced (BIP125).
    pub fn locks(&self) -> Locks {
        Locks {
            version: Version::TWO,
            lock_time: self.path.after().unwrap_or(LockTime::ZERO),
            sequence: self.path.older().map_or(Sequence::ENABLE_RBF_NO_LOCKTIME, |lock| lock.to_sequence()),
        }
    }
}

/// What a spend says of time by its first input; all inputs say the same in what is built here.
pub fn locks_of(spend: &Spend) -> Locks {
    let sequence = spend.inputs().first().map_or(Sequence::MAX, |input| input.sequence);
    Locks { version: spend.version(), lock_time: spend.lock_time(), sequence }
}

/// What a spend says of time by one of its inputs: those of a foreign PSBT may differ.
pub fn locks_at(spend: &Spend, input: &SpendInput) -> Locks {
    Locks { sequence: input.sequence, ..locks_of(spend) }
}

/// The scanned chain as locks see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// Height of the tip.
    pub height: u32,
    /// Median time past of the tip, in seconds of Unix time (BIP113).
    pub median_time: u64,
}

impl Moment {
    /// Where the scan stands.
    pub fn now(store: &Store) -> Result<Self> {
        let tip = store.tip()?.ok_or(Error::NotScanned(None))?;
        Ok(Self { height: tip.height, median_time: store.median_time_past(tip.height)? })
    }

    fn has_come(self, now: Moment) -> bool {
        now.height >= self.height && now.median_time >= self.median_time
    }

    /// `from block 144 on`.
    pub fn text(self) -> String {
        let height = (self.height > 0).then(|| format!("from block {} on", self.height));
        let time = (self.median_time > 0).then(|| format!("from {} on", utc_text(self.median_time)));
        let parts: Vec<_> = height.into_iter().chain(time).collect();
        if parts.is_empty() { "now".to_owned() } else { parts.join(" and ") }
    }
}

/// The least tip on which a transaction with these locks can be relayed and mined next, for a coin that is confirmed at a
/// height (BIP65, BIP68, BIP112, BIP113). Zeroes where nothing has to be waited for.
pub fn opening(store: &Store, locks: &Locks, height: u32) -> Result<Moment> {
    let mut opens = Moment { height: 0, median_time: 0 };
    match locks.lock_time {
        LockTime::Blocks(lock) => opens.height = lock.to_consensus_u32(),
        // A locktime must be below the time that it is held against.
        LockTime::Seconds(lock) => opens.median_time = u64::from(lock.to_consensus_u32()).saturating_add(1),
    }
    match locks.sequence.to_relative_lock_time() {
        None => {}
        Some(relative::LockTime::Blocks(lock)) => {
            let tip = height.saturating_add(u32::from(lock.value())).saturating_sub(1);
            if lock.value() > 0 {
                opens.height = opens.height.max(tip);
            }
        }
        Some(relative::LockTime::Time(lock)) => {
            // Counted from the block before the coin's own; where that was not scanned, from the coin's own.
            let before = height.saturating_sub(1).max(store.scanned_from()?.unwrap_or_default()).min(height);
            let since = store.median_time_past(before)?;
            let lock = u64::from(lock.value()).saturating_mul(UNIT);
            opens.median_time = opens.median_time.max(since.saturating_add(lock));
        }
    }
    Ok(opens)
}

/// Coins that can be spent with some locks now, and the others.
#[derive(Clone, Debug, Default)]
pub struct Ripeness {
    /// Those that can.
    pub ripe: Vec<Coin>,
    /// Those that cannot yet, each with when it can, the first to open first.
    pub waiting: Vec<(Moment, Coin)>,
}

impl Ripeness {
    /// Sorts confirmed coins by these locks; unconfirmed ones are neither.
    pub fn of(store: &Store, locks: &Locks, coins: impl IntoIterator<Item = Coin>) -> Result<Self> {
        let now = Moment::now(store)?;
        let mut sorted = Self::default();
        for coin in coins {
            let Some(height) = coin.height else { continue };
            let opens = opening(store, locks, height)?;
            if opens.has_come(now) {
                sorted.ripe.push(coin);
            } else {
                sorted.waiting.push((opens, coin));
            }
        }
        sorted.waiting.sort_by_key(|(opens, coin)| (*opens, coin.outpoint));
        Ok(sorted)
    }

    /// When the first of those that wait opens.
    pub fn next(&self) -> Option<Moment> {
        self.waiting.first().map(|(opens, _)| *opens)
    }

    /// The sum of those that wait.
    pub fn waiting_sum(&self) -> Amount {
        sum(self.waiting.iter().map(|(_, coin)| coin))
    }

    /// The sum of those that can be spent.
    pub fn ripe_sum(&self) -> Amount {
        sum(&self.ripe)
    }
}

fn sum<'c>(coins: impl IntoIterator<Item = &'c Coin>) -> Amount {
    let amounts = coins.into_iter().map(|coin| coin.value);
    amounts.fold(Amount::ZERO, |sum, value| sum.checked_add(value).unwrap_or(Amount::MAX_MONEY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ChainConfig, Config};

    const KEYS: [&str; 2] = [
        "[73c5da0a/48h/1h/0h/2h]tpubDC8msFGeGuwnKG9Upg7DM2b4DaRqg3CUZa5g8v2SRQ6K4NSkxUgd7HsL2XVWbVm39yBA4LAxysQAm397zwQSQoQgewGiYZqrA9DsP4zbQ1M/<0;1>/*",
        "[11111111/48h/1h/0h/2h]tpubDC5FSnBiZDMmhiuCmWAYsLwgLYrrT9rAqvTySfuCCrgsWz8wxMXUS9Tb9iVMvcRbvFcAHGkMD5Kx8koh4GquNGNTfohfk7pgjhaPCdXpoba/<0;1>/*",
    ];

    fn wallet(recovery: &str) -> Wallet {
        let text = format!("wsh(or_d(pk({}),and_v(v:pkh({}),{recovery})))", KEYS[0], KEYS[1]);
        Wallet::new(bitcoin::Network::Regtest, &[text]).unwrap()
    }

    #[test]
    fn a_path_says_what_it_needs_and_no_more() {
        let recovery = wallet("older(10)");
        let first = Path::choose(&recovery, None).unwrap();
        assert_eq!((first.number, first.locks().sequence), (1, Sequence::ENABLE_RBF_NO_LOCKTIME));
        let second = Path::choose(&recovery, Some(2)).unwrap();
        assert_eq!(second.locks().sequence, Sequence::from_height(10));
        assert!(second.path.is_open(&second.locks()) && !second.path.is_open(&first.locks()));
        let after = wallet("after(800000)");
        let second = Path::choose(&after, Some(2)).unwrap();
        assert_eq!(second.locks().lock_time.to_consensus_u32(), 800_000);
        assert!(second.path.is_open(&second.locks()), "the sequence enables the locktime");
        assert!(Path::choose(&after, Some(3)).is_err() && Path::choose(&after, Some(0)).is_err());
    }

    #[test]
    fn a_coin_opens_at_the_tip_on_which_the_next_block_may_spend_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { network: bitcoin::Network::Regtest, chain: ChainConfig::Embedded };
        let store = Store::create(dir.path(), &config).unwrap();
        let at = |wallet: &Wallet, number| {
            let locks = Path::choose(wallet, Some(number)).unwrap().locks();
            let Moment { height, median_time } = opening(&store, &locks, 100).unwrap();
            (height, median_time)
        };
        assert_eq!(at(&wallet("older(10)"), 1), (0, 0));
        // BIP68: mined in block 110 at the earliest, so relayed on top of block 109.
        assert_eq!(at(&wallet("older(10)"), 2), (109, 0));
        assert_eq!(at(&wallet("after(800)"), 2), (800, 0));
        assert_eq!(at(&wallet("after(1700000000)"), 2), (0, 1_700_000_001));
        assert_eq!(Moment { height: 109, median_time: 0 }.text(), "from block 109 on");
    }
}
