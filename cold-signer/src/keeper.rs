//! The vault between two commands of one visit: unlocked once, given from one command to the next, and locked when
//! nobody comes for a while.

use crate::vault::{Launch, Link};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

/// After so long without a command the vault is locked.
const IDLE: Duration = Duration::from_secs(600);

/// How often the time is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// Keeps one vault for a visit of several commands.
#[derive(Debug, Clone, Default)]
pub struct Keeper(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    vault: Option<Resting>,
    /// What the person should be told before the next command.
    remark: Option<&'static str>,
    wallets: Vec<String>,
}

#[derive(Debug)]
struct Resting {
    launch: Launch,
    link: Link,
    since: (Instant, SystemTime),
}

impl Keeper {
    /// A keeper that locks after ten minutes; one by default waits for ever.
    pub fn watched() -> Self {
        let keeper = Self::default();
        let watched = Arc::downgrade(&keeper.0);
        std::thread::spawn(move || watch(&watched));
        keeper
    }

    /// Locks the vault; whether it was unlocked.
    pub fn lock(&self) -> bool {
        let resting = self.kept().vault.take();
        resting.is_some()
    }

    /// Whether a vault waits for the next command. One that has ended meanwhile does not, which is remarked upon.
    pub fn is_open(&self) -> bool {
        let mut kept = self.kept();
        let Some(resting) = &mut kept.vault else { return false };
        if resting.link.lives() {
            return true;
        }
        kept.vault = None;
        kept.remark = Some("the vault has ended by itself: it is locked");
        false
    }

    /// Names of the wallets, as far as a command has learnt them; not secret.
    pub fn wallets(&self) -> Vec<String> {
        self.kept().wallets.clone()
    }

    /// What the person should be told, once: why the passphrase is asked again.
    pub fn remark(&self) -> Option<&'static str> {
        self.kept().remark.take()
    }

    /// Remembers the names of the wallets.
    pub(crate) fn learn(&self, wallets: Vec<String>) {
        self.kept().wallets = wallets;
    }

    /// The vault that waits, when it was started in the same way and lives. Any other is ended: it holds the store.
    pub(crate) fn take(&self, launch: &Launch) -> Option<Link> {
        let Resting { launch: before, mut link, .. } = self.kept().vault.take()?;
        (link.lives() && before.serves(launch)).then_some(link)
    }

    /// Takes a vault back after a command.
    pub(crate) fn put(&self, launch: Launch, link: Link) {
        let since = (Instant::now(), SystemTime::now());
        self.kept().vault = Some(Resting { launch, link, since });
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Every change is one assignment, so that what a panic left is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two clocks: one of them stands still while the machine sleeps, and the other can be set.
fn is_idle((running, shown): (Instant, SystemTime)) -> bool {
    running.elapsed() >= IDLE || shown.elapsed().map_or(true, |passed| passed >= IDLE)
}

/// Locks what has waited too long, until the keeper is gone.
fn watch(kept: &Weak<Mutex<Kept>>) {
    while let Some(strong) = kept.upgrade() {
        let mut kept = strong.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(idle) = kept.vault.take_if(|resting| is_idle(resting.since)) {
            kept.remark = Some("the vault was locked: ten minutes passed without a command");
            drop(kept);
            drop(idle);
        } else {
            drop(kept);
        }
        drop(strong);
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vault_is_idle_when_either_clock_says_so_or_the_clock_went_back() {
        let (now, shown) = (Instant::now(), SystemTime::now());
        assert!(!is_idle((now, shown)));
        assert!(is_idle((now, shown.checked_sub(IDLE).unwrap())));
        assert!(is_idle((now, shown.checked_add(IDLE).unwrap())));
        if let Some(earlier) = now.checked_sub(IDLE) {
            assert!(is_idle((earlier, shown)));
        }
    }
}
