//! A second thread for signing. It starts before the filter that forbids new ones, and waits for work.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock};

use crate::Error;

type Job = Box<dyn FnOnce() + Send>;

static JOBS: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();

/// Starts it, once a process; returns when it runs.
///
/// # Errors
/// [`Error::Control`] where the system gives no thread.
pub fn start() -> Result<(), Error> {
    let refused = |reason: String| Error::Control { control: "signing thread", reason };
    if JOBS.get().is_some() {
        return Ok(());
    }
    let (jobs, waiting) = channel::<Job>();
    let (ready, runs) = channel();
    std::thread::Builder::new()
        .spawn(move || {
            // Nobody listens when the process ends already.
            let _ = ready.send(());
            waiting.into_iter().for_each(|job| job());
        })
        .map_err(|error| refused(error.to_string()))?;
    runs.recv().map_err(|error| refused(error.to_string()))?;
    JOBS.get_or_init(|| Mutex::new(jobs));
    Ok(())
}

/// Lets it do something; `None` where it does not run.
pub(super) fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<Receiver<T>> {
    let (done, result) = channel();
    // Whoever asked may have failed in the meantime and does not listen any more.
    let job: Job = Box::new(move || drop(done.send(job())));
    JOBS.get()?.lock().ok()?.send(job).ok()?;
    Some(result)
}
