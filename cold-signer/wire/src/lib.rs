//! Messages between the console and the vault: one codec, every length checked before allocation.
//!
//! A frame is a `u32` length and a canonical document (`policies::codec`). Each request carries an id, which its reply
//! repeats, and a deadline, after which the vault signs nothing. The vault speaks only when it is spoken to.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::cast_possible_truncation,
        clippy::wildcard_enum_match_arm
    )
)]

mod fault;
mod frame;
mod reply;
mod request;

pub use fault::{Fault, FaultKind};
pub use frame::{FrameError, MAX_FRAME_LEN, read_frame, write_frame};
pub use reply::{
    ControlState, InputSignature, KeyInfo, Reply, ReplyBody, Review, ReviewChange, Signed, VaultStatus,
    Voucher,
};
pub use request::{Bundle, NewKey, Request, RequestBody};

/// Version of this protocol; `Hello` on both sides must name the same.
pub const PROTOCOL: u32 = 1;
