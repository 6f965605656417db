//! GIF, moving or not.

use super::frames::{Luma, brightness};
use super::{MAX_FRAMES, MAX_PIXELS};
use gif::{ColorOutput, DecodeOptions, MemoryLimit};
use std::num::NonZeroU64;

/// Hands every frame to `take` until it wants no more; whether the file was read to its end.
pub(super) fn each(bytes: &[u8], mut take: impl FnMut(&Luma) -> bool) -> bool {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    let most = u64::try_from(MAX_PIXELS.saturating_mul(4)).ok().and_then(NonZeroU64::new);
    options.set_memory_limit(most.map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    let Ok(mut decoder) = options.read_info(bytes) else { return false };
    let Some(mut screen) = Luma::white(usize::from(decoder.width()), usize::from(decoder.height())) else {
        return false;
    };
    for _ in 0..MAX_FRAMES {
        match decoder.read_next_frame() {
            Ok(Some(frame)) => {
                draw(frame, &mut screen);
                if !take(&screen) {
                    return true;
                }
            }
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
    false
}

/// Draws a frame, which may be smaller than the screen, over what was there.
fn draw(frame: &gif::Frame<'_>, screen: &mut Luma) {
    let width = usize::from(frame.width);
    let rows = frame.buffer.chunks_exact(width.saturating_mul(4).max(1));
    for (row, y) in rows.zip(usize::from(frame.top)..screen.height) {
        for (colour, x) in row.chunks_exact(4).zip(usize::from(frame.left)..screen.width) {
            let at = y.saturating_mul(screen.width).saturating_add(x);
            if let ([red, green, blue, 255], Some(pixel)) = (colour, screen.pixels.get_mut(at)) {
                *pixel = brightness(*red, *green, *blue, u8::MAX);
            }
        }
    }
}
