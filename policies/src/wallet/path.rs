//! The ways in which a wallet's coins can be spent, and when each is open.

use super::{KeyPlace, WalletError};
use bitcoin::absolute;
use bitcoin::transaction::Version;
use bitcoin::{Sequence, relative};
use miniscript::policy::{Liftable, Semantic};
use miniscript::{Descriptor, DescriptorPublicKey, ForEachKey};
use std::collections::BTreeSet;

/// What a transaction says of time, for one of its inputs: what `OP_CHECKSEQUENCEVERIFY` (BIP112) and
/// `OP_CHECKLOCKTIMEVERIFY` (BIP65) look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locks {
    /// The transaction's version; relative locks need 2 (BIP68).
    pub version: Version,
    /// The transaction's locktime.
    pub lock_time: absolute::LockTime,
    /// The input's sequence.
    pub sequence: Sequence,
}

impl Locks {
    fn meets_older(&self, needed: relative::LockTime) -> bool {
        // The version counts as unsigned (BIP68, BIP112).
        self.version.0.cast_unsigned() >= 2
            && self.sequence.to_relative_lock_time().is_some_and(|given| needed.is_implied_by(given))
    }

    fn meets_after(&self, needed: absolute::LockTime) -> bool {
        self.sequence.enables_absolute_lock_time() && needed.is_implied_by(self.lock_time)
    }
}

/// One alternative of a wallet's policy: whose signatures, and what else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendingPath {
    condition: Condition,
    older: Option<relative::LockTime>,
    after: Option<absolute::LockTime>,
}

/// A spending condition over the wallet's places.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Condition {
    Key(usize),
    Older(relative::LockTime),
    After(absolute::LockTime),
    Preimage(String),
    Always,
    Never,
    Threshold(usize, Vec<Condition>),
}

impl SpendingPath {
    /// How old every coin must be, where no satisfaction does without (BIP68).
    pub fn older(&self) -> Option<relative::LockTime> {
        self.older
    }

    /// From when on it is open, where no satisfaction does without (BIP65).
    pub fn after(&self) -> Option<absolute::LockTime> {
        self.after
    }

    /// Whether a transaction with these locks can take it, given signatures and preimages.
    pub fn is_open(&self, locks: &Locks) -> bool {
        self.condition.can_be_met(&Given::at(locks))
    }

    /// The wallet's places whose signatures count under these locks.
    pub fn signers(&self, locks: &Locks) -> BTreeSet<usize> {
        let mut places = BTreeSet::new();
        self.condition.collect_signers(&Given::at(locks), &mut places);
        places
    }

    /// The wallet's places whose signatures can ever count, whatever the locks.
    pub(super) fn counting(&self) -> BTreeSet<usize> {
        let mut places = BTreeSet::new();
        let unlocked = Given { locks: None, signed: None, age: None, time: None };
        self.condition.unlocked().collect_signers(&unlocked, &mut places);
        places
    }

    /// How many of how many keys it needs, where it is a plain threshold: 2 of 3.
    pub fn threshold(&self) -> Option<(usize, usize)> {
        let is_key = |part: &Condition| matches!(part, Condition::Key(_));
        if is_key(&self.condition) {
            return Some((1, 1));
        }
        let Condition::Threshold(k, parts) = &self.condition else { return None };
        parts.iter().all(is_key).then_some((*k, parts.len()))
    }

    /// Whether these places' signatures are enough under these locks, given every preimage.
    pub fn is_met_by(&self, signed: &BTreeSet<usize>, locks: &Locks) -> bool {
        self.condition.can_be_met(&Given { signed: Some(signed), ..Given::at(locks) })
    }

    /// A key whose signatures count at two of its places at once, so that fewer hands suffice than the threshold says
    /// (check C09); alternatives may share a key.
    pub(super) fn counted_twice(&self, places: &[KeyPlace]) -> Option<usize> {
        self.condition.keys_once(places).err()
    }

    /// In words, with the name that each place's key has.
    pub fn text(&self, name: &dyn Fn(usize) -> String) -> String {
        self.condition.text(name)
    }
}

/// What a condition is held against; what is not said is given.
#[derive(Clone, Copy)]
struct Given<'a> {
    locks: Option<&'a Locks>,
    signed: Option<&'a BTreeSet<usize>>,
    age: Option<relative::LockTime>,
    time: Option<absolute::LockTime>,
}

