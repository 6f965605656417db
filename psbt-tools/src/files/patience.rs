//! A medium that dies answers no call. So a thread waits for it, and its caller waits for the thread: not for ever.

use super::obstacle::Obstacle;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Bytes a second below which a medium counts as dead, however steadily it drips.
const SLOWEST: u64 = 64 * 1024;

/// How often a wait looks up.
const TICK: Duration = Duration::from_millis(100);

/// How long a thread may take to clear up after the person gave up.
const CLEARING: Duration = Duration::from_secs(2);

/// How long a medium may be silent.
#[derive(Debug, Clone)]
pub struct Patience {
    /// While a file is opened and read.
    pub reading: Duration,
    /// While a folder is listed: a disk may have to spin up for that.
    pub listing: Duration,
    /// While a file is written and synced: a slow stick takes its time for that.
    pub writing: Duration,
    /// Set when the person gives up.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            reading: Duration::from_secs(20),
            listing: Duration::from_secs(10),
            writing: Duration::from_secs(120),
            stop: None,
        }
    }
}

/// What the work calls when it has got on by so many bytes.
pub(super) type Beat<'a> = &'a dyn Fn(usize) -> Result<(), Obstacle>;

impl Patience {
    /// Does the work in a thread. One that gets no answer is left behind; it ends at its next beat, if it ever gets there.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        silence: Duration,
        work: impl FnOnce(Beat<'_>) -> Result<T, Obstacle> + Send + 'static,
    ) -> Result<T, Obstacle> {
        let (to, from) = mpsc::channel();
        let stop = self.stop.clone();
        let stopped = move || stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed));
        let stopped_there = stopped.clone();
        std::thread::Builder::new().name("medium".to_owned()).spawn(move || {
            let beat = |bytes: usize| match stopped_there() || to.send(Heard::Beat(bytes)).is_err() {
                true => Err(Obstacle::Interrupted),
                false => Ok(()),
            };
            let done = work(&beat);
            // Nobody listens any more when the wait was given up.
            let _ = to.send(Heard::Done(done));
        })?;
        let mut clock = Clock::start(silence);
        let mut stopped_at = None;
        loop {
            match from.recv_timeout(TICK.min(silence)) {
                Ok(Heard::Done(done)) => return done,
                Ok(Heard::Beat(bytes)) => clock.beat(bytes),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the thread that waits for the medium broke").into());
                }
            }
            if stopped() && stopped_at.get_or_insert_with(Instant::now).elapsed() > CLEARING {
                return Err(Obstacle::Interrupted);
            }
            if clock.is_over() {
                return Err(Obstacle::Deadline(silence));
            }
        }
    }
}

enum Heard<T> {
    Beat(usize),
    Done(Result<T, Obstacle>),
}

/// Time since the last beat, and since the start with what was done in it.
struct Clock {
    silence: Duration,
    begun: Instant,
    beaten: Instant,
    bytes: u64,
}

impl Clock {
    fn start(silence: Duration) -> Self {
        let now = Instant::now();
        Self { silence, begun: now, beaten: now, bytes: 0 }
    }

    fn beat(&mut self, bytes: usize) {
        self.beaten = Instant::now();
        self.bytes = self.bytes.saturating_add(bytes as u64);
    }

    fn is_over(&self) -> bool {
        let earned = Duration::from_secs(self.bytes / SLOWEST);
        self.beaten.elapsed() > self.silence || self.begun.elapsed() > self.silence.saturating_add(earned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(200);

    #[test]
    fn silence_and_dripping_end_with_the_deadline_and_steady_work_does_not() {
        let patience = Patience::default();
        let sleep = |millis| std::thread::sleep(Duration::from_millis(millis));
        let silent = patience.wait(SHORT, move |_| {
            sleep(1_000);
            Ok(())
        });
        assert_eq!(silent.unwrap_err().code(), "deadline");
        let dripping = patience.wait(SHORT, move |beat| {
            (0..1_000).try_for_each(|_| {
                sleep(50);
                beat(1)
            })
        });
        assert_eq!(dripping.unwrap_err().code(), "deadline");
        let steady = patience.wait(SHORT, move |beat| {
            for _ in 0..8 {
                sleep(50);
                beat(1 << 20)?;
            }
            Ok(7)
        });
        assert_eq!(steady.unwrap(), 7);
    }

    #[test]
    fn who_gives_up_ends_the_work_at_its_next_beat() {
        let stop = Arc::new(AtomicBool::new(true));
        let patience = Patience { stop: Some(stop), ..Patience::default() };
        let work = patience.wait(Duration::from_secs(5), |beat| beat(1));
        assert_eq!(work.unwrap_err().code(), "interrupted");
    }

    #[test]
    fn a_thread_that_breaks_is_a_fault() {
        // Printing where it broke takes its time.
        let long = Duration::from_secs(60);
        let broken = Patience::default().wait(long, |_| -> Result<(), Obstacle> { panic!("on purpose") });
        assert_eq!(broken.unwrap_err().code(), "unreadable");
    }
}
