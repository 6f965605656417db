//! The second thread of the vault. It starts before the filter that forbids new ones, and waits for work.

pub(super) use policies::helper::run;

use crate::Error;

/// Starts it, once a process; returns when it runs.
///
/// # Errors
/// [`Error::Control`] where the system gives no thread.
pub fn start() -> Result<(), Error> {
    policies::helper::start()
        .map_err(|error| Error::Control { control: "second thread", reason: error.to_string() })
}
