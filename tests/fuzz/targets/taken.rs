//! What every scan must keep, whatever it is shown.

use psbt_tools::qr::{MAX_MESSAGE_LEN, MAX_PARTS, Scan, Taken};

/// Hands frames to a scan, and to one that was interrupted between any two of them.
///
/// # Panics
/// When a promise of [`Scan`] does not hold.
pub fn taken(frames: &[String]) {
    let (mut scan, mut again) = (Scan::new(), Scan::new());
    for frame in frames {
        if let Taken::Joined(payload) = scan.take(frame) {
            assert!(payload.bytes.len() <= MAX_MESSAGE_LEN);
        }
        let _ = again.take(frame);
        again.interrupted();
        let progress = scan.progress();
        assert!(progress.streams.len() <= 8);
        assert!(
            progress.streams.iter().all(|stream| stream.rank <= stream.parts && stream.parts <= MAX_PARTS)
        );
    }
    if let Some(Ok(payload)) = scan.unconfirmed() {
        assert!(payload.bytes.len() <= MAX_MESSAGE_LEN);
    }
}

/// Pieces of the input: a byte of choice, a length, and so many bytes.
pub struct Chunks<'a>(pub &'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (&[kind, len], rest) = self.0.split_first_chunk::<2>()?;
        let (body, rest) = rest.split_at(rest.len().min(usize::from(len)));
        self.0 = rest;
        Some((kind, body))
    }
}
