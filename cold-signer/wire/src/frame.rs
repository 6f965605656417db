//! Frames: a length and that many bytes.

use std::io::{self, Read, Write};

/// Longest frame, in bytes: a spend at the limits with its previous transactions fits.
pub const MAX_FRAME_LEN: usize = 96 << 20;

/// Why no frame came.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The peer closed the connection between frames.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer announces more than [`MAX_FRAME_LEN`].
    #[error("a frame of {0} bytes is announced, at most {MAX_FRAME_LEN} are read")]
    TooLong(usize),
    /// Reading or writing failed, or the connection closed inside a frame.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// Reads one frame. Memory grows with what arrives, not with what is announced.
///
/// # Errors
/// [`FrameError`].
pub fn read_frame(from: &mut impl Read) -> Result<Vec<u8>, FrameError> {
    let mut length = [0u8; 4];
    let (first, rest) = length.split_at_mut(1);
    loop {
        match from.read(first) {
            Ok(0) => return Err(FrameError::Closed),
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    from.read_exact(rest)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_FRAME_LEN {
        return Err(FrameError::TooLong(length));
    }
    let mut frame = Vec::new();
    let read = from.take(u64::try_from(length).unwrap_or(u64::MAX)).read_to_end(&mut frame)?;
    if read == length { Ok(frame) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
}

/// Writes one frame.
///
/// # Errors
/// [`FrameError`].
pub fn write_frame(to: &mut impl Write, frame: &[u8]) -> Result<(), FrameError> {
    let length = u32::try_from(frame.len())
        .ok()
        .filter(|_| frame.len() <= MAX_FRAME_LEN)
        .ok_or(FrameError::TooLong(frame.len()))?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(frame)?;
    to.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_one_another() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, b"one").unwrap();
        write_frame(&mut bytes, b"").unwrap();
        let mut from = bytes.as_slice();
        assert_eq!(read_frame(&mut from).unwrap(), b"one");
        assert_eq!(read_frame(&mut from).unwrap(), b"");
        assert!(matches!(read_frame(&mut from), Err(FrameError::Closed)));
    }

    #[test]
    fn an_announced_length_is_compared_before_it_is_believed() {
        assert!(matches!(read_frame(&mut &[0xff; 8][..]), Err(FrameError::TooLong(0xffff_ffff))));
        assert!(matches!(read_frame(&mut &[0, 0, 0, 9, 1][..]), Err(FrameError::Io(_))));
        assert!(matches!(read_frame(&mut &[0, 0][..]), Err(FrameError::Io(_))));
    }
}
