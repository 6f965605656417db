//! GIF, moving or not.

use super::luma::{Luma, MAX_PIXELS, brightness};
use super::{MAX_FRAMES, Unread};
use gif::{ColorOutput, DecodeOptions, DisposalMethod, MemoryLimit};
use std::num::NonZeroU64;

/// Hands every frame to `take` until it wants no more.
pub(super) fn each(bytes: &[u8], mut take: impl FnMut(&Luma) -> bool) -> Result<(), Unread> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    let most = u64::try_from(MAX_PIXELS.saturating_mul(4)).ok().and_then(NonZeroU64::new);
    options.set_memory_limit(most.map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    let mut decoder = options.read_info(bytes).map_err(|_| Unread::Broken)?;
    let mut screen =
        Luma::white(usize::from(decoder.width()), usize::from(decoder.height())).ok_or(Unread::Size)?;
    for _ in 0..MAX_FRAMES {
        let Some(frame) = decoder.read_next_frame().map_err(|_| Unread::Broken)? else { return Ok(()) };
        let before = (frame.dispose == DisposalMethod::Previous).then(|| screen.clone());
        draw(frame, &mut screen, |value| value);
        if !take(&screen) {
            return Ok(());
        }
        match (frame.dispose, before) {
            (_, Some(before)) => screen = before,
            (DisposalMethod::Background, None) => draw(frame, &mut screen, |_| u8::MAX),
            (DisposalMethod::Any | DisposalMethod::Keep | DisposalMethod::Previous, None) => {}
        }
    }
    Err(Unread::Long)
}

/// Draws a frame, which may be smaller than the screen, over what was there: what `ink` makes of each pixel that is
/// not transparent.
fn draw(frame: &gif::Frame<'_>, screen: &mut Luma, ink: impl Fn(u8) -> u8) {
    let width = usize::from(frame.width);
    let (columns, height) = (screen.width(), screen.height());
    let rows = frame.buffer.chunks_exact(width.saturating_mul(4).max(1));
    for (row, y) in rows.zip(usize::from(frame.top)..height) {
        for (colour, x) in row.chunks_exact(4).zip(usize::from(frame.left)..columns) {
            let at = y.saturating_mul(columns).saturating_add(x);
            let [red, green, blue, 255] = colour else { continue };
            let value = ink(brightness(*red, *green, *blue, u8::MAX));
            if let Some(pixel) = screen.pixels_mut().get_mut(at) {
                *pixel = value;
            }
        }
    }
}
