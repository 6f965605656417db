//! Codes in pictures. All of it is hostile: the picture, the code, the text. It is decoded in a process of its own, which
//! can open nothing, has little memory and time, and whose crash costs one picture.

mod child;
mod frames;
mod gif;
mod parent;
mod png;

pub use child::serve;
pub use parent::{Lost, codes};

/// Largest picture, in bytes of its file.
pub const MAX_LEN: u64 = 32 * 1024 * 1024;

/// Most pixels of a picture.
const MAX_PIXELS: usize = 16 * 1024 * 1024;

/// Most frames of a moving picture.
const MAX_FRAMES: usize = 20_000;

/// Most codes in one frame.
const MAX_CODES: usize = 16;

/// The argument with which the program starts itself to decode a picture.
pub const CHILD_ARGUMENT: &str = "decode-picture";
