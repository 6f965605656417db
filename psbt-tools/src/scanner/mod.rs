//! QR codes that are seen: in pictures, in videos, through a camera. All of it is hostile: the picture, the code, the text.
//!
//! The scanner (this process) only carries bytes. A child, the same program in another mode, decodes pictures, finds codes,
//! joins their texts and inflates what they carry, in a sandbox from which it can reach nothing but its socket. What makes
//! it fall costs one frame: the scanner keeps the texts that told something, and a new child goes on from there.

mod child;
mod decoder;
mod failure;
mod from;
mod notice;
mod picture;
mod process;
mod receive;
mod resume;
mod session;
mod source;
mod status;
mod tape;
#[cfg(any(test, fuzzing))]
mod texts;
mod video;
mod watched;
mod wire;

pub use child::serve;
pub use decoder::{Decoder, Look, Sight};
pub use failure::Failure;
pub use from::{From, Size};
pub use notice::{Hindrance, Notice, Outlook};
pub use picture::luma::{Luma, MAX_PIXELS};
pub use process::Lost;
pub use receive::{Received, receive};
#[cfg(any(test, fuzzing))]
pub use texts::texts_of;
pub use watched::{followed, watched};

use crate::sandbox::Limits;

/// The argument with which a program starts itself as a child that decodes: its `main` calls [`serve`] before anything
/// else.
pub const CHILD_ARGUMENT: &str = "__scanner";

/// Largest picture, in bytes of its file.
pub const MAX_PICTURE_LEN: u64 = 32 * 1024 * 1024;

/// What a child may use up.
const LIMITS: Limits = Limits { memory: 256 << 20, seconds: 600 };

/// How a child ends that panicked.
const PANICKED: i32 = 101;

/// How a frame is looked at.
type Glance = fn(&mut Decoder, &Luma) -> Look;

/// How the frames of a picture file are looked at.
fn glance(bytes: &[u8]) -> Glance {
    if picture::moves(bytes) { Decoder::look } else { Decoder::look_closely }
}
