//! Picture files as frames. Only the confined child decodes them.

mod gif;
mod jpeg;
pub(super) mod luma;
mod png;

use luma::Luma;

/// Most frames of a moving picture.
const MAX_FRAMES: u32 = 20_000;

/// Why a picture, or the rest of it, is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    #[error("it is no PNG, JPEG or GIF that is read here")]
    Format,
    #[error("it has no pixels, or more than 16,777,216")]
    Size,
    #[error("it is broken or cut off")]
    Broken,
    #[error("it has more than 20,000 frames")]
    Long,
}

/// Whether a picture may have several frames.
pub(super) fn moves(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GIF8")
}

/// Most frames of a picture.
pub(super) fn most_frames(bytes: &[u8]) -> u32 {
    if moves(bytes) { MAX_FRAMES } else { 1 }
}

/// The picture of a JPEG, and of nothing else.
pub(super) fn still_jpeg(bytes: &[u8]) -> Result<Luma, Unread> {
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) { jpeg::read(bytes) } else { Err(Unread::Format) }
}

/// Hands every frame of a picture to `take` until it wants no more.
pub(super) fn each(bytes: &[u8], mut take: impl FnMut(&Luma) -> bool) -> Result<(), Unread> {
    if moves(bytes) {
        return gif::each(bytes, take);
    }
    let still = match bytes {
        [0x89, b'P', b'N', b'G', ..] => png::read(bytes)?,
        _ => still_jpeg(bytes)?,
    };
    take(&still);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jpeg_of_a_camera_is_no_other_picture() {
        for other in [&b"GIF89a"[..], b"\x89PNG", b"", b"\xff\xd8"] {
            assert_eq!(still_jpeg(other), Err(Unread::Format));
        }
        assert_eq!(still_jpeg(b"\xff\xd8\xff"), Err(Unread::Broken));
    }
}
