//! Time is soft: it may not run backwards, and nothing hard depends on it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Error;
use crate::store::Store;

/// No clock shows a time before this version was written: 2026-11-01, in unix seconds.
const BUILT: u64 = 1_793_491_200;

/// The clock's time in unix seconds.
#[must_use]
pub fn now() -> u64 {
    #[cfg(test)]
    if let Some(now) = tests::SET.get() {
        return now;
    }
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The clock's time, when it is not behind what this store has already seen.
///
/// # Errors
/// [`Error::Clock`].
pub fn checked(store: &Store) -> Result<u64, Error> {
    let (now, floor) = (now(), store.latest_time().max(BUILT));
    if now < floor { Err(Error::Clock { now, floor }) } else { Ok(now) }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    thread_local! {
        /// What the clock shows to this thread instead of the time.
        pub static SET: Cell<Option<u64>> = const { Cell::new(None) };
    }
}
