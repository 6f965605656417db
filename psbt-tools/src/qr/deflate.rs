//! Raw deflate streams (RFC 1951), as BBQr carries them.

use super::MAX_MESSAGE_LEN;
use super::fault::Fault;
use miniz_oxide::inflate::stream::{InflateState, inflate as inflate_some};
use miniz_oxide::{DataFormat, MZFlush, MZStatus};
use zlib_rs::{Deflate, DeflateFlush, Status};

/// Bytes that are inflated in one go.
const STEP: usize = 64 * 1024;

/// BBQr's window: readers keep 1,024 bytes only.
const WINDOW_BITS: u8 = 10;

/// Best compression of all levels.
const LEVEL: i32 = 9;

/// Inflates a whole raw stream, of whatever window.
///
/// # Errors
/// [`Fault::Bomb`] as soon as the result exceeds [`MAX_MESSAGE_LEN`]; [`Fault::Deflate`] for a broken or unfinished
/// stream, and for bytes behind its end.
pub(super) fn inflate(mut compressed: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut state = InflateState::new_boxed(DataFormat::Raw);
    let mut inflated = Vec::new();
    let mut step = vec![0; STEP];
    loop {
        let result = inflate_some(&mut state, compressed, &mut step, MZFlush::None);
        compressed = compressed.get(result.bytes_consumed..).unwrap_or_default();
        inflated.extend_from_slice(step.get(..result.bytes_written).unwrap_or_default());
        if inflated.len() > MAX_MESSAGE_LEN {
            return Err(Fault::Bomb);
        }
        match result.status {
            Ok(MZStatus::StreamEnd) if compressed.is_empty() => return Ok(inflated),
            Ok(MZStatus::StreamEnd) => return Err(Fault::Deflate("there are bytes behind its end")),
            Ok(MZStatus::NeedDict) => return Err(Fault::Deflate("it needs a dictionary")),
            Ok(MZStatus::Ok) if result.bytes_consumed > 0 || result.bytes_written > 0 => {}
            Ok(MZStatus::Ok) => return Err(Fault::Deflate("its end is missing")),
            Err(_) if compressed.is_empty() => return Err(Fault::Deflate("its end is missing")),
            Err(_) => return Err(Fault::Deflate("it is no such stream")),
        }
    }
}

/// Deflates into a raw stream with BBQr's window; `None` when that does not make it smaller.
pub(super) fn deflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut compressed = vec![0; bytes.len()];
    let mut stream = Deflate::new(LEVEL, false, WINDOW_BITS);
    let status = stream.compress(bytes, &mut compressed, DeflateFlush::Finish).ok()?;
    let len = usize::try_from(stream.total_out()).ok()?;
    compressed.truncate(len);
    (status == Status::StreamEnd && len < bytes.len()).then_some(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_deflated_inflates_to_itself() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| ((i / 7) % 251) as u8).collect();
        let compressed = deflate(&bytes).unwrap();
        assert!(compressed.len() < bytes.len() / 2);
        assert_eq!(inflate(&compressed), Ok(bytes));
    }

    #[test]
    fn no_match_is_further_away_than_the_window() {
        // A block of 1,500 random bytes twice: a larger window would halve it.
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let block: Vec<u8> = (0..1500).map(|_| random()).collect();
        assert_eq!(deflate(&[block.clone(), block].concat()), None);
    }

    #[test]
    fn what_cannot_be_made_smaller_is_left() {
        assert_eq!(deflate(b""), None);
        assert_eq!(deflate(b"abc"), None);
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let compressed = deflate(&vec![0; MAX_MESSAGE_LEN + 1]).unwrap();
        assert!(compressed.len() < 200_000);
        assert_eq!(inflate(&compressed), Err(Fault::Bomb));
        assert!(inflate(&deflate(&vec![0; MAX_MESSAGE_LEN]).unwrap()).is_ok());
    }

    #[test]
    fn broken_streams_are_refused() {
        let whole = deflate(&[7; 500]).unwrap();
        assert_eq!(inflate(&whole[..whole.len() - 1]), Err(Fault::Deflate("its end is missing")));
        assert_eq!(
            inflate(&[whole, vec![0]].concat()),
            Err(Fault::Deflate("there are bytes behind its end"))
        );
        assert_eq!(inflate(&[0xff; 20]), Err(Fault::Deflate("it is no such stream")));
        assert_eq!(inflate(&[]), Err(Fault::Deflate("its end is missing")));
    }
}
