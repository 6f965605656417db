//! A second thread for what is heavy and independent: derivations, signatures and their verification. A program starts it
//! before it forbids itself new threads; without it everything is done by the caller alone, and comes to the same.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};

/// Fewer pieces than this are done before a second thread would have begun.
pub const WORTH_SHARING: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

static JOBS: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();

/// Starts it, once a process; returns when it runs.
///
/// # Errors
/// What the system says when it gives no thread.
pub fn start() -> std::io::Result<()> {
    if is_running() {
        return Ok(());
    }
    let (jobs, waiting) = channel::<Job>();
    let (ready, runs) = channel();
    std::thread::Builder::new().spawn(move || {
        // Nobody listens when the process ends already.
        let _ = ready.send(());
        waiting.into_iter().for_each(|job| job());
    })?;
    runs.recv().map_err(std::io::Error::other)?;
    JOBS.get_or_init(|| Mutex::new(jobs));
    Ok(())
}

/// Whether it was started.
pub fn is_running() -> bool {
    JOBS.get().is_some()
}

/// Lets it do something; `None` where it does not run.
pub fn run<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> Option<Receiver<T>> {
    let (done, result) = channel();
    // Whoever asked may have failed in the meantime and does not listen any more.
    let job: Job = Box::new(move || drop(done.send(job())));
    JOBS.get()?.lock().ok()?.send(job).ok()?;
    Some(result)
}

/// What a function makes of each item, in their order; half of many are the helper's.
pub fn map<T, R>(items: Vec<T>, each: impl Fn(&T) -> R + Send + Sync + 'static) -> Vec<R>
where
    T: Send + Sync + 'static,
    R: Send + 'static,
{
    if items.len() < WORTH_SHARING {
        return items.iter().map(each).collect();
    }
    let (half, shared) = (items.len().div_ceil(2), Arc::new((items, each)));
    let theirs = Arc::clone(&shared);
    let other = run(move || theirs.0.iter().skip(half).map(&theirs.1).collect::<Vec<R>>());
    let (items, each) = (&shared.0, &shared.1);
    let mut done: Vec<R> = items.iter().take(half).map(each).collect();
    match other.and_then(|other| other.recv().ok()) {
        Some(other) => done.extend(other),
        None => done.extend(items.iter().skip(half).map(each)),
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_give_what_one_gives() {
        let square = |number: &u64| number * number;
        for count in [0, 1, 15, 16, 17, 1_000] {
            let expected: Vec<u64> = (0..count).map(|number| square(&number)).collect();
            assert_eq!(map((0..count).collect(), square), expected);
            start().unwrap();
            assert!(is_running());
            assert_eq!(map((0..count).collect(), square), expected);
        }
    }
}
