//! Cameras by V4L2: frames as they come. Nothing of a frame is parsed here, that is for a process that can do nothing
//! else. What a device says of itself (sizes, counts, indices) is a claim of whoever built it, and is checked.

mod device;
mod error;
mod frame;
mod layout;
mod listing;
mod modes;
mod sys;

pub use device::Camera;
pub use error::Error;
pub use frame::Frame;
pub use listing::Listed;