impl<'a> Given<'a> {
    /// Every signature and preimage, under a transaction's locks.
    fn at(locks: &'a Locks) -> Self {
        Self { locks: Some(locks), signed: None, age: None, time: None }
    }

    fn older(&self, needed: relative::LockTime) -> bool {
        match self.locks {
            Some(locks) => locks.meets_older(needed),
            None => self.age.is_some_and(|age| needed.is_implied_by(age)),
        }
    }

    fn after(&self, needed: absolute::LockTime) -> bool {
        match self.locks {
            Some(locks) => locks.meets_after(needed),
            None => self.time.is_some_and(|time| needed.is_implied_by(time)),
        }
    }
}

impl Condition {
    fn can_be_met(&self, given: &Given<'_>) -> bool {
        match self {
            Condition::Key(place) => given.signed.is_none_or(|signed| signed.contains(place)),
            Condition::Older(needed) => given.older(*needed),
            Condition::After(needed) => given.after(*needed),
            Condition::Preimage(_) | Condition::Always => true,
            Condition::Never => false,
            Condition::Threshold(k, parts) => {
                parts.iter().filter(|part| part.can_be_met(given)).count() >= *k
            }
        }
    }

    fn collect_signers(&self, given: &Given<'_>, places: &mut BTreeSet<usize>) {
        if !self.can_be_met(given) {
            return;
        }
        if let Condition::Key(place) = self {
            places.insert(*place);
        }
        self.parts().iter().for_each(|part| part.collect_signers(given, places));
    }

    /// Every key in it; the error is one that stands in two parts of which more than one is needed.
    fn keys_once(&self, places: &[KeyPlace]) -> Result<BTreeSet<usize>, usize> {
        if let Condition::Key(place) = self {
            return Ok(places.get(*place).and_then(|place| place.key).into_iter().collect());
        }
        let is_choice = matches!(self, Condition::Threshold(1, _));
        let mut keys = BTreeSet::new();
        for part in self.parts() {
            for key in part.keys_once(places)? {
                if !keys.insert(key) && !is_choice {
                    return Err(key);
                }
            }
        }
        Ok(keys)
    }

    /// The same when every lock is open.
    fn unlocked(&self) -> Condition {
        match self {
            Condition::Older(_) | Condition::After(_) => Condition::Always,
            Condition::Threshold(k, parts) => {
                Condition::Threshold(*k, parts.iter().map(Condition::unlocked).collect())
            }
            Condition::Key(_) | Condition::Preimage(_) | Condition::Always | Condition::Never => self.clone(),
        }
    }

    fn parts(&self) -> &[Condition] {
        if let Condition::Threshold(_, parts) = self { parts } else { &[] }
    }

    fn text(&self, name: &dyn Fn(usize) -> String) -> String {
        match self {
            Condition::Key(place) => name(*place),
            Condition::Older(lock) => older_text(*lock),
            Condition::After(lock) => after_text(*lock),
            Condition::Preimage(hash) => format!("the preimage of {hash}"),
            Condition::Always => "anybody".to_owned(),
            Condition::Never => "nobody".to_owned(),
            Condition::Threshold(k, parts) => {
                let is_choice = *k < parts.len();
                let words: Vec<_> = parts.iter().map(|part| part.part_text(is_choice, name)).collect();
                match (*k, parts.len()) {
                    (k, n) if k == n => words.join(" and "),
                    (1, _) => format!("({})", words.join(" or ")),
                    (k, n) => format!("{k} of {n} ({})", words.join(", ")),
                }
            }
        }
    }

    /// The same as a part: among alternatives, those who sign together stand in brackets.
    fn part_text(&self, in_choice: bool, name: &dyn Fn(usize) -> String) -> String {
        let text = self.text(name);
        let are_together = matches!(self, Condition::Threshold(k, parts) if *k > 1 && *k == parts.len());
        if in_choice && are_together { format!("({text})") } else { text }
    }

    fn locks(&self, older: &mut Vec<relative::LockTime>, after: &mut Vec<absolute::LockTime>) {
        if let Condition::Older(lock) = self {
            older.push(*lock);
        }
        if let Condition::After(lock) = self {
            after.push(*lock);
        }
        self.parts().iter().for_each(|part| part.locks(older, after));
    }

