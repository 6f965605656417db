//! Removable media, carefully: what is on a stick by its bytes, one file from it, one file onto it. Names, links, devices
//! and sizes of a stick are somebody else's; each that is left out is named with its reason.

mod kind;
mod list;
mod mount;
mod name;
mod put;
mod refusal;
mod sidecar;
mod take;

pub use kind::Kind;
pub use list::{Ended, Entry, Listing, MAX_LISTED, MAX_LOOKED_AT, MAX_READ, Skipped, Why, list};
pub use mount::{ADVISED, Medium};
pub use name::{BadName, check as check_name};
pub use put::{Put, put};
pub use refusal::Refusal;
pub use sidecar::{ENDING, Sidecar, sidecar_name};
pub use take::{Take, take};
