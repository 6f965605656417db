//! When nothing is permitted because of the time: a clock that was set back, a chain that was not looked at for long.

use crate::Error;
use crate::ledger::state::State;
use bitcoin::Network;
use policies::text::{duration_text, utc_text};

/// How far the clock may stand before the ledger's last event or before bitcoin time, in seconds: machines are adjusted by
/// less, and a block's time may be ahead by as much.
const TOLERANCE: u64 = 2 * 3_600;

/// A clock that stands before the ledger or before bitcoin time would make requests and policies valid again.
///
/// # Errors
/// [`Error::Clock`].
pub fn refuse_set_back(state: &State, now: u64) -> Result<(), Error> {
    let latest = [("the ledger's last event was at", state.latest())];
    let chain = state.seen().bitcoin_time().map(|time| ("bitcoin time is", time));
    match latest.into_iter().chain(chain).find(|(_, time)| now.saturating_add(TOLERANCE) < *time) {
        Some((what, time)) => Err(Error::Clock { now: utc_text(now), what, then: utc_text(time) }),
        None => Ok(()),
    }
}

/// Windows that stand still would count too much, and a payment that settled or a coin that was stolen would not be known.
/// A test chain that is mined by hand has no real time.
///
/// # Errors
/// [`Error::Stale`].
pub fn refuse_stale(state: &State, now: u64) -> Result<(), Error> {
    if state.network() == Network::Regtest {
        return Ok(());
    }
    let most = state.policy().terms().headers_max_age;
    let chain = state.seen().chain();
    let latest = chain.tip().and_then(|(height, _)| Some((height, u64::from(chain.header_at(height)?.time))));
    match latest {
        Some((_, time)) if time.saturating_add(most) >= now => Ok(()),
        Some((height, time)) => {
            let found = format!("block {height} of {}", utc_text(time));
            Err(Error::Stale { found, most: duration_text(most) })
        }
        None => Err(Error::Stale { found: "none".to_owned(), most: duration_text(most) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::{founded_on, founding};

    #[test]
    fn a_clock_far_before_the_ledger_is_refused() {
        let state = State::founded(founding(1_000_000)).unwrap();
        assert!(refuse_set_back(&state, 1_000_000 - TOLERANCE).is_ok());
        let error = refuse_set_back(&state, 1_000_000 - TOLERANCE - 1).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("clock", 5));
    }

    #[test]
    fn old_headers_are_stale_where_time_is_real() {
        // The genesis block is of January 2009, and the policy wants headers of the last two days.
        let genesis = 1_231_006_505;
        let most = policies::policy::DEFAULT_HEADERS_MAX_AGE;
        let state = |network| State::founded(founded_on(network, 5)).unwrap();
        assert!(refuse_stale(&state(Network::Bitcoin), genesis + most).is_ok());
        let error = refuse_stale(&state(Network::Bitcoin), genesis + most + 1).unwrap_err();
        assert_eq!((error.code().as_str(), error.exit_code()), ("stale", 5));
        assert!(refuse_stale(&state(Network::Regtest), u64::MAX).is_ok());
    }
}