    /// The alternatives of a choice; a condition that is none is its own only alternative. A choice among keys stays one.
    fn alternatives(self, to: &mut Vec<Condition>) {
        let is_choice = matches!(&self, Condition::Threshold(1, parts)
            if parts.iter().any(|part| !matches!(part, Condition::Key(_))));
        match self {
            Condition::Threshold(_, parts) if is_choice => {
                parts.into_iter().for_each(|part| part.alternatives(to));
            }
            other @ (Condition::Key(_)
            | Condition::Older(_)
            | Condition::After(_)
            | Condition::Preimage(_)
            | Condition::Always
            | Condition::Never
            | Condition::Threshold(..)) => to.push(other),
        }
    }
}

/// `144 blocks after each coin's confirmation`.
fn older_text(lock: relative::LockTime) -> String {
    match lock {
        relative::LockTime::Blocks(height) => format!("{} blocks after each coin", height.value()),
        relative::LockTime::Time(time) => {
            format!("{} seconds after each coin", u32::from(time.value()).saturating_mul(512))
        }
    }
}

/// `from block 800000 on`.
fn after_text(lock: absolute::LockTime) -> String {
    match lock {
        absolute::LockTime::Blocks(height) => format!("from block {} on", height.to_consensus_u32()),
        absolute::LockTime::Seconds(time) => {
            format!("from {} on", crate::text::utc_text(u64::from(time.to_consensus_u32())))
        }
    }
}

/// The paths of a descriptor; places are numbered as its keys come.
pub(super) fn paths(descriptor: &Descriptor<DescriptorPublicKey>) -> Result<Vec<SpendingPath>, WalletError> {
    let mut order = Vec::new();
    descriptor.for_each_key(|key| {
        order.push(key.clone());
        true
    });
    let policy = descriptor.lift().map_err(|error| WalletError::Descriptor(error.to_string()))?;
    let mut alternatives = Vec::new();
    condition(&policy, &order).alternatives(&mut alternatives);
    let with_locks = alternatives.into_iter().filter_map(|condition| {
        let (older, after) = needed(&condition)?;
        Some(SpendingPath { condition, older, after })
    });
    Ok(with_locks.collect())
}

fn condition(policy: &Semantic<DescriptorPublicKey>, order: &[DescriptorPublicKey]) -> Condition {
    match policy {
        Semantic::Unsatisfiable => Condition::Never,
        Semantic::Trivial => Condition::Always,
        Semantic::Key(key) if super::key::is_unspendable(key) => Condition::Never,
        Semantic::Key(key) => {
            order.iter().position(|known| known == key).map_or(Condition::Never, Condition::Key)
        }
        Semantic::After(lock) => Condition::After((*lock).into()),
        Semantic::Older(lock) => Condition::Older((*lock).into()),
        Semantic::Sha256(hash) => Condition::Preimage(format!("sha256 {hash}")),
        Semantic::Hash256(hash) => Condition::Preimage(format!("hash256 {hash}")),
        Semantic::Ripemd160(hash) => Condition::Preimage(format!("ripemd160 {hash}")),
        Semantic::Hash160(hash) => Condition::Preimage(format!("hash160 {hash}")),
        Semantic::Thresh(parts) => {
            Condition::Threshold(parts.k(), parts.iter().map(|part| condition(part, order)).collect())
        }
    }
}

/// The locks that no satisfaction does without: the least of each that opens the condition; `None` for one that nothing
/// opens.
fn needed(condition: &Condition) -> Option<(Option<relative::LockTime>, Option<absolute::LockTime>)> {
    let (mut older, mut after) = (Vec::new(), Vec::new());
    condition.locks(&mut older, &mut after);
    older.sort_by_key(|lock| lock.to_consensus_u32());
    after.sort_by_key(|lock| lock.to_consensus_u32());
    let olders = std::iter::once(None).chain(older.into_iter().map(Some));
    for older in olders {
        for after in std::iter::once(None).chain(after.iter().copied().map(Some)) {
            if condition.can_be_met(&Given { locks: None, signed: None, age: older, time: after }) {
                return Some((older, after));
            }
        }
    }
    None
}
