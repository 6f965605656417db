//! Texts of QR frames: what leaves as frames ([`Frames`]) and what frames become again ([`Scan`]).
//!
//! Pure: no images, no camera, no clock. Every text that arrives here is hostile; all counts are bounded before
//! anything is allocated, and nothing panics.

mod base43;
mod bbqr;
mod deflate;
mod descriptor;
mod fault;
mod frames;
mod indexed;
mod payload;
mod scan;
mod specter;
mod still;
mod symbol;
mod ur;

pub(crate) use descriptor::looks_like_descriptor;
pub use fault::Fault;
pub use frames::Frames;
pub use payload::{Format, Integrity, Kind, Payload};
pub use scan::{Diagnosis, Progress, Scan, State, StreamProgress, Taken};
pub use symbol::Version;

/// Most characters of a frame: what the largest symbol holds (version 40, level L, digits).
pub const MAX_FRAME_CHARS: usize = 7_089;

/// Most parts of one payload.
pub const MAX_PARTS: usize = 4_096;

/// Largest payload, in bytes, before and after it is inflated.
pub const MAX_MESSAGE_LEN: usize = 32 * 1024 * 1024;
