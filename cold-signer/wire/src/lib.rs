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
mod key;
mod message;
mod reply;
mod request;
mod review;
mod status;

pub use fault::{Fault, FaultKind, decode_findings, encode_findings};
pub use frame::{FrameError, MAX_FRAME_LEN, read_frame, write_frame};
pub use key::KeyInfo;
pub use message::{
    MessageReview, MessageSignature, MessageTerms, OwnCoin, SignMessage, decode_evidence, encode_evidence,
};
pub use reply::{Reply, ReplyBody, Signed};
pub use request::{Bundle, MAX_PERMIT_LEN, NewKey, RegisterWallet, Request, RequestBody};
pub use review::{Replaced, Review, ReviewApproval, ReviewChange, Voucher};
pub use status::{ControlState, VaultStatus};

/// Version of this protocol; `Hello` on both sides must name the same.
pub const PROTOCOL: u32 = 3;
